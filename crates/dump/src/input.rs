//! The one cursor of the readers: bytes at an offset of a file, or which field wanted them and how many there were.

use std::io::{Read, Seek, SeekFrom};
use std::mem::size_of;

use zerocopy::FromBytes;

use crate::{ByteLen, Error, FileOff};

/// How much is read at once around a small read.
const WINDOW: usize = 64 << 10;
/// Windows kept: descriptors and page data are read in turn, each ascending.
const WINDOWS: usize = 4;

/// A file that is read at offsets.
pub(crate) struct Input<R> {
    file: R,
    len: ByteLen,
    windows: [Window; WINDOWS],
    /// The window to give up next.
    oldest: usize,
}

#[derive(Default)]
struct Window {
    at: u64,
    bytes: Vec<u8>,
}

/// A refusal that names offset and field.
pub(crate) fn refuse(at: FileOff, field: &'static str, problem: impl Into<String>) -> Error {
    Error::Format { at, field, problem: problem.into() }
}

impl<R: Read + Seek> Input<R> {
    /// A file from its first byte to its last.
    pub fn new(mut file: R) -> Result<Input<R>, Error> {
        let len = file
            .seek(SeekFrom::End(0))
            .map_err(|error| Error::Io { doing: "finding the dump's end", error })?;
        Ok(Input { file, len: ByteLen(len), windows: Default::default(), oldest: 0 })
    }

    /// How long the file is.
    pub fn len(&self) -> ByteLen {
        self.len
    }

    /// Checks that `len` bytes at `at` are there, before anybody makes room for them.
    pub fn check(&self, at: FileOff, len: u64, field: &'static str) -> Result<(), Error> {
        match at.checked_add(len) {
            Some(end) if end.0 <= self.len.0 => Ok(()),
            _ => Err(refuse(at, field, format!("wants {len} bytes, the file ends at {}", self.len))),
        }
    }

    /// The record at `at`.
    pub fn record<T: FromBytes>(&mut self, at: FileOff, field: &'static str) -> Result<T, Error> {
        let bytes = self.bytes(at, size_of::<T>(), field)?;
        let short = || refuse(at, field, "is short");
        T::read_from_bytes(bytes).map_err(|_| short())
    }

    /// Up to 64 KiB at `at`, through the windows.
    pub fn bytes(&mut self, at: FileOff, len: usize, field: &'static str) -> Result<&[u8], Error> {
        self.check(at, len as u64, field)?;
        let holds = |window: &Window| {
            at.0 >= window.at
                && at.0 - window.at + len as u64 <= window.bytes.len() as u64
                && !window.bytes.is_empty()
        };
        let place = match self.windows.iter().position(holds) {
            Some(place) => place,
            None => {
                let place = self.oldest;
                self.oldest = (self.oldest + 1) % WINDOWS;
                let fill = (WINDOW.max(len) as u64).min(self.len.0 - at.0);
                let mut bytes =
                    self.windows.get_mut(place).map(|old| std::mem::take(&mut old.bytes)).unwrap_or_default();
                bytes.resize(fill as usize, 0);
                self.read_into(at, &mut bytes, field)?;
                if let Some(window) = self.windows.get_mut(place) {
                    *window = Window { at: at.0, bytes };
                }
                place
            }
        };
        let found = self.windows.get(place).and_then(|window| {
            let from = (at.0 - window.at) as usize;
            window.bytes.get(from..from.checked_add(len)?)
        });
        found.ok_or_else(|| refuse(at, field, "is short"))
    }

    /// All of a large part, which must be in the file.
    pub fn part(&mut self, at: FileOff, len: u64, field: &'static str) -> Result<Vec<u8>, Error> {
        self.check(at, len, field)?;
        let len =
            usize::try_from(len).map_err(|_| refuse(at, field, "is larger than this machine's memory"))?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| refuse(at, field, format!("no memory for {len} bytes")))?;
        bytes.resize(len, 0);
        self.read_into(at, &mut bytes, field)?;
        Ok(bytes)
    }

    fn read_into(&mut self, at: FileOff, bytes: &mut [u8], field: &'static str) -> Result<(), Error> {
        let failed = |error| Error::Io { doing: field, error };
        self.file.seek(SeekFrom::Start(at.0)).map_err(failed)?;
        self.file.read_exact(bytes).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_read_is_the_files_bytes_or_says_where_it_ends(
            reads in prop::collection::vec((0u64..300_000, 0usize..70_000), 1..40),
        ) {
            let file: Vec<u8> = (0..200_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let mut input = Input::new(Cursor::new(&file)).unwrap();
            for (at, len) in reads {
                let expected = file.get(at as usize..).and_then(|rest| rest.get(..len));
                match input.bytes(FileOff(at), len, "field") {
                    Ok(bytes) => prop_assert_eq!(Some(bytes), expected),
                    Err(error) => {
                        prop_assert_eq!(None, expected);
                        let text = format!("at {at:#x}: field: wants {len} bytes, the file ends at 0x30d40");
                        prop_assert_eq!(error.to_string(), text);
                    }
                }
            }
        }
    }

    #[test]
    fn an_offset_near_the_end_of_numbers_is_refused() {
        let mut input = Input::new(Cursor::new(vec![0; 10])).unwrap();
        assert!(input.bytes(FileOff(u64::MAX - 1), 4, "field").is_err());
        assert!(input.part(FileOff(5), u64::MAX, "field").is_err());
    }
}
