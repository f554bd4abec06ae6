//! A dump of either format: opened by its first bytes, written by the format's name, and read as another's source.

use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::addr::PAGE_SIZE;
use crate::memory::{Memory, Page, Why};
use crate::note::{BadNote, Note};
use crate::{
    Error, FileOff, Format, Meta, Options, PageBatch, PageSource, Pfn, PfnSet, Progress, SourceError,
    Summary, elf, kdump,
};

/// Writes a dump in the given format; what it takes and tells is said at [`kdump::write`] and [`elf::write`]. The
/// format's own codec outranks the options'.
pub fn write<W: Write + Seek + Send>(
    format: Format,
    out: &mut W,
    meta: &Meta,
    ram: &PfnSet,
    source: &mut dyn PageSource,
    options: &Options,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Summary, Error> {
    match format {
        Format::Kdump(codec) => {
            kdump::write(out, meta, ram, source, &Options { codec, ..*options }, progress)
        }
        Format::Elf => elf::write(out, meta, ram, source, options, progress),
    }
}

/// An open dump.
pub enum Dump<R> {
    /// A compressed kdump file.
    Kdump(kdump::Reader<R>),
    /// An ELF vmcore.
    Elf(elf::Reader<R>),
}

impl<R: Read + Seek> Dump<R> {
    /// Opens a dump by its first bytes.
    pub fn open(mut file: R) -> Result<Dump<R>, Error> {
        let failed = |error| Error::Io { doing: "reading the dump's first bytes", error };
        let mut magic = Vec::new();
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.by_ref().take(4).read_to_end(&mut magic).map_err(failed)?;
        if magic == b"\x7fELF" {
            elf::Reader::open(file).map(Dump::Elf)
        } else {
            kdump::Reader::open(file).map(Dump::Kdump)
        }
    }

    /// The file's format.
    pub fn format(&self) -> Format {
        match self {
            Dump::Kdump(reader) => Format::Kdump(reader.codec()),
            Dump::Elf(_) => Format::Elf,
        }
    }

    /// What the file says of its machine.
    pub fn meta(&self) -> &Meta {
        match self {
            Dump::Kdump(reader) => reader.meta(),
            Dump::Elf(reader) => reader.meta(),
        }
    }

    /// The file's notes, in order.
    pub fn notes(&self) -> Box<dyn Iterator<Item = Result<Note<'_>, BadNote>> + '_> {
        match self {
            Dump::Kdump(reader) => Box::new(reader.notes()),
            Dump::Elf(reader) => Box::new(reader.notes()),
        }
    }

    /// The machine's memory, as far as the file knows.
    pub fn ram(&self) -> PfnSet {
        match self {
            Dump::Kdump(reader) => reader.ram(),
            Dump::Elf(reader) => reader.ram(),
        }
    }

    /// Where in the file the page's bytes are, if the file says so.
    pub fn place(&self, pfn: Pfn) -> Option<FileOff> {
        match self {
            Dump::Kdump(reader) => reader.place(pfn),
            Dump::Elf(reader) => reader.place(pfn),
        }
    }

    /// What stands where in the file: each part's start and name, ascending.
    pub(crate) fn parts(&self) -> Vec<(FileOff, &'static str)> {
        match self {
            Dump::Kdump(reader) => reader.parts(),
            Dump::Elf(reader) => reader.parts(),
        }
    }

    /// The page frames that the file claims to hold.
    pub fn dumped(&self) -> PfnSet {
        match self {
            Dump::Kdump(reader) => reader.dumped(),
            Dump::Elf(reader) => reader.dumped(),
        }
    }
}

impl<R: Read + Seek> Memory for Dump<R> {
    fn read_page(&self, pfn: Pfn) -> Result<Page, Error> {
        match self {
            Dump::Kdump(reader) => reader.read_page(pfn),
            Dump::Elf(reader) => reader.read_page(pfn),
        }
    }
}

/// The pages of one dump as the source of another: conversion, and proof that every page can be read. A dump's notes
/// are all known when it is opened, so they come with its [`Meta`] and not at the end.
pub struct DumpPages<'a> {
    memory: &'a dyn Memory,
    left: Box<dyn Iterator<Item = Pfn> + 'a>,
    lost: PfnSet,
    zero_unstored: bool,
}

impl<'a> DumpPages<'a> {
    /// The pages `pfns` of `memory`.
    pub fn new(memory: &'a dyn Memory, pfns: &'a PfnSet) -> DumpPages<'a> {
        DumpPages { memory, left: Box::new(pfns.pfns()), lost: PfnSet::new(), zero_unstored: false }
    }

    /// Takes what an ELF file only gives a length for as zeros, as other readers do. makedumpfile leaves zero pages
    /// out in that form, and pages that it excludes too: the first must be kept, the second can't be told from them.
    pub fn zero_unstored(mut self) -> Self {
        self.zero_unstored = true;
        self
    }

    /// The pages among those asked for so far that the dump does not hold.
    pub fn lost(&self) -> &PfnSet {
        &self.lost
    }

    /// Reads every page that is left and gives how many there are; the first broken one is an error.
    pub fn prove(&mut self, progress: &mut dyn FnMut(&Progress)) -> Result<u64, Error> {
        let mut pages = 0u64;
        for pfn in self.left.by_ref() {
            match self.memory.read_page(pfn)? {
                Page::Present(_) => pages += 1,
                Page::Absent(_) => self.lost.insert(pfn),
            }
            if pages.is_multiple_of(4096) {
                progress(&Progress { pages, bytes_written: 0 });
            }
        }
        progress(&Progress { pages, bytes_written: 0 });
        Ok(pages)
    }
}

impl PageSource for DumpPages<'_> {
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
        while !batch.is_full() {
            let Some(pfn) = self.left.next() else { break };
            let page = match self.memory.read_page(pfn)? {
                Page::Present(page) => page,
                Page::Absent(Why::Unstored) if self.zero_unstored => Arc::new([0; PAGE_SIZE]),
                Page::Absent(_) => {
                    self.lost.insert(pfn);
                    continue;
                }
            };
            batch.push_page(pfn, &page);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::testing::{MadeSource, made_meta, made_pages};

    fn made(format: Format, ram: &PfnSet) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        let mut source = MadeSource::new(ram, &PfnSet::new(), 100);
        write(format, &mut out, &made_meta(), ram, &mut source, &Options::default(), &mut |_| {}).unwrap();
        out.into_inner()
    }

    #[test]
    fn every_format_turns_into_every_other_with_all_pages_and_notes() {
        let ram: PfnSet = (5..70).chain(800..890).map(Pfn).collect();
        for from in Format::NAMES {
            for to in Format::NAMES {
                let (from, to): (Format, Format) = (from.parse().unwrap(), to.parse().unwrap());
                let first = Dump::open(Cursor::new(made(from, &ram))).unwrap();
                assert_eq!(first.format(), from);
                let pages = first.dumped();
                let mut source = DumpPages::new(&first, &pages);
                let mut out = Cursor::new(Vec::new());
                let mut meta = first.meta().clone();
                // A compressed kdump does not say where the direct map is.
                meta.direct_map = made_meta().direct_map;
                write(to, &mut out, &meta, &first.ram(), &mut source, &Options::default(), &mut |_| {})
                    .unwrap();
                assert!(source.lost().is_empty());

                let second = Dump::open(Cursor::new(out.into_inner())).unwrap();
                assert_eq!((second.format(), second.dumped()), (to, ram.clone()));
                for (pfn, page) in made_pages(&ram) {
                    assert_eq!(second.read_page(Pfn(pfn)).unwrap(), Page::Present(page.into()));
                }
                // The promise of checksums is each file's own.
                let notes = |dump: &Dump<_>| {
                    let kept = dump.notes().map(Result::unwrap).filter(|note| note.as_promise().is_none());
                    kept.map(|note| note.desc.to_vec()).collect::<Vec<_>>()
                };
                assert_eq!(notes(&second), notes(&first));
                assert_eq!(second.meta().kind, made_meta().kind);
            }
        }
    }

    #[test]
    fn a_proof_reads_every_page_and_names_the_broken_one() {
        let ram: PfnSet = (0..100).map(Pfn).collect();
        let mut file = made(Format::default(), &ram);
        let whole = Dump::open(Cursor::new(file.clone())).unwrap();
        assert_eq!(DumpPages::new(&whole, &ram).prove(&mut |_| {}).unwrap(), 100);
        // Page frame 1 packs well: its frame is the first after the page of zeros, and its magic breaks here.
        let at = file.windows(4).position(|bytes| bytes == [0x28, 0xb5, 0x2f, 0xfd]).unwrap();
        file[at] ^= 1;
        let broken = Dump::open(Cursor::new(file)).unwrap();
        let error = DumpPages::new(&broken, &ram).prove(&mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("page data: of page frame 0x1: "), "{error}");
    }

    #[test]
    fn what_is_no_dump_is_refused() {
        for bytes in [b"".as_slice(), b"\x7fEL", b"\x7fELF", b"KDUMP", b"#!/bin/sh\n"] {
            assert!(matches!(Dump::open(Cursor::new(bytes)), Err(Error::Format { .. })));
        }
    }
}
