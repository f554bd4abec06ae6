//! Where traced data and messages go: standard output or `-o`'s file, and standard error, with a reader that may go away.

use crate::stdout::Patient;
use std::fs::OpenOptions;
use std::io::{self, Write};

/// The two streams of one run.
pub struct Output<'a> {
    data: Box<dyn Write + 'a>,
    messages: &'a mut dyn Write,
    /// Whose messages they are.
    program: &'static str,
    /// The messages go to a terminal, where a line can be written over.
    terminal: bool,
    progress: Progress,
    quiet: bool,
    gone: bool,
    /// Data that the reader has not taken yet, from `written` on.
    pending: Vec<u8>,
    written: usize,
    /// Bytes that nobody will get, once [`Output::give_up`] has said so.
    lost: Option<u64>,
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
        Output {
            data,
            messages,
            program: "dtrace",
            terminal,
            progress: Progress::Nothing,
            quiet: false,
            gone: false,
            pending: Vec::new(),
            written: 0,
            lost: None,
        }
    }

    /// Messages begin with this program's name instead of `dtrace`.
    #[must_use]
    pub fn of(mut self, program: &'static str) -> Output<'a> {
        self.program = program;
        self
    }

    /// `-q` and `#pragma D option quiet`: notices are no longer shown, errors are.
    pub fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// `-o FILE`: data is appended to it from now on, as DTrace does.
    pub fn to_file(&mut self, path: &str) -> io::Result<()> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        self.data = Box::new(Patient::new(file.into()));
        Ok(())
    }

    /// Takes data to be written; [`Output::write`] passes it on. A reader that went away (`| head`) is no error: ask
    /// [`Output::reader_gone`].
    pub fn data(&mut self, bytes: &[u8]) {
        match &mut self.lost {
            Some(lost) => *lost += bytes.len() as u64,
            None if self.gone => {}
            None => self.pending.extend_from_slice(bytes),
        }
    }

    /// Writes what is there. `false`: the reader takes nothing now, ask again.
    pub fn write(&mut self) -> io::Result<bool> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.data.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.written += n,
                Err(e) => match e.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(false),
                    io::ErrorKind::BrokenPipe => {
                        self.gone = true;
                        break;
                    }
                    _ => return Err(e),
                },
            }
        }
        self.pending.clear();
        self.written = 0;
        self.data.flush()?;
        Ok(true)
    }

    /// Data for a reader that stands still is thrown away from now on, and counted.
    pub fn give_up(&mut self) {
        let rest = self.pending.len() - self.written;
        self.pending.clear();
        self.written = 0;
        *self.lost.get_or_insert(0) += rest as u64;
    }

    /// Bytes that were thrown away, if any.
    pub fn lost(&self) -> Option<u64> {
        self.lost
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
        let _ = writeln!(self.messages, "{fresh}{}: {text}", self.program);
    }

    /// How far something long has come: one line that rewrites itself on a terminal, told once elsewhere.
    pub fn progress(&mut self, text: &str) {
        if self.quiet || (!self.terminal && self.progress == Progress::Told) {
            return;
        }
        if self.terminal {
            // Without wrapping: a line that had become two would not be written over.
            let _ = write!(self.messages, "\r\x1b[?7l{}: {text}\x1b[K\x1b[?7h", self.program);
            let _ = self.messages.flush();
            self.progress = Progress::Line;
        } else {
            let _ = writeln!(self.messages, "{}: {text}", self.program);
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
        out.data(b"x");
        assert!(out.write().unwrap() && out.reader_gone());
        out.data(b"y");
        assert!(out.write().unwrap());
        drop(out);
        assert!(messages.is_empty());
    }

    /// Takes two bytes, then nothing.
    struct Slow(usize);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.0);
            self.0 -= n;
            if n == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_reader_did_not_take_is_counted() {
        let mut messages = Vec::new();
        let mut out = Output::new(Box::new(Slow(2)), &mut messages, false);
        out.data(b"abcde");
        assert!(!out.write().unwrap() && !out.write().unwrap());
        assert_eq!(out.lost(), None);
        out.give_up();
        out.data(b"fg");
        assert_eq!(out.lost(), Some(5));
        assert!(out.write().unwrap() && !out.reader_gone());
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
            (
                true,
                "\r\x1b[?7ldtrace: 1%\x1b[K\x1b[?7h\r\x1b[?7ldtrace: 2%\x1b[K\x1b[?7h\ndtrace: wrote it\n",
            ),
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
