//! Page tables against `struct page`: what a process' tables point at is a table, or memory that somebody holds.
//!
//! A page becomes a table (its type is set) before an entry points at it, and the entry is cleared before it ceases to be one;
//! a page gets its references before it is mapped and loses the mapping's after the entry is gone. So at every instant a present
//! entry leads to a page that is what the entry says. Upper tables have had their type for a few releases only; of them it is
//! only asked that they are held and not free.

use super::pages::{Kind, Pages};
use super::tasks::Census;
use super::{Finding, Lacking, View};

/// The claim's name.
pub const TABLES: &str = "page tables";

/// Processes that are walked, spread over all of them; and entries of one, and of all.
const PROCESSES: usize = 48;
const ENTRIES_OF_ONE: u64 = 20_000;
const ENTRIES: u64 = 300_000;

const PRESENT: u64 = 1;
const LARGE: u64 = 1 << 7;
/// The page has no struct page that would count (pte_special).
const SPECIAL: u64 = 1 << 9;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Judges the page tables of a sample of processes.
pub fn tables(view: &View<'_>, census: &Census) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(TABLES);
    let mm_at = view.member("task_struct", "mm")?;
    let pgd_at = view.member("mm_struct", "pgd")?;
    let pages = Pages::of(view)?;
    let spaces: Vec<u64> = census
        .leaders
        .iter()
        .filter_map(|leader| view.word(leader.wrapping_add(mm_at)))
        .filter(|mm| *mm != 0)
        .collect();
    let step = spaces.len().div_ceil(PROCESSES).max(1);
    for mm in spaces.iter().step_by(step) {
        let Some(pgd) = view.word(mm.wrapping_add(pgd_at)) else {
            finding.unread("a process' memory", *mm);
            continue;
        };
        let levels = if view.bases.five_levels { 5 } else { 4 };
        let until = (finding.looked + ENTRIES_OF_ONE).min(ENTRIES);
        Walk { view, pages: &pages, finding: &mut finding, until }.table(pgd, levels, 0);
    }
    Ok(finding)
}

struct Walk<'a, 'b> {
    view: &'a View<'b>,
    pages: &'a Pages,
    finding: &'a mut Finding,
    /// The walk ends when so much has been looked at.
    until: u64,
}

impl Walk<'_, '_> {
    /// A table whose entries cover `512 ^ (level - 1)` pages each, at the user's address `user`.
    fn table(&mut self, vaddr: u64, level: u32, user: u64) {
        let mut bytes = [0; 4096];
        if !self.view.image.read(vaddr, &mut bytes) {
            self.finding.unread(&format!("a page table of level {level} for {user:#x}"), vaddr);
            return;
        }
        // The upper half of the uppermost table is the kernel's.
        let top = if self.view.bases.five_levels { 5 } else { 4 };
        let entries = if level == top { 256 } else { 512 };
        let covers = 1u64 << (12 + 9 * (level - 1));
        for (slot, entry) in bytes.as_chunks::<8>().0.iter().take(entries).enumerate() {
            let entry = u64::from_le_bytes(*entry);
            if entry & PRESENT == 0 {
                continue;
            }
            if self.finding.looked >= self.until {
                return;
            }
            self.finding.looked += 1;
            let user = user.wrapping_add(covers.wrapping_mul(slot as u64));
            let pfn = (entry & ADDRESS) >> 12;
            if level == 1 || (level <= 3 && entry & LARGE != 0) {
                if entry & SPECIAL == 0 {
                    self.leaf(entry, pfn, user);
                }
            } else if self.is_table(entry, pfn, level - 1, user) {
                self.table(self.view.bases.page_offset.wrapping_add(pfn << 12), level - 1, user);
            }
        }
    }

    fn leaf(&mut self, entry: u64, pfn: u64, user: u64) {
        let Some(state) = self.pages.frame(self.view, pfn).filter(|_| pfn < self.view.bases.end_pfn) else {
            self.finding.unread(&format!("the struct page behind {user:#x} (entry {entry:#x})"), pfn);
            return;
        };
        if state.refcount == 0 || state.refcount >> 31 == 1 || state.kind != Kind::Other {
            self.finding
                .violation(format!("{user:#x} is mapped to frame {pfn:#x}, which is {}", told(state)));
        }
    }

    fn is_table(&mut self, entry: u64, pfn: u64, level: u32, user: u64) -> bool {
        let what = |why: String| format!("the table of level {level} for {user:#x}, frame {pfn:#x}, {why}");
        let state = self.pages.frame(self.view, pfn).filter(|_| pfn < self.view.bases.end_pfn);
        let Some(state) = state else {
            self.finding.violation(what(format!("is no memory (entry {entry:#x})")));
            return false;
        };
        // The type alone says that it is in use: slabs have given up counting references, tables may follow.
        let untyped = level > 2 && state.kind == Kind::Other && state.refcount > 0;
        if state.kind != Kind::Table && !untyped {
            self.finding.violation(what(format!("is {}", told(state))));
            return false;
        }
        true
    }
}

fn told(state: super::pages::State) -> String {
    let kind = match state.kind {
        Kind::Free => "free",
        Kind::Slab => "a slab",
        Kind::Table => "a page table",
        Kind::Other => "of no such type",
    };
    format!("{kind}, with {} references", state.refcount as i32)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Mapped;
    use super::*;

    fn judge(mapped: &Mapped) -> Finding {
        mapped.made.view(|view| tables(view, &mapped.census()).unwrap())
    }

    #[test]
    fn sound_tables_are_no_violation() {
        let finding = judge(&Mapped::sound());
        assert!(finding.holds(), "{finding}");
        assert_eq!(finding.looked, 3 + 2);
    }

    #[test]
    fn a_table_that_is_none_any_more_is_found() {
        let mut mapped = Mapped::sound();
        mapped.set_page(mapped.pte, 1, 0xffff_ffff);
        assert_eq!(judge(&mapped).violations, 1);
    }

    #[test]
    fn a_mapped_page_that_is_free_is_found() {
        let mut mapped = Mapped::sound();
        mapped.set_page(mapped.leaf, 0, 0xf000_0000);
        assert_eq!(judge(&mapped).violations, 1);
        mapped.set_page(mapped.leaf, 0, 0xffff_ffff);
        assert_eq!(judge(&mapped).violations, 1);
        mapped.set_page(mapped.leaf, 1, 0xffff_ffff);
        assert_eq!(judge(&mapped).violations, 0);
    }

    #[test]
    fn a_special_page_needs_no_struct() {
        let mut mapped = Mapped::sound();
        mapped.set_leaf(0x000f_ffff_ffff_f000 | SPECIAL | PRESENT);
        assert_eq!(judge(&mapped).violations, 0);
        mapped.set_leaf(0x000f_ffff_ffff_f000 | PRESENT);
        assert_eq!(judge(&mapped).violations, 1);
    }

    #[test]
    fn a_table_that_points_at_itself_ends() {
        let mut mapped = Mapped::sound();
        let itself = mapped.pte;
        mapped.set_leaf(itself << 12 | PRESENT);
        assert!(judge(&mapped).violations > 0);
    }
}
