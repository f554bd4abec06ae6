//! ELF notes: what a dump says beside its pages (registers, vmcoreinfo, the shot), written and read.
//!
//! A note is three 32-bit words (length of the name with its NUL, length of the description, type), the name and
//! the description, each padded with zeros to a multiple of four. Readers take these:
//!
//! | name | type | description | who reads it |
//! |---|---|---|---|
//! | CORE | 1 | `struct elf_prstatus`, 336 bytes on x86-64: pid at 32, 27 registers at 112 | crash, drgn, gdb: one per online CPU, in the CPUs' order |
//! | VMCOREINFO | 0 | `key=value` lines, as the kernel made them | all; the name's length must be 11 |
//! | LKD | [`SHOT`] … | this project's records, `repr(C)` | lkd |
//!
//! crash looks at a note's type before its name, so our types are far from every number that means something
//! elsewhere.

use std::mem::{offset_of, size_of};
use std::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{ByteLen, Codec, CpuState, Options, PAGE_SIZE, Pfn, Regs, Shot, Summary};

/// A CPU's registers (name "CORE").
pub const NT_PRSTATUS: u32 = 1;
/// vmcoreinfo (name "VMCOREINFO").
pub const NT_VMCOREINFO: u32 = 0;
/// A [`Shot`] (name "LKD"). The types are "LKD" and a count, read as a word.
pub const SHOT: u32 = 0x4c4b_4401;
/// A [`CpuState`] (name "LKD").
pub const CPU_STATE: u32 = 0x4c4b_4402;
/// An array of [`Torn`] (name "LKD").
pub const TORN: u32 = 0x4c4b_4403;
/// [`WriteStats`] (name "LKD").
pub const STATS: u32 = 0x4c4b_4404;

/// A [`crate::Promise`] (name "LKD").
pub const SUMS: u32 = 0x4c4b_4405;
/// [`crate::Machines`] (name "LKD").
pub const VMS: u32 = 0x4c4b_4406;

/// The name of our own notes.
pub const LKD: &str = "LKD";

const NOTE_HEADER: usize = 12;

/// A run of pages that were read at another time than the freeze, or while the machine ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Torn {
    /// The first page frame.
    pub first: u64,
    /// How many pages follow from there on. Not all of them need be in the dump.
    pub pages: u64,
    /// CLOCK_MONOTONIC when the first of them was read, in nanoseconds.
    pub from_ns: u64,
    /// CLOCK_MONOTONIC when the last of them had been read, in nanoseconds.
    pub to_ns: u64,
    /// 0: something ran while it was read (smeared); 1: read after the thaw (trailing).
    pub why: u32,
    /// 0.
    pub reserved: u32,
}

impl Torn {
    /// [`Torn::why`]: read while a CPU, or all but one, ran on.
    pub const SMEARED: u32 = 0;
    /// [`Torn::why`]: read after the freeze had ended.
    pub const TRAILING: u32 = 1;

    /// Whether the page frame lies in the run.
    pub const fn covers(&self, pfn: Pfn) -> bool {
        pfn.0 >= self.first && pfn.0 - self.first < self.pages
    }
}

/// What writing the dump came to (88 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct WriteStats {
    /// Pages in the dump.
    pub pages: u64,
    /// Of these, all zero.
    pub zero: u64,
    /// Of these, stored as they are.
    pub raw: u64,
    /// Of these, compressed.
    pub compressed: u64,
    /// Pages that were wanted and could not be read.
    pub failed: u64,
    /// Bytes of page data as read.
    pub bytes_in: u64,
    /// Bytes of page data as stored.
    pub bytes_out: u64,
    /// CLOCK_MONOTONIC when the writer began, in nanoseconds.
    pub from_ns: u64,
    /// CLOCK_MONOTONIC when the last page had been handed over, in nanoseconds.
    pub to_ns: u64,
    /// Threads that compressed.
    pub threads: u32,
    /// 0 raw, 1 zlib, 2 zstd.
    pub codec: u32,
    /// The codec's level.
    pub level: i32,
    /// 0.
    pub reserved: u32,
}

impl WriteStats {
    /// What a writer's summary and options say; failures and times are the caller's to add.
    pub fn of(summary: &Summary, options: &Options) -> WriteStats {
        let (codec, level) = match options.codec {
            Codec::Raw => (0, 0),
            Codec::Zlib { level } => (1, i32::from(level)),
            Codec::Zstd { level } => (2, level),
        };
        WriteStats {
            pages: summary.pages,
            zero: summary.zero,
            raw: summary.raw,
            compressed: summary.compressed,
            bytes_in: summary.pages.saturating_mul(PAGE_SIZE as u64),
            bytes_out: summary.bytes_out,
            threads: u32::try_from(options.threads.get()).unwrap_or(u32::MAX),
            codec,
            level,
            ..WriteStats::default()
        }
    }
}

/// `struct elf_prstatus` on x86-64.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct PrStatus {
    signal: [u32; 4],
    signals_pending: u64,
    signals_held: u64,
    pid: u32,
    parent: u32,
    group: u32,
    session: u32,
    times: [u64; 8],
    regs: Regs,
    fs_base: u64,
    gs_base: u64,
    ds: u64,
    es: u64,
    fs: u64,
    gs: u64,
    fp_valid: u32,
    pad: u32,
}

const _: () = {
    assert!(size_of::<PrStatus>() == 336);
    assert!(offset_of!(PrStatus, pid) == 32);
    assert!(offset_of!(PrStatus, regs) == 112);
    assert!(offset_of!(PrStatus, fs_base) == 112 + 21 * 8);
    assert!(offset_of!(PrStatus, fp_valid) == 328);
    assert!(size_of::<Torn>() == 40);
    assert!(size_of::<WriteStats>() == 88);
};

/// Notes one after the other, as a dump stores them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    bytes: Vec<u8>,
    vmcoreinfo: Option<Range<usize>>,
}

impl Notes {
    /// No notes.
    pub const fn new() -> Notes {
        Notes { bytes: Vec::new(), vmcoreinfo: None }
    }

    /// Appends a note; `name` is given without its NUL.
    pub fn push(&mut self, name: &str, kind: u32, desc: &[u8]) {
        self.push_bytes(name.as_bytes(), kind, desc);
    }

    fn push_bytes(&mut self, name: &[u8], kind: u32, desc: &[u8]) -> Range<usize> {
        let words = [name.len() as u32 + 1, desc.len() as u32, kind];
        self.bytes.extend_from_slice(words.as_bytes());
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.pad();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(desc);
        self.pad();
        start..start + desc.len()
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Appends the registers of a CPU, on which the thread `pid` runs. Readers count these notes: there must be one
    /// per online CPU, in the CPUs' order, all zeros where nothing is known.
    pub fn prstatus(&mut self, pid: u32, regs: &Regs) {
        let status = PrStatus { pid, regs: *regs, ..PrStatus::default() };
        self.push("CORE", NT_PRSTATUS, status.as_bytes());
    }

    /// Appends the kernel's own text of keys. A last line without its newline would be lost on readers; it gets one.
    pub fn vmcoreinfo(&mut self, text: &[u8]) {
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut desc = text.to_vec();
        if desc.last().is_some_and(|last| *last != b'\n') {
            desc.push(b'\n');
        }
        let place = self.push_bytes(b"VMCOREINFO", NT_VMCOREINFO, &desc);
        self.vmcoreinfo = Some(place);
    }

    /// Appends the shot.
    pub fn shot(&mut self, shot: &Shot) {
        self.push(LKD, SHOT, shot.as_bytes());
    }

    /// Appends what a CPU was doing.
    pub fn cpu_state(&mut self, state: &CpuState) {
        self.push(LKD, CPU_STATE, state.as_bytes());
    }

    /// Appends the torn ranges.
    pub fn torn(&mut self, ranges: &[Torn]) {
        self.push(LKD, TORN, ranges.as_bytes());
    }

    /// Appends what writing came to.
    pub fn stats(&mut self, stats: &WriteStats) {
        self.push(LKD, STATS, stats.as_bytes());
    }

    /// Appends a note that was read elsewhere, unless it speaks of its own file only.
    pub fn push_read(&mut self, note: &Note<'_>) {
        if note.is(LKD, SUMS) {
            return;
        }
        if let Some(text) = note.as_vmcoreinfo() {
            self.vmcoreinfo(text);
        } else {
            self.push_bytes(note.name, note.kind, note.desc);
        }
    }

    /// The notes as they are stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How long they are.
    pub fn len(&self) -> ByteLen {
        ByteLen(self.bytes.len() as u64)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where in [`Notes::bytes`] the text of vmcoreinfo stands.
    pub fn vmcoreinfo_place(&self) -> Option<Range<usize>> {
        self.vmcoreinfo.clone()
    }

    /// All of `other`'s notes after these.
    pub fn append(&mut self, other: &Notes) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        if self.vmcoreinfo.is_none() {
            self.vmcoreinfo = other.vmcoreinfo.clone().map(|place| place.start + base..place.end + base);
        }
    }
}

/// Torn ranges that fit into a note of `room` bytes: where there are too many, neighbours are joined, nearest first,
/// so the answer may call a page torn that is not, never the other way round.
pub fn torn_to_fit(mut ranges: Vec<Torn>, room: ByteLen) -> Vec<Torn> {
    let most = (room.0 as usize / size_of::<Torn>()).max(1);
    ranges.sort_unstable_by_key(|range| range.first);
    let mut gap = 0u64;
    while ranges.len() > most {
        let mut joined: Vec<Torn> = Vec::with_capacity(ranges.len());
        for range in &ranges {
            match joined.last_mut() {
                Some(last) if range.first <= last.first.saturating_add(last.pages).saturating_add(gap) => {
                    let end =
                        range.first.saturating_add(range.pages).max(last.first.saturating_add(last.pages));
                    last.pages = end - last.first;
                    last.from_ns = last.from_ns.min(range.from_ns);
                    last.to_ns = last.to_ns.max(range.to_ns);
                    last.why = last.why.max(range.why);
                }
                _ => joined.push(*range),
            }
        }
        ranges = joined;
        gap = gap.saturating_mul(2).max(1);
    }
    ranges
}

/// One note as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note<'a> {
    /// The name, without its NUL.
    pub name: &'a [u8],
    /// What it is, in the name's own numbering.
    pub kind: u32,
    /// The description.
    pub desc: &'a [u8],
    /// Where in the notes the description starts, in bytes.
    pub at: usize,
}

/// Notes that end in the middle of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("note at {at:#x}: {part} wants {wanted} bytes, {left} are left")]
pub struct BadNote {
    /// Where the note starts, in bytes from the first note.
    pub at: usize,
    /// Which part of it is short.
    pub part: &'static str,
    /// How many bytes that part has.
    pub wanted: usize,
    /// How many there are.
    pub left: usize,
}

/// The notes in `bytes`, in order; the first broken one ends them. Zeros after the last note are padding.
pub fn parse(bytes: &[u8]) -> impl Iterator<Item = Result<Note<'_>, BadNote>> {
    let mut at = 0;
    let mut done = false;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).unwrap_or_default();
        if done || rest.is_empty() || rest.iter().take(NOTE_HEADER).all(|byte| *byte == 0) {
            return None;
        }
        let one = parse_one(rest, at);
        match &one {
            Ok((_, len)) => at += len,
            Err(_) => done = true,
        }
        Some(one.map(|(note, _)| note))
    })
}

/// The note at the start of `rest`, and its whole length with padding.
fn parse_one(rest: &[u8], at: usize) -> Result<(Note<'_>, usize), BadNote> {
    let short =
        |part, wanted, from: usize| BadNote { at, part, wanted, left: rest.len().saturating_sub(from) };
    let (words, _) = <[u32; 3]>::read_from_prefix(rest).map_err(|_| short("header", NOTE_HEADER, 0))?;
    let [name_len, desc_len, kind] = words;
    let (name_len, desc_len) = (name_len as usize, desc_len as usize);
    let name_end = NOTE_HEADER.saturating_add(name_len);
    let name = rest.get(NOTE_HEADER..name_end).ok_or(short("name", name_len, NOTE_HEADER))?;
    let start = name_end.next_multiple_of(4);
    let desc_end = start.saturating_add(desc_len);
    let desc = rest.get(start..desc_end).ok_or(short("description", desc_len, start))?;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    let end = desc_end.next_multiple_of(4);
    Ok((Note { name, kind, desc, at: at.saturating_add(start) }, end))
}

impl Note<'_> {
    /// Whether this is the note that `name` and `kind` name.
    pub fn is(&self, name: &str, kind: u32) -> bool {
        self.name == name.as_bytes() && self.kind == kind
    }

    /// The thread and registers of a CPU, if this note holds them.
    pub fn as_prstatus(&self) -> Option<(u32, Regs)> {
        if !self.is("CORE", NT_PRSTATUS) {
            return None;
        }
        let (status, _) = PrStatus::read_from_prefix(self.desc).ok()?;
        Some((status.pid, status.regs))
    }

    /// The kernel's keys, if this note holds them.
    pub fn as_vmcoreinfo(&self) -> Option<&[u8]> {
        self.is("VMCOREINFO", NT_VMCOREINFO).then_some(self.desc)
    }

    /// The shot, if this note holds a whole one.
    pub fn as_shot(&self) -> Option<Shot> {
        self.is(LKD, SHOT).then(|| Shot::parse(self.desc).ok()).flatten()
    }

    /// What a CPU was doing, if this note holds it.
    pub fn as_cpu_state(&self) -> Option<CpuState> {
        let (state, _) = CpuState::read_from_prefix(self.desc).ok()?;
        self.is(LKD, CPU_STATE).then_some(state)
    }

    /// The torn ranges, if this note holds them.
    pub fn as_torn(&self) -> Option<Vec<Torn>> {
        let whole = self.desc.chunks_exact(size_of::<Torn>());
        self.is(LKD, TORN).then(|| whole.filter_map(|one| Torn::read_from_bytes(one).ok()).collect())
    }

    /// What writing came to, if this note says it.
    pub fn as_stats(&self) -> Option<WriteStats> {
        let (stats, _) = WriteStats::read_from_prefix(self.desc).ok()?;
        self.is(LKD, STATS).then_some(stats)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_note_stands_as_the_format_says() {
        let mut notes = Notes::new();
        notes.vmcoreinfo(b"OSRELEASE=6.1");
        let mut expected = vec![11, 0, 0, 0, 14, 0, 0, 0, 0, 0, 0, 0];
        expected.extend_from_slice(b"VMCOREINFO\0\0OSRELEASE=6.1\n\0\0");
        assert_eq!(notes.bytes(), expected);
        assert_eq!(notes.vmcoreinfo_place(), Some(24..38));
    }

    #[test]
    fn registers_lie_where_readers_look() {
        let mut notes = Notes::new();
        let regs = Regs { r15: 1, rip: 0xffff_ffff_8100_0000, ss: 0x18, ..Regs::default() };
        notes.prstatus(4711, &regs);
        let desc = &notes.bytes()[20..];
        assert_eq!(desc.len(), 336);
        assert_eq!(&desc[32..36], 4711u32.to_le_bytes());
        assert_eq!(&desc[112..120], 1u64.to_le_bytes());
        assert_eq!(&desc[112 + 16 * 8..112 + 17 * 8], 0xffff_ffff_8100_0000u64.to_le_bytes());
        let read: Vec<_> = parse(notes.bytes()).map(|note| note.unwrap().as_prstatus()).collect();
        assert_eq!(read, [Some((4711, regs))]);
    }

    #[test]
    fn every_record_comes_back() {
        let mut shot = Shot::new();
        shot.set_probe("syscall", "vmlinux", "lseek", "return");
        let torn = [Torn { first: 7, pages: 3, from_ns: 1, to_ns: 2, why: 1, reserved: 0 }; 2];
        let stats = WriteStats { pages: 9, level: -1, ..WriteStats::default() };
        let cpu = CpuState { cpu: 1, pid: 5, ..CpuState::default() };
        let mut first = Notes::new();
        first.shot(&shot);
        let mut notes = first.clone();
        let mut more = Notes::new();
        more.vmcoreinfo(b"A=1\n");
        more.torn(&torn);
        more.stats(&stats);
        more.cpu_state(&cpu);
        notes.append(&more);
        let place = notes.vmcoreinfo_place().unwrap();
        assert_eq!(&notes.bytes()[place], b"A=1\n");
        let read: Vec<Note<'_>> = parse(notes.bytes()).collect::<Result<_, _>>().unwrap();
        assert_eq!(read[0].as_shot(), Some(shot));
        assert_eq!(read[1].as_vmcoreinfo(), Some(b"A=1\n".as_slice()));
        assert_eq!(read[2].as_torn(), Some(torn.to_vec()));
        assert_eq!(read[3].as_stats(), Some(stats));
        assert_eq!(read[4].as_cpu_state(), Some(cpu));
        assert_eq!(read[4].as_stats(), None);
    }

    #[test]
    fn our_types_mean_nothing_to_anybody_else() {
        // crash tests the type of every note, whatever its name.
        for kind in [SHOT, CPU_STATE, TORN, STATS, SUMS, VMS] {
            assert!(kind > 0x4000_0000, "{kind:#x}");
        }
    }

    #[test]
    fn a_cut_note_says_what_is_short() {
        let mut notes = Notes::new();
        notes.push("CORE", 1, &[7; 100]);
        let cut = &notes.bytes()[..50];
        let errors: Vec<_> = parse(cut).filter_map(Result::err).collect();
        assert_eq!(errors, [BadNote { at: 0, part: "description", wanted: 100, left: 30 }]);
        assert_eq!(errors[0].to_string(), "note at 0x0: description wants 100 bytes, 30 are left");
    }

    #[test]
    fn too_many_torn_ranges_are_joined_and_still_cover_all() {
        let ranges: Vec<Torn> = (0..1000u64)
            .map(|i| Torn { first: i * i, pages: 1, from_ns: i, to_ns: i + 1, ..Torn::default() })
            .collect();
        let fitted = torn_to_fit(ranges.clone(), ByteLen(40 * 64));
        assert!(fitted.len() <= 64);
        for range in ranges {
            assert!(fitted.iter().any(|fit| fit.covers(Pfn(range.first)) && fit.from_ns <= range.from_ns));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_run_on(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(parse(&bytes).count() <= bytes.len() / NOTE_HEADER + 1);
            for note in parse(&bytes).flatten() {
                let _ = (note.as_shot(), note.as_torn(), note.as_prstatus(), note.as_stats());
            }
        }
    }
}
