//! What is remembered from dump to dump, in a file that only who holds its lock reads and writes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use crate::text::plain;
use crate::throttle::Past;

/// Where it is remembered.
#[derive(Clone, Debug)]
pub struct State {
    dir: PathBuf,
}

/// The lock, which dies with its holder.
#[derive(Debug)]
pub struct Locked {
    dir: PathBuf,
    _lock: File,
}

impl State {
    /// What is remembered in a directory, which is made when it is needed.
    pub fn at(dir: &Path) -> State {
        State { dir: dir.to_owned() }
    }

    /// Waits until nobody else decides.
    ///
    /// # Errors
    /// The directory cannot be made or written.
    pub fn lock(&self) -> io::Result<Locked> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let lock = private().create(true).append(true).open(self.dir.join("state.lock"))?;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::LockExclusive) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        }
        Ok(Locked { dir: self.dir.clone(), _lock: lock })
    }
}

/// A file of ours: nobody else's to read, and never behind a link.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

impl Locked {
    fn path(&self) -> PathBuf {
        self.dir.join("state.json")
    }

    /// What is remembered, and what was wrong with it. A file that cannot be understood is put aside, not lost.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self) -> io::Result<(Past, Option<String>)> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Past::default(), None)),
            bytes => bytes?,
        };
        match serde_json::from_slice(&bytes) {
            Ok(past) => Ok((past, None)),
            Err(error) => {
                let aside = self.dir.join("state.json.bad");
                fs::rename(&path, &aside)?;
                let what = format!(
                    "{} cannot be understood ({}) and is now {}: when the last full dumps were taken is forgotten",
                    path.display(),
                    plain(&error),
                    aside.display()
                );
                Ok((Past::default(), Some(what)))
            }
        }
    }

    /// Remembers: whole on the disk before it has its name.
    ///
    /// # Errors
    /// It cannot be written; what was remembered before still is.
    pub fn write(&self, past: &Past) -> io::Result<()> {
        let new = self.dir.join("state.json.new");
        let made = (|| {
            let mut file = private().write(true).create(true).truncate(true).open(&new)?;
            file.write_all(&serde_json::to_vec_pretty(past)?)?;
            file.sync_all()?;
            fs::rename(&new, self.path())?;
            File::open(&self.dir)?.sync_all()
        })();
        made.inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::Clocks;
    use crate::time::Moment;

    #[test]
    fn many_who_decide_at_once_are_one_after_another() {
        let dir = std::env::temp_dir().join(format!("lkd-state-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let state = State::at(&dir);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let locked = state.lock().expect("a lock");
                        let (mut past, wrong) = locked.read().expect("read");
                        assert_eq!(wrong, None);
                        let uptime = past.last.map_or(0, |last| last.uptime) + 1;
                        let now = Clocks { time: Moment::of_ns(uptime), boot: "b".into(), uptime };
                        past.last = Some(now);
                        locked.write(&past).expect("written");
                    }
                });
            }
        });
        let locked = state.lock().expect("a lock");
        let last = locked.read().expect("read").0.last.expect("remembered");
        assert_eq!(last.uptime, 100);
        fs::write(dir.join("state.json"), "{\"last\": 7").expect("written");
        let (past, wrong) = locked.read().expect("read");
        assert!(past == Past::default() && wrong.is_some_and(|why| why.contains("state.json.bad")));
        assert!(dir.join("state.json.bad").exists() && locked.read().is_ok_and(|(_, wrong)| wrong.is_none()));
        let _ = fs::remove_dir_all(dir);
    }
}
