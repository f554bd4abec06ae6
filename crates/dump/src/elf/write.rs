//! Writing an ELF vmcore.

use std::io::{Seek, Write};
use std::ops::Range;

use zerocopy::{FromZeros, IntoBytes};

use super::header::{
    ET_CORE, HEADER_LEN, Header, IDENT, INCOMPLETE, PN_XNUM, PT_LOAD, PT_NOTE, SECTION_LEN, SEGMENT_LEN,
    Section, Segment,
};
use crate::addr::PAGE_SIZE;
use crate::codec::Packed;
use crate::pipe::{self, Sink};
use crate::stream::Stream;
use crate::sums::{Promise, Summed, all_notes, notes_room};
use crate::{
    ByteLen, Error, FileOff, Meta, Options, PageBatch, PageSource, Pfn, PfnSet, Progress, Summary, Vaddr,
};

/// Program headers kept for runs that fall apart because a page in their midst could not be read.
const BROKEN_RUNS: u64 = 1 << 16;
/// Program headers kept where the caller does not know how many runs there will be.
const UNKNOWN_RUNS: u64 = 1 << 18;

const PAGE: u64 = PAGE_SIZE as u64;
/// Where the mapping of kernel images begins.
const IMAGE: u64 = 0xffff_ffff_8000_0000;

/// Writes a dump of the source's pages from the start of `out`.
///
/// `ram` is the machine's memory; `options.most_runs` bounds the runs that the source means to give. Pages are not
/// compressed: `options.codec` says nothing here, and `threads` only take checksums. The source and `progress` run on
/// the caller's thread, writing on another. `out` must be empty. After an error the file has no magic and is no dump.
pub fn write<W: Write + Seek + Send>(
    out: &mut W,
    meta: &Meta,
    ram: &PfnSet,
    source: &mut dyn PageSource,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Summary, Error> {
    if meta.direct_map == Vaddr(0) {
        return Err(Error::Unfit("an ELF dump gives virtual addresses, and page_offset_base is not known"));
    }
    let plan = Plan::new(meta, ram, options)?;
    let data = Stream::new("writing pages", plan.data);
    let mut file = Writing { out: Summed::with_pages_at(out, plan.data), data, summary: Summary::default() };
    pipe::run(source, None, options.threads, &mut file, progress)?;
    let Writing { mut out, data, mut summary } = file;
    summary.raw = summary.pages;
    let end = data.finish(&mut out)?;
    let promise = Promise::new(end, summary.pages)?;
    summary.file_len = ByteLen(promise.offset + promise.bytes);
    let front = front(meta, &plan, source, &summary, &promise)?;
    out.finish(&promise, front)?;
    Ok(summary)
}

/// A file whose pages are being written.
struct Writing<'a, W> {
    out: Summed<&'a mut W>,
    data: Stream,
    summary: Summary,
}

impl<W: Write + Seek + Send> Sink for Writing<'_, W> {
    fn store(&mut self, batch: &PageBatch, packed: &Packed) -> Result<u64, Error> {
        for pfn in batch.pfns() {
            pfn.paddr().ok_or(Error::Room { what: "page frames", wanted: pfn.0, room: 1 << 52 })?;
            self.summary.dumped.insert(*pfn);
        }
        self.out.pages(&packed.sums);
        self.data.put(&mut self.out, batch.page_bytes())?;
        let written = batch.page_bytes().len() as u64;
        self.summary.pages += batch.len() as u64;
        self.summary.bytes_out += written;
        Ok(written)
    }
}

/// How the front of the file is divided, known before the first page is read.
struct Plan {
    /// How many program headers there may be.
    segments: u64,
    /// How long the notes may be.
    notes_room: ByteLen,
    /// Where the pages start.
    data: FileOff,
}

impl Plan {
    fn new(meta: &Meta, ram: &PfnSet, options: &Options) -> Result<Plan, Error> {
        let pages = options.most_pages.unwrap_or(ram.count());
        let runs = options.most_runs.unwrap_or(UNKNOWN_RUNS).min(pages);
        let plan = || {
            // The note, the runs as planned, those that break, and the mappings' ends.
            let segments =
                runs.checked_add(pages.min(BROKEN_RUNS))?.checked_add(meta.mappings.len() as u64 + 1)?;
            let notes_room = notes_room(meta, options);
            let front = segments.checked_mul(SEGMENT_LEN)?.checked_add(HEADER_LEN + SECTION_LEN)?;
            let data = FileOff(front).checked_add(notes_room.0)?.align_up(PAGE)?;
            Some(Plan { segments, notes_room, data })
        };
        plan().ok_or(Error::Unfit("the page frames reach further than a file can be long"))
    }
}

/// All that stands before the pages.
fn front(
    meta: &Meta,
    plan: &Plan,
    source: &mut dyn PageSource,
    summary: &Summary,
    promise: &Promise,
) -> Result<Vec<u8>, Error> {
    let mut segments = vec![Segment { kind: PT_NOTE, ..Segment::default() }];
    segments.extend(loads(meta, plan, &summary.dumped));
    let count = segments.len() as u64;
    if count > plan.segments {
        return Err(Error::Room { what: "runs of pages", wanted: count, room: plan.segments });
    }
    let many = count >= u64::from(PN_XNUM);
    let sections = HEADER_LEN + count * SEGMENT_LEN;
    let notes_at = sections + if many { SECTION_LEN } else { 0 };

    let notes = all_notes(meta, source, summary, promise, plan.notes_room)?;
    if let Some(note) = segments.first_mut() {
        (note.offset, note.filesz, note.memsz) = (notes_at, notes.len().0, notes.len().0);
    }

    let mut header = Header::new_zeroed();
    for (to, from) in header.ident.iter_mut().zip(IDENT) {
        *to = from;
    }
    header.kind = ET_CORE;
    header.machine = meta.machine.elf();
    header.version = 1;
    header.phoff = HEADER_LEN;
    header.flags = if meta.incomplete { INCOMPLETE } else { 0 };
    header.ehsize = HEADER_LEN as u16;
    header.phentsize = SEGMENT_LEN as u16;
    header.phnum = u16::try_from(count).unwrap_or(PN_XNUM);
    let mut front = Vec::new();
    if many {
        header.phnum = PN_XNUM;
        header.shoff = sections;
        header.shentsize = SECTION_LEN as u16;
        header.shnum = 1;
    }
    front.extend_from_slice(header.as_bytes());
    front.extend_from_slice(segments.as_bytes());
    if many {
        let mut section = Section::new_zeroed();
        section.info = u32::try_from(count).map_err(|_| Error::Room {
            what: "runs of pages",
            wanted: count,
            room: u64::from(u32::MAX),
        })?;
        front.extend_from_slice(section.as_bytes());
    }
    front.extend_from_slice(notes.bytes());
    Ok(front)
}

/// The segments: first what each mapping shows of the image, then all runs at their place in the direct map, then other mappings.
fn loads(meta: &Meta, plan: &Plan, dumped: &PfnSet) -> Vec<Segment> {
    let mut offsets = Vec::with_capacity(dumped.run_count());
    let mut offset = plan.data.0;
    for run in dumped.runs() {
        offsets.push((run.clone(), offset));
        offset += (run.end.0 - run.start.0) * PAGE;
    }
    let load = |run: &Range<Pfn>, vaddr: u64, offset: u64| {
        let len = (run.end.0 - run.start.0) * PAGE;
        Segment {
            kind: PT_LOAD,
            flags: 7,
            offset,
            vaddr,
            paddr: run.start.0 * PAGE,
            filesz: len,
            memsz: len,
            align: 0,
        }
    };
    let mut segments = Vec::with_capacity(offsets.len());
    // From the first segment below the image's mapping makedumpfile learns where the direct map is.
    let mut others = Vec::new();
    for mapping in &meta.mappings {
        // Whole pages only; what a mapping has of its first and last page is not worth a segment of its own.
        let start = mapping.paddr.0.div_ceil(PAGE);
        let end = mapping.paddr.0.saturating_add(mapping.len.0) / PAGE;
        let from = offsets.partition_point(|(run, _)| run.end.0 <= start);
        for (run, offset) in offsets.get(from..).unwrap_or_default() {
            let part = Pfn(run.start.0.max(start))..Pfn(run.end.0.min(end));
            if part.start >= part.end {
                break;
            }
            let vaddr = mapping.vaddr.0.wrapping_add(part.start.0 * PAGE - mapping.paddr.0);
            let list = if vaddr >= IMAGE { &mut segments } else { &mut others };
            list.push(load(&part, vaddr, offset + (part.start.0 - run.start.0) * PAGE));
        }
    }
    for (run, offset) in &offsets {
        segments.push(load(run, meta.direct_map.0.wrapping_add(run.start.0 * PAGE), *offset));
    }
    segments.append(&mut others);
    segments
}
