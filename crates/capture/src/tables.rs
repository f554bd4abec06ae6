//! The kernel's own page tables, read from outside: which page frame an address has, and which frames the tables are.

use lkd_kernel::vmcoreinfo::VmcoreInfo;

use crate::live::Live;
use crate::peek::Peeker;

const PRESENT: u64 = 1;
/// The entry maps memory itself, at a level where it could point at a table.
const LARGE: u64 = 1 << 7;
/// Bits 12 to 51: where an entry points.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Entries of a table.
const ENTRIES: u64 = 512;
/// Tables that are listed at most; a kernel has one for each 2 MB that it maps page by page.
const MOST: usize = 8192;

/// Where the tables begin.
#[derive(Clone, Debug)]
pub struct Tables {
    page_offset: u64,
    /// Physical address of the top table.
    root: u64,
    levels: u32,
    address: u64,
    /// The last table of the lowest level that was met, and which two megabytes it maps.
    lowest: Option<(u64, u64)>,
}

impl Tables {
    /// `root`: where in the image the top table stands.
    pub fn of(live: &Live, info: &VmcoreInfo, root: u64) -> Tables {
        Tables {
            page_offset: live.page_offset,
            root: root.wrapping_add(live.phys_base),
            levels: if info.five_levels() { 5 } else { 4 },
            address: ADDRESS & !info.encryption_mask(),
            lowest: None,
        }
    }

    /// The page frame behind a kernel address.
    pub fn frame(&mut self, peeker: &mut Peeker, vaddr: u64) -> Option<u64> {
        let (mut table, mut level) = match self.lowest {
            Some((of, table)) if of == vaddr >> 21 => (table, 0),
            _ => (self.root, self.levels - 1),
        };
        loop {
            let shift = 12 + 9 * level;
            let at = self.page_offset.wrapping_add(table + (vaddr >> shift) % ENTRIES * 8);
            let entry = peeker.word(at).ok().flatten().filter(|entry| entry & PRESENT != 0)?;
            let to = entry & self.address;
            if level == 0 || (level <= 2 && entry & LARGE != 0) {
                let inside = (1u64 << shift) - 1;
                return Some(((to & !inside) + (vaddr & inside)) >> 12);
            }
            (table, level) = (to, level - 1);
            if level == 0 {
                self.lowest = Some((vaddr >> 21, table));
            }
        }
    }

    /// The page frames of the tables of the kernel's half, upper levels first.
    pub fn all(&self, peeker: &mut Peeker) -> Vec<u64> {
        let mut found = vec![self.root >> 12];
        let mut tables = vec![self.root];
        for level in (1..self.levels).rev() {
            let mut below = Vec::new();
            for table in tables {
                let mut bytes = [0; 4096];
                if !matches!(peeker.read(self.page_offset.wrapping_add(table), &mut bytes), Ok(true)) {
                    continue;
                }
                // of the top table, the upper half
                let first = if level + 1 == self.levels { ENTRIES as usize / 2 } else { 0 };
                for entry in bytes.as_chunks::<8>().0.iter().skip(first).map(|word| u64::from_le_bytes(*word))
                {
                    let leaf = level <= 2 && entry & LARGE != 0;
                    if entry & PRESENT != 0 && !leaf && found.len() + below.len() < MOST {
                        below.push(entry & self.address);
                    }
                }
            }
            // the same table may stand in many places, as KASAN's and those of 32 and 64 bits do
            below.sort_unstable();
            below.dedup();
            found.extend(below.iter().map(|table| table >> 12));
            tables = below;
        }
        found
    }
}
