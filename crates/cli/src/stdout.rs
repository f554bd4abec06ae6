//! Standard output as a tracer needs it: a reader that stands still must not make the writer stand still in the kernel, and an
//! output that was closed before we started is an error, not a hole.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long one write waits for a reader before it says so.
const PATIENCE: Duration = Duration::from_millis(50);
/// A pipe that is ready takes as much as this at once (`PIPE_BUF`).
const PIECE: usize = 4096;

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Rust's runtime opens `/dev/null` in place of a closed standard stream before `main`; afterwards nobody can tell. This looks
/// before.
extern "C" fn look() {
    // SAFETY: asks for a descriptor's flags; no memory is involved, and a number that is no descriptor is EBADF.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } < 0 {
        CLOSED.store(true, Ordering::Relaxed);
    }
}

// SAFETY: the C runtime calls what `.init_array` points to once, before main; `look` needs nothing that is set up later.
#[used]
#[unsafe(link_section = ".init_array")]
static LOOK: extern "C" fn() = look;

/// Was this process started without a standard output?
pub fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// A descriptor whose `write` gives up with [`io::ErrorKind::WouldBlock`] when nobody reads.
pub struct Patient {
    fd: OwnedFd,
    /// A regular file takes everything at once.
    file: bool,
}

impl Patient {
    pub fn new(fd: OwnedFd) -> Patient {
        let file = fstat(&fd).is_ok_and(|s| FileType::from_raw_mode(s.st_mode) == FileType::RegularFile);
        Patient { fd, file }
    }

    /// The process's own; a copy, so that dropping it closes nothing.
    ///
    /// # Errors
    /// It was closed, or there are no descriptors left.
    pub fn stdout() -> io::Result<Patient> {
        if was_closed() {
            return Err(io::Error::other("it is closed"));
        }
        Ok(Patient::new(io::stdout().as_fd().try_clone_to_owned()?))
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file {
            return Ok(rustix::io::write(&self.fd, bytes)?);
        }
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        let most = Timespec { tv_sec: 0, tv_nsec: PATIENCE.as_nanos() as i64 };
        // a signal ends the wait too: the caller then looks what it meant
        match poll(&mut fds, Some(&most)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(rustix::io::write(&self.fd, bytes.get(..PIECE).unwrap_or(bytes))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_pipe_that_nobody_reads_does_not_hold_the_writer() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        let mut out = Patient::new(writer.into());
        let mut written = 0;
        let blocked = loop {
            match out.write(&[b'x'; 10_000]) {
                Ok(n) => written += n,
                Err(e) => break e,
            }
        };
        assert_eq!(blocked.kind(), io::ErrorKind::WouldBlock);
        assert!(written >= PIECE, "{written}");
        let mut some = vec![0; written];
        reader.read_exact(&mut some).expect("what was written");
        assert_eq!(out.write(b"y").expect("there is room again"), 1);
        drop(reader);
        assert_eq!(out.write(b"z").expect_err("nobody will read").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_test_has_its_output() {
        assert!(!was_closed());
    }
}
