//! What was wrong with a D text: a value while it travels, DTrace's line and a drawn source line when it is shown.
//!
//! The first part of a message is DTrace's own: the caller prints `dtrace: failed to compile script FILE: ` or
//! `dtrace: invalid probe specifier TEXT: ` and after it [`Diag::line`]. The second part, [`Diag::draw`], is ours: the source
//! line with the place marked, notes and a way out. Neither lets a control character of the script reach a terminal.

use crate::source::{Source, SourceKind, Sources};
use crate::span::Span;
pub use crate::tag::Tag;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// One mistake. `span` may be empty (`lo == hi`), it then points between two bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Diag {
    pub tag: Tag,
    pub span: Span,
    /// One sentence, small first letter, no full stop, as DTrace words it.
    pub message: String,
    /// The part of a clause that DTrace names in messages about the command line.
    pub region: Option<Region>,
    /// Short text at the marked place.
    pub label: Option<String>,
    /// Other places that matter, the first definition for example.
    pub labels: Vec<(Span, String)>,
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

/// DTrace says `in action list: …` where there are no line numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    Predicate,
    ActionList,
}

impl Diag {
    pub fn new(tag: Tag, span: Span, message: impl Into<String>) -> Self {
        Diag {
            tag,
            span,
            message: message.into(),
            region: None,
            label: None,
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    pub fn region(mut self, region: Region) -> Self {
        self.region = Some(region);
        self
    }

    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }

    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// DTrace's line without the program's prefix and without a newline: `[D_SYNTAX] line 3: MESSAGE`.
    ///
    /// The tag is there with `errtags` only. A file has lines, a command line has at most a region: `in action list: MESSAGE`.
    pub fn line(&self, sources: &Sources, errtags: bool) -> String {
        let tag = if errtags { format!("[{}] ", self.tag.name()) } else { String::new() };
        let place = match sources.get(self.span.file).map(|s| (s.kind(), s.location(self.span.lo))) {
            Some((_, place)) if place.file.is_some() => {
                format!("\"{}\", line {}: ", place.file.unwrap_or_default(), place.line)
            }
            Some((SourceKind::File, place)) => format!("line {}: ", place.line),
            _ => match self.region {
                Some(Region::Predicate) => "in predicate: ".to_owned(),
                Some(Region::ActionList) => "in action list: ".to_owned(),
                None => String::new(),
            },
        };
        clean(format!("{tag}{place}{}", self.message).as_bytes())
    }

    /// The source line with its marks, the notes and the help, several lines, the last one ended; colours are ANSI escapes.
    pub fn draw(&self, sources: &Sources, colour: bool) -> String {
        let mut group = Group::with_level(Level::ERROR);
        for file in self.files() {
            let Some(source) = sources.get(file) else { continue };
            let marks: Vec<_> = self.marks().filter(|(span, ..)| span.file == file).collect();
            let Some((first, ..)) = marks.first() else { continue };
            let place = source.location(first.lo);
            let name = match source.kind() {
                SourceKind::CommandLine => "command line".to_owned(),
                SourceKind::File => clean(place.file.unwrap_or(source.name()).as_bytes()),
            };
            let (snippet, whole_lines) = snippet(source, &marks);
            if whole_lines {
                group = group.element(snippet.path(name));
            } else {
                // The library would count the column from where the excerpt was cut.
                let origin = Origin::path(name).line(place.line as usize).char_column(place.column as usize);
                group = group.element(origin).element(snippet);
            }
        }
        for note in &self.notes {
            group = group.element(Level::NOTE.message(clean(note.as_bytes())));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(clean(help.as_bytes())));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut drawn = renderer.render(&[group]);
        drawn.push('\n');
        drawn
    }

    /// The place itself first, then the others.
    fn marks(&self) -> impl Iterator<Item = (Span, &str, AnnotationKind)> {
        let main = (self.span, self.label.as_deref().unwrap_or_default(), AnnotationKind::Primary);
        let others = self.labels.iter().map(|(span, text)| (*span, text.as_str(), AnnotationKind::Context));
        std::iter::once(main).chain(others)
    }

    fn files(&self) -> Vec<u16> {
        let mut files = Vec::new();
        for (span, ..) in self.marks() {
            if !files.contains(&span.file) {
                files.push(span.file);
            }
        }
        files
    }
}

/// Longer excerpts are cut to a window around the first mark: nobody reads a line of 64 KB.
const EXCERPT: usize = 2048;
const WINDOW: usize = 160;

/// The lines of all marks, and whether they are whole.
fn snippet<'a>(
    source: &Source,
    marks: &[(Span, &str, AnnotationKind)],
) -> (Snippet<'a, annotate_snippets::Annotation<'a>>, bool) {
    let line_of = |offset: u32| source.line_index(offset.min(source.text().len() as u32));
    let lo = marks.iter().map(|(s, ..)| s.lo).min().unwrap_or(0);
    let hi = marks.iter().map(|(s, ..)| s.hi.max(s.lo)).max().unwrap_or(0);
    let mut range = source.line_range(line_of(lo)).start..source.line_range(line_of(hi)).end;
    let whole_lines = range.len() <= EXCERPT;
    if !whole_lines {
        let middle = marks.first().map_or(0, |(s, ..)| s.lo as usize);
        let end = range.end.min(middle.saturating_add(WINDOW));
        range = range.start.max(middle.saturating_sub(WINDOW)).min(end)..end;
    }
    let start_line = source.location(range.start as u32).line as usize;
    let (text, map) = clean_mapped(source.text().get(range.clone()).unwrap_or_default());
    let inside = |offset: u32| map.at((offset as usize).clamp(range.start, range.end) - range.start);
    let mut snippet = Snippet::source(text).line_start(start_line);
    for (span, label, kind) in marks {
        let (from, to) = (inside(span.lo), inside(span.hi));
        let label = (!label.is_empty()).then(|| clean(label.as_bytes()));
        snippet = snippet.annotation(kind.span(from..to.max(from)).label(label));
    }
    (snippet, whole_lines)
}

/// What may be sent to a terminal: control characters become their pictures (␛), what is not UTF-8 becomes U+FFFD, and so do
/// characters that turn the direction of writing around. Tabs and newlines are kept by [`clean_mapped`] and not here.
pub fn clean(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().map(|c| picture(c, false)).collect()
}

fn picture(c: char, keep_layout: bool) -> char {
    match c {
        '\t' | '\n' if keep_layout => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
            char::REPLACEMENT_CHARACTER
        }
        _ => c,
    }
}

/// From offsets in the raw bytes to offsets in the cleaned text.
struct OffsetMap(Vec<u32>);

impl OffsetMap {
    fn at(&self, offset: usize) -> usize {
        self.0.get(offset).or(self.0.last()).map_or(0, |o| *o as usize)
    }
}

fn clean_mapped(bytes: &[u8]) -> (String, OffsetMap) {
    let mut text = String::with_capacity(bytes.len());
    let mut map = Vec::with_capacity(bytes.len() + 1);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            map.extend(std::iter::repeat_n(text.len() as u32, c.len_utf8()));
            text.push(picture(c, true));
        }
        for _ in chunk.invalid() {
            map.push(text.len() as u32);
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    map.push(text.len() as u32);
    (text, OffsetMap(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: SourceKind, text: &[u8]) -> Sources {
        let mut sources = Sources::new();
        sources.add(Source::new("a.d", kind, text));
        sources
    }

    #[test]
    fn dtraces_line_in_a_file_and_on_the_command_line() {
        let diag = Diag::new(Tag::FuncUndef, Span::new(0, 8, 11), "undefined function name: foo")
            .region(Region::ActionList);
        let file = one(SourceKind::File, b"BEGIN\n{ foo(); }");
        assert_eq!(diag.line(&file, false), "line 2: undefined function name: foo");
        assert_eq!(diag.line(&file, true), "[D_FUNC_UNDEF] line 2: undefined function name: foo");
        let command = one(SourceKind::CommandLine, b"BEGIN\n{ foo(); }");
        assert_eq!(diag.line(&command, false), "in action list: undefined function name: foo");
    }

    #[test]
    fn the_drawn_line_marks_the_place() {
        let diag = Diag::new(Tag::FuncUndef, Span::new(0, 8, 11), "undefined function name: foo")
            .label("no such function")
            .help("did you mean `fop`?");
        let drawn = diag.draw(&one(SourceKind::File, b"BEGIN\n{ foo(); }"), false);
        let want = " --> a.d:2:3\n  |\n2 | { foo(); }\n  |   ^^^ no such function\n  |\n  = help: did you mean `fop`?\n";
        assert_eq!(drawn, want);
    }

    #[test]
    fn escapes_of_the_script_do_not_reach_the_terminal() {
        let text = b"BEGIN { \x1b[31m\x9b\xff\xe2\x80\xae; }";
        let sources = one(SourceKind::File, text);
        let diag = Diag::new(Tag::Syntax, Span::new(0, 8, 15), "syntax error near \"\x1b[31m\"");
        for shown in [diag.line(&sources, true), diag.draw(&sources, false)] {
            assert!(!shown.contains(['\x1b', '\u{9b}', '\u{202e}']), "{shown:?}");
        }
        assert!(diag.line(&sources, false).ends_with("syntax error near \"␛[31m\""));
    }

    #[test]
    fn spans_outside_the_text_are_drawn_at_its_end() {
        let sources = one(SourceKind::File, b"BEGIN");
        let diag = Diag::new(Tag::Syntax, Span::new(0, 700, 800), "x").also(Span::new(9, 1, 2), "nowhere");
        assert!(diag.draw(&sources, false).contains("BEGIN"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let mut text = vec![b'('; 65536];
        text[40000] = b'@';
        let diag = Diag::new(Tag::Nest, Span::new(0, 40000, 40001), "too deep").label("here");
        let drawn = diag.draw(&one(SourceKind::File, &text), false);
        assert!(drawn.contains('@') && drawn.len() < 2000, "{}", drawn.len());
    }
}
