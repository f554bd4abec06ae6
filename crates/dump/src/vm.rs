//! The virtual machines that a host ran: the note that says where their memory and their CPUs are.
//!
//! The note (name "LKD", type [`VMS`]) is a header and three tables, one after the other: machines, memory slots, CPUs. All is
//! `repr(C)`, little endian, without padding; the records are those of `bpf/vm.h`, and the assertions below hold every offset.
//! Counts in the header say how many records each table has; the note ends with the last one.
//!
//! | offset | type | header's field | |
//! |---|---|---|---|
//! | 0 | u32 | version | 1 |
//! | 4 | u32 | flags | bits of [`flags`] |
//! | 8 | u32 | vms | records of 56 bytes: [`Vm`] |
//! | 12 | u32 | slots | records of 56 bytes: [`VmSlot`] |
//! | 16 | u32 | vcpus | records of 304 bytes: [`Vcpu`] |
//! | 20 | u32 | reserved | 0 |
//! | 24 | u64\[3\] | more | machines, slots and CPUs that were met and have no record |
//! | 48 | u64 | torn | links of KVM's lists that led nowhere: there may be more than was met |
//!
//! A page of a guest: the slot whose `gpa` and `pages` hold its guest-physical address gives an address of the process (`hva`),
//! which that process' page tables (from `pgd`, all in the dump) translate to a page of the host.

use std::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::note::{LKD, Note, Notes, VMS};

/// Bits of [`Machines::flags`].
pub mod flags {
    /// Recorded after the freeze, by a machine that ran again.
    pub const LATE: u32 = 1;
    /// Pages of some slots were found after the freeze.
    pub const PAGES_LATE: u32 = 2;
    /// The list of pages had no room for all.
    pub const PAGES_MISSING: u32 = 4;
}

/// A virtual machine (56 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Vm {
    /// Address of its `struct kvm`.
    pub kvm: u64,
    /// Address of the `mm_struct` of the process whose memory it is.
    pub mm: u64,
    /// Address of that process' top page table.
    pub pgd: u64,
    /// The thread that made the machine.
    pub pid: u32,
    /// Address spaces: more than one where the processor has a system management mode of its own.
    pub spaces: u32,
    /// Its first record in the table of slots.
    pub first_slot: u32,
    /// How many follow from there on.
    pub slots: u32,
    /// Its first record in the table of CPUs.
    pub first_vcpu: u32,
    /// How many follow from there on.
    pub vcpus: u32,
    /// 0.
    pub reserved: u64,
}

/// A slot of a guest's memory (56 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct VmSlot {
    /// Address of its `struct kvm_memory_slot`.
    pub slot: u64,
    /// Guest-physical address of its first byte.
    pub gpa: u64,
    /// Its length. Not all pages need be there.
    pub pages: u64,
    /// Where the process has its first byte.
    pub hva: u64,
    /// As given to KVM_SET_USER_MEMORY_REGION.
    pub flags: u32,
    /// As given to KVM_SET_USER_MEMORY_REGION; KVM's own slots have the highest.
    pub id: i16,
    /// The address space that it is in.
    pub space: u16,
    /// Its machine's place in the table.
    pub vm: u32,
    /// One more than the place of the slot, of another address space, that shows the same memory; 0: none before this one.
    pub same: u32,
    /// Pages of it that are in the dump because of it: those that stand in no slot before.
    pub listed: u64,
}

/// A guest's CPU (304 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Vcpu {
    /// Address of its `struct kvm_vcpu`.
    pub vcpu: u64,
    /// Address of the control block that AMD's processors keep a guest's registers in; 0: not known.
    pub block: u64,
    /// Its machine's place in the table.
    pub vm: u32,
    /// Its number in its machine.
    pub id: u32,
    /// The host's CPU that it runs on or ran last; -1: none has it loaded.
    pub cpu: i32,
    /// 1: it was in the guest when it was looked at, and `words` are those of its last exit. In a freeze it never is.
    pub mode: u32,
    /// KVM_MP_STATE_*: 0 runs, 3 has halted.
    pub mp_state: u32,
    /// Bits: 1 `words` come from `block` where that has them; 2 the registers are encrypted.
    pub flags: u32,
    /// Bit i: word i is known.
    pub valid: u64,
    /// Registers, named by [`VCPU_WORDS`].
    pub words: [u64; 32],
}

/// What each word of [`Vcpu::words`] is. `cs` is selector, attributes << 16 and limit << 32.
pub const VCPU_WORDS: [&str; 32] = [
    "rax",
    "rcx",
    "rdx",
    "rbx",
    "rsp",
    "rbp",
    "rsi",
    "rdi",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "r13",
    "r14",
    "r15",
    "rip",
    "rflags",
    "cr0",
    "cr2",
    "cr3",
    "cr4",
    "efer",
    "cs_base",
    "cs",
    "fs_base",
    "gs_base",
    "gdt_base",
    "idt_base",
    "tr_base",
    "kernel_gs_base",
    "lstar",
];

#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct Header {
    version: u32,
    flags: u32,
    vms: u32,
    slots: u32,
    vcpus: u32,
    reserved: u32,
    more: [u64; 3],
    torn: u64,
}

const VERSION: u32 = 1;

const _: () = {
    assert!(size_of::<Header>() == 56 && offset_of!(Header, more) == 24);
    assert!(size_of::<Vm>() == 56 && offset_of!(Vm, pid) == 24 && offset_of!(Vm, first_vcpu) == 40);
    assert!(size_of::<VmSlot>() == 56 && offset_of!(VmSlot, hva) == 24 && offset_of!(VmSlot, id) == 36);
    assert!(offset_of!(VmSlot, space) == 38 && offset_of!(VmSlot, same) == 44);
    assert!(size_of::<Vcpu>() == 304 && offset_of!(Vcpu, cpu) == 24 && offset_of!(Vcpu, valid) == 40);
    assert!(offset_of!(Vcpu, words) == 48);
};

/// All virtual machines of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// Bits of [`flags`].
    pub flags: u32,
    /// Machines, slots and CPUs that were met and have no record.
    pub more: [u64; 3],
    /// Links that led nowhere.
    pub torn: u64,
    /// Machines; their slots and CPUs are runs of the other tables.
    pub vms: Vec<Vm>,
    /// Slots of all machines.
    pub slots: Vec<VmSlot>,
    /// CPUs of all machines.
    pub vcpus: Vec<Vcpu>,
}

/// A note of machines that cannot be one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMachines {
    /// A version that this code does not know.
    #[error("the note of virtual machines has version {0}, not {VERSION}")]
    Version(u32),
    /// The tables are longer or shorter than the note.
    #[error("the note of virtual machines has {have} bytes, its tables want {wanted}")]
    Length {
        /// Bytes that there are.
        have: usize,
        /// Bytes that the header speaks of.
        wanted: u64,
    },
    /// A record speaks of one that is not there.
    #[error("{what} {place} in the note of virtual machines speaks of records that are not there")]
    Reference {
        /// The table it stands in.
        what: &'static str,
        /// Its place there.
        place: usize,
    },
}

impl Machines {
    /// The note's description.
    pub fn encode(&self) -> Vec<u8> {
        let header = Header {
            version: VERSION,
            flags: self.flags,
            vms: self.vms.len() as u32,
            slots: self.slots.len() as u32,
            vcpus: self.vcpus.len() as u32,
            reserved: 0,
            more: self.more,
            torn: self.torn,
        };
        let tables = [self.vms.as_bytes(), self.slots.as_bytes(), self.vcpus.as_bytes()];
        [header.as_bytes()].into_iter().chain(tables).flatten().copied().collect()
    }

    /// Reads a note's description. Every record that another one names is there.
    pub fn parse(desc: &[u8]) -> Result<Machines, BadMachines> {
        let short = BadMachines::Length { have: desc.len(), wanted: size_of::<Header>() as u64 };
        let (header, rest) = Header::read_from_prefix(desc).map_err(|_| short)?;
        if header.version != VERSION {
            return Err(BadMachines::Version(header.version));
        }
        let bytes = |count: u32, of: usize| u64::from(count) * of as u64;
        let (vms, slots) = (bytes(header.vms, size_of::<Vm>()), bytes(header.slots, size_of::<VmSlot>()));
        let vcpus = bytes(header.vcpus, size_of::<Vcpu>());
        let wanted = vms + slots + vcpus;
        if wanted != rest.len() as u64 {
            let wanted = wanted + size_of::<Header>() as u64;
            return Err(BadMachines::Length { have: desc.len(), wanted });
        }
        let (vms, rest) = rest.split_at_checked(vms as usize).unwrap_or_default();
        let (slots, vcpus) = rest.split_at_checked(slots as usize).unwrap_or_default();
        let machines = Machines {
            flags: header.flags,
            more: header.more,
            torn: header.torn,
            vms: table(vms),
            slots: table(slots),
            vcpus: table(vcpus),
        };
        machines.check()?;
        Ok(machines)
    }

    fn check(&self) -> Result<(), BadMachines> {
        let bad = |what, place| BadMachines::Reference { what, place };
        for (place, vm) in self.vms.iter().enumerate() {
            let end = |first: u32, count: u32| u64::from(first) + u64::from(count);
            if end(vm.first_slot, vm.slots) > self.slots.len() as u64
                || end(vm.first_vcpu, vm.vcpus) > self.vcpus.len() as u64
            {
                return Err(bad("machine", place));
            }
        }
        for (place, slot) in self.slots.iter().enumerate() {
            if slot.vm as usize >= self.vms.len() || slot.same as usize > place {
                return Err(bad("slot", place));
            }
        }
        match self.vcpus.iter().position(|vcpu| vcpu.vm as usize >= self.vms.len()) {
            Some(place) => Err(bad("CPU", place)),
            None => Ok(()),
        }
    }

    /// Memory slots of a machine.
    pub fn slots_of(&self, vm: &Vm) -> &[VmSlot] {
        let first = vm.first_slot as usize;
        self.slots.get(first..first.saturating_add(vm.slots as usize)).unwrap_or_default()
    }

    /// CPUs of a machine.
    pub fn vcpus_of(&self, vm: &Vm) -> &[Vcpu] {
        let first = vm.first_vcpu as usize;
        self.vcpus.get(first..first.saturating_add(vm.vcpus as usize)).unwrap_or_default()
    }

    /// Pages that are in the dump because a slot has them.
    pub fn pages(&self) -> u64 {
        self.slots.iter().fold(0, |pages, slot| pages.saturating_add(slot.listed))
    }
}

/// Records that follow each other without a gap.
fn table<T: FromBytes>(bytes: &[u8]) -> Vec<T> {
    bytes.chunks_exact(size_of::<T>()).filter_map(|one| T::read_from_bytes(one).ok()).collect()
}

impl Vcpu {
    /// A register by its name in [`VCPU_WORDS`], if it is known.
    pub fn word(&self, name: &str) -> Option<u64> {
        let place = VCPU_WORDS.iter().position(|word| *word == name)?;
        (self.valid >> place & 1 == 1).then(|| self.words.get(place).copied()).flatten()
    }
}

impl Notes {
    /// Appends the virtual machines.
    pub fn machines(&mut self, machines: &Machines) {
        self.push(LKD, VMS, &machines.encode());
    }
}

impl Note<'_> {
    /// The virtual machines, if this is their note.
    pub fn as_machines(&self) -> Option<Result<Machines, BadMachines>> {
        self.is(LKD, VMS).then(|| Machines::parse(self.desc))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::note::parse;

    fn two() -> Machines {
        let vm =
            |first: u32| Vm { kvm: 7, first_slot: first, slots: 1, first_vcpu: 0, vcpus: 1, ..Vm::default() };
        let slot =
            |vm: u32, same: u32| VmSlot { gpa: 1 << 32, id: -3, vm, same, listed: 5, ..VmSlot::default() };
        let mut vcpu = Vcpu { id: 1, cpu: -1, valid: 1 << 16, ..Vcpu::default() };
        vcpu.words[16] = 0x7000;
        Machines {
            flags: flags::PAGES_LATE,
            more: [0, 1, 2],
            torn: 3,
            vms: vec![vm(0), vm(1)],
            slots: vec![slot(0, 0), slot(1, 1)],
            vcpus: vec![vcpu],
        }
    }

    #[test]
    fn machines_come_back_from_their_note() {
        let mut notes = Notes::new();
        notes.machines(&two());
        let read: Vec<_> = parse(notes.bytes()).map(|note| note.unwrap().as_machines()).collect();
        assert_eq!(read, [Some(Ok(two()))]);
        let machines = two();
        assert_eq!(machines.pages(), 10);
        assert_eq!(machines.slots_of(&machines.vms[1]), &machines.slots[1..]);
        assert_eq!(machines.vcpus_of(&machines.vms[1])[0].word("rip"), Some(0x7000));
        assert_eq!(machines.vcpus[0].word("rax"), None);
        assert_eq!(machines.vcpus[0].word("r16"), None);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let told = |change: fn(&mut Machines)| {
            let mut machines = two();
            change(&mut machines);
            Machines::parse(&machines.encode()).err().map(|error| error.to_string())
        };
        let bad = |what: &str| {
            Some(format!("{what} in the note of virtual machines speaks of records that are not there"))
        };
        assert_eq!(told(|machines| machines.vms[1].slots = 2), bad("machine 1"));
        assert_eq!(told(|machines| machines.vms[0].first_vcpu = u32::MAX), bad("machine 0"));
        assert_eq!(told(|machines| machines.slots[1].vm = 2), bad("slot 1"));
        assert_eq!(told(|machines| machines.slots[0].same = 1), bad("slot 0"));
        assert_eq!(told(|machines| machines.vcpus[0].vm = 2), bad("CPU 0"));
        let mut bytes = two().encode();
        bytes.push(0);
        assert_eq!(Machines::parse(&bytes), Err(BadMachines::Length { have: 585, wanted: 584 }));
        bytes[0] = 2;
        assert_eq!(Machines::parse(&bytes), Err(BadMachines::Version(2)));
        assert_eq!(Machines::parse(&[1, 0]), Err(BadMachines::Length { have: 2, wanted: 56 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
            let _ = Machines::parse(&bytes);
        }

        /// A whole note with some bytes turned: what is still accepted names no record that is not there.
        #[test]
        fn what_is_accepted_holds_together(turned in prop::collection::vec((0usize..584, any::<u8>()), 0..6)) {
            let mut bytes = two().encode();
            for (at, byte) in turned {
                bytes[at] = byte;
            }
            if let Ok(machines) = Machines::parse(&bytes) {
                for vm in &machines.vms {
                    prop_assert_eq!(machines.slots_of(vm).len(), vm.slots as usize);
                    prop_assert_eq!(machines.vcpus_of(vm).len(), vm.vcpus as usize);
                }
                prop_assert_eq!(machines.encode().len(), bytes.len());
            }
        }
    }
}
