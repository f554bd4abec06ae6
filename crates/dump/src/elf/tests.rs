//! An ELF vmcore is written and read back; its bytes stand where other readers look.

use std::io::Cursor;

use proptest::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

use super::header::{Header, PT_LOAD, PT_NOTE, Segment};
use super::{Reader, write};
use crate::memory::{Memory, Page, Why};
use crate::testing::{MadeSource, made_closing_notes, made_meta, made_page, made_pages, made_sets};
use crate::{
    ByteLen, DumpPages, Error, Mapping, Meta, Options, Paddr, PageBatch, PageSource, Pfn, PfnSet,
    SourceError, Vaddr,
};

const TEXT: Mapping =
    Mapping { vaddr: Vaddr(0xffff_ffff_8100_0000), paddr: Paddr(0x10_0000), len: ByteLen(0x20_0000) };

fn meta() -> Meta {
    Meta { mappings: vec![TEXT], ..made_meta() }
}

fn written(ram: &PfnSet, wanted: &PfnSet, fails: &PfnSet) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut source = MadeSource::new(wanted, fails, 256);
    let options = Options { closing_room: ByteLen(8192), ..Options::default() };
    let summary = write(&mut out, &meta(), ram, &mut source, &options, &mut |_| {}).unwrap();
    assert_eq!(summary.dumped, wanted.subtract(fails));
    if summary.pages > 0 {
        assert_eq!(summary.file_len.0, out.get_ref().len() as u64);
    }
    out.into_inner()
}

fn segments(file: &[u8]) -> Vec<Segment> {
    let (header, _) = Header::read_from_prefix(file).unwrap();
    let bytes = &file[64..64 + usize::from(header.phnum) * 56];
    bytes.chunks_exact(56).map(|one| Segment::read_from_bytes(one).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_was_written_is_read_and_nothing_else((ram, wanted, fails) in made_sets()) {
        let file = written(&ram, &wanted, &fails);
        let there = wanted.subtract(&fails);
        let reader = Reader::open(Cursor::new(&file)).unwrap();
        prop_assert_eq!(reader.dumped(), there.clone());
        let pages = made_pages(&there);
        for pfn in 0..ram.end().0 + 10 {
            let expected = match pages.get(&pfn) {
                Some(page) => Page::Present((*page).into()),
                None => Page::Absent(Why::Excluded),
            };
            prop_assert_eq!(reader.read_page(Pfn(pfn)).unwrap(), expected, "page frame {}", pfn);
        }
        prop_assert_eq!(reader.read_page(Pfn(u64::MAX)).unwrap(), Page::Absent(Why::NotRam));
    }

    #[test]
    fn a_broken_file_is_refused_or_read_but_never_a_panic(
        flips in prop::collection::vec((0usize..3000, 1u8..), 1..12),
        cut in prop::option::of(0usize..60_000),
    ) {
        let ram: PfnSet = (250..270).chain(300..305).map(Pfn).collect();
        let mut file = written(&ram, &ram, &PfnSet::new());
        for (at, flip) in flips {
            file[at] ^= flip;
        }
        file.truncate(cut.unwrap_or(file.len()));
        look_at_everything(&file);
    }
}

/// Reads all there is to read; every refusal names an offset and a field.
fn look_at_everything(file: &[u8]) {
    let named = |error: Error| match error {
        Error::Format { field, problem, .. } => assert!(!field.is_empty() && !problem.is_empty()),
        other => panic!("{other}"),
    };
    match Reader::open(Cursor::new(file)) {
        Ok(reader) => {
            for pfn in 240..320 {
                reader.read_page(Pfn(pfn)).map(drop).unwrap_or_else(named);
            }
            for note in reader.notes().flatten() {
                let _ = (note.as_shot(), note.as_torn(), note.as_prstatus());
            }
            let _ = (reader.dumped().count(), reader.ram().count());
        }
        Err(error) => named(error),
    }
}

#[test]
fn every_header_field_set_to_any_extreme_is_survived() {
    let ram: PfnSet = (250..270).chain(300..305).map(Pfn).collect();
    let file = written(&ram, &ram, &PfnSet::new());
    for at in (16..64 + 5 * 56).step_by(4) {
        for value in [0, 1, 2, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut file = file.clone();
            file[at..at + 4].copy_from_slice(&value.to_le_bytes());
            look_at_everything(&file);
        }
    }
}

#[test]
fn fields_stand_where_other_readers_look() {
    // 0xfe..0x102 crosses the start of the kernel's text at page frame 0x100.
    let ram: PfnSet = (0..16).chain(0xfe..0x102).map(Pfn).collect();
    let wanted: PfnSet = [1, 2, 0xfe, 0xff, 0x100, 0x101].into_iter().map(Pfn).collect();
    let file = written(&ram, &wanted, &PfnSet::new());
    let (header, _) = Header::read_from_prefix(file.as_slice()).unwrap();
    assert_eq!(&file[..7], b"\x7fELF\x02\x01\x01");
    assert_eq!((header.kind, header.machine, header.version), (4, 62, 1));
    assert_eq!((header.phoff, header.phentsize, header.phnum, header.shnum), (64, 56, 4, 0));

    let segments = segments(&file);
    let note = segments[0];
    assert_eq!(note.kind, PT_NOTE);
    let mut notes = made_meta().notes;
    notes.append(&made_closing_notes());
    let start = note.offset as usize;
    assert!(file[start..start + note.filesz as usize].starts_with(notes.bytes()));
    assert_eq!(note.filesz, notes.bytes().len() as u64 + 48, "the promise of checksums comes last");

    let data = segments[2].offset;
    assert_eq!(data % 4096, 0);
    assert!(note.offset + note.filesz <= data, "notes lie before all pages");
    let load = |offset, vaddr, paddr, len| Segment {
        kind: PT_LOAD,
        flags: 7,
        offset,
        vaddr,
        paddr,
        filesz: len,
        memsz: len,
        align: 0,
    };
    let expected = [
        load(data + 4 * 4096, 0xffff_ffff_8100_0000, 0x10_0000, 0x2000),
        load(data, 0xffff_8880_0000_1000, 0x1000, 0x2000),
        load(data + 2 * 4096, 0xffff_8880_000f_e000, 0xf_e000, 0x4000),
    ];
    assert_eq!(segments[1..], expected);
    let text = segments[1].offset as usize;
    assert_eq!(file[text..text + 4096], made_page(0x100));
}

#[test]
fn a_reader_finds_what_the_file_says_of_its_machine() {
    let ram: PfnSet = (0x80..0x180).map(Pfn).collect();
    let reader = Reader::open(Cursor::new(written(&ram, &ram, &PfnSet::new()))).unwrap();
    let read = reader.meta();
    assert_eq!(read.direct_map, meta().direct_map);
    assert_eq!((read.cpus, read.kind, read.incomplete), (2, meta().kind, false));
    // The text is at 16 MiB of its mapping and at 1 MiB of memory.
    assert_eq!(read.phys_base as i64, 0x10_0000 - 0x100_0000);
    assert_eq!(read.mappings, [Mapping { len: ByteLen(0x8_0000), ..TEXT }]);
    // But for the promise of checksums, which is of that file alone.
    assert_eq!(
        read.notes.bytes(),
        {
            let mut notes = meta().notes;
            notes.append(&made_closing_notes());
            notes
        }
        .bytes()
    );
}

#[test]
fn a_mapping_that_is_not_the_images_comes_after_the_direct_map() {
    let ram: PfnSet = (0x80..0x180).map(Pfn).collect();
    let stack = Mapping { vaddr: Vaddr(0xffff_c900_0001_0000), paddr: Paddr(0x9_0000), len: ByteLen(0x1000) };
    let meta = Meta { mappings: vec![stack, TEXT], ..made_meta() };
    let mut out = Cursor::new(Vec::new());
    let mut source = MadeSource::new(&ram, &PfnSet::new(), 256);
    let options = Options { closing_room: ByteLen(8192), ..Options::default() };
    write(&mut out, &meta, &ram, &mut source, &options, &mut |_| {}).unwrap();
    let file = out.into_inner();
    let loads: Vec<_> = segments(&file).into_iter().filter(|one| one.kind == PT_LOAD).collect();
    let addresses: Vec<u64> = loads.iter().map(|load| load.vaddr).collect();
    assert_eq!(addresses, [TEXT.vaddr.0, meta.direct_map.0 + 0x8_0000, stack.vaddr.0]);
    assert_eq!(loads[2].offset - loads[1].offset, 0x1_0000);
    let reader = Reader::open(Cursor::new(file)).unwrap();
    assert_eq!((reader.meta().direct_map, reader.meta().mappings[1]), (meta.direct_map, stack));
}

/// Every other page of a range, all alike.
struct EveryOther(std::iter::StepBy<std::ops::Range<u64>>);

impl PageSource for EveryOther {
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
        while !batch.is_full() {
            let Some(pfn) = self.0.next() else { break };
            batch.push_page(Pfn(pfn), &[7; 4096]);
        }
        Ok(())
    }
}

/// A file of which only the start is kept: the pages do not matter.
#[derive(Default)]
struct Front(Cursor<Vec<u8>>);

impl std::io::Write for Front {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.position() < 5 << 20 { self.0.write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl std::io::Seek for Front {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}

/// A file of which only the start is kept; the rest reads as sevens.
struct Sevens {
    front: Vec<u8>,
    len: u64,
    at: u64,
}

impl std::io::Read for Sevens {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = into.len().min((self.len - self.at) as usize);
        for (place, byte) in (self.at as usize..).zip(&mut into[..count]) {
            *byte = self.front.get(place).copied().unwrap_or(7);
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl std::io::Seek for Sevens {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            std::io::SeekFrom::Start(at) => at,
            std::io::SeekFrom::End(past) => self.len.saturating_add_signed(past),
            std::io::SeekFrom::Current(past) => self.at.saturating_add_signed(past),
        };
        Ok(self.at)
    }
}

#[test]
fn more_segments_than_sixteen_bits_count() {
    let mut ram = PfnSet::new();
    ram.insert_run(Pfn(0), 140_000);
    let mut out = Front::default();
    let mut source = EveryOther((0..140_000).step_by(2));
    let options = Options { most_pages: Some(70_000), most_runs: Some(70_000), ..Options::default() };
    let plain = Meta { mappings: Vec::new(), ..meta() };
    let summary = write(&mut out, &plain, &ram, &mut source, &options, &mut |_| {}).unwrap();
    let file = out.0.into_inner();
    let (header, _) = Header::read_from_prefix(file.as_slice()).unwrap();
    assert_eq!((header.phnum, header.shnum, header.shentsize), (0xffff, 1, 64));
    let info = header.shoff as usize + 44;
    assert_eq!(&file[info..info + 4], 70_001u32.as_bytes());
    let reader = Reader::open(Sevens { front: file, len: summary.file_len.0, at: 0 }).unwrap();
    assert_eq!(reader.dumped().run_count(), 70_000);
    assert_eq!(reader.read_page(Pfn(139_998)).unwrap(), Page::Present([7; 4096].into()));
    assert_eq!(reader.read_page(Pfn(139_997)).unwrap(), Page::Absent(Why::Excluded));
}

#[test]
fn more_runs_than_room_are_refused() {
    let mut ram = PfnSet::new();
    ram.insert_run(Pfn(0), 400_000);
    let mut source = EveryOther((0..400_000).step_by(2));
    let options = Options { most_runs: Some(10), ..Options::default() };
    let error = write(&mut Front::default(), &meta(), &ram, &mut source, &options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, Error::Room { what: "runs of pages", .. }), "{error}");
}

#[test]
fn without_a_direct_map_there_is_no_elf() {
    let unknown = Meta { direct_map: Vaddr(0), ..meta() };
    let ram: PfnSet = [Pfn(1)].into_iter().collect();
    let mut source = MadeSource::new(&ram, &PfnSet::new(), 1);
    let error = write(&mut Front::default(), &unknown, &ram, &mut source, &Options::default(), &mut |_| {});
    assert!(matches!(error, Err(Error::Unfit(_))));
}

#[test]
fn a_length_without_bytes_is_neither_zero_nor_left_out() {
    let ram: PfnSet = (4..8).map(Pfn).collect();
    let mut file = written(&ram, &ram, &PfnSet::new());
    let memsz = 64 + 56 + 40;
    file[memsz..memsz + 8].copy_from_slice(0x6000u64.as_bytes());
    let reader = Reader::open(Cursor::new(&file)).unwrap();
    assert!(matches!(reader.read_page(Pfn(7)).unwrap(), Page::Present(_)));
    assert_eq!(reader.read_page(Pfn(8)).unwrap(), Page::Absent(Why::Unstored));
    assert_eq!(reader.read_page(Pfn(10)).unwrap(), Page::Absent(Why::Excluded));
    assert_eq!((reader.ram().count(), reader.dumped().count()), (6, 4));

    let all = reader.ram();
    let mut batch = PageBatch::new();
    let mut plain = DumpPages::new(&reader, &all);
    plain.fill(&mut batch).unwrap();
    assert_eq!((batch.len(), plain.lost().count()), (4, 2));
    batch.clear();
    DumpPages::new(&reader, &all).zero_unstored().fill(&mut batch).unwrap();
    let last = batch.pages().last().map(|(pfn, page)| (pfn, *page));
    assert_eq!(last, Some((Pfn(9), [0; 4096])));
}
