//! Freezes without a writer: this process stops the machine, again and again, and tells what each freeze was like. For tests and
//! measurements; what is copied stays in this process' memory, if anything is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use lkd_dump::{PAGE_SIZE, Request, Site};
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;
use lkd_kernel::vmcoreinfo::VmcoreInfo;

use crate::buffer::Buffer;
use crate::cpus::Cpus;
use crate::ctl::{Copied, State, entry, get, set};
use crate::engine::{self, TriggerProg};
use crate::error::Error;
use crate::freeze::Freeze;
use crate::invariants::bases::held;
use crate::invariants::{self, Bases, Finding, Frames, Paged, Planted, View};
use crate::options::Options;
use crate::prepare::{Prepared, cpus, prepare};
use crate::sys::{Mapping, run_program};
use crate::taken::{Taken, read_shot};
use crate::wakers::Wakers;

/// How long CPUs may take to come back.
const LEAVE: Duration = Duration::from_secs(60);

/// An engine that is fired by hand.
#[derive(Debug)]
pub struct Drill {
    prepared: Prepared,
    freeze: Freeze,
    wakers: Wakers,
    cpus: Cpus,
    shot: Mapping,
    list: Mapping,
    pages: Buffer,
    sequence: u64,
}

/// By what a captured image is judged.
#[derive(Debug)]
pub struct Judge {
    pub symbols: Symbols,
    pub btf: Btf,
    pub planted: Option<Planted>,
}

impl Drill {
    /// Makes everything ready as for a script, but the writer. Shots are of the first kind that the options name.
    pub fn new(options: &Options) -> Result<Drill, Error> {
        let prepared = prepare(options)?;
        let flags = options.kinds.first().map_or(0, |kind| kind.flags());
        let engine = &prepared.engine;
        let mut freeze =
            if options.freeze { Freeze::attach(engine)? } else { Freeze::alone("it was asked for") };
        let control = engine.map_memory("lkd_ctl", size_of::<crate::ctl::Ctl>())?;
        let failed = |error| Error::io("starting a thread for each CPU", error);
        let mut wakers = Wakers::new(engine.map("lkd_wake")?, control, cpus(engine)?).map_err(failed)?;
        wakers.serve(&prepared.live.cpus).map_err(failed)?;
        prepared.reset(0)?;
        freeze.rehearse(engine, &cpus(engine)?, wakers.slow.clone())?;
        engine::put_request(
            engine.map("lkd_request")?,
            &Request { flags, site: Site::UserSpace as u32, ..Request::default() },
        )?;
        let shot = engine.map_memory("lkd_shot", size_of::<lkd_dump::Shot>())?;
        let cpus = cpus(engine)?;
        let list = engine.map_memory("lkd_list", engine.sizes.lanes.iter().sum::<u64>() as usize * 8)?;
        let pages = engine.buffer()?;
        Ok(Drill { prepared, freeze, wakers, cpus, shot, list, pages, sequence: 0 })
    }

    /// Why only this thread is held, if so; why clock events are needed, if they are.
    pub fn limits(&self) -> (Option<&str>, Option<&str>) {
        (self.freeze.alone.as_deref(), self.freeze.clock.as_deref())
    }

    /// Lets freezes wait for a CPU that never comes: one behind the last that may exist.
    pub fn expect_nobody(&self) -> u32 {
        let cpu = self.prepared.live.cpu_slots;
        self.cpus.expect(cpu, true);
        cpu
    }

    /// Takes away what ends a wait by time; `spins`: the rounds that each wait has.
    pub fn stop_the_clock(&self, spins: u64) -> Result<(), Error> {
        let ctl = self.prepared.engine.ctl()?;
        for word in [&ctl.max_pause_ns, &ctl.quorum_ns] {
            set(word, u64::MAX / 4);
        }
        set(&ctl.spins, spins);
        Ok(())
    }

    /// Judges the image that the last freeze has left in the buffer.
    pub fn judge(&self, taken: &Taken, by: &Judge) -> Result<Vec<Finding>, Error> {
        let slots = self.slots()?;
        let memory = Frames(|pfn: lkd_dump::Pfn| {
            let slot = slots.get(&pfn.0)?;
            let mut page = [0; PAGE_SIZE];
            self.pages.read(*slot, &mut page).then(|| Arc::new(page))
        });
        let live = &self.prepared.live;
        let broken = |error: &dyn std::fmt::Display| Error::Machine(format!("judging the image: {error}"));
        let mut image =
            Paged::new(&memory, &VmcoreInfo::parse(&live.vmcoreinfo)).map_err(|error| broken(&error))?;
        let mut bases = Bases::find(&by.symbols, &image).map_err(|error| broken(&error))?;
        bases.registers = taken.cpus.iter().flat_map(|cpu| held(&cpu.regs)).collect();
        image.set_direct_map(bases.page_offset, bases.end_pfn);
        let view = View { image: &image, btf: &by.btf, bases: &bases };
        let mut findings = invariants::kernel(&view);
        if let Some(planted) = &by.planted {
            findings.extend(invariants::planted(&view, planted));
        }
        Ok(findings)
    }

    /// The slot of each page that was copied. A page's first copy counts.
    fn slots(&self) -> Result<HashMap<u64, u64>, Error> {
        let mut slots = HashMap::new();
        for lane in self.prepared.engine.ctl()?.kept_lanes() {
            for place in get(&lane.base)..get(&lane.base) + lane.begun() {
                let word = self.list.word(place as usize * 8).map_or(0, get);
                if let (pfn, Copied::Slot(slot)) = entry(word) {
                    slots.entry(pfn).or_insert(slot);
                }
            }
        }
        Ok(slots)
    }

    /// Pages that the last freeze has copied more than once. Those that are copied before all others are meant to be: their class
    /// lists them too.
    pub fn copied_twice(&self) -> Result<u64, Error> {
        let ctl = self.prepared.engine.ctl()?;
        let mut seen = HashSet::new();
        let mut twice = 0;
        let [first, ..] = &ctl.lanes;
        for lane in ctl.kept_lanes().filter(|lane| get(&lane.base) != get(&first.base)) {
            for place in get(&lane.base)..get(&lane.base) + lane.begun() {
                let word = self.list.word(place as usize * 8).map_or(0, get);
                if let (pfn, Copied::Slot(_)) = entry(word) {
                    twice += u64::from(!seen.insert(pfn));
                }
            }
        }
        Ok(twice)
    }

    /// One freeze, from this thread.
    pub fn fire(&mut self) -> Result<Taken, Error> {
        self.sequence += 1;
        self.wakers.drain();
        self.prepared.reset(self.sequence)?;
        let engine = &self.prepared.engine;
        let ctl = engine.ctl()?;
        ctl.arm();
        run_program(engine.trigger(TriggerProg::RawTp)?)
            .map_err(|error| Error::io("running the trigger", error))?;
        if ctl.state() != State::Held {
            return Err(Error::Machine("the trigger took no shot".into()));
        }
        self.cpus.wait_left(self.sequence, LEAVE)?;
        let taken = Taken::judge(read_shot(&self.shot, ctl)?, &self.cpus, [false; 2]);
        Ok(Taken { must_ns: get(&ctl.must_ns), ..taken })
    }
}
