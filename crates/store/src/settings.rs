//! Settings: the registry's tree in TOML files, read in layers, each value with the file and line that said so.
//!
//! `/etc/lkd/lkd.toml`, then `/etc/lkd/lkd.toml.d/*.toml` in order of name; the last one that names a value wins. Names are
//! found whatever their case, as the registry's are. A file with something wrong in it is refused, not half believed: a
//! misspelt `DumpsDisabled` must not mean that dumps are taken.

mod edit;
mod file;
pub mod table;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use edit::{Change, EditError, change};
pub use table::{Entry, Shape};
pub use value::{BadValue, Value};

use crate::text::plain;

/// Where the settings are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The first file, which need not be there.
    pub main: PathBuf,
    /// The directory of those that come after it.
    pub further: PathBuf,
}

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
}

/// What is wrong with a file of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub place: Place,
    /// What, and what would be right.
    pub what: String,
}

/// The values in force.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    said: BTreeMap<&'static str, (Value, Place)>,
}

impl Files {
    /// The machine's own.
    pub fn of_the_machine() -> Files {
        Files::at(Path::new("/etc/lkd/lkd.toml"))
    }

    /// `main`, and the directory beside it that has its name and `.d`.
    pub fn at(main: &Path) -> Files {
        let mut further = main.as_os_str().to_owned();
        further.push(".d");
        Files { main: main.to_owned(), further: further.into() }
    }

    /// All files that are there, the ones that win last.
    fn list(&self) -> Result<Vec<PathBuf>, Problem> {
        let mut files = Vec::new();
        if fs::symlink_metadata(&self.main).is_ok() {
            files.push(self.main.clone());
        }
        let unreadable = |error: &io::Error| Problem {
            place: Place { file: self.further.clone(), line: 0 },
            what: plain(error),
        };
        let entries = match fs::read_dir(&self.further) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            Err(error) => return Err(unreadable(&error)),
        };
        let mut further = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| unreadable(&error))?;
        further.retain(|path| {
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            !hidden && path.extension().is_some_and(|kind| kind == "toml")
        });
        further.sort();
        files.extend(further);
        Ok(files)
    }
}

impl Settings {
    /// Reads all files. Whatever is wrong in any of them is told, and none of them is believed.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, or has a name or a value that there is not.
    pub fn read(files: &Files) -> Result<Settings, Vec<Problem>> {
        let (settings, problems) = Settings::read_what_can_be(files);
        if problems.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// What of the files is right, and what is wrong: for whoever shows them.
    pub fn read_what_can_be(files: &Files) -> (Settings, Vec<Problem>) {
        let (mut settings, mut problems) = (Settings::default(), Vec::new());
        let list = files.list().unwrap_or_else(|problem| {
            problems.push(problem);
            Vec::new()
        });
        for path in list {
            match fs::read_to_string(&path) {
                Ok(text) => file::read(&path, &text, &mut settings.said, &mut problems),
                Err(error) => {
                    problems.push(Problem { place: Place { file: path, line: 0 }, what: plain(&error) })
                }
            }
        }
        (settings, problems)
    }

    /// The value in force.
    pub fn get(&self, entry: &Entry) -> Value {
        self.said.get(entry.key).map_or_else(|| entry.default_value(), |(value, _)| value.clone())
    }

    /// Who said so; `None`: it is the default.
    pub fn place(&self, entry: &Entry) -> Option<&Place> {
        self.said.get(entry.key).map(|(_, place)| place)
    }

    /// A [`Shape::Number`]'s value.
    pub fn number(&self, entry: &Entry) -> u32 {
        match self.get(entry) {
            Value::Number(number) => number,
            Value::Text(_) | Value::Paths(_) => 0,
        }
    }

    /// Whether a switch is on.
    pub fn on(&self, entry: &Entry) -> bool {
        self.number(entry) != 0
    }

    /// A [`Shape::Word`]'s or [`Shape::Path`]'s value.
    pub fn text(&self, entry: &Entry) -> String {
        match self.get(entry) {
            Value::Text(text) => text,
            Value::Number(_) | Value::Paths(_) => String::new(),
        }
    }

    /// A [`Shape::Paths`]' value.
    pub fn paths(&self, entry: &Entry) -> Vec<PathBuf> {
        match self.get(entry) {
            Value::Paths(paths) => paths,
            Value::Number(_) | Value::Text(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
