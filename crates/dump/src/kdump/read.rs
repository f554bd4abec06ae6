//! Reading a compressed kdump file.

use std::io::{Read, Seek};
use std::mem::offset_of;
use std::sync::{Arc, Mutex, PoisonError};

use super::header::{
    BLOCK, DESC_LEN, FLATTENED, Header, PageDesc, SIGNATURE, STATUS_INCOMPLETE, STATUS_ZLIB, STATUS_ZSTD,
    SubHeader, VERSION,
};
use crate::addr::PAGE_SIZE;
use crate::cache::PageCache;
use crate::codec::Unpacker;
use crate::input::{Input, refuse};
use crate::memory::{Memory, Page, Why};
use crate::note::{self, Note};
use crate::{Codec, Error, FileOff, Kind, Machine, Meta, Notes, Pfn, PfnSet, UnixTime};

/// Bytes of a bitmap between two counts of the bits so far.
const RANK_BYTES: usize = 64;

/// An open compressed kdump file.
pub struct Reader<R> {
    meta: Meta,
    codec: Codec,
    notes: Vec<u8>,
    ram: Bitmap,
    dumped: Bitmap,
    /// Where bitmap1 starts.
    bitmaps: FileOff,
    descs: FileOff,
    open: Mutex<Open<R>>,
}

/// What changes while reading.
struct Open<R> {
    input: Input<R>,
    unpacker: Unpacker,
    cache: PageCache,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file, its headers and bitmaps checked against its length.
    pub fn open(file: R) -> Result<Reader<R>, Error> {
        let mut input = Input::new(file)?;
        let start = input.bytes(FileOff(0), SIGNATURE.len(), "signature")?;
        if FLATTENED.starts_with(start) {
            let cure = "is a flattened dump; make it whole first with makedumpfile -R";
            return Err(refuse(FileOff(0), "signature", cure));
        }
        if start != SIGNATURE {
            return Err(refuse(FileOff(0), "signature", "is not that of a compressed kdump file"));
        }
        let header: Header = input.record(FileOff(0), "disk_dump_header")?;
        let sub: SubHeader = input.record(FileOff(BLOCK), "kdump_sub_header")?;
        check_header(&header, &sub)?;

        let bitmap_at = FileOff(BLOCK * (1 + u64::from(header.sub_hdr_blocks)));
        let bitmap_len = u64::from(header.bitmap_blocks) / 2 * BLOCK;
        let max_mapnr = sub.max_mapnr;
        if max_mapnr.div_ceil(8) > bitmap_len {
            let problem = format!("is {bitmap_len} bytes a bitmap, {max_mapnr} page frames want more");
            return Err(refuse(header_at(offset_of!(Header, bitmap_blocks)), "bitmap_blocks", problem));
        }
        let ram = Bitmap::new(input.part(bitmap_at, bitmap_len, "bitmap1")?, max_mapnr);
        let bitmap2_at = FileOff(bitmap_at.0 + bitmap_len);
        let dumped = Bitmap::new(input.part(bitmap2_at, bitmap_len, "bitmap2")?, max_mapnr);
        let descs = FileOff(bitmap2_at.0 + bitmap_len);
        let descs_len = dumped.count.saturating_mul(DESC_LEN);
        input.check(descs, descs_len, "page descriptors")?;

        let notes = input.part(FileOff(sub.notes_at), sub.notes_len, "notes")?;
        let meta = read_meta(&header, &sub, &notes);
        let codec = match header.status {
            status if status & STATUS_ZSTD != 0 => Codec::default(),
            status if status & STATUS_ZLIB != 0 => Codec::Zlib { level: 1 },
            _ => Codec::Raw,
        };
        let open = Open { input, unpacker: Unpacker::new(), cache: PageCache::default() };
        Ok(Reader { meta, codec, notes, ram, dumped, bitmaps: bitmap_at, descs, open: Mutex::new(open) })
    }

    /// What the file says of its machine. Where no shot tells the kind of dump, it follows from the dump level.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// How most pages are compressed, by the header; the level is not recorded.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The file's notes, in order.
    pub fn notes(&self) -> impl Iterator<Item = Result<Note<'_>, note::BadNote>> {
        note::parse(&self.notes)
    }

    /// The machine's memory.
    pub fn ram(&self) -> PfnSet {
        self.ram.set()
    }

    /// The page frames that the file claims to hold.
    pub fn dumped(&self) -> PfnSet {
        self.dumped.set()
    }

    /// Where in the file the page's bytes are, as its descriptor says.
    pub(crate) fn place(&self, pfn: Pfn) -> Option<FileOff> {
        let at = FileOff(self.descs.0 + self.dumped.rank(pfn)? * DESC_LEN);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let desc: PageDesc = open.input.record(at, "page descriptor").ok()?;
        u64::try_from(desc.offset).ok().map(FileOff)
    }

    /// What stands where in the file: each part's start and name, ascending.
    pub(crate) fn parts(&self) -> Vec<(FileOff, &'static str)> {
        let data = self.descs.0 + self.dumped.count * DESC_LEN;
        vec![
            (FileOff(0), "the header"),
            (FileOff(BLOCK), "the notes"),
            (self.bitmaps, "the bitmaps"),
            (self.descs, "the page descriptors"),
            (FileOff(data.next_multiple_of(BLOCK)), "page data"),
        ]
    }

    fn page_at(&self, open: &mut Open<R>, pfn: Pfn, rank: u64) -> Result<Page, Error> {
        let at = FileOff(self.descs.0 + rank * DESC_LEN);
        let desc: PageDesc = open.input.record(at, "page descriptor")?;
        if desc.offset == 0 {
            return Ok(Page::Absent(Why::Lost));
        }
        let field = |offset: usize| FileOff(at.0 + offset as u64);
        let offset = u64::try_from(desc.offset)
            .map_err(|_| refuse(at, "page_desc.offset", format!("is negative: {}", desc.offset)))?;
        let size = desc.size as usize;
        if size == 0 || size > PAGE_SIZE {
            let problem = format!("is {size} for page frame {pfn}, a page has {PAGE_SIZE} bytes");
            return Err(refuse(field(offset_of!(PageDesc, size)), "page_desc.size", problem));
        }
        let stored = open.input.bytes(FileOff(offset), size, "page data")?;
        let mut page = [0; PAGE_SIZE];
        open.unpacker.unpack(desc.flags, stored, &mut page).map_err(|problem| {
            refuse(FileOff(offset), "page data", format!("of page frame {pfn}: {problem}"))
        })?;
        Ok(Page::Present(open.cache.keep(pfn, page)))
    }
}

impl<R: Read + Seek> Memory for Reader<R> {
    fn read_page(&self, pfn: Pfn) -> Result<Page, Error> {
        let Some(rank) = self.dumped.rank(pfn) else {
            return Ok(Page::Absent(if self.ram.rank(pfn).is_some() { Why::Excluded } else { Why::NotRam }));
        };
        // A reader that panicked left nothing half done that the next one could not read over.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.cache.get(pfn) {
            Some(page) => Ok(Page::Present(Arc::clone(&page))),
            None => self.page_at(&mut open, pfn, rank),
        }
    }
}

fn header_at(offset: usize) -> FileOff {
    FileOff(offset as u64)
}

fn sub_at(offset: usize) -> FileOff {
    FileOff(BLOCK + offset as u64)
}

fn check_header(header: &Header, sub: &SubHeader) -> Result<(), Error> {
    if header.version != VERSION {
        let problem = format!("is {}, this reader knows {VERSION}", header.version);
        return Err(refuse(header_at(offset_of!(Header, version)), "header_version", problem));
    }
    if u64::from(header.block_size) != BLOCK {
        let problem = format!("is {}, this reader knows pages of {BLOCK} bytes", header.block_size);
        return Err(refuse(header_at(offset_of!(Header, block_size)), "block_size", problem));
    }
    if header.sub_hdr_blocks == 0 {
        return Err(refuse(header_at(offset_of!(Header, sub_hdr_blocks)), "sub_hdr_size", "is 0"));
    }
    if !header.bitmap_blocks.is_multiple_of(2) {
        let problem = format!("is {}, two bitmaps of one size have an even number", header.bitmap_blocks);
        return Err(refuse(header_at(offset_of!(Header, bitmap_blocks)), "bitmap_blocks", problem));
    }
    if sub.split != 0 {
        let problem =
            "says that this is one part of a split dump; join the parts with makedumpfile --reassemble";
        return Err(refuse(sub_at(offset_of!(SubHeader, split)), "split", problem));
    }
    Ok(())
}

fn read_meta(header: &Header, sub: &SubHeader, bytes: &[u8]) -> Meta {
    let mut notes = Notes::new();
    let mut kind = if sub.dump_level & 8 == 0 { Kind::KernelUser } else { Kind::Kernel };
    for note in note::parse(bytes).map_while(Result::ok) {
        if let Some(shot) = note.as_shot() {
            kind = shot.kind().unwrap_or(kind);
        }
        notes.push_read(&note);
    }
    let utsname = header.names();
    let machine = if utsname.machine == Machine::Aarch64.name() { Machine::Aarch64 } else { Machine::X86_64 };
    Meta {
        machine,
        utsname,
        taken: UnixTime {
            secs: u64::try_from(header.seconds).unwrap_or(0),
            micros: u32::try_from(header.micros).unwrap_or(0),
        },
        kind,
        incomplete: header.status & STATUS_INCOMPLETE != 0,
        phys_base: sub.phys_base,
        cpus: header.cpus,
        cpu: header.current_cpu,
        notes,
        ..Meta::default()
    }
}

/// A bitmap with counts, so that a page's place among the set bits is found at once.
struct Bitmap {
    bits: Vec<u8>,
    /// Set bits before each [`RANK_BYTES`] of `bits`.
    before: Vec<u64>,
    count: u64,
}

impl Bitmap {
    /// Bits at and above `end` are cleared: they stand for no page frame.
    fn new(mut bits: Vec<u8>, end: u64) -> Bitmap {
        let whole = usize::try_from(end / 8).unwrap_or(usize::MAX);
        if let Some(byte) = bits.get_mut(whole) {
            *byte &= (1u8 << (end % 8)) - 1;
        }
        if let Some(rest) = bits.get_mut(whole.saturating_add(1)..) {
            rest.fill(0);
        }
        let mut count = 0;
        let before = bits
            .chunks(RANK_BYTES)
            .map(|chunk| {
                let so_far = count;
                count += ones(chunk);
                so_far
            })
            .collect();
        Bitmap { bits, before, count }
    }

    /// How many bits are set before this page frame's, if its own is.
    fn rank(&self, pfn: Pfn) -> Option<u64> {
        let byte = usize::try_from(pfn.0 / 8).ok()?;
        let mask = 1u8 << (pfn.0 % 8);
        let bits = *self.bits.get(byte)?;
        if bits & mask == 0 {
            return None;
        }
        let chunk = byte / RANK_BYTES;
        let between = self.bits.get(chunk * RANK_BYTES..byte)?;
        Some(self.before.get(chunk)? + ones(between) + u64::from((bits & (mask - 1)).count_ones()))
    }

    fn set(&self) -> PfnSet {
        let mut set = PfnSet::new();
        for (at, byte) in self.bits.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            let first = at as u64 * 8;
            if *byte == 0xff {
                set.insert_run(Pfn(first), 8);
            } else {
                (0..8).filter(|bit| byte >> bit & 1 == 1).for_each(|bit| set.insert(Pfn(first + bit)));
            }
        }
        set
    }
}

fn ones(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
}
