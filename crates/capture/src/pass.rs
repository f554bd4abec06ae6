//! One pass of classification from outside: in slices, so that the CPU that runs it is not kept from others for long.

use crate::ctl::{Ctl, get, set};
use crate::error::Error;

/// How long one run may keep its CPU, in nanoseconds.
const SLICE_NS: u64 = 20_000_000;
/// A slice in which nothing was done (this CPU was taken away meanwhile) is tried again with twice the time, so many times.
pub const TRIES: u32 = 8;

/// CLOCK_MONOTONIC, in nanoseconds: the clock of bpf_ktime_get_ns.
pub fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// When a slice ends that was tried so often before.
pub fn slice_end(idle: u32) -> u64 {
    now_ns() + (SLICE_NS << idle.min(TRIES))
}

/// Lets `run` (one slice of lkd_classify) work until every unit is classified.
///
/// # Errors
/// What `run` says, or [`Error::Machine`] when it makes no progress.
pub fn classify_rest(ctl: &Ctl, mut run: impl FnMut() -> Result<u32, Error>) -> Result<(), Error> {
    let mut idle = 0;
    while get(&ctl.next_unit) < get(&ctl.units) {
        let before = get(&ctl.next_unit);
        if idle > TRIES {
            return Err(Error::Machine(format!("classification stands still at unit {before}")));
        }
        set(&ctl.deadline_ns, slice_end(idle));
        run()?;
        idle = if get(&ctl.next_unit) == before { idle + 1 } else { 0 };
    }
    Ok(())
}

/// Lets `run` (one slice of lkd_copy) work until the list or the buffer is at its end; what it leaves is read one by one.
pub fn copy_rest(ctl: &Ctl, mut run: impl FnMut() -> Result<u32, Error>) -> Result<(), Error> {
    const DEADLINE: u32 = lkd_dump::shot::status::DEADLINE;
    let mut idle = 0;
    while idle <= TRIES {
        let before = get(&ctl.next_slot);
        set(&ctl.deadline_ns, slice_end(idle));
        if run()? & DEADLINE == 0 {
            break;
        }
        idle = if get(&ctl.next_slot) == before { idle + 1 } else { 0 };
    }
    Ok(())
}

/// Lets `run` (the walk over all tasks) come to its end: it begins anew each time and lists what it has not listed before, so it
/// gets longer each time.
pub fn list_rest(ctl: &Ctl, mut run: impl FnMut() -> Result<u32, Error>) -> Result<(), Error> {
    for tried in 0..=TRIES {
        set(&ctl.deadline_ns, slice_end(tried));
        if run()? & lkd_dump::shot::status::DEADLINE == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::tests::idle_ctl;
    use std::cell::Cell;

    #[test]
    fn a_slice_that_was_taken_away_is_tried_again() {
        let ctl = idle_ctl();
        set(&ctl.units, 3);
        let runs = Cell::new(0);
        let done = classify_rest(&ctl, || {
            runs.set(runs.get() + 1);
            if runs.get() % 2 == 0 {
                set(&ctl.next_unit, get(&ctl.next_unit) + 1);
            }
            Ok(0)
        });
        assert!(done.is_ok());
        assert_eq!((runs.get(), get(&ctl.next_unit)), (6, 3));
    }

    #[test]
    fn a_pass_that_stands_still_ends() {
        let ctl = idle_ctl();
        set(&ctl.units, 1);
        assert!(classify_rest(&ctl, || Ok(0)).is_err_and(|error| error.to_string().contains("unit 0")));
        assert!(copy_rest(&ctl, || Ok(lkd_dump::shot::status::DEADLINE)).is_ok());
    }
}
