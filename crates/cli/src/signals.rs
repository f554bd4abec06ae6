//! ^C and its relatives: they only set a flag, which the loop looks at between two polls.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many came. Written by the handler, read by the loop of the same process: no other data hangs on it, so `Relaxed` will do.
static CAME: AtomicU32 = AtomicU32::new(0);

extern "C" fn note(_signal: libc::c_int) {
    CAME.fetch_add(1, Ordering::Relaxed);
}

/// From now on SIGINT, SIGTERM and SIGHUP are counted instead of ending the process. What was ignored when we were started
/// (`nohup`, a shell's background jobs) stays ignored.
pub fn catch() -> io::Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: an all-zero sigaction is a valid value (empty mask, no flags); the handler only touches an atomic, which is
        // async-signal-safe. No SA_RESTART: a sleeping poll is to wake up.
        let done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut before: libc::sigaction = std::mem::zeroed();
            match libc::sigaction(signal, std::ptr::null(), &mut before) {
                0 if before.sa_sigaction == libc::SIG_IGN => continue,
                0 => {
                    action.sa_sigaction = note as *const () as libc::sighandler_t;
                    libc::sigaction(signal, &action, std::ptr::null_mut())
                }
                failed => failed,
            }
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// How many signals asked for an end so far.
pub fn asked_to_stop() -> u32 {
    CAME.load(Ordering::Relaxed)
}
