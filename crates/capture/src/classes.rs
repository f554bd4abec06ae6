//! Is our classification right? Page by page against the kernel's own /proc/kpageflags.
//!
//! Both are read while the machine runs, so a page counts only if the kernel says the same before and after our pass; even
//! so it may have been something else in between. What is really misread is misread again: only a page that is wrong in
//! the same way in most passes, and at least in two, is an error.
//!
//! Of most of its own pages (stacks, vmalloc, per-CPU memory) the kernel says nothing there, so these are what a wrong class
//! would lose unseen. For them the proof is turned round: a class that leaves a page out must be borne out by what
//! /proc/kpagecount, the page's other flags, or its struct page say.

mod says;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::os::unix::fs::FileExt;

use lkd_dump::PageClass;
use lkd_kernel::btf::Btf;

use crate::ctl::{UNIT_PAGES, Unit, get, set};
use crate::engine::Engine;
use crate::error::Error;
use crate::live::Live;
use crate::pass::classify_rest;
use crate::peek::Peeker;
use says::{Answer, Doubt, Kernel};

const KPF_COMPOUND_TAIL: u32 = 16;
/// Units between two questions to the kernel.
const GROUP: usize = 16;

/// Reads struct pages, by the running kernel's own layout.
struct Structs {
    peeker: Peeker,
    vmemmap: u64,
    size: u64,
    lru: u64,
    refcount: u64,
}

impl Structs {
    fn new(live: &Live, survey: &Engine) -> Result<Structs, Error> {
        let bytes = std::fs::read("/sys/kernel/btf/vmlinux")
            .map_err(|error| Error::io("reading /sys/kernel/btf/vmlinux", error))?;
        let btf = Btf::parse(bytes).map_err(|error| Error::Machine(error.to_string()))?;
        let place = |name: &str| {
            let place = btf.find_struct("page").and_then(|page| btf.member(page, name));
            place
                .map(|place| place.byte_offset())
                .ok_or_else(|| Error::Machine(format!("struct page has no {name}")))
        };
        Ok(Structs {
            peeker: survey.peeker()?,
            vmemmap: live.vmemmap,
            size: get(&survey.ctl()?.page_struct),
            lru: place("lru")?,
            refcount: place("_refcount")?,
        })
    }

    /// What speaks against a free page of a CPU's own list: those are linked, to others, and nobody holds them. Under load
    /// such pages come and go all the time: one that is held now was wrongly called free only if it is called so `again`,
    /// and is held before and after.
    fn doubt_free(&mut self, pfn: u64, again: Again<'_>) -> Result<Option<Doubt>, Error> {
        if self.held(pfn)? && again(pfn)? == PageClass::Free && self.held(pfn)? {
            return Ok(Some(Doubt::Referenced));
        }
        let lru = self.page(pfn) + self.lru;
        let next = self.peeker.word(lru).map_err(|error| unreadable(pfn, error))?;
        Ok((next == Some(lru)).then_some(Doubt::SelfLinked))
    }

    fn held(&mut self, pfn: u64) -> Result<bool, Error> {
        let mut refcount = [0; 4];
        let at = self.page(pfn) + self.refcount;
        let read = self.peeker.read(at, &mut refcount).map_err(|error| unreadable(pfn, error))?;
        Ok(read && refcount != [0; 4])
    }

    /// The page's struct page, word by word.
    fn words(&mut self, pfn: u64) -> Result<Vec<Option<u64>>, Error> {
        let at = self.page(pfn);
        let words = (at..at + self.size).step_by(8);
        words.map(|at| self.peeker.word(at).map_err(|error| unreadable(pfn, error))).collect()
    }

    fn page(&self, pfn: u64) -> u64 {
        self.vmemmap.wrapping_add(pfn.wrapping_mul(self.size))
    }
}

/// Classifies a page once more.
type Again<'a> = &'a mut dyn FnMut(u64) -> Result<PageClass, Error>;

fn unreadable(pfn: u64, error: std::io::Error) -> Error {
    Error::io(format!("reading the struct page of {pfn:#x}"), error)
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
    repeated: BTreeMap<(Kernel, PageClass, Doubt), u64>,
    /// Some of them, with the words of their struct pages at the end, for whoever has to find out why.
    examples: Vec<(u64, Vec<Option<u64>>)>,
}

/// Pages of which the struct page is shown.
const EXAMPLES: usize = 8;

impl Report {
    /// Whether no page was misread again and again, and slab (tails too), buddy, page tables, anonymous and file pages were
    /// all met.
    pub fn agrees(&self) -> bool {
        let met = |kind| self.rows.get(&kind).is_some_and(|row| row.agree > 0);
        self.repeated.is_empty()
            && self.slab_tails() > 0
            && [Kernel::Slab, Kernel::Buddy, Kernel::PageTable, Kernel::Anon, Kernel::File]
                .into_iter()
                .all(met)
    }

    /// Counts a page that did not change meanwhile.
    fn count(&mut self, answer: Answer, doubt: Option<Doubt>) {
        let row = self.rows.entry(Kernel::of(answer.flags)).or_default();
        if doubt.is_some() {
            row.differ += 1;
        } else {
            row.agree += 1;
            row.tails += answer.flags >> KPF_COMPOUND_TAIL & 1;
        }
    }

    /// Of memory that no allocator manages yet the kernel says nothing: as many pages as `unmanaged`, less those that it does
    /// call reserved, may have a class that says so.
    fn allow(&mut self, unmanaged: u64) {
        let reserved = self.rows.get(&Kernel::Reserved).map_or(0, |row| row.agree + row.differ);
        let allowed = unmanaged.saturating_sub(reserved / u64::from(self.passes.max(1)));
        let of = |doubt: Doubt| doubt == Doubt::Managed;
        let pages: u64 =
            self.repeated.iter().filter(|((.., doubt), _)| of(*doubt)).map(|(_, pages)| pages).sum();
        if pages > 0 && pages <= allowed {
            self.repeated.retain(|(.., doubt), _| !of(*doubt));
            let row = self.rows.entry(Kernel::Rest).or_default();
            let seen = (pages * u64::from(self.passes)).min(row.differ);
            row.differ -= seen;
            row.agree += seen;
        }
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
                self.repeated.iter().filter(|((of, ..), _)| of == kind).map(|(_, pages)| pages).sum();
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
        for ((kind, class, doubt), pages) in &self.repeated {
            writeln!(
                out,
                "{pages} pages that the kernel calls {} were called {} again and again, but {}",
                kind.name(),
                class.name(),
                doubt.name()
            )?;
        }
        for (pfn, words) in &self.examples {
            write!(out, "page frame {pfn:#x} now:")?;
            for word in words {
                match word {
                    Some(word) => write!(out, " {word:016x}")?,
                    None => write!(out, " unreadable")?,
                }
            }
            writeln!(out)?;
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
    let mut proc = Proc::open()?;
    let mut structs = Structs::new(&live, &survey)?;
    let mut report = Report { passes, ..Report::default() };
    let mut wrong: BTreeMap<(u64, Kernel, PageClass, Doubt), u32> = BTreeMap::new();
    let ctl = survey.ctl()?;
    for _ in 0..passes {
        ctl.reset_pass();
        // Few units at a time, so that the kernel's two answers are milliseconds apart.
        for (first, group) in (0..).step_by(GROUP).zip(units.chunks(GROUP)) {
            let before = proc.answers(group)?;
            set(&ctl.next_unit, first);
            set(&ctl.units, first + group.len() as u64);
            classify_rest(ctl, || survey.run("lkd_classify"))?;
            let after = proc.answers(group)?;
            for ((number, unit), (before, after)) in (first..).zip(group).zip(before.iter().zip(&after)) {
                let classes = unit_classes(&survey, unit)?;
                let mut again = |pfn| classify_again(&survey, number, unit, pfn);
                let answers = before.iter().zip(after);
                for ((pfn, class), (before, after)) in (unit.first..).zip(classes).zip(answers) {
                    if class == PageClass::Own {
                        report.own += 1;
                    } else if before != after {
                        report.moving += 1;
                    } else {
                        let doubt = doubt(&mut structs, &mut again, pfn, class, *before)?;
                        report.count(*before, doubt);
                        if let Some(doubt) = doubt {
                            *wrong.entry((pfn, Kernel::of(before.flags), class, doubt)).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    for ((pfn, kind, class, doubt), times) in wrong {
        if times >= (passes / 2 + 1).max(2) {
            // of those there are many where an allocator has none yet, see `allow`
            if doubt != Doubt::Managed && report.examples.len() < EXAMPLES {
                report.examples.push((pfn, structs.words(pfn)?));
            }
            *report.repeated.entry((kind, class, doubt)).or_default() += 1;
        }
    }
    report.allow(unmanaged()?);
    Ok(report)
}

/// What speaks against our class of a page that did not change meanwhile.
fn doubt(
    structs: &mut Structs,
    again: Again<'_>,
    pfn: u64,
    class: PageClass,
    answer: Answer,
) -> Result<Option<Doubt>, Error> {
    let kind = Kernel::of(answer.flags);
    if let Some(doubt) = kind.doubt(class, answer) {
        return Ok(Some(doubt));
    }
    match (kind, class) {
        (Kernel::Rest, PageClass::Free) => structs.doubt_free(pfn, again),
        _ => Ok(None),
    }
}

/// Pages that no allocator has: what zones lack of their memory, and what the firmware has not given yet.
fn unmanaged() -> Result<u64, Error> {
    let read =
        |path| std::fs::read_to_string(path).map_err(|error| Error::io(format!("reading {path}"), error));
    let (zones, memory) = (read("/proc/zoneinfo")?, read("/proc/meminfo")?);
    let sum = |text: &str, word: &str| -> u64 {
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix(word));
        lines.filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).sum()
    };
    let lacking = sum(&zones, "present ").saturating_sub(sum(&zones, "managed "));
    Ok(lacking + sum(&memory, "Unaccepted:") / 4)
}

/// The class that a page of a unit, the `number`th, has now.
fn classify_again(survey: &Engine, number: u64, unit: &Unit, pfn: u64) -> Result<PageClass, Error> {
    let ctl = survey.ctl()?;
    set(&ctl.next_unit, number);
    set(&ctl.units, number + 1);
    classify_rest(ctl, || survey.run("lkd_classify"))?;
    let classes = unit_classes(survey, unit)?;
    classes
        .get((pfn - unit.first) as usize)
        .copied()
        .ok_or_else(|| Error::Machine(format!("page frame {pfn:#x} is in no unit")))
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

/// The kernel's own answers.
struct Proc {
    flags: File,
    mapped: File,
    bytes: Vec<u8>,
}

impl Proc {
    fn open() -> Result<Proc, Error> {
        let open = |path| File::open(path).map_err(|error| Error::io(format!("opening {path}"), error));
        Ok(Proc {
            flags: open("/proc/kpageflags")?,
            mapped: open("/proc/kpagecount")?,
            bytes: vec![0u8; UNIT_PAGES as usize * 8],
        })
    }

    /// The answers for every page of every unit.
    fn answers(&mut self, units: &[Unit]) -> Result<Vec<Vec<Answer>>, Error> {
        let mut all = Vec::with_capacity(units.len());
        for unit in units {
            let mut answers = vec![Answer::default(); unit.pages as usize];
            for (name, file) in [("kpageflags", &self.flags), ("kpagecount", &self.mapped)] {
                let piece = self.bytes.get_mut(..unit.pages as usize * 8).unwrap_or_default();
                file.read_exact_at(piece, unit.first * 8).map_err(|error| {
                    Error::io(format!("reading /proc/{name} at page frame {:#x}", unit.first), error)
                })?;
                for (answer, word) in answers.iter_mut().zip(piece.as_chunks::<8>().0) {
                    let word = u64::from_ne_bytes(*word);
                    if name == "kpageflags" { answer.flags = word } else { answer.mapped = word }
                }
            }
            all.push(answers);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_pages_as_no_allocator_manages_may_be_unknown() {
        let with = |pages| {
            let mut report = Report { passes: 2, ..Report::default() };
            report.rows.insert(Kernel::Reserved, Row { agree: 20, ..Row::default() });
            report.rows.insert(Kernel::Rest, Row { differ: pages * 2, ..Row::default() });
            report.repeated.insert((Kernel::Rest, PageClass::Offline, Doubt::Managed), pages);
            report.allow(110);
            (report.repeated.len(), report.rows.get(&Kernel::Rest).map(|row| row.agree))
        };
        assert_eq!(with(100), (0, Some(200)));
        assert_eq!(with(101), (1, Some(0)));
    }
}
