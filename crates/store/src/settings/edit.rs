//! One value written into a file of settings: at once or not at all, and all else in the file stays as it is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use toml_edit::{Array, DocumentMut, Item, Table, TableLike};

use super::table::Entry;
use super::value::Value;
use super::{Files, Settings};
use crate::text::plain;

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The file that says so now.
    pub file: PathBuf,
    /// What was in force before.
    pub before: Value,
    /// What is in force now.
    pub after: Value,
}

/// Why a setting could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// A file or directory.
    #[error("{}: {}", .file.display(), plain(.error))]
    Io {
        /// Which.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file that nobody can add to.
    #[error("{}: {what}; nothing was changed", .file.display())]
    Broken {
        /// Which.
        file: PathBuf,
        /// What is wrong in it.
        what: String,
    },
}

/// Writes a value into the file that has the last word of it, or else into the main one; `None` takes it out of all.
///
/// # Errors
/// A file that cannot be read or written, or is no TOML: nothing has changed then.
pub fn change(files: &Files, entry: &'static Entry, value: Option<&Value>) -> Result<Change, EditError> {
    let dir = files.main.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(dir).map_err(|error| failed(dir, error))?;
    // Who comes at the same time reads what this one has written.
    let lock = File::open(dir).map_err(|error| failed(dir, error))?;
    let locked = rustix::fs::flock(&lock, FlockOperation::LockExclusive);
    locked.map_err(|error| failed(dir, error.into()))?;
    let before = Settings::read_what_can_be(files).0.get(entry);
    let mut list =
        files.list().map_err(|problem| EditError::Broken { file: problem.place.file, what: problem.what })?;
    if !list.contains(&files.main) {
        list.insert(0, files.main.clone());
    }
    let mut documents = Vec::new();
    for path in list {
        let document = parse(&path)?;
        if path == files.main || has(document.as_table(), entry.key) {
            documents.push((path, document));
        }
    }
    let mut file = files.main.clone();
    match value {
        None => {
            for (path, document) in &mut documents {
                if take(document.as_table_mut(), entry.key) {
                    write(path, &document.to_string())?;
                    file.clone_from(path);
                }
            }
        }
        Some(value) => {
            // the main file is the first: it is taken where no other one names the setting
            if let Some((path, document)) = documents.last_mut() {
                put(document.as_table_mut(), entry.key, value)
                    .map_err(|what| EditError::Broken { file: path.clone(), what })?;
                write(path, &document.to_string())?;
                file.clone_from(path);
            }
        }
    }
    Ok(Change { file, before, after: Settings::read_what_can_be(files).0.get(entry) })
}

fn failed(file: &Path, error: io::Error) -> EditError {
    EditError::Io { file: file.to_owned(), error }
}

fn parse(path: &Path) -> Result<DocumentMut, EditError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(path, error)),
    };
    text.parse().map_err(|error: toml_edit::TomlError| EditError::Broken {
        file: path.to_owned(),
        what: format!("is no TOML: {}", error.message().lines().collect::<Vec<_>>().join(", ")),
    })
}

/// The name that a table has for a key, whatever its case.
fn own_name(table: &dyn TableLike, name: &str) -> Option<String> {
    table.iter().map(|(own, _)| own).find(|own| own.eq_ignore_ascii_case(name)).map(str::to_owned)
}

fn has(table: &dyn TableLike, key: &str) -> bool {
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let Some(item) = own_name(table, name).and_then(|own| table.get(&own)) else { return false };
    rest.is_none_or(|rest| item.as_table_like().is_some_and(|below| has(below, rest)))
}

fn take(table: &mut dyn TableLike, key: &str) -> bool {
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let Some(own) = own_name(table, name) else { return false };
    match rest {
        None => table.remove(&own).is_some(),
        Some(rest) => {
            table.get_mut(&own).and_then(Item::as_table_like_mut).is_some_and(|below| take(below, rest))
        }
    }
}

fn put(table: &mut dyn TableLike, key: &str, value: &Value) -> Result<(), String> {
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let own = own_name(table, name).unwrap_or_else(|| name.to_owned());
    let Some(rest) = rest else {
        let mut new = written(value);
        if let Some(old) = table.get(&own).and_then(Item::as_value) {
            // the comment behind a value stays behind it
            *new.decor_mut() = old.decor().clone();
        }
        match table.get_mut(&own) {
            Some(item) => *item = Item::Value(new),
            None => {
                table.insert(&own, Item::Value(new));
            }
        }
        return Ok(());
    };
    if table.get(&own).is_none() {
        let mut below = Table::new();
        below.set_implicit(rest.contains('.'));
        table.insert(&own, Item::Table(below));
    }
    match table.get_mut(&own).and_then(Item::as_table_like_mut) {
        Some(below) => put(below, rest, value),
        None => Err(format!("'{own}' should be a table")),
    }
}

fn written(value: &Value) -> toml_edit::Value {
    match value {
        Value::Number(number) => i64::from(*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Paths(paths) => {
            paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Array>().into()
        }
    }
}

/// Puts a file in the place of another: whole on the disk before it has its name. A link goes on leading to it.
fn write(path: &Path, text: &str) -> Result<(), EditError> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let dir = target.parent().unwrap_or(Path::new("/"));
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let new = dir.join(format!(".{name}.{}.new", std::process::id()));
    let mode = fs::metadata(&target).map_or(0o644, |meta| meta.mode() & 0o777);
    let made = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &target)?;
        File::open(dir)?.sync_all()
    })();
    made.map_err(|error| {
        let _ = fs::remove_file(&new);
        failed(&target, error)
    })
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Tree {
            let dir = std::env::temp_dir().join(format!("lkd-settings-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(dir.join("lkd.toml.d")).expect("a directory");
            Tree(dir)
        }

        fn files(&self) -> Files {
            Files::at(&self.0.join("lkd.toml"))
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).expect("a file");
        }

        fn text(&self, name: &str) -> String {
            fs::read_to_string(self.0.join(name)).expect("a file")
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn comments_stay_and_the_file_with_the_last_word_is_written() {
        let tree = Tree::new("comments");
        let text = "# ours\n[CrashControl] # c\nDumpsDisabled = 1 # why\n\n[crashcontrol.x]\n";
        tree.put("lkd.toml", text.split("\n[crashcontrol.x]").next().unwrap_or_default());
        let change_of = |entry, value: &Value| change(&tree.files(), entry, Some(value)).expect("changed");
        let did = change_of(&table::DUMPS_DISABLED, &Value::Number(0));
        assert_eq!((did.before, did.after), (Value::Number(1), Value::Number(0)));
        assert_eq!(tree.text("lkd.toml"), "# ours\n[CrashControl] # c\nDumpsDisabled = 0 # why\n");
        change_of(&table::SYSTEM_THROTTLE_THRESHOLD, &Value::Number(0));
        let text = tree.text("lkd.toml");
        assert!(
            text.ends_with("\n[CrashControl.FullLiveKernelReports]\nSystemThrottleThreshold = 0\n"),
            "{text}"
        );
        tree.put("lkd.toml.d/50-site.toml", "crashcontrol.dumpsdisabled = true\n");
        let did = change_of(&table::DUMPS_DISABLED, &Value::Number(0));
        assert_eq!((did.before, did.after), (Value::Number(1), Value::Number(0)));
        assert_eq!(tree.text("lkd.toml.d/50-site.toml"), "crashcontrol.dumpsdisabled = 0\n");
        let none = change(&tree.files(), &table::DUMPS_DISABLED, None).expect("changed");
        assert_eq!(none.after, Value::Number(0));
        assert_eq!(tree.text("lkd.toml.d/50-site.toml"), "");
        assert!(!tree.text("lkd.toml").contains("DumpsDisabled"));
    }

    #[test]
    fn what_is_broken_is_not_written() {
        let tree = Tree::new("broken");
        tree.put("lkd.toml", "[CrashControl\n");
        let why = change(&tree.files(), &table::DUMPS_DISABLED, Some(&Value::Number(1)));
        assert!(why.is_err_and(|why| why.to_string().contains("is no TOML")));
        tree.put("lkd.toml", "CrashControl = 7\n");
        let why = change(&tree.files(), &table::DUMPS_DISABLED, Some(&Value::Number(1)));
        assert!(why.is_err_and(|why| why.to_string().contains("'CrashControl' should be a table")));
        assert_eq!(tree.text("lkd.toml"), "CrashControl = 7\n");
    }

    #[test]
    fn problems_have_their_lines() {
        let tree = Tree::new("problems");
        tree.put(
            "lkd.toml",
            "[CrashControl]\nDumpDisabled = 1\nAlwaysKeepMemoryDump = 2\n[CrashControl.LiveKernelReports]\nLiveKernelReportsPath = 'd:\\livedumps'\nFurtherPaths = ['/a', 7]\n",
        );
        tree.put("lkd.toml.d/1.toml", "x = \n");
        tree.put("lkd.toml.d/.2.toml", "x = \n");
        let problems = Settings::read(&tree.files()).expect_err("problems");
        let told: Vec<String> = problems
            .iter()
            .map(|problem| problem.to_string().replace(&*tree.0.to_string_lossy(), "DIR"))
            .collect();
        assert_eq!(told.len(), 5, "{told:#?}");
        assert!(
            told[0]
                .starts_with("DIR/lkd.toml:2: there is no setting 'CrashControl.DumpDisabled': did you mean")
        );
        assert!(
            told[1].starts_with("DIR/lkd.toml:3: AlwaysKeepMemoryDump is from 0 to 1: the nearest to 2 is 1")
        );
        assert!(
            told[2].contains(":5: LiveKernelReportsPath: 'd:\\\\livedumps' is a path of Windows"),
            "{}",
            told[2]
        );
        assert!(told[3].contains(":6: FurtherPaths is a list of absolute paths: each in quotes"));
        assert!(told[4].starts_with("DIR/lkd.toml.d/1.toml:1: is no TOML"), "{}", told[4]);
    }
}
