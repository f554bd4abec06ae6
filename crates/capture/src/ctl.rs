//! What the capture engine and user space share: the Rust twin of bpf/engine.h.
//!
//! The BPF programs change the state at any moment, so every word is an atomic. Counters need no order; the three that do
//! say so: [`Ctl::state`] is stored with `Release` and loaded with `Acquire`, and pairs with the full barrier of BPF's
//! compare-and-swap in bpf/trigger.h.

use std::mem::{offset_of, size_of};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use lkd_dump::CpuState;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Pages in an aligned block that one unit of work covers, wholly or in part.
pub const UNIT_PAGES: u64 = 1024;
/// Pages that a CPU copies at a time; their slots are one element of the buffer.
pub const BATCH: u64 = 16;
/// Lanes of the list of pages, first copied first.
pub const LANES: usize = 8;
/// Arguments that lkd() may have, and some more: the engine's tables have a place for each.
pub const KINDS: usize = 8;
/// The lanes of the list by what they hold, in the order in which they are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// Says who was running; copied before pages are classified.
    First = 0,
    /// Slab, page tables, the kernel's image and all that it has allocated.
    Must = 1,
    Reserved = 2,
    RefcountZero = 3,
    /// User pages of the triggering process.
    Owner = 4,
    /// User pages of all processes.
    User = 5,
    /// Memory of virtual machines.
    Guest = 6,
    /// Of a minidump.
    Mini = 7,
}

/// Addresses that one run of the peek program reads.
pub const PEEKS: usize = 256;
/// Bytes of the probing task's kernel stack that the trigger keeps.
pub const STACK_BYTES: usize = 16384;
/// Pages of it.
pub const STACK_PAGES: usize = STACK_BYTES / 4096;
/// An entry of the list that holds no page.
const ENTRY_NONE: u64 = (1 << ENTRY_PFN_BITS) - 1;
/// Most pages that the buffer can have: a slot's number has 28 bits, of which three values mean no slot.
pub const MOST_SLOTS: u64 = (1 << 28) - 3;

const ENTRY_PFN_BITS: u32 = 36;
const ENTRY_FAILED_SLOT: u64 = (1 << 28) - 1;
const ENTRY_CHANGED_SLOT: u64 = (1 << 28) - 2;

/// `struct lkd_unit`: a piece of System RAM within one aligned block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Unit {
    /// The first page frame.
    pub first: u64,
    /// How many there are, at most [`UNIT_PAGES`].
    pub pages: u32,
    /// The class of page frame `pfn` stands at `base + pfn % UNIT_PAGES` of the class map.
    pub base: u32,
}

/// `struct lkd_lane`: a part of the list of pages to be copied.
#[derive(Debug)]
#[repr(C)]
pub struct Lane {
    pub base: AtomicU64,
    pub room: AtomicU64,
    pub wanted: AtomicU64,
    pub next: AtomicU64,
}

impl Lane {
    /// Entries that stand in the list.
    pub fn listed(&self) -> u64 {
        get(&self.wanted).min(get(&self.room))
    }

    /// Entries that somebody has begun to copy.
    pub fn begun(&self) -> u64 {
        get(&self.next).min(self.listed())
    }
}

/// `struct lkd_ctl`.
#[derive(Debug)]
#[repr(C)]
pub struct Ctl {
    pub zero: AtomicU64,
    pub page_offset: AtomicU64,
    pub vmemmap: AtomicU64,
    pub end_pfn: AtomicU64,
    pub image_first: AtomicU64,
    pub image_end: AtomicU64,
    pub units: AtomicU64,
    pub slots: AtomicU64,
    pub max_pause_ns: AtomicU64,
    pub classes_kept: AtomicU64,
    pub emit: AtomicU64,
    pub copy: AtomicU64,
    pub cpus: AtomicU64,
    pub pipe_fd: AtomicI64,
    pub page_struct: AtomicU64,
    pub run_queue: AtomicU64,
    pub rendezvous: AtomicU64,
    pub cpu_slots: AtomicU64,
    pub quorum_ns: AtomicU64,
    pub grace_ns: AtomicU64,
    pub spins: AtomicU64,
    pub entry_first: AtomicU64,
    pub entry_end: AtomicU64,
    pub text_first: AtomicU64,
    pub text_end: AtomicU64,
    pub per_cpu_offset: AtomicU64,
    pub task_bytes: AtomicU64,
    /// For each argument of lkd(): the classes of pages that may be kept.
    pub kept_by_kind: [AtomicU64; KINDS],
    /// For each argument of lkd(): the classes all of whose pages are kept.
    pub listed_by_kind: [AtomicU64; KINDS],
    /// For each argument of lkd(): the lanes that are copied.
    pub lanes_by_kind: [AtomicU64; KINDS],
    pub marks: AtomicU64,
    pub levels: AtomicU64,
    pub sme_mask: AtomicU64,
    pub piece_shift: AtomicU64,

    pub state: AtomicU64,
    pub sequence: AtomicU64,
    pub dropped: AtomicU64,
    pub deadline_ns: AtomicU64,
    pub lanes_kept: AtomicU64,
    pub classes_listed: AtomicU64,
    pub next_unit: AtomicU64,
    pub units_done: AtomicU64,
    pub next_slot: AtomicU64,
    pub copied: AtomicU64,
    pub failed: AtomicU64,
    pub overflow: AtomicU64,
    pub found_task: AtomicU64,
    pub found_page: AtomicU64,
    pub found: [AtomicU64; 16],
    pub lanes: [Lane; LANES],
    pub stack_base: AtomicU64,
    pub stack_valid: AtomicU64,
    pub stack_pages: [AtomicU64; STACK_PAGES],

    pub batches_taken: AtomicU64,
    pub batches_done: AtomicU64,
    pub must_ns: AtomicU64,
    pub trigger_cpu: AtomicU64,
    pub recorded: AtomicU64,
    pub pending: AtomicU64,
    pub rehearsed: AtomicU64,
    pub freeze: AtomicU64,
    pub phase: AtomicU64,
}

/// `struct lkd_cpu`: one CPU in the freeze.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CpuSlot {
    /// The last freeze in which it stopped.
    pub sequence: u64,
    /// The last freeze that it has left.
    pub left: u64,
    /// 1: it is online.
    pub expected: u64,
    /// How often its thread was woken.
    pub woken: u64,
    pub state: CpuState,
    /// Its idle task; 0: not known.
    pub idle: u64,
    /// To the end of a line of memory.
    pub unused: [u64; 6],
}

/// `enum lkd_state`: where an arming stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Settings may be changed; a trigger is dropped.
    Idle = 0,
    /// The next trigger takes the shot.
    Armed = 1,
    /// The machine stands, or a thread of it, while memory is copied.
    Taken = 2,
    /// The thread runs on; what it left is the writer's.
    Held = 3,
}

/// Reads a word that needs no order.
pub fn get(word: &AtomicU64) -> u64 {
    word.load(Ordering::Relaxed)
}

/// Writes a word that needs no order.
pub fn set(word: &AtomicU64, value: u64) {
    word.store(value, Ordering::Relaxed);
}

impl Ctl {
    /// Where the arming stands. Acquire: what the trigger wrote before is seen after.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            1 => State::Armed,
            2 => State::Taken,
            3 => State::Held,
            _ => State::Idle,
        }
    }

    /// Lets the next trigger take the shot. Release: it sees all settings.
    pub fn arm(&self) {
        self.state.store(State::Armed as u64, Ordering::Release);
    }

    /// Takes the shot away from the triggers; false when one was faster.
    pub fn disarm(&self) -> bool {
        self.state
            .compare_exchange(State::Armed as u64, State::Idle as u64, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Forgets what an earlier pass counted and listed.
    pub fn reset_pass(&self) {
        for word in [
            &self.next_unit,
            &self.units_done,
            &self.next_slot,
            &self.copied,
            &self.failed,
            &self.overflow,
            &self.batches_taken,
            &self.batches_done,
            &self.must_ns,
            &self.recorded,
            &self.rehearsed,
        ] {
            set(word, 0);
        }
        for word in &self.found {
            set(word, 0);
        }
        for lane in &self.lanes {
            set(&lane.wanted, 0);
            set(&lane.next, 0);
        }
    }

    /// The lanes that this shot copies.
    pub fn kept_lanes(&self) -> impl Iterator<Item = &Lane> {
        let kept = get(&self.lanes_kept);
        self.lanes.iter().enumerate().filter(move |(place, _)| kept >> place & 1 == 1).map(|(_, lane)| lane)
    }

    /// Whether this shot copies the lane.
    pub fn keeps(&self, lane: Lanes) -> bool {
        get(&self.lanes_kept) >> lane as u8 & 1 == 1
    }

    /// Whether this shot's pages are found by their class; a minidump's are not.
    pub fn by_class(&self) -> bool {
        !self.keeps(Lanes::Mini)
    }

    /// Pages met, by the number of their class.
    pub fn found(&self) -> [u64; 16] {
        std::array::from_fn(|class| self.found.get(class).map_or(0, get))
    }
}

/// An entry of the list: a page to be copied, and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Nobody has read it.
    Not,
    /// The read faulted.
    Failed,
    /// When its turn came, late, it was no longer a page to keep.
    Changed,
    /// There is no page: a CPU took this place and did not need it.
    NoPage,
    /// Its copy is the buffer's page of this number.
    Slot(u64),
}

/// Takes an entry apart: the page frame number, and what became of it.
pub fn entry(word: u64) -> (u64, Copied) {
    let copied = match word >> ENTRY_PFN_BITS {
        0 if word == ENTRY_NONE => Copied::NoPage,
        0 => Copied::Not,
        ENTRY_FAILED_SLOT => Copied::Failed,
        ENTRY_CHANGED_SLOT => Copied::Changed,
        slot => Copied::Slot(slot - 1),
    };
    (word & ((1 << ENTRY_PFN_BITS) - 1), copied)
}

/// `struct lkd_peek`: one read of the peek program.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Peek {
    pub vaddr: u64,
    pub len: u32,
    pub result: i32,
    pub pfn_check: u64,
}

const _: () = {
    assert!(size_of::<Unit>() == 16);
    assert!(size_of::<Lane>() == 32);
    assert!(size_of::<Peek>() == 24);
    assert!(offset_of!(Ctl, pipe_fd) == 104);
    assert!(offset_of!(Ctl, state) == 440);
    assert!(offset_of!(Ctl, found) == 552);
    assert!(offset_of!(Ctl, lanes) == 680);
    assert!(offset_of!(Ctl, stack_base) == 936);
    assert!(offset_of!(Ctl, batches_taken) == 984);
    assert!(size_of::<Ctl>() == 1056);
    assert!(offset_of!(CpuSlot, state) == 32);
    assert!(size_of::<CpuSlot>() == 320);
};

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A control block as the kernel makes it.
    pub fn idle_ctl() -> Ctl {
        let zero = || AtomicU64::new(0);
        let lane = || Lane { base: zero(), room: zero(), wanted: zero(), next: zero() };
        Ctl {
            zero: zero(),
            page_offset: zero(),
            vmemmap: zero(),
            end_pfn: zero(),
            image_first: zero(),
            image_end: zero(),
            units: zero(),
            slots: zero(),
            max_pause_ns: zero(),
            classes_kept: zero(),
            emit: zero(),
            copy: zero(),
            cpus: zero(),
            pipe_fd: AtomicI64::new(-1),
            page_struct: zero(),
            run_queue: zero(),
            rendezvous: zero(),
            cpu_slots: zero(),
            quorum_ns: zero(),
            grace_ns: zero(),
            spins: zero(),
            entry_first: zero(),
            entry_end: zero(),
            text_first: zero(),
            text_end: zero(),
            per_cpu_offset: zero(),
            task_bytes: zero(),
            kept_by_kind: std::array::from_fn(|_| zero()),
            listed_by_kind: std::array::from_fn(|_| zero()),
            lanes_by_kind: std::array::from_fn(|_| zero()),
            marks: zero(),
            levels: zero(),
            sme_mask: zero(),
            piece_shift: zero(),
            state: zero(),
            sequence: zero(),
            dropped: zero(),
            deadline_ns: zero(),
            lanes_kept: zero(),
            classes_listed: zero(),
            next_unit: zero(),
            units_done: zero(),
            next_slot: zero(),
            copied: zero(),
            failed: zero(),
            overflow: zero(),
            found_task: zero(),
            found_page: zero(),
            found: std::array::from_fn(|_| zero()),
            lanes: std::array::from_fn(|_| lane()),
            stack_base: zero(),
            stack_valid: zero(),
            stack_pages: std::array::from_fn(|_| zero()),
            batches_taken: zero(),
            batches_done: zero(),
            must_ns: zero(),
            trigger_cpu: zero(),
            recorded: zero(),
            pending: zero(),
            rehearsed: zero(),
            freeze: zero(),
            phase: zero(),
        }
    }

    #[test]
    fn one_of_trigger_and_writer_gets_the_shot() {
        let ctl = idle_ctl();
        assert!(!ctl.disarm());
        ctl.arm();
        assert_eq!(ctl.state(), State::Armed);
        assert!(ctl.disarm() && !ctl.disarm());
        ctl.state.store(State::Taken as u64, Ordering::Release);
        assert!(!ctl.disarm());
        assert_eq!(ctl.state(), State::Taken);
    }

    #[test]
    fn an_entry_tells_its_page_and_its_copy() {
        assert_eq!(entry(0x12345), (0x12345, Copied::Not));
        assert_eq!(entry(0xf_ffff_ffff), (0xf_ffff_ffff, Copied::NoPage));
        assert_eq!(entry(0x12345 | 1 << 36), (0x12345, Copied::Slot(0)));
        assert_eq!(entry(0x12345 | !0 << 36), (0x12345, Copied::Failed));
        assert_eq!(entry(0x12345 | (!1 << 36)), (0x12345, Copied::Changed));
        assert_eq!(entry(0xf_ffff_ffff | (MOST_SLOTS) << 36), (0xf_ffff_ffff, Copied::Slot(MOST_SLOTS - 1)));
    }
}
