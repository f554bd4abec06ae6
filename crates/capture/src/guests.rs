//! The virtual machines that KVM runs: where the kernel has them, told to the engine (bpf/guests.h); what it found, for the dump.
//!
//! The engine walks KVM's own list of machines. What stands where in a machine, a slot, a CPU says BTF: the kernel's, or that of
//! KVM's modules. Where the list is the symbols say. A kernel that names no variables does not, and then a machine of our own tells:
//! KVM puts a new one at the list's front, so what is before it is the list itself.

use std::fs;
use std::mem::{offset_of, size_of};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lkd_dump::{Kind, Machines, Vcpu, Vm, VmSlot, vm};
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

use crate::ctl::get;
use crate::doctor;
use crate::engine::Engine;
use crate::error::{Error, plain};
use crate::parts::{FIND_MACHINE, GUEST_ROOM, has_guests};
use crate::pass::TRIES;
use crate::sys::{Mapping, empty_machine};

const CONTROL: &str = "lkd_kvm";
/// A field that this kernel does not have.
const NOWHERE: u64 = u64::MAX;

/// All maps of this file.
pub const MAPS: [&str; 4] = [CONTROL, "lkd_vms", "lkd_vm_slots", "lkd_vcpus"];

/// The settings in `struct lkd_kvm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Settings {
    list: u64,
    room: [u64; 3],
    kvm_list: u64,
    kvm_mm: u64,
    kvm_pid: u64,
    kvm_sets: u64,
    kvm_vcpus: u64,
    kvm_online: u64,
    spaces: u64,
    set_hash: u64,
    set_link: u64,
    buckets: u64,
    slot_links: u64,
    slot_gfn: u64,
    slot_pages: u64,
    slot_hva: u64,
    slot_flags: u64,
    slot_id: u64,
    slot_space: u64,
    node_shift: u64,
    node_slots: u64,
    node_mask: u64,
    vcpu_cpu: u64,
    vcpu_id: u64,
    vcpu_mode: u64,
    vcpu_mp_state: u64,
    vcpu_regs: u64,
    vcpu_available: u64,
    vcpu_protected: u64,
    vcpu_cr0: u64,
    vcpu_cr2: u64,
    vcpu_cr3: u64,
    vcpu_cr4: u64,
    vcpu_efer: u64,
    bit_cr0: u64,
    bit_cr3: u64,
    bit_cr4: u64,
    svm_block: u64,
    svm_base_block: u64,
}

/// What a walk has left in `struct lkd_kvm`, behind the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct State {
    met: [u64; 3],
    torn: u64,
    recorded: u64,
    walked: u64,
    resume: u64,
    status: u64,
}

/// The whole of it, with the words that only the engine uses.
const CONTROL_BYTES: usize = size_of::<Settings>() + size_of::<State>() + 9 * 8;

const _: () = {
    assert!(size_of::<Settings>() == 41 * 8);
    assert!(offset_of!(Settings, spaces) == 10 * 8);
    assert!(offset_of!(Settings, vcpu_cpu) == 24 * 8);
    assert!(offset_of!(Settings, svm_block) == 39 * 8);
    assert!(size_of::<State>() == 8 * 8);
    assert!(CONTROL_BYTES == 464);
};

/// Tells the engine where KVM's machines are. Gives why it cannot know.
pub fn settle(engine: &Engine, symbols: Option<&Symbols>) -> Result<Option<String>, Error> {
    if !has_guests(engine.sizes.kinds) {
        return Ok(None);
    }
    let (settings, why) = match find(engine, symbols) {
        Ok(settings) => (settings, None),
        Err(why) => (Settings::new_zeroed(), Some(why)),
    };
    let control = engine.map_memory(CONTROL, CONTROL_BYTES)?;
    if control.write(0, settings.as_bytes()) { Ok(why) } else { Err(short()) }
}

/// Forgets what a walk has found.
pub fn reset(engine: &Engine) -> Result<(), Error> {
    let control = engine.map_memory(CONTROL, CONTROL_BYTES)?;
    if control.write(size_of::<Settings>(), State::default().as_bytes()) { Ok(()) } else { Err(short()) }
}

fn short() -> Error {
    Error::Machine("a map of virtual machines is shorter than it was made".into())
}

/// Where KVM has what, or why that is not known.
fn find(engine: &Engine, symbols: Option<&Symbols>) -> Result<Settings, String> {
    if fs::metadata("/sys/module/kvm").is_err() {
        return Err("KVM is not loaded".into());
    }
    let read = |name: &str| fs::read(format!("/sys/kernel/btf/{name}")).ok();
    let kernel = read("vmlinux").and_then(|bytes| Btf::parse(bytes).ok()).ok_or("the kernel has no BTF")?;
    let kernel = Arc::new(kernel);
    let module = |name: &str| match read(name).map(|bytes| Btf::parse_split(bytes, Arc::clone(&kernel))) {
        Some(Ok(module)) => Arc::new(module),
        // Built in, its types are the kernel's.
        _ => Arc::clone(&kernel),
    };
    let svm = doctor::processor_has("svm").then(|| module("kvm_amd"));
    let settings = layout(&module("kvm"), svm.as_deref())?;
    let named = symbols.and_then(named);
    let list = named.map_or_else(|| in_front(engine, &settings), Ok)?;
    Ok(Settings { list, ..settings })
}

/// Where the kernel says that its list of machines is.
fn named(symbols: &Symbols) -> Option<u64> {
    let mut lists = symbols.named("vm_list").filter(|symbol| ["kvm", "vmlinux"].contains(&symbol.module));
    // Two would be of different parts of the kernel, and which is KVM's is not told.
    lists.next().filter(|_| lists.next().is_none()).map(|symbol| symbol.addr)
}

/// What is in front of a new machine. Somebody else's may have come since; in front of two in turn is the list alone.
fn in_front(engine: &Engine, settings: &Settings) -> Result<u64, String> {
    let unknown =
        |why: &dyn std::fmt::Display| format!("the kernel does not name KVM's list of machines, and {why}");
    let mut peeker = engine.peeker().map_err(|why| unknown(&why))?;
    let ctl = engine.ctl().map_err(|why| unknown(&why))?;
    let mut before = 0;
    for _ in 0..MACHINES {
        let machine =
            empty_machine().map_err(|why| unknown(&format!("/dev/kvm makes no machine: {}", plain(&why))))?;
        ctl.pipe_fd.store(machine.as_raw_fd().into(), Ordering::Relaxed);
        let ran = engine.run(FIND_MACHINE);
        ctl.pipe_fd.store(-1, Ordering::Relaxed);
        ran.map_err(|why| unknown(&why))?;
        let link = get(&ctl.found_page).wrapping_add(settings.kvm_list);
        let mut word =
            |at: u64| peeker.word(at).ok().flatten().ok_or_else(|| unknown(&"a machine cannot be read"));
        let front = word(link.wrapping_add(8))?;
        if front == before && word(front)? == link {
            return Ok(front);
        }
        before = front;
    }
    Err(unknown(&"machines come too fast"))
}

/// Machines of our own that are made before that is given up.
const MACHINES: u32 = 16;

/// The settings of a kernel whose KVM has these types, but for the list.
fn layout(kvm: &Btf, svm: Option<&Btf>) -> Result<Settings, String> {
    let place = |btf: &Btf, of: &str, path: &str| btf.member_path(btf.find_struct(of)?, path);
    let offset = |of: &str, path: &str| {
        let found = place(kvm, of, path).map(|place| place.byte_offset());
        found.ok_or_else(|| format!("this KVM has no {path} in its struct {of}"))
    };
    let words = |of: &str, path: &str| {
        let bytes = place(kvm, of, path).and_then(|place| kvm.size_of(place.ty));
        bytes.map(|bytes| bytes / 8).ok_or_else(|| format!("this KVM has no {path} in its struct {of}"))
    };
    let bit = |name: &str| kvm.enumerator(name).map_or(NOWHERE, |found| found.value.as_u64());
    let block = |path: &str| {
        let found = svm.and_then(|btf| place(btf, "vcpu_svm", path));
        found.map_or(NOWHERE, |place| place.byte_offset())
    };
    Ok(Settings {
        list: 0,
        room: GUEST_ROOM.map(u64::from),
        kvm_list: offset("kvm", "vm_list")?,
        kvm_mm: offset("kvm", "mm")?,
        kvm_pid: offset("kvm", "userspace_pid")?,
        kvm_sets: offset("kvm", "memslots")?,
        kvm_vcpus: offset("kvm", "vcpu_array.xa_head")?,
        kvm_online: offset("kvm", "online_vcpus")?,
        spaces: words("kvm", "memslots")?,
        set_hash: offset("kvm_memslots", "id_hash")?,
        set_link: offset("kvm_memslots", "node_idx")?,
        buckets: words("kvm_memslots", "id_hash")?,
        slot_links: offset("kvm_memory_slot", "id_node")?,
        slot_gfn: offset("kvm_memory_slot", "base_gfn")?,
        slot_pages: offset("kvm_memory_slot", "npages")?,
        slot_hva: offset("kvm_memory_slot", "userspace_addr")?,
        slot_flags: offset("kvm_memory_slot", "flags")?,
        slot_id: offset("kvm_memory_slot", "id")?,
        slot_space: offset("kvm_memory_slot", "as_id")?,
        node_shift: offset("xa_node", "shift")?,
        node_slots: offset("xa_node", "slots")?,
        node_mask: words("xa_node", "slots")?.wrapping_sub(1),
        vcpu_cpu: offset("kvm_vcpu", "cpu")?,
        vcpu_id: offset("kvm_vcpu", "vcpu_id")?,
        vcpu_mode: offset("kvm_vcpu", "mode")?,
        vcpu_mp_state: offset("kvm_vcpu", "arch.mp_state")?,
        vcpu_regs: offset("kvm_vcpu", "arch.regs")?,
        vcpu_available: offset("kvm_vcpu", "arch.regs_avail")?,
        vcpu_protected: offset("kvm_vcpu", "arch.guest_state_protected").unwrap_or(NOWHERE),
        vcpu_cr0: offset("kvm_vcpu", "arch.cr0").unwrap_or(NOWHERE),
        vcpu_cr2: offset("kvm_vcpu", "arch.cr2").unwrap_or(NOWHERE),
        vcpu_cr3: offset("kvm_vcpu", "arch.cr3").unwrap_or(NOWHERE),
        vcpu_cr4: offset("kvm_vcpu", "arch.cr4").unwrap_or(NOWHERE),
        vcpu_efer: offset("kvm_vcpu", "arch.efer").unwrap_or(NOWHERE),
        bit_cr0: bit("VCPU_EXREG_CR0"),
        bit_cr3: bit("VCPU_EXREG_CR3"),
        bit_cr4: bit("VCPU_EXREG_CR4"),
        svm_block: block("vmcb"),
        svm_base_block: block("vmcb01.ptr"),
    })
}

/// What the engine has found, for the writer.
#[derive(Debug)]
pub struct Guests {
    control: Mapping,
    tables: [Mapping; 3],
    /// Why none were looked for.
    pub why: Option<String>,
}

impl Guests {
    /// Takes over the maps, which `map` gives by name and length.
    pub fn new(
        mut map: impl FnMut(&str, usize) -> Result<Mapping, Error>,
        why: Option<String>,
    ) -> Result<Guests, Error> {
        let control = map(CONTROL, CONTROL_BYTES)?;
        let settings = settings(&control)?;
        let [vms, slots, vcpus] = settings.room.map(|room| room.max(1) as usize);
        let tables = [
            map("lkd_vms", vms * size_of::<Vm>())?,
            map("lkd_vm_slots", slots * size_of::<VmSlot>())?,
            map("lkd_vcpus", vcpus * size_of::<Vcpu>())?,
        ];
        Ok(Guests { control, tables, why })
    }

    /// Lets `run` go on, longer the more often it got nowhere, until all machines and their pages are listed; tells what of it came late, as bits of [`vm::flags`].
    pub fn finish(&self, mut run: impl FnMut(u32) -> Result<(), Error>) -> Result<u32, Error> {
        use lkd_dump::shot::status;
        let mut late = 0;
        let mut before = self.state()?;
        if self.why.is_some() {
            return Ok(0);
        }
        let mut idle = 0;
        while idle < TRIES && (before.recorded == 0 || before.walked < self.recorded(&before)[1]) {
            if before.status & u64::from(status::BUFFER_SMALL) != 0 {
                return Ok(late | vm::flags::PAGES_MISSING);
            }
            late |= if before.recorded == 0 { vm::flags::LATE } else { vm::flags::PAGES_LATE };
            run(idle)?;
            let after = self.state()?;
            let stands = |state: &State| (state.recorded, state.walked, state.resume);
            idle = if stands(&after) == stands(&before) { idle + 1 } else { 0 };
            before = after;
        }
        Ok(late | if idle < TRIES { 0 } else { vm::flags::PAGES_MISSING })
    }

    fn state(&self) -> Result<State, Error> {
        let mut state = State::default();
        if self.control.read(size_of::<Settings>(), state.as_mut_bytes()) { Ok(state) } else { Err(short()) }
    }

    /// Records in each table.
    fn recorded(&self, state: &State) -> [u64; 3] {
        let room = settings(&self.control).map_or([0; 3], |settings| settings.room);
        std::array::from_fn(|place| {
            let of = |counts: &[u64; 3]| counts.get(place).copied().unwrap_or(0);
            of(&state.met).min(of(&room))
        })
    }

    /// What was found; `late`: what [`Guests::finish`] said.
    pub fn machines(&self, late: u32) -> Result<Machines, Error> {
        let state = self.state()?;
        let counts = self.recorded(&state);
        let [vms, slots, vcpus] = &self.tables;
        let [vm_count, slot_count, vcpu_count] = counts;
        let mut more = state.met;
        for (met, recorded) in more.iter_mut().zip(counts) {
            *met = met.saturating_sub(recorded);
        }
        let mut machines = Machines {
            flags: late,
            more,
            torn: state.torn,
            vms: records(vms, vm_count)?,
            slots: records(slots, slot_count)?,
            vcpus: records(vcpus, vcpu_count)?,
        };
        hold_together(&mut machines);
        Ok(machines)
    }
}

/// A machine whose slots or CPUs found no room, or whose turn did not come, speaks only of records that are there.
fn hold_together(machines: &mut Machines) {
    let within = |first: &mut u32, count: &mut u32, all: usize| {
        *first = (*first).min(all as u32);
        *count = (*count).min(all as u32 - *first);
    };
    for vm in &mut machines.vms {
        within(&mut vm.first_slot, &mut vm.slots, machines.slots.len());
        within(&mut vm.first_vcpu, &mut vm.vcpus, machines.vcpus.len());
    }
}

fn settings(control: &Mapping) -> Result<Settings, Error> {
    let mut settings = Settings::new_zeroed();
    if control.read(0, settings.as_mut_bytes()) { Ok(settings) } else { Err(short()) }
}

fn records<T: FromBytes + IntoBytes + FromZeros + Clone>(
    table: &Mapping,
    count: u64,
) -> Result<Vec<T>, Error> {
    let mut records = vec![T::new_zeroed(); count as usize];
    for (place, record) in records.iter_mut().enumerate() {
        if !table.read(place * size_of::<T>(), record.as_mut_bytes()) {
            return Err(short());
        }
    }
    Ok(records)
}

/// What a person should know of the machines that a dump of this kind has, or has not.
pub fn told(machines: &Machines, kind: Kind, why: Option<&str>) -> String {
    let rest = Kind::from_flags(u64::from(kind.flags() & !Kind::KernelHypervisor.flags()));
    let rest = rest.map_or(0, Kind::flags);
    if let Some(why) = why {
        return format!(
            "no virtual machine was looked for (when armed: {why}): the dump is as of kind {rest:#x}"
        );
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut odd = Vec::new();
    let [vms, slots, vcpus] = machines.more;
    if vms + slots + vcpus > 0 {
        odd.push(format!("{vms} more machines, {slots} memory slots and {vcpus} CPUs are not described"));
    }
    if machines.torn > 0 {
        odd.push("KVM's lists were being changed, so some may have been missed".into());
    }
    if machines.flags & vm::flags::LATE != 0 {
        odd.push("described after the thread went on".into());
    }
    if machines.flags & vm::flags::PAGES_MISSING != 0 {
        odd.push("not all pages of their memory found room".into());
    }
    let encrypted = machines.vcpus.iter().filter(|vcpu| vcpu.flags & 2 != 0).count();
    if encrypted > 0 {
        odd.push(format!("the registers of {} are encrypted", count(encrypted, "CPU")));
    }
    let odd: String = odd.iter().map(|what| format!("; {what}")).collect();
    if machines.vms.is_empty() {
        return format!("no virtual machine runs: the dump is as of kind {rest:#x}{odd}");
    }
    format!(
        "{} with {}: {} of memory in {}{odd}",
        count(machines.vms.len(), "virtual machine"),
        count(machines.vcpus.len(), "CPU"),
        count(machines.pages() as usize, "page"),
        count(machines.slots.len(), "slot"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_told_what_was_found_and_what_was_not() {
        let mut machines = Machines::default();
        assert_eq!(
            told(&machines, Kind::KernelHypervisor, None),
            "no virtual machine runs: the dump is as of kind 0x0"
        );
        assert_eq!(
            told(&machines, Kind::All, Some("KVM is not loaded")),
            "no virtual machine was looked for (when armed: KVM is not loaded): the dump is as of kind 0x1"
        );
        machines.vms = vec![Vm::default()];
        machines.slots = vec![VmSlot { listed: 7, ..VmSlot::default() }; 2];
        machines.vcpus = vec![Vcpu { flags: 2, ..Vcpu::default() }];
        machines.more = [0, 3, 0];
        machines.torn = 1;
        assert_eq!(
            told(&machines, Kind::All, None),
            "1 virtual machine with 1 CPU: 14 pages of memory in 2 slots; 0 more machines, 3 memory slots and 0 CPUs are not \
             described; KVM's lists were being changed, so some may have been missed; the registers of 1 CPU are encrypted"
        );
    }

    #[test]
    fn a_machine_without_records_names_none() {
        let vm = Vm { first_slot: 4096, slots: 0, first_vcpu: 0, vcpus: 3, ..Vm::default() };
        let mut machines = Machines { vms: vec![vm], vcpus: vec![Vcpu::default()], ..Machines::default() };
        assert!(Machines::parse(&machines.encode()).is_err());
        hold_together(&mut machines);
        assert_eq!(Machines::parse(&machines.encode()).as_ref(), Ok(&machines));
        assert_eq!((machines.vms[0].first_slot, machines.vms[0].vcpus), (0, 1));
    }

    #[test]
    fn a_kvm_of_another_shape_is_told() {
        let btf = Btf::parse(lkd_kernel::btf::build::Builder::new().finish());
        let why = btf.map_err(|error| error.to_string()).and_then(|btf| layout(&btf, None).map(|_| ()));
        assert_eq!(why, Err("this KVM has no vm_list in its struct kvm".into()));
    }
}
