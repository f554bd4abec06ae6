//! A setting's value: as it stands in a file, as the registry's tools write it, and as a person sees it.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use super::table::{Entry, Shape};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `REG_DWORD`
    Number(u32),
    /// `REG_SZ`
    Text(String),
    /// `REG_MULTI_SZ`
    Paths(Vec<PathBuf>),
}

/// Why a value is none for its setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub String);

fn bad<T>(what: String) -> Result<T, BadValue> {
    Err(BadValue(what))
}

impl Entry {
    /// Its own name, without the tables that it is in.
    pub fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or(self.key)
    }

    /// What holds where nobody says otherwise.
    pub fn default_value(&self) -> Value {
        match self.shape {
            Shape::Number(..) => Value::Number(self.default.parse().unwrap_or(0)),
            Shape::Word(_) | Shape::Path => Value::Text(self.default.into()),
            Shape::Paths => Value::Paths(Vec::new()),
        }
    }

    /// Takes what a person wrote on a command line. Paths are divided by colons, numbers may be hexadecimal (`0xFFFFFFFF`).
    ///
    /// # Errors
    /// It is no value for this setting.
    pub fn parse(&self, text: &str) -> Result<Value, BadValue> {
        match self.shape {
            Shape::Number(least, most) => {
                let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
                let number =
                    digits.map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
                match number {
                    Some(number) => self.number(number.into()),
                    None => bad(format!(
                        "{} is a number from {least} to {most}, not '{}'",
                        self.name(),
                        text.escape_debug()
                    )),
                }
            }
            Shape::Word(_) | Shape::Path => self.text(text),
            Shape::Paths => {
                let paths = text.split(':').filter(|path| !path.is_empty());
                Ok(Value::Paths(paths.map(|path| self.path(path)).collect::<Result<_, _>>()?))
            }
        }
    }

    /// Takes a number.
    ///
    /// # Errors
    /// The setting is none, or not so large or small a one.
    pub fn number(&self, number: i128) -> Result<Value, BadValue> {
        let Shape::Number(least, most) = self.shape else {
            return bad(format!("{} is {}, not a number", self.name(), self.shape));
        };
        match u32::try_from(number) {
            Ok(number) if (least..=most).contains(&number) => Ok(Value::Number(number)),
            _ => {
                let nearest = number.clamp(least.into(), most.into());
                bad(format!(
                    "{} is from {least} to {most}: the nearest to {number} is {nearest}",
                    self.name()
                ))
            }
        }
    }

    /// Takes a word or a path.
    ///
    /// # Errors
    /// The setting is neither, or has no such word.
    pub fn text(&self, text: &str) -> Result<Value, BadValue> {
        match self.shape {
            Shape::Word(words) => match words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
                Some(word) => Ok(Value::Text((*word).into())),
                None => bad(format!("{} is {}, not '{}'", self.name(), self.shape, text.escape_debug())),
            },
            Shape::Path => Ok(Value::Text(self.path(text)?.to_string_lossy().into_owned())),
            Shape::Number(..) | Shape::Paths => {
                bad(format!("{} is {}, not '{}'", self.name(), self.shape, text.escape_debug()))
            }
        }
    }

    /// Takes one path.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf, BadValue> {
        let path = Path::new(text);
        let drive = text.as_bytes().get(1) == Some(&b':') || text.contains('\\');
        if drive {
            return bad(format!(
                "{}: '{}' is a path of Windows; here one begins with / and has no drive: /mnt/d/livedumps",
                self.name(),
                text.escape_debug()
            ));
        }
        if !path.is_absolute() {
            return bad(format!(
                "{}: '{}' is not an absolute path: it must begin with /",
                self.name(),
                text.escape_debug()
            ));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return bad(format!(
                "{}: '{}' goes up through '..': name the directory itself",
                self.name(),
                text.escape_debug()
            ));
        }
        if text.chars().any(char::is_control) {
            return bad(format!("{}: '{}' has a control character", self.name(), text.escape_debug()));
        }
        if path.parent().is_none() {
            return bad(format!("{}: / itself is no directory for it", self.name()));
        }
        Ok(path.components().collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Shape::Word(words) => write!(f, "one of {}", words.join(", ")),
            Shape::Path => f.write_str("an absolute path"),
            Shape::Paths => f.write_str("a list of absolute paths"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Paths(paths) => {
                for (at, path) in paths.iter().enumerate() {
                    write!(f, "{}{}", if at > 0 { ":" } else { "" }, path.display())?;
                }
                Ok(())
            }
        }
    }
}
