//! Where traced data and messages go: standard output or `-o`'s file, and standard error, with a reader that may go away.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// The two streams of one run.
pub struct Output<'a> {
    data: Box<dyn Write + 'a>,
    messages: &'a mut dyn Write,
    /// The messages go to a terminal, where a line can be written over.
    terminal: bool,
    progress: Progress,
    quiet: bool,
    gone: bool,
}

/// What [`Output::progress`] left behind.
#[derive(PartialEq, Eq)]
enum Progress {
    Nothing,
    /// A line that the next one may replace.
    Line,
    Told,
}

impl<'a> Output<'a> {
    pub fn new(data: Box<dyn Write + 'a>, messages: &'a mut dyn Write, terminal: bool) -> Output<'a> {
        Output { data, messages, terminal, progress: Progress::Nothing, quiet: false, gone: false }
    }

    /// `-q` and `#pragma D option quiet`: notices are no longer shown, errors are.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// `-o FILE`: data is appended to it from now on, as DTrace does.
    pub fn to_file(&mut self, path: &str) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        self.data = Box::new(file);
        Ok(())
    }

    /// Traced data, passed on at once. A reader that went away (`| head`) is no error: ask [`Output::reader_gone`].
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.gone || bytes.is_empty() {
            return Ok(());
        }
        match self.data.write_all(bytes).and_then(|()| self.data.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            done => done,
        }
    }

    pub fn reader_gone(&self) -> bool {
        self.gone
    }

    /// What the user may like to know; silent under `-q`.
    pub fn notice(&mut self, text: &str) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// What the user must know. Standard error that is closed leaves nobody to tell.
    pub fn error(&mut self, text: &str) {
        let fresh = if self.progress == Progress::Line { "\n" } else { "" };
        self.progress = Progress::Nothing;
        let _ = writeln!(self.messages, "{fresh}dtrace: {text}");
    }

    /// How far something long has come: one line that rewrites itself on a terminal, told once elsewhere.
    pub fn progress(&mut self, text: &str) {
        if self.quiet || (!self.terminal && self.progress == Progress::Told) {
            return;
        }
        if self.terminal {
            let _ = write!(self.messages, "\rdtrace: {text}\x1b[K");
            let _ = self.messages.flush();
            self.progress = Progress::Line;
        } else {
            let _ = writeln!(self.messages, "dtrace: {text}");
            self.progress = Progress::Told;
        }
    }

    /// Text that belongs to the message before it: no prefix, newline included by the caller.
    pub fn detail(&mut self, text: &str) {
        let _ = write!(self.messages, "{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_ends_quietly() {
        let mut messages = Vec::new();
        let mut out = Output::new(Box::new(Closed), &mut messages, false);
        out.data(b"x").unwrap();
        assert!(out.reader_gone());
        out.data(b"y").unwrap();
        drop(out);
        assert!(messages.is_empty());
    }

    #[test]
    fn quiet_silences_notices_only() {
        let mut messages = Vec::new();
        let mut out = Output::new(Box::new(io::sink()), &mut messages, false);
        out.set_quiet(true);
        out.notice("matched 1 probe");
        out.error("2 drops on CPU 0");
        drop(out);
        assert_eq!(messages, b"dtrace: 2 drops on CPU 0\n");
    }

    #[test]
    fn progress_rewrites_a_terminals_line_and_is_told_once_elsewhere() {
        for (terminal, want) in [
            (true, "\rdtrace: 1%\x1b[K\rdtrace: 2%\x1b[K\ndtrace: wrote it\n"),
            (false, "dtrace: 1%\ndtrace: wrote it\n"),
        ] {
            let mut messages = Vec::new();
            let mut out = Output::new(Box::new(io::sink()), &mut messages, terminal);
            out.progress("1%");
            out.progress("2%");
            out.notice("wrote it");
            drop(out);
            assert_eq!(String::from_utf8(messages).unwrap(), want);
        }
    }
}
