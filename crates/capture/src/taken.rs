//! What a freeze has left, judged: the shot, its CPUs, and why the dump is not of one instant, if it is not.

use lkd_dump::shot::{cpu_flags, status};
use lkd_dump::{CpuState, PageClass, Shot};

use crate::cpus::Cpus;
use crate::ctl::{Ctl, Lane, Lanes, get};
use crate::error::Error;
use crate::sys::Mapping;
use crate::verdict;

/// The shot and its CPUs as the freeze left them, and why the dump is not of one instant.
#[derive(Clone, Debug)]
pub struct Taken {
    pub shot: Shot,
    pub cpus: Vec<CpuState>,
    /// What ran while memory was copied.
    pub stirs: Vec<String>,
    /// That, and what was not copied meanwhile.
    pub smears: Vec<String>,
    /// CLOCK_MONOTONIC when all that must be had was copied, but for the last few pages; 0: it was not.
    pub must_ns: u64,
}

impl Taken {
    /// Judges what a freeze has left; `changed`: CPUs, memory came or went.
    pub fn judge(mut shot: Shot, cpus: &Cpus, changed: [bool; 2]) -> Taken {
        let alone = shot.status & (status::ALONE | status::NOT_INTERRUPTIBLE | status::WITHDRAWN) != 0;
        let mut cpus = cpus.states((!alone).then_some(shot.sequence), shot.stopped_ns);
        if let Some(own) = cpus.iter_mut().find(|state| state.cpu == shot.cpu) {
            *own = CpuState {
                cpu: shot.cpu,
                pid: shot.pid,
                flags: 0,
                how: 1,
                task: shot.task,
                frame: shot.bpf_frame,
                arrived_ns: own.arrived_ns,
                left_ns: own.left_ns,
                ..CpuState::default()
            };
        }
        shot.cpus_online = cpus.len() as u32;
        for (changed, bit) in changed.into_iter().zip([status::CPUS_CHANGED, status::MEMORY_CHANGED]) {
            shot.status |= if changed { bit } else { 0 };
        }
        if cpus.iter().any(|cpu| cpu.flags & cpu_flags::LATE != 0) {
            shot.status |= status::CPU_LATE;
        }
        let smears = verdict::smears(&shot, &cpus);
        shot.consistency = u32::from(smears.is_empty());
        Taken { stirs: verdict::stirs(&shot, &cpus), shot, cpus, smears, must_ns: 0 }
    }
}

/// The shot as the trigger left it, with the counts of pages that the engine keeps elsewhere.
pub fn read_shot(memory: &Mapping, ctl: &Ctl) -> Result<Shot, Error> {
    let mut bytes = [0; size_of::<Shot>()];
    if !memory.read(0, &mut bytes) {
        return Err(Error::Machine("the shot's map is too short".into()));
    }
    let mut shot = Shot::parse(&bytes).map_err(|error| Error::Machine(error.to_string()))?;
    shot.pages.found = ctl.found();
    let kept = |class: &PageClass| get(&ctl.classes_listed) >> *class as u8 & 1 == 1;
    let found = |class: PageClass| shot.pages.found.get(class as usize).copied().unwrap_or(0);
    // A machine's memory is its process', whose pages are counted by class where they are kept.
    let lane = |lane: Lanes| ctl.lanes.get(lane as usize).map_or(0, Lane::listed);
    let guests = if ctl.keeps(Lanes::Guest) && !ctl.keeps(Lanes::User) { lane(Lanes::Guest) } else { 0 };
    shot.pages.kept = guests
        + if ctl.by_class() {
            PageClass::ALL.into_iter().filter(kept).map(found).sum()
        } else {
            lane(Lanes::Mini)
        };
    // the first lane's pages stand in the others too
    let [first, ..] = &ctl.lanes;
    shot.pages.frozen = get(&ctl.copied).saturating_sub(first.begun());
    shot.pages.failed = get(&ctl.failed);
    shot.pages.own = found(PageClass::Own);
    shot.pages.overflow = get(&ctl.overflow);
    Ok(shot)
}
