//! An image read by the kernel's types: words, bit-fields, members and circular lists.

use std::collections::HashSet;

use lkd_kernel::btf::{Btf, Place, TypeId};

use super::{Bases, Finding, Image};

/// Most links that one list is followed for. No list of a sound kernel that we walk is this long.
pub const MOST_LINKS: usize = 1 << 20;

/// Something that the kernel's types or symbols do not have, so that a claim cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this kernel has no {0}")]
pub struct Lacking(pub String);

/// An image, and what is needed to read it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The memory.
    pub image: &'a dyn Image,
    /// The types of the kernel that is in it.
    pub btf: &'a Btf,
    /// Its variables.
    pub bases: &'a Bases,
}

impl View<'_> {
    /// A 64-bit word.
    pub fn word(&self, vaddr: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.image.read(vaddr, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// A 32-bit word.
    pub fn half(&self, vaddr: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        self.image.read(vaddr, &mut bytes).then(|| u32::from_le_bytes(bytes))
    }

    /// A structure's type.
    pub fn structure(&self, name: &str) -> Result<TypeId, Lacking> {
        self.btf.find_struct(name).ok_or_else(|| Lacking(format!("struct {name}")))
    }

    /// Bytes of a structure.
    pub fn size(&self, name: &str) -> Result<u64, Lacking> {
        let size = self.btf.size_of(self.structure(name)?);
        size.ok_or_else(|| Lacking(format!("size of struct {name}")))
    }

    /// Bytes from a structure's start to a member, which may be a path such as `thread.sp`.
    pub fn member(&self, structure: &str, path: &str) -> Result<u64, Lacking> {
        self.place(structure, path).map(|place| place.byte_offset())
    }

    fn place(&self, structure: &str, path: &str) -> Result<Place, Lacking> {
        let place = self.btf.member_path(self.structure(structure)?, path);
        place.ok_or_else(|| Lacking(format!("member {path} in struct {structure}")))
    }

    /// Where a member's bits lie, be it a bit-field or not.
    pub fn bits(&self, structure: &str, member: &str) -> Result<Bits, Lacking> {
        let place = self.place(structure, member)?;
        let whole = || Some(self.btf.size_of(place.ty)? as u32 * 8);
        let width =
            place.bitfield_size.map(u32::from).or_else(whole).filter(|width| (1..=64).contains(width));
        let width = width.ok_or_else(|| Lacking(format!("width of {member} in struct {structure}")))?;
        Ok(Bits { byte: place.bit_offset / 64 * 8, shift: (place.bit_offset % 64) as u32, width })
    }

    /// The value of a bit-field in the structure at `vaddr`.
    pub fn field(&self, vaddr: u64, bits: Bits) -> Option<u64> {
        Some(bits.of(self.word(vaddr.wrapping_add(bits.byte))?))
    }

    /// The elements of a circular list, without its head: addresses of their links. Every link must be mutual: whoever comes
    /// next points back. That holds at every instant at which nobody is changing the list.
    pub fn list(&self, head: u64, what: &str, finding: &mut Finding) -> Vec<u64> {
        let mut links = Vec::new();
        let mut seen = HashSet::new();
        let mut at = head;
        loop {
            let Some(next) = self.word(at) else {
                finding.unread(what, at);
                break;
            };
            let Some(back) = self.word(next.wrapping_add(8)) else {
                finding.unread(&format!("{what}: next of {at:#x}"), next);
                break;
            };
            finding.looked += 1;
            if back != at {
                finding
                    .violation(format!("{what}: {next:#x} comes after {at:#x} and points back to {back:#x}"));
            }
            if next == head {
                break;
            }
            if !seen.insert(next) || links.len() >= MOST_LINKS {
                finding.violation(format!("{what}: runs in a circle that does not close, at {next:#x}"));
                break;
            }
            links.push(next);
            at = next;
        }
        links
    }
}

/// Bits of one aligned 64-bit word of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    pub(super) byte: u64,
    shift: u32,
    width: u32,
}

impl Bits {
    /// Takes the field out of its word.
    pub(super) fn of(self, word: u64) -> u64 {
        let mask = u64::MAX.checked_shr(64 - self.width).unwrap_or(0);
        word.checked_shr(self.shift).unwrap_or(0) & mask
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Made;
    use super::*;

    #[test]
    fn bits_of_a_word() {
        let bits = |shift, width| Bits { byte: 0, shift, width };
        assert_eq!(bits(16, 15).of(0x8123_4567), 0x123);
        assert_eq!(bits(31, 1).of(0x8000_0000), 1);
        assert_eq!(bits(0, 64).of(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_list_whose_links_are_mutual_is_whole() {
        let mut made = Made::new();
        made.list(0x1000, &[0x2000, 0x3000]);
        let mut finding = Finding::new("list");
        assert_eq!(made.view(|view| view.list(0x1000, "l", &mut finding)), [0x2000, 0x3000]);
        assert!(finding.holds(), "{finding}");
    }

    #[test]
    fn a_link_that_is_not_answered_is_a_violation() {
        let mut made = Made::new();
        made.list(0x1000, &[0x2000, 0x3000]);
        made.put(0x3008, 0x1000);
        let mut finding = Finding::new("list");
        made.view(|view| view.list(0x1000, "l", &mut finding));
        assert_eq!(finding.violations, 1, "{finding}");
    }

    #[test]
    fn lists_of_garbage_end() {
        for next in [0x3000, 0x2000, 0, u64::MAX, u64::MAX - 7, 0x9000] {
            let mut made = Made::new();
            made.list(0x1000, &[0x2000, 0x3000]);
            made.put(0x3000, next);
            let mut finding = Finding::new("list");
            made.view(|view| view.list(0x1000, "l", &mut finding));
            assert!(finding.violations > 0, "{next:#x}: {finding}");
        }
    }
}
