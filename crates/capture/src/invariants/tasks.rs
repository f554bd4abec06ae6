//! Tasks by their links: the list of processes, each process' threads, each task's children.
//!
//! All of these links, and the counts beside them, change only under tasklist_lock, written with interrupts off (copy_process,
//! release_task, de_thread, reparenting). So at every instant at which no writer holds that lock they agree exactly.

use std::collections::HashMap;

use super::{Finding, Lacking, View};

/// The claim that the list of processes and the lists of their threads are whole.
pub const TASKS: &str = "tasks";
/// The claim about threads and the counts of them.
pub const THREADS: &str = "threads";
/// The claim about parents and children.
pub const CHILDREN: &str = "children";

/// One task, as it was met on its process' list of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Its task_struct.
    pub vaddr: u64,
    /// Its number.
    pub pid: u32,
    /// The process on whose list it stands.
    pub process: u64,
    /// Its `struct pid`.
    pub number: u64,
}

/// All tasks that hang off init_task, which itself is none of them.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// Every thread of every process.
    pub tasks: Vec<Task>,
    /// The processes, by their first thread.
    pub leaders: Vec<u64>,
}

impl Census {
    /// The task of this number, as the namespace of all tasks has it.
    pub fn by_pid(&self, pid: u32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.pid == pid)
    }
}

/// Walks all processes and their threads. What is wrong with the walk itself is a finding of its own.
pub fn census(view: &View<'_>, findings: &mut Vec<Finding>) -> Census {
    let mut finding = Finding::new(TASKS);
    let mut census = Census::default();
    if let Err(why) = walk(view, &mut census, &mut finding) {
        finding = Finding::lacking(TASKS, &why);
    }
    excuse_writer(view, &mut finding);
    findings.push(finding);
    census
}

/// A writer of tasklist_lock may be anywhere in its change.
pub(super) fn excuse_writer(view: &View<'_>, finding: &mut Finding) {
    if view.write_locked(view.bases.tasklist_lock) {
        finding.excuse_all(u64::MAX, "tasklist_lock is held for writing");
    }
}

fn walk(view: &View<'_>, census: &mut Census, finding: &mut Finding) -> Result<(), Lacking> {
    let tasks_at = view.member("task_struct", "tasks")?;
    let signal_at = view.member("task_struct", "signal")?;
    let thread_at = view.member("task_struct", "thread_node")?;
    let head_at = view.member("signal_struct", "thread_head")?;
    let pid_at = view.member("task_struct", "pid")?;
    let number_at = view.member("task_struct", "thread_pid")?;
    for link in view.list(view.bases.init_task.wrapping_add(tasks_at), "processes", finding) {
        let leader = link.wrapping_sub(tasks_at);
        census.leaders.push(leader);
        let Some(signal) = view.word(leader.wrapping_add(signal_at)) else {
            finding.unread("a process", leader);
            continue;
        };
        let what = format!("threads of {leader:#x}");
        for link in view.list(signal.wrapping_add(head_at), &what, finding) {
            let vaddr = link.wrapping_sub(thread_at);
            match (view.half(vaddr.wrapping_add(pid_at)), view.word(vaddr.wrapping_add(number_at))) {
                (Some(pid), Some(number)) => census.tasks.push(Task { vaddr, pid, process: leader, number }),
                _ => finding.unread("a thread", vaddr),
            }
        }
    }
    Ok(())
}

/// Threads know their process: its leader, its signal_struct, its number; and there are as many as the kernel counts.
pub fn threads(view: &View<'_>, census: &Census) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(THREADS);
    let leader_at = view.member("task_struct", "group_leader")?;
    let signal_at = view.member("task_struct", "signal")?;
    let tgid_at = view.member("task_struct", "tgid")?;
    let pid_at = view.member("task_struct", "pid")?;
    let count_at = view.member("signal_struct", "nr_threads")?;
    let mut walked: HashMap<u64, u32> = HashMap::new();
    for task in &census.tasks {
        finding.looked += 1;
        *walked.entry(task.process).or_default() += 1;
        let leader = view.word(task.vaddr.wrapping_add(leader_at));
        if leader != Some(task.process) {
            finding.violation(format!(
                "task {} stands among the threads of {:#x}, and its leader is {:#x}",
                task.pid,
                task.process,
                leader.unwrap_or(0)
            ));
        }
        let process = view.half(task.process.wrapping_add(pid_at));
        let tgid = view.half(task.vaddr.wrapping_add(tgid_at));
        if tgid.is_none() || tgid != process {
            finding.violation(format!(
                "task {} of process {process:?} says it is of process {tgid:?}",
                task.pid
            ));
        }
        let signal = |of: u64| view.word(of.wrapping_add(signal_at));
        if signal(task.vaddr) != signal(task.process) {
            finding
                .violation(format!("task {} does not share its signals with {:#x}", task.pid, task.process));
        }
    }
    for (leader, count) in walked {
        finding.looked += 1;
        let signal = view.word(leader.wrapping_add(signal_at));
        let kept = signal.and_then(|signal| view.half(signal.wrapping_add(count_at)));
        if kept != Some(count) {
            finding.violation(format!("process {leader:#x} counts {kept:?} threads and has {count}"));
        }
    }
    if let Some(kept) = view.bases.nr_threads {
        finding.looked += 1;
        let kept = view.half(kept);
        if kept.map(|kept| kept as usize) != Some(census.tasks.len()) {
            finding.violation(format!("the kernel counts {kept:?} tasks, {} are linked", census.tasks.len()));
        }
    }
    excuse_writer(view, &mut finding);
    Ok(finding)
}

/// Every process stands on the list of children of one task, the one that it calls its real parent; nobody else does.
pub fn children(view: &View<'_>, census: &Census) -> Result<Finding, Lacking> {
    let mut finding = Finding::new(CHILDREN);
    let children_at = view.member("task_struct", "children")?;
    let sibling_at = view.member("task_struct", "sibling")?;
    let parent_at = view.member("task_struct", "real_parent")?;
    let mut found: HashMap<u64, u64> = census.leaders.iter().map(|leader| (*leader, 0)).collect();
    let parents = census.tasks.iter().map(|task| task.vaddr).chain([view.bases.init_task]);
    for parent in parents {
        let what = format!("children of {parent:#x}");
        for link in view.list(parent.wrapping_add(children_at), &what, &mut finding) {
            let child = link.wrapping_sub(sibling_at);
            match view.word(child.wrapping_add(parent_at)) {
                None => finding.unread("a child", child),
                Some(real) if real != parent => finding.violation(format!(
                    "{child:#x} stands among the children of {parent:#x} and is {real:#x}'s"
                )),
                Some(_) => {}
            }
            match found.get_mut(&child) {
                Some(times) => *times += 1,
                None => finding.violation(format!(
                    "{child:#x}, a child of {parent:#x}, is not on the list of processes"
                )),
            }
        }
    }
    for (leader, times) in found {
        if times != 1 {
            finding.violation(format!("process {leader:#x} is the child of {times} tasks"));
        }
    }
    excuse_writer(view, &mut finding);
    Ok(finding)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Made, Tasks};
    use super::*;

    fn judge(made: &Made) -> Vec<Finding> {
        made.view(|view| {
            let mut findings = Vec::new();
            let census = census(view, &mut findings);
            findings.push(threads(view, &census).unwrap());
            findings.push(children(view, &census).unwrap());
            findings
        })
    }

    fn broken(made: &Made) -> Vec<&'static str> {
        judge(made).iter().filter(|finding| finding.violations > 0).map(|finding| finding.check).collect()
    }

    #[test]
    fn sound_links_are_no_violation() {
        let made = Tasks::sound();
        for finding in judge(&made.made) {
            assert!(finding.holds(), "{finding}");
        }
    }

    #[test]
    fn a_process_that_is_half_on_the_list_is_found() {
        let mut made = Tasks::sound();
        // unlinked forwards, not yet backwards: the page of one neighbour was copied before, the other's after
        let (one, three) = (made.task(1), made.task(3));
        made.made.put(one + made.tasks_at, three + made.tasks_at);
        assert_eq!(broken(&made.made), [TASKS, THREADS, CHILDREN]);
    }

    #[test]
    fn a_child_of_another_parent_is_found() {
        let mut made = Tasks::sound();
        let (three, two) = (made.task(3), made.task(2));
        made.made.put(three + made.parent_at, two);
        assert_eq!(broken(&made.made), [CHILDREN]);
    }

    #[test]
    fn a_thread_too_many_is_found() {
        let mut made = Tasks::sound();
        let at = made.signal(2) + made.count_at;
        made.made.put_half(at, 9);
        assert_eq!(broken(&made.made), [THREADS]);
    }

    #[test]
    fn a_thread_of_another_process_is_found() {
        let mut made = Tasks::sound();
        let (thread, one) = (made.task(4), made.task(1));
        made.made.put(thread + made.leader_at, one);
        assert_eq!(broken(&made.made), [THREADS]);
    }

    #[test]
    fn a_writer_in_the_middle_is_an_excuse() {
        let mut made = Tasks::sound();
        let (three, two) = (made.task(3), made.task(2));
        made.made.put(three + made.parent_at, two);
        let lock = made.made.bases.tasklist_lock;
        made.made.put_half(lock, 0x1ff);
        assert!(broken(&made.made).is_empty());
        let excused: u64 = judge(&made.made).iter().map(|finding| finding.excused).sum();
        assert_eq!(excused, 1);
        // readers excuse nothing
        made.made.put_half(lock, 0x200);
        assert_eq!(broken(&made.made), [CHILDREN]);
    }

    #[test]
    fn garbage_is_a_violation_and_the_end_of_the_walk() {
        for garbage in [0, 1, u64::MAX, 0xdead_0000_0000_0122] {
            let mut made = Tasks::sound();
            let two = made.task(2);
            made.made.put(two + made.signal_at, garbage);
            assert!(broken(&made.made).contains(&TASKS), "{garbage:#x}");
        }
    }
}
