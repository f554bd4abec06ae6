//! Everything of an arming but what wakes and writes: bases, sizes, programs, maps, and what must be known of memory.
//!
//! checks → survey (bases, one pass to size the buffer) → engine → own buffers marked → one pass that nobody waits for

use std::fs;

use lkd_dump::Format;
use lkd_dump::{Kind, PageClass};
use lkd_kernel::symbols::Symbols;
use lkd_kernel::vmcoreinfo::VmcoreInfo;

use crate::buffer::Shape;
use crate::cpus::Cpus;
use crate::ctl::{CpuSlot, Lanes, UNIT_PAGES, get, set};
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::live::{Live, frames_of_mapping};
use crate::mini::{self, Mini};
use crate::options::{Options, Work};
use crate::pass::{classify_rest, copy_rest};
use crate::ram::Ram;
use crate::room::{self, Known, Room};
use crate::sys::Mapping;
use crate::{doctor, first, guests, target};

/// Rounds of looks that a wait may take, for every half second that it may last; each round has 2^20.
const SPINS: u64 = 64;

/// An engine that is ready to be armed.
#[derive(Debug)]
pub struct Prepared {
    pub engine: Engine,
    pub live: Live,
    /// Page frames to be copied before all else.
    pub first: Vec<u64>,
    /// Page frames of a minidump that are known before the shot.
    pub mini: Vec<u64>,
    /// What a person should know before the shot.
    pub warnings: Vec<String>,
    /// What the sizing pass met, by class.
    pub found: [u64; 16],
    /// Why no virtual machine is looked for although it was asked for.
    pub no_guests: Option<String>,
}

/// Prepares an engine.
///
/// # Errors
/// What is missing and how to get it: privileges, a kernel feature, a fit directory, room.
pub fn prepare(options: &Options) -> Result<Prepared, Error> {
    doctor::require()?;
    let free = if options.work == Work::Dump { target::prepare(&options.root)? } else { u64::MAX };
    if let Some(there) =
        options.file.as_ref().map(|name| options.root.join(name)).filter(|path| path.exists())
    {
        return Err(Error::refused(
            format!("{} is there already", there.display()),
            "a dump replaces nothing: name another file, or remove this one",
        ));
    }
    let (live, survey) = Live::find()?;
    live.settle(&survey)?;
    classify_rest(survey.ctl()?, || survey.run("lkd_classify"))?;
    let found = survey.ctl()?.found();

    // Without symbols a dump knows less; that is no reason to have none.
    let symbols = fs::read("/proc/kallsyms").ok().and_then(|text| Symbols::parse(&text).ok());
    let first = match &symbols {
        Some(symbols) if options.work >= Work::Copy => first::pages(&live, &survey, symbols),
        _ => Vec::new(),
    };
    let mini = match &symbols {
        Some(symbols) if options.work >= Work::Copy && options.kinds.contains(&Kind::Mini) => {
            mini::find(&live, &survey, symbols)
        }
        _ => Mini::default(),
    };
    let known = Known {
        mini: mini::room(&mini),
        live: &live,
        found: &found,
        first: first.len() as u64,
        available: available()?,
    };
    let Room { sizes, pages, mut warnings } = Room::new(options, &known)?;
    // Compressed memory is seldom less than a fourth.
    let bytes = pages.saturating_mul(4096);
    let least = if options.format == Format::Elf { bytes } else { bytes / 4 };
    if free < least {
        return Err(Error::refused(
            format!(
                "{} has {} MB free, a dump of this kernel needs at least {} MB",
                options.root.display(),
                free >> 20,
                least >> 20
            ),
            "make room, or name another directory",
        ));
    }
    let engine = engine::full(&survey, sizes, &options.programs)?;
    drop(survey);
    live.settle(&engine)?;
    let ctl = engine.ctl()?;
    room::settle(ctl, &sizes);
    set(&ctl.slots, sizes.slots);
    set(&ctl.max_pause_ns, options.max_pause_ns);
    set(&ctl.quorum_ns, options.max_pause_ns / 10);
    // The interrupt that a CPU asks of itself comes in microseconds; an emulated one may be taken away meanwhile.
    set(&ctl.grace_ns, (options.max_pause_ns / 250).max(1_000_000));
    set(&ctl.spins, options.max_pause_ns.div_ceil(500_000_000) * SPINS);
    set(&ctl.copy, u64::from(options.work >= Work::Copy));
    set(&ctl.emit, 1);
    set(&ctl.marks, sizes.marks);
    set(&ctl.piece_shift, Shape::of(sizes.slots).shift());
    let info = VmcoreInfo::parse(&live.vmcoreinfo);
    set(&ctl.levels, if info.five_levels() { 5 } else { 4 });
    set(&ctl.sme_mask, info.encryption_mask());
    if doctor::enters_by_fred() {
        let why = "this processor enters the kernel by FRED: of the other CPUs no registers will be known (boot with fred=off)";
        warnings.push(why.into());
    } else if let Some(entry) = symbols.as_ref().and_then(entry_code) {
        set(&ctl.entry_first, entry.start);
        set(&ctl.entry_end, entry.end);
    }
    let no_guests = guests::settle(&engine, symbols.as_ref())?;
    warnings.extend(no_guests.iter().map(|why| {
        format!("no virtual machine will be found ({why}): lkd(4) and lkd(5) are as lkd(0) and lkd(1)")
    }));
    set(&ctl.text_first, mini.text.start);
    set(&ctl.text_end, mini.text.end);
    set(&ctl.per_cpu_offset, mini.per_cpu_offset);
    set(&ctl.task_bytes, task_bytes());
    let slots = cpus(&engine)?;
    mini.idle.iter().for_each(|(cpu, task)| slots.idles(*cpu, *task));
    mark_own(&engine, &live)?;
    let prepared = Prepared { engine, live, first, mini: mini.frames, warnings, found, no_guests };
    prepared.warm_up()?;
    if options.work == Work::Stop {
        set(&prepared.engine.ctl()?.units, 0);
    }
    Ok(prepared)
}

impl Prepared {
    /// Goes the whole way once while nobody waits: what the shot will read and write has been touched by then.
    fn warm_up(&self) -> Result<(), Error> {
        let ctl = self.engine.ctl()?;
        ctl.reset_pass();
        classify_rest(ctl, || self.engine.run("lkd_classify"))?;
        if get(&ctl.copy) == 1 {
            copy_rest(ctl, || self.engine.run("lkd_copy"))?;
        }
        Ok(())
    }

    /// Forgets what a pass has left, and numbers the next freeze.
    pub fn reset(&self, sequence: u64) -> Result<(), Error> {
        let ctl = self.engine.ctl()?;
        ctl.reset_pass();
        // Beside another kind a minidump's own are not marked: among them may be what is now a process', which that kind keeps.
        let alone = self.engine.sizes.kinds == Kind::Mini.flags();
        clear_marks(&self.engine, &self.live.ram, if alone { &self.mini } else { &[] })?;
        guests::reset(&self.engine)?;
        list(&self.engine, Lanes::First, &self.first)?;
        list(&self.engine, Lanes::Mini, &self.mini)?;
        set(&ctl.sequence, sequence);
        Ok(())
    }
}

/// Bytes of a task: behind its struct, newer kernels (7.3) have the FPU's registers, and crash reads both as one. 0: not told.
fn task_bytes() -> u64 {
    let told = fs::read_to_string("/sys/kernel/slab/task_struct/object_size").unwrap_or_default();
    told.trim().parse().unwrap_or(0)
}

/// The CPUs of an engine's freeze.
pub fn cpus(engine: &Engine) -> Result<Cpus, Error> {
    let count = engine.sizes.cpus;
    Ok(Cpus::new(engine.map_memory("lkd_cpus", count as usize * size_of::<CpuSlot>())?, count))
}

/// Where the kernel's entry code stands: what interrupts call from.
fn entry_code(symbols: &Symbols) -> Option<std::ops::Range<u64>> {
    let address = |name| symbols.by_name_in("vmlinux", name).map(|symbol| symbol.addr);
    Some(address("__entry_text_start")?..address("__entry_text_end")?)
}

/// Fills a lane with what is known before the shot.
fn list(engine: &Engine, lane: Lanes, frames: &[u64]) -> Result<(), Error> {
    let Some(lane) = engine.ctl()?.lanes.get(lane as usize).filter(|_| !frames.is_empty()) else {
        return Ok(());
    };
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_ne_bytes()).collect();
    let at = get(&lane.base) as usize * 8;
    let list = engine.map_memory("lkd_list", at + bytes.len())?;
    if !list.write(at, &bytes) {
        return Err(Error::Machine("the map of the list is shorter than it was made".into()));
    }
    set(&lane.wanted, frames.len() as u64);
    Ok(())
}

/// Forgets which pages were listed. Where no memory is, the marks say that there is nothing left to list: a process may have a
/// device's registers mapped, which have a struct page if memory is near, and reading them is doing something.
fn clear_marks(engine: &Engine, ram: &Ram, listed: &[u64]) -> Result<(), Error> {
    let words = engine.sizes.marks as usize;
    if words == 0 {
        return Ok(());
    }
    let marks = engine.map_memory("lkd_marks", words * 8)?;
    let mut missing = ram.missing(words);
    // a minidump's own need not be listed again
    for frame in listed {
        if let Some(word) = missing.get_mut((frame / 64) as usize) {
            *word |= 1 << (frame % 64);
        }
    }
    let bytes: Vec<u8> = missing.into_iter().flat_map(u64::to_ne_bytes).collect();
    if marks.write(0, &bytes) {
        Ok(())
    } else {
        Err(Error::Machine("the map of marks is shorter than it was made".into()))
    }
}

/// Bytes of memory that could be had.
pub fn available() -> Result<u64, Error> {
    let meminfo =
        fs::read_to_string("/proc/meminfo").map_err(|error| Error::io("reading /proc/meminfo", error))?;
    meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok())
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| Error::Machine("/proc/meminfo has no MemAvailable".into()))
}

/// Marks the pages of our own large maps, so that the dump does not contain the dump.
fn mark_own(engine: &Engine, live: &Live) -> Result<(), Error> {
    let units = live.ram.units();
    let list = engine.sizes.lanes.iter().sum::<u64>() as usize * 8;
    let mappings = [
        ("lkd_list", list),
        ("lkd_classes", engine.units * UNIT_PAGES as usize),
        ("lkd_bounce", crate::ctl::PEEKS * 4096),
        ("lkd_marks", engine.sizes.marks as usize * 8),
        ("lkd_cpus", engine.sizes.cpus as usize * size_of::<CpuSlot>()),
        ("lkd_stack", crate::ctl::STACK_BYTES),
    ];
    let mark = |mapping: &Mapping| {
        for frame in frames_of_mapping(mapping)? {
            let after = units.partition_point(|unit| unit.first <= frame);
            let Some(unit) = after.checked_sub(1).and_then(|place| units.get(place)) else { continue };
            if frame < unit.first + u64::from(unit.pages) {
                let place = u64::from(unit.base) + frame % UNIT_PAGES;
                if !engine.classes.write(place as usize, &[PageClass::Own as u8]) {
                    return Err(Error::Machine("the map of classes is shorter than it was made".into()));
                }
            }
        }
        Ok(())
    };
    for (name, len) in mappings {
        mark(&engine.map_memory(name, len)?)?;
    }
    engine.buffer()?.each(mark)
}
