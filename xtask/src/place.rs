//! Where things lie: the workspace, cargo's target directory, the cache of kernels and readers, one directory per run.

use anyhow::{Context, Result};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    }
}

/// What was fetched and unpacked, kept between runs: `$LKD_CACHE`, else `target/lkd-cache`.
pub fn cache() -> Result<PathBuf> {
    let dir = match std::env::var_os("LKD_CACHE") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target/lkd-cache"),
    };
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// A directory of one run's images, packages and logs below `target`: they are too big for a /tmp that lies in memory. It
/// goes with the value, or with the next run if this process is killed.
pub struct RunDir(PathBuf);

impl RunDir {
    /// A new directory named after this process.
    pub fn new() -> Result<RunDir> {
        let base = target().join("lkd-runs");
        fs::create_dir_all(&base).with_context(|| format!("cannot make {}", base.display()))?;
        Ok(RunDir(fresh(&base, "")?))
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A directory of one run's sockets. Their paths hold 107 bytes, so it lies under the system's temporary directory, not
/// under a checkout of any depth. It goes with the value, or with this user's next run.
pub struct SocketDir(PathBuf);

impl SocketDir {
    /// A new directory named after this user and process.
    pub fn new() -> Result<SocketDir> {
        Ok(SocketDir(fresh(&std::env::temp_dir(), &format!("lkd-{}-", own_uid()?))?))
    }

    /// The path of a socket in it.
    pub fn socket(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for SocketDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

static RUNS: AtomicU32 = AtomicU32::new(0);

/// Makes `base/PREFIXpid-N` for this user alone. mkdir takes no name that exists, not even a link's, so what others have
/// put in `base` is never ours; a name that is taken makes us try the next.
fn fresh(base: &Path, prefix: &str) -> Result<PathBuf> {
    sweep(base, prefix)?;
    loop {
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let dir = base.join(format!("{prefix}{}-{run}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(why) if why.kind() == ErrorKind::AlreadyExists && run < 10_000 => {}
            Err(why) => return Err(why).with_context(|| format!("cannot make {}", dir.display())),
        }
    }
}

/// Removes what a killed process of this user left: directories with our kind of name, no links, nobody else's.
fn sweep(base: &Path, prefix: &str) -> Result<()> {
    let uid = own_uid()?;
    for old in fs::read_dir(base).with_context(|| format!("cannot read {}", base.display()))?.flatten() {
        let name = old.file_name().to_string_lossy().into_owned();
        let Some(pid) = maker(&name, prefix) else { continue };
        // A directory entry's metadata is the entry's own: a link is a link here.
        let ours = old.metadata().is_ok_and(|entry| entry.is_dir() && entry.uid() == uid);
        if ours && !Path::new("/proc").join(pid).exists() {
            let _ = fs::remove_dir_all(old.path());
        }
    }
    Ok(())
}

/// The process that made a directory of this name, if [`fresh`] did.
fn maker<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let number = |word: &str| !word.is_empty() && word.bytes().all(|digit| digit.is_ascii_digit());
    let (pid, run) = name.strip_prefix(prefix)?.split_once('-')?;
    (number(pid) && number(run)).then_some(pid)
}

/// Whose process this is.
pub fn own_uid() -> Result<u32> {
    Ok(fs::metadata("/proc/self").context("cannot read /proc/self")?.uid())
}

/// Does `work` unless `dir` is there already; a directory is there whole or not at all.
pub fn once(dir: &Path, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if dir.exists() {
        return Ok(());
    }
    let half = dir.with_extension(format!("half-{}", std::process::id()));
    let _ = fs::remove_dir_all(&half);
    fs::create_dir_all(&half).with_context(|| format!("cannot make {}", half.display()))?;
    let outcome = work(&half);
    if outcome.is_ok() && !dir.exists() {
        // Another process may have been quicker; its directory is as good as ours.
        if let Err(why) = fs::rename(&half, dir)
            && !dir.exists()
        {
            return Err(why).with_context(|| format!("cannot make {}", dir.display()));
        }
    }
    let _ = fs::remove_dir_all(&half);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn only_what_a_dead_process_left_is_removed() {
        let run = RunDir::new().unwrap();
        let base = run.file("base");
        // Linux gives no such number to a process.
        for name in ["lkd-7-4194305-0", "lkd-7-4194305-x", "lkd-74194305-0", "home", "target/kept"] {
            fs::create_dir_all(base.join(name)).unwrap();
        }
        symlink(base.join("target"), base.join("lkd-7-4194305-1")).unwrap();
        fs::create_dir(base.join(format!("lkd-7-{}-0", std::process::id()))).unwrap();
        sweep(&base, "lkd-7-").unwrap();
        assert!(!base.join("lkd-7-4194305-0").exists());
        assert_eq!(fs::read_dir(&base).unwrap().count(), 6);
        assert!(base.join("target/kept").exists());
    }

    #[test]
    fn a_directory_is_ours_alone_and_no_name_is_taken_over() {
        let run = RunDir::new().unwrap();
        let next = RUNS.load(Ordering::Relaxed);
        for ahead in next..next + 20 {
            symlink("/", run.file(&format!("p-{}-{ahead}", std::process::id()))).unwrap();
        }
        let made = fresh(&run.file(""), "p-").unwrap();
        let entry = fs::symlink_metadata(&made).unwrap();
        assert!(entry.is_dir());
        assert_eq!(entry.permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn once_is_whole_or_absent() {
        let run = RunDir::new().unwrap();
        let dir = run.file("thing");
        assert!(once(&dir, |_| anyhow::bail!("no")).is_err());
        assert!(!dir.exists());
        once(&dir, |half| Ok(fs::write(half.join("f"), "1")?)).unwrap();
        once(&dir, |_| anyhow::bail!("must not run again")).unwrap();
        assert_eq!(fs::read_to_string(dir.join("f")).unwrap(), "1");
        assert_eq!(fs::read_dir(dir.parent().unwrap()).unwrap().count(), 1);
    }
}
