//! The shot: what was true at the probe, in the one shape that BPF writes, the ring carries and the dump stores.
//!
//! All structs here are `repr(C)`, little endian, without padding; the C side in `bpf/shot.h` mirrors them field by
//! field, and the assertions below hold every offset. A zero means "not known" in every field that has no mask or
//! length beside it.
//!
//! `struct lkd_shot`, 2048 bytes:
//!
//! | offset | type | field | |
//! |---|---|---|---|
//! | 0 | u64 | magic | [`Shot::MAGIC`], "LKDSHOT1" |
//! | 8 | u32 | version | 1 |
//! | 12 | u32 | size | 2048 |
//! | 16 | u32 | flags | lkd()'s argument |
//! | 20 | u32 | clause | which clause called lkd(), counted from 0 as compiled: if and else make several of one |
//! | 24 | u32 | probe_id | as `dtrace -l` numbers it |
//! | 28 | u32 | site | a [`Site`] |
//! | 32 | u32 | cpu | where the probe fired |
//! | 36 | u32 | machine | ELF e_machine, 62 for x86-64 |
//! | 40 | u32 | pid | the thread's id (`task_struct.pid`) |
//! | 44 | u32 | tgid | the process' id |
//! | 48 | u32 | uid | |
//! | 52 | u32 | gid | |
//! | 56 | u64 | sequence | counts the shots of one arming |
//! | 64 | u64 | ktime_ns | CLOCK_MONOTONIC at the probe |
//! | 72 | u64 | boottime_ns | CLOCK_BOOTTIME at the probe |
//! | 80 | u64 | realtime_ns | CLOCK_REALTIME; filled by user space |
//! | 88 | u64 | deadline_ns | CLOCK_MONOTONIC at which everybody gives up |
//! | 96 | u64 | triggered_ns | CLOCK_MONOTONIC when the capture began |
//! | 104 | u64 | stopped_ns | … when the last CPU had stopped |
//! | 112 | u64 | copied_ns | … when the last page of the freeze was copied |
//! | 120 | u64 | thawed_ns | … when the thread ran on |
//! | 128 | u32 | status | bits of [`status`] |
//! | 132 | u32 | consistency | 0 smeared, 1 consistent |
//! | 136 | u32 | cpus_online | |
//! | 140 | u32 | cpus_stopped | |
//! | 144 | char\[16\] | comm | |
//! | 160 | u64 | task | address of the thread's task_struct |
//! | 168 | u64 | bpf_frame | an address on the probing thread's kernel stack: the BPF program's own frame |
//! | 176 | u32 | user_regs_valid | bit i: word i of user_regs is known |
//! | 180 | u32 | probe_regs_valid | bit i: word i of probe_regs is known |
//! | 184 | u64\[21\] | user_regs | where the thread entered the kernel |
//! | 352 | u64\[21\] | probe_regs | kernel context at the probe |
//! | 520 | u64\[10\] | args | arg0 to arg9 |
//! | 600 | u32 | kstack_len | frames in kstack |
//! | 604 | u32 | ustack_len | frames in ustack |
//! | 608 | u64\[64\] | kstack | instruction pointers, innermost first |
//! | 1120 | u64\[32\] | ustack | instruction pointers, innermost first |
//! | 1376 | [`PageCounts`] | pages | |
//! | 1552 | char\[64\] | provider | filled by user space, as are the next four |
//! | 1616 | char\[64\] | module | |
//! | 1680 | char\[128\] | function | |
//! | 1808 | char\[64\] | name | |
//! | 1872 | char\[128\] | script | |
//! | 2000 | u64 | classified_ns | CLOCK_MONOTONIC when every page's class was known |
//! | 2008 | u64\[5\] | reserved | 0 |

use std::mem::{offset_of, size_of};

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::{Kind, Vaddr};

/// Registers in the order of the kernel's `struct pt_regs` on x86-64 (168 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
#[allow(missing_docs)] // the registers' own names say it
pub struct Regs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub orig_rax: u64,
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl Regs {
    /// How many words there are.
    pub const WORDS: usize = 21;
    /// A validity mask that says every word is known.
    pub const ALL_VALID: u32 = (1 << Regs::WORDS) - 1;

    /// Whether they are of user code.
    pub const fn is_user(&self) -> bool {
        self.cs & 3 == 3
    }
}

/// How many classes [`PageCounts::found`] has room for.
pub const CLASS_SLOTS: usize = 16;

/// Pages by what became of them (176 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct PageCounts {
    /// Pages met, by the number of their [`PageClass`](crate::PageClass).
    pub found: [u64; CLASS_SLOTS],
    /// Pages that the kind of dump keeps.
    pub kept: u64,
    /// Of these, copied while the machine stood still.
    pub frozen: u64,
    /// Of these, copied after it went on.
    pub trailing: u64,
    /// Of these, not readable.
    pub failed: u64,
    /// Pages of our own, left out.
    pub own: u64,
    /// Pages that the list of kept pages had no room for.
    pub overflow: u64,
}

/// Bits of [`Shot::status`].
pub mod status {
    /// The deadline passed before the capture was done.
    pub const DEADLINE: u32 = 0x1;
    /// The buffer for frozen pages was too small.
    pub const BUFFER_SMALL: u32 = 0x2;
    /// The kernel gave no kernel stack.
    pub const KSTACK_FAILED: u32 = 0x4;
    /// The kernel gave no user stack.
    pub const USTACK_FAILED: u32 = 0x8;
    /// The thread runs a 32-bit program.
    pub const COMPAT: u32 = 0x10;
    /// A CPU did not stop.
    pub const CPU_MISSING: u32 = 0x20;
    /// A CPU stopped after the copy had begun.
    pub const CPU_LATE: u32 = 0x40;
    /// The capture was given up.
    pub const ABORTED: u32 = 0x80;
    /// A CPU went on before the capture was done.
    pub const RELEASED_EARLY: u32 = 0x100;
    /// Interrupts were off at the probe, where no other CPU can be stopped safely: only the thread was held.
    pub const NOT_INTERRUPTIBLE: u32 = 0x200;
    /// Only the thread was held: nothing else was asked for, or this kernel cannot.
    pub const ALONE: u32 = 0x400;
    /// A wait was ended by its count: the clock stood still.
    pub const CLOCK_STOOD: u32 = 0x800;
    /// The CPUs that were online changed between arming and the shot.
    pub const CPUS_CHANGED: u32 = 0x1000;
    /// Not all virtual machines could be followed: there were more than there was room for, or their lists led nowhere.
    pub const GUESTS_CUT: u32 = 0x2000;
    /// One of the kernel's lists was longer than it is followed.
    pub const CUT: u32 = 0x4000;
    /// The interrupt in which the probe's CPU takes part did not come in time: only the thread was held.
    pub const WITHDRAWN: u32 = 0x8000;
    /// Memory came or went between arming and the shot.
    pub const MEMORY_CHANGED: u32 = 0x1_0000;
}

/// What was true at the probe. The layout table is at the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
#[allow(missing_docs)] // the table at the head of this file says what each field holds
pub struct Shot {
    pub magic: u64,
    pub version: u32,
    pub size: u32,
    pub flags: u32,
    pub clause: u32,
    pub probe_id: u32,
    pub site: u32,
    pub cpu: u32,
    pub machine: u32,
    pub pid: u32,
    pub tgid: u32,
    pub uid: u32,
    pub gid: u32,
    pub sequence: u64,
    pub ktime_ns: u64,
    pub boottime_ns: u64,
    pub realtime_ns: u64,
    pub deadline_ns: u64,
    pub triggered_ns: u64,
    pub stopped_ns: u64,
    pub copied_ns: u64,
    pub thawed_ns: u64,
    pub status: u32,
    pub consistency: u32,
    pub cpus_online: u32,
    pub cpus_stopped: u32,
    pub comm: [u8; 16],
    pub task: u64,
    pub bpf_frame: u64,
    pub user_regs_valid: u32,
    pub probe_regs_valid: u32,
    pub user_regs: Regs,
    pub probe_regs: Regs,
    pub args: [u64; 10],
    pub kstack_len: u32,
    pub ustack_len: u32,
    pub kstack: [u64; 64],
    pub ustack: [u64; 32],
    pub pages: PageCounts,
    pub provider: [u8; 64],
    pub module: [u8; 64],
    pub function: [u8; 128],
    pub name: [u8; 64],
    pub script: [u8; 128],
    pub classified_ns: u64,
    pub reserved: [u64; 5],
}

/// A shot that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadShot {
    /// Fewer bytes than a shot has.
    #[error("a shot has {} bytes, here are {found}", size_of::<Shot>(), found = .0)]
    Short(usize),
    /// Other bytes than "LKDSHOT1" at the start.
    #[error("no shot: magic {found:#x}, wanted {:#x}", Shot::MAGIC, found = .0)]
    Magic(u64),
    /// Written by another lkd.
    #[error("shot version {version} of {size} bytes; this lkd reads version {} of {} bytes", Shot::VERSION, size_of::<Shot>())]
    Version {
        /// The version that the shot claims.
        version: u32,
        /// The size that the shot claims, in bytes.
        size: u32,
    },
}

impl Shot {
    /// "LKDSHOT1" read as a little-endian word.
    pub const MAGIC: u64 = u64::from_le_bytes(*b"LKDSHOT1");
    /// The version of this layout.
    pub const VERSION: u32 = 1;

    /// A shot of which nothing is known yet.
    pub fn new() -> Shot {
        let mut shot = Shot::new_zeroed();
        shot.magic = Shot::MAGIC;
        shot.version = Shot::VERSION;
        shot.size = size_of::<Shot>() as u32;
        shot
    }

    /// The shot at the start of `bytes`, its magic, version and lengths checked.
    pub fn parse(bytes: &[u8]) -> Result<Shot, BadShot> {
        let (mut shot, _) = Shot::read_from_prefix(bytes).map_err(|_| BadShot::Short(bytes.len()))?;
        if shot.magic != Shot::MAGIC {
            return Err(BadShot::Magic(shot.magic));
        }
        if shot.version != Shot::VERSION || shot.size as usize != size_of::<Shot>() {
            return Err(BadShot::Version { version: shot.version, size: shot.size });
        }
        shot.kstack_len = shot.kstack_len.min(shot.kstack.len() as u32);
        shot.ustack_len = shot.ustack_len.min(shot.ustack.len() as u32);
        Ok(shot)
    }

    /// The kind of dump that was asked for, if the argument names one.
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_flags(u64::from(self.flags)).ok()
    }

    /// Where lkd() was called from, if it is a place that this lkd knows.
    pub fn site(&self) -> Option<Site> {
        Site::from_number(self.site)
    }

    /// Whether every page of the dump was read at one instant.
    pub const fn is_consistent(&self) -> bool {
        self.consistency == 1
    }

    /// The thread's name.
    pub fn comm(&self) -> String {
        text(&self.comm)
    }

    /// The probe as `provider:module:function:name`.
    pub fn probe(&self) -> String {
        format!(
            "{}:{}:{}:{}",
            text(&self.provider),
            text(&self.module),
            text(&self.function),
            text(&self.name)
        )
    }

    /// Names the probe; what does not fit its array is cut at a character's boundary.
    pub fn set_probe(&mut self, provider: &str, module: &str, function: &str, name: &str) {
        set_text(&mut self.provider, provider);
        set_text(&mut self.module, module);
        set_text(&mut self.function, function);
        set_text(&mut self.name, name);
    }

    /// The script's name.
    pub fn script(&self) -> String {
        text(&self.script)
    }

    /// Names the script; what does not fit is cut at a character's boundary.
    pub fn set_script(&mut self, script: &str) {
        set_text(&mut self.script, script);
    }

    /// The kernel stack at the probe, innermost frame first.
    pub fn kernel_stack(&self) -> impl Iterator<Item = Vaddr> + '_ {
        self.kstack.iter().take(self.kstack_len as usize).map(|ip| Vaddr(*ip))
    }

    /// The user stack at the probe, innermost frame first.
    pub fn user_stack(&self) -> impl Iterator<Item = Vaddr> + '_ {
        self.ustack.iter().take(self.ustack_len as usize).map(|ip| Vaddr(*ip))
    }
}

impl Default for Shot {
    fn default() -> Shot {
        Shot::new()
    }
}

/// The characters up to the first NUL.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// Stores `text` with at least one NUL after it.
fn set_text(into: &mut [u8], text: &str) {
    into.fill(0);
    let room = into.len().saturating_sub(1);
    let end = (0..=room.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    for (to, from) in into.iter_mut().zip(text.as_bytes().iter().take(end)) {
        *to = *from;
    }
}

/// From what sort of probe lkd() was called; it tells the trigger how to find the kernel's registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// A raw tracepoint whose first argument is the thread's `struct pt_regs *` (sys_enter, sys_exit).
    RawTracepointRegs = 0,
    /// Any other raw tracepoint, and fentry and fexit.
    RawTracepoint = 1,
    /// A kprobe: the program's context is the registers.
    Kprobe = 2,
    /// A perf event: a timer or counter interrupted what ran.
    PerfEvent = 3,
    /// Run by user space: BEGIN, END, ERROR.
    UserSpace = 4,
}

impl Site {
    /// The site that bears this number.
    pub fn from_number(number: u32) -> Option<Site> {
        match number {
            0 => Some(Site::RawTracepointRegs),
            1 => Some(Site::RawTracepoint),
            2 => Some(Site::Kprobe),
            3 => Some(Site::PerfEvent),
            4 => Some(Site::UserSpace),
            _ => None,
        }
    }
}

/// What the generated D program hands to the trigger, through a per-CPU map (`struct lkd_request`, 96 bytes).
///
/// | offset | type | field |
/// |---|---|---|
/// | 0 | u32 | flags |
/// | 4 | u32 | clause |
/// | 8 | u32 | probe_id |
/// | 12 | u32 | site |
/// | 16 | u64\[10\] | args |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Request {
    /// lkd()'s argument.
    pub flags: u32,
    /// Which clause called it, counted from 0 as compiled: `if` and `else` make several of one.
    pub clause: u32,
    /// The probe that fired, as `dtrace -l` numbers it.
    pub probe_id: u32,
    /// A [`Site`].
    pub site: u32,
    /// arg0 to arg9.
    pub args: [u64; 10],
}

/// What a CPU was doing when it stopped (`struct lkd_cpu_state`, 232 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct CpuState {
    /// The CPU's number.
    pub cpu: u32,
    /// The thread that ran on it.
    pub pid: u32,
    /// Bits of [`cpu_flags`].
    pub flags: u32,
    /// By what it was stopped: 0 it was not, 1 its own probe, 2 an interrupt, 3 its clock event.
    pub how: u32,
    /// Address of that thread's task_struct.
    pub task: u64,
    /// CLOCK_MONOTONIC when it stopped, in nanoseconds.
    pub arrived_ns: u64,
    /// CLOCK_MONOTONIC when it went on, in nanoseconds.
    pub left_ns: u64,
    /// An address on the stack on which it stood still.
    pub frame: u64,
    /// Where the interrupt that stopped it left those registers; 0: not known.
    pub pushed: u64,
    /// The return address into that interrupt's entry code, just below them; 0: not known.
    pub entry: u64,
    /// The registers of what it was doing.
    pub regs: Regs,
}

impl CpuState {
    /// The registers that debuggers start from: of what it was doing, if that was in the kernel. Crash takes no others than those on
    /// a kernel stack, and makes up frames where it has none; of user code they are those of the interrupt's entry, whose only
    /// caller is that code, with all its registers. They are known: the entry has cleared what its handler keeps.
    pub fn in_kernel(&self) -> Regs {
        if self.flags & cpu_flags::USER == 0 || self.entry == 0 {
            return self.regs;
        }
        // eflags: the bit that is always set
        Regs { rip: self.entry, rsp: self.pushed, cs: 0x10, ss: 0x18, eflags: 2, ..Regs::default() }
    }
}

/// Bits of [`CpuState::flags`].
pub mod cpu_flags {
    /// The registers are known.
    pub const REGS: u32 = 1;
    /// It ran user code.
    pub const USER: u32 = 2;
    /// It stopped after the copy had begun.
    pub const LATE: u32 = 4;
    /// It never stopped.
    pub const MISSING: u32 = 8;
}

const _: () = {
    assert!(size_of::<Regs>() == 168);
    assert!(size_of::<PageCounts>() == 176);
    assert!(size_of::<Request>() == 96);
    assert!(offset_of!(Request, args) == 16);
    assert!(size_of::<CpuState>() == 232);
    assert!(offset_of!(CpuState, regs) == 64);
    assert!(size_of::<Shot>() == 2048);
    assert!(offset_of!(Shot, size) == 12);
    assert!(offset_of!(Shot, site) == 28);
    assert!(offset_of!(Shot, pid) == 40);
    assert!(offset_of!(Shot, sequence) == 56);
    assert!(offset_of!(Shot, deadline_ns) == 88);
    assert!(offset_of!(Shot, thawed_ns) == 120);
    assert!(offset_of!(Shot, status) == 128);
    assert!(offset_of!(Shot, comm) == 144);
    assert!(offset_of!(Shot, bpf_frame) == 168);
    assert!(offset_of!(Shot, user_regs_valid) == 176);
    assert!(offset_of!(Shot, user_regs) == 184);
    assert!(offset_of!(Shot, probe_regs) == 352);
    assert!(offset_of!(Shot, args) == 520);
    assert!(offset_of!(Shot, kstack_len) == 600);
    assert!(offset_of!(Shot, kstack) == 608);
    assert!(offset_of!(Shot, ustack) == 1120);
    assert!(offset_of!(Shot, pages) == 1376);
    assert!(offset_of!(Shot, provider) == 1552);
    assert!(offset_of!(Shot, function) == 1680);
    assert!(offset_of!(Shot, script) == 1872);
    assert!(offset_of!(Shot, classified_ns) == 2000);
    // The records are stored as they stand; a big-endian host would need its own reader and writer.
    assert!(cfg!(target_endian = "little"));
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shot_survives_its_bytes() {
        let mut shot = Shot::new();
        shot.set_probe("syscall", "vmlinux", "lseek", "return");
        shot.set_script("livedumpstatuscheck.d");
        shot.kstack_len = 2;
        shot.kstack[0] = 0xffff_ffff_8100_0000;
        shot.kstack[1] = 0xffff_ffff_8100_1000;
        let back = Shot::parse(shot.as_bytes()).unwrap();
        assert_eq!(back, shot);
        assert_eq!(back.probe(), "syscall:vmlinux:lseek:return");
        assert_eq!(back.script(), "livedumpstatuscheck.d");
        let stack: Vec<Vaddr> = back.kernel_stack().collect();
        assert_eq!(stack, [Vaddr(0xffff_ffff_8100_0000), Vaddr(0xffff_ffff_8100_1000)]);
        assert_eq!(back.kind(), Some(Kind::Kernel));
    }

    #[test]
    fn a_debugger_starts_in_the_kernel() {
        let regs = Regs { rip: 0x5555_0000_1000, rsp: 0x7ffd_0000_2000, cs: 0x33, ..Regs::default() };
        let state = CpuState {
            flags: cpu_flags::REGS | cpu_flags::USER,
            pushed: 0xffff_c900_0000_3f58,
            entry: 0xffff_ffff_8100_164a,
            regs,
            ..CpuState::default()
        };
        let entered = state.in_kernel();
        assert_eq!((entered.rip, entered.rsp, entered.cs), (state.entry, state.pushed, 0x10));
        assert_eq!(CpuState { entry: 0, ..state }.in_kernel(), regs);
        assert_eq!(CpuState { flags: cpu_flags::REGS, ..state }.in_kernel(), regs);
    }

    #[test]
    fn what_is_no_shot_says_why() {
        assert_eq!(Shot::parse(&[0; 12]), Err(BadShot::Short(12)));
        assert_eq!(Shot::parse(&[0; 2048]), Err(BadShot::Magic(0)));
        let mut shot = Shot::new();
        shot.version = 9;
        assert_eq!(Shot::parse(shot.as_bytes()), Err(BadShot::Version { version: 9, size: 2048 }));
    }

    #[test]
    fn a_stack_never_claims_more_frames_than_it_has_room_for() {
        let mut shot = Shot::new();
        shot.kstack_len = u32::MAX;
        shot.ustack_len = 33;
        let back = Shot::parse(shot.as_bytes()).unwrap();
        assert_eq!((back.kstack_len, back.ustack_len), (64, 32));
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_stays_terminated() {
        let mut shot = Shot::new();
        shot.set_probe(&"é".repeat(40), "", "", "");
        assert_eq!(shot.provider[63], 0);
        assert_eq!(shot.probe(), format!("{}:::", "é".repeat(31)));
    }

    #[test]
    fn the_magic_reads_as_text() {
        assert_eq!(&Shot::new().as_bytes()[..8], b"LKDSHOT1");
    }
}
