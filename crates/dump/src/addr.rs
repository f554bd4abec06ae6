//! Addresses, page numbers, file offsets and lengths, each a type of its own.
//!
//! A physical address never meets a virtual one, and a page number never meets an address, by accident.
//! Arithmetic is checked: what would wrap gives `None`, never a small number that looks right.

use std::fmt;

/// Bytes in a page. The formats here are written for 4 KiB pages only; a 64 KiB arm64 kernel is refused by name.
pub const PAGE_SIZE: usize = 4096;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;

/// The bytes of one page.
pub type PageBytes = [u8; PAGE_SIZE];

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl $name {
            /// The value moved up by `by`, or `None` where it would wrap.
            pub const fn checked_add(self, by: u64) -> Option<$name> {
                match self.0.checked_add(by) {
                    Some(sum) => Some($name(sum)),
                    None => None,
                }
            }

            /// The value moved down by `by`, or `None` below zero.
            pub const fn checked_sub(self, by: u64) -> Option<$name> {
                match self.0.checked_sub(by) {
                    Some(rest) => Some($name(rest)),
                    None => None,
                }
            }

            /// How far `self` lies past `start`, or `None` when it lies before it.
            pub const fn past(self, start: $name) -> Option<u64> {
                self.0.checked_sub(start.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:#x}", self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, out)
            }
        }
    };
}

unit! {
    /// A physical address, in bytes.
    Paddr
}
unit! {
    /// A kernel or user virtual address, in bytes.
    Vaddr
}
unit! {
    /// A page frame number: a physical address divided by [`PAGE_SIZE`].
    Pfn
}
unit! {
    /// An offset in a file, in bytes.
    FileOff
}
unit! {
    /// A length, in bytes.
    ByteLen
}

impl Paddr {
    /// The page that holds this address.
    pub const fn pfn(self) -> Pfn {
        Pfn(self.0 >> PAGE_SHIFT)
    }

    /// Where in its page this address lies.
    pub const fn page_offset(self) -> usize {
        (self.0 & (PAGE_SIZE as u64 - 1)) as usize
    }
}

impl Vaddr {
    /// Where in its page this address lies.
    pub const fn page_offset(self) -> usize {
        (self.0 & (PAGE_SIZE as u64 - 1)) as usize
    }
}

impl Pfn {
    /// The address of the page's first byte, or `None` for a number that no address space can hold.
    pub const fn paddr(self) -> Option<Paddr> {
        match self.0.checked_mul(PAGE_SIZE as u64) {
            Some(bytes) => Some(Paddr(bytes)),
            None => None,
        }
    }
}

impl FileOff {
    /// The next multiple of `step`, a power of two, at or after this offset.
    pub const fn align_up(self, step: u64) -> Option<FileOff> {
        match self.0.checked_add(step - 1) {
            Some(sum) => Some(FileOff(sum & !(step - 1))),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrap_is_none() {
        assert_eq!(Paddr(u64::MAX).checked_add(1), None);
        assert_eq!(Vaddr(3).checked_sub(4), None);
        assert_eq!(Pfn(1 << 52).paddr(), None);
        assert_eq!(FileOff(u64::MAX).align_up(4096), None);
        assert_eq!(Pfn((1 << 52) - 1).paddr(), Some(Paddr(0xffff_ffff_ffff_f000)));
    }

    #[test]
    fn addresses_print_in_hex() {
        assert_eq!(Paddr(0x1000).to_string(), "0x1000");
        assert_eq!(format!("{:x}", Vaddr(0xffff_8880_0000_0000)), "ffff888000000000");
    }

    #[test]
    fn alignment_keeps_what_is_aligned() {
        assert_eq!(FileOff(4096).align_up(4096), Some(FileOff(4096)));
        assert_eq!(FileOff(4097).align_up(4096), Some(FileOff(8192)));
    }
}
