//! A set of page frames, kept as sorted runs: RAM is a handful of them, a kernel's pages some ten thousand.

use std::ops::Range;

use crate::Pfn;

/// A set of page frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PfnSet {
    /// Ascending, not empty, never touching one another.
    runs: Vec<Range<u64>>,
}

impl PfnSet {
    /// The empty set.
    pub const fn new() -> PfnSet {
        PfnSet { runs: Vec::new() }
    }

    /// The set of these page frames, in whatever order and however often they come.
    pub fn from_unsorted(mut pfns: Vec<Pfn>) -> PfnSet {
        pfns.sort_unstable();
        let mut set = PfnSet::new();
        for pfn in pfns {
            set.insert(pfn);
        }
        set
    }

    /// Adds one page frame; adding in ascending order is cheap.
    pub fn insert(&mut self, pfn: Pfn) {
        self.insert_run(pfn, 1);
    }

    /// Adds `count` page frames from `first` on, as far as page numbers reach.
    pub fn insert_run(&mut self, first: Pfn, count: u64) {
        let (start, end) = (first.0, first.0.saturating_add(count));
        if start >= end {
            return;
        }
        if let Some(last) = self.runs.last_mut()
            && start >= last.start
            && start <= last.end
        {
            last.end = last.end.max(end);
            return;
        }
        // The runs from `from` up to `to` touch the new one and melt into it.
        let from = self.runs.partition_point(|run| run.end < start);
        let to = self.runs.partition_point(|run| run.start <= end);
        let melted = self.runs.get(from..to).unwrap_or_default();
        let start = melted.first().map_or(start, |run| run.start.min(start));
        let end = melted.last().map_or(end, |run| run.end.max(end));
        self.runs.splice(from..to.max(from), std::iter::once(start..end));
    }

    /// Whether the page frame is in the set.
    pub fn contains(&self, pfn: Pfn) -> bool {
        let place = self.runs.partition_point(|run| run.end <= pfn.0);
        self.runs.get(place).is_some_and(|run| run.start <= pfn.0)
    }

    /// How many page frames there are.
    pub fn count(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many runs there are.
    pub fn run_count(&self) -> usize {
        self.runs.len()
    }

    /// One past the highest page frame; 0 for the empty set.
    pub fn end(&self) -> Pfn {
        Pfn(self.runs.last().map_or(0, |run| run.end))
    }

    /// The runs in ascending order; a run's end is one past its last page frame.
    pub fn runs(&self) -> impl Iterator<Item = Range<Pfn>> + '_ {
        self.runs.iter().map(|run| Pfn(run.start)..Pfn(run.end))
    }

    /// The parts of the set that lie in `within`, in ascending order.
    pub fn runs_within(&self, within: Range<Pfn>) -> impl Iterator<Item = Range<Pfn>> + '_ {
        let from = self.runs.partition_point(|run| run.end <= within.start.0);
        let runs = self.runs.get(from..).unwrap_or_default().iter();
        let (start, end) = (within.start.0, within.end.0);
        runs.take_while(move |run| run.start < end)
            .map(move |run| Pfn(run.start.max(start))..Pfn(run.end.min(end)))
    }

    /// Every page frame in ascending order.
    pub fn pfns(&self) -> impl Iterator<Item = Pfn> + '_ {
        self.runs.iter().flat_map(|run| run.clone().map(Pfn))
    }

    /// What is in either set.
    pub fn union(&self, other: &PfnSet) -> PfnSet {
        let mut both: Vec<Range<u64>> = self.runs.iter().chain(&other.runs).cloned().collect();
        both.sort_unstable_by_key(|run| run.start);
        let mut set = PfnSet::new();
        for run in both {
            set.insert_run(Pfn(run.start), run.end - run.start);
        }
        set
    }

    /// What is in both sets.
    pub fn intersect(&self, other: &PfnSet) -> PfnSet {
        let mut set = PfnSet::new();
        for run in self.runs() {
            for part in other.runs_within(run) {
                set.insert_run(part.start, part.end.0 - part.start.0);
            }
        }
        set
    }

    /// What is in this set and not in the other.
    pub fn subtract(&self, other: &PfnSet) -> PfnSet {
        let mut set = PfnSet::new();
        for run in self.runs() {
            let mut at = run.start.0;
            for hole in other.runs_within(run.clone()) {
                set.insert_run(Pfn(at), hole.start.0 - at);
                at = hole.end.0;
            }
            set.insert_run(Pfn(at), run.end.0 - at);
        }
        set
    }

    /// Writes the set as bits, least significant first, into `bits`, whose first bit is page frame `first`.
    pub(crate) fn fill_bits(&self, first: Pfn, bits: &mut [u8]) {
        bits.fill(0);
        let end = Pfn(first.0.saturating_add((bits.len() as u64).saturating_mul(8)));
        for run in self.runs_within(first..end) {
            let (from, to) = ((run.start.0 - first.0) as usize, (run.end.0 - first.0) as usize);
            let (head, tail) = (from.next_multiple_of(8).min(to), (to / 8 * 8).max(from));
            let mut set_bit = |bit: usize| {
                if let Some(byte) = bits.get_mut(bit / 8) {
                    *byte |= 1 << (bit % 8);
                }
            };
            (from..head).for_each(&mut set_bit);
            (tail.max(head)..to).for_each(&mut set_bit);
            if let Some(whole) = bits.get_mut(head / 8..tail / 8) {
                whole.fill(0xff);
            }
        }
    }
}

impl FromIterator<Pfn> for PfnSet {
    fn from_iter<I: IntoIterator<Item = Pfn>>(pfns: I) -> PfnSet {
        PfnSet::from_unsorted(pfns.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn build(runs: &[(u64, u64)]) -> (PfnSet, BTreeSet<u64>) {
        let mut set = PfnSet::new();
        let mut model = BTreeSet::new();
        for (start, count) in runs {
            set.insert_run(Pfn(*start), *count);
            model.extend(*start..start + count);
        }
        (set, model)
    }

    fn members(set: &PfnSet) -> Vec<u64> {
        set.pfns().map(|pfn| pfn.0).collect()
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_put_in(
            a in prop::collection::vec((0u64..200, 0u64..20), 0..30),
            b in prop::collection::vec((0u64..200, 0u64..20), 0..30),
        ) {
            let (a, a_model) = build(&a);
            let (b, b_model) = build(&b);
            prop_assert_eq!(members(&a), a_model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(a.count(), a_model.len() as u64);
            prop_assert_eq!(a.end().0, a_model.last().map_or(0, |last| last + 1));
            for pfn in 0..230 {
                prop_assert_eq!(a.contains(Pfn(pfn)), a_model.contains(&pfn));
            }
            prop_assert!(a.runs.windows(2).all(|two| two[0].end < two[1].start));
            prop_assert_eq!(members(&a.union(&b)), a_model.union(&b_model).copied().collect::<Vec<_>>());
            prop_assert_eq!(members(&a.intersect(&b)), a_model.intersection(&b_model).copied().collect::<Vec<_>>());
            prop_assert_eq!(members(&a.subtract(&b)), a_model.difference(&b_model).copied().collect::<Vec<_>>());
            prop_assert_eq!(&PfnSet::from_unsorted(a_model.iter().rev().map(|pfn| Pfn(*pfn)).collect()), &a);
        }

        #[test]
        fn bits_are_the_members(
            runs in prop::collection::vec((0u64..300, 0u64..40), 0..10),
            first in 0u64..100,
            bytes in 0usize..40,
        ) {
            let (set, model) = build(&runs);
            let mut bits = vec![0xaa; bytes];
            set.fill_bits(Pfn(first), &mut bits);
            for (place, byte) in bits.iter().enumerate() {
                for bit in 0..8 {
                    let pfn = first + place as u64 * 8 + bit;
                    prop_assert_eq!(byte >> bit & 1 == 1, model.contains(&pfn));
                }
            }
        }
    }

    #[test]
    fn a_run_to_the_end_of_numbers_does_not_wrap() {
        let mut set = PfnSet::new();
        set.insert_run(Pfn(u64::MAX - 2), 100);
        assert_eq!(set.count(), 2);
        assert!(set.contains(Pfn(u64::MAX - 2)));
    }
}
