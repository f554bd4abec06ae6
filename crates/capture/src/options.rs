//! How to arm: what a dump is to be, where it goes, and what it may cost.

use std::path::PathBuf;

use lkd_dump::{Format, Kind};

use crate::engine::TriggerProg;

/// Where dumps go unless told otherwise.
pub const DEFAULT_ROOT: &str = "/var/lib/lkd/LiveKernelReports";

/// A probe's name, for the shot: the trigger only knows its number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeName {
    /// As in [`Request::probe_id`].
    pub id: u32,
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
}

/// How to arm.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory that gets a directory per report.
    pub root: PathBuf,
    /// The dump's name in `root`, which must not be there yet; `None`: a report is made, a directory named by its time.
    pub file: Option<String>,
    /// The first part of the report's name.
    pub component: String,
    /// The dump's format.
    pub format: Format,
    /// The kinds of dump that may be asked for.
    pub kinds: Vec<Kind>,
    /// The longest that the machine may stand still, in nanoseconds.
    pub max_pause_ns: u64,
    /// Bytes of the buffer into which pages are copied while the machine stands still. `None`: what the pages of the kinds need,
    /// at most an eighth of the memory available.
    pub buffer_bytes: Option<u64>,
    /// The types of the programs that may trigger; each costs some milliseconds to load.
    pub programs: Vec<TriggerProg>,
    /// The probes that may fire.
    pub probes: Vec<ProbeName>,
    /// The script's name or text.
    pub script: String,
    /// The program to start as the writer with [`ARG`](crate::writer::ARG) as its argument. `None`: this one.
    pub writer: Option<PathBuf>,
    /// Stop all CPUs. False: hold only the probing thread.
    pub freeze: bool,
    /// How far a shot goes.
    pub work: Work,
}

/// How far a shot goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// CPUs stop and go on.
    Stop,
    /// And every page's class is found.
    Classify,
    /// And pages are copied into the buffer, where nobody looks at them.
    Copy,
    /// And a dump is written.
    #[default]
    Dump,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            root: PathBuf::from(DEFAULT_ROOT),
            file: None,
            component: "DTRACE".into(),
            format: Format::default(),
            kinds: vec![Kind::Kernel],
            max_pause_ns: 500_000_000,
            buffer_bytes: None,
            programs: vec![TriggerProg::RawTp],
            probes: Vec::new(),
            script: String::new(),
            writer: None,
            freeze: true,
            work: Work::default(),
        }
    }
}
