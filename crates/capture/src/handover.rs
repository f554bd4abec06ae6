//! What the writer is told when it is started: named sections of bytes in one anonymous file.
//!
//! `name SP length LF bytes LF`, as often as there are sections. Both ends are the same program, so there is no version; a
//! section that is missing or of another shape is an error all the same, never a panic.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// Named sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handover {
    sections: BTreeMap<String, Vec<u8>>,
}

/// A section that is not there or not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHandover {
    /// The bytes end within a section, or a length is no number.
    #[error("the handover is cut off at byte {0}")]
    Cut(usize),
    /// No section of this name.
    #[error("the handover has no {0}")]
    Missing(String),
    /// A section that cannot be read as what it is.
    #[error("the handover's {0} reads {1:?}")]
    Shape(String, String),
}

impl Handover {
    /// Stores bytes under a name without white space.
    pub fn put(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.sections.insert(name.to_owned(), bytes.into());
    }

    /// Stores a value in its printed form.
    pub fn put_value(&mut self, name: &str, value: impl Display) {
        self.put(name, value.to_string());
    }

    /// The bytes under a name.
    pub fn get(&self, name: &str) -> Result<&[u8], BadHandover> {
        self.sections.get(name).map(Vec::as_slice).ok_or_else(|| BadHandover::Missing(name.to_owned()))
    }

    /// The text under a name.
    pub fn text(&self, name: &str) -> Result<&str, BadHandover> {
        let bytes = self.get(name)?;
        str::from_utf8(bytes).map_err(|_| shape(name, bytes))
    }

    /// The value under a name, from its printed form.
    pub fn value<T: FromStr>(&self, name: &str) -> Result<T, BadHandover> {
        let text = self.text(name)?;
        text.parse().map_err(|_| shape(name, text.as_bytes()))
    }

    /// All sections as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, section) in &self.sections {
            bytes.extend_from_slice(format!("{name} {}\n", section.len()).as_bytes());
            bytes.extend_from_slice(section);
            bytes.push(b'\n');
        }
        bytes
    }

    /// The sections in `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Handover, BadHandover> {
        let mut handover = Handover::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = || BadHandover::Cut(bytes.len() - rest.len());
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
            let head = rest.get(..end).and_then(|head| str::from_utf8(head).ok()).ok_or_else(cut)?;
            let (name, len) = head.split_once(' ').ok_or_else(cut)?;
            let len: usize = len.parse().map_err(|_| cut())?;
            let from = end + 1;
            let to = from.checked_add(len).ok_or_else(cut)?;
            let section = rest.get(from..to).ok_or_else(cut)?;
            if rest.get(to) != Some(&b'\n') {
                return Err(cut());
            }
            handover.put(name, section);
            rest = rest.get(to + 1..).unwrap_or_default();
        }
        Ok(handover)
    }
}

fn shape(name: &str, bytes: &[u8]) -> BadHandover {
    BadHandover::Shape(
        name.to_owned(),
        String::from_utf8_lossy(bytes.get(..64).unwrap_or(bytes)).into_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out() {
        let mut handover = Handover::default();
        handover.put("bytes", [0, 10, 255]);
        handover.put_value("number", -3);
        handover.put("empty", []);
        let again = Handover::decode(&handover.encode());
        assert_eq!(again, Ok(handover.clone()));
        assert_eq!(handover.value::<i32>("number"), Ok(-3));
        assert!(handover.value::<u32>("number").is_err());
        assert_eq!(handover.get("none"), Err(BadHandover::Missing("none".into())));
    }

    #[test]
    fn every_cut_is_an_error_or_fewer_sections() {
        let mut handover = Handover::default();
        handover.put("a", *b"one\ntwo");
        handover.put("b", *b"three");
        let bytes = handover.encode();
        for end in 1..bytes.len() {
            if let Ok(part) = Handover::decode(&bytes[..end]) {
                assert!(part.sections.len() < 2, "cut at {end}");
            }
        }
        assert!(Handover::decode(b"a 18446744073709551615\nx\n").is_err());
    }
}
