//! Is a dump the image of one instant? Every reason why not, in words.

use lkd_dump::shot::{cpu_flags, status};
use lkd_dump::{CpuState, Shot};

/// Words for each thing that keeps a dump from being consistent; none: it is.
///
/// A dump is called consistent only if every CPU stood still in time, and every page that its kind promises was copied
/// while they did.
pub fn smears(shot: &Shot, cpus: &[CpuState]) -> Vec<String> {
    let mut why = stirs(shot, cpus);
    let has = |bit| shot.status & bit != 0;
    let counts = &shot.pages;
    if has(status::CLOCK_STOOD) {
        why.push("the clock stood still".into());
    } else if has(status::DEADLINE) {
        let ms = shot.deadline_ns.saturating_sub(shot.triggered_ns) / 1_000_000;
        why.push(format!("{ms} ms were not enough"));
    }
    if has(status::BUFFER_SMALL) {
        why.push("the buffer was too small".into());
    }
    if has(status::GUESTS_CUT) {
        why.push("not all virtual machines could be followed".into());
    }
    if has(status::CUT) {
        why.push("one of the kernel's lists was longer than lkd follows".into());
    }
    if has(status::MEMORY_CHANGED) {
        why.push("memory came or went since it was armed".into());
    }
    if counts.overflow > 0 {
        why.push(format!("the list had no room for {} pages", counts.overflow));
    }
    if counts.failed > 0 {
        why.push(format!("{} pages could not be read", counts.failed));
    }
    why
}

/// Words for each thing that ran while memory was copied; none: all pages that were copied then are of one instant.
pub fn stirs(shot: &Shot, cpus: &[CpuState]) -> Vec<String> {
    let has = |bit| shot.status & bit != 0;
    if has(status::ALONE) {
        return vec!["no other CPU was stopped".into()];
    }
    if has(status::NOT_INTERRUPTIBLE) {
        return vec!["interrupts were off at the probe, where no other CPU can be stopped safely".into()];
    }
    if has(status::WITHDRAWN) {
        return vec!["the probe's own CPU was not interrupted in time, so no other was stopped".into()];
    }
    let mut why = Vec::new();
    for (flag, what) in [(cpu_flags::MISSING, "did not stop"), (cpu_flags::LATE, "stopped late")] {
        let those: Vec<String> =
            cpus.iter().filter(|cpu| cpu.flags & flag != 0).map(|cpu| cpu.cpu.to_string()).collect();
        if !those.is_empty() {
            why.push(format!("CPU {} {what}", those.join(", ")));
        }
    }
    if why.is_empty() && shot.cpus_stopped < shot.cpus_online {
        why.push(format!("{} of {} CPUs stopped in time", shot.cpus_stopped, shot.cpus_online));
    }
    if has(status::RELEASED_EARLY) {
        why.push("a CPU went on too early".into());
    }
    if has(status::CPUS_CHANGED) {
        why.push("a CPU came or went meanwhile".into());
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    fn still() -> Shot {
        let mut shot = Shot::new();
        (shot.cpus_online, shot.cpus_stopped) = (2, 2);
        (shot.triggered_ns, shot.deadline_ns) = (1_000_000, 501_000_000);
        shot
    }

    #[test]
    fn nothing_against_it_is_consistent() {
        let cpus = [CpuState { cpu: 0, ..CpuState::default() }, CpuState { cpu: 1, ..CpuState::default() }];
        assert!(smears(&still(), &cpus).is_empty());
    }

    #[test]
    fn each_reason_is_told() {
        let told = |change: &dyn Fn(&mut Shot), cpus: &[CpuState]| {
            let mut shot = still();
            change(&mut shot);
            smears(&shot, cpus).join("; ")
        };
        assert_eq!(told(&|shot| shot.status = status::DEADLINE, &[]), "500 ms were not enough");
        assert_eq!(told(&|shot| shot.status = status::BUFFER_SMALL, &[]), "the buffer was too small");
        assert_eq!(
            told(&|shot| shot.status = status::DEADLINE | status::CLOCK_STOOD, &[]),
            "the clock stood still"
        );
        assert_eq!(
            told(&|shot| shot.status = status::GUESTS_CUT, &[]),
            "not all virtual machines could be followed"
        );
        assert_eq!(told(&|shot| shot.pages.failed = 3, &[]), "3 pages could not be read");
        assert_eq!(told(&|shot| shot.pages.overflow = 3, &[]), "the list had no room for 3 pages");
        assert_eq!(told(&|shot| shot.status = status::CPUS_CHANGED, &[]), "a CPU came or went meanwhile");
        assert_eq!(
            told(&|shot| shot.status = status::MEMORY_CHANGED, &[]),
            "memory came or went since it was armed"
        );
        assert_eq!(told(&|shot| shot.status = status::RELEASED_EARLY, &[]), "a CPU went on too early");
        assert_eq!(told(&|shot| shot.cpus_stopped = 1, &[]), "1 of 2 CPUs stopped in time");
        let of = |cpu, flags| CpuState { cpu, flags, ..CpuState::default() };
        let late = [
            of(0, cpu_flags::REGS),
            of(1, cpu_flags::LATE),
            of(2, cpu_flags::MISSING),
            of(3, cpu_flags::MISSING),
        ];
        assert_eq!(told(&|_| (), &late), "CPU 2, 3 did not stop; CPU 1 stopped late");
        assert!(told(&|shot| shot.status = status::ALONE, &[]).starts_with("no other CPU"));
        assert!(
            told(&|shot| shot.status = status::WITHDRAWN, &[])
                .starts_with("the probe's own CPU was not interr")
        );
        assert!(
            told(&|shot| shot.status = status::NOT_INTERRUPTIBLE, &[]).starts_with("interrupts were off")
        );
    }
}
