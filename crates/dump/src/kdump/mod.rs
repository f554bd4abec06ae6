//! The compressed kdump file, version 6: what makedumpfile writes and crash, drgn and WinDbg read.
//!
//! Blocks of 4096 bytes, all numbers little endian:
//!
//! ```text
//! block 0            disk_dump_header: signature, utsname, sizes          (header.rs)
//! block 1            kdump_sub_header, then the notes in the same blocks
//! 1 + sub_hdr_size   bitmap1: which page frames are RAM, lowest bit first
//! half way           bitmap2: which of them are in this file
//! then               page_desc[popcount(bitmap2)], 24 bytes each, in page frame order
//! then               page data, each page a stream of its own, unaligned
//! ```
//!
//! A page whose bit in bitmap2 is set and whose descriptor's offset is 0 was lost while writing; nobody writes that
//! here, a lost page's bit stays clear. All zero pages' descriptors point at one stored page of zeros.
//!
//! The writer ([`write()`]) streams: descriptors and data grow side by side, each at its own place; bitmaps, notes and
//! last of all the header follow when the pages are done, so a file that was cut off has no signature. The reader
//! ([`Reader`]) believes nothing.

mod header;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use read::Reader;
pub use write::write;
