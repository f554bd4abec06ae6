//! A child that waits before exec.

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Pid;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

/// What holds the child back. Dropped without [`Held::release`], the child leaves without having run the command.
pub struct Held {
    go: OwnedFd,
    /// exec's errno, if it fails; closed by a successful exec.
    failed: OwnedFd,
}

impl Held {
    /// Lets the child exec, and waits until it has. The error is exec's.
    pub fn release(self) -> io::Result<()> {
        rustix::io::write(&self.go, b"g")?;
        drop(self.go);
        let mut errno = [0u8; 4];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.failed, &mut errno))? {
            0 => Ok(()),
            _ => Err(io::Error::from_raw_os_error(i32::from_ne_bytes(errno))),
        }
    }
}

/// Forks a child that will run `path` with `args` (its name included) and our environment.
pub fn fork_held(path: &CStr, args: &[CString]) -> io::Result<(Pid, Held)> {
    let (wait, go) = pipe_with(PipeFlags::CLOEXEC)?;
    let (failed, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut argv: Vec<*const libc::c_char> = args.iter().map(|a| a.as_ptr()).collect();
    argv.push(ptr::null());
    // SAFETY: between fork and exec the child only makes system calls on memory that was prepared before (no allocation, no
    // lock), as a child of a process with threads must.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: as above; the descriptors and argv are valid in the child's copy.
            unsafe {
                libc::close(go.as_raw_fd());
                let mut byte = 0u8;
                // EOF: the tracer is gone, and so is the reason to run
                if libc::read(wait.as_raw_fd(), (&raw mut byte).cast(), 1) != 1 {
                    libc::_exit(127);
                }
                // Rust ignores SIGPIPE, and exec would pass that on
                libc::signal(libc::SIGPIPE, libc::SIG_DFL);
                libc::execv(path.as_ptr(), argv.as_ptr());
                let errno = *libc::__errno_location();
                libc::write(tell.as_raw_fd(), (&raw const errno).cast(), 4);
                libc::_exit(127)
            }
        }
        pid => {
            let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::from_raw_os_error(libc::ECHILD))?;
            Ok((pid, Held { go, failed }))
        }
    }
}
