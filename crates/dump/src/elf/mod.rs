//! The ELF vmcore: what /proc/vmcore looks like, and crash, drgn and gdb read.
//!
//! ```text
//! 0        Elf64_Ehdr: ET_CORE
//! 64       program headers: PT_NOTE first, then a PT_LOAD for every run of pages
//! then     where there are more than 65534 of them, one section header that says how many
//! then     the notes
//! …        a hole: room for program headers that were not needed
//! aligned  the pages, in page frame order
//! ```
//!
//! Readers have their ways, each found out the hard way by somebody:
//!
//! * crash takes the first program header for the only PT_NOTE, takes everything before the first PT_LOAD's data for
//!   the header, and takes a file for another kind of dump when that data is aligned and p_align is not 0. So
//!   p_align is 0.
//! * crash reads by p_paddr; gdb by p_vaddr; drgn by both, and there a later segment hides an earlier one that has
//!   the same p_vaddr. So every segment has its true virtual address, in the direct map, and the kernel's text has
//!   a second one, over the same bytes.
//! * p_memsz beyond p_filesz reads as zeros. So they are equal here, and a page that is not in the dump is in no
//!   segment.

mod header;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::Reader;
pub use write::write;
