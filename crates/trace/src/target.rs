//! The process of `-c` and `-p`: made or found before the script is compiled (for `$target`), let go once the probes are attached.
//!
//! A command waits after fork and before exec, reading from a pipe: no ptrace, so debuggers and setuid work as ever. One byte
//! lets it go; the pipe's end (we are dead) makes it leave without having run.

use crate::event::TargetEnd;
use crate::sys::{process, reason};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open};
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

/// See the file's head. Dropped: a command that is still there is killed, a process that was found is left alone.
pub struct Target {
    pid: Pid,
    /// Readable when the process is gone.
    pidfd: OwnedFd,
    command: Option<Command>,
    ended: Option<TargetEnd>,
}

struct Command {
    text: String,
    held: Option<process::Held>,
}

#[derive(Debug)]
pub enum TargetError {
    /// -c "" or an open quote.
    Empty(String),
    NotFound {
        command: String,
        why: io::Error,
    },
    Start {
        command: String,
        why: io::Error,
    },
    NoProcess {
        pid: u32,
        why: io::Error,
    },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TargetError::Empty(text) => {
                write!(f, "failed to execute '{text}': it names no command (or a quote is not closed)")
            }
            TargetError::NotFound { command, why } | TargetError::Start { command, why } => {
                write!(f, "failed to execute {command}: {}", reason(why))
            }
            TargetError::NoProcess { pid, why } => write!(f, "failed to grab process {pid}: {}", reason(why)),
        }
    }
}

impl std::error::Error for TargetError {}

impl Target {
    /// Forks; the child waits before exec. `command` is split at blanks, quotes and backslashes as a shell would.
    pub fn start(command: &str) -> Result<Target, TargetError> {
        let words =
            split(command).filter(|w| !w.is_empty()).ok_or_else(|| TargetError::Empty(command.to_owned()))?;
        let name = words.first().cloned().unwrap_or_default();
        let start = |why| TargetError::Start { command: name.clone(), why };
        let path = find(&name).map_err(|why| TargetError::NotFound { command: name.clone(), why })?;
        let c = |text: Vec<u8>| CString::new(text).map_err(|e| start(e.into()));
        let path = c(path.into_os_string().into_encoded_bytes())?;
        let words: Vec<CString> = words.into_iter().map(|w| c(w.into_bytes())).collect::<Result<_, _>>()?;
        let (pid, held) = process::fork_held(&path, &words).map_err(start)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(|e| start(e.into()))?;
        Ok(Target { pid, pidfd, command: Some(Command { text: name, held: Some(held) }), ended: None })
    }

    /// A process that is already there.
    pub fn grab(pid: u32) -> Result<Target, TargetError> {
        let no = |why| TargetError::NoProcess { pid, why };
        let id = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| no(io::Error::from_raw_os_error(libc::ESRCH)))?;
        let pidfd = pidfd_open(id, PidfdFlags::empty()).map_err(|e| no(e.into()))?;
        Ok(Target { pid: id, pidfd, command: None, ended: None })
    }

    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Lets a command run; does nothing for a process that was found.
    pub fn let_go(&mut self) -> Result<(), TargetError> {
        let Some(command) = &mut self.command else { return Ok(()) };
        let Some(held) = command.held.take() else { return Ok(()) };
        held.release().map_err(|why| TargetError::Start { command: command.text.clone(), why })
    }

    /// Becomes readable when the process is gone.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// How it ended, told once, as soon as it has.
    pub fn take_end(&mut self) -> Option<TargetEnd> {
        if self.ended.is_some() || !gone(&self.pidfd) {
            return None;
        }
        let end = if self.command.is_some() { self.reap() } else { TargetEnd::Unknown };
        self.ended = Some(end);
        Some(end)
    }

    fn reap(&self) -> TargetEnd {
        match rustix::process::waitpid(Some(self.pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => TargetEnd::Exited(code),
                (_, Some(signal)) => TargetEnd::Killed(signal),
                _ => TargetEnd::Unknown,
            },
            _ => TargetEnd::Unknown,
        }
    }

    /// It runs no more, whether or not its end has been taken.
    pub fn is_gone(&self) -> bool {
        self.ended.is_some() || gone(&self.pidfd)
    }

    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }
}

fn gone(pidfd: &OwnedFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.command.is_some() && self.ended.is_none() {
            // it may just have gone by itself: both calls then have nothing to do
            let _ = rustix::process::kill_process(self.pid, Signal::KILL);
            let _ = self.reap();
        }
    }
}

/// Where a command is: as a shell looks, before it is needed, so that a wrong name is told at once.
fn find(name: &str) -> io::Result<PathBuf> {
    use rustix::fs::{Access, access};
    if name.contains('/') {
        access(name, Access::EXEC_OK)?;
        return Ok(PathBuf::from(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    let mut places = std::env::split_paths(&path).map(|dir| dir.join(name));
    places
        .find(|p| p.is_file() && access(p, Access::EXEC_OK).is_ok())
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// Words of a command line; `None` when a quote is not closed.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(chars.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines() {
        let table: &[(&str, Option<&[&str]>)] = &[
            ("ls -l", Some(&["ls", "-l"])),
            ("  sh -c 'echo a  b' ", Some(&["sh", "-c", "echo a  b"])),
            (r#"a "b \" c" \ d '' "#, Some(&["a", "b \" c", " d", ""])),
            ("a 'b", None),
            ("", Some(&[])),
        ];
        for (text, want) in table {
            assert_eq!(
                split(text).as_deref(),
                want.map(|w| w.iter().map(|s| s.to_string()).collect::<Vec<_>>()).as_deref(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_command_waits_runs_and_its_status_is_told() {
        let mut t = Target::start("sh -c 'exit 7'").unwrap();
        assert!(t.pid() > 1);
        assert_eq!(t.take_end(), None, "it must not run before it is let go");
        t.let_go().unwrap();
        let end = std::iter::repeat_with(|| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            t.take_end()
        });
        assert_eq!(end.take(2000).flatten().next(), Some(TargetEnd::Exited(7)));
        assert!(t.has_ended());
    }

    #[test]
    fn what_cannot_be_traced_is_told() {
        let text = Target::start("/no/such/command").err().unwrap().to_string();
        assert_eq!(text, "failed to execute /no/such/command: No such file or directory");
        assert!(Target::start("no-such-command-here").err().unwrap().to_string().contains("No such file"));
        assert!(Target::start("'").is_err());
        assert!(Target::grab(0).is_err());
        assert!(Target::grab(i32::MAX as u32).err().unwrap().to_string().contains("failed to grab process"));
    }
}
