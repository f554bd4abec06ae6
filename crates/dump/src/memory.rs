//! Memory as a dump shows it: pages that are there, pages that are not and why, and the one loop that reads them.

use std::sync::Arc;

use crate::addr::PAGE_SIZE;
use crate::{Error, Paddr, PageBytes, Pfn, Vaddr};

/// Where pages are read from. A dump, or anything else that has page frames.
pub trait Memory {
    /// The page frame's bytes, or why they are not there. An error means that the file is broken there, which is
    /// neither.
    fn read_page(&self, pfn: Pfn) -> Result<Page, Error>;
}

/// A page frame in a dump.
#[derive(Clone, PartialEq, Eq)]
pub enum Page {
    /// Its bytes.
    Present(Arc<PageBytes>),
    /// It is not in the dump.
    Absent(Why),
}

impl std::fmt::Debug for Page {
    /// Never the bytes: they are somebody's memory.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Page::Present(_) => out.write_str("Present(..)"),
            Page::Absent(why) => write!(out, "Absent({why:?})"),
        }
    }
}

/// Why a page is not in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The machine has no memory there.
    NotRam,
    /// It was left out, or could not be read.
    Excluded,
    /// It was to be written and was lost.
    Lost,
    /// The file gives a length without bytes: left out, or zero; the format cannot say which.
    Unstored,
}

impl std::fmt::Display for Why {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Why::NotRam => "no memory there",
            Why::Excluded => "left out of the dump",
            Why::Lost => "lost while the dump was written",
            Why::Unstored => "left out of the dump, or zero",
        })
    }
}

/// A step of an x86-64 page walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The fifth level, where there is one.
    Pgd,
    /// The fourth.
    P4d,
    /// The third.
    Pud,
    /// The second.
    Pmd,
    /// The first.
    Pte,
    /// The memory itself.
    Data,
}

impl std::fmt::Display for Level {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Level::Pgd => "pgd",
            Level::P4d => "p4d",
            Level::Pud => "pud",
            Level::Pmd => "pmd",
            Level::Pte => "pte",
            Level::Data => "data",
        })
    }
}

/// Memory that is wanted and not in the dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The virtual address that was being read, where there is one.
    pub vaddr: Option<Vaddr>,
    /// Which page was missing: a page table on the way, or the memory itself.
    pub at_level: Level,
    /// That page's physical address: the exact byte that was wanted.
    pub paddr: Paddr,
    /// Why it is not there.
    pub why: Why,
}

impl std::fmt::Display for Absent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(vaddr) = self.vaddr {
            write!(out, "virtual address {vaddr}, ")?;
        }
        match self.at_level {
            Level::Data => write!(out, "physical address {}: {}", self.paddr, self.why),
            level => write!(out, "its {level} at physical address {}: {}", self.paddr, self.why),
        }
    }
}

/// A read that did not get all it wanted.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A page is not in the dump.
    #[error("{absent}")]
    Absent {
        /// Which, and why.
        absent: Absent,
        /// How many bytes were read before it.
        got: usize,
    },
    /// The kernel maps nothing at the address.
    #[error("virtual address {vaddr} is not mapped: its {at_level} is empty")]
    NotMapped {
        /// The address.
        vaddr: Vaddr,
        /// The step of the walk that found nothing.
        at_level: Level,
        /// How many bytes were read before it.
        got: usize,
    },
    /// No address of this machine: the bits above those that are translated are not all alike.
    #[error("{vaddr} is no virtual address of this machine")]
    NotCanonical {
        /// The address.
        vaddr: Vaddr,
        /// How many bytes were read before it.
        got: usize,
    },
    /// The address runs over the end of its address space.
    #[error("address {at:#x} and the {len} bytes from there run over the end of the address space")]
    OutOfSpace {
        /// The address.
        at: u64,
        /// How many bytes were wanted.
        len: usize,
    },
    /// The file is broken.
    #[error(transparent)]
    File(#[from] Error),
}

impl ReadError {
    /// How many bytes were read before it; those are good.
    pub fn got(&self) -> usize {
        match self {
            ReadError::Absent { got, .. }
            | ReadError::NotMapped { got, .. }
            | ReadError::NotCanonical { got, .. } => *got,
            ReadError::OutOfSpace { .. } | ReadError::File(_) => 0,
        }
    }

    fn after(self, before: usize) -> ReadError {
        match self {
            ReadError::Absent { absent, .. } => ReadError::Absent { absent, got: before },
            ReadError::NotMapped { vaddr, at_level, .. } => {
                ReadError::NotMapped { vaddr, at_level, got: before }
            }
            ReadError::NotCanonical { vaddr, .. } => ReadError::NotCanonical { vaddr, got: before },
            other => other,
        }
    }
}

/// Reads physical memory, over as many pages as it takes.
pub fn read_phys(memory: &dyn Memory, paddr: Paddr, into: &mut [u8]) -> Result<(), ReadError> {
    read_by_page(memory, paddr.0, into, Level::Data, |at| Ok((Paddr(at), None)))
}

/// The house's one page loop. `place` says where the byte at an address lies and by which virtual address it is known.
pub(crate) fn read_by_page(
    memory: &dyn Memory,
    start: u64,
    into: &mut [u8],
    at_level: Level,
    mut place: impl FnMut(u64) -> Result<(Paddr, Option<Vaddr>), ReadError>,
) -> Result<(), ReadError> {
    let len = into.len();
    if len > 0 && start.checked_add(len as u64 - 1).is_none() {
        return Err(ReadError::OutOfSpace { at: start, len });
    }
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..).filter(|rest| !rest.is_empty()) {
        let (paddr, vaddr) = place(start + got as u64).map_err(|error| error.after(got))?;
        let page = match memory.read_page(paddr.pfn())? {
            Page::Present(page) => page,
            Page::Absent(why) => {
                return Err(ReadError::Absent { absent: Absent { vaddr, at_level, paddr, why }, got });
            }
        };
        let step = rest.len().min(PAGE_SIZE - paddr.page_offset());
        let from = page.get(paddr.page_offset()..).and_then(|tail| tail.get(..step));
        if let (Some(to), Some(from)) = (rest.get_mut(..step), from) {
            to.copy_from_slice(from);
        }
        got += step;
    }
    Ok(())
}
