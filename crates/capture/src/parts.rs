//! What of the BPF object the kinds need that an arming may be asked for: programs beside those of every arming, room in maps.

use lkd_dump::Kind;

/// Lists the virtual machines that a freeze had no time for.
pub const LIST_GUESTS: &str = "lkd_guests";
/// Tells where a virtual machine of ours is.
pub const FIND_MACHINE: &str = "lkd_machine";
/// Lists the tasks that a freeze had no time for.
pub const LIST_MINI: &str = "lkd_mini";

/// The maps that take virtual machines, their slots and their CPUs.
const GUEST_TABLES: [&str; 3] = ["lkd_vms", "lkd_vm_slots", "lkd_vcpus"];
/// How many of each can be recorded.
pub const GUEST_ROOM: [u32; 3] = [256, 4096, 2048];

/// Whether kinds (bits of lkd()'s arguments) ask for virtual machines.
pub fn has_guests(kinds: u32) -> bool {
    kinds & Kind::KernelHypervisor.flags() != 0
}

/// The programs that these kinds need beside those of every arming.
pub fn programs(kinds: u32) -> Vec<&'static str> {
    let mut programs = Vec::new();
    if has_guests(kinds) {
        programs.extend([LIST_GUESTS, FIND_MACHINE]);
    }
    if kinds & Kind::Mini.flags() != 0 {
        programs.push(LIST_MINI);
    }
    programs
}

/// How many entries a map must have for these kinds; `None`: they do not say.
pub fn entries(map: &str, kinds: u32) -> Option<u32> {
    let place = GUEST_TABLES.iter().position(|name| *name == map)?;
    Some(if has_guests(kinds) { GUEST_ROOM.get(place).copied().unwrap_or(1) } else { 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_kind_asks_for_is_left_out() {
        assert!(programs(Kind::Kernel.flags()).is_empty());
        assert_eq!(programs(Kind::Mini.flags()), [LIST_MINI]);
        assert_eq!(programs(Kind::All.flags()), [LIST_GUESTS, FIND_MACHINE]);
        assert_eq!(entries("lkd_vms", 0), Some(1));
        assert_eq!(entries("lkd_vms", 3), Some(1));
        assert_eq!(entries("lkd_vm_slots", 4), Some(4096));
        assert_eq!(entries("lkd_vcpus", 5), Some(2048));
        assert_eq!(entries("lkd_kvm", 5), None);
    }
}
