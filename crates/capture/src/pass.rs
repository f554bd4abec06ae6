//! One pass of classification from outside: in slices, so that the CPU that runs it is not kept from others for long.

use crate::ctl::{Ctl, get, set};
use crate::error::Error;

/// How long one run may keep its CPU, in nanoseconds.
const SLICE_NS: u64 = 20_000_000;

/// CLOCK_MONOTONIC, in nanoseconds: the clock of bpf_ktime_get_ns.
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Lets `run` (one slice of lkd_classify) work until every unit is classified.
///
/// # Errors
/// What `run` says, or [`Error::Machine`] when a slice made no progress.
pub fn classify_rest(ctl: &Ctl, mut run: impl FnMut() -> Result<u32, Error>) -> Result<(), Error> {
    while get(&ctl.next_unit) < get(&ctl.units) {
        let before = get(&ctl.next_unit);
        set(&ctl.deadline_ns, now_ns() + SLICE_NS);
        run()?;
        if get(&ctl.next_unit) == before {
            return Err(Error::Machine(format!("classification stands still at unit {before}")));
        }
    }
    Ok(())
}

/// Lets `run` (one slice of lkd_copy) work until the list or the buffer is at its end.
pub fn copy_rest(ctl: &Ctl, mut run: impl FnMut() -> Result<u32, Error>) -> Result<(), Error> {
    const DEADLINE: u32 = lkd_dump::shot::status::DEADLINE;
    loop {
        let before = get(&ctl.next_slot);
        set(&ctl.deadline_ns, now_ns() + SLICE_NS);
        if run()? & DEADLINE == 0 || get(&ctl.next_slot) == before {
            return Ok(());
        }
    }
}
