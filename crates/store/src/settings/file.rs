//! One file of settings, read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use super::table::{self, Entry};
use super::value::{BadValue, Value};
use super::{Place, Problem};

/// Where a file stands while it is read.
struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    said: &'a mut BTreeMap<&'static str, (Value, Place)>,
    problems: &'a mut Vec<Problem>,
    /// What this file has said so far.
    here: Vec<&'static str>,
}

/// Puts the values of a file over those that were said before it.
pub fn read(
    path: &Path,
    text: &str,
    said: &mut BTreeMap<&'static str, (Value, Place)>,
    problems: &mut Vec<Problem>,
) {
    let mut reading = Reading { path, text, said, problems, here: Vec::new() };
    match Document::parse(text) {
        Ok(document) => reading.table(document.as_table(), ""),
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            // The parser's sentence may have several lines; the place is told by ours.
            let what = error.message().lines().collect::<Vec<_>>().join(", ");
            reading.problem(at, format!("is no TOML: {what}"));
        }
    }
}

impl Reading<'_> {
    fn table(&mut self, table: &dyn TableLike, within: &str) {
        for (name, item) in table.iter() {
            let key = if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") };
            let at = table.key(name).and_then(toml_edit::Key::span).map_or(0, |span| span.start);
            let entry = table::find(&key);
            match (entry, item.as_table_like()) {
                (Some(entry), None) => self.value(entry, item, at),
                (Some(entry), Some(_)) => {
                    self.problem(at, format!("{} is {}, not a table", entry.key, entry.shape))
                }
                (None, Some(below)) if table::is_table(&key) => self.table(below, &key),
                (None, _) => self.problem(at, table::unknown(&key)),
            }
        }
    }

    fn value(&mut self, entry: &'static Entry, item: &Item, at: usize) {
        let value = match item {
            Item::Value(toml_edit::Value::Integer(number)) => entry.number((*number.value()).into()),
            Item::Value(toml_edit::Value::Boolean(on)) if entry.shape == table::SWITCH => {
                entry.number((*on.value()).into())
            }
            Item::Value(toml_edit::Value::String(text)) => entry.text(text.value()),
            Item::Value(toml_edit::Value::Array(array)) if entry.shape == table::Shape::Paths => array
                .iter()
                .map(|path| match path.as_str() {
                    Some(path) => entry.path(path),
                    None => Err(BadValue(format!("{} is {}: each in quotes", entry.name(), entry.shape))),
                })
                .collect::<Result<Vec<PathBuf>, BadValue>>()
                .map(Value::Paths),
            other => Err(BadValue(format!("{} is {}, not {}", entry.name(), entry.shape, other.type_name()))),
        };
        match value {
            Ok(_) if self.here.contains(&entry.key) => {
                self.problem(at, format!("{} is said twice in this file", entry.key));
            }
            Ok(value) => {
                self.here.push(entry.key);
                self.said.insert(entry.key, (value, self.place(at)));
            }
            Err(BadValue(what)) => self.problem(at, what),
        }
    }

    fn place(&self, at: usize) -> Place {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Place { file: self.path.to_owned(), line }
    }

    fn problem(&mut self, at: usize, what: String) {
        let place = self.place(at);
        self.problems.push(Problem { place, what });
    }
}
