//! What is copied before all else: the pages that say who was running. Classification may use up the time for which a thread may
//! be held; a run queue read after that names another task than the one at the probe, and debuggers believe it. And the stacks on
//! which interrupts are taken: a probe in one stands there, and its own stays as it is only until the thaw.

use lkd_kernel::symbols::Symbols;

use crate::ctl::{STACK_BYTES, get};
use crate::engine::Engine;
use crate::live::Live;

/// Places in the list for the current task's own pages, which the trigger adds.
pub const ROOM_FOR_TASK: u64 = 8;

/// Per-CPU variables that name a CPU's task: the run queue, and the word behind `current` (in `pcpu_hot` from Linux commit
/// e57ef2ed97c1, in v6.2, to 6.14); and the memory of its interrupts' stack.
const VARIABLES: [&str; 4] = ["runqueues", "current_task", "pcpu_hot", "irq_stack_backing_store"];

/// The page frames of every CPU's run queue, current task pointer and interrupt stack, ascending, each once. A kernel that does not
/// name them (no KALLSYMS_ALL), or keeps them outside the direct map, has fewer or none: then their pages come in their turn.
pub fn pages(live: &Live, survey: &Engine, symbols: &Symbols) -> Vec<u64> {
    let Some(offsets) = symbols.by_name("__per_cpu_offset").map(|symbol| symbol.addr) else {
        return Vec::new();
    };
    let (Ok(mut peeker), Ok(ctl)) = (survey.peeker(), survey.ctl()) else { return Vec::new() };
    let run_queue = get(&ctl.run_queue).clamp(8, 64 << 10);
    let mut frames = Vec::new();
    for cpu in &live.cpus {
        let Ok(Some(offset)) = peeker.word(offsets.wrapping_add(u64::from(*cpu) * 8)) else { continue };
        for (name, len) in VARIABLES.into_iter().zip([run_queue, 8, 64, STACK_BYTES as u64]) {
            let Some(variable) = symbols.by_name(name) else { continue };
            frames.extend(frames_of(live, offset.wrapping_add(variable.addr), len));
        }
    }
    frames.sort_unstable();
    frames.dedup();
    frames
}

/// The page frames under `len` bytes of the direct map; none for other addresses.
fn frames_of(live: &Live, vaddr: u64, len: u64) -> std::ops::Range<u64> {
    match vaddr.checked_sub(live.page_offset) {
        Some(at) if at.saturating_add(len) <= live.ram.end() << 12 => at >> 12..((at + len - 1) >> 12) + 1,
        _ => 0..0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lie_in_the_direct_map() {
        let mut live = Live {
            ram: crate::ram::Ram::default(),
            page_offset: 0xffff_8880_0000_0000,
            vmemmap: 0,
            vmcoreinfo: Vec::new(),
            phys_base: 0,
            cpus: Vec::new(),
            cpu_slots: 0,
            utsname: lkd_dump::Utsname::default(),
        };
        live.ram.pages.insert_run(lkd_dump::Pfn(0), 16);
        assert_eq!(frames_of(&live, 0xffff_8880_0000_0ff8, 8), 0..1);
        assert_eq!(frames_of(&live, 0xffff_8880_0000_0ff8, 9), 0..2);
        assert_eq!(frames_of(&live, 0xffff_8880_0001_0000, 1), 0..0);
        assert_eq!(frames_of(&live, 0xffff_c900_0000_0000, 8), 0..0);
        assert_eq!(frames_of(&live, 0x1000, 8), 0..0);
    }
}
