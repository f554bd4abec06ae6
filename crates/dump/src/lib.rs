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
//! | `source.rs` | what a writer takes and tells |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod addr;
mod kind;
pub mod note;
mod pfnset;
pub mod shot;
mod source;

pub use addr::{ByteLen, FileOff, PAGE_SHIFT, PAGE_SIZE, Paddr, PageBytes, Pfn, Vaddr};
pub use kind::{BadKind, Kind, PageClass};
pub use note::{Notes, Torn, WriteStats, torn_to_fit};
pub use pfnset::PfnSet;
pub use shot::{BadShot, CpuState, PageCounts, Regs, Request, Shot, Site};
pub use source::{
    BATCH_PAGES, BadFormat, Codec, Error, Format, Machine, Mapping, Meta, Options, PageBatch, PageSource,
    Progress, SourceError, Summary, UnixTime, Utsname,
};
