//! What a session hands out.

use lkd_codegen::record::{Data, ErrorRecord};
use lkd_dlang::constants;

/// One thing that happened, borrowed from the ring where it is a record.
#[derive(Debug)]
pub enum Event<'a> {
    /// A clause's record.
    Record(Data<'a>),
    /// A clause was given up.
    Error(ErrorRecord),
    /// Records or firings that are lost, since the last event of that kind and CPU.
    Drops(Drops),
    /// The process of -c or -p is gone.
    TargetEnded { pid: u32, how: TargetEnd },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetEnd {
    /// exit()'s argument.
    Exited(i32),
    /// The signal that killed it.
    Killed(i32),
    /// Not our child: nobody told us.
    Unknown,
}

impl TargetEnd {
    /// DTrace's notice: `pid 4711 has exited`.
    pub fn line(self, pid: u32) -> String {
        match self {
            TargetEnd::Unknown | TargetEnd::Exited(0) => format!("pid {pid} has exited"),
            TargetEnd::Exited(status) => format!("pid {pid} exited with status {status}"),
            TargetEnd::Killed(signal) => match constants::signal(signal) {
                Some(name) => format!("pid {pid} terminated by {name}"),
                None => format!("pid {pid} terminated by signal {signal}"),
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    pub kind: DropKind,
    /// `None`: counted for all CPUs together.
    pub cpu: Option<u32>,
    /// New ones.
    pub count: u64,
    /// All of the session.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropKind {
    /// Records for which the ring had no room.
    Principal,
    /// Error records, likewise.
    Errors,
    /// Assignments to dynamic variables without room.
    Dynamic,
    /// Firings given up because all scratch memory of the CPU was taken.
    Scratch,
    /// Firings that the kernel skipped because the program was already running there.
    Recursion,
    /// lkd() calls with flags that mean nothing.
    LkdBadFlags,
    /// lkd() calls without a capture engine.
    LkdUnarmed,
    /// lkd() calls behind another one in the same firing.
    LkdAgain,
}

/// The books: after the session has stopped, `made == delivered + dropped`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that firings wanted to leave.
    pub made: u64,
    /// Records that were handed out.
    pub delivered: u64,
    /// Records for which there was no room, or that could not be read.
    pub dropped: u64,
}

impl Tally {
    pub fn balanced(&self) -> bool {
        self.made == self.delivered + self.dropped
    }
}
