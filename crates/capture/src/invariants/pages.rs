//! `struct page`: what kind of page a frame is, and how many hold it. The rules are those of bpf/classify.h.

use super::view::Bits;
use super::{Lacking, View};

/// What a page's type says, of the types that the claims are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free, in the buddy allocator.
    Free,
    /// Objects of a cache.
    Slab,
    /// A page table.
    Table,
    /// Anything else.
    Other,
}

/// How this kernel tells a page's type.
#[derive(Clone, Copy, Debug)]
enum Types {
    /// Since 6.12: the top byte.
    Byte { free: u64, slab: u64, table: u64 },
    /// Before: cleared bits, below top bits that are set; PG_slab a flag, or a bit too.
    Bits { top: u64, free: u64, slab: Option<u64>, table: u64 },
}

/// Where in `struct page` what stands.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Bytes of a `struct page`.
    pub size: u64,
    flags: u64,
    head: Option<u64>,
    page_type: Bits,
    refcount: Bits,
    slab_flag: Option<u64>,
    types: Types,
}

/// One frame's, as far as the claims ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What its type says.
    pub kind: Kind,
    /// References to it.
    pub refcount: u32,
    /// The head's `struct page`, of a tail of a compound page.
    pub head: Option<u64>,
}

impl Pages {
    /// By the kernel's types.
    ///
    /// # Errors
    /// The kernel keeps a page's type in a way that is not known here.
    pub fn of(view: &View<'_>) -> Result<Pages, Lacking> {
        let value = |name: &str| view.btf.enumerator(name).map(|one| one.value.as_u64());
        let flags = view.member("page", "flags.f").or_else(|_| view.member("page", "flags"))?;
        let slab_flag = value("PG_slab").filter(|bit| *bit < 64);
        let types = if let (Some(free), Some(slab), Some(table)) =
            (value("PGTY_buddy"), value("PGTY_slab"), value("PGTY_table"))
        {
            Types::Byte { free, slab, table }
        } else if let (Some(free), Some(slab), Some(table)) =
            (value("PG_buddy"), value("PG_slab"), value("PG_table"))
        {
            Types::Bits { top: 0x8000_0000, free, slab: Some(slab), table }
        } else {
            let slab = if slab_flag.is_none() { Some(0x1000) } else { None };
            Types::Bits { top: 0xf000_0000, free: 0x80, slab, table: 0x200 }
        };
        Ok(Pages {
            size: view.size("page")?,
            flags,
            // compound_info since 7.1
            head: view.member("page", "compound_head").or_else(|_| view.member("page", "compound_info")).ok(),
            page_type: view.bits("page", "page_type")?,
            refcount: view.bits("page", "_refcount")?,
            slab_flag,
            types,
        })
    }

    /// The state that the bytes of the `struct page` at `vaddr` tell.
    pub fn state(&self, vaddr: u64, page: &[u8]) -> Option<State> {
        let word = |at: u64| {
            let bytes = page.get(at as usize..)?.first_chunk::<8>()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let refcount = self.refcount.of(word(self.refcount.byte)?) as u32;
        let head = match self.head {
            // Since 7.1 it may be a mask for the tail's own address: with all the bits that no address in vmemmap has.
            Some(at) => Some(word(at)?).filter(|word| word & 1 == 1).map(|word| match word >> 32 {
                0xffff_ffff => vaddr & word,
                _ => word - 1,
            }),
            None => None,
        };
        let kind = if head.is_some() {
            Kind::Other
        } else {
            self.kind(word(self.flags)?, self.page_type.of(word(self.page_type.byte)?))
        };
        Some(State { kind, refcount, head })
    }

    fn kind(&self, flags: u64, kind: u64) -> Kind {
        if kind != 0xffff_ffff {
            match self.types {
                Types::Byte { free, slab, table } => {
                    for (byte, is) in [(free, Kind::Free), (slab, Kind::Slab), (table, Kind::Table)] {
                        if kind >> 24 == byte {
                            return is;
                        }
                    }
                }
                Types::Bits { top, free, slab, table } if kind & top == top => {
                    let cleared = |bit: u64| kind & bit == 0;
                    if cleared(free) {
                        return Kind::Free;
                    } else if slab.is_some_and(cleared) {
                        return Kind::Slab;
                    } else if cleared(table) {
                        return Kind::Table;
                    }
                }
                Types::Bits { .. } => {}
            }
        }
        let flag = matches!(self.types, Types::Bits { slab: None, .. }).then_some(self.slab_flag).flatten();
        if flag.is_some_and(|bit| flags >> bit & 1 == 1) { Kind::Slab } else { Kind::Other }
    }

    /// A frame's state in an image; of a tail that of its head. `None` where the image has no `struct page` for it.
    pub fn frame(&self, view: &View<'_>, pfn: u64) -> Option<State> {
        let at = view.bases.vmemmap.checked_add(pfn.checked_mul(self.size)?)?;
        let own = self.at(view, at)?;
        match own.head {
            Some(head) => self.at(view, head).map(|state| State { head: Some(head), ..state }),
            None => Some(own),
        }
    }

    fn at(&self, view: &View<'_>, vaddr: u64) -> Option<State> {
        let mut page = vec![0; self.size.min(256) as usize];
        view.image.read(vaddr, &mut page).then(|| self.state(vaddr, &page))?
    }
}
