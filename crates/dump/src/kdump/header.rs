//! The structures of a compressed kdump file, and the plan that says where each part goes.

use std::mem::{offset_of, size_of};

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::addr::PAGE_SIZE;
use crate::{ByteLen, Error, FileOff, Meta, Pfn, Utsname};

pub(super) const SIGNATURE: [u8; 8] = *b"KDUMP   ";
/// What a file starts with that was written to a pipe, block by block.
pub(super) const FLATTENED: &[u8] = b"makedumpfile\0\0\0\0";
pub(super) const VERSION: i32 = 6;
pub(super) const BLOCK: u64 = PAGE_SIZE as u64;

/// Bits of [`Header::status`].
pub(super) const STATUS_ZLIB: u32 = 0x1;
pub(super) const STATUS_INCOMPLETE: u32 = 0x8;
pub(super) const STATUS_ZSTD: u32 = 0x20;

/// `struct disk_dump_header`, 464 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Header {
    pub signature: [u8; 8],
    pub version: i32,
    /// sysname, nodename, release, version, machine, domainname.
    pub utsname: [[u8; 65]; 6],
    pub pad: [u8; 6],
    pub seconds: i64,
    pub micros: i64,
    pub status: u32,
    pub block_size: u32,
    pub sub_hdr_blocks: u32,
    pub bitmap_blocks: u32,
    pub max_mapnr_32: u32,
    pub total_ram_blocks: u32,
    pub device_blocks: u32,
    pub written_blocks: u32,
    pub current_cpu: u32,
    pub cpus: u32,
}

/// `struct kdump_sub_header`, 104 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct SubHeader {
    pub phys_base: u64,
    pub dump_level: i32,
    pub split: i32,
    pub start_pfn_obsolete: u64,
    pub end_pfn_obsolete: u64,
    pub vmcoreinfo_at: u64,
    pub vmcoreinfo_len: u64,
    pub notes_at: u64,
    pub notes_len: u64,
    pub eraseinfo_at: u64,
    pub eraseinfo_len: u64,
    pub start_pfn: u64,
    pub end_pfn: u64,
    pub max_mapnr: u64,
}

/// `struct page_desc`, 24 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct PageDesc {
    pub offset: i64,
    pub size: u32,
    pub flags: u32,
    pub page_flags: u64,
}

pub(super) const SUB_HEADER_LEN: u64 = size_of::<SubHeader>() as u64;
pub(super) const DESC_LEN: u64 = size_of::<PageDesc>() as u64;

const _: () = {
    assert!(size_of::<Header>() == 464);
    assert!(offset_of!(Header, utsname) == 12);
    assert!(offset_of!(Header, seconds) == 408);
    assert!(offset_of!(Header, status) == 424);
    assert!(offset_of!(Header, block_size) == 428);
    assert!(offset_of!(Header, bitmap_blocks) == 436);
    assert!(offset_of!(Header, written_blocks) == 452);
    assert!(offset_of!(Header, cpus) == 460);
    assert!(size_of::<SubHeader>() == 104);
    assert!(offset_of!(SubHeader, vmcoreinfo_at) == 32);
    assert!(offset_of!(SubHeader, notes_at) == 48);
    assert!(offset_of!(SubHeader, start_pfn) == 80);
    assert!(offset_of!(SubHeader, max_mapnr) == 96);
    assert!(size_of::<PageDesc>() == 24);
};

/// Where each part of the file goes, known before the first page is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Where the notes start, after the sub header.
    pub notes: FileOff,
    /// How long they may be.
    pub notes_room: ByteLen,
    /// Where bitmap1 starts.
    pub bitmap1: FileOff,
    /// How long one bitmap is, padded to blocks.
    pub bitmap_len: ByteLen,
    /// Where the descriptors start.
    pub descs: FileOff,
    /// How many there may be.
    pub most_descs: u64,
    /// Where page data starts.
    pub data: FileOff,
    /// One past the highest page frame that the bitmaps have a bit for.
    pub max_mapnr: Pfn,
}

impl Plan {
    /// The plan of a file with bits for page frames below `max_mapnr`, `most_descs` descriptors and `notes_room`
    /// bytes of notes.
    pub fn new(max_mapnr: Pfn, most_descs: u64, notes_room: ByteLen) -> Result<Plan, Error> {
        let too_large = Error::Unfit("the page frames reach further than a file can be long");
        let plan = || {
            let notes = FileOff(BLOCK + SUB_HEADER_LEN);
            let bitmap1 = notes.checked_add(notes_room.0)?.align_up(BLOCK)?;
            let bitmap_len = max_mapnr.0.div_ceil(8).checked_next_multiple_of(BLOCK)?;
            let descs = bitmap1.checked_add(bitmap_len.checked_mul(2)?)?;
            let data = descs.checked_add(most_descs.checked_mul(DESC_LEN)?)?.align_up(BLOCK)?;
            let bitmap_len = ByteLen(bitmap_len);
            Some(Plan { notes, notes_room, bitmap1, bitmap_len, descs, most_descs, data, max_mapnr })
        };
        plan().filter(|plan| plan.data.0 < 1 << 62 && plan.bitmap_blocks().is_some()).ok_or(too_large)
    }

    /// Where bitmap2 starts.
    pub fn bitmap2(&self) -> FileOff {
        FileOff(self.bitmap1.0 + self.bitmap_len.0)
    }

    /// Blocks of both bitmaps together.
    pub fn bitmap_blocks(&self) -> Option<u32> {
        u32::try_from(self.bitmap_len.0 / BLOCK * 2).ok()
    }

    /// Blocks of sub header and notes together.
    pub fn sub_hdr_blocks(&self) -> u32 {
        (self.bitmap1.0 / BLOCK - 1) as u32
    }
}

impl Header {
    /// The header of a planned file; counts and compression are the caller's to add.
    pub fn new(meta: &Meta, plan: &Plan) -> Header {
        let mut header = Header::new_zeroed();
        header.signature = SIGNATURE;
        header.version = VERSION;
        let names = &meta.utsname;
        // libkdumpfile, hence drgn, gives up a file whose sysname is not "Linux" or that lacks one of the next three.
        let or = |text: &str, fallback: &'static str| {
            if text.is_empty() { fallback.to_owned() } else { text.to_owned() }
        };
        let texts = [
            or(&names.sysname, "Linux"),
            names.nodename.clone(),
            or(&names.release, "(unknown)"),
            or(&names.version, "(unknown)"),
            or(&names.machine, meta.machine.name()),
            names.domainname.clone(),
        ];
        for (field, text) in header.utsname.iter_mut().zip(texts) {
            // The last byte stays NUL.
            for (to, from) in field.iter_mut().take(64).zip(text.bytes()) {
                *to = from;
            }
        }
        header.seconds = meta.taken.secs as i64;
        header.micros = i64::from(meta.taken.micros);
        header.status = if meta.incomplete { STATUS_INCOMPLETE } else { 0 };
        header.block_size = BLOCK as u32;
        header.sub_hdr_blocks = plan.sub_hdr_blocks();
        header.bitmap_blocks = plan.bitmap_blocks().unwrap_or(0);
        // Readers of version 6 take the sub header's 64-bit number; this one may not lie either.
        header.max_mapnr_32 = u32::try_from(plan.max_mapnr.0).unwrap_or(u32::MAX);
        header.current_cpu = meta.cpu;
        header.cpus = meta.cpus.max(1);
        header
    }

    /// What uname said.
    pub fn names(&self) -> Utsname {
        let mut texts = self.utsname.iter().map(|field| {
            let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        });
        let mut next = || texts.next().unwrap_or_default();
        Utsname {
            sysname: next(),
            nodename: next(),
            release: next(),
            version: next(),
            machine: next(),
            domainname: next(),
        }
    }
}
