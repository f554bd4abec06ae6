//! tick-N: a timer of ours that runs a program by hand. Unlike a perf event's clock it fires on an idle machine too.

use crate::sys::SysError;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Periods that passed while we could not look are made up for, but not without end: a stopped reader that goes on after an hour
/// must not fire an hour's worth at once.
const MOST_AT_ONCE: u64 = 1000;

pub struct Clock {
    /// Index of the program to run.
    pub prog: usize,
    period_ns: u64,
    timer: OwnedFd,
}

fn refused(call: &'static str, period_ns: u64, e: rustix::io::Errno) -> SysError {
    SysError { call, object: format!("a clock of {period_ns} ns"), source: e.into() }
}

impl Clock {
    pub fn new(prog: usize, period_ns: u64) -> Result<Clock, SysError> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)
            .map_err(|e| refused("timerfd_create", period_ns, e))?;
        Ok(Clock { prog, period_ns, timer })
    }

    /// The first firing is one period from now.
    pub fn start(&mut self) -> Result<(), SysError> {
        let period = Timespec {
            tv_sec: (self.period_ns / 1_000_000_000) as i64,
            tv_nsec: (self.period_ns % 1_000_000_000) as i64,
        };
        let both = Itimerspec { it_interval: period, it_value: period };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &both)
            .map(|_| ())
            .map_err(|e| refused("timerfd_settime", self.period_ns, e))
    }

    /// How many periods have passed since the last look.
    pub fn due(&mut self) -> u64 {
        let mut count = [0u8; 8];
        match rustix::io::read(&self.timer, &mut count) {
            Ok(8) => u64::from_ne_bytes(count).min(MOST_AT_ONCE),
            // not yet (EAGAIN)
            _ => 0,
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}
