//! Where dumps go: the root directory proved fit, a report written under a hidden name and published by one rename.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::RenameFlags;

use crate::direct::DumpFile;
use crate::error::{Error, plain};

/// Makes `root` (0700) if it is not there, and proves that a dump can be written into it. Gives the bytes free.
///
/// # Errors
/// It is a symlink or no directory, belongs to somebody else or is open to others, cannot be made or written, or is full.
pub fn prepare(root: &Path) -> Result<u64, Error> {
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
    sweep(root);
    let space = rustix::fs::statvfs(root)
        .map_err(|error| Error::io(format!("asking how much room {shown} has"), error))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

/// Removes what writers that were killed have left half written. Who still writes holds a lock on the directory.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let hidden = name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(".incomplete"));
        if !hidden || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        // Ours are our user's alone, and hold a dump or nothing.
        let ours = entry.metadata().is_ok_and(|meta| {
            meta.mode() & 0o777 == 0o700 && meta.uid() == rustix::process::geteuid().as_raw()
        });
        let only_a_dump = fs::read_dir(entry.path())
            .is_ok_and(|files| files.flatten().all(|file| file.file_name() == "vmcore"));
        if !ours || !only_a_dump {
            continue;
        }
        let Ok(dir) = File::open(entry.path()) else { continue };
        if rustix::fs::flock(&dir, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        // An unlocked directory without a file may be one that is just being begun: it is removed only when it has grown old.
        let dump = entry.path().join("vmcore");
        let old = || {
            let made = entry.metadata().and_then(|meta| meta.modified());
            made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age > std::time::Duration::from_secs(60)))
        };
        if fs::symlink_metadata(&dump).is_ok() || old() {
            let _ = fs::remove_file(&dump);
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// A directory with its lock, where the file system has locks: without, nobody sweeps it either.
fn locked(dir: &Path) -> io::Result<File> {
    let lock = File::open(dir)?;
    match rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Err(error @ rustix::io::Errno::WOULDBLOCK) => Err(error.into()),
        Ok(()) | Err(_) => Ok(lock),
    }
}

/// Gives a finished dump its name, unless something has that name. File systems that know no such flag (NFS, 9p) refuse it: there a
/// file gets a second name, which replaces nothing either, and a directory replaces none that holds something.
fn rename(from: &Path, to: &Path, flag: RenameFlags) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::renameat_with(rustix::fs::CWD, from, rustix::fs::CWD, to, flag) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if from.is_dir() => fs::rename(from, to),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            // the dump is there, whatever its other name
            let _ = fs::remove_file(from);
            Ok(())
        }
        other => other.map_err(io::Error::from),
    }
}

/// A report that is being written.
#[derive(Debug)]
pub struct Report {
    root: PathBuf,
    name: String,
    hidden: PathBuf,
    /// The dump's own name is `name`, without a directory of its own.
    bare: bool,
    /// The directory, locked from before it holds a file until after it has its name.
    lock: File,
    published: bool,
}

impl Report {
    /// Begins the report `COMPONENT-YYYYMMDD-HHMMSS` (UTC) under a hidden name.
    pub fn begin(root: &Path, component: &str, realtime_ns: u64) -> io::Result<Report> {
        let stem = format!("{component}-{}", stamp(realtime_ns / 1_000_000_000));
        for n in 1..1000 {
            let name = if n == 1 { stem.clone() } else { format!("{stem}-{n}") };
            let hidden = root.join(format!(".{name}.incomplete"));
            if root.join(&name).exists() {
                continue;
            }
            match DirBuilder::new().mode(0o700).create(&hidden) {
                Ok(()) => {
                    let lock = locked(&hidden)?;
                    let root = root.to_owned();
                    return Ok(Report { root, name, hidden, bare: false, lock, published: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Begins a dump that will be the file `name` in `root`.
    pub fn begin_file(root: &Path, name: &str) -> io::Result<Report> {
        let hidden = root.join(format!(".{name}.incomplete"));
        DirBuilder::new().mode(0o700).create(&hidden)?;
        let lock = locked(&hidden)?;
        Ok(Report { root: root.to_owned(), name: name.into(), hidden, bare: true, lock, published: false })
    }

    /// Makes the dump's file, readable by its owner alone.
    pub fn create(&self) -> io::Result<DumpFile> {
        DumpFile::create(&self.hidden.join("vmcore"))
    }

    /// Where the dump will be.
    pub fn path(&self) -> PathBuf {
        let path = self.root.join(&self.name);
        if self.bare { path } else { path.join("vmcore") }
    }

    /// Makes the report visible: file and directory on disk first, then one rename.
    pub fn publish(mut self, mut file: DumpFile) -> io::Result<PathBuf> {
        file.sync()?;
        self.lock.sync_all()?;
        let root = File::open(&self.root)?;
        let finished = if self.bare { self.hidden.join("vmcore") } else { self.hidden.clone() };
        rename(&finished, &self.root.join(&self.name), RenameFlags::NOREPLACE)?;
        self.published = true;
        if self.bare {
            // the dump is there; what is left is swept away another time
            let _ = fs::remove_dir(&self.hidden);
        }
        root.sync_all()?;
        Ok(self.path())
    }
}

impl Drop for Report {
    /// What was not published is removed.
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(self.hidden.join("vmcore"));
            let _ = fs::remove_dir(&self.hidden);
        }
    }
}

/// Seconds since 1970 as YYYYMMDD-HHMMSS in UTC.
fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86400, seconds % 86400);
    // Years begin in March, so that the leap day is the last; eras of 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) =
        if month < 10 { (era * 400 + year, month + 3) } else { (era * 400 + year + 1, month - 9) };
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps() {
        assert_eq!(stamp(0), "19700101-000000");
        assert_eq!(stamp(951_826_554), "20000229-121554");
        assert_eq!(stamp(1_795_361_412), "20261122-153012");
    }

    #[test]
    fn a_report_is_seen_whole_or_not_at_all() -> io::Result<()> {
        let root = std::env::temp_dir().join(format!("lkd-target-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&root)?;
        let seen = |root: &Path| fs::read_dir(root).map_or(0, |entries| entries.count());

        let report = Report::begin(&root, "DTRACE", 0)?;
        let file = report.create()?;
        assert!(!report.path().exists());
        let path = report.publish(file)?;
        assert_eq!(path, root.join("DTRACE-19700101-000000/vmcore"));
        assert_eq!(fs::metadata(&path)?.mode() & 0o777, 0o600);

        let second = Report::begin(&root, "DTRACE", 0)?;
        second.create()?;
        assert_eq!(second.path(), root.join("DTRACE-19700101-000000-2/vmcore"));
        drop(second);
        assert_eq!(seen(&root), 1);
        fs::remove_dir_all(&root)
    }

    #[test]
    fn a_bare_file_replaces_nothing() -> io::Result<()> {
        let root = std::env::temp_dir().join(format!("lkd-bare-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&root)?;
        let report = Report::begin_file(&root, "core")?;
        let file = report.create()?;
        assert!(Report::begin_file(&root, "core").is_err(), "two write the same dump");
        assert_eq!(report.publish(file)?, root.join("core"));
        let second = Report::begin_file(&root, "core")?;
        let file = second.create()?;
        assert!(second.publish(file).is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read_dir(&root)?.count(), 1);
        fs::remove_dir_all(&root)
    }

    #[test]
    fn who_knows_no_such_flag_replaces_nothing_either() -> io::Result<()> {
        let root = std::env::temp_dir().join(format!("lkd-flagless-{}", std::process::id()));
        let [dir, file, there] = ["dir", "file", "there"].map(|name| root.join(name));
        fs::create_dir_all(dir.join("in"))?;
        fs::create_dir_all(there.join("in"))?;
        fs::write(&file, "dump")?;
        // any two flags that exclude each other are refused as unknown ones are
        let unknown = RenameFlags::NOREPLACE | RenameFlags::EXCHANGE;
        assert!(rename(&dir, &there, unknown).is_err());
        assert!(rename(&file, &there, unknown).is_err());
        rename(&dir, &root.join("dir2"), unknown)?;
        rename(&file, &root.join("file2"), unknown)?;
        assert!(!dir.exists() && !file.exists() && root.join("dir2/in").is_dir());
        assert_eq!(fs::read(root.join("file2"))?, b"dump");
        fs::remove_dir_all(&root)
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_away() -> io::Result<()> {
        let root = std::env::temp_dir().join(format!("lkd-sweep-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&root)?;
        let (killed, writing) = (Report::begin(&root, "DTRACE", 0)?, Report::begin(&root, "DTRACE", 1)?);
        killed.create()?;
        // What a killed process leaves of its lock.
        rustix::fs::flock(&killed.lock, rustix::fs::FlockOperation::Unlock)?;
        writing.create()?;
        // What somebody else calls so is theirs: open to others, or with more in it than a dump.
        let (open, more) = (root.join(".open.incomplete"), root.join(".more.incomplete"));
        for (dir, mode) in [(&open, 0o755), (&more, 0o700)] {
            DirBuilder::new().mode(mode).create(dir)?;
            fs::write(dir.join("vmcore"), "")?;
        }
        fs::write(more.join("notes"), "")?;
        sweep(&root);
        assert_eq!((killed.hidden.exists(), writing.hidden.exists()), (false, true));
        assert!(open.join("vmcore").exists() && more.join("vmcore").exists());
        drop((killed, writing));
        fs::remove_dir_all(&root)
    }

    #[test]
    fn unfit_roots_are_refused() -> io::Result<()> {
        let root = std::env::temp_dir().join(format!("lkd-unfit-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&root)?;
        assert!(prepare(&root.join("a/b")).is_ok_and(|free| free > 0));
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
