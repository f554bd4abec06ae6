//! Where traced data and messages go: standard output or `-o`'s file, and standard error, with a reader that may go away.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// The two streams of one run.
pub struct Output<'a> {
    data: Box<dyn Write + 'a>,
    messages: &'a mut dyn Write,
    quiet: bool,
    gone: bool,
}

impl<'a> Output<'a> {
    pub fn new(data: Box<dyn Write + 'a>, messages: &'a mut dyn Write) -> Output<'a> {
        Output { data, messages, quiet: false, gone: false }
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
        let _ = writeln!(self.messages, "dtrace: {text}");
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
        let mut out = Output::new(Box::new(Closed), &mut messages);
        out.data(b"x").unwrap();
        assert!(out.reader_gone());
        out.data(b"y").unwrap();
        drop(out);
        assert!(messages.is_empty());
    }

    #[test]
    fn quiet_silences_notices_only() {
        let mut messages = Vec::new();
        let mut out = Output::new(Box::new(io::sink()), &mut messages);
        out.set_quiet(true);
        out.notice("matched 1 probe");
        out.error("2 drops on CPU 0");
        drop(out);
        assert_eq!(messages, b"dtrace: 2 drops on CPU 0\n");
    }
}
