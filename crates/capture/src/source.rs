//! A dump's pages: those that were copied while the machine stood still, or the thread alone, and those that were left, read now.

use std::collections::VecDeque;
use std::sync::Arc;

use lkd_dump::{
    ByteLen, Lender, Notes, PageBatch, PageBytes, PageClass, PageSource, Pfn, Shot, SourceError, Summary,
    Torn, WriteStats, torn_to_fit,
};

use crate::buffer::Buffer;
use crate::ctl::{Copied, Ctl, Lane, PEEKS, UNIT_PAGES, Unit, entry, get};
use crate::pass::now_ns;
use crate::peek::{Peeked, Peeker};
use crate::registers::Stack;
use crate::sys::Mapping;

/// A page that the dump wants.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    pfn: u64,
    copied: Copied,
    /// It was not copied by the time the thread ran on.
    late: bool,
}

/// How far the trigger came in each lane that this shot copies.
pub fn begun(ctl: &Ctl) -> Vec<u64> {
    ctl.kept_lanes().map(Lane::begun).collect()
}

/// Pages that no list names although their class is wanted.
#[derive(Debug)]
pub struct Unlisted<'a> {
    pub classes: &'a Mapping,
    pub units: &'a [Unit],
    pub kept: u64,
}

/// What the engine holds after a shot.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub ctl: &'a Ctl,
    pub list: &'a Mapping,
    /// Set when the list had no room for all.
    pub unlisted: Option<&'a Unlisted<'a>>,
    pub pages: &'a Arc<Buffer>,
    /// How far the trigger came in each lane.
    pub begun: &'a [u64],
    /// CLOCK_MONOTONIC between which the copying after the thaw was done.
    pub drained_ns: (u64, u64),
    /// The probing thread's stack.
    pub stack: &'a Stack,
    /// All CPUs stood still while the trigger copied.
    pub still: bool,
}

/// Pages in ascending order, from the buffer and from memory.
pub struct Captured<'a> {
    wanted: Vec<Wanted>,
    next: usize,
    /// Copied from by the packing threads: nobody writes there any more.
    pages: Arc<dyn Lender>,
    peeker: &'a mut Peeker,
    page_offset: u64,
    /// Pages whose bytes the trigger kept before all others: the probing thread's stack, as it was at the probe.
    kept: Vec<(u64, PageBytes)>,
    /// What the last peek read: place in `wanted`, result, place in the bounce buffer.
    peeked: VecDeque<(usize, Peeked, usize)>,
    torn: Vec<Torn>,
    /// The shot, completed when the last page is out.
    shot: Shot,
    pub failed: u64,
    pub trailing: u64,
    /// Late pages that meanwhile belong to somebody whose pages are left out.
    pub changed: u64,
    began_ns: u64,
    stats: WriteStats,
}

impl<'a> Captured<'a> {
    /// Reads the list of what is held; `peeker` reads what is left.
    pub fn new(held: &Held<'a>, peeker: &'a mut Peeker, shot: Shot) -> Result<Captured<'a>, SourceError> {
        let mut wanted = Vec::new();
        for (lane, begun) in held.ctl.kept_lanes().zip(held.begun) {
            for place in 0..lane.listed() {
                let mut word = [0; 8];
                if !held.list.read((get(&lane.base) + place) as usize * 8, &mut word) {
                    return Err("the list of pages is shorter than it says".into());
                }
                let (pfn, copied) = entry(u64::from_ne_bytes(word));
                if copied != Copied::NoPage {
                    wanted.push(Wanted { pfn, copied, late: place >= *begun });
                }
            }
        }
        // stable: of a page that stands in two lanes the first copy stays
        wanted.sort_by_key(|page| page.pfn);
        wanted.dedup_by_key(|page| page.pfn);
        if let Some(unlisted) = held.unlisted {
            add_unlisted(&mut wanted, unlisted)?;
        }
        let mut captured = Captured {
            wanted,
            next: 0,
            pages: Arc::<Buffer>::clone(held.pages),
            peeker,
            page_offset: get(&held.ctl.page_offset),
            kept: stack_pages(held),
            peeked: VecDeque::new(),
            torn: Vec::new(),
            shot,
            failed: 0,
            trailing: 0,
            changed: 0,
            began_ns: now_ns(),
            stats: WriteStats::default(),
        };
        let lent =
            captured.wanted.iter().filter(|page| captured.kept.iter().all(|(pfn, _)| *pfn != page.pfn));
        held.pages.promise(lent.filter_map(|page| match page.copied {
            Copied::Slot(slot) => Some(slot),
            _ => None,
        }));
        let drained: Vec<u64> = captured
            .wanted
            .iter()
            .filter(|page| page.late && matches!(page.copied, Copied::Slot(_)))
            .map(|page| page.pfn)
            .collect();
        captured.trailing = drained.len() as u64;
        if !held.still {
            captured.smear();
        }
        for pfn in drained {
            captured.tear(pfn, held.drained_ns);
        }
        Ok(captured)
    }

    /// Pages that are wanted.
    pub fn total(&self) -> u64 {
        self.wanted.len() as u64
    }

    /// Runs of pages without a gap, at most: pages that cannot be read any more make them more.
    pub fn runs(&self) -> u64 {
        let steps = self.wanted.iter().zip(self.wanted.iter().skip(1));
        1 + steps.filter(|(page, next)| page.pfn + 1 != next.pfn).count() as u64
    }

    /// What the writer knows when it begins: threads, codec and level.
    pub fn describe(&mut self, stats: WriteStats) {
        self.stats = stats;
    }

    /// Notes that all pages copied by the trigger were copied while other CPUs ran.
    fn smear(&mut self) {
        let held = |page: &&Wanted| !page.late && matches!(page.copied, Copied::Slot(_));
        let (first, last) = (self.wanted.iter().find(held), self.wanted.iter().rfind(held));
        if let (Some(first), Some(last)) = (first, last) {
            self.torn.push(Torn {
                first: first.pfn,
                pages: last.pfn - first.pfn + 1,
                from_ns: self.shot.stopped_ns,
                to_ns: self.shot.copied_ns,
                why: Torn::SMEARED,
                reserved: 0,
            });
        }
    }

    /// Notes that a page was read late. Runs that were read together become one.
    fn tear(&mut self, pfn: u64, (from_ns, to_ns): (u64, u64)) {
        match self.torn.last_mut() {
            Some(last)
                if last.why == Torn::TRAILING
                    && last.first + last.pages == pfn
                    && (last.from_ns, last.to_ns) == (from_ns, to_ns) =>
            {
                last.pages += 1;
            }
            _ => self.torn.push(Torn {
                first: pfn,
                pages: 1,
                from_ns,
                to_ns,
                why: Torn::TRAILING,
                reserved: 0,
            }),
        }
    }

    /// Reads the next late pages together, the one at `self.next` first.
    fn peek(&mut self) -> Result<(), SourceError> {
        let places: Vec<usize> = (self.next..self.wanted.len())
            .take(PEEKS * 16)
            .filter(|place| self.wanted.get(*place).is_some_and(|page| page.copied == Copied::Not))
            .take(PEEKS)
            .collect();
        let pfns: Vec<u64> =
            places.iter().filter_map(|place| self.wanted.get(*place)).map(|page| page.pfn).collect();
        let from_ns = now_ns();
        let results = self.peeker.pages(self.page_offset, &pfns)?;
        let to_ns = now_ns();
        for (slot, ((place, pfn), result)) in places.into_iter().zip(pfns).zip(results).enumerate() {
            if result == Peeked::Read {
                self.trailing += 1;
                self.tear(pfn, (from_ns, to_ns));
            }
            self.peeked.push_back((place, result, slot));
        }
        Ok(())
    }
}

/// The pages of the stack that are known whole, and which page frames they are.
fn stack_pages(held: &Held<'_>) -> Vec<(u64, PageBytes)> {
    let frames = held.ctl.stack_pages.iter().map(get).enumerate();
    frames.filter_map(|(place, frame)| Some((frame.checked_sub(1)?, held.stack.page(place)?))).collect()
}

/// Adds the pages whose class is kept and which no list names.
fn add_unlisted(wanted: &mut Vec<Wanted>, from: &Unlisted<'_>) -> Result<(), SourceError> {
    let mut missing = Vec::new();
    let mut classes = vec![0u8; UNIT_PAGES as usize];
    for unit in from.units {
        if !from.classes.read(unit.base as usize, &mut classes) {
            return Err("the map of classes is shorter than it was made".into());
        }
        for pfn in unit.first..unit.first + u64::from(unit.pages) {
            let class = classes.get((pfn % UNIT_PAGES) as usize).copied().unwrap_or(PageClass::Own as u8);
            if from.kept >> (class & 63) & 1 == 1
                && wanted.binary_search_by_key(&pfn, |page| page.pfn).is_err()
            {
                missing.push(Wanted { pfn, copied: Copied::Not, late: true });
            }
        }
    }
    wanted.append(&mut missing);
    wanted.sort_unstable_by_key(|page| page.pfn);
    Ok(())
}

impl PageSource for Captured<'_> {
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
        while !batch.is_full() {
            let Some(page) = self.wanted.get(self.next).copied() else { break };
            if let Some((_, bytes)) = self.kept.iter().find(|(pfn, _)| *pfn == page.pfn) {
                // What was read of it meanwhile, or will not be, is older news.
                if self.peeked.front().is_some_and(|(place, ..)| *place == self.next) {
                    self.peeked.pop_front();
                }
                if !batch.push_page(Pfn(page.pfn), bytes) {
                    break;
                }
                self.next += 1;
                continue;
            }
            match page.copied {
                Copied::Failed => self.failed += 1,
                Copied::Changed => self.changed += 1,
                Copied::NoPage => {}
                Copied::Slot(slot) => {
                    if !batch.lend(Pfn(page.pfn), &self.pages, slot)? {
                        break;
                    }
                }
                Copied::Not => {
                    if self.peeked.is_empty() {
                        self.peek()?;
                    }
                    match self.peeked.pop_front() {
                        Some((place, Peeked::Read, slot)) if place == self.next => {
                            let Some(into) = batch.push(Pfn(page.pfn)) else { break };
                            if !self.peeker.page(slot, into) {
                                return Err("the bounce buffer is shorter than it was made".into());
                            }
                        }
                        Some((place, Peeked::Changed, _)) if place == self.next => self.changed += 1,
                        Some((place, Peeked::Faulted, _)) if place == self.next => self.failed += 1,
                        _ => return Err("pages read late came out of order".into()),
                    }
                }
            }
            self.next += 1;
        }
        Ok(())
    }

    fn closing_notes(&mut self, summary: &Summary, room: ByteLen) -> Result<Notes, SourceError> {
        self.shot.pages.trailing = self.trailing;
        self.shot.pages.failed = self.failed;
        let mut notes = Notes::new();
        notes.shot(&self.shot);
        let mut stats = self.stats;
        stats.pages = summary.pages;
        stats.zero = summary.zero;
        stats.raw = summary.raw;
        stats.compressed = summary.compressed;
        stats.failed = self.failed;
        stats.bytes_in = summary.pages * 4096;
        stats.bytes_out = summary.bytes_out;
        stats.from_ns = self.began_ns;
        stats.to_ns = now_ns();
        notes.stats(&stats);
        let left = ByteLen(room.0.saturating_sub(notes.len().0).saturating_sub(64));
        let mut torn = std::mem::take(&mut self.torn);
        torn.sort_unstable_by_key(|run| run.first);
        notes.torn(&torn_to_fit(torn, left));
        Ok(notes)
    }
}
