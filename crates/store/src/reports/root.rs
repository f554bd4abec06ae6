//! The root of all reports: proved fit, and swept clean of what killed writers have left.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{DUMP, Error, RECORD, is_component};
use crate::text::plain;

/// How long a hidden directory without a file may be one that is just being begun.
const YOUNG: Duration = Duration::from_secs(60);

/// A root that dumps can be written into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Bytes free.
    pub free: u64,
    /// Bytes that its file system has.
    pub size: u64,
    /// The names of what killed writers had left, which is gone.
    pub swept: Vec<String>,
}

/// Makes `root` (0700) if it is not there, proves that a dump can be written into it, and sweeps away what killed writers have left.
///
/// # Errors
/// It is a symlink or no directory, belongs to somebody else or is open to others, cannot be made or written, or is full.
pub fn prepare(root: &Path) -> Result<Ready, Error> {
    // "link/" would be followed, "link" is refused
    let root = &root.components().collect::<PathBuf>();
    let shown = root.display();
    let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
    let meta = match fs::symlink_metadata(root) {
        Ok(meta) => meta,
        Err(error) => {
            let error = made.err().unwrap_or(error);
            return Err(Error::refused(
                format!("the dump directory {shown} cannot be made: {}", plain(&error)),
                "make it, or name another",
            ));
        }
    };
    if meta.file_type().is_symlink() {
        return Err(Error::refused(
            format!("the dump directory {shown} is a symbolic link"),
            "dumps hold secrets and follow no links: name the directory itself",
        ));
    }
    if !meta.is_dir() {
        return Err(Error::refused(format!("{shown} is not a directory"), "name another dump directory"));
    }
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me {
        return Err(Error::refused(
            format!("the dump directory {shown} belongs to user {}", meta.uid()),
            format!("dumps hold secrets: make it user {me}'s, or name another"),
        ));
    }
    if meta.mode() & 0o1000 != 0 {
        return Err(Error::refused(
            format!("the dump directory {shown} is one for everybody"),
            "dumps hold secrets: name a directory that is yours alone (mkdir -m 700)",
        ));
    }
    if meta.mode() & 0o022 != 0 {
        return Err(Error::refused(
            format!("others may write into the dump directory {shown}"),
            format!("chmod 700 {shown}"),
        ));
    }
    let probe = root.join(format!(".probe-{}", std::process::id()));
    let tried = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe);
    if let Err(error) = tried {
        return Err(Error::refused(
            format!("the dump directory {shown} cannot be written: {}", plain(&error)),
            "name another, or remount it read-write",
        ));
    }
    fs::remove_file(&probe).map_err(|error| Error::io(format!("removing {}", probe.display()), error))?;
    let mut swept = sweep(root);
    for component in components(root) {
        swept.extend(sweep(&component));
    }
    let space = rustix::fs::statvfs(root)
        .map_err(|error| Error::io(format!("asking how much room {shown} has"), error))?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    Ok(Ready { free: bytes(space.f_bavail), size: bytes(space.f_blocks), swept })
}

/// The directories of components' minidumps. Others' are not looked into.
fn components(root: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let ours = entries
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_component) && is_ours(entry));
    ours.map(|entry| entry.path()).collect()
}

/// Whether an entry is a directory that is our user's alone.
fn is_ours(entry: &fs::DirEntry) -> bool {
    entry.metadata().is_ok_and(|meta| {
        meta.is_dir() && meta.mode() & 0o777 == 0o700 && meta.uid() == rustix::process::geteuid().as_raw()
    })
}

/// Removes what writers that were killed have left half written. Who still writes holds a lock on the directory.
fn sweep(dir: &Path) -> Vec<String> {
    let mut swept = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return swept };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".incomplete"))
        else {
            continue;
        };
        // Ours hold a report, or a part of one.
        let only_a_report = || {
            fs::read_dir(entry.path()).is_ok_and(|files| {
                files.flatten().all(|file| file.file_name() == DUMP || file.file_name() == RECORD)
            })
        };
        if !is_ours(&entry) || !only_a_report() {
            continue;
        }
        let Ok(lock) = File::open(entry.path()) else { continue };
        if rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        // An unlocked directory without a file may be one that is just being begun: it is removed only when it has grown old.
        let files = [DUMP, RECORD].map(|file| entry.path().join(file));
        let old = || {
            let made = entry.metadata().and_then(|meta| meta.modified());
            made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > YOUNG))
        };
        if files.iter().any(|file| fs::symlink_metadata(file).is_ok()) || old() {
            let _ = files.map(fs::remove_file);
            if fs::remove_dir(entry.path()).is_ok() {
                swept.push(name.to_owned());
            }
        }
    }
    swept
}

#[cfg(test)]
mod tests {
    use super::super::Draft;
    use super::*;
    use std::io;

    fn root(name: &str) -> io::Result<PathBuf> {
        let root = std::env::temp_dir().join(format!("lkd-root-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        DirBuilder::new().mode(0o700).create(&root)?;
        Ok(root)
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_away() -> io::Result<()> {
        let root = root("sweep")?;
        let (killed, writing) =
            (Draft::begin(&root, "DTRACE", 0)?, Draft::begin(&root, "DTRACE", 1_000_000_000)?);
        let mini = Draft::begin_mini(&root, "DTRACE", 2_000_000_000)?;
        for draft in [&killed, &writing, &mini] {
            fs::write(draft.dump(), "")?;
        }
        // What a killed process leaves of its lock.
        killed.unlock_as_if_killed()?;
        mini.unlock_as_if_killed()?;
        // What somebody else calls so is theirs: open to others, or with more in it than a report.
        let (open, more) = (root.join(".open.incomplete"), root.join(".more.incomplete"));
        for (dir, mode) in [(&open, 0o755), (&more, 0o700)] {
            DirBuilder::new().mode(mode).create(dir)?;
            fs::write(dir.join("vmcore"), "")?;
        }
        fs::write(more.join("notes"), "")?;
        let ready = prepare(&root).map_err(io::Error::other)?;
        assert_eq!(ready.swept, ["DTRACE-19700101-000000", "DTRACE-19700101-000002"]);
        assert!(!killed.dump().exists() && !mini.dump().exists() && writing.dump().exists());
        assert!(open.join("vmcore").exists() && more.join("vmcore").exists());
        drop((killed, writing, mini));
        fs::remove_dir_all(&root)
    }

    #[test]
    fn unfit_roots_are_refused() -> io::Result<()> {
        let root = root("unfit")?;
        assert!(prepare(&root.join("a/b")).is_ok_and(|ready| ready.free > 0 && ready.size >= ready.free));
        let link = root.join("link");
        std::os::unix::fs::symlink(&root, &link)?;
        for link in [link.clone(), link.join("")] {
            assert!(prepare(&link).is_err_and(|error| error.to_string().contains("symbolic link")));
        }
        fs::write(root.join("file"), "")?;
        assert!(
            prepare(&root.join("file")).is_err_and(|error| error.to_string().contains("not a directory"))
        );
        fs::set_permissions(root.join("a"), std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
        assert!(prepare(&root.join("a")).is_err_and(|error| error.to_string().contains("chmod 700")));
        fs::remove_dir_all(&root)
    }
}
