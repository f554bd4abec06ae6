//! `-c CMD` and `-p PID`: the process whose end is the end of tracing.
//!
//! A command is started at once, so that `$target` is known when the script is compiled, but it waits before its first
//! instruction until the probes are there: the child blocks reading a pipe between fork and exec. No ptrace is involved.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::process::{Pid, PidfdFlags, Signal, WaitIdOptions, pidfd_open, pidfd_send_signal};
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

/// A process that is followed.
#[derive(Debug)]
pub struct Target {
    pid: u32,
    pidfd: OwnedFd,
    /// `Some` for a command that still waits: what it reads, and what brings exec's failure back.
    gate: Option<Gate>,
    command: bool,
}

#[derive(Debug)]
struct Gate {
    open: OwnedFd,
    verdict: OwnedFd,
    command: String,
}

/// How a followed process ended. `-p`'s end is only seen, its status is its parent's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetEnd {
    Gone,
    Status(i32),
    Signal(i32),
}

impl TargetEnd {
    /// DTrace's notice: `pid 4711 has exited`.
    pub fn line(self, pid: u32) -> String {
        match self {
            TargetEnd::Gone | TargetEnd::Status(0) => format!("pid {pid} has exited"),
            TargetEnd::Status(status) => format!("pid {pid} exited with status {status}"),
            TargetEnd::Signal(signal) => format!("pid {pid} terminated by signal {signal}"),
        }
    }
}

/// Why a process cannot be followed.
#[derive(Debug)]
pub enum TargetError {
    Grab { pid: u32, why: io::Error },
    Start { command: String, why: io::Error },
    NotACommand(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Grab { pid, why } if why.raw_os_error() == Some(libc::ESRCH) => {
                write!(f, "failed to grab pid {pid}: there is no such process")
            }
            TargetError::Grab { pid, why } => write!(f, "failed to grab pid {pid}: {why}"),
            TargetError::Start { command, why } => write!(f, "failed to execute {}: {why}", command.escape_debug()),
            TargetError::NotACommand(text) => {
                write!(f, "failed to execute '{}': it names no command", text.escape_debug())
            }
        }
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// Forks; the child waits for [`Target::go`]. `command` is cut at white space, as DTrace does.
    pub fn start(command: &str) -> Result<Target, TargetError> {
        let words: Vec<CString> = command.split_whitespace().filter_map(|w| CString::new(w).ok()).collect();
        if words.is_empty() || command.contains('\0') {
            return Err(TargetError::NotACommand(command.into()));
        }
        let failed = |why: io::Error| TargetError::Start { command: command.into(), why };
        let mut argv: Vec<*const libc::c_char> = words.iter().map(|w| w.as_ptr()).collect();
        argv.push(std::ptr::null());
        let (wait, open) = pipe().map_err(failed)?;
        let (verdict, report) = pipe().map_err(failed)?;
        // SAFETY: between fork and exec the child calls async-signal-safe functions only and allocates nothing; `argv` was
        // made before the fork.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => return Err(failed(io::Error::last_os_error())),
            0 => unsafe { child(&argv, wait.as_raw_fd(), open.as_raw_fd(), report.as_raw_fd()) },
            _ => {}
        }
        let pid = pid as u32;
        let pidfd = open_pidfd(pid).map_err(|e| {
            // the pipe's closing lets the child end by itself
            failed(e)
        })?;
        let gate = Gate { open, verdict, command: command.into() };
        Ok(Target { pid, pidfd, gate: Some(gate), command: true })
    }

    /// Follows a process that runs already.
    pub fn grab(pid: u32) -> Result<Target, TargetError> {
        let pidfd = open_pidfd(pid).map_err(|why| TargetError::Grab { pid, why })?;
        Ok(Target { pid, pidfd, gate: None, command: false })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets a command run. Its exec may fail only now: that is the error.
    pub fn go(&mut self) -> Result<(), TargetError> {
        let Some(gate) = self.gate.take() else { return Ok(()) };
        let failed = |why| TargetError::Start { command: gate.command.clone(), why };
        rustix::io::write(&gate.open, b"g").map_err(|e| failed(e.into()))?;
        // closed by a successful exec, or holds exec's errno
        let mut errno = [0u8; 4];
        match rustix::io::retry_on_intr(|| rustix::io::read(&gate.verdict, &mut errno)) {
            Ok(4) => Err(failed(io::Error::from_raw_os_error(i32::from_ne_bytes(errno)))),
            _ => Ok(()),
        }
    }

    /// Has it ended? Does not wait.
    pub fn ended(&self) -> Option<TargetEnd> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        let ready = poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap_or(0);
        if ready == 0 {
            return None;
        }
        if !self.command {
            return Some(TargetEnd::Gone);
        }
        let id = rustix::process::WaitId::PidFd(self.pidfd.as_fd());
        match rustix::process::waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => TargetEnd::Status(code),
                (_, Some(signal)) => TargetEnd::Signal(signal),
                _ => TargetEnd::Gone,
            }),
            _ => Some(TargetEnd::Gone),
        }
    }

    /// To sleep on: readable when the process has ended.
    pub fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // a command that was never let go has done nothing and is not to be left behind
        if self.gate.take().is_some() {
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
            let id = rustix::process::WaitId::PidFd(self.pidfd.as_fd());
            let _ = rustix::process::waitid(id, WaitIdOptions::EXITED);
        }
    }
}

fn open_pidfd(pid: u32) -> io::Result<OwnedFd> {
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(raw, PidfdFlags::empty())?)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [-1; 2];
    // SAFETY: the array has room for the two descriptors, which are owned from here on.
    unsafe {
        if libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// The child's life before exec.
///
/// # Safety
/// Only to be called in the child of a fork; `argv` ends with null.
unsafe fn child(argv: &[*const libc::c_char], wait: i32, open: i32, report: i32) -> ! {
    unsafe {
        // without our own copy of the writing end, dtrace's death ends the read below
        libc::close(open);
        // signals that this process ignores or catches are the command's own again
        for signal in [libc::SIGPIPE, libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut byte = 0u8;
        loop {
            match libc::read(wait, (&raw mut byte).cast(), 1) {
                1 => break,
                -1 if *libc::__errno_location() == libc::EINTR => {}
                _ => libc::_exit(127),
            }
        }
        libc::execvp(argv[0], argv.as_ptr());
        let errno = *libc::__errno_location();
        libc::write(report, (&raw const errno).cast(), 4);
        libc::_exit(127)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_for(target: &Target) -> TargetEnd {
        loop {
            if let Some(end) = target.ended() {
                return end;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    #[test]
    fn a_command_waits_for_go_and_tells_its_status() {
        let mut target = Target::start("sh -c true").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!(target.ended(), None);
        target.go().unwrap();
        assert_eq!(wait_for(&target), TargetEnd::Status(0));
        let mut target = Target::start("false").unwrap();
        target.go().unwrap();
        assert_eq!(wait_for(&target), TargetEnd::Status(1));
        assert_eq!(TargetEnd::Status(1).line(7), "pid 7 exited with status 1");
    }

    #[test]
    fn a_command_that_is_none_is_an_error() {
        let mut target = Target::start("no-such-command-anywhere").unwrap();
        assert!(target.go().unwrap_err().to_string().contains("no-such-command"));
        assert!(Target::start("  ").is_err());
        assert!(Target::start("a\0b").is_err());
    }

    #[test]
    fn a_command_never_let_go_is_gone_afterwards() {
        let target = Target::start("sleep 1000").unwrap();
        let pid = target.pid();
        drop(target);
        assert!(Target::grab(pid).is_err());
    }

    #[test]
    fn a_process_that_is_not_there_cannot_be_grabbed() {
        let e = Target::grab(0x3fff_fff0).unwrap_err().to_string();
        assert!(e.contains("no such process"), "{e}");
    }
}
