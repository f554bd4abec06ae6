//! The books: what programs count on each CPU, and what of it is new.

use crate::event::{DropKind, Drops};
use crate::ring::count;
use crate::sys::{Shared, SysError, page_size};
use lkd_codegen::abi::{COUNTER_LINE, Counter};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;

/// DTrace tells lost records by CPU, everything else in one sum.
const KINDS: [(Counter, DropKind, bool); 7] = [
    (Counter::RecordDrops, DropKind::Principal, true),
    (Counter::ErrorDrops, DropKind::Errors, true),
    (Counter::DynvarDrops, DropKind::Dynamic, false),
    (Counter::ScratchDrops, DropKind::Scratch, true),
    (Counter::LkdBadFlags, DropKind::LkdBadFlags, false),
    (Counter::LkdUnarmed, DropKind::LkdUnarmed, false),
    (Counter::LkdAgain, DropKind::LkdAgain, false),
];

pub struct Counters {
    shared: Shared,
    cpus: u32,
    told: HashMap<(DropKind, Option<u32>), u64>,
}

impl Counters {
    pub fn new(map: BorrowedFd<'_>, cpus: u32) -> Result<Counters, SysError> {
        let len = (cpus as usize * COUNTER_LINE as usize).next_multiple_of(page_size());
        let shared = Shared::map(map, 0, len, true, "the counters")?;
        Ok(Counters { shared, cpus, told: HashMap::new() })
    }

    fn on(&self, cpu: u32, counter: Counter) -> u64 {
        count(self.shared.u64(cpu as usize * COUNTER_LINE as usize + counter as usize * 8))
    }

    fn sum(&self, counter: Counter) -> u64 {
        (0..self.cpus).map(|cpu| self.on(cpu, counter)).sum()
    }

    pub fn made(&self) -> u64 {
        self.sum(Counter::Made)
    }

    /// All losses of a kind that programs count.
    pub fn total(&self, kind: DropKind) -> u64 {
        KINDS.iter().filter(|(_, k, _)| *k == kind).map(|(counter, ..)| self.sum(*counter)).sum()
    }

    /// Tells what was lost since the last call. `skipped`: firings that the kernel skipped, all programs together.
    pub fn news(&mut self, skipped: u64, tell: &mut dyn FnMut(Drops)) {
        let mut found = Vec::new();
        for (counter, kind, by_cpu) in KINDS {
            if by_cpu {
                found.extend((0..self.cpus).map(|cpu| (kind, Some(cpu), self.on(cpu, counter))));
            } else {
                found.push((kind, None, self.sum(counter)));
            }
        }
        found.push((DropKind::Recursion, None, skipped));
        for (kind, cpu, total) in found {
            let told = self.told.entry((kind, cpu)).or_default();
            if total > *told {
                tell(Drops { kind, cpu, count: total - *told, total });
                *told = total;
            }
        }
    }
}
