//! A report that is being written: under a hidden name, made visible by one rename when all of it is on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::RenameFlags;

use super::name::Name;
use super::record::Record;
use super::{DUMP, RECORD};
use crate::time::Moment;

/// How many reports one second may have.
const MOST_A_SECOND: u32 = 1000;

/// The name under which a report is not seen.
pub fn hidden(name: &str) -> String {
    format!(".{name}.incomplete")
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

/// A report that is being written. Dropped, it is removed.
#[derive(Debug)]
pub struct Draft {
    root: PathBuf,
    name: String,
    hidden: PathBuf,
    /// The dump's own name is `name`, without a directory of its own.
    bare: bool,
    /// The directory, locked from before it holds a file until after it has its name.
    lock: File,
    published: bool,
}

impl Draft {
    /// Begins the report `COMPONENT-YYYYMMDD-HHMMSS` (UTC) of a full dump.
    ///
    /// # Errors
    /// The root is gone, full, or read-only.
    pub fn begin(root: &Path, component: &str, realtime_ns: u64) -> io::Result<Draft> {
        for n in 1..MOST_A_SECOND {
            let stamp = Moment::of_ns(realtime_ns).stamp();
            let name = Name { stamp, n, component: component.to_owned() }.to_string();
            let hidden = root.join(hidden(&name));
            if root.join(&name).symlink_metadata().is_ok() {
                continue;
            }
            match DirBuilder::new().mode(0o700).create(&hidden) {
                Ok(()) => {
                    let lock = locked(&hidden)?;
                    let root = root.to_owned();
                    return Ok(Draft { root, name, hidden, bare: false, lock, published: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// The same for a minidump, which lies in the component's directory.
    ///
    /// # Errors
    /// As [`Draft::begin`]; or the component's directory is no directory.
    pub fn begin_mini(root: &Path, component: &str, realtime_ns: u64) -> io::Result<Draft> {
        let dir = root.join(component);
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                File::open(root)?.sync_all()?;
            }
        }
        if !fs::symlink_metadata(&dir)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Draft::begin(&dir, component, realtime_ns)
    }

    /// Begins a dump that will be the file `name` in `root`.
    ///
    /// # Errors
    /// As [`Draft::begin`]; or somebody writes the same.
    pub fn begin_file(root: &Path, name: &str) -> io::Result<Draft> {
        let hidden = root.join(hidden(name));
        DirBuilder::new().mode(0o700).create(&hidden)?;
        let lock = locked(&hidden)?;
        Ok(Draft { root: root.to_owned(), name: name.into(), hidden, bare: true, lock, published: false })
    }

    /// The report's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file to write the dump into, which nobody sees yet; to be made by the caller, 0600, and on the disk before
    /// [`Draft::publish`].
    pub fn dump(&self) -> PathBuf {
        self.hidden.join(DUMP)
    }

    /// Where the dump will be.
    pub fn path(&self) -> PathBuf {
        let path = self.root.join(&self.name);
        if self.bare { path } else { path.join(DUMP) }
    }

    /// Says of the dump what is to be said. A bare file has no room for that.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn describe(&self, record: &Record) -> io::Result<()> {
        if self.bare {
            return Ok(());
        }
        let path = self.hidden.join(RECORD);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&record.encode()?)?;
        file.sync_all()
    }

    /// Makes the report visible: the directory on disk first, then one rename. Gives the dump's path.
    ///
    /// # Errors
    /// Something has its name, or its directory is gone.
    pub fn publish(mut self) -> io::Result<PathBuf> {
        self.lock.sync_all()?;
        let root = File::open(&self.root)?;
        let finished = if self.bare { self.dump() } else { self.hidden.clone() };
        rename(&finished, &self.root.join(&self.name), RenameFlags::NOREPLACE)?;
        self.published = true;
        if self.bare {
            // the dump is there; what is left is swept away another time
            let _ = fs::remove_dir(&self.hidden);
        }
        root.sync_all()?;
        Ok(self.path())
    }

    #[cfg(test)]
    pub(super) fn unlock_as_if_killed(&self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.lock, rustix::fs::FlockOperation::Unlock)?)
    }
}

impl Drop for Draft {
    /// What was not published is removed.
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(self.hidden.join(DUMP));
            let _ = fs::remove_file(self.hidden.join(RECORD));
            let _ = fs::remove_dir(&self.hidden);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{find, full_reports, list, remove};
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn root(name: &str) -> io::Result<PathBuf> {
        let root = std::env::temp_dir().join(format!("lkd-draft-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        DirBuilder::new().mode(0o700).create(&root)?;
        Ok(root)
    }

    fn write(draft: Draft, record: &Record) -> io::Result<PathBuf> {
        fs::write(draft.dump(), "dump")?;
        draft.describe(record)?;
        draft.publish()
    }

    #[test]
    fn a_report_is_seen_whole_or_not_at_all() -> io::Result<()> {
        let root = root("whole")?;
        let report = Draft::begin(&root, "DTRACE", 0)?;
        fs::write(report.dump(), "dump")?;
        let record = Record { kind: "kernel".into(), ..Record::default() };
        report.describe(&record)?;
        assert!(!report.path().exists() && list(&root).is_ok_and(|all| all.is_empty()));
        let path = report.publish()?;
        assert_eq!(path, root.join("DTRACE-19700101-000000/vmcore"));
        assert_eq!(fs::metadata(root.join("DTRACE-19700101-000000/report.json"))?.mode() & 0o777, 0o600);

        let second = Draft::begin(&root, "DTRACE", 0)?;
        fs::write(second.dump(), "")?;
        assert_eq!(second.path(), root.join("DTRACE-19700101-000000-2/vmcore"));
        drop(second);
        assert_eq!(fs::read_dir(&root)?.count(), 1);
        fs::remove_dir_all(&root)
    }

    #[test]
    fn what_is_there_is_listed_found_and_removed() -> io::Result<()> {
        let root = root("list")?;
        let record = Record { kind: "kernel".into(), ..Record::default() };
        write(Draft::begin(&root, "B", 1_000_000_000)?, &record)?;
        write(Draft::begin(&root, "A", 2_000_000_000)?, &record)?;
        write(Draft::begin_mini(&root, "A", 0)?, &Record { kind: "mini".into(), ..Record::default() })?;
        // neither a link to a report nor a file that is called so is one
        std::os::unix::fs::symlink(root.join("B-19700101-000001"), root.join("C-19700101-000003"))?;
        fs::write(root.join("D-19700101-000004"), "")?;
        fs::write(root.join("A-19700101-000002/report.json"), r#"{"kind": 7}"#)?;
        let all = list(&root).map_err(io::Error::other)?;
        let told: Vec<_> =
            all.iter().map(|one| (one.name.to_string(), one.mini, one.size, one.record.is_ok())).collect();
        assert_eq!(
            told,
            [
                ("A-19700101-000000".into(), true, Some(4), true),
                ("B-19700101-000001".into(), false, Some(4), true),
                ("A-19700101-000002".into(), false, Some(4), false),
            ]
        );
        assert_eq!(full_reports(&root).map(|names| names.len()).ok(), Some(2));
        let found = find(&root, "A-19700101-000000").map_err(io::Error::other)?;
        assert_eq!(found, all[0]);
        for name in ["A-19700101-000009", "../draft", "C-19700101-000003", ""] {
            assert!(find(&root, name).is_err(), "{name}");
        }
        // what a hook has added goes too; a directory is nobody's business
        fs::write(found.dir.join("notes"), "")?;
        fs::create_dir(all[1].dir.join("more"))?;
        assert!(remove(&all[1]).is_err_and(|why| why.to_string().contains("holds a directory (more)")));
        remove(&found).map_err(io::Error::other)?;
        assert!(all[1].dump().exists() && !found.dir.exists());
        assert_eq!(fs::read_dir(root.join("A"))?.count(), 0);
        fs::remove_dir_all(&root)
    }

    #[test]
    fn a_bare_file_replaces_nothing() -> io::Result<()> {
        let root = root("bare")?;
        let report = Draft::begin_file(&root, "core")?;
        fs::write(report.dump(), "")?;
        assert!(Draft::begin_file(&root, "core").is_err(), "two write the same dump");
        assert_eq!(report.publish()?, root.join("core"));
        let second = Draft::begin_file(&root, "core")?;
        fs::write(second.dump(), "")?;
        assert!(second.publish().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read_dir(&root)?.count(), 1);
        fs::remove_dir_all(&root)
    }

    #[test]
    fn a_planted_link_leads_nowhere() -> io::Result<()> {
        let (root, away) = (root("planted")?, root("away")?);
        std::os::unix::fs::symlink(&away, root.join("DTRACE"))?;
        assert!(Draft::begin_mini(&root, "DTRACE", 0).is_err());
        std::os::unix::fs::symlink(&away, root.join("DTRACE-19700101-000000"))?;
        std::os::unix::fs::symlink(&away, root.join(hidden("DTRACE-19700101-000000-2")))?;
        let draft = Draft::begin(&root, "DTRACE", 0)?;
        assert_eq!(draft.name(), "DTRACE-19700101-000000-3");
        write(draft, &Record::default())?;
        assert_eq!(fs::read_dir(&away)?.count(), 0);
        fs::remove_dir_all(&away)?;
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
}
