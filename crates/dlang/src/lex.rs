//! D text cut into tokens, one at a time, in the mode that the parser asks for.
//!
//! D needs modes: `syscall::read*:entry` is one token where a probe may be named and nine inside a clause. The lexer keeps only
//! a position, so the parser may look ahead and go back; each mistake and each control line is reported once however often
//! its text is read. A mistake gives a diagnostic and a token all the same, so that one error does not become ten.

mod macros;
mod number;
mod quoted;

pub use macros::{Ids, MacroArgs};

use crate::diag::{Diag, Tag};
use crate::span::Span;
use crate::token::{Key, Punct, Tok, Token};
use macros::Shape;

/// The longest module name with dots, symbol included, that is recognised.
const MODULE_NAME: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Outside clauses: probe descriptions, numbers, `/`, `,` and `{`.
    Outer,
    /// Everything else: C's tokens.
    Inner,
}

/// A line that begins with `#`.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    pub words: Vec<Word>,
    pub span: Span,
}

/// One word of a control line; a quoted one has its quotes taken off.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub text: String,
    pub quoted: bool,
}

pub struct Lexer<'a> {
    file: u16,
    text: &'a [u8],
    pos: usize,
    /// What lies before has reported its mistakes and control lines already.
    reported: usize,
    args: &'a MacroArgs,
    /// `-x defaultargs`, or the pragma, which counts from its line on.
    default_args: bool,
    pub diags: Vec<Diag>,
    pub controls: Vec<Control>,
    /// Which of `$0`, `$1`, … were named.
    pub used: Vec<bool>,
}

impl<'a> Lexer<'a> {
    pub fn new(file: u16, text: &'a [u8], args: &'a MacroArgs) -> Self {
        let used = vec![false; args.argv.len() + 1];
        let default_args = args.default_args;
        Lexer {
            file,
            text,
            pos: 0,
            reported: 0,
            args,
            default_args,
            diags: Vec::new(),
            controls: Vec::new(),
            used,
        }
    }

    pub fn pos(&self) -> u32 {
        self.pos as u32
    }

    /// Goes to a place that an earlier token began or ended at.
    pub fn seek(&mut self, pos: u32) {
        self.pos = (pos as usize).min(self.text.len());
    }

    pub fn seek_end(&mut self) {
        self.pos = self.text.len();
        self.reported = self.pos;
    }

    /// The bytes of a span of this text, up to a newline.
    pub fn word(&self, span: Span) -> &'a [u8] {
        let bytes = self.text.get(span.lo as usize..span.hi as usize).unwrap_or_default();
        bytes.split(|b| *b == b'\n').next().unwrap_or_default()
    }

    pub fn next(&mut self, mode: Mode) -> Token {
        self.skip_blank();
        let start = self.pos;
        let tok = match (mode, self.rest()) {
            (_, []) => Tok::Eof,
            (_, [b'0'..=b'9', ..]) => self.number(),
            (Mode::Outer, [b, ..]) if is_spec_byte(*b) => self.spec(),
            (Mode::Inner, [b'.', b'0'..=b'9', ..]) => self.number(),
            (Mode::Inner, [b'"', ..]) => self.string(),
            (Mode::Inner, [b'\'', ..]) => self.character(),
            (Mode::Inner, [b'@', ..]) => self.aggregation(),
            (Mode::Inner, [b'$', ..]) => self.macro_reference(),
            (Mode::Inner, [b, ..]) if is_name_start(*b) || *b == b'`' => self.name(),
            _ => self.punct(),
        };
        let token = Token { tok, span: self.span(start) };
        self.reported = self.reported.max(self.pos);
        token
    }

    /// A `/` closes a predicate if what follows can only come after one; comments do not count, as they do in DTrace.
    pub fn slash_closes(&mut self) -> bool {
        let pos = self.pos;
        self.skip_blank();
        let next = self.rest().first().copied();
        self.pos = pos;
        matches!(next, None | Some(b';' | b'{' | b'/'))
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start as u32, self.pos as u32)
    }

    /// Consumes and returns the longest run of such bytes.
    fn take_while(&mut self, keep: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|b| !keep(*b)).unwrap_or(rest.len());
        self.pos += len;
        rest.get(..len).unwrap_or_default()
    }

    /// As [`Self::take_while`], for ASCII.
    fn take_text(&mut self, keep: impl Fn(u8) -> bool) -> String {
        String::from_utf8_lossy(self.take_while(keep)).into_owned()
    }

    fn report(&mut self, start: usize, tag: Tag, message: impl Into<String>) -> Option<&mut Diag> {
        if start < self.reported {
            return None;
        }
        self.diags.push(Diag::new(tag, self.span(start), message));
        self.diags.last_mut()
    }

    /// White space, comments, `\` at a line's end, `#!` lines and control lines.
    fn skip_blank(&mut self) {
        let mut line_start = self.pos == 0;
        loop {
            let blank = self.take_while(|b| b.is_ascii_whitespace() || b == 11);
            line_start |= blank.contains(&b'\n');
            match self.rest() {
                [b'\\', b'\n', ..] => {
                    self.pos += 2;
                    line_start = true;
                }
                [b'\\', b'\r', b'\n', ..] => {
                    self.pos += 3;
                    line_start = true;
                }
                [b'/', b'*', ..] => self.comment(),
                [b'#', b'!', ..] if line_start => {
                    self.take_while(|b| b != b'\n');
                }
                [b'#', ..] if line_start => self.control(),
                _ => return,
            }
        }
    }

    fn comment(&mut self) {
        let start = self.pos;
        self.pos += 2;
        loop {
            self.take_while(|b| b != b'*' && b != b'/');
            match self.rest() {
                [] => {
                    if let Some(diag) =
                        self.report(start, Tag::Syntax, "end-of-file encountered before matching */")
                    {
                        diag.span.hi = diag.span.lo + 2;
                        diag.label = Some("the comment starts here".into());
                    }
                    self.reported = self.reported.max(self.pos);
                    return;
                }
                [b'*', b'/', ..] => {
                    self.pos += 2;
                    return;
                }
                [b'/', b'*', ..] => {
                    let inner = self.pos;
                    self.pos += 2;
                    if let Some(diag) = self.report(inner, Tag::Syntax, "/* encountered inside a comment") {
                        diag.help = Some("comments do not nest".into());
                        self.reported = self.pos;
                    }
                }
                _ => self.pos += 1,
            }
        }
    }

    /// `# word "string" …` up to the newline.
    fn control(&mut self) {
        let start = self.pos;
        self.pos += 1;
        let mut words = Vec::new();
        loop {
            self.take_while(|b| b.is_ascii_whitespace() && b != b'\n' || b == 11);
            match self.rest() {
                [] | [b'\n', ..] => break,
                [b'"', ..] => {
                    if let Tok::Str(text) = self.string() {
                        words.push(Word { text: String::from_utf8_lossy(&text).into_owned(), quoted: true });
                    }
                }
                _ => {
                    let text = self.take_text(|b| !b.is_ascii_whitespace() && b != b'"');
                    words.push(Word { text, quoted: false });
                }
            }
        }
        let texts: Vec<&str> = words.iter().map(|w| w.text.as_str()).collect();
        if let ["pragma", "D", "option", option @ ("defaultargs" | "argref")] = texts.as_slice() {
            // The two options that change what later tokens are; all others are the checker's.
            self.default_args |= *option == "defaultargs";
            self.used.fill(true);
        }
        if start >= self.reported {
            self.controls.push(Control { words, span: self.span(start) });
            self.reported = self.pos;
        }
    }

    fn number(&mut self) -> Tok {
        let start = self.pos;
        self.pos += number::extent(self.rest());
        let text = String::from_utf8_lossy(self.word(self.span(start))).into_owned();
        let (lit, error) = number::read(&text);
        if let Some((tag, message)) = error {
            self.report(start, tag, message);
        }
        Tok::Int { lit, sign: None }
    }

    fn string(&mut self) -> Tok {
        let mut bytes = self.quoted(Tag::StrNl, "newline encountered in string literal");
        if let Some(nul) = bytes.iter().position(|b| *b == 0) {
            bytes.truncate(nul);
        }
        Tok::Str(bytes)
    }

    fn character(&mut self) -> Tok {
        let start = self.pos;
        let errors = self.diags.len();
        let bytes = self.quoted(Tag::ChrNl, "newline encountered in character constant");
        if bytes.is_empty() && self.diags.len() == errors {
            self.report(start, Tag::ChrNull, "empty character constant");
        }
        let value = quoted::fold(&bytes);
        if value.is_none() {
            self.report(start, Tag::ChrOflow, "character constant is too long");
        }
        Tok::Char(value.unwrap_or(0))
    }

    /// The decoded inside of a quoted text.
    fn quoted(&mut self, tag: Tag, unclosed: &str) -> Vec<u8> {
        let start = self.pos;
        let rest = self.rest();
        let inside = match quoted::end(rest) {
            quoted::End::Closed(end) => {
                self.pos += end;
                rest.get(1..end - 1)
            }
            quoted::End::Newline(end) => {
                self.pos += end;
                self.report(start, tag, unclosed);
                rest.get(1..end)
            }
        };
        quoted::decode(inside.unwrap_or_default())
    }

    fn aggregation(&mut self) -> Tok {
        self.pos += 1;
        match self.rest().first() {
            Some(b) if is_name_start(*b) => Tok::Agg(self.take_text(is_name_byte)),
            _ => Tok::Agg(String::new()),
        }
    }

    fn spec(&mut self) -> Tok {
        Tok::Spec(self.take_text(|b| is_spec_byte(b) || b.is_ascii_digit() || b == b'`'))
    }

    /// A name, a reserved word, or a name with a back-quote; the part before the last back-quote may hold dots.
    fn name(&mut self) -> Tok {
        let rest = self.rest();
        let plain = rest.iter().position(|b| !is_name_byte(*b) && *b != b'`').unwrap_or(rest.len());
        let mut end = plain;
        if rest.get(plain) == Some(&b'.') {
            // `foo.ko`sym`: only a back-quote further on tells that the dot is no member access.
            // Names are short; the bound keeps `a.a.a…` from being read to its end again at each name.
            let near = rest.get(..MODULE_NAME).unwrap_or(rest);
            let dotted = near.iter().position(|b| !is_name_byte(*b) && !matches!(b, b'`' | b'.'));
            let run = near.get(..dotted.unwrap_or(near.len())).unwrap_or_default();
            if let Some(quote) = run.iter().rposition(|b| *b == b'`').filter(|q| *q > plain) {
                let tail = run.get(quote + 1..).unwrap_or_default();
                end = quote + 1 + tail.iter().position(|b| *b == b'.').unwrap_or(tail.len());
            }
        }
        self.pos += end;
        word(&String::from_utf8_lossy(rest.get(..end).unwrap_or_default()))
    }

    fn punct(&mut self) -> Tok {
        let rest = self.rest();
        match Punct::ALL.iter().find(|p| rest.starts_with(p.text().as_bytes())) {
            Some(punct) => {
                self.pos += punct.text().len();
                Tok::Punct(*punct)
            }
            None => {
                // One character as a person counts them, so that messages can show it.
                let valid = rest.utf8_chunks().next().and_then(|c| c.valid().chars().next());
                self.pos += valid.map_or(1, char::len_utf8);
                Tok::Other
            }
        }
    }

    /// `$1`, `$$1`, `$name`, `$$name`.
    fn macro_reference(&mut self) -> Tok {
        let start = self.pos;
        self.pos += 1;
        let as_text = self.rest().first() == Some(&b'$');
        self.pos += usize::from(as_text);
        match self.rest().first() {
            Some(b'0'..=b'9') => {
                let digits = self.take_text(|b| b.is_ascii_digit());
                self.argument(start, digits.parse().unwrap_or(usize::MAX), as_text)
            }
            Some(b) if is_name_start(*b) => {
                let name = self.take_text(is_name_byte);
                self.variable(start, &name, as_text)
            }
            _ => Tok::Other,
        }
    }

    fn argument(&mut self, start: usize, index: usize, as_text: bool) -> Tok {
        if let Some(used) = self.used.get_mut(index) {
            *used = true;
        }
        let args = self.args;
        let value = match args.arg(index) {
            Some(value) => value,
            None => {
                let name = String::from_utf8_lossy(self.word(self.span(start))).into_owned();
                if !self.default_args {
                    let message = format!("macro argument {name} is not defined");
                    if let Some(diag) = self.report(start, Tag::MacroUndef, message) {
                        diag.label = Some(match args.argv.len() {
                            0 => "the script was given no arguments".into(),
                            1 => "the script was given one argument".into(),
                            n => format!("the script was given {n} arguments"),
                        });
                        diag.help = Some("-x defaultargs makes it 0 or \"\"".into());
                    }
                }
                if as_text { "" } else { "0" }
            }
        };
        match macros::shape(value) {
            _ if as_text => Tok::Str(decode_argument(value)),
            Shape::Text(text) => Tok::Str(decode_argument(text)),
            Shape::Word(text) => word(text),
            Shape::Int(sign, digits) => {
                let (lit, error) = number::read(digits);
                if let Some((tag, message)) = error {
                    let name = String::from_utf8_lossy(self.word(self.span(start))).into_owned();
                    let tag = if tag == Tag::IntOflow { Tag::MacroOflow } else { tag };
                    self.report(start, tag, format!("macro argument {name} {message}"));
                }
                let sign = sign.map(|s| if s == b'-' { Punct::Sub } else { Punct::Add });
                Tok::Int { lit, sign }
            }
        }
    }

    fn variable(&mut self, start: usize, name: &str, as_text: bool) -> Tok {
        let value = self.args.variable(name);
        if value.is_none() {
            let dollars = if as_text { "$$" } else { "$" };
            let message = format!("macro variable {dollars}{name} is not defined");
            if let Some(diag) = self.report(start, Tag::MacroUndef, message) {
                diag.help = (name == "target").then(|| "name a process with -p PID or -c COMMAND".into());
            }
        }
        let value = value.unwrap_or(0);
        if as_text {
            return Tok::Str(value.to_string().into_bytes());
        }
        // D's ids are ints: a negative one wraps as C's conversion does.
        let lit = crate::ast::IntLit {
            value: i64::from(value as i32) as u64,
            unsigned: false,
            long: 0,
            decimal: true,
        };
        Tok::Int { lit, sign: None }
    }
}

fn decode_argument(text: &str) -> Vec<u8> {
    let mut bytes = quoted::decode(text.as_bytes());
    if let Some(nul) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(nul);
    }
    bytes
}

/// A name in its place: reserved, with a back-quote, or plain.
fn word(text: &str) -> Tok {
    if let Some((module, name)) = text.rsplit_once('`') {
        let module = (!module.is_empty()).then(|| module.to_owned());
        return Tok::Sym { module, name: name.to_owned() };
    }
    Key::from_text(text).map_or_else(|| Tok::Ident(text.to_owned()), Tok::Key)
}

fn is_name_start(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_'
}

fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// What may begin a probe description: names, globs, `:`, `-`, `$` for macros; `+` for the likes of libstdc++.
fn is_spec_byte(b: u8) -> bool {
    is_name_start(b)
        || matches!(b, b'-' | b'$' | b':' | b'.' | b'?' | b'*' | b'\\' | b'[' | b']' | b'!' | b'+')
}
