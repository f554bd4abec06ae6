//! The dump file and its words: addresses, the shot, and the formats that crash, drgn, gdb and WinDbg open.
//!
//! Takes pages in ascending order from a [`PageSource`] and anything that writes and seeks; gives a file. Takes
//! anything that reads and seeks; gives pages, notes and, through page tables, what lies at a virtual address.
//! Never opens a file, never looks at a running machine, never prints, and never believes a file: what a reader
//! meets is checked before it is used, and said with its offset when it is wrong.
//!
//! A page that is not in a dump is a value ([`Page::Absent`]) with its reason; it is never a page of zeros.
//!
//! The walk, each file resting on those before it:
//!
//! | file | holds |
//! |---|---|
//! | `addr.rs` | addresses, page numbers, offsets and lengths as types |
//! | `kind.rs` | what lkd()'s argument asks for, and which classes of page it keeps |
//! | `shot.rs` | what was true at the probe, in the shape that BPF writes |
//! | `pfnset.rs` | sets of page frames |
//! | `note.rs` | notes: registers, vmcoreinfo, the shot, torn ranges |
//! | `vm.rs` | the note of the virtual machines that a host ran |
//! | `source.rs` | what a writer takes and tells |
//! | `codec.rs` | one page packed and unpacked |
//! | `pipe.rs` | pages from the source through the packing threads to the file, in order |
//! | `aligned.rs` | memory as direct writing wants it |
//! | `stream.rs` | a part of a file that grows, in large aligned writes |
//! | `sums.rs` | checksums of every page and every block, at the file's end |
//! | `input.rs` | the readers' cursor |
//! | `memory.rs` | what a dump holds: pages, absent pages, and the one loop that reads them |
//! | `translate.rs` | page tables: virtual to physical |
//! | `cache.rs` | pages read a moment ago |
//! | `kdump/` | the compressed kdump file, written and read |
//! | `elf/` | the ELF vmcore, written and read |
//! | `open.rs` | a file of either format, by its first bytes; and a dump as the source of another |
//! | `verify.rs` | the proof that a file is as it was written |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod addr;
mod aligned;
mod cache;
mod codec;
pub mod elf;
mod input;
pub mod kdump;
mod kind;
pub mod memory;
pub mod note;
mod open;
mod pfnset;
mod pipe;
pub mod shot;
mod source;
mod stream;
mod sums;
#[cfg(test)]
mod testing;
mod translate;
mod verify;
pub mod vm;

pub use addr::{ByteLen, FileOff, PAGE_SHIFT, PAGE_SIZE, Paddr, PageBytes, Pfn, Vaddr};
pub use aligned::Aligned;
pub use kind::{BadKind, Kind, PageClass};
pub use memory::{Absent, Level, Memory, Page, ReadError, Why, read_phys};
pub use note::{Notes, Torn, WriteStats, torn_to_fit};
pub use open::{Dump, DumpPages, write};
pub use pfnset::PfnSet;
pub use shot::{BadShot, CpuState, PageCounts, Regs, Request, Shot, Site};
pub use source::{
    BATCH_PAGES, BadFormat, Codec, Error, Format, Lender, Machine, Mapping, Meta, Options, PageBatch,
    PageSource, Progress, SourceError, Summary, UnixTime, Utsname,
};
pub use sums::Promise;
pub use translate::{AddressSpace, Levels, Translation};
pub use verify::{Finding, Unproven, Verdict, verify};
pub use vm::{BadMachines, Machines, VCPU_WORDS, Vcpu, Vm, VmSlot};
