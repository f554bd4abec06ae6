//! The dump's file: written past the page cache, or behind it where the file system will not.
//!
//! The page cache is evidence: a dump of gigabytes that goes through it pushes out what the machine had cached at the
//! probe, and the dirty pages that it leaves stall others. So the file is written with O_DIRECT, from aligned memory, in
//! the pieces of a megabyte that `lkd-dump` makes. Where that is refused (some overlays and FUSE servers, tmpfs before
//! Linux 6.6: EINVAL, at open or only at the first write) the same calls go through the cache, each piece is sent to the
//! disk at once, and dropped from the cache as soon as it is there.
//!
//! One write is under way at a time, in a thread of its own: two at once were no faster (268 and 296 MB/s side by side,
//! 570 to 770 MB/s alone, on a virtio disk; pieces of 4 MB no faster than of 1 MB), so there is nothing for io_uring to
//! gain here, and many hosts forbid it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use lkd_dump::Aligned;
use rustix::fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::sys;

/// What direct writing wants offsets, lengths and addresses to be multiples of, on any disk of today.
const ALIGN: usize = 4096;
/// What is copied at once where the caller's memory is not aligned.
const BOUNCE: usize = 1 << 20;
/// Bytes on their way through the cache at most.
const UNDER_WAY: u64 = 16 << 20;

/// A new file that only grows and is written in whole blocks.
#[derive(Debug)]
pub struct DumpFile {
    file: File,
    at: u64,
    direct: bool,
    bounce: Option<Aligned>,
    /// What was written through the cache and may still be in it: offset and length.
    cached: VecDeque<(u64, u64)>,
}

impl DumpFile {
    /// Makes the file, readable by its owner alone; it must not exist.
    pub fn create(path: &Path) -> io::Result<DumpFile> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        let direct = OFlags::DIRECT.bits() as i32;
        let (file, direct) = match options.clone().create_new(true).custom_flags(direct).open(path) {
            Ok(file) => (file, true),
            // The file may have been made before the flag was refused.
            Err(error) if is_refusal(&error) => {
                let _ = std::fs::remove_file(path);
                (options.create_new(true).open(path)?, false)
            }
            Err(error) => return Err(error),
        };
        Ok(DumpFile { file, at: 0, direct, bounce: None, cached: VecDeque::new() })
    }

    /// Bytes in the file.
    pub fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Has all of it on disk, and nothing of it in the cache.
    pub fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if !self.direct {
            let _ = fadvise(&self.file, 0, None, Advice::DontNeed);
        }
        Ok(())
    }

    /// Writes once at `self.at`; gives how much.
    fn write_once(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.direct {
            return self.file.write_at(bytes, self.at);
        }
        if bytes.as_ptr().addr().is_multiple_of(ALIGN) {
            return self.file.write_at(bytes, self.at);
        }
        let bounce = self.bounce.get_or_insert_with(|| Aligned::new(BOUNCE));
        let len = bytes.len().min(BOUNCE);
        let (Some(room), Some(bytes)) = (bounce.get_mut().get_mut(..len), bytes.get(..len)) else {
            return Ok(0);
        };
        room.copy_from_slice(bytes);
        self.file.write_at(room, self.at)
    }

    /// From now on through the cache.
    fn give_up_direct(&mut self) -> io::Result<()> {
        let flags = fcntl_getfl(&self.file)?;
        fcntl_setfl(&self.file, flags - OFlags::DIRECT)?;
        self.direct = false;
        Ok(())
    }

    /// Sends to the disk what was just written through the cache, and drops from it what has arrived.
    fn pass_on(&mut self, at: u64, len: u64) -> io::Result<()> {
        sys::write_back(self.file.as_fd(), at, len, false)?;
        self.cached.push_back((at, len));
        while self.cached.iter().map(|(_, len)| len).sum::<u64>() > UNDER_WAY {
            let Some((at, len)) = self.cached.pop_front() else { break };
            sys::write_back(self.file.as_fd(), at, len, true)?;
            let _ = fadvise(&self.file, at, std::num::NonZero::new(len), Advice::DontNeed);
        }
        Ok(())
    }
}

/// Whether a file system says by this that it does not write directly.
fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP))
}

impl Write for DumpFile {
    /// Whole blocks only.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wrote = match self.write_once(bytes) {
            Err(error) if self.direct && is_refusal(&error) => {
                self.give_up_direct()?;
                self.write_once(bytes)?
            }
            other => other?,
        };
        let at = self.at;
        self.at += wrote as u64;
        if !wrote.is_multiple_of(ALIGN) && self.direct {
            // A disk that is nearly full takes a part; the next try tells why, and needs an aligned place to start from.
            self.give_up_direct()?;
        }
        if !self.direct {
            self.pass_on(at, wrote as u64)?;
        }
        Ok(wrote)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for DumpFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
            SeekFrom::End(by) => self.size()?.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages of this file that are in the cache.
    fn resident(path: &Path) -> u64 {
        let out =
            std::process::Command::new("fincore").args(["-n", "-b", "-r", "-o", "PAGES"]).arg(path).output();
        let text = out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    #[test]
    fn what_is_written_is_read_directly_or_not() {
        // Below the workspace: /tmp may lie in memory, which has nothing but the cache.
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tmp");
        let dir = if std::fs::create_dir_all(&dir).is_ok() { dir } else { std::env::temp_dir() };
        for direct in [true, false] {
            let path = dir.join(format!("lkd-direct-{}-{direct}", std::process::id()));
            let _ = std::fs::remove_file(&path);
            let mut file = DumpFile::create(&path).unwrap();
            assert_eq!(file.write(&[]).unwrap(), 0);
            if !direct && file.direct {
                file.give_up_direct().unwrap();
            }
            let bytes: Vec<u8> = (0..6 << 20u32).map(|at: u32| (at / 7) as u8).collect();
            // Aligned or not, in any order, with a hole.
            for (from, len) in [(1 << 20, 3 << 20), (0, 8192), (4 << 20, 4096), (5 << 20, 1 << 20)] {
                file.seek(SeekFrom::Start(from as u64)).unwrap();
                file.write_all(&bytes[from..from + len]).unwrap();
            }
            assert!(!file.direct || direct);
            file.sync().unwrap();
            assert_eq!(file.size().unwrap(), 6 << 20);
            let written = resident(&path);
            let read = std::fs::read(&path).unwrap();
            for (from, len) in [(1 << 20, 3 << 20), (0, 8192), (4 << 20, 4096), (5 << 20, 1 << 20)] {
                assert!(read[from..from + len] == bytes[from..from + len], "{direct} {from:#x}");
            }
            assert!(read[8192..1 << 20].iter().all(|byte| *byte == 0));
            std::fs::remove_file(&path).unwrap();
            assert!(written < 64, "{written} pages stay in the cache, direct: {direct}");
        }
    }
}
