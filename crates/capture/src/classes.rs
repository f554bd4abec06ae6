//! Is our classification right? Page by page against the kernel's own /proc/kpageflags.
//!
//! Both are read while the machine runs, so a page counts only if the kernel says the same before and after our pass; even
//! so it may have been something else in between. What is really misread is misread again: only a page that is wrong in
//! the same way in most passes, and at least in two, is an error.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;

use lkd_dump::PageClass;

use crate::ctl::{UNIT_PAGES, Unit, set};
use crate::engine::Engine;
use crate::error::Error;
use crate::live::Live;
use crate::pass::classify_rest;

/// What the kernel says of a page, of the things that it says anything about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kernel {
    NoPage,
    Hwpoison,
    Offline,
    Buddy,
    Hugetlb,
    Slab,
    PageTable,
    Anon,
    File,
    Reserved,
    Rest,
}

const KPF_COMPOUND_TAIL: u32 = 16;
/// Units between two questions to the kernel.
const GROUP: usize = 16;

impl Kernel {
    /// By the bits of include/uapi/linux/kernel-page-flags.h.
    fn of(flags: u64) -> Kernel {
        let has = |bit: u32| flags >> bit & 1 == 1;
        if has(20) {
            Kernel::NoPage
        } else if has(19) {
            Kernel::Hwpoison
        } else if has(23) {
            Kernel::Offline
        } else if has(10) {
            Kernel::Buddy
        } else if has(17) {
            Kernel::Hugetlb
        } else if has(7) {
            Kernel::Slab
        } else if has(26) {
            Kernel::PageTable
        } else if has(32) {
            Kernel::Reserved
        } else if has(12) {
            Kernel::Anon
        } else if has(5) {
            Kernel::File
        } else {
            Kernel::Rest
        }
    }

    /// Whether our class says the same. Where the kernel says nothing, ours must be none that the kernel names.
    fn agrees(self, class: PageClass) -> bool {
        match self {
            Kernel::NoPage | Kernel::Offline => class == PageClass::Offline,
            Kernel::Hwpoison => class == PageClass::Hwpoison,
            Kernel::Buddy => class == PageClass::Free,
            Kernel::Hugetlb => class == PageClass::Hugetlb,
            Kernel::Slab => class == PageClass::Slab,
            Kernel::PageTable => class == PageClass::PageTable,
            Kernel::Anon => class == PageClass::Anon,
            Kernel::File => matches!(class, PageClass::FileCache | PageClass::FileMapped),
            Kernel::Reserved => class == PageClass::Reserved,
            // Of memory that no allocator manages yet the kernel does not even say that it is reserved.
            Kernel::Rest => !matches!(
                class,
                PageClass::Hwpoison
                    | PageClass::Hugetlb
                    | PageClass::Slab
                    | PageClass::PageTable
                    | PageClass::Anon
            ),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kernel::NoPage => "no page",
            Kernel::Hwpoison => "hwpoison",
            Kernel::Offline => "offline",
            Kernel::Buddy => "buddy",
            Kernel::Hugetlb => "hugetlb",
            Kernel::Slab => "slab",
            Kernel::PageTable => "page table",
            Kernel::Anon => "anonymous",
            Kernel::File => "file",
            Kernel::Reserved => "reserved",
            Kernel::Rest => "(nothing)",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    agree: u64,
    /// Of these, tails of compound pages.
    tails: u64,
    differ: u64,
}

/// How our classes compare with the kernel's.
#[derive(Clone, Debug, Default)]
pub struct Report {
    passes: u32,
    /// Pages that changed during a pass, hence were not compared.
    moving: u64,
    /// Our own buffers, which no dump contains.
    own: u64,
    rows: BTreeMap<Kernel, Row>,
    /// Pages wrong in the same way again and again, by what the kernel and we say.
    repeated: BTreeMap<(Kernel, PageClass), u64>,
}

impl Report {
    /// Whether no page was misread again and again, and slab, buddy, page tables, anonymous and file pages were all met.
    pub fn agrees(&self) -> bool {
        let met = |kind| self.rows.get(&kind).is_some_and(|row| row.agree > 0);
        self.repeated.is_empty()
            && [Kernel::Slab, Kernel::Buddy, Kernel::PageTable, Kernel::Anon, Kernel::File]
                .into_iter()
                .all(met)
    }

    /// Slab pages that are tails of compound pages and were classified right: what a filter loses first.
    pub fn slab_tails(&self) -> u64 {
        self.rows.get(&Kernel::Slab).map_or(0, |row| row.tails)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:<12} {:>10} {:>10} {:>10} {:>10}",
            "KERNEL SAYS", "AGREE", "(TAILS)", "DIFFER", "AGAIN"
        )?;
        for (kind, row) in &self.rows {
            let again: u64 =
                self.repeated.iter().filter(|((of, _), _)| of == kind).map(|(_, pages)| pages).sum();
            writeln!(
                out,
                "{:<12} {:>10} {:>10} {:>10} {:>10}",
                kind.name(),
                row.agree,
                row.tails,
                row.differ,
                again
            )?;
        }
        for ((kind, class), pages) in &self.repeated {
            writeln!(
                out,
                "{pages} pages that the kernel calls {} were called {} again and again",
                kind.name(),
                class.name()
            )?;
        }
        write!(
            out,
            "{} passes; {} pages changed meanwhile, {} are our own: {}",
            self.passes,
            self.moving,
            self.own,
            if self.agrees() { "the classes agree" } else { "THE CLASSES DO NOT AGREE" }
        )
    }
}

/// Compares `passes` times (at least 2 to tell a change from an error).
///
/// # Errors
/// Without root, BTF, or CONFIG_PROC_PAGE_MONITOR.
pub fn check(passes: u32) -> Result<Report, Error> {
    let (live, survey) = Live::find()?;
    live.settle(&survey)?;
    let units = live.ram.units();
    let file =
        File::open("/proc/kpageflags").map_err(|error| Error::io("opening /proc/kpageflags", error))?;
    let mut report = Report { passes, ..Report::default() };
    let mut wrong: BTreeMap<(u64, Kernel, PageClass), u32> = BTreeMap::new();
    let ctl = survey.ctl()?;
    for _ in 0..passes {
        ctl.reset_pass();
        // Few units at a time, so that the kernel's two answers are milliseconds apart.
        for (first, group) in (0..).step_by(GROUP).zip(units.chunks(GROUP)) {
            let before = page_flags(&file, group)?;
            set(&ctl.next_unit, first);
            set(&ctl.units, first + group.len() as u64);
            classify_rest(ctl, || survey.run("lkd_classify"))?;
            let after = page_flags(&file, group)?;
            for (unit, (before, after)) in group.iter().zip(before.iter().zip(&after)) {
                let classes = unit_classes(&survey, unit)?;
                let flags = before.iter().zip(after);
                for ((pfn, class), (before, after)) in (unit.first..).zip(classes).zip(flags) {
                    compare(&mut report, &mut wrong, pfn, class, *before, *after);
                }
            }
        }
    }
    for ((_, kind, class), times) in wrong {
        if times >= (passes / 2 + 1).max(2) {
            *report.repeated.entry((kind, class)).or_default() += 1;
        }
    }
    Ok(report)
}

/// The class of every page of a unit.
fn unit_classes(survey: &Engine, unit: &Unit) -> Result<Vec<PageClass>, Error> {
    let mut bytes = vec![0u8; unit.pages as usize];
    let from = u64::from(unit.base) + unit.first % UNIT_PAGES;
    if !survey.classes.read(from as usize, &mut bytes) {
        return Err(Error::Machine("the map of classes is shorter than it was made".into()));
    }
    let class = |number: &u8| {
        PageClass::from_number(*number)
            .ok_or_else(|| Error::Machine(format!("no page class has number {number}")))
    };
    bytes.iter().map(class).collect()
}

fn compare(
    report: &mut Report,
    wrong: &mut BTreeMap<(u64, Kernel, PageClass), u32>,
    pfn: u64,
    class: PageClass,
    before: u64,
    after: u64,
) {
    let kind = Kernel::of(before);
    if class == PageClass::Own {
        report.own += 1;
    } else if before != after {
        report.moving += 1;
    } else if kind.agrees(class) {
        let row = report.rows.entry(kind).or_default();
        row.agree += 1;
        row.tails += before >> KPF_COMPOUND_TAIL & 1;
    } else {
        report.rows.entry(kind).or_default().differ += 1;
        *wrong.entry((pfn, kind, class)).or_default() += 1;
    }
}

/// The flags of every page of every unit.
fn page_flags(file: &File, units: &[Unit]) -> Result<Vec<Vec<u64>>, Error> {
    let mut bytes = vec![0u8; UNIT_PAGES as usize * 8];
    units
        .iter()
        .map(|unit| {
            let piece = bytes.get_mut(..unit.pages as usize * 8).unwrap_or_default();
            file.read_exact_at(piece, unit.first * 8).map_err(|error| {
                Error::io(format!("reading /proc/kpageflags at page frame {:#x}", unit.first), error)
            })?;
            Ok(piece.as_chunks::<8>().0.iter().map(|flags| u64::from_ne_bytes(*flags)).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kernel; 11] = [
        Kernel::NoPage,
        Kernel::Hwpoison,
        Kernel::Offline,
        Kernel::Buddy,
        Kernel::Hugetlb,
        Kernel::Slab,
        Kernel::PageTable,
        Kernel::Anon,
        Kernel::File,
        Kernel::Reserved,
        Kernel::Rest,
    ];

    #[test]
    fn every_answer_of_the_kernel_has_a_class_that_agrees() {
        for kind in ALL {
            assert!(PageClass::ALL.into_iter().any(|class| kind.agrees(class)), "{}", kind.name());
        }
    }

    #[test]
    fn a_slab_page_is_one_whatever_else_it_is() {
        assert_eq!(Kernel::of(1 << 7 | 1 << 12 | 1 << 5), Kernel::Slab);
        assert_eq!(Kernel::of(1 << 5 | 1 << 12), Kernel::Anon);
        assert_eq!(Kernel::of(1 << 5), Kernel::File);
        assert_eq!(Kernel::of(0), Kernel::Rest);
    }
}
