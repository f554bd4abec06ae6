//! Small dumps of every format are damaged in every way; none passes for whole, and nothing panics.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::testing::{MadeSource, made_meta, made_sets};
use crate::{Format, Meta, Options, write};

/// A dump of a few pages of each sort, with little room for notes, so that flips hit something.
fn made(format: &str, ram: &PfnSet) -> Vec<u8> {
    let format: Format = format.parse().unwrap();
    let mut out = Cursor::new(Vec::new());
    let mut source = MadeSource::new(ram, &PfnSet::new(), 7);
    let options = Options { closing_room: ByteLen(8192), most_runs: Some(50), ..Options::default() };
    write(format, &mut out, &made_meta(), ram, &mut source, &options, &mut |_| {}).unwrap();
    out.into_inner()
}

fn small(format: &str) -> Vec<u8> {
    made(format, &(16..40).chain(70..75).map(Pfn).collect())
}

fn proven(file: &[u8]) -> (Result<Verdict, Unproven>, Vec<Finding>) {
    let mut findings = Vec::new();
    let verdict = verify(&mut Cursor::new(file), &mut |finding| findings.push(finding), &mut |_| {});
    if let Ok(verdict) = &verdict {
        assert_eq!(verdict.findings, findings.len() as u64);
    }
    (verdict, findings)
}

fn is_whole(file: &[u8]) -> bool {
    proven(file).0.is_ok_and(|verdict| verdict.is_whole())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_was_written_is_whole((ram, wanted, fails) in made_sets(), format in prop::sample::select(&Format::NAMES[..])) {
        let mut out = Cursor::new(Vec::new());
        let mut source = MadeSource::new(&wanted, &fails, 100);
        let parsed: Format = format.parse().unwrap();
        let summary = write(parsed, &mut out, &made_meta(), &ram, &mut source, &Options::default(), &mut |_| {}).unwrap();
        let (verdict, findings) = proven(out.get_ref());
        prop_assert_eq!(findings, []);
        let verdict = verdict.unwrap();
        prop_assert_eq!(verdict.pages, summary.pages);
        prop_assert!(verdict.bytes.0 + 64 <= summary.file_len.0);
        prop_assert_eq!(summary.file_len.0, out.get_ref().len() as u64);
    }

    #[test]
    fn any_damage_is_found_and_none_panics(
        format in prop::sample::select(&Format::NAMES[..]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = small(format);
        let mut file = whole.clone();
        for (at, flip) in flips {
            let at = at.index(file.len());
            file[at] ^= flip;
        }
        file.truncate(cut.map_or(file.len(), |cut| cut.index(file.len())));
        prop_assert_eq!(is_whole(&file), file == whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..5000)) {
        prop_assert!(!is_whole(&bytes));
    }
}

#[test]
fn every_flipped_bit_is_found() {
    for format in Format::NAMES {
        let mut file = small(format);
        assert!(is_whole(&file), "{format}");
        // Bytes all over the file, its bits in turn, and all eight bits of those that say what the rest is.
        let step = if cfg!(debug_assertions) { 397 } else { 1 };
        let ends = (0..16).chain(424..464).chain(4096..4112).chain(file.len() - 64..file.len());
        let bits = (0..file.len()).step_by(step).map(|at| (at, at % 8));
        for (at, bit) in bits.chain(ends.flat_map(|at| (0..8).map(move |bit| (at, bit)))) {
            file[at] ^= 1 << bit;
            assert!(!is_whole(&file), "{format}: bit {bit} of byte {at:#x} of {:#x}", file.len());
            file[at] ^= 1 << bit;
        }
    }
}

#[test]
fn every_cut_is_found() {
    for format in Format::NAMES {
        let file = small(format);
        for cut in (0..file.len()).step_by(797) {
            assert!(!is_whole(&file[..cut]), "{format}: cut at {cut:#x} of {:#x}", file.len());
        }
        let mut longer = file;
        longer.push(0);
        assert!(!is_whole(&longer), "{format}: one byte more");
    }
}

#[test]
fn a_finding_names_page_and_place() {
    let mut file = small("kdump-zstd");
    // Page frame 16 packs well, 17 is noise and stored as it is: the first data after the page of zeros.
    let dump = Dump::open(Cursor::new(&file)).unwrap();
    let at = dump.place(Pfn(17)).unwrap();
    drop(dump);
    file[at.0 as usize + 9] ^= 0x40;
    let (verdict, findings) = proven(&file);
    let verdict = verdict.unwrap();
    assert_eq!((verdict.bad_pages, verdict.bad_bytes, verdict.pages), (1, ByteLen(4096), 29));
    let block = (at.0 + 9) / 4096 * 4096;
    let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            format!("at {block:#x}: 4096 bytes of page data are not as they were written"),
            format!("page frame 0x11 at {at}: its bytes are not those that were read from memory"),
        ]
    );
}

#[test]
fn a_cut_file_says_how_much_is_missing_and_which_pages() {
    let file = small("elf");
    let dump = Dump::open(Cursor::new(&file)).unwrap();
    let promise = promise(&dump).unwrap();
    assert_eq!(promise.offset + promise.bytes, file.len() as u64);
    drop(dump);
    // The last page, 4 KiB of checksums and footer are gone: no reader of the format opens that.
    let cut = promise.offset as usize - 4096;
    assert!(matches!(proven(&file[..cut]).0, Err(Unproven::Unreadable(_))));

    let file = small("kdump-zstd");
    let cut = file.len() - 4096 - 10;
    let (verdict, findings) = proven(&file[..cut]);
    assert!(!verdict.unwrap().is_whole());
    let told: Vec<_> = findings.iter().map(ToString::to_string).collect();
    let missing =
        format!("it was cut off: 4106 of {} bytes are missing, the checksums among them", file.len());
    assert_eq!(told.first(), Some(&missing));
}

#[test]
fn what_never_had_checksums_is_told_so() {
    let ram: PfnSet = (16..40).map(Pfn).collect();
    let file = made("kdump-zlib", &ram);
    // As an older lkd left it: neither note nor table.
    let dump = Dump::open(Cursor::new(&file)).unwrap();
    let end = promise(&dump).unwrap().offset as usize;
    drop(dump);
    let mut old = file[..end].to_vec();
    let note = old.windows(4).position(|bytes| bytes == crate::note::SUMS.to_le_bytes()).unwrap();
    old[note] ^= 0x80;
    assert!(matches!(proven(&old).0, Err(Unproven::NoSums)));
    let other = proven(b"#!/bin/sh\n").0.unwrap_err().to_string();
    assert_eq!(other, "at 0x0: signature: is not that of a compressed kdump file");
}

#[test]
fn a_copy_in_another_format_has_checksums_of_its_own() {
    let first = Dump::open(Cursor::new(small("kdump-zlib"))).unwrap();
    let pages = first.dumped();
    let mut source = crate::DumpPages::new(&first, &pages);
    let mut out = Cursor::new(Vec::new());
    let meta = Meta { direct_map: made_meta().direct_map, ..first.meta().clone() };
    write(Format::Elf, &mut out, &meta, &first.ram(), &mut source, &Options::default(), &mut |_| {}).unwrap();
    assert!(is_whole(out.get_ref()));
    let copy = Dump::open(out).unwrap();
    assert_eq!(copy.notes().flatten().filter(|note| note.as_promise().is_some()).count(), 1);
}
