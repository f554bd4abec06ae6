//! Writing a compressed kdump file.

use std::io::{Seek, Write};

use zerocopy::{FromZeros, IntoBytes};

use super::header::{BLOCK, DESC_LEN, Header, PageDesc, Plan, STATUS_ZLIB, STATUS_ZSTD, SubHeader};
use crate::addr::PAGE_SIZE;
use crate::codec::{Packed, RAW, Stored};
use crate::pipe::{self, Sink};
use crate::stream::Stream;
use crate::sums::{Promise, Summed, all_notes, notes_room};
use crate::{
    ByteLen, Codec, Error, FileOff, Meta, Notes, Options, PageBatch, PageSource, Pfn, PfnSet, Progress,
    Summary,
};

/// Writes a dump of the source's pages from the start of `out`.
///
/// `ram` is the machine's memory, whether dumped or not; `options.most_pages` bounds what the source gives. The
/// source and `progress` run on the caller's thread, packing and writing on others. Nothing below the last byte
/// written is left undefined, but holes are left as holes: give an empty file. After an error the file has no
/// signature and is no dump.
pub fn write<W: Write + Seek + Send>(
    out: &mut W,
    meta: &Meta,
    ram: &PfnSet,
    source: &mut dyn PageSource,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Summary, Error> {
    if meta.cpus == 0 {
        return Err(Error::Unfit("a machine has at least one CPU online"));
    }
    let notes_room = notes_room(meta, options);
    let plan = Plan::new(ram.end(), options.most_pages.unwrap_or(ram.count()), notes_room)?;
    let mut out = Summed::new(out);
    let mut data = Stream::new("writing page data", plan.data);
    data.put(&mut out, &[0; PAGE_SIZE])?;
    let descs = Stream::new("writing page descriptors", plan.descs);
    let mut file = Writing { out, plan, descs, data, summary: Summary::default() };
    pipe::run(source, Some(options.codec), options.threads, &mut file, progress)?;
    file.finish(meta, ram, source, options)
}

/// A file whose pages are being written.
struct Writing<'a, W> {
    out: Summed<&'a mut W>,
    plan: Plan,
    descs: Stream,
    data: Stream,
    summary: Summary,
}

impl<W: Write + Seek + Send> Sink for Writing<'_, W> {
    fn store(&mut self, batch: &PageBatch, packed: &Packed) -> Result<u64, Error> {
        let wanted = self.summary.pages + batch.len() as u64;
        if wanted > self.plan.most_descs {
            return Err(Error::Room { what: "pages", wanted, room: self.plan.most_descs });
        }
        let mut at = self.data.end();
        let mut descs = Vec::with_capacity(batch.len());
        for (pfn, stored) in batch.pfns().iter().zip(&packed.pages) {
            if *pfn >= self.plan.max_mapnr {
                return Err(Error::Room { what: "page frames", wanted: pfn.0, room: self.plan.max_mapnr.0 });
            }
            let (offset, size, flags) = match *stored {
                Stored::Zero => {
                    self.summary.zero += 1;
                    (self.plan.data, PAGE_SIZE as u32, RAW)
                }
                Stored::Bytes { len, flags } => {
                    if flags == RAW {
                        self.summary.raw += 1;
                    } else {
                        self.summary.compressed += 1;
                    }
                    let offset = at;
                    at = FileOff(at.0 + u64::from(len));
                    (offset, len, flags)
                }
            };
            descs.push(PageDesc { offset: offset.0 as i64, size, flags, page_flags: 0 });
            self.summary.dumped.insert(*pfn);
        }
        self.summary.pages = wanted;
        self.out.pages(&packed.sums);
        self.descs.put(&mut self.out, descs.as_bytes())?;
        self.data.put(&mut self.out, packed.bytes())?;
        let written = packed.bytes().len() as u64;
        self.summary.bytes_out += written;
        Ok(written)
    }
}

impl<W: Write + Seek> Writing<'_, W> {
    /// Writes what follows from the pages, the header last.
    fn finish(
        self,
        meta: &Meta,
        ram: &PfnSet,
        source: &mut dyn PageSource,
        options: &Options,
    ) -> Result<Summary, Error> {
        let Writing { mut out, plan, descs, data, mut summary } = self;
        descs.finish(&mut out)?;
        let end = data.finish(&mut out)?;
        write_bits(&mut out, &ram.union(&summary.dumped), plan.bitmap1, plan.bitmap_len)?;
        write_bits(&mut out, &summary.dumped, plan.bitmap2(), plan.bitmap_len)?;

        let promise = Promise::new(end, summary.pages)?;
        summary.file_len = ByteLen(promise.offset + promise.bytes);
        let notes = all_notes(meta, source, &summary, &promise, plan.notes_room)?;
        let mut header = Header::new(meta, &plan);
        header.total_ram_blocks = u32::try_from(ram.count()).unwrap_or(u32::MAX);
        header.written_blocks = u32::try_from(summary.file_len.0 / BLOCK).unwrap_or(u32::MAX);
        header.status |= match options.codec {
            Codec::Zstd { .. } => STATUS_ZSTD,
            Codec::Zlib { .. } => STATUS_ZLIB,
            Codec::Raw => 0,
        };
        let mut front = header.as_bytes().to_vec();
        front.resize(BLOCK as usize, 0);
        front.extend_from_slice(sub_header(meta, &plan, &notes).as_bytes());
        front.extend_from_slice(notes.bytes());
        out.finish(&promise, front)?;
        Ok(summary)
    }
}

/// Writes a set as a bitmap of `len` bytes at `at`.
fn write_bits<W: Write + Seek>(out: &mut W, set: &PfnSet, at: FileOff, len: ByteLen) -> Result<(), Error> {
    const PIECE: u64 = 1 << 20;
    let mut stream = Stream::new("writing the bitmaps", at);
    let mut bits = Vec::new();
    for start in (0..len.0).step_by(PIECE as usize) {
        bits.resize(PIECE.min(len.0 - start) as usize, 0);
        set.fill_bits(Pfn(start * 8), &mut bits);
        stream.put(out, &bits)?;
    }
    stream.finish(out)?;
    Ok(())
}

fn sub_header(meta: &Meta, plan: &Plan, notes: &Notes) -> SubHeader {
    let mut sub = SubHeader::new_zeroed();
    sub.phys_base = meta.phys_base;
    sub.dump_level = meta.kind.dump_level();
    if let Some(place) = notes.vmcoreinfo_place() {
        sub.vmcoreinfo_at = plan.notes.0 + place.start as u64;
        sub.vmcoreinfo_len = place.len() as u64;
    }
    sub.notes_at = plan.notes.0;
    sub.notes_len = notes.len().0;
    sub.end_pfn = plan.max_mapnr.0;
    sub.max_mapnr = plan.max_mapnr.0;
    sub
}

const _: () = assert!(DESC_LEN == 24);
