//! Maps that user space and the generated programs share: names and byte offsets, told once.

/// The ring buffer of all records.
pub const RING: &str = "records";

/// State of the session: an array of one value, mappable.
///
/// ```text
/// 0            4             8                  16
/// | state u32  | status i32  | realtime offset  |
/// ```
pub const CTL: &str = "ctl";
pub const CTL_SIZE: u32 = 16;
/// One of [`State`].
pub const CTL_STATE: u32 = 0;
/// exit()'s argument, also kept here so that a full ring cannot lose it.
pub const CTL_STATUS: u32 = 4;
/// Nanoseconds from CLOCK_MONOTONIC to CLOCK_REALTIME, for `walltimestamp`. User space writes it.
pub const CTL_REALTIME: u32 = 8;

/// The session's activity; it only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum State {
    /// Only BEGIN runs.
    Inactive = 0,
    /// Probes record.
    Active = 1,
    /// exit() was called, or user space stops: only END runs.
    Draining = 2,
}

/// Counters: an array of one value, mappable: [`COUNTER_LINE`] bytes per possible CPU, each a `u64` per [`Counter`].
pub const COUNTERS: &str = "counters";
pub const COUNTER_LINE: u32 = 64;

/// What is counted on each CPU. `made = delivered + dropped`, where delivered is what the consumer took out of the ring:
/// `Made == records taken + RecordDrops + ErrorDrops`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// Records that a firing wanted to leave (aborted clauses do not count).
    Made = 0,
    /// Data records for which the ring had no room. DTrace: "N drops on CPU n".
    RecordDrops = 1,
    /// Error records for which the ring had no room.
    ErrorDrops = 2,
    /// Assignments to dynamic variables without room. DTrace: "N dynamic variable drops".
    DynvarDrops = 3,
    /// Firings given up because every scratch slot of the CPU was taken.
    ScratchDrops = 4,
    /// lkd() calls whose computed flags are none of 0, 1, 2, 4, 5.
    LkdBadFlags = 5,
    /// lkd() calls that found no capture engine in [`LKD_PROGS`].
    LkdUnarmed = 6,
    /// lkd() calls behind another one in the same firing.
    LkdAgain = 7,
}

/// Capture request, one value per CPU: `struct lkd_request`, written just before the tail call.
///
/// ```text
/// 0            4             8              12           16
/// | flags u32  | clause u32  | probe_id u32 | site u32   | args u64[10] |
/// ```
///
/// The same shape as the dump room's `Request`; a test of the command line compares the two.
pub const LKD_REQUEST: &str = "lkd_request";
pub const REQUEST_SIZE: u32 = 96;
pub const REQUEST_FLAGS: u32 = 0;
pub const REQUEST_CLAUSE: u32 = 4;
pub const REQUEST_PROBE: u32 = 8;
pub const REQUEST_SITE: u32 = 12;
pub const REQUEST_ARGS: u32 = 16;
pub const REQUEST_NARGS: u32 = 10;
/// Program array; slot 0 is the capture trigger for the calling program's type.
pub const LKD_PROGS: &str = "lkd_progs";

/// Values of the request's `site`.
pub mod site {
    /// A raw tracepoint whose first argument is a `struct pt_regs *` (sys_enter, sys_exit).
    pub const RAW_TP_REGS: u32 = 0;
    pub const RAW_TP: u32 = 1;
    pub const KPROBE: u32 = 2;
    pub const PERF_EVENT: u32 = 3;
    pub const USER: u32 = 4;
}
