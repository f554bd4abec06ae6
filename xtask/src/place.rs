//! Where things lie: the workspace, cargo's target directory, the cache of kernels and readers, one directory per run.

use anyhow::{Context, Result};
use std::fs;
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

/// A directory of one run's sockets, images and logs. It goes with the value, or with the next run if this process
/// is killed.
pub struct RunDir(PathBuf);

static RUNS: AtomicU32 = AtomicU32::new(0);

impl RunDir {
    /// A new directory named after this process. Unix socket paths hold 107 bytes, so it lies under the system's
    /// temporary directory, not under a checkout of any depth.
    pub fn new() -> Result<RunDir> {
        let base = std::env::temp_dir().join("lkd-runs");
        fs::create_dir_all(&base).with_context(|| format!("cannot make {}", base.display()))?;
        for old in fs::read_dir(&base)?.flatten() {
            let name = old.file_name().to_string_lossy().into_owned();
            let pid = name.split('-').next().unwrap_or_default();
            if !pid.is_empty() && !Path::new("/proc").join(pid).exists() {
                let _ = fs::remove_dir_all(old.path());
            }
        }
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let dir = base.join(format!("{}-{run}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(RunDir(dir))
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
