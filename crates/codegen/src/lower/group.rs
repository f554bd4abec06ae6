//! Which programs there are: probes of one place and one set of clauses share one; all system calls always do.

use crate::env::{Bound, Place};
use crate::object::{MapKind, MapSpec, ProgKind};
use crate::record::NamePart;
use std::collections::{BTreeMap, BTreeSet};

/// The probes that one program serves.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub name: String,
    /// The first probe's.
    pub place: Place,
    pub bounds: Vec<&'a Bound>,
    /// Every clause that one of the probes runs, ascending.
    pub clauses: Vec<u32>,
}

/// How a program finds out which probe fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dispatch {
    /// There is but one.
    Const(u32),
    /// The attach cookie is its id.
    Cookie,
    /// By the number of the system call, in a table.
    Table,
}

/// Numbers of system calls that a table holds at most; x86-64 ends below 500, and what is above is never native.
const NR_MAX: u32 = 1024;
/// Fewer probes than this are looked up before the predicate: then most firings end there.
const LAZY_FROM: usize = 64;

pub(super) fn groups(bounds: &[Bound]) -> Vec<Group<'_>> {
    // Ordered by place, then clauses, so that the same script always gives the same object.
    let mut by_key: BTreeMap<(u8, u32, Vec<u32>), Vec<&Bound>> = BTreeMap::new();
    for b in bounds.iter().filter(|b| !b.clauses.is_empty()) {
        let key = match b.place {
            Place::Error => continue,
            Place::Begin => (0, b.probe, vec![]),
            Place::End => (1, b.probe, vec![]),
            Place::User => (2, b.probe, vec![]),
            Place::SysEnter { .. } => (3, 0, vec![]),
            Place::SysExit { .. } => (4, 0, vec![]),
            Place::RawTp { .. } => (5, b.probe, vec![]),
            Place::Fentry { nargs } => (6, u32::from(nargs), b.clauses.clone()),
            Place::Fexit { nargs } => (7, u32::from(nargs), b.clauses.clone()),
            Place::Kprobe => (8, 0, b.clauses.clone()),
            Place::Kretprobe => (9, 0, b.clauses.clone()),
            Place::PerfEvent => (10, 0, b.clauses.clone()),
        };
        by_key.entry(key).or_default().push(b);
    }
    let mut count = BTreeMap::<u8, u32>::new();
    by_key
        .into_iter()
        .filter_map(|((kind, _, _), bounds)| {
            let first = *bounds.first()?;
            let nth = count.entry(kind).or_default();
            let n = std::mem::replace(nth, *nth + 1);
            let name = match first.place {
                Place::Begin => "begin".to_owned(),
                Place::End => "end".to_owned(),
                Place::SysEnter { .. } => "sys_enter".to_owned(),
                Place::SysExit { .. } => "sys_exit".to_owned(),
                Place::User => format!("user_{n}"),
                Place::RawTp { .. } => format!("rawtp_{n}"),
                Place::Fentry { .. } => format!("fentry_{n}"),
                Place::Fexit { .. } => format!("fexit_{n}"),
                Place::Kprobe => format!("kprobe_{n}"),
                Place::Kretprobe => format!("kretprobe_{n}"),
                Place::PerfEvent | Place::Error => format!("perf_{n}"),
            };
            let clauses: BTreeSet<u32> = bounds.iter().flat_map(|b| b.clauses.iter().copied()).collect();
            Some(Group { name, place: first.place, bounds, clauses: clauses.into_iter().collect() })
        })
        .collect()
}

impl Group<'_> {
    pub fn kind(&self) -> ProgKind {
        match self.place {
            Place::Fentry { .. } => ProgKind::Fentry,
            Place::Fexit { .. } => ProgKind::Fexit,
            Place::Kprobe => ProgKind::Kprobe,
            Place::Kretprobe => ProgKind::Kretprobe,
            Place::PerfEvent => ProgKind::PerfEvent,
            _ => ProgKind::RawTp,
        }
    }

    /// Its probes, in people's words.
    pub fn spoken(&self) -> &'static str {
        match self.place {
            Place::Begin => "BEGIN",
            Place::End => "END",
            Place::Error => "ERROR",
            Place::SysEnter { .. } => "syscall:::entry",
            Place::SysExit { .. } => "syscall:::return",
            Place::RawTp { .. } => "these tracepoints",
            Place::PerfEvent => "profile-N",
            Place::User => "tick-N",
            Place::Fentry { .. } | Place::Kprobe => "fbt:::entry",
            Place::Fexit { .. } | Place::Kretprobe => "fbt:::return",
        }
    }

    pub fn dispatch(&self) -> Dispatch {
        match (self.place, self.bounds.as_slice()) {
            (Place::SysEnter { .. } | Place::SysExit { .. }, _) => Dispatch::Table,
            (_, [only]) => Dispatch::Const(only.probe),
            _ => Dispatch::Cookie,
        }
    }

    pub fn cookie(&self) -> bool {
        self.dispatch() == Dispatch::Cookie
    }

    /// Does every probe run every clause? Then the table needs no bits.
    pub fn uniform(&self) -> bool {
        self.bounds.iter().all(|b| b.clauses == self.clauses)
    }

    /// Is the firing matched only right before its first effect?
    pub fn lazy(&self) -> bool {
        self.dispatch() == Dispatch::Table && self.uniform() && self.bounds.len() >= LAZY_FROM
    }

    /// Place of a clause's enable bit, `None` when all probes run it.
    pub fn bit(&self, clause: u32) -> Option<u32> {
        if self.bounds.iter().all(|b| b.clauses.contains(&clause)) {
            return None;
        }
        self.clauses.iter().position(|&c| c == clause).map(|at| at as u32)
    }

    /// 32-bit words of enable bits behind each table entry's probe id.
    pub fn words(&self) -> u32 {
        if self.uniform() { 0 } else { (self.clauses.len() as u32).div_ceil(32) }
    }

    pub fn stride(&self) -> u32 {
        4 + 4 * self.words()
    }

    /// Entries of the table of system calls.
    pub fn entries(&self) -> u32 {
        self.bounds.iter().filter_map(|b| nr(b.place)).max().map_or(1, |n| n + 1).min(NR_MAX)
    }

    pub fn table(&self) -> String {
        format!("{}_tab", self.name)
    }

    pub fn names_map(&self) -> String {
        format!("{}_nam", self.name)
    }

    /// The part of the probes' names, when all have the same.
    pub fn name_part(&self, part: NamePart) -> Option<&str> {
        let first = part_of(self.bounds.first()?, part);
        self.bounds.iter().all(|b| part_of(b, part) == first).then_some(first)
    }

    /// Offset and size of a part of the name in a value of the names' map.
    pub fn name_slot(&self, part: NamePart) -> (u32, u32) {
        let parts = [NamePart::Provider, NamePart::Module, NamePart::Function, NamePart::Name];
        let mut at = 0;
        for p in parts {
            let longest = self.bounds.iter().map(|b| part_of(b, p).len()).max().unwrap_or(0) as u32;
            let size = (longest + 1).next_multiple_of(8);
            if p == part {
                return (at, size);
            }
            at += size;
        }
        (at, 0)
    }

    /// Tables with what is known before the start.
    pub fn maps(&self) -> Vec<(String, MapSpec)> {
        let mut table = MapSpec::new(&self.table(), MapKind::Array, 4, self.entries() * self.stride(), 1);
        let mut value = vec![0u8; table.value_size as usize];
        for b in &self.bounds {
            let Some(nr) = nr(b.place).filter(|&n| n < self.entries()) else { continue };
            let at = (nr * self.stride()) as usize;
            let mut words = vec![b.probe];
            words.extend((0..self.words()).map(|w| self.mask(b, w)));
            for (w, word) in words.into_iter().enumerate() {
                if let Some(to) = value.get_mut(at + 4 * w..at + 4 * w + 4) {
                    to.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
        table.init.push((0u32.to_le_bytes().to_vec(), value));
        let (last, size) = self.name_slot(NamePart::Name);
        let mut names =
            MapSpec::new(&self.names_map(), MapKind::Hash, 4, last + size, (self.bounds.len() as u32).max(1));
        for b in &self.bounds {
            let mut value = vec![0u8; (last + size) as usize];
            for part in [NamePart::Provider, NamePart::Module, NamePart::Function, NamePart::Name] {
                let (at, text) = (self.name_slot(part).0 as usize, part_of(b, part).as_bytes());
                if let Some(to) = value.get_mut(at..at + text.len()) {
                    to.copy_from_slice(text);
                }
            }
            names.init.push((b.probe.to_le_bytes().to_vec(), value));
        }
        vec![(table.name.clone(), table), (names.name.clone(), names)]
    }

    fn mask(&self, b: &Bound, word: u32) -> u32 {
        let clauses = self.clauses.iter().skip(32 * word as usize).take(32);
        clauses.enumerate().filter(|(_, c)| b.clauses.contains(c)).fold(0, |m, (bit, _)| m | 1 << bit)
    }
}

fn nr(place: Place) -> Option<u32> {
    match place {
        Place::SysEnter { nr } | Place::SysExit { nr } => Some(nr),
        _ => None,
    }
}

fn part_of(b: &Bound, part: NamePart) -> &str {
    match part {
        NamePart::Provider => &b.names.provider,
        NamePart::Module => &b.names.module,
        NamePart::Function => &b.names.function,
        NamePart::Name => &b.names.name,
    }
}
