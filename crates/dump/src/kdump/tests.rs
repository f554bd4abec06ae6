//! A compressed kdump file is written and read back; its bytes stand where other readers look.

use std::io::Cursor;
use std::num::NonZeroUsize;

use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::{Reader, write};
use crate::memory::{Memory, Page, Why};
use crate::testing::{MadeSource, VMCOREINFO, made_closing_notes, made_meta, made_pages, made_sets};
use crate::{ByteLen, Codec, Error, Kind, Meta, Options, Pfn, PfnSet, Summary};

const CODECS: [Codec; 3] = [Codec::Zstd { level: -1 }, Codec::Zlib { level: 1 }, Codec::Raw];

fn options(codec: Codec, threads: usize) -> Options {
    Options { codec, threads: NonZeroUsize::new(threads).unwrap(), ..Options::default() }
}

fn written(
    ram: &PfnSet,
    wanted: &PfnSet,
    fails: &PfnSet,
    options: &Options,
    batch: usize,
) -> (Vec<u8>, Summary) {
    let mut out = Cursor::new(Vec::new());
    let mut source = MadeSource::new(wanted, fails, batch);
    let summary = write(&mut out, &made_meta(), ram, &mut source, options, &mut |_| {}).unwrap();
    assert_eq!(source.summary.as_ref(), Some(&summary));
    (out.into_inner(), summary)
}

fn word(file: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap())
}

fn long(file: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(file[at..at + 8].try_into().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_was_written_is_read_and_nothing_else(
        (ram, wanted, fails) in made_sets(),
        codec in prop::sample::select(&CODECS[..]),
        threads in 1usize..4,
        batch in 1usize..300,
    ) {
        let (file, summary) = written(&ram, &wanted, &fails, &options(codec, threads), batch);
        let there = wanted.subtract(&fails);
        prop_assert_eq!(summary.pages, there.count());
        prop_assert_eq!(summary.zero + summary.raw + summary.compressed, summary.pages);
        prop_assert_eq!(&summary.dumped, &there);
        prop_assert_eq!(summary.file_len, ByteLen(file.len() as u64));
        prop_assert_eq!(file.len() % 4096, 0);

        let reader = Reader::open(Cursor::new(&file)).unwrap();
        prop_assert_eq!(reader.ram(), ram.clone());
        prop_assert_eq!(reader.dumped(), there.clone());
        prop_assert_eq!(reader.codec(), codec);
        let pages = made_pages(&there);
        for pfn in 0..ram.end().0 + 10 {
            let expected = match pages.get(&pfn) {
                Some(page) => Page::Present((*page).into()),
                None if ram.contains(Pfn(pfn)) => Page::Absent(Why::Excluded),
                None => Page::Absent(Why::NotRam),
            };
            prop_assert_eq!(reader.read_page(Pfn(pfn)).unwrap(), expected, "page frame {}", pfn);
        }
        prop_assert_eq!(reader.read_page(Pfn(u64::MAX)).unwrap(), Page::Absent(Why::NotRam));
    }

    #[test]
    fn a_broken_file_is_refused_or_read_but_never_a_panic(
        flips in prop::collection::vec((0usize..60_000, 1u8..), 1..12),
        cut in prop::option::of(0usize..60_000),
    ) {
        let mut ram = PfnSet::new();
        ram.insert_run(Pfn(16), 20);
        let (mut file, _) = written(&ram, &ram, &PfnSet::new(), &small(), 7);
        for (at, flip) in flips {
            if let Some(byte) = file.get_mut(at) {
                *byte ^= flip;
            }
        }
        file.truncate(cut.unwrap_or(file.len()));
        look_at_everything(&file);
    }
}

/// Little room for notes, so that flips hit something.
fn small() -> Options {
    Options { closing_room: ByteLen(8192), ..options(Codec::default(), 1) }
}

/// Reads all there is to read; every refusal names an offset and a field.
fn look_at_everything(file: &[u8]) {
    let named = |error: Error| match error {
        Error::Format { field, problem, .. } => assert!(!field.is_empty() && !problem.is_empty()),
        other => panic!("{other}"),
    };
    match Reader::open(Cursor::new(file)) {
        Ok(reader) => {
            for pfn in 0..64 {
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
fn every_cut_of_the_headers_is_refused_by_name() {
    let mut ram = PfnSet::new();
    ram.insert_run(Pfn(16), 20);
    let (file, _) = written(&ram, &ram, &PfnSet::new(), &small(), 7);
    for cut in (0..file.len()).step_by(397) {
        look_at_everything(&file[..cut]);
    }
    let refused = |cut: usize| Reader::open(Cursor::new(&file[..cut])).err().map(|error| error.to_string());
    let wanted = "at 0x0: signature: wants 8 bytes, the file ends at 0x5";
    assert_eq!(refused(5).as_deref(), Some(wanted));
    let wanted = "at 0x1000: kdump_sub_header: wants 104 bytes, the file ends at 0x1020";
    assert_eq!(refused(0x1020).as_deref(), Some(wanted));
}

#[test]
fn every_header_field_set_to_any_extreme_is_survived() {
    let mut ram = PfnSet::new();
    ram.insert_run(Pfn(16), 20);
    let (file, _) = written(&ram, &ram, &PfnSet::new(), &small(), 7);
    for at in (8..464).chain(4096..4096 + 104).step_by(4) {
        for value in [0, 1, 2, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            let mut file = file.clone();
            file[at..at + 4].copy_from_slice(&value.to_le_bytes());
            look_at_everything(&file);
        }
    }
}

#[test]
fn fields_stand_where_other_readers_look() {
    let mut ram = PfnSet::new();
    ram.insert_run(Pfn(1), 100);
    ram.insert_run(Pfn(40_000), 5);
    let wanted: PfnSet = [2, 3, 4, 40_004].into_iter().map(Pfn).collect();
    let (file, summary) = written(&ram, &wanted, &PfnSet::new(), &options(Codec::default(), 2), 256);

    assert_eq!(&file[..8], b"KDUMP   ");
    assert_eq!(word(&file, 8), 6);
    assert_eq!(&file[12..18], b"Linux\0");
    assert_eq!(&file[12 + 65 * 2..12 + 65 * 2 + 12], b"6.12.0-test\0");
    // Readers look at the machine's name and refuse a file without it.
    assert_eq!(&file[12 + 65 * 4..12 + 65 * 4 + 7], b"x86_64\0");
    assert_eq!((long(&file, 408), long(&file, 416)), (1_795_362_612, 250_000));
    assert_eq!(word(&file, 424), 0x20, "status: zstd");
    assert_eq!(word(&file, 428), 4096, "block size");
    let sub_blocks = word(&file, 432) as usize;
    let bitmap_blocks = word(&file, 436) as usize;
    assert_eq!(bitmap_blocks, 2 * 40_005usize.div_ceil(8).div_ceil(4096));
    assert_eq!(word(&file, 440), 40_005, "max_mapnr");
    assert_eq!(word(&file, 444), 105, "RAM pages");
    assert_eq!((word(&file, 456), word(&file, 460)), (1, 2), "current CPU, CPUs");

    assert_eq!(long(&file, 4096), 0x1200_0000, "phys_base");
    assert_eq!(word(&file, 4104), 19, "dump level");
    assert_eq!(word(&file, 4108), 0, "split");
    let (info_at, info_len) = (long(&file, 4128) as usize, long(&file, 4136) as usize);
    assert_eq!(&file[info_at..info_at + info_len], VMCOREINFO);
    let (notes_at, notes_len) = (long(&file, 4144) as usize, long(&file, 4152) as usize);
    assert_eq!(notes_at, 4096 + 104);
    let mut notes = made_meta().notes;
    notes.append(&made_closing_notes());
    let known = notes.bytes().len();
    assert_eq!(&file[notes_at..notes_at + known], notes.bytes());
    assert_eq!((notes_len - known, word(&file, notes_at + known + 8)), (48, crate::note::SUMS));
    assert_eq!(long(&file, 4096 + 96), 40_005, "max_mapnr");

    let bitmap1 = 4096 * (1 + sub_blocks);
    let bitmap2 = bitmap1 + bitmap_blocks / 2 * 4096;
    assert_eq!(file[bitmap1..bitmap1 + 2], [0xfe, 0xff]);
    assert_eq!(file[bitmap2..bitmap2 + 2], [0b1_1100, 0]);
    assert_eq!(file[bitmap2 + 5000], 1 << 4);

    let descs = bitmap1 + bitmap_blocks * 4096;
    let desc = |rank: usize| {
        let at = descs + rank * 24;
        (long(&file, at) as usize, word(&file, at + 8) as usize, word(&file, at + 12), long(&file, at + 16))
    };
    // Page frame 2 is noise, 3 is zero, 4 packs; 40 004 is noise again.
    let data = (descs + 105 * 24).next_multiple_of(4096);
    assert_eq!(desc(0), (data + 4096, 4096, 0, 0));
    assert_eq!(desc(1), (data, 4096, 0, 0));
    assert!(file[data..data + 4096].iter().all(|byte| *byte == 0));
    let (offset, size, flags, _) = desc(2);
    assert_eq!((offset, flags), (data + 2 * 4096, 0x20));
    assert_eq!(desc(3), (offset + size, 4096, 0, 0));
    assert_eq!((summary.zero, summary.raw, summary.compressed), (1, 2, 1));
    // A zstd frame that says how long its content is.
    assert_eq!(word(&file, offset), 0xfd2f_b528);
    let unpacked = zstd_safe::get_frame_content_size(&file[offset..offset + size]);
    assert_eq!(unpacked.ok().flatten(), Some(4096));
}

#[test]
fn a_machine_that_says_nothing_of_itself_still_makes_a_dump_that_opens() {
    let ram: PfnSet = [Pfn(4)].into_iter().collect();
    let mut out = Cursor::new(Vec::new());
    let mut source = MadeSource::new(&ram, &PfnSet::new(), 1);
    write(&mut out, &Meta::default(), &ram, &mut source, &Options::default(), &mut |_| {}).unwrap();
    let names = Reader::open(out).unwrap().meta().utsname.clone();
    let texts = [names.sysname, names.nodename, names.release, names.version, names.machine];
    assert_eq!(texts, ["Linux", "", "(unknown)", "(unknown)", "x86_64"]);
}

#[test]
fn a_zlib_page_has_its_wrapper() {
    let wanted: PfnSet = [Pfn(4)].into_iter().collect();
    let (file, _) = written(&wanted, &wanted, &PfnSet::new(), &options(Codec::Zlib { level: 1 }, 1), 256);
    assert_eq!(word(&file, 424), 0x1, "status: zlib");
    let descs = 4096 * (1 + word(&file, 432) + word(&file, 436)) as usize;
    let offset = long(&file, descs) as usize;
    assert_eq!(file[offset], 0x78, "deflate with a 32 KiB window");
    assert_eq!(word(&file, descs + 12), 0x1);
}

#[test]
fn a_reader_finds_the_notes_and_the_kind() {
    let ram: PfnSet = (0..9).map(Pfn).collect();
    let (file, _) = written(&ram, &ram, &PfnSet::new(), &Options::default(), 256);
    let reader = Reader::open(Cursor::new(&file)).unwrap();
    let meta = reader.meta();
    assert_eq!(meta.kind, Kind::All);
    assert_eq!(meta.utsname.release, "6.12.0-test");
    assert_eq!(meta.utsname.machine, "x86_64");
    assert_eq!((meta.cpus, meta.cpu, meta.phys_base, meta.taken), (2, 1, 0x1200_0000, made_meta().taken));
    let notes: Vec<_> = reader.notes().collect::<Result<_, _>>().unwrap();
    assert_eq!(notes[0].as_prstatus().map(|(pid, _)| pid), Some(4711));
    assert_eq!(notes[2].as_vmcoreinfo(), Some(VMCOREINFO));
    assert_eq!(notes[3].as_shot().map(|shot| shot.probe()), Some("syscall:vmlinux:lseek:return".to_owned()));
    assert_eq!(notes[4].as_torn().map(|torn| torn[0].covers(Pfn(11))), Some(true));
}

#[test]
fn a_lost_page_is_not_a_page_of_zeros() {
    let ram: PfnSet = (0..9).map(Pfn).collect();
    let (mut file, _) = written(&ram, &ram, &PfnSet::new(), &Options::default(), 256);
    let descs = 4096 * (1 + word(&file, 432) + word(&file, 436)) as usize;
    file[descs + 24..descs + 32].copy_from_slice(0u64.as_bytes());
    let reader = Reader::open(Cursor::new(&file)).unwrap();
    assert_eq!(reader.read_page(Pfn(1)).unwrap(), Page::Absent(Why::Lost));
    assert!(matches!(reader.read_page(Pfn(2)).unwrap(), Page::Present(_)));
}

#[test]
fn more_pages_than_planned_are_refused() {
    let ram: PfnSet = (0..100).map(Pfn).collect();
    let options = Options { most_pages: Some(50), ..Options::default() };
    let mut source = MadeSource::new(&ram, &PfnSet::new(), 30);
    let error = write(&mut Cursor::new(Vec::new()), &made_meta(), &ram, &mut source, &options, &mut |_| {});
    assert_eq!(error.unwrap_err().to_string(), "no room for pages: 60 wanted, 50 kept");

    let beyond: PfnSet = [Pfn(100)].into_iter().collect();
    let mut source = MadeSource::new(&beyond, &PfnSet::new(), 30);
    let error = write(
        &mut Cursor::new(Vec::new()),
        &made_meta(),
        &ram,
        &mut source,
        &Options::default(),
        &mut |_| {},
    );
    assert_eq!(error.unwrap_err().to_string(), "no room for page frames: 100 wanted, 100 kept");
}

#[test]
fn a_file_whose_writing_failed_has_no_signature() {
    let ram: PfnSet = (0..1000).map(Pfn).collect();
    let options = Options { most_pages: Some(900), ..Options::default() };
    let mut out = Cursor::new(Vec::new());
    let mut source = MadeSource::new(&ram, &PfnSet::new(), 30);
    assert!(write(&mut out, &made_meta(), &ram, &mut source, &options, &mut |_| {}).is_err());
    let file = out.into_inner();
    assert!(file.iter().take(8).all(|byte| *byte == 0));
    assert!(Reader::open(Cursor::new(&file)).is_err());
}

#[test]
fn other_files_are_told_apart() {
    let refused = |bytes: &[u8]| Reader::open(Cursor::new(bytes)).err().map(|error| error.to_string());
    let elf = "at 0x0: signature: is not that of a compressed kdump file";
    assert_eq!(refused(b"\x7fELF\x02\x01\x01\0\0\0").as_deref(), Some(elf));
    let flattened = "at 0x0: signature: is a flattened dump; make it whole first with makedumpfile -R";
    assert_eq!(refused(b"makedumpfile\0\0\0\0").as_deref(), Some(flattened));
}
