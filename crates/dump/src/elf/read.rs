//! Reading an ELF vmcore, ours or another's.

use std::io::{Read, Seek};
use std::mem::offset_of;
use std::sync::{Mutex, PoisonError};

use zerocopy::FromBytes;

use super::header::{
    ET_CORE, HEADER_LEN, Header, IDENT, INCOMPLETE, PN_XNUM, PT_LOAD, PT_NOTE, SECTION_LEN, SEGMENT_LEN,
    Section, Segment,
};
use crate::addr::PAGE_SIZE;
use crate::cache::PageCache;
use crate::input::{Input, refuse};
use crate::memory::{Memory, Page, Why};
use crate::note::{self, Note};
use crate::{ByteLen, Error, FileOff, Kind, Machine, Mapping, Meta, Paddr, Pfn, PfnSet, Vaddr};

const PAGE: u64 = PAGE_SIZE as u64;

/// From here on up, x86-64 kernels have their text and not the direct map.
const TEXT: u64 = 0xffff_ffff_8000_0000;

/// An open ELF vmcore.
pub struct Reader<R> {
    meta: Meta,
    notes: Vec<u8>,
    /// Where physical memory is in the file: ascending, not overlapping.
    extents: Vec<Extent>,
    open: Mutex<(Input<R>, PageCache)>,
}

/// A piece of physical memory, in bytes.
#[derive(Clone, Copy, Debug)]
struct Extent {
    start: u64,
    /// Where the bytes that the file has end.
    stored_end: u64,
    /// Where the bytes that the file speaks of end.
    end: u64,
    /// Where in the file the first byte is.
    offset: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens a file, its headers checked against its length.
    pub fn open(file: R) -> Result<Reader<R>, Error> {
        let mut input = Input::new(file)?;
        let ident = input.bytes(FileOff(0), IDENT.len(), "e_ident")?;
        if ident != IDENT {
            return Err(refuse(FileOff(0), "e_ident", "is not that of a 64-bit little-endian ELF file"));
        }
        let header: Header = input.record(FileOff(0), "ELF header")?;
        if header.kind != ET_CORE {
            let problem = format!("is {}, a core file has {ET_CORE}", header.kind);
            return Err(refuse(at(offset_of!(Header, kind)), "e_type", problem));
        }
        let Some(machine) = Machine::from_elf(header.machine) else {
            let problem = format!("is {}, this reader knows x86-64 and arm64", header.machine);
            return Err(refuse(at(offset_of!(Header, machine)), "e_machine", problem));
        };
        let segments = read_segments(&mut input, &header)?;
        let mut notes = Vec::new();
        let mut loads = Vec::new();
        for (number, segment) in segments.iter().enumerate() {
            let place = FileOff(header.phoff + number as u64 * SEGMENT_LEN);
            match segment.kind {
                PT_NOTE => {
                    // However many segments claim the same bytes as notes, a file's notes are no longer than it.
                    let total = segment.filesz.saturating_add(notes.len() as u64);
                    input.check(FileOff(0), total, "notes")?;
                    notes.extend(input.part(FileOff(segment.offset), segment.filesz, "notes")?);
                }
                PT_LOAD => {
                    check_load(&input, segment, place)?;
                    loads.push(*segment);
                }
                _ => {}
            }
        }
        let meta = read_meta(machine, &header, &loads, &notes);
        let extents = extents(loads);
        Ok(Reader { meta, notes, extents, open: Mutex::new((input, PageCache::default())) })
    }

    /// What the file says of its machine: less than a compressed kdump does. The rest is in the notes.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// The file's notes, in order.
    pub fn notes(&self) -> impl Iterator<Item = Result<Note<'_>, note::BadNote>> {
        note::parse(&self.notes)
    }

    /// The page frames that the file speaks of, whole.
    pub fn ram(&self) -> PfnSet {
        self.pages(|extent| extent.end)
    }

    /// The page frames that the file holds, whole.
    pub fn dumped(&self) -> PfnSet {
        self.pages(|extent| extent.stored_end)
    }

    /// Where in the file the page's bytes are.
    pub(crate) fn place(&self, pfn: Pfn) -> Option<FileOff> {
        let start = pfn.paddr()?.0;
        let place = self.extents.partition_point(|extent| extent.end <= start);
        let extent = self.extents.get(place).filter(|extent| extent.start <= start)?;
        extent.offset.checked_add(start - extent.start).map(FileOff)
    }

    /// What stands where in the file: each part's start and name, ascending.
    pub(crate) fn parts(&self) -> Vec<(FileOff, &'static str)> {
        let data = self.extents.iter().map(|extent| extent.offset).min().unwrap_or(u64::MAX);
        vec![(FileOff(0), "the headers and notes"), (FileOff(data), "page data")]
    }

    fn pages(&self, end: impl Fn(&Extent) -> u64) -> PfnSet {
        let mut set = PfnSet::new();
        for extent in &self.extents {
            let (first, end) = (extent.start.div_ceil(PAGE), end(extent) / PAGE);
            set.insert_run(Pfn(first), end.saturating_sub(first));
        }
        set
    }
}

impl<R: Read + Seek> Memory for Reader<R> {
    fn read_page(&self, pfn: Pfn) -> Result<Page, Error> {
        let Some(Paddr(start)) = pfn.paddr() else { return Ok(Page::Absent(Why::NotRam)) };
        let place = self.extents.partition_point(|extent| extent.end <= start);
        let Some(extent) = self.extents.get(place).filter(|extent| extent.start <= start) else {
            return Ok(Page::Absent(Why::Excluded));
        };
        if extent.stored_end.saturating_sub(start) < PAGE {
            return Ok(Page::Absent(Why::Unstored));
        }
        // A reader that panicked left nothing half done that the next one could not read over.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, cache) = &mut *open;
        if let Some(page) = cache.get(pfn) {
            return Ok(Page::Present(page));
        }
        let offset = FileOff(extent.offset + (start - extent.start));
        let bytes = input.bytes(offset, PAGE_SIZE, "page data")?;
        let page = bytes.first_chunk().copied().ok_or_else(|| refuse(offset, "page data", "is short"))?;
        Ok(Page::Present(cache.keep(pfn, page)))
    }
}

fn at(offset: usize) -> FileOff {
    FileOff(offset as u64)
}

fn read_segments<R: Read + Seek>(input: &mut Input<R>, header: &Header) -> Result<Vec<Segment>, Error> {
    if u64::from(header.phentsize) != SEGMENT_LEN {
        let problem = format!("is {}, a program header has {SEGMENT_LEN} bytes", header.phentsize);
        return Err(refuse(at(offset_of!(Header, phentsize)), "e_phentsize", problem));
    }
    let mut count = u64::from(header.phnum);
    if header.phnum == PN_XNUM {
        let section = FileOff(header.shoff);
        if header.shoff < HEADER_LEN {
            let problem = "is not there, and e_phnum says that it holds the number of program headers";
            return Err(refuse(at(offset_of!(Header, shoff)), "section header", problem));
        }
        input.check(section, SECTION_LEN, "section header")?;
        count = u64::from(input.record::<Section>(section, "section header")?.info);
    }
    let bytes = input.part(FileOff(header.phoff), count * SEGMENT_LEN, "program headers")?;
    let whole = bytes.chunks_exact(SEGMENT_LEN as usize);
    Ok(whole.filter_map(|one| Segment::read_from_bytes(one).ok()).collect())
}

fn check_load<R: Read + Seek>(input: &Input<R>, segment: &Segment, place: FileOff) -> Result<(), Error> {
    input.check(FileOff(segment.offset), segment.filesz, "PT_LOAD's bytes")?;
    if segment.memsz < segment.filesz {
        let problem = format!("is {:#x}, less than p_filesz, {:#x}", segment.memsz, segment.filesz);
        return Err(refuse(place, "p_memsz", problem));
    }
    Ok(())
}

/// Physical memory without overlaps: segments that show the same memory twice hold the same bytes twice.
fn extents(mut loads: Vec<Segment>) -> Vec<Extent> {
    // All ones say "no physical address"; so does a segment that runs over the end.
    loads.retain(|load| {
        load.paddr != u64::MAX && load.memsz > 0 && load.paddr.checked_add(load.memsz).is_some()
    });
    loads.sort_by_key(|load| load.paddr);
    let mut extents: Vec<Extent> = Vec::with_capacity(loads.len());
    for load in loads {
        let covered = extents.last().map_or(0, |last| last.end);
        let start = load.paddr.max(covered);
        let end = load.paddr + load.memsz;
        if start < end {
            let stored_end = (load.paddr + load.filesz).max(start);
            extents.push(Extent {
                start,
                stored_end,
                end,
                offset: load.offset.saturating_add(start - load.paddr),
            });
        }
    }
    extents
}

fn read_meta(machine: Machine, header: &Header, loads: &[Segment], bytes: &[u8]) -> Meta {
    let mut meta = Meta { machine, incomplete: header.flags & INCOMPLETE != 0, cpus: 0, ..Meta::default() };
    for note in note::parse(bytes).map_while(Result::ok) {
        if let Some(shot) = note.as_shot() {
            meta.kind = shot.kind().unwrap_or(Kind::Kernel);
            meta.cpu = shot.cpu;
        }
        meta.cpus += u32::from(note.as_prstatus().is_some());
        meta.notes.push_read(&note);
    }
    meta.cpus = meta.cpus.max(1);
    for load in loads.iter().filter(|load| load.paddr != u64::MAX) {
        let base = Vaddr(load.vaddr.wrapping_sub(load.paddr));
        if load.vaddr >= TEXT {
            meta.phys_base = load.paddr.wrapping_sub(load.vaddr - TEXT);
            let (vaddr, paddr) = (Vaddr(load.vaddr), Paddr(load.paddr));
            meta.mappings.push(Mapping { vaddr, paddr, len: ByteLen(load.memsz) });
        } else if meta.direct_map == Vaddr(0) {
            meta.direct_map = base;
        } else if meta.direct_map != base {
            let (vaddr, paddr) = (Vaddr(load.vaddr), Paddr(load.paddr));
            meta.mappings.push(Mapping { vaddr, paddr, len: ByteLen(load.memsz) });
        }
    }
    meta
}
