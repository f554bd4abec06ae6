//! A part of a file that grows at its end, written in large, aligned pieces; several of them share one file.
//!
//! Every write is at a multiple of 4096 and a multiple of 4096 long, so a caller may pass them on with O_DIRECT.

use std::io::{Seek, SeekFrom, Write};

use crate::addr::PAGE_SIZE;
use crate::{Error, FileOff};

/// How much is written at once.
const CHUNK: usize = 1 << 20;

/// A growing part of a file.
pub(crate) struct Stream {
    what: &'static str,
    /// Where in the file the buffer's first byte goes; a multiple of 4096.
    at: FileOff,
    buffer: Vec<u8>,
}

impl Stream {
    /// A part that starts at `at`, a multiple of 4096; `what` names it when a write fails.
    pub fn new(what: &'static str, at: FileOff) -> Stream {
        Stream { what, at, buffer: Vec::with_capacity(2 * CHUNK) }
    }

    /// Where in the file the next byte goes.
    pub fn end(&self) -> FileOff {
        FileOff(self.at.0 + self.buffer.len() as u64)
    }

    /// Appends bytes.
    pub fn put(&mut self, out: &mut (impl Write + Seek), bytes: &[u8]) -> Result<(), Error> {
        self.buffer.extend_from_slice(bytes);
        let whole = self.buffer.len() / CHUNK * CHUNK;
        if whole > 0 {
            self.write(out, whole)?;
        }
        Ok(())
    }

    /// Writes what is left, padded with zeros to a multiple of 4096; gives the end of the padding.
    pub fn finish(mut self, out: &mut (impl Write + Seek)) -> Result<FileOff, Error> {
        let padded = self.buffer.len().next_multiple_of(PAGE_SIZE);
        self.buffer.resize(padded, 0);
        if padded > 0 {
            self.write(out, padded)?;
        }
        Ok(self.at)
    }

    fn write(&mut self, out: &mut (impl Write + Seek), len: usize) -> Result<(), Error> {
        let failed = |error| Error::Io { doing: self.what, error };
        out.seek(SeekFrom::Start(self.at.0)).map_err(failed)?;
        out.write_all(self.buffer.get(..len).unwrap_or_default()).map_err(failed)?;
        self.buffer.drain(..len);
        self.at = FileOff(self.at.0 + len as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Cursor};

    use proptest::prelude::*;

    use super::*;

    /// A file that notes every write.
    #[derive(Default)]
    struct Watched {
        file: Cursor<Vec<u8>>,
        writes: Vec<(u64, usize)>,
    }

    impl Write for Watched {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes.push((self.file.position(), bytes.len()));
            self.file.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Watched {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.file.seek(to)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10))]
        #[test]
        fn two_streams_share_a_file(pieces in prop::collection::vec((any::<bool>(), 0usize..400_000), 0..20)) {
            let mut out = Watched::default();
            let starts = [FileOff(8192), FileOff(32 << 20)];
            let mut streams = starts.map(|start| Stream::new("test", start));
            let mut models = [Vec::new(), Vec::new()];
            for (number, (second, len)) in pieces.into_iter().enumerate() {
                let bytes = vec![number as u8 + 1; len];
                let which = usize::from(second);
                prop_assert_eq!(streams[which].end().0, starts[which].0 + models[which].len() as u64);
                streams[which].put(&mut out, &bytes).unwrap();
                models[which].extend_from_slice(&bytes);
            }
            for ((stream, model), start) in streams.into_iter().zip(models).zip(starts) {
                let end = stream.finish(&mut out).unwrap();
                prop_assert_eq!(end.0, start.0 + model.len().next_multiple_of(4096) as u64);
                let stored = out.file.get_ref().get(start.0 as usize..).unwrap_or_default();
                prop_assert!(stored.starts_with(&model));
            }
            prop_assert!(out.writes.iter().all(|(at, len)| at % 4096 == 0 && len % 4096 == 0));
        }
    }
}
