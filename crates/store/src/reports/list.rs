//! Which reports there are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::name::{Name, is_component};
use super::record::{BadRecord, Record};
use super::{DUMP, Error, RECORD};

/// A report that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its name.
    pub name: Name,
    /// Its directory.
    pub dir: PathBuf,
    /// It lies among the minidumps.
    pub mini: bool,
    /// Bytes of the dump's file; `None`: there is none.
    pub size: Option<u64>,
    /// What is said of it.
    pub record: Result<Record, BadRecord>,
}

impl Listed {
    /// The dump's file.
    pub fn dump(&self) -> PathBuf {
        self.dir.join(DUMP)
    }
}

/// Directories of reports directly in `dir`: real ones, which a link to one is not.
fn names(dir: &Path) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_str().and_then(Name::parse);
        if let Some(name) = name.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            names.push(name);
        }
    }
    Ok(names)
}

/// The directories that have the components' minidumps.
fn components(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let is = entry.file_name().to_str().is_some_and(is_component);
        if is && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            dirs.push(entry.path());
        }
    }
    Ok(dirs)
}

fn look(name: Name, within: &Path, mini: bool) -> Listed {
    let dir = within.join(name.to_string());
    let size = fs::symlink_metadata(dir.join(DUMP)).ok().filter(fs::Metadata::is_file).map(|meta| meta.len());
    let record = Record::read(&dir.join(RECORD));
    Listed { name, dir, mini, size, record }
}

/// All reports of a root, the oldest first. A root that is not there has none.
///
/// # Errors
/// A directory that is there cannot be read.
pub fn list(root: &Path) -> Result<Vec<Listed>, Error> {
    let failed = |dir: &Path, error| Error::io(format!("reading {}", dir.display()), error);
    let full = match names(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(|error| failed(root, error))?,
    };
    let mut all: Vec<Listed> = full.into_iter().map(|name| look(name, root, false)).collect();
    for dir in components(root).map_err(|error| failed(root, error))? {
        let minis = names(&dir).map_err(|error| failed(&dir, error))?;
        all.extend(minis.into_iter().map(|name| look(name, &dir, true)));
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The full reports of a root, the oldest first.
///
/// # Errors
/// As [`list`].
pub fn full_reports(root: &Path) -> Result<Vec<Name>, Error> {
    let mut names = match names(root) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(|error| Error::io(format!("reading {}", root.display()), error))?,
    };
    names.sort();
    Ok(names)
}

/// The report of a name.
///
/// # Errors
/// It is no report's name, or there is no such report.
pub fn find(root: &Path, name: &str) -> Result<Listed, Error> {
    let shown = name.escape_debug();
    let parsed = Name::parse(name).ok_or_else(|| {
        Error::refused(
            format!("'{shown}' is no report's name"),
            "DTRACE-20261122-153012 would be one: lkd list shows all",
        )
    })?;
    let places = [(root.to_owned(), false), (root.join(&parsed.component), true)];
    let there = places.into_iter().find(|(within, _)| {
        fs::symlink_metadata(within.join(name)).is_ok_and(|meta| meta.is_dir())
            && fs::symlink_metadata(within).is_ok_and(|meta| meta.is_dir())
    });
    match there {
        Some((within, mini)) => Ok(look(parsed, &within, mini)),
        None => Err(Error::refused(
            format!("there is no report {shown} in {}", root.display()),
            "lkd list shows all",
        )),
    }
}
