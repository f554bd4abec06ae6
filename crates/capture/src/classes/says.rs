//! The kernel's own words about a page, and what they say against a class of ours.

use lkd_dump::PageClass;

/// A page's answers from /proc: its flags, and how many mappings it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub flags: u64,
    pub mapped: u64,
}

/// What the kernel says of a page, of the things that it says anything about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    NoPage,
    Hwpoison,
    Offline,
    Buddy,
    Hugetlb,
    Slab,
    PageTable,
    Anon,
    File,
    Reserved,
    Rest,
}

/// LOCKED, UPTODATE, SWAPBACKED: a page of a file that is on no LRU list (it may wait for its turn in a CPU's batch) has one. THP:
/// of the tails of a large page that is on such a list the kernel says only this.
const KPF_OF_FILES: u64 = 1 | 1 << 3 | 1 << 14 | 1 << 22;
impl Kernel {
    /// By the bits of include/uapi/linux/kernel-page-flags.h.
    pub fn of(flags: u64) -> Kernel {
        let has = |bit: u32| flags >> bit & 1 == 1;
        if has(20) {
            Kernel::NoPage
        } else if has(19) {
            Kernel::Hwpoison
        } else if has(23) {
            Kernel::Offline
        } else if has(10) {
            Kernel::Buddy
        } else if has(17) {
            Kernel::Hugetlb
        } else if has(7) {
            Kernel::Slab
        } else if has(26) {
            Kernel::PageTable
        } else if has(32) {
            Kernel::Reserved
        } else if has(12) {
            Kernel::Anon
        } else if has(5) {
            Kernel::File
        } else {
            Kernel::Rest
        }
    }

    /// Whether our class says the same. Where the kernel says nothing, ours must be none that the kernel names.
    pub fn agrees(self, class: PageClass) -> bool {
        match self {
            Kernel::NoPage | Kernel::Offline => class == PageClass::Offline,
            Kernel::Hwpoison => class == PageClass::Hwpoison,
            Kernel::Buddy => class == PageClass::Free,
            Kernel::Hugetlb => class == PageClass::Hugetlb,
            Kernel::Slab => class == PageClass::Slab,
            Kernel::PageTable => class == PageClass::PageTable,
            Kernel::Anon => class == PageClass::Anon,
            Kernel::File => matches!(class, PageClass::FileCache | PageClass::FileMapped),
            Kernel::Reserved => class == PageClass::Reserved,
            Kernel::Rest => matches!(
                class,
                PageClass::OtherKernel
                    | PageClass::RefcountZero
                    // These need a proof of their own, see `doubt()`.
                    | PageClass::Free
                    | PageClass::FileCache
                    | PageClass::FileMapped
                    | PageClass::Offline
                    | PageClass::Reserved
            ),
        }
    }

    /// What /proc says against our class.
    pub fn doubt(self, class: PageClass, answer: Answer) -> Option<Doubt> {
        if !self.agrees(class) {
            return Some(Doubt::Kind);
        }
        // as page cache that nobody has mapped it would be left out of a dump with processes' pages
        if class == PageClass::FileCache && answer.mapped > 0 {
            return Some(Doubt::Mapped);
        }
        if self != Kernel::Rest {
            return None;
        }
        match class {
            PageClass::Free | PageClass::RefcountZero | PageClass::Offline if answer.mapped > 0 => {
                Some(Doubt::Mapped)
            }
            PageClass::FileCache | PageClass::FileMapped if answer.flags & KPF_OF_FILES == 0 => {
                Some(Doubt::NoFile)
            }
            PageClass::Offline | PageClass::Reserved => Some(Doubt::Managed),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kernel::NoPage => "no page",
            Kernel::Hwpoison => "hwpoison",
            Kernel::Offline => "offline",
            Kernel::Buddy => "buddy",
            Kernel::Hugetlb => "hugetlb",
            Kernel::Slab => "slab",
            Kernel::PageTable => "page table",
            Kernel::Anon => "anonymous",
            Kernel::File => "file",
            Kernel::Reserved => "reserved",
            Kernel::Rest => "(nothing)",
        }
    }
}

/// What speaks against a class that leaves a page out, of a page of which the kernel names no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The kernel names another kind.
    Kind,
    Mapped,
    Referenced,
    SelfLinked,
    NoFile,
    Managed,
}

impl Doubt {
    pub fn name(self) -> &'static str {
        match self {
            Doubt::Kind => "it says so itself",
            Doubt::Mapped => "they are mapped",
            Doubt::Referenced => "they have references",
            Doubt::SelfLinked => "they are linked to themselves, hence on no list",
            Doubt::NoFile => "nothing about them is a file's",
            Doubt::Managed => "there are not that many pages that no allocator manages",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Kernel; 11] = [
        Kernel::NoPage,
        Kernel::Hwpoison,
        Kernel::Offline,
        Kernel::Buddy,
        Kernel::Hugetlb,
        Kernel::Slab,
        Kernel::PageTable,
        Kernel::Anon,
        Kernel::File,
        Kernel::Reserved,
        Kernel::Rest,
    ];

    #[test]
    fn every_answer_of_the_kernel_has_a_class_that_agrees() {
        for kind in ALL {
            assert!(PageClass::ALL.into_iter().any(|class| kind.agrees(class)), "{}", kind.name());
        }
    }

    #[test]
    fn a_page_that_the_kernel_does_not_name_is_left_out_only_with_a_proof() {
        let doubt = |class, flags, mapped| Kernel::Rest.doubt(class, Answer { flags, mapped });
        assert_eq!(doubt(PageClass::OtherKernel, 0, 0), None);
        assert_eq!(doubt(PageClass::RefcountZero, 0, 0), None);
        assert_eq!(doubt(PageClass::Free, 0, 0), None);
        assert_eq!(doubt(PageClass::Free, 0, 1), Some(Doubt::Mapped));
        assert_eq!(doubt(PageClass::FileMapped, 1 << 11, 1), Some(Doubt::NoFile));
        assert_eq!(doubt(PageClass::FileCache, 1 << 3, 0), None);
        assert_eq!(doubt(PageClass::FileCache, 1 << 3, 1), Some(Doubt::Mapped));
        assert_eq!(doubt(PageClass::Offline, 0, 0), Some(Doubt::Managed));
        assert_eq!(doubt(PageClass::Reserved, 0, 0), Some(Doubt::Managed));
        assert_eq!(doubt(PageClass::Slab, 0, 0), Some(Doubt::Kind));
    }

    #[test]
    fn a_file_that_is_mapped_is_no_mere_cache() {
        let doubt = |class, mapped| Kernel::File.doubt(class, Answer { flags: 1 << 5, mapped });
        assert_eq!((doubt(PageClass::FileMapped, 1), doubt(PageClass::FileCache, 0)), (None, None));
        assert_eq!(doubt(PageClass::FileCache, 1), Some(Doubt::Mapped));
    }

    #[test]
    fn a_slab_page_is_one_whatever_else_it_is() {
        assert_eq!(Kernel::of(1 << 7 | 1 << 12 | 1 << 5), Kernel::Slab);
        assert_eq!(Kernel::of(1 << 5 | 1 << 12), Kernel::Anon);
        assert_eq!(Kernel::of(1 << 5), Kernel::File);
        assert_eq!(Kernel::of(0), Kernel::Rest);
    }
}
