//! The proof that an image of a kernel is one instant's: claims that hold at every instant of a running kernel, and that an
//! image whose parts were read at different times breaks.
//!
//! It takes an [`Image`] (what was captured, in memory or in a file), the kernel's types and the addresses of a few variables
//! ([`Bases`]); it gives a [`Finding`] for each claim. It changes nothing, opens nothing, and never believes what it reads: in
//! a torn image every pointer may be stale. Walks are bounded, and garbage is a violation, not a panic.
//!
//! - [`View`]: words, lists and members of structures in an image; [`image`]: pages of a dump as an image; [`bases`]: where to begin
//! - [`planted`]: chains X and Y of `storm`: order within a CPU, and from one CPU to another
//! - [`tasks`]: the list of processes, their threads, their children; [`pids`]: the same tasks by their numbers
//! - [`slab`]: each slab's free objects counted twice; [`tables`]: page tables against `struct page`, which [`pages`] reads
//! - [`excuses`]: what a legal instant may show all the same
//!
//! # What a consistent cut may show
//!
//! All CPUs stand still, but each stands *somewhere*: perhaps inside a critical section, with half of an update done. A claim
//! is worth something only if it allows exactly that. The reasoning, for CPUs that were stopped by an interrupt:
//!
//! - **Sections with interrupts off cannot be cut.** The interrupt that stops a CPU comes after them. tasklist_lock is written
//!   to only so (write_lock_irq), and with it all links between tasks change: the list of processes, threads, children, the
//!   hash of pids. So do n->list_lock of slabs, c->slab and c->freelist (local_lock_irqsave), an eventfd's count.
//! - **The triggering CPU is the exception**: it is stopped where its probe stands, which may be inside such a section; so is a
//!   CPU for which the freeze did not wait. Then the section's lock is *held in the image*: the lock's word is the evidence. A
//!   claim that finds its lock free is judged without mercy; if a writer holds it, what is odd is counted as excused.
//! - **Sections with interrupts on can be cut anywhere**, also by preemption, so that several may be open at once: a pid that
//!   fork has taken and that has no task yet, a slab that is being set up. Their owner has the object in hand: the object's
//!   address is in a register or on the stack, and an interrupt or a switch pushes registers onto the stack. So an odd object
//!   must be named on the stack of some task or of some CPU's interrupts, else it is a violation. A CPU that no interrupt has
//!   stopped (a guest that was paused from outside; a CPU that spins for tasklist_lock with interrupts off, while its reader is
//!   stopped) has it in a register alone: registers that the dump knows count as well.
//! - **A single instruction cannot be cut.** A slab's free list and its counters change by one compare-and-swap of 16 bytes.
//!
//! Stacks hold stale words, too, and a lock may be held by chance when its page is copied: an image that is *not* of one
//! instant can be excused by accident. That costs the claims some sharpness, never their fairness.
//!
//! PREEMPT_RT turns those locks into sleeping ones; its images are not judged yet.
//!
//! # How to ask
//!
//! ```no_run
//! # fn judge(memory: &dyn lkd_dump::Memory, info: &lkd_kernel::vmcoreinfo::VmcoreInfo, symbols: &lkd_kernel::symbols::Symbols,
//! #     btf: &lkd_kernel::btf::Btf) -> Result<bool, Box<dyn std::error::Error>> {
//! use lkd_capture::invariants::{Bases, Paged, View, kernel};
//! // memory: a dump, or Frames(|pfn| …) over a captured buffer; symbols and types: of the same boot
//! let mut image = Paged::new(memory, info)?;
//! let bases = Bases::find(symbols, &image)?; // and bases.registers, where they are known
//! image.set_direct_map(bases.page_offset, bases.end_pfn);
//! let findings = kernel(&View { image: &image, btf, bases: &bases });
//! Ok(findings.iter().all(|finding| finding.holds() || finding.lacking.is_some()))
//! # }
//! ```

pub mod bases;
pub mod excuses;
mod finding;
pub mod image;
pub mod pages;
pub mod pids;
pub mod planted;
pub mod slab;
pub mod tables;
pub mod tasks;
#[cfg(test)]
mod testing;
mod view;

pub use bases::Bases;
pub use finding::Finding;
pub use image::{Frames, Paged};
pub use planted::Planted;
pub use view::{Lacking, View};

/// Kernel memory as it was captured.
pub trait Image {
    /// Whether all of `into` could be filled from the kernel's virtual address `vaddr`. Asked for are the direct map, the
    /// kernel's image, `vmemmap`, and stacks, which lie in the vmalloc area; and, in a torn image, any address at all.
    fn read(&self, vaddr: u64, into: &mut [u8]) -> bool;
}

/// Every claim that can be judged without being told anything: the kernel's own.
pub fn kernel(view: &View<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let census = tasks::census(view, &mut findings);
    let mut judge = |check: &'static str, found: Result<Finding, Lacking>| {
        findings.push(found.unwrap_or_else(|why| Finding::lacking(check, &why)));
    };
    judge(tasks::THREADS, tasks::threads(view, &census));
    judge(tasks::CHILDREN, tasks::children(view, &census));
    judge(pids::PIDS, pids::pids(view, &census));
    judge(slab::CPU_SLABS, slab::cpu_slabs(view));
    judge(slab::PARTIAL, slab::partial(view));
    judge(slab::SLABS, slab::slabs(view, &census));
    judge(tables::TABLES, tables::tables(view, &census));
    findings
}

/// The claims about what `storm` planted.
pub fn planted(view: &View<'_>, planted: &Planted) -> Vec<Finding> {
    let mut findings = Vec::new();
    let census = tasks::census(view, &mut Vec::new());
    match planted::chains(view, &census, planted) {
        Ok(both) => findings.extend(both),
        Err(why) => {
            findings.extend([planted::CHAIN_X, planted::CHAIN_Y].map(|check| Finding::lacking(check, &why)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::testing::{Files, Made, Mapped, Slabs, Tasks};
    use super::*;

    fn judge_all(made: &Made) {
        let asked = Planted { pid: 7, x: vec![0, 1, u64::MAX], y: vec![2, 3, 4] };
        made.view(|view| {
            assert_eq!(kernel(view).len(), 8);
            assert_eq!(planted(view, &asked).len(), 2);
        });
    }

    #[test]
    fn an_image_of_garbage_is_judged_to_its_end() {
        for seed in 0..100 {
            let mut all = [
                Tasks::sound().made,
                Slabs::sound().made,
                Mapped::sound().made,
                Files::with(&[1, 2], &[1, 2]).made,
            ];
            for made in &mut all {
                made.spoil(seed);
                judge_all(made);
            }
        }
        judge_all(&Made::new());
    }

    #[test]
    fn a_claim_that_the_types_do_not_allow_is_skipped_and_says_why() {
        let made = Made::new();
        let empty = [0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        let btf = lkd_kernel::btf::Btf::parse(empty).unwrap();
        made.view(|view| {
            let findings = kernel(&View { btf: &btf, ..*view });
            assert!(findings.iter().all(|finding| finding.lacking.is_some()));
        });
    }

    #[test]
    fn this_machines_types_allow_every_claim() {
        // Types only; of the kernel's memory nothing is read. A kernel without BTF has no say.
        let Ok(types) = std::fs::read("/sys/kernel/btf/vmlinux") else { return };
        let btf = lkd_kernel::btf::Btf::parse(types).unwrap();
        Made::new().view(|view| {
            let view = View { btf: &btf, ..*view };
            for finding in kernel(&view).iter().chain(&planted(&view, &Planted::default())) {
                // A kernel with sheaves alone gives its CPUs no slabs of their own.
                let may_lack = finding.check == slab::CPU_SLABS;
                assert!(finding.lacking.is_none() || may_lack, "{finding}");
            }
        });
    }
}
