//! A small KVM virtual machine whose memory and registers are known, so that a test can look for them in a dump of its host.
//! `vmrun [SECONDS]` (default 600)
//!
//! Once both of its CPUs are where they stay, it prints what there is to find, all numbers in hexadecimal:
//!
//! - `pid N`: this process
//! - `slot ID GPA PAGES`: a slot of memory. Slot 0 is anonymous, slot 1 shared and above 4 GiB, where an address has more than 32
//!   bits
//! - `pattern GPA PAGES`: pages of it that were written: in each, the word at guest-physical address A holds A xor [`PATTERN`].
//!   What no such line names was never touched, but for the page of code
//! - `vcpu ID NAME VALUE ...`: its registers; of rip, several values with commas between: it is one of them. CPU 0 runs a loop,
//!   CPU 1 has halted
//! - `ready`: the last line
//!
//! The machine stays in real mode, where nothing that it runs changes a register but rip.

use anyhow::{Context, Result, bail};
use libc::{c_int, c_ulong};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
use std::fs::OpenOptions;
use std::io::{Error, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

/// What a word of the pattern is but for its address.
const PATTERN: u64 = 0x6c6b_6476_6d00_0000;
const PAGE: usize = 4096;

/// Slots: where the guest sees them, how many pages they have, and how many of these hold the pattern.
const LOW: Slot = Slot { id: 0, gpa: 0, pages: 1024, written: 1000, shared: false };
const HIGH: Slot = Slot { id: 1, gpa: 0x1_4000_0000, pages: 512, written: 512, shared: true };
/// The page of code, in the low slot: two loops, 16 bytes apart, and half a page on a byte for each CPU that says where it is.
const CODE: u64 = 0x7000;
/// `mov byte [0x7800], 1; pause; jmp` to the `pause`.
const LOOP: &[u8] = &[0xc6, 0x06, 0x00, 0x78, 1, 0xf3, 0x90, 0xeb, 0xfc];
/// `mov byte [0x7801], 1; hlt; jmp` to the `hlt`.
const HALT: &[u8] = &[0xc6, 0x06, 0x01, 0x78, 1, 0xf4, 0xeb, 0xfd];
/// Each CPU's code, where it begins and where it may be found standing.
const CODES: [(u64, &[u8], &str); 2] = [(CODE, LOOP, "7005,7007"), (CODE + 16, HALT, "7016")];
const SAYS: usize = 0x7800;

/// From linux/kvm.h, fixed for ever.
const KVM_GET_API_VERSION: c_ulong = 0xae00;
const KVM_CREATE_VM: c_ulong = 0xae01;
const KVM_CREATE_VCPU: c_ulong = 0xae41;
const KVM_SET_USER_MEMORY_REGION: c_ulong = 0x4020_ae46;
const KVM_SET_TSS_ADDR: c_ulong = 0xae47;
const KVM_CREATE_IRQCHIP: c_ulong = 0xae60;
const KVM_RUN: c_ulong = 0xae80;
const KVM_GET_REGS: c_ulong = 0x8090_ae81;
const KVM_SET_REGS: c_ulong = 0x4090_ae82;
const KVM_GET_SREGS: c_ulong = 0x8138_ae83;
const KVM_SET_SREGS: c_ulong = 0x4138_ae84;
const KVM_SET_MP_STATE: c_ulong = 0x4004_ae99;
const KVM_MP_STATE_RUNNABLE: u32 = 0;

/// `struct kvm_regs`, in its order.
const REGS: [&str; 18] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15", "rip", "rflags",
];
const RIP: usize = 16;
const RFLAGS: usize = 17;
/// Bit 1 is always set.
const FLAGS: u64 = 2;

/// Words of `struct kvm_sregs`, and where things stand in it.
const SREGS: usize = 39;
const SREGS_CS: usize = 0;
const SREGS_CR2: usize = 29;
const SREGS_CR3: usize = 30;
/// Those that are told.
const CONTROL: [(&str, usize); 5] =
    [("cr0", 28), ("cr2", SREGS_CR2), ("cr3", SREGS_CR3), ("cr4", 31), ("efer", 33)];

/// `struct kvm_userspace_memory_region`.
#[repr(C)]
struct Region {
    slot: u32,
    flags: u32,
    guest_phys_addr: u64,
    memory_size: u64,
    userspace_addr: u64,
}

struct Slot {
    id: u32,
    gpa: u64,
    pages: usize,
    written: usize,
    shared: bool,
}

fn main() -> Result<()> {
    let seconds: u64 = match std::env::args().nth(1) {
        None => 600,
        Some(word) => word.parse().with_context(|| format!("vmrun [SECONDS]: '{word}' is no number"))?,
    };
    let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm").context("cannot open /dev/kvm")?;
    let version = call(&kvm, KVM_GET_API_VERSION, 0).context("asking KVM for its version")?;
    if version != 12 {
        bail!("this KVM speaks version {version}, not 12");
    }
    let vm = made(&kvm, KVM_CREATE_VM, 0).context("making a virtual machine")?;
    // Intel's processors want a place for a task state; others ignore it.
    call(&vm, KVM_SET_TSS_ADDR, 0xfffb_d000).context("placing the task state")?;
    // With interrupt controllers of the kernel's own a halted CPU waits in the kernel.
    call(&vm, KVM_CREATE_IRQCHIP, 0).context("making interrupt controllers")?;
    let low = LOW.add(&vm)?;
    HIGH.add(&vm)?;
    let cpus = (0..).zip(CODES).map(|(id, code)| Vcpu::new(&vm, id, code)).collect::<Result<Vec<_>>>()?;

    let mut text = format!("pid {:x}\n{}{}", std::process::id(), LOW.told(), HIGH.told());
    for cpu in &cpus {
        text += &cpu.told();
    }
    for cpu in cpus {
        thread::Builder::new().name(format!("vcpu {}", cpu.id)).spawn(move || {
            // No exit to us is expected; whatever comes is told, and the test finds the machine gone.
            let why = call(&cpu.fd, KVM_RUN, 0);
            eprintln!("vmrun: CPU {} has stopped: {why:?}", cpu.id);
            std::process::exit(1);
        })?;
    }
    until_settled(&low)?;
    text += "ready\n";
    std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush())?;
    thread::sleep(Duration::from_secs(seconds));
    Ok(())
}

impl Slot {
    /// Gives the machine this memory, the pattern in it.
    fn add(&self, vm: &OwnedFd) -> Result<Memory> {
        let bytes = self.pages * PAGE;
        let flags = if self.shared { MapFlags::SHARED } else { MapFlags::PRIVATE };
        // SAFETY: a new mapping at an address of the kernel's choice touches nobody's memory.
        let at = unsafe { mmap_anonymous(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, flags) };
        let at = at.with_context(|| format!("mapping {bytes} bytes for a guest"))?;
        // What was not touched must not be there: no huge page brings it along.
        // SAFETY: the range is the mapping's. A kernel without huge pages refuses, and has none to bring.
        let _ = unsafe { madvise(at, bytes, Advice::LinuxNoHugepage) };
        let memory = Memory { at: at.cast(), bytes };
        for offset in (0..self.written * PAGE).step_by(8) {
            memory.put(offset, &((self.gpa + offset as u64) ^ PATTERN).to_ne_bytes());
        }
        if self.gpa == 0 {
            for (at, code, _) in CODES {
                memory.put(at as usize, code);
            }
            memory.put(SAYS, &[0; CODES.len()]);
        }
        let region = Region {
            slot: self.id,
            flags: 0,
            guest_phys_addr: self.gpa,
            memory_size: bytes as u64,
            userspace_addr: at as u64,
        };
        call(vm, KVM_SET_USER_MEMORY_REGION, &raw const region as u64)
            .with_context(|| format!("adding memory slot {}", self.id))?;
        Ok(memory)
    }

    fn told(&self) -> String {
        let mut text = format!("slot {:x} {:x} {:x}\n", self.id, self.gpa, self.pages);
        let code = CODE.checked_sub(self.gpa).map(|offset| offset as usize / PAGE);
        let mut runs = vec![(0, self.written)];
        if let Some(code) = code.filter(|page| *page < self.written) {
            runs = vec![(0, code), (code + 1, self.written - code - 1)];
        }
        for (first, pages) in runs {
            text += &format!("pattern {:x} {pages:x}\n", self.gpa + (first * PAGE) as u64);
        }
        text
    }
}

/// A guest's memory: mapped for as long as this process lives, and the guest writes it too.
struct Memory {
    at: *mut u8,
    bytes: usize,
}

impl Memory {
    /// Panics outside of the memory.
    fn put(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= self.bytes);
        // SAFETY: the range is mapped, and `bytes` is none of it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.at.add(offset), bytes.len()) }
    }

    fn byte(&self, offset: usize) -> u8 {
        assert!(offset < self.bytes);
        // SAFETY: it is mapped; the guest may write it at any moment, so it is read once.
        unsafe { self.at.add(offset).read_volatile() }
    }
}

struct Vcpu {
    id: u64,
    fd: OwnedFd,
    regs: [u64; REGS.len()],
    sregs: [u64; SREGS],
    stands: &'static str,
}

impl Vcpu {
    /// A CPU in real mode with registers of which each is like no other.
    fn new(vm: &OwnedFd, id: u64, (code, _, stands): (u64, &[u8], &'static str)) -> Result<Vcpu> {
        let fd = made(vm, KVM_CREATE_VCPU, id).with_context(|| format!("making CPU {id}"))?;
        let mut sregs = [0u64; SREGS];
        call(&fd, KVM_GET_SREGS, sregs.as_mut_ptr() as u64).context("asking for segments")?;
        // struct kvm_segment: base, then limit and selector in a word.
        sregs[SREGS_CS] = 0;
        sregs[SREGS_CS + 1] &= !0xffff_0000_0000;
        sregs[SREGS_CR2] = 0x2bad_c0de_0000 + id;
        sregs[SREGS_CR3] = 0x5000 + (id << 12);
        call(&fd, KVM_SET_SREGS, sregs.as_ptr() as u64).context("setting segments")?;
        let mut regs = [0u64; REGS.len()];
        for (place, word) in (0..).zip(&mut regs) {
            *word = 0x1bad_c0de_0000_0000 | id << 16 | place;
        }
        regs[RIP] = code;
        regs[RFLAGS] = FLAGS;
        call(&fd, KVM_SET_REGS, regs.as_ptr() as u64).context("setting registers")?;
        let state = KVM_MP_STATE_RUNNABLE;
        call(&fd, KVM_SET_MP_STATE, &raw const state as u64).context("making it run")?;
        let mut set = [0u64; REGS.len()];
        call(&fd, KVM_GET_REGS, set.as_mut_ptr() as u64).context("asking for registers")?;
        if set != regs {
            bail!("CPU {id} did not take its registers: {set:x?}, not {regs:x?}");
        }
        call(&fd, KVM_GET_SREGS, sregs.as_mut_ptr() as u64).context("asking for segments again")?;
        Ok(Vcpu { id, fd, regs, sregs, stands })
    }

    fn told(&self) -> String {
        let mut text = format!("vcpu {:x}", self.id);
        for (name, value) in REGS.iter().zip(self.regs) {
            match *name {
                "rip" => text += &format!(" rip {}", self.stands),
                _ => text += &format!(" {name} {value:x}"),
            }
        }
        for (name, place) in CONTROL {
            text += &format!(" {name} {:x}", self.sregs[place]);
        }
        text + "\n"
    }
}

/// Waits until CPU 0 is in its loop, and CPU 1 behind its first instruction and its thread asleep: it has halted.
fn until_settled(low: &Memory) -> Result<()> {
    for _ in 0..600 {
        thread::sleep(Duration::from_millis(100));
        if low.byte(SAYS) != 1 || low.byte(SAYS + 1) != 1 {
            continue;
        }
        for task in std::fs::read_dir("/proc/self/task").context("looking at my threads")? {
            let stat = std::fs::read_to_string(task?.path().join("stat")).context("looking at a thread")?;
            if stat.contains("(vcpu 1) S") {
                return Ok(());
            }
        }
    }
    bail!("the guest's CPUs are not where they should be within a minute")
}

/// An ioctl whose argument is a number or the address of something that lives until it returns.
fn call(fd: &impl AsRawFd, request: c_ulong, argument: u64) -> std::io::Result<c_int> {
    // SAFETY: every request above either takes a number or reads and writes just the struct that its number tells, which
    // the caller passes the address of.
    match unsafe { libc::ioctl(fd.as_raw_fd(), request, argument) } {
        -1 => Err(Error::last_os_error()),
        value => Ok(value),
    }
}

/// An ioctl that makes a file.
fn made(fd: &impl AsRawFd, request: c_ulong, argument: u64) -> std::io::Result<OwnedFd> {
    let made = call(fd, request, argument)?;
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(made) })
}
