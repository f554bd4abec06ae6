//! The evidence that somebody was in the middle of a change: a lock that is held, an address on a stack or in a register.

use std::collections::HashSet;

use super::tasks::Census;
use super::{Lacking, View};

/// Bytes of a task's stack on x86-64 (without KASAN), and of a CPU's for interrupts.
const STACK: u64 = 16384;

impl View<'_> {
    /// Whether somebody held the lock of this address for writing: the lowest byte of a queued rwlock is 0xff then.
    pub fn write_locked(&self, rwlock: u64) -> bool {
        self.half(rwlock).is_some_and(|word| word & 0xff == 0xff)
    }

    /// Whether somebody held the spinlock of this address: the lowest byte of a queued spinlock is its holder's.
    pub fn spin_locked(&self, lock: u64) -> bool {
        self.half(lock).is_some_and(|word| word & 0xff != 0)
    }

    /// Which of `wanted` somebody has in hand. They stand in a CPU's registers, as far as these are known, or on a stack: of a
    /// task, as far up as it is in use, of the tasks that CPUs run (those that end are on no list any more, those that idle never
    /// were), or of a CPU's interrupts.
    pub fn in_hand(&self, census: &Census, wanted: &HashSet<u64>) -> Result<HashSet<u64>, Lacking> {
        let mut found: HashSet<u64> =
            self.bases.registers.iter().copied().filter(|word| wanted.contains(word)).collect();
        if found.len() == wanted.len() {
            return Ok(found);
        }
        let stack_at = self.member("task_struct", "stack")?;
        let sp_at = self.member("task_struct", "thread.sp")?;
        let on_cpu_at = self.member("task_struct", "on_cpu")?;
        let mut tasks: HashSet<u64> = census.tasks.iter().map(|task| task.vaddr).collect();
        tasks.insert(self.bases.init_task);
        for base in &self.bases.per_cpu {
            let Some(queue) = self.bases.run_queues.map(|queues| queues.wrapping_add(*base)) else {
                continue;
            };
            for member in ["curr", "idle"] {
                let at = self.member("rq", member)?;
                tasks.extend(self.word(queue.wrapping_add(at)));
            }
        }
        let mut look = |from: u64, bytes: u64| {
            let mut stack = vec![0; bytes as usize];
            if self.image.read(from, &mut stack) {
                let words = stack.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
                found.extend(words.filter(|word| wanted.contains(word)));
            }
        };
        for task in tasks {
            let Some(stack) = self.word(task.wrapping_add(stack_at)) else { continue };
            let sp = self.word(task.wrapping_add(sp_at)).unwrap_or(0);
            let running = self.half(task.wrapping_add(on_cpu_at)) != Some(0);
            // Below the stack pointer of a task that does not run lies nothing but the past.
            let used = if running { 0 } else { sp.wrapping_sub(stack) / 8 * 8 };
            let used = if used < STACK { used } else { 0 };
            look(stack.wrapping_add(used), STACK - used);
        }
        for base in &self.bases.per_cpu {
            if let Some(stacks) = self.bases.irq_stacks {
                look(stacks.wrapping_add(*base), STACK);
            }
        }
        Ok(found)
    }
}
