//! Which page frames are memory: /proc/iomem read into ranges, and cut into the engine's units of work.

use std::ops::Range;

use lkd_dump::{Pfn, PfnSet};

use crate::ctl::{UNIT_PAGES, Unit};

/// The machine's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ram {
    /// Whole pages of System RAM, without what is set apart for a crash kernel.
    pub pages: PfnSet,
    /// From the kernel's first page of code to the last of its bss; empty when not told.
    pub image: Range<u64>,
}

/// Why /proc/iomem tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIomem {
    /// All addresses read as zero.
    #[error("/proc/iomem hides its addresses")]
    Hidden,
    /// No line of System RAM.
    #[error("/proc/iomem names no System RAM")]
    None,
}

impl Ram {
    /// Reads the text of /proc/iomem. Lines that it does not understand are passed over.
    pub fn parse(iomem: &str) -> Result<Ram, BadIomem> {
        let mut ram = Ram::default();
        let mut apart = PfnSet::new();
        let (mut lines, mut image) = (0, None::<Range<u64>>);
        for line in iomem.lines() {
            let Some((first, last, name)) = resource(line) else { continue };
            if name.starts_with("System RAM") {
                lines += 1;
                // A page that the range covers only in part is none.
                let (from, to) = (first.div_ceil(4096), last.saturating_add(1) / 4096);
                if from < to {
                    ram.pages.insert_run(Pfn(from), to - from);
                }
            } else if name == "Crash kernel" {
                let (from, to) = (first / 4096, last.saturating_add(1).div_ceil(4096));
                apart.insert_run(Pfn(from), to.saturating_sub(from));
            } else if matches!(name, "Kernel code" | "Kernel rodata" | "Kernel data" | "Kernel bss") {
                let here = first / 4096..last.saturating_add(1).div_ceil(4096);
                image = Some(match image {
                    Some(so_far) => so_far.start.min(here.start)..so_far.end.max(here.end),
                    None => here,
                });
            }
        }
        if ram.pages.count() == 0 {
            return Err(if lines > 0 { BadIomem::Hidden } else { BadIomem::None });
        }
        ram.pages = ram.pages.subtract(&apart);
        ram.image = image.unwrap_or(0..0);
        Ok(ram)
    }

    /// Takes out memory blocks that have been set offline: /proc/iomem goes on naming them, but nobody looks after their pages.
    /// `block_bytes` is what /sys/devices/system/memory/block_size_bytes says, in hexadecimal digits; `offline` the numbers of
    /// the blocks.
    pub fn set_offline(&mut self, block_bytes: &str, offline: &[u64]) {
        let Ok(bytes) = u64::from_str_radix(block_bytes.trim(), 16) else { return };
        let pages = bytes / 4096;
        let mut gone = PfnSet::new();
        for block in offline {
            gone.insert_run(Pfn(block.saturating_mul(pages)), pages);
        }
        self.pages = self.pages.subtract(&gone);
    }

    /// One past the last page frame.
    pub fn end(&self) -> u64 {
        self.pages.end().0
    }

    /// A bit for each of the first `64 * words` page frames, set where there is no memory.
    pub fn missing(&self, words: usize) -> Vec<u64> {
        let mut missing = vec![!0; words];
        for run in self.pages.runs() {
            let (first, last) = ((run.start.0 / 64) as usize, (run.end.0 / 64) as usize);
            // the bits from a place in its word on; none from the 64th
            let from = |pfn: u64| !0u64 << (pfn % 64);
            for (place, word) in missing.iter_mut().enumerate().take(last.saturating_add(1)).skip(first) {
                let after = if place == first { from(run.start.0) } else { !0 };
                let before = if place == last { !from(run.end.0) } else { !0 };
                *word &= !(after & before);
            }
        }
        missing
    }

    /// The units of work, ascending.
    pub fn units(&self) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
        for run in self.pages.runs() {
            let mut first = run.start.0;
            while first < run.end.0 {
                let end = run.end.0.min((first / UNIT_PAGES + 1) * UNIT_PAGES);
                let base = units.len() as u64 * UNIT_PAGES;
                units.push(Unit { first, pages: (end - first) as u32, base: base as u32 });
                first = end;
            }
        }
        units
    }
}

/// `  00100000-7ffdbfff : System RAM`: first and last byte, and the name.
fn resource(line: &str) -> Option<(u64, u64, &str)> {
    let (range, name) = line.trim().split_once(" : ")?;
    let (first, last) = range.split_once('-')?;
    Some((u64::from_str_radix(first, 16).ok()?, u64::from_str_radix(last, 16).ok()?, name))
}

/// The numbers of a list as the kernel prints CPUs: `0-3,8`.
pub fn number_list(text: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            numbers.extend(first..=last.min(first.saturating_add(65535)));
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    const IOMEM: &str = "\
00000000-00000fff : Reserved
00001000-0009fbff : System RAM
000a0000-000bffff : PCI Bus 0000:00
00100000-007fffff : System RAM
  00200000-002fffff : Kernel code
  00300000-0033ffff : Kernel rodata
  00400000-004fffff : Kernel bss
  00600000-006fffff : Crash kernel
fee00000-fee00fff : Local APIC
";

    #[test]
    fn ranges_are_whole_pages_without_the_crash_kernel() {
        let ram = Ram::parse(IOMEM).expect("it names memory");
        let runs: Vec<(u64, u64)> = ram.pages.runs().map(|run| (run.start.0, run.end.0)).collect();
        assert_eq!(runs, [(0x1, 0x9f), (0x100, 0x600), (0x700, 0x800)]);
        assert_eq!(ram.image, 0x200..0x500);
        assert_eq!(ram.end(), 0x800);
    }

    #[test]
    fn units_stay_within_their_blocks_and_cover_everything_once() {
        let ram = Ram::parse(IOMEM).expect("it names memory");
        let units = ram.units();
        assert!(units.iter().all(|unit| {
            let last = unit.first + u64::from(unit.pages) - 1;
            unit.pages > 0 && unit.first / UNIT_PAGES == last / UNIT_PAGES
        }));
        let pages: u64 = units.iter().map(|unit| u64::from(unit.pages)).sum();
        assert_eq!(pages, ram.pages.count());
        let bases: Vec<u32> = units.iter().map(|unit| unit.base).collect();
        assert_eq!(bases, (0..units.len() as u32).map(|unit| unit * 1024).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_missing_is_all_that_no_range_covers() {
        let ram = Ram::parse(IOMEM).expect("it names memory");
        for words in [0, 1, 3, 0x1f, 0x20, 0x23] {
            let missing = ram.missing(words);
            assert_eq!(missing.len(), words);
            for pfn in 0..64 * words as u64 {
                let bit = missing.get(pfn as usize / 64).map(|word| word >> (pfn % 64) & 1 == 1);
                assert_eq!(bit, Some(!ram.pages.contains(Pfn(pfn))), "{pfn:#x} of {words} words");
            }
        }
    }

    #[test]
    fn offline_blocks_are_no_memory() {
        let mut ram = Ram::parse(IOMEM).expect("it names memory");
        ram.set_offline("100000\n", &[1, 7]);
        let runs: Vec<(u64, u64)> = ram.pages.runs().map(|run| (run.start.0, run.end.0)).collect();
        assert_eq!(runs, [(0x1, 0x9f), (0x200, 0x600)]);
        ram.set_offline("what", &[2]);
        assert_eq!(ram.pages.count(), 0x9e + 0x400);
    }

    #[test]
    fn hidden_addresses_are_told_from_no_memory() {
        assert_eq!(Ram::parse("00000000-00000000 : System RAM\n"), Err(BadIomem::Hidden));
        assert_eq!(Ram::parse("00000000-00000fff : Reserved\nnonsense\n"), Err(BadIomem::None));
    }

    #[test]
    fn cpu_lists() {
        assert_eq!(number_list("0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(number_list(""), Vec::<u32>::new());
    }
}
