//! Page tables: virtual address to physical address, on x86-64 with four or five levels.

use crate::memory::{Absent, Level, Memory, Page, ReadError, read_by_page};
use crate::{ByteLen, PAGE_SHIFT, Paddr, Vaddr};

const PRESENT: u64 = 1;
/// The entry maps memory itself, at a level where it could point at a table.
const LARGE: u64 = 1 << 7;
/// In an entry that is not present: the memory is there, and its process may not touch it. The address is inverted, so that no
/// processor reads there even by guessing.
const FORBIDDEN: u64 = 1 << 8;
/// Bits 12 to 51: where an entry points.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// How many levels the page tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levels {
    /// 48 bits of address.
    Four,
    /// 57 bits of address.
    Five,
}

/// A virtual address space: the kernel's, or a process'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressSpace {
    /// Where the top table is.
    pub root: Paddr,
    /// How many levels it has.
    pub levels: Levels,
    /// The bit that AMD's memory encryption sets in every entry; 0 where there is none.
    pub encryption_mask: u64,
}

/// Where a virtual address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    /// The byte's physical address.
    pub paddr: Paddr,
    /// How many bytes from there on lie in the same mapping.
    pub left: ByteLen,
}

impl Levels {
    /// The steps of a walk, each with the lowest bit of the address that it looks at.
    fn steps(self) -> &'static [(Level, u32)] {
        const FIVE: [(Level, u32); 5] =
            [(Level::Pgd, 48), (Level::P4d, 39), (Level::Pud, 30), (Level::Pmd, 21), (Level::Pte, 12)];
        const FOUR: [(Level, u32); 4] =
            [(Level::Pgd, 39), (Level::Pud, 30), (Level::Pmd, 21), (Level::Pte, 12)];
        match self {
            Levels::Four => &FOUR,
            Levels::Five => &FIVE,
        }
    }

    /// Whether all bits above the translated ones are alike.
    fn canonical(self, vaddr: Vaddr) -> bool {
        let bits = match self {
            Levels::Four => 47,
            Levels::Five => 56,
        };
        matches!((vaddr.0 as i64) >> bits, 0 | -1)
    }
}

impl AddressSpace {
    /// Walks the tables to where `vaddr` lies.
    pub fn translate(&self, memory: &dyn Memory, vaddr: Vaddr) -> Result<Translation, ReadError> {
        if !self.levels.canonical(vaddr) {
            return Err(ReadError::NotCanonical { vaddr, got: 0 });
        }
        let mut table = self.root.0 & ADDRESS & !self.encryption_mask;
        for (at_level, shift) in self.levels.steps() {
            let index = vaddr.0 >> shift & 0x1ff;
            let entry = self.entry(memory, vaddr, *at_level, Paddr(table + index * 8))?;
            let last = *at_level == Level::Pte
                || (matches!(at_level, Level::Pud | Level::Pmd) && entry & LARGE != 0);
            let address = match entry & (PRESENT | FORBIDDEN) {
                0 => None,
                FORBIDDEN => last.then_some(!entry),
                _ => Some(entry),
            };
            let Some(address) = address else {
                return Err(ReadError::NotMapped { vaddr, at_level: *at_level, got: 0 });
            };
            let points_at = address & ADDRESS & !self.encryption_mask;
            if last {
                let size = 1u64 << shift;
                let offset = vaddr.0 & (size - 1);
                return Ok(Translation {
                    paddr: Paddr((points_at & !(size - 1)) + offset),
                    left: ByteLen(size - offset),
                });
            }
            table = points_at;
        }
        Err(ReadError::NotMapped { vaddr, at_level: Level::Pte, got: 0 })
    }

    /// Reads virtual memory, over as many pages as it takes. What was read before an error is good:
    /// [`ReadError::got`] bytes.
    pub fn read(&self, memory: &dyn Memory, vaddr: Vaddr, into: &mut [u8]) -> Result<(), ReadError> {
        read_by_page(memory, vaddr.0, into, Level::Data, |at| {
            let vaddr = Vaddr(at);
            Ok((self.translate(memory, vaddr)?.paddr, Some(vaddr)))
        })
    }

    fn entry(
        &self,
        memory: &dyn Memory,
        vaddr: Vaddr,
        at_level: Level,
        paddr: Paddr,
    ) -> Result<u64, ReadError> {
        let page = match memory.read_page(paddr.pfn())? {
            Page::Present(page) => page,
            Page::Absent(why) => {
                let absent = Absent { vaddr: Some(vaddr), at_level, paddr, why };
                return Err(ReadError::Absent { absent, got: 0 });
            }
        };
        let (words, _) = page.as_chunks::<8>();
        let word = words.get(paddr.page_offset() / 8).copied().unwrap_or_default();
        Ok(u64::from_le_bytes(word))
    }
}

const _: () = assert!(PAGE_SHIFT == 12);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::memory::{Why, read_phys};
    use crate::{Error, PAGE_SIZE, PageBytes, Pfn};

    /// Memory that is made in the test.
    #[derive(Default)]
    struct Made(BTreeMap<u64, PageBytes>);

    impl Memory for Made {
        fn read_page(&self, pfn: Pfn) -> Result<Page, Error> {
            Ok(match self.0.get(&pfn.0) {
                Some(page) => Page::Present(Arc::new(*page)),
                None => Page::Absent(Why::Excluded),
            })
        }
    }

    impl Made {
        fn set(&mut self, paddr: u64, word: u64) {
            let page = self.0.entry(paddr >> 12).or_insert([0; PAGE_SIZE]);
            let at = (paddr & 0xfff) as usize;
            page[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }

        /// Maps `size` bytes at `vaddr` with tables that are made as needed from page frame 0x1000 on.
        fn map(&mut self, space: &AddressSpace, vaddr: u64, paddr: u64, size: u64) {
            let mut table = space.root.0;
            for (_, shift) in space.levels.steps() {
                let slot = table + (vaddr >> shift & 0x1ff) * 8;
                if 1 << shift == size {
                    let large = if size == 4096 { 0 } else { LARGE };
                    self.set(slot, paddr | large | PRESENT | space.encryption_mask | 1 << 63);
                    return;
                }
                let page = self.0.entry(slot >> 12).or_insert([0; PAGE_SIZE]);
                let at = (slot & 0xfff) as usize;
                let mut entry = u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
                if entry == 0 {
                    let next = self.0.last_key_value().map_or(0, |(last, _)| last + 1).max(0x1000);
                    self.0.insert(next, [0; PAGE_SIZE]);
                    entry = next << 12 | PRESENT | space.encryption_mask | 1 << 63;
                    self.set(slot, entry);
                }
                table = entry & ADDRESS & !space.encryption_mask;
            }
        }
    }

    fn spaces() -> impl Strategy<Value = AddressSpace> {
        (any::<bool>(), any::<bool>()).prop_map(|(five, sme)| AddressSpace {
            root: Paddr(0x80_0000),
            levels: if five { Levels::Five } else { Levels::Four },
            encryption_mask: if sme { 1 << 47 } else { 0 },
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_mapped_address_is_found_at_every_level(
            space in spaces(),
            page in 0u64..1 << 20,
            target in 0u64..1 << 20,
            offset in 0u64..1 << 30,
            size in prop::sample::select(vec![1u64 << 12, 1 << 21, 1 << 30]),
            upper in any::<bool>(),
        ) {
            let base = if upper { 0xffff_8000_0000_0000 } else { 0 };
            let vaddr = base + page * size % (1 << 47);
            let (paddr, offset) = ((target * size) & ((1 << 46) - 1), offset % size);
            let mut memory = Made::default();
            memory.map(&space, vaddr, paddr, size);
            let found = space.translate(&memory, Vaddr(vaddr + offset)).unwrap();
            prop_assert_eq!(found, Translation { paddr: Paddr(paddr + offset), left: ByteLen(size - offset) });
        }
    }

    /// Five data pages that lie in another order physically, the fourth missing.
    fn sweep_image() -> (Made, AddressSpace, BTreeMap<u64, u8>) {
        let space = AddressSpace { root: Paddr(0x80_0000), levels: Levels::Four, encryption_mask: 0 };
        let mut memory = Made::default();
        let mut bytes = BTreeMap::new();
        for (number, pfn) in [3u64, 1, 4, 9, 2].into_iter().enumerate() {
            let vaddr = 0xffff_8880_0000_0000 + number as u64 * 4096;
            memory.map(&space, vaddr, pfn << 12, 4096);
            if pfn == 9 {
                continue;
            }
            let mut page = [0; PAGE_SIZE];
            for (at, byte) in page.iter_mut().enumerate() {
                *byte = (at as u64 * 7 + pfn * 31) as u8;
                bytes.insert(vaddr + at as u64, *byte);
            }
            memory.0.insert(pfn, page);
        }
        (memory, space, bytes)
    }

    #[test]
    fn every_start_and_length_reads_what_a_byte_by_byte_reader_reads() {
        let (memory, space, bytes) = sweep_image();
        let base = 0xffff_8880_0000_0000u64;
        // Near page boundaries, at which a loop goes wrong if it does; and some in between.
        let near = |page: u64| (0..6).map(move |at| page * 4096 + at).chain([page * 4096 + 2047]);
        let starts: Vec<u64> = (0..6).flat_map(|page| near(page).map(|at| at.saturating_sub(3))).collect();
        for start in &starts {
            for end in starts.iter().filter(|end| *end >= start) {
                let mut into = vec![0xaa; (end - start) as usize];
                let result = space.read(&memory, Vaddr(base + start), &mut into);
                let expected: Vec<u8> =
                    (*start..*end).map_while(|at| bytes.get(&(base + at)).copied()).collect();
                let got = match &result {
                    Ok(()) => into.len(),
                    Err(error) => error.got(),
                };
                assert_eq!(got, expected.len(), "{start:#x}..{end:#x}: {result:?}");
                assert_eq!(into[..got], expected, "{start:#x}..{end:#x}");
                assert!(into[got..].iter().all(|byte| *byte == 0xaa));
            }
        }
    }

    #[test]
    fn physical_reads_cross_pages_by_the_same_loop() {
        let (memory, _, _) = sweep_image();
        let mut into = vec![0; 3 * 4096];
        read_phys(&memory, Paddr(0x1800), &mut into[..0x1800]).unwrap();
        assert_eq!(into[..0x800], memory.0[&1][0x800..]);
        assert_eq!(into[0x800..0x1800], memory.0[&2]);
        let error = read_phys(&memory, Paddr(0x4ff0), &mut into[..32]).unwrap_err();
        assert_eq!(error.got(), 16);
        assert_eq!(error.to_string(), "physical address 0x5000: left out of the dump");
        assert!(matches!(
            read_phys(&memory, Paddr(u64::MAX - 3), &mut into[..8]),
            Err(ReadError::OutOfSpace { len: 8, .. })
        ));
    }

    #[test]
    fn what_is_missing_is_named_exactly() {
        let (memory, space, _) = sweep_image();
        let mut into = [0; 8];
        let data = space.read(&memory, Vaddr(0xffff_8880_0000_3010), &mut into).unwrap_err();
        let wanted = "virtual address 0xffff888000003010, physical address 0x9010: left out of the dump";
        assert_eq!(data.to_string(), wanted);
        let unmapped = space.read(&memory, Vaddr(0xffff_8880_0000_5000), &mut into).unwrap_err();
        assert_eq!(
            unmapped.to_string(),
            "virtual address 0xffff888000005000 is not mapped: its pte is empty"
        );
        let noncanonical = space.read(&memory, Vaddr(0x8000_0000_0000), &mut into).unwrap_err();
        assert_eq!(noncanonical.to_string(), "0x800000000000 is no virtual address of this machine");
        let lost = AddressSpace { root: Paddr(0x7f_0000), ..space };
        let table = lost.read(&memory, Vaddr(0x1000), &mut into).unwrap_err();
        let wanted = "virtual address 0x1000, its pgd at physical address 0x7f0000: left out of the dump";
        assert_eq!(table.to_string(), wanted);
    }

    #[test]
    fn memory_that_its_process_may_not_touch_is_there() {
        let (mut memory, space, bytes) = sweep_image();
        let base = 0xffff_8880_0000_0000u64;
        let slot = |memory: &Made, vaddr: u64, wanted: u64| {
            let mut table = space.root.0;
            for (_, shift) in space.levels.steps() {
                let slot = table + (vaddr >> shift & 0x1ff) * 8;
                if *shift == wanted as u32 {
                    return slot;
                }
                table = space.entry(memory, Vaddr(vaddr), Level::Pte, Paddr(slot)).unwrap() & ADDRESS;
            }
            unreachable!("no such level")
        };
        let last = slot(&memory, base, 12);
        memory.set(last, (!(3 << 12) & ADDRESS) | FORBIDDEN);
        let mut into = [0; 8];
        space.read(&memory, Vaddr(base), &mut into).unwrap();
        assert!((0..8).all(|at| into[at as usize] == bytes[&(base + at)]));
        // above, the bit has no such meaning
        let above = slot(&memory, base, 21);
        let entry = space.entry(&memory, Vaddr(base), Level::Pmd, Paddr(above)).unwrap();
        memory.set(above, (entry & !PRESENT) | FORBIDDEN);
        let error = space.read(&memory, Vaddr(base), &mut into).unwrap_err();
        assert!(matches!(error, ReadError::NotMapped { at_level: Level::Pmd, .. }), "{error}");
    }

    #[test]
    fn a_table_that_points_at_itself_ends() {
        let space = AddressSpace { root: Paddr(0x80_0000), levels: Levels::Five, encryption_mask: 0 };
        let mut memory = Made::default();
        for slot in 0..512 {
            memory.set(0x80_0000 + slot * 8, 0x80_0000 | PRESENT);
        }
        let found = space.translate(&memory, Vaddr(0x1234)).unwrap();
        assert_eq!(found.paddr, Paddr(0x80_0234));
    }
}
