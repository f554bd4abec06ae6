//! How much room an arming needs, by the kinds of dump that it may be asked for: places in the list, pages of the buffer.

use lkd_dump::{Kind, PageClass};

use crate::ctl::{Ctl, LANES, Lanes, MOST_SLOTS, set};
use crate::engine::Sizes;
use crate::error::Error;
use crate::first;
use crate::live::Live;
use crate::options::{Options, Work};

/// Slots for CPUs that do not exist, so that a test may wait for one.
const SPARE: u32 = 1;

/// Pages that the kernel may grow by between the sizing and the probe, besides an eighth: the verifier and the attaching of a script's
/// probes take them (36 MB were seen for 1433 probes), and what is freed again stays with the slab and the CPUs' lists.
const GROWTH: u64 = (64 << 20) / 4096;

/// What is known before anything is sized.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub live: &'a Live,
    /// Pages by the number of their class.
    pub found: &'a [u64; 16],
    /// Pages to be copied before all else.
    pub first: u64,
    /// Pages of a minidump.
    pub mini: u64,
    /// Bytes of memory that could be had.
    pub available: u64,
}

/// The maps' sizes, and what they are made for.
#[derive(Clone, Debug)]
pub struct Room {
    pub sizes: Sizes,
    /// Pages that a dump will have, at most.
    pub pages: u64,
    /// What will not fit.
    pub warnings: Vec<String>,
}

impl Room {
    /// Sizes the maps.
    ///
    /// # Errors
    /// When the buffer that was asked for cannot be had, or is of no use.
    pub fn new(options: &Options, known: &Known<'_>) -> Result<Room, Error> {
        let of = |class: PageClass| known.found.get(class as usize).copied().unwrap_or(0);
        let by_class = options.kinds.iter().any(|kind| *kind != Kind::Mini);
        let (user, hypervisor) = (
            options.kinds.iter().any(|kind| kind.user()),
            options.kinds.iter().any(|kind| kind.hypervisor()),
        );
        let image = known.live.ram.image.end.saturating_sub(known.live.ram.image.start);
        let must = of(PageClass::Slab) + of(PageClass::PageTable) + of(PageClass::OtherKernel) + image;
        let (reserved, unreferenced) = (of(PageClass::Reserved), of(PageClass::RefcountZero));
        // The image's pages are reserved ones, copied with those that must be.
        let kernel = if by_class { must - image + reserved + unreferenced } else { 0 };
        let processes: u64 = PageClass::ALL.into_iter().filter(|class| is_user(*class)).map(of).sum();
        // A virtual machine's memory is its process'.
        let processes = if user || hypervisor { processes } else { 0 };
        let first = known.first + first::ROOM_FOR_TASK;
        let mini = if options.kinds.contains(&Kind::Mini) { known.mini } else { 0 };
        let growth = if by_class { kernel / 8 + GROWTH } else { 1024 };
        let wanted = (kernel + growth + processes + processes / 8).max(mini + 1024) + first;
        let mut warnings = Vec::new();
        let slots = match options.buffer_bytes {
            Some(bytes) if bytes > known.available => {
                return Err(Error::refused(
                    format!(
                        "a buffer of {} MB is more than the {} MB of memory available",
                        bytes >> 20,
                        known.available >> 20
                    ),
                    "give it less (-x lkdbuf, --buffer)",
                ));
            }
            Some(bytes) => bytes / 4096,
            None => {
                let most = known.available / 8 / 4096;
                let all = (kernel + processes).max(mini);
                if all > most {
                    let whose = match (kernel, processes) {
                        (0, 0) => "a minidump",
                        (_, 0) => "the kernel",
                        _ => "the kernel and processes",
                    };
                    warnings.push(format!(
                        "the buffer has {} MB (an eighth of the memory available), {whose} {} MB: the rest will be read after the thread went on",
                        most >> 8,
                        all >> 8
                    ));
                }
                wanted.min(most)
            }
        };
        if slots < 16 {
            return Err(Error::refused(
                "the buffer is too small for any page",
                "give it more memory (-x lkdbuf, --buffer)",
            ));
        }
        // A test run copies nothing, and its buffer needs no memory.
        let slots = if options.work >= Work::Copy { slots.min(MOST_SLOTS) } else { 16 };
        let mut lanes = [0; LANES];
        let mut give = |lane: Lanes, room: u64| {
            if let Some(place) = lanes.get_mut(lane as usize) {
                *place = room;
            }
        };
        give(Lanes::First, first);
        // The kernel may have grown by the time of the probe; what the list has no room for is found again by its class.
        if by_class {
            give(Lanes::Must, must + must / 2 + 65536);
            give(Lanes::Reserved, reserved + 4096);
            give(Lanes::RefcountZero, unreferenced * 2 + 65536);
        }
        // More than the buffer takes need not be listed.
        let listed = (processes + processes / 8).min(slots) + 65536;
        if user {
            give(Lanes::Owner, listed);
            give(Lanes::User, listed);
        }
        if hypervisor {
            // What has no place here is lost: a machine's memory is not found by its class. It may grow, and machines may come.
            give(Lanes::Guest, processes + processes / 8 + of(PageClass::Free) + 65536);
        }
        give(Lanes::Mini, mini);
        let marks = if options.kinds.iter().all(|kind| *kind == Kind::Kernel) {
            0
        } else {
            known.live.ram.end().div_ceil(64)
        };
        let sizes =
            Sizes { slots, lanes, cpus: known.live.cpu_slots + SPARE, marks, kinds: kinds_of(options) };
        Ok(Room { sizes, pages: (kernel + processes).max(mini), warnings })
    }
}

/// The bits of all kinds that are asked for.
fn kinds_of(options: &Options) -> u32 {
    options.kinds.iter().fold(0, |bits, kind| bits | kind.flags())
}

/// Whether a class is of processes' pages.
fn is_user(class: PageClass) -> bool {
    Kind::KernelUser.keeps(class) && !Kind::Kernel.keeps(class)
}

/// Tells the engine what each kind keeps, and where the lanes of the list are.
pub fn settle(ctl: &Ctl, sizes: &Sizes) {
    for kind in Kind::ALL {
        let place = kind.flags() as usize;
        // A guest's memory, and what a minidump picks, is not found by its class; it must be of one that may be touched.
        let may = match kind {
            Kind::Mini => Kind::Kernel,
            Kind::KernelHypervisor => Kind::All,
            kind => kind,
        };
        let words = [
            (&ctl.kept_by_kind, classes(may)),
            (&ctl.listed_by_kind, classes(kind)),
            (&ctl.lanes_by_kind, lanes(kind)),
        ];
        for (table, mask) in words {
            if let Some(word) = table.get(place) {
                set(word, mask);
            }
        }
    }
    // Before a shot says which kind it is, all that any may keep is looked at.
    let all = [Kind::All, Kind::Mini];
    set(&ctl.classes_kept, classes(Kind::All));
    set(&ctl.classes_listed, if sizes.kinds & 1 == 1 { classes(Kind::All) } else { classes(Kind::Kernel) });
    set(&ctl.lanes_kept, all.into_iter().fold(0, |mask, kind| mask | lanes(kind)));
    let mut base = 0;
    for (lane, room) in ctl.lanes.iter().zip(sizes.lanes) {
        set(&lane.base, base);
        set(&lane.room, room);
        base += room;
    }
}

/// The classes that a kind keeps, as the engine's mask.
pub fn classes(kind: Kind) -> u64 {
    PageClass::ALL
        .into_iter()
        .filter(|class| kind.keeps(*class))
        .fold(0, |mask, class| mask | 1 << class as u8)
}

/// The lanes that a kind copies, as the engine's mask.
fn lanes(kind: Kind) -> u64 {
    let kernel = [Lanes::First, Lanes::Must, Lanes::Reserved, Lanes::RefcountZero];
    let lanes: &[Lanes] = if kind == Kind::Mini { &[Lanes::First, Lanes::Mini] } else { &kernel };
    let user: &[Lanes] = if kind.user() { &[Lanes::Owner, Lanes::User] } else { &[] };
    let guests: &[Lanes] = if kind.hypervisor() { &[Lanes::Guest] } else { &[] };
    [lanes, user, guests].into_iter().flatten().fold(0, |mask, lane| mask | 1 << *lane as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctl::get;
    use crate::ctl::tests::idle_ctl;

    fn live() -> Live {
        let mut live = Live {
            ram: crate::ram::Ram::default(),
            page_offset: 0,
            vmemmap: 0,
            vmcoreinfo: Vec::new(),
            phys_base: 0,
            cpus: vec![0],
            cpu_slots: 1,
            utsname: lkd_dump::Utsname::default(),
        };
        live.ram.pages.insert_run(lkd_dump::Pfn(0), 1 << 20);
        live
    }

    /// 1000 pages of slab, 5000 of processes.
    fn room(kinds: &[Kind], available: u64, buffer: Option<u64>) -> Result<Room, Error> {
        let mut found = [0; 16];
        (found[PageClass::Slab as usize], found[PageClass::Anon as usize]) = (1000, 5000);
        let options = Options { kinds: kinds.to_vec(), buffer_bytes: buffer, ..Options::default() };
        Room::new(&options, &Known { live: &live(), found: &found, first: 2, mini: 3000, available })
    }

    #[test]
    fn a_kind_has_room_for_its_pages() {
        let of = |kinds: &[Kind]| {
            room(kinds, 1 << 40, None).map(|room| (room.sizes.slots, room.pages)).map_err(|e| e.to_string())
        };
        assert_eq!(of(&[Kind::Kernel]), Ok((1000 + 125 + GROWTH + 10, 1000)));
        assert_eq!(of(&[Kind::KernelUser]), Ok((1000 + 125 + GROWTH + 10 + 5625, 6000)));
        assert_eq!(of(&[Kind::Kernel, Kind::KernelHypervisor]).map(|(_, pages)| pages), Ok(6000));
        assert_eq!(of(&[Kind::Mini]).map(|(_, pages)| pages), Ok(3000));
    }

    #[test]
    fn what_does_not_fit_is_told_before() {
        let told = |kinds: &[Kind]| room(kinds, 4000 * 4096 * 8, None).map(|room| room.warnings.join("; "));
        assert!(told(&[Kind::Kernel]).is_ok_and(|text| text.is_empty()));
        assert!(told(&[Kind::KernelUser]).is_ok_and(|text| text.contains("the kernel and processes 23 MB")));
        assert!(room(&[Kind::Kernel], 1 << 20, Some(1 << 21)).is_err());
        assert!(room(&[Kind::Kernel], 1 << 40, Some(4096)).is_err());
    }

    #[test]
    fn marks_are_for_kinds_that_list_twice() {
        let marks = |kinds: &[Kind]| room(kinds, 1 << 40, None).map(|room| room.sizes.marks).ok();
        assert_eq!(marks(&[Kind::Kernel]), Some(0));
        assert_eq!(marks(&[Kind::Kernel, Kind::KernelUser]), Some((1 << 20) / 64));
    }

    #[test]
    fn each_kind_has_its_lanes() {
        let ctl = idle_ctl();
        let sizes = Sizes { lanes: [1, 2, 3, 4, 5, 6, 7, 8], kinds: 5, ..Sizes::default() };
        settle(&ctl, &sizes);
        let lanes = |kind: Kind| ctl.lanes_by_kind.get(kind.flags() as usize).map(get);
        assert_eq!(lanes(Kind::Kernel), Some(0b0000_1111));
        assert_eq!(lanes(Kind::KernelUser), Some(0b0011_1111));
        assert_eq!(lanes(Kind::Mini), Some(0b1000_0001));
        assert_eq!(lanes(Kind::KernelHypervisor), Some(0b0100_1111));
        assert_eq!(lanes(Kind::All), Some(0b0111_1111));
        let bases: Vec<u64> = ctl.lanes.iter().map(|lane| get(&lane.base)).collect();
        assert_eq!(bases, [0, 1, 3, 6, 10, 15, 21, 28]);
    }
}
