//! The D texts of one run, held whole, and the way from a byte to the line that a person sees.
//!
//! A text is bytes, not characters: a script may hold anything, and what is not UTF-8 is shown as such and never refused here.

use crate::span::Span;

/// One D text.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    kind: SourceKind,
    text: Vec<u8>,
    /// Offsets of the lines' first bytes; the first is 0.
    lines: Vec<u32>,
    marks: Vec<Mark>,
}

/// Where a text came from decides how DTrace words its messages: lines are counted in files only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// `-s FILE`, or standard input.
    File,
    /// The argument of `-n`, `-P`, `-m`, `-f` or `-i`.
    CommandLine,
}

/// A preprocessor's `# 12 "file.h"`: the next line is line 12 of that file.
#[derive(Clone, Debug)]
struct Mark {
    /// Index of the first line that it governs.
    first: u32,
    line: u32,
    file: Option<String>,
}

/// A place as a person counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// Another file than the source itself, named by a line mark.
    pub file: Option<&'a str>,
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
}

impl Source {
    /// `name` is the file's name as the user gave it, or the option's argument.
    ///
    /// Texts longer than 4 GiB are cut there: a [`Span`] is 32 bits wide.
    pub fn new(name: impl Into<String>, kind: SourceKind, text: impl Into<Vec<u8>>) -> Self {
        let mut text = text.into();
        text.truncate(u32::MAX as usize - 1);
        let mut lines = vec![0];
        lines.extend(text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i as u32 + 1));
        let name = name.into();
        let marks = find_marks(&text, &name);
        Source { name, kind, text, lines, marks }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Index of the physical line, from 0, that holds the byte.
    pub fn line_index(&self, offset: u32) -> usize {
        self.lines.partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Byte range of a physical line without its newline; empty past the end.
    pub fn line_range(&self, index: usize) -> std::ops::Range<usize> {
        let len = self.text.len();
        let start = self.lines.get(index).map_or(len, |s| *s as usize);
        let end = self.lines.get(index + 1).map_or(len, |s| *s as usize - 1);
        start..end.max(start)
    }

    /// The place of a byte, line marks honoured. An offset past the end is the end.
    pub fn location(&self, offset: u32) -> Location<'_> {
        let offset = offset.min(self.text.len() as u32);
        let index = self.line_index(offset);
        let column = offset - self.lines.get(index).copied().unwrap_or(0) + 1;
        let after = self.marks.partition_point(|m| m.first as usize <= index);
        match after.checked_sub(1).and_then(|i| self.marks.get(i)) {
            Some(mark) => Location {
                file: mark.file.as_deref(),
                line: mark.line.saturating_add(index as u32 - mark.first),
                column,
            },
            None => Location { file: None, line: index as u32 + 1, column },
        }
    }
}

/// The texts of one run; a [`Span`]'s `file` is the index here.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    pub fn new() -> Self {
        Sources::default()
    }

    /// Adds a text and returns its index. A 65,536th text shares the last index.
    pub fn add(&mut self, source: Source) -> u16 {
        let index = self.list.len().min(u16::MAX as usize) as u16;
        self.list.push(source);
        index
    }

    pub fn get(&self, file: u16) -> Option<&Source> {
        self.list.get(file as usize)
    }

    pub fn location(&self, span: Span) -> Option<Location<'_>> {
        self.get(span.file).map(|s| s.location(span.lo))
    }

    /// The bytes that a span covers; empty if it lies outside.
    pub fn slice(&self, span: Span) -> &[u8] {
        self.get(span.file).and_then(|s| s.text.get(span.lo as usize..span.hi as usize)).unwrap_or_default()
    }
}

/// Line marks stand at a line's start, outside comments. Strings end with their line, so one line at a time is enough.
fn find_marks(text: &[u8], own_name: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut in_comment = false;
    for (index, line) in text.split(|b| *b == b'\n').enumerate() {
        if !in_comment {
            marks.extend(mark_of(line, index as u32 + 1, own_name));
        }
        in_comment = ends_in_comment(line, in_comment);
    }
    marks
}

fn ends_in_comment(line: &[u8], mut in_comment: bool) -> bool {
    let mut quote = None;
    let mut rest = line;
    while let [a, tail @ ..] = rest {
        let b = tail.first().copied();
        let mut used = 1;
        match (in_comment, quote) {
            (true, _) if *a == b'*' && b == Some(b'/') => (in_comment, used) = (false, 2),
            (true, _) => {}
            (false, Some(_)) if *a == b'\\' => used = 2,
            (false, Some(q)) if *a == q => quote = None,
            (false, Some(_)) => {}
            (false, None) if *a == b'/' && b == Some(b'*') => (in_comment, used) = (true, 2),
            (false, None) if *a == b'"' || *a == b'\'' => quote = Some(*a),
            (false, None) => {}
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    in_comment
}

/// `# 12 "file"`, `#line 12 "file"`; the file may be left out.
fn mark_of(line: &[u8], first: u32, own_name: &str) -> Option<Mark> {
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.trim_start().strip_prefix('#')?.trim_start();
    let rest = rest.strip_prefix("line").map_or(rest, str::trim_start);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let number = rest.get(..digits)?.parse().ok()?;
    let name = rest.get(digits..)?.trim().strip_prefix('"').and_then(|t| t.split('"').next());
    // cpp reads our copy of the script through a descriptor; that is no name for people.
    let file = name.filter(|n| *n != own_name && !n.starts_with("/dev/fd/") && *n != "<stdin>");
    Some(Mark { first, line: number, file: file.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(source: &Source, needle: &str) -> (Option<String>, u32, u32) {
        let text = String::from_utf8_lossy(source.text()).into_owned();
        let place = source.location(text.find(needle).expect("the needle is in the text") as u32);
        (place.file.map(str::to_owned), place.line, place.column)
    }

    #[test]
    fn lines_and_columns() {
        let s = Source::new("a.d", SourceKind::File, "one\ntwo\n\n  four");
        assert_eq!(at(&s, "one"), (None, 1, 1));
        assert_eq!(at(&s, "wo"), (None, 2, 2));
        assert_eq!(at(&s, "four"), (None, 4, 3));
        assert_eq!(s.location(999).line, 4);
        assert_eq!(s.line_range(1), 4..7);
        assert_eq!(s.line_range(99), 15..15);
    }

    #[test]
    fn line_marks_are_honoured_outside_comments_only() {
        let text = "# 1 \"a.d\"\nx\n# 40 \"inc.h\" 1\ny\n# 3 \"a.d\" 2\nz\n/*\n# 900\n\" */\nw\n#line 70\nv";
        let s = Source::new("a.d", SourceKind::File, text);
        assert_eq!(at(&s, "x"), (None, 1, 1));
        assert_eq!(at(&s, "y"), (Some("inc.h".into()), 40, 1));
        assert_eq!(at(&s, "z"), (None, 3, 1));
        assert_eq!(at(&s, "w"), (None, 7, 1));
        assert_eq!(at(&s, "v"), (None, 70, 1));
    }
}
