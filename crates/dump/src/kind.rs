//! What lkd()'s argument asks for: the five kinds of dump, and which classes of page each of them keeps.

use std::fmt;

/// A kind of dump, by the bits of lkd()'s argument: 1 user pages, 2 minidump, 4 hypervisor pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// 0x0: all pages of the kernel; no user, page-cache or free pages.
    Kernel = 0,
    /// 0x1: kernel pages and the pages that processes have mapped.
    KernelUser = 1,
    /// 0x2: the shot, registers, stacks and what a reader needs to name them.
    Mini = 2,
    /// 0x4: kernel pages and the memory and CPU state of the guests that this machine runs.
    KernelHypervisor = 4,
    /// 0x5: 0x1 and 0x4 together.
    All = 5,
}

/// An lkd() argument that names no kind of dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "lkd({flags:#x}): no such kind of dump; choose 0x0 (kernel), 0x1 (kernel and user), 0x2 (minidump), \
     0x4 (kernel and hypervisor) or 0x5 (kernel, user and hypervisor)"
)]
pub struct BadKind {
    /// The argument as it was given.
    pub flags: u64,
}

impl Kind {
    /// Every kind, in the order of its argument.
    pub const ALL: [Kind; 5] =
        [Kind::Kernel, Kind::KernelUser, Kind::Mini, Kind::KernelHypervisor, Kind::All];

    /// The kind that `flags` names. The argument is taken whole: a bit that no kind has is refused, never masked.
    pub fn from_flags(flags: u64) -> Result<Kind, BadKind> {
        Kind::ALL.into_iter().find(|kind| u64::from(kind.flags()) == flags).ok_or(BadKind { flags })
    }

    /// The argument that asks for this kind.
    pub const fn flags(self) -> u32 {
        self as u32
    }

    /// The kind's short name, as settings and reports spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Kernel => "kernel",
            Kind::KernelUser => "user",
            Kind::Mini => "mini",
            Kind::KernelHypervisor => "hypervisor",
            Kind::All => "all",
        }
    }

    /// The kind that bears `name`.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether this kind promises the pages of processes.
    pub const fn user(self) -> bool {
        matches!(self, Kind::KernelUser | Kind::All)
    }

    /// Whether this kind promises the guests' memory.
    pub const fn hypervisor(self) -> bool {
        matches!(self, Kind::KernelHypervisor | Kind::All)
    }

    /// Whether this kind keeps every page of `class`.
    ///
    /// A minidump keeps no class as a whole: its pages are picked by following the kernel's own pointers. Guest
    /// memory is likewise picked by the hypervisor's memory slots, not by class.
    pub const fn keeps(self, class: PageClass) -> bool {
        if matches!(self, Kind::Mini) {
            return false;
        }
        match class {
            PageClass::Reserved
            | PageClass::Slab
            | PageClass::PageTable
            | PageClass::OtherKernel
            | PageClass::RefcountZero => true,
            PageClass::Anon | PageClass::Hugetlb | PageClass::FileMapped => self.user(),
            PageClass::Free
            | PageClass::FileCache
            | PageClass::Offline
            | PageClass::Hwpoison
            | PageClass::Own => false,
        }
    }

    /// The dump level that makedumpfile would name this content by: bit 1 zero pages, 2 page cache, 4 private
    /// cache, 8 user pages, 16 free pages left out.
    ///
    /// Zero pages are not left out but share one stored page, which is what makedumpfile's own bit 1 does too.
    pub const fn dump_level(self) -> i32 {
        if self.user() { 1 | 2 | 16 } else { 1 | 2 | 4 | 8 | 16 }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

/// What the kernel says of a page frame, in the order in which a classifier counts them.
///
/// The numbers are the indices of [`PageCounts::found`](crate::PageCounts), hence shared with the BPF side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PageClass {
    /// PG_reserved: firmware, the kernel's image, memory map and early allocations.
    Reserved = 0,
    /// A slab page, tail pages included.
    Slab = 1,
    /// Free, in the buddy allocator or on a CPU's own list.
    Free = 2,
    /// A process' anonymous memory.
    Anon = 3,
    /// The page cache, mapped by no process.
    FileCache = 4,
    /// A page of page tables.
    PageTable = 5,
    /// Any other page that is in use: stacks, vmalloc, per-CPU, module memory.
    OtherKernel = 6,
    /// Reference count zero yet not known to be free: may be the tail of a block in use.
    RefcountZero = 7,
    /// Offline, ballooned, unaccepted or no memory at all: must not be touched.
    Offline = 8,
    /// Broken memory: must not be touched.
    Hwpoison = 9,
    /// A huge page of hugetlbfs.
    Hugetlb = 10,
    /// Our own buffers, which would otherwise dump themselves.
    Own = 11,
    /// A page of a file that a process has mapped.
    FileMapped = 12,
}

impl PageClass {
    /// Every class, in the order of its number.
    pub const ALL: [PageClass; 13] = [
        PageClass::Reserved,
        PageClass::Slab,
        PageClass::Free,
        PageClass::Anon,
        PageClass::FileCache,
        PageClass::PageTable,
        PageClass::OtherKernel,
        PageClass::RefcountZero,
        PageClass::Offline,
        PageClass::Hwpoison,
        PageClass::Hugetlb,
        PageClass::Own,
        PageClass::FileMapped,
    ];

    /// The class that bears this number.
    pub fn from_number(number: u8) -> Option<PageClass> {
        PageClass::ALL.get(usize::from(number)).copied()
    }

    /// The class in a person's words.
    pub const fn name(self) -> &'static str {
        match self {
            PageClass::Reserved => "reserved",
            PageClass::Slab => "slab",
            PageClass::Free => "free",
            PageClass::Anon => "anonymous",
            PageClass::FileCache => "page cache",
            PageClass::PageTable => "page table",
            PageClass::OtherKernel => "other kernel",
            PageClass::RefcountZero => "unreferenced",
            PageClass::Offline => "offline",
            PageClass::Hwpoison => "hwpoison",
            PageClass::Hugetlb => "hugetlb",
            PageClass::Own => "own buffers",
            PageClass::FileMapped => "mapped file",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_documented_arguments_name_a_kind() {
        let named: Vec<u64> = (0..64).filter(|flags| Kind::from_flags(*flags).is_ok()).collect();
        assert_eq!(named, [0, 1, 2, 4, 5]);
        assert_eq!(Kind::from_flags(0x1_0000_0000), Err(BadKind { flags: 0x1_0000_0000 }));
        assert!(BadKind { flags: 3 }.to_string().starts_with("lkd(0x3): no such kind of dump"));
    }

    #[test]
    fn names_go_both_ways() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("full"), None);
    }

    #[test]
    fn class_numbers_are_their_places() {
        for (place, class) in PageClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, place);
            assert_eq!(PageClass::from_number(class as u8), Some(class));
        }
        assert_eq!(PageClass::from_number(13), None);
    }

    #[test]
    fn what_must_not_be_touched_is_kept_by_no_kind() {
        for kind in Kind::ALL {
            for class in [PageClass::Offline, PageClass::Hwpoison, PageClass::Own, PageClass::Free] {
                assert!(!kind.keeps(class), "{kind} keeps {}", class.name());
            }
        }
    }

    #[test]
    fn user_pages_come_with_user_kinds_alone() {
        for class in [PageClass::Anon, PageClass::Hugetlb, PageClass::FileMapped] {
            let keeping: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.keeps(class)).collect();
            assert_eq!(keeping, [Kind::KernelUser, Kind::All]);
        }
    }
}
