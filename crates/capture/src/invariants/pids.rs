//! Tasks by their numbers: the table of pids of the first namespace against the list of tasks, both ways.
//!
//! A task gets its number's links in the same section of tasklist_lock that puts it on the lists, and loses them in the same
//! one, so neither side may have a task that the other has not. Legal oddities:
//!
//! - A number without any task. fork takes it (alloc_pid) long before it links the task, may sleep in between, and several
//!   forks may be at it; since 6.15 an exit gives it back (free_pids) after the lock. Its owner has it in hand.
//! - While pidmap_lock is held, the count of numbers and the table differ by the one that is being put in or taken out. Since
//!   6.15 it is held with interrupts on.

use std::collections::{HashMap, HashSet};

use super::tasks::{Census, excuse_writer};
use super::{Finding, Lacking, View};

/// The claim's name.
pub const PIDS: &str = "pids";

/// The kernel's own mark in the count of numbers: new ones may be added.
const ADDING: u32 = 1 << 31;
/// log2 of an xa_node's slots: 6, or 4 on kernels made small.
const SHIFTS: [u32; 2] = [6, 4];
/// Nodes that one table may have: 4 million numbers, the most that there can be, with one number in a node of 16.
const MOST_NODES: usize = 1 << 22;

/// Judges the table of numbers.
pub fn pids(view: &View<'_>, census: &Census) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(PIDS);
    let namespace = view.bases.init_pid_ns;
    let count_at = view.member("pid_namespace", "pid_allocated")?;
    let heads_at = view.member("pid", "tasks")?;
    let number_at = view.member("pid", "numbers")? + view.member("upid", "nr")?;
    let links_at = view.member("task_struct", "pid_links")?;
    let table = table(view, &mut finding)?;
    let by_task: HashMap<u64, u32> = census.tasks.iter().map(|task| (task.vaddr, task.pid)).collect();
    let mut numbered = HashSet::new();
    let mut empty = Vec::new();
    for (number, pid) in &table {
        finding.looked += 1;
        let own = view.half(pid.wrapping_add(number_at));
        if own.map(u64::from) != Some(*number) {
            finding.violation(format!("the table's number {number} is {own:?} in {pid:#x}"));
            continue;
        }
        // PIDTYPE_PID, TGID, PGID, SID
        let heads: Vec<u64> =
            (0..4).filter_map(|kind| view.word(pid.wrapping_add(heads_at + kind * 8))).collect();
        let first = heads.first().copied().unwrap_or(0);
        if first == 0 {
            // A group or session outlives its leader's number.
            if heads.iter().all(|head| *head == 0) {
                empty.push((*number, *pid));
            }
            continue;
        }
        let task = first.wrapping_sub(links_at);
        numbered.insert(task);
        if by_task.get(&task).is_none_or(|pid| u64::from(*pid) != *number) {
            finding.violation(format!("number {number} names task {task:#x}, which is not linked as that"));
        }
        if view.word(first) != Some(0) || view.word(first.wrapping_add(8)) != pid.checked_add(heads_at) {
            finding.violation(format!("number {number}'s link to its only task {task:#x} is not mutual"));
        }
    }
    let known: HashSet<u64> = table.iter().map(|(_, pid)| *pid).collect();
    for task in &census.tasks {
        finding.looked += 1;
        if !known.contains(&task.number) || !numbered.contains(&task.vaddr) {
            finding.violation(format!("task {} ({:#x}) is linked, the table lacks it", task.pid, task.vaddr));
        }
    }
    excuse_writer(view, &mut finding);

    let wanted: HashSet<u64> = empty.iter().map(|(_, pid)| *pid).collect();
    let in_hand = view.in_hand(census, &wanted)?;
    // Whoever takes a number's last task away gives it back before the lock: one, between the two.
    let mut taken_away = view.write_locked(view.bases.tasklist_lock);
    for (number, pid) in empty {
        if in_hand.contains(&pid) {
            finding.excuse(format!("number {number} has no task, and {pid:#x} is in somebody's hand"));
        } else if std::mem::take(&mut taken_away) {
            finding.excuse(format!("number {number} has no task, and tasklist_lock is held for writing"));
        } else {
            finding.violation(format!("number {number} ({pid:#x}) has no task, and nobody has it in hand"));
        }
    }
    let kept = view.half(namespace.wrapping_add(count_at)).map(|count| u64::from(count & !ADDING));
    finding.looked += 1;
    let have = table.len() as u64;
    match kept {
        None => finding.unread("the count of numbers", namespace),
        Some(kept) if kept.abs_diff(have) == 1 && view.spin_locked(view.bases.pidmap_lock) => {
            finding.excuse(format!("{kept} numbers are counted, the table has {have}; pidmap_lock is held"));
        }
        Some(kept) if kept != have => {
            finding.violation(format!("{kept} numbers are counted, the table has {have}"));
        }
        Some(_) => {}
    }
    Ok(finding)
}

/// The table's entries: number and `struct pid`. A number that is only reserved (its entry is NULL) is none.
fn table(view: &View<'_>, finding: &mut Finding) -> Result<Vec<(u64, u64)>, Lacking> {
    let root = view.bases.init_pid_ns.wrapping_add(view.member("pid_namespace", "idr")?);
    let head_at = view.member("idr", "idr_rt")? + view.member("xarray", "xa_head")?;
    let base_at = view.member("idr", "idr_base")?;
    let shift_at = view.member("xa_node", "shift")?;
    let parent_at = view.member("xa_node", "parent")?;
    let slots_at = view.member("xa_node", "slots")?;
    let bytes = view.size("xa_node")?.saturating_sub(slots_at);
    let step = SHIFTS.into_iter().find(|shift| bytes >= 8 << shift);
    let step = step.ok_or_else(|| Lacking("slots in struct xa_node".into()))?;
    let base = view.half(root.wrapping_add(base_at)).unwrap_or(0);
    let mut entries = Vec::new();
    let Some(head) = view.word(root.wrapping_add(head_at)) else {
        finding.unread("the table of pids", root);
        return Ok(entries);
    };
    // An internal entry (bits 10) is a node; a plain one at the head has index 0. A node's shift is a step below its parent's.
    let mut nodes = vec![(head, 0u64, 0u64, None)];
    let mut met = 0;
    while let Some((entry, index, parent, wanted)) = nodes.pop() {
        if entry & 3 != 2 {
            if entry != 0 {
                entries.push((index.wrapping_add(u64::from(base)), entry));
            }
            continue;
        }
        let node = entry - 2;
        met += 1;
        if met > MOST_NODES {
            finding.violation("the table of pids does not end".into());
            break;
        }
        let shift = view.half(node.wrapping_add(shift_at)).map(|word| word & 0xff);
        let sound = |shift: &u32| wanted.map_or(*shift < 32, |wanted| *shift == wanted);
        let Some(shift) =
            shift.filter(sound).filter(|_| view.word(node.wrapping_add(parent_at)) == Some(parent))
        else {
            finding.violation(format!("the table of pids has no sound node at {node:#x}"));
            continue;
        };
        for slot in 0..1u64 << step {
            match view.word(node.wrapping_add(slots_at + slot * 8)) {
                None => finding.unread("a node of the table of pids", node),
                Some(0) => {}
                Some(entry) => {
                    let index = index.wrapping_add(slot << shift);
                    nodes.push((entry, index, node, Some(shift.wrapping_sub(step))));
                }
            }
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::super::tasks;
    use super::super::testing::Tasks;
    use super::*;

    fn judge(tasks: &Tasks) -> Finding {
        tasks.made.view(|view| {
            let census = tasks::census(view, &mut Vec::new());
            pids(view, &census).unwrap()
        })
    }

    #[test]
    fn a_sound_table_names_every_task_once() {
        let finding = judge(&Tasks::sound());
        assert!(finding.holds(), "{finding}");
        assert_eq!(finding.looked, 4 + 4 + 1);
    }

    #[test]
    fn a_number_of_an_unlinked_task_is_found() {
        let mut tasks = Tasks::sound();
        let at = tasks.number(3) + tasks.heads_at;
        tasks.made.put(at, 0x7_0000 + tasks.links_at);
        assert_eq!(judge(&tasks).violations, 3);
    }

    #[test]
    fn a_task_that_the_table_lacks_is_found() {
        let mut tasks = Tasks::sound();
        let slot = tasks.slot(3);
        tasks.made.put(slot, 0);
        let finding = judge(&tasks);
        // the task, and the count
        assert_eq!(finding.violations, 2, "{finding}");
    }

    #[test]
    fn a_number_without_a_task_must_be_in_somebodys_hand() {
        let mut tasks = Tasks::sound();
        tasks.reserve(5);
        let finding = judge(&tasks);
        assert_eq!((finding.violations, finding.excused), (1, 0), "{finding}");
        let (stack, number) = (tasks.stack(2), tasks.number(5));
        tasks.made.put(stack + 0x3000, number);
        let finding = judge(&tasks);
        assert_eq!((finding.violations, finding.excused), (0, 1), "{finding}");
    }

    #[test]
    fn one_number_may_lose_its_last_task_within_the_lock() {
        let mut tasks = Tasks::sound();
        tasks.reserve(5);
        let lock = tasks.made.bases.tasklist_lock;
        tasks.made.put_half(lock, 0xff);
        assert_eq!((judge(&tasks).violations, judge(&tasks).excused), (0, 1));
        let at = tasks.made.bases.init_pid_ns + tasks.allocated_at;
        tasks.reserve(6);
        tasks.made.put_half(at, ADDING | 6);
        assert_eq!((judge(&tasks).violations, judge(&tasks).excused), (1, 1));
    }

    #[test]
    fn a_hand_may_be_a_register() {
        let mut tasks = Tasks::sound();
        tasks.reserve(5);
        tasks.made.bases.registers = vec![7, tasks.number(5)];
        let finding = judge(&tasks);
        assert_eq!((finding.violations, finding.excused), (0, 1), "{finding}");
    }

    #[test]
    fn what_lies_below_a_sleepers_stack_pointer_explains_nothing() {
        let mut tasks = Tasks::sound();
        tasks.reserve(5);
        let (stack, number) = (tasks.stack(2), tasks.number(5));
        tasks.made.put(stack + 0x100, number);
        assert_eq!(judge(&tasks).violations, 1);
    }

    #[test]
    fn the_count_may_be_one_off_while_the_lock_is_held() {
        let mut tasks = Tasks::sound();
        let at = tasks.made.bases.init_pid_ns + tasks.allocated_at;
        tasks.made.put_half(at, ADDING | 5);
        assert_eq!(judge(&tasks).violations, 1);
        let lock = tasks.made.bases.pidmap_lock;
        tasks.made.put_half(lock, 1);
        assert_eq!((judge(&tasks).violations, judge(&tasks).excused), (0, 1));
        tasks.made.put_half(at, ADDING | 6);
        assert_eq!(judge(&tasks).violations, 1);
    }

    #[test]
    fn a_table_of_garbage_ends() {
        for garbage in [2, 6, u64::MAX - 1, 0x1_0002] {
            let mut tasks = Tasks::sound();
            let at = tasks.made.bases.init_pid_ns + tasks.head_at;
            tasks.made.put(at, garbage);
            assert!(judge(&tasks).violations > 0, "{garbage:#x}");
        }
        let mut tasks = Tasks::sound();
        // a node that is its own child
        let (slot, node) = (tasks.slot(3), tasks.node);
        tasks.made.put(slot, node | 2);
        assert!(judge(&tasks).violations > 0);
    }
}
