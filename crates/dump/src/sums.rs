//! Checksums of a dump: of every page as it was handed to the writer, and of every block of the file as it was written.
//!
//! They stand at the end of the file, where no other reader looks, all numbers little endian:
//!
//! ```text
//! T            u32 for every page in the file, in page frame order: CRC32C of its 4096 bytes before compression
//! then         u32 for every 4096 bytes of the file below T: CRC32C of what stands there
//! then         zeros
//! end - 64     footer: magic, version, T, how many of each, CRC32C of all from T to here, CRC32C of the footer
//! ```
//!
//! The first kind proves that what a reader gets is what was read from memory, compressor and decompressor included;
//! the second that no bit of the file has changed, headers, bitmaps and padding too, and says where one has. A note
//! of type [`crate::note::SUMS`] promises the table, so that a file that was cut off is told from one that never had
//! any. CRC32C finds accidents. It is no signature: who changes a file on purpose changes the checksum with it.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem::size_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::addr::PAGE_SIZE;
use crate::input::{Input, refuse};
use crate::note::{LKD, Note};
use crate::stream::Stream;
use crate::{ByteLen, Error, FileOff, Meta, Notes, Options, PageSource, Summary, note};

/// How much of the file one checksum is of.
pub(crate) const BLOCK: u64 = PAGE_SIZE as u64;
const VERSION: u32 = 1;
const MAGIC: [u8; 8] = *b"LKDSUMS\0";

/// The checksum of some bytes.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// The note that promises a table (32 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Promise {
    /// Where in the file the table starts; a multiple of 4096, and the file's length without it.
    pub offset: u64,
    /// How long it is with its footer, which are the file's last bytes.
    pub bytes: u64,
    /// Pages that it has a checksum for: all that are in the file.
    pub pages: u64,
    /// 1.
    pub version: u32,
    /// 0.
    pub reserved: u32,
}

/// The file's last bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Footer {
    magic: [u8; 8],
    version: u32,
    reserved: [u32; 3],
    offset: u64,
    pages: u64,
    blocks: u64,
    reserved_too: u64,
    table_sum: u32,
    /// Of the bytes of this footer before it.
    sum: u32,
}

const FOOTER: usize = size_of::<Footer>();

const _: () = {
    assert!(size_of::<Promise>() == 32);
    assert!(FOOTER == 64);
};

/// Bytes that a table of so many checksums takes in the file, a multiple of 4096.
fn table_len(pages: u64, blocks: u64) -> Option<u64> {
    let sums = pages.checked_add(blocks)?.checked_mul(4)?;
    sums.checked_add(FOOTER as u64)?.checked_next_multiple_of(BLOCK)
}

impl Promise {
    /// What the promise takes among the notes.
    pub(crate) const NOTE_LEN: u64 = 12 + 4 + size_of::<Promise>() as u64;

    /// The promise of a table behind a file of `file` bytes with `pages` pages.
    pub(crate) fn new(file: FileOff, pages: u64) -> Result<Promise, Error> {
        let bytes = table_len(pages, file.0 / BLOCK)
            .ok_or(Error::Unfit("the page frames reach further than a file can be long"))?;
        Ok(Promise { offset: file.0, bytes, pages, version: VERSION, reserved: 0 })
    }

    /// Appends the promise.
    pub(crate) fn note(&self, notes: &mut Notes) {
        notes.push(LKD, note::SUMS, self.as_bytes());
    }
}

/// A file being written, every block of which is checked off as it goes by. What is never written is zeros.
pub(crate) struct Summed<W> {
    file: W,
    at: u64,
    pages: Vec<u32>,
    /// Where blocks are pages as they are, one after the other, if they are.
    pages_at: Option<u64>,
    blocks: Vec<u32>,
    /// The checksum of a block of zeros.
    hole: u32,
}

impl<W: Write + Seek> Summed<W> {
    /// Takes a file that is empty.
    pub fn new(file: W) -> Summed<W> {
        let hole = of(&[0; PAGE_SIZE]);
        Summed { file, at: 0, pages: Vec::new(), pages_at: None, blocks: Vec::new(), hole }
    }

    /// From this offset on the file holds the pages as they are: their checksums are known, and need not be taken again
    /// by the one thread that writes.
    pub fn with_pages_at(file: W, at: FileOff) -> Summed<W> {
        Summed { pages_at: Some(at.0), ..Summed::new(file) }
    }

    /// Notes the checksums of the next pages of the file.
    pub fn pages(&mut self, sums: &[u32]) {
        self.pages.extend_from_slice(sums);
    }

    fn blocks(&mut self, at: u64, bytes: &[u8]) {
        let first = (at / BLOCK) as usize;
        let end = first + bytes.len().div_ceil(PAGE_SIZE);
        if self.blocks.len() < end {
            self.blocks.resize(end, self.hole);
        }
        let page = self.pages_at.and_then(|start| at.checked_sub(start)).map(|past| (past / BLOCK) as usize);
        let mut known = page.and_then(|page| self.pages.get(page..)).unwrap_or_default().iter();
        let room = self.blocks.get_mut(first..end).unwrap_or_default();
        for (sum, block) in room.iter_mut().zip(bytes.chunks(PAGE_SIZE)) {
            *sum = known.next().copied().unwrap_or_else(|| of(block));
        }
    }

    /// Writes what is still missing: the table, which knows `front`, then `front` at the file's start, its first
    /// block last. So a file that was cut off while it was written has no magic.
    pub fn finish(mut self, promise: &Promise, mut front: Vec<u8>) -> Result<(), Error> {
        front.resize(front.len().next_multiple_of(PAGE_SIZE), 0);
        self.blocks(0, &front);
        self.blocks.resize((promise.offset / BLOCK) as usize, self.hole);

        let Summed { mut file, pages, blocks, .. } = self;
        let mut footer = Footer {
            magic: MAGIC,
            version: VERSION,
            reserved: [0; 3],
            offset: promise.offset,
            pages: pages.len() as u64,
            blocks: blocks.len() as u64,
            reserved_too: 0,
            table_sum: 0,
            sum: 0,
        };
        let padding = (promise.bytes as usize)
            .checked_sub(FOOTER + 4 * (pages.len() + blocks.len()))
            .ok_or(Error::Room { what: "checksums", wanted: footer.pages, room: promise.pages })?;
        let mut table = Stream::new("writing the checksums", FileOff(promise.offset));
        for part in [pages.as_bytes(), blocks.as_bytes(), &vec![0; padding]] {
            footer.table_sum = crc32c::crc32c_append(footer.table_sum, part);
            table.put(&mut file, part)?;
        }
        footer.sum = of(footer.as_bytes().get(..FOOTER - 4).unwrap_or_default());
        table.put(&mut file, footer.as_bytes())?;
        table.finish(&mut file)?;

        let (first, rest) = front.split_at(front.len().min(PAGE_SIZE));
        for (doing, at, bytes) in [("writing the notes", BLOCK, rest), ("writing the header", 0, first)] {
            let mut stream = Stream::new(doing, FileOff(at));
            stream.put(&mut file, bytes)?;
            stream.finish(&mut file)?;
            file.flush().map_err(|error| Error::Io { doing: "flushing the dump", error })?;
        }
        Ok(())
    }
}

impl<W: Write + Seek> Write for Summed<W> {
    /// Writes whole blocks, from the start of one.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.at.is_multiple_of(BLOCK) || !bytes.len().is_multiple_of(PAGE_SIZE) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.file.write_all(bytes)?;
        self.blocks(self.at, bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<W: Write + Seek> Seek for Summed<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

/// The checksums of a file, as they are read.
#[derive(Debug)]
pub(crate) struct Table {
    /// One for each page.
    pub pages: Vec<u32>,
    /// One for each block of the file before the table.
    pub blocks: Vec<u32>,
}

/// What stands at a file's end.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing that looks like a table.
    Other,
    /// A table, or what is left of it.
    Broken(Error),
    /// A table.
    Table(Table),
}

impl End {
    /// Looks at a file's end.
    pub fn read<R: Read + Seek>(input: &mut Input<R>) -> Result<End, Error> {
        let Some(at) = input.len().0.checked_sub(FOOTER as u64) else { return Ok(End::Other) };
        let bytes = input.bytes(FileOff(at), FOOTER, "footer")?.to_vec();
        let Ok(footer) = Footer::read_from_bytes(&bytes) else { return Ok(End::Other) };
        let summed = of(bytes.get(..FOOTER - 4).unwrap_or_default());
        // One wrong bit may be in the magic itself; so few bytes are not this near to it by chance.
        let alike = footer.magic.iter().zip(MAGIC).filter(|(have, want)| **have == *want).count();
        if alike + 1 < MAGIC.len() && footer.sum != summed {
            return Ok(End::Other);
        }
        if footer.magic != MAGIC || footer.sum != summed {
            return Ok(End::Broken(refuse(FileOff(at), "checksums' footer", "is not what was written")));
        }
        if footer.version != VERSION {
            let problem = format!("is of version {}, this lkd knows {VERSION}", footer.version);
            return Err(refuse(FileOff(at), "checksums' footer", problem));
        }
        Table::read(input, &footer).map_or_else(broken, |table| Ok(End::Table(table)))
    }
}

/// A table that cannot be read is a finding, a file that cannot be read is not.
fn broken(error: Error) -> Result<End, Error> {
    match error {
        Error::Format { .. } => Ok(End::Broken(error)),
        other => Err(other),
    }
}

impl Table {
    fn read<R: Read + Seek>(input: &mut Input<R>, footer: &Footer) -> Result<Table, Error> {
        let (offset, len) = (FileOff(footer.offset), input.len().0);
        let fits = table_len(footer.pages, footer.blocks).and_then(|bytes| footer.offset.checked_add(bytes));
        if fits != Some(len) || footer.blocks.checked_mul(BLOCK) != Some(footer.offset) {
            let problem = format!(
                "of {} pages and {} blocks from {offset} on does not end at {len:#x}",
                footer.pages, footer.blocks
            );
            return Err(refuse(FileOff(len - FOOTER as u64), "checksums' table", problem));
        }
        let mut pages = input.part(offset, len - footer.offset, "checksums")?;
        pages.truncate(pages.len().saturating_sub(FOOTER));
        if of(&pages) != footer.table_sum {
            return Err(refuse(offset, "checksums", "are not those that were written"));
        }
        let words = |bytes: &[u8]| -> Vec<u32> {
            let (words, _) = bytes.as_chunks::<4>();
            words.iter().map(|word| u32::from_le_bytes(*word)).collect()
        };
        let (pages, rest) = pages.split_at_checked(footer.pages as usize * 4).unwrap_or_default();
        let blocks = rest.get(..footer.blocks as usize * 4).unwrap_or_default();
        Ok(Table { pages: words(pages), blocks: words(blocks) })
    }
}

/// Room for a file's notes: those that are known, those that come last, and the promise.
pub(crate) fn notes_room(meta: &Meta, options: &Options) -> ByteLen {
    let known = meta.notes.len().0.saturating_add(options.closing_room.0);
    ByteLen(known.saturating_add(Promise::NOTE_LEN))
}

/// All notes of a file, the promise last.
pub(crate) fn all_notes(
    meta: &Meta,
    source: &mut dyn PageSource,
    summary: &Summary,
    promise: &Promise,
    room: ByteLen,
) -> Result<Notes, Error> {
    let mut notes = meta.notes.clone();
    let left = room.0.saturating_sub(notes.len().0).saturating_sub(Promise::NOTE_LEN);
    notes.append(&source.closing_notes(summary, ByteLen(left)).map_err(Error::Source)?);
    promise.note(&mut notes);
    if notes.len() > room {
        return Err(Error::Room { what: "bytes of notes", wanted: notes.len().0, room: room.0 });
    }
    Ok(notes)
}

impl Note<'_> {
    /// The promise of checksums at the file's end, if this note is one.
    pub fn as_promise(&self) -> Option<Promise> {
        self.is(LKD, note::SUMS).then(|| Promise::read_from_bytes(self.desc).ok()).flatten()
    }
}
