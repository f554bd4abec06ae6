//! Pages of physical memory as an image: of a dump's file, or of anything else that has page frames.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use lkd_dump::{AddressSpace, Levels, Memory, Paddr, Page, PageBytes, Pfn, Vaddr};
use lkd_kernel::vmcoreinfo::{InfoError, VmcoreInfo};

use super::Image;

/// Where x86-64 maps the kernel's image, and where its modules begin.
const KERNEL_IMAGE: std::ops::Range<u64> = 0xffff_ffff_8000_0000..0xffff_ffff_c000_0000;
/// Frames kept at hand; more of them are dropped all at once.
const KEPT: usize = 1 << 16;
const PAGE: u64 = 4096;

/// Memory in page frames, read through the kernel's own page tables.
pub struct Paged<'a> {
    memory: &'a dyn Memory,
    space: AddressSpace,
    phys_base: u64,
    /// Where the direct map begins and ends, once it is known.
    direct: Option<(u64, u64)>,
    frames: RefCell<HashMap<u64, Option<Arc<PageBytes>>>>,
    places: RefCell<HashMap<u64, Option<u64>>>,
}

impl<'a> Paged<'a> {
    /// Finds the page tables by what the kernel says in VMCOREINFO.
    ///
    /// # Errors
    /// VMCOREINFO does not say where the kernel's page tables are.
    pub fn new(memory: &'a dyn Memory, info: &VmcoreInfo) -> Result<Paged<'a>, InfoError> {
        let phys_base = info.number("phys_base")? as u64;
        let root = info.symbol("swapper_pg_dir").or_else(|_| info.symbol("init_top_pgt"))?;
        Ok(Paged {
            memory,
            space: AddressSpace {
                root: Paddr(root.wrapping_sub(KERNEL_IMAGE.start).wrapping_add(phys_base)),
                levels: if info.five_levels() { Levels::Five } else { Levels::Four },
                encryption_mask: info.encryption_mask(),
            },
            phys_base,
            direct: None,
            frames: RefCell::default(),
            places: RefCell::default(),
        })
    }

    /// Reads the direct map without page tables: `frames` of them at `page_offset`.
    pub fn set_direct_map(&mut self, page_offset: u64, frames: u64) {
        self.direct = Some((page_offset, page_offset.saturating_add(frames.saturating_mul(PAGE))));
    }

    fn frame(&self, pfn: u64) -> Option<Arc<PageBytes>> {
        if let Some(known) = self.frames.borrow().get(&pfn) {
            return known.clone();
        }
        let page = match self.memory.read_page(Pfn(pfn)) {
            Ok(Page::Present(page)) => Some(page),
            Ok(Page::Absent(_)) | Err(_) => None,
        };
        let mut frames = self.frames.borrow_mut();
        if frames.len() >= KEPT {
            frames.clear();
        }
        frames.insert(pfn, page.clone());
        page
    }

    /// The frame behind a virtual page.
    fn place(&self, vaddr: u64) -> Option<u64> {
        if let Some((from, to)) = self.direct
            && (from..to).contains(&vaddr)
        {
            return Some((vaddr - from) / PAGE);
        }
        if KERNEL_IMAGE.contains(&vaddr) {
            return Some((vaddr - KERNEL_IMAGE.start).wrapping_add(self.phys_base) / PAGE);
        }
        if let Some(known) = self.places.borrow().get(&(vaddr / PAGE)) {
            return *known;
        }
        let found = self.space.translate(&Tables(self), Vaddr(vaddr)).ok().map(|found| found.paddr.pfn().0);
        let mut places = self.places.borrow_mut();
        if places.len() >= KEPT * 4 {
            places.clear();
        }
        places.insert(vaddr / PAGE, found);
        found
    }
}

/// Page frames from wherever a function finds them, such as a buffer that was captured and not written yet.
pub struct Frames<F>(pub F);

impl<F: Fn(Pfn) -> Option<Arc<PageBytes>>> Memory for Frames<F> {
    fn read_page(&self, pfn: Pfn) -> Result<Page, lkd_dump::Error> {
        Ok(self.0(pfn).map_or(Page::Absent(lkd_dump::Why::Excluded), Page::Present))
    }
}

/// Page tables are read again and again: from the frames at hand.
struct Tables<'a, 'b>(&'a Paged<'b>);

impl Memory for Tables<'_, '_> {
    fn read_page(&self, pfn: Pfn) -> Result<Page, lkd_dump::Error> {
        Ok(self.0.frame(pfn.0).map_or(Page::Absent(lkd_dump::Why::Excluded), Page::Present))
    }
}

impl Image for Paged<'_> {
    fn read(&self, vaddr: u64, into: &mut [u8]) -> bool {
        let mut at = vaddr;
        let mut rest = into;
        while !rest.is_empty() {
            let offset = at % PAGE;
            let step = rest.len().min((PAGE - offset) as usize);
            let (piece, later) = std::mem::take(&mut rest).split_at_mut(step);
            let Some(page) = self.place(at).and_then(|pfn| self.frame(pfn)) else { return false };
            let Some(from) = page.get(offset as usize..).and_then(|tail| tail.get(..step)) else {
                return false;
            };
            piece.copy_from_slice(from);
            rest = later;
            let Some(next) = at.checked_add(step as u64) else { return rest.is_empty() };
            at = next;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_the_address_space_is_found() {
        let mut frames: HashMap<u64, PageBytes> =
            HashMap::from([(0x200, [0; 4096]), (0x201, [7; 4096]), (0x300, [9; 4096])]);
        // vmalloc's 0xffffc90000000000 through three tables to frame 0x300; the root stands in the kernel's image
        for (table, slot, next) in
            [(0x200u64, 0x192usize, 0x210u64), (0x210, 0, 0x211), (0x211, 0, 0x212), (0x212, 0, 0x300)]
        {
            let page = frames.entry(table).or_insert([0; 4096]);
            page[slot * 8..slot * 8 + 8].copy_from_slice(&(next << 12 | 1).to_le_bytes());
        }
        let frames = Frames(|pfn: Pfn| frames.get(&pfn.0).copied().map(Arc::new));
        let info = VmcoreInfo::parse(b"NUMBER(phys_base)=1048576\nSYMBOL(swapper_pg_dir)=ffffffff80100000\n");
        let mut paged = Paged::new(&frames, &info).unwrap();
        paged.set_direct_map(0xffff_8880_0000_0000, 0x400);
        let mut two = [0; 2];
        assert!(paged.read(0xffff_ffff_8010_1ffe, &mut two) && two == [7, 7]);
        assert!(!paged.read(0xffff_ffff_8010_1fff, &mut two), "the next frame is not there");
        assert!(paged.read(0xffff_8880_0020_1000, &mut two) && two == [7, 7]);
        assert!(paged.read(0xffff_c900_0000_0800, &mut two) && two == [9, 9]);
        assert!(!paged.read(0xffff_c900_0000_1000, &mut two));
        assert!(!paged.read(0x0123_4567_89ab_cdef, &mut two));
        assert!(!paged.read(u64::MAX, &mut two));
    }
}
