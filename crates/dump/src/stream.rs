//! A part of a file that grows at its end, written in large, aligned pieces; several of them share one file.
//!
//! Every write is at a multiple of 4096, a multiple of 4096 long, and of memory that starts at one wherever it was
//! gathered here, so a caller may pass them on with O_DIRECT.

use std::io::{Seek, SeekFrom, Write};

use crate::addr::PAGE_SIZE;
use crate::aligned::Aligned;
use crate::{Error, FileOff};

/// How much is written at once.
const CHUNK: usize = 1 << 20;

/// A growing part of a file.
pub(crate) struct Stream {
    what: &'static str,
    /// Where in the file the buffer's first byte goes; a multiple of 4096.
    at: FileOff,
    buffer: Aligned,
    /// How many bytes of the buffer wait.
    waiting: usize,
}

impl Stream {
    /// A part that starts at `at`, a multiple of 4096; `what` names it when a write fails.
    pub fn new(what: &'static str, at: FileOff) -> Stream {
        Stream { what, at, buffer: Aligned::new(CHUNK), waiting: 0 }
    }

    /// Where in the file the next byte goes.
    pub fn end(&self) -> FileOff {
        FileOff(self.at.0 + self.waiting as u64)
    }

    /// Appends bytes. Where nothing waits, whole chunks go to the file without being copied.
    pub fn put(&mut self, out: &mut (impl Write + Seek), mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if self.waiting == 0 && bytes.len() >= CHUNK {
                let (whole, rest) = bytes.split_at(bytes.len() / CHUNK * CHUNK);
                self.at = write(self.what, out, self.at, whole)?;
                bytes = rest;
                continue;
            }
            let room = self.buffer.get_mut().get_mut(self.waiting..).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(room.len()));
            room.get_mut(..now.len()).unwrap_or_default().copy_from_slice(now);
            self.waiting += now.len();
            bytes = later;
            if self.waiting == CHUNK {
                self.flush(out, CHUNK)?;
            }
        }
        Ok(())
    }

    /// Writes what is left, padded with zeros to a multiple of 4096; gives the end of the padding.
    pub fn finish(mut self, out: &mut (impl Write + Seek)) -> Result<FileOff, Error> {
        let padded = self.waiting.next_multiple_of(PAGE_SIZE);
        self.buffer.get_mut().get_mut(self.waiting..padded).unwrap_or_default().fill(0);
        if padded > 0 {
            self.flush(out, padded)?;
        }
        Ok(self.at)
    }

    fn flush(&mut self, out: &mut (impl Write + Seek), len: usize) -> Result<(), Error> {
        self.at = write(self.what, out, self.at, self.buffer.get().get(..len).unwrap_or_default())?;
        self.waiting = 0;
        Ok(())
    }
}

/// Writes bytes at `at`; gives where they end.
fn write(
    what: &'static str,
    out: &mut (impl Write + Seek),
    at: FileOff,
    bytes: &[u8],
) -> Result<FileOff, Error> {
    let failed = |error| Error::Io { doing: what, error };
    out.seek(SeekFrom::Start(at.0)).map_err(failed)?;
    out.write_all(bytes).map_err(failed)?;
    Ok(FileOff(at.0 + bytes.len() as u64))
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
        fn two_streams_share_a_file(pieces in prop::collection::vec((any::<bool>(), 0usize..1_400_000), 0..20)) {
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
