//! The CPUs in a freeze, as bpf/stop.h and user space share them: who is expected, who came, who has left.

use std::mem::{offset_of, size_of};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lkd_dump::CpuState;
use lkd_dump::shot::cpu_flags::{LATE, MISSING};
use zerocopy::FromBytes;

use crate::ctl::CpuSlot;
use crate::error::Error;
use crate::sys::Mapping;

/// The map lkd_cpus: a slot for every CPU that may exist, by its number.
#[derive(Debug)]
pub struct Cpus {
    slots: Mapping,
    count: u32,
}

impl Cpus {
    /// Over the mapped map, of so many slots.
    pub fn new(slots: Mapping, count: u32) -> Cpus {
        Cpus { slots, count }
    }

    /// How many there may be.
    pub fn slots(&self) -> u32 {
        self.count
    }

    /// Sets whether a CPU must stop; says whether that is new.
    pub fn expect(&self, cpu: u32, expected: bool) -> bool {
        let word = self.word(cpu, offset_of!(CpuSlot, expected));
        word.is_some_and(|word| word.swap(u64::from(expected), Ordering::AcqRel) != u64::from(expected))
    }

    /// Whether a CPU must stop.
    pub fn expects(&self, cpu: u32) -> bool {
        let word = self.word(cpu, offset_of!(CpuSlot, expected));
        word.is_some_and(|word| word.load(Ordering::Acquire) == 1)
    }

    /// Counts that a CPU's thread was woken.
    pub fn woke(&self, cpu: u32) {
        if let Some(word) = self.word(cpu, offset_of!(CpuSlot, woken)) {
            word.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says which task a CPU idles in.
    pub fn idles(&self, cpu: u32, task: u64) {
        if let Some(word) = self.word(cpu, offset_of!(CpuSlot, idle)) {
            word.store(task, Ordering::Relaxed);
        }
    }

    /// A CPU's slot; `None` when there is none of this number.
    pub fn get(&self, cpu: u32) -> Option<CpuSlot> {
        let mut bytes = [0; size_of::<CpuSlot>()];
        let known = cpu < self.count && self.slots.read(cpu as usize * size_of::<CpuSlot>(), &mut bytes);
        if !known {
            return None;
        }
        CpuSlot::read_from_bytes(&bytes).ok()
    }

    /// All slots, by CPU.
    pub fn all(&self) -> impl Iterator<Item = (u32, CpuSlot)> + '_ {
        (0..self.count).filter_map(|cpu| Some((cpu, self.get(cpu)?)))
    }

    /// Waits until every CPU that came to this freeze has left it, and thus touches nothing of ours.
    ///
    /// # Errors
    /// One that does not come back in time: its host has taken it away.
    pub fn wait_left(&self, sequence: u64, most: Duration) -> Result<(), Error> {
        let until = Instant::now() + most;
        for cpu in 0..self.count {
            let come = self.word(cpu, offset_of!(CpuSlot, sequence));
            let left = self.word(cpu, offset_of!(CpuSlot, left));
            let (Some(come), Some(left)) = (come, left) else { continue };
            while come.load(Ordering::Acquire) == sequence && left.load(Ordering::Acquire) != sequence {
                if Instant::now() > until {
                    return Err(Error::Machine(format!("CPU {cpu} has stopped and not come back")));
                }
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        Ok(())
    }

    /// What each of the CPUs did in this freeze, with flags that say who was late or missing; `None`: in none, all are.
    pub fn states(&self, sequence: Option<u64>, stopped_ns: u64) -> Vec<CpuState> {
        self.all()
            .filter(|(_, slot)| slot.expected == 1 || Some(slot.sequence) == sequence)
            .map(|(cpu, slot)| {
                let mut state = slot.state;
                if Some(slot.sequence) != sequence {
                    state = CpuState { cpu, flags: MISSING, ..CpuState::default() };
                } else if state.arrived_ns > stopped_ns {
                    state.flags |= LATE;
                }
                state
            })
            .collect()
    }

    fn word(&self, cpu: u32, offset: usize) -> Option<&AtomicU64> {
        if cpu >= self.count {
            return None;
        }
        self.slots.word(cpu as usize * size_of::<CpuSlot>() + offset)
    }
}
