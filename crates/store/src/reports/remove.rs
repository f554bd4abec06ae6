//! A report removed: gone from sight at once, from the disk soon after.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::draft::hidden;
use super::list::Listed;
use super::{DUMP, Error, RECORD};

/// Removes a report with all files in it. What hooks have added goes first, so that whoever is killed meanwhile leaves either a
/// whole report or what the next start sweeps away.
///
/// # Errors
/// There is a directory in it, which is nobody's business here, or a call failed.
pub fn remove(report: &Listed) -> Result<(), Error> {
    let shown = report.dir.display();
    let failed = |error: io::Error| Error::io(format!("removing {shown}"), error);
    let mut added = Vec::new();
    for entry in fs::read_dir(&report.dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            return Err(Error::refused(
                format!(
                    "{shown} holds a directory ({})",
                    entry.file_name().display().to_string().escape_debug()
                ),
                "what lkd did not make it does not remove: move it away first",
            ));
        }
        if entry.file_name() != DUMP && entry.file_name() != RECORD {
            added.push(entry.path());
        }
    }
    let lock = File::open(&report.dir).map_err(failed)?;
    // where the file system has no locks nobody else has one either
    if let Err(error @ rustix::io::Errno::WOULDBLOCK) =
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
    {
        return Err(failed(error.into()));
    }
    for path in added {
        fs::remove_file(path).map_err(failed)?;
    }
    let within = report.dir.parent().unwrap_or(Path::new("/"));
    let away = within.join(hidden(&report.name.to_string()));
    fs::rename(&report.dir, &away).map_err(failed)?;
    for name in [DUMP, RECORD] {
        match fs::remove_file(away.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    fs::remove_dir(&away).map_err(failed)?;
    File::open(within).and_then(|dir| dir.sync_all()).map_err(failed)
}
