//! Everything of an arming but what wakes and writes: bases, sizes, programs, maps, and what must be known of memory.
//!
//! checks → survey (bases, one pass to size the buffer) → engine → own buffers marked → one pass that nobody waits for

use std::fs;

use lkd_dump::{Kind, PageClass};
use lkd_kernel::symbols::Symbols;

use crate::cpus::Cpus;
use crate::ctl::{CpuSlot, LANES, MOST_SLOTS, UNIT_PAGES, get, set};
use crate::engine::{self, Engine, Sizes};
use crate::error::Error;
use crate::live::{Live, frames_of_mapping};
use crate::options::{Options, Work};
use crate::pass::{classify_rest, copy_rest};
use crate::{doctor, first, target};

/// Rounds of looks that a wait may take, for every half second that it may last; each round has 2^20.
const SPINS: u64 = 64;

/// Slots for CPUs that do not exist, so that a test may wait for one.
const SPARE: u32 = 1;

/// An engine that is ready to be armed.
#[derive(Debug)]
pub struct Prepared {
    pub engine: Engine,
    pub live: Live,
    /// Page frames to be copied before all else.
    pub first: Vec<u64>,
    /// What a person should know before the shot.
    pub warnings: Vec<String>,
    /// What the sizing pass met, by class.
    pub found: [u64; 16],
}

/// Prepares an engine.
///
/// # Errors
/// What is missing and how to get it: privileges, a kernel feature, a fit directory, room.
pub fn prepare(options: &Options) -> Result<Prepared, Error> {
    doctor::require()?;
    let free = if options.work == Work::Dump { target::prepare(&options.root)? } else { u64::MAX };
    let (live, survey) = Live::find()?;
    live.settle(&survey)?;
    set(&survey.ctl()?.classes_kept, classes_kept(Kind::Kernel));
    classify_rest(survey.ctl()?, || survey.run("lkd_classify"))?;
    let found = survey.ctl()?.found();

    // Without symbols a dump knows less; that is no reason to have none.
    let symbols = fs::read("/proc/kallsyms").ok().and_then(|text| Symbols::parse(&text).ok());
    let mut warnings = Vec::new();
    let first = match &symbols {
        Some(symbols) if options.work >= Work::Copy => first::pages(&live, &survey, symbols),
        _ => Vec::new(),
    };
    let (sizes, needed) = sizes(options, &live, &found, first.len() as u64, &mut warnings)?;
    // What is written is compressed, seldom to less than a fourth.
    if free < needed.saturating_mul(4096) / 4 {
        return Err(Error::refused(
            format!(
                "{} has {} MB free, a dump of this kernel needs about {} MB",
                options.root.display(),
                free >> 20,
                needed >> 9
            ),
            "make room, or name another directory",
        ));
    }
    let engine = engine::full(&survey, sizes, &options.programs)?;
    drop(survey);
    live.settle(&engine)?;
    let ctl = engine.ctl()?;
    set(&ctl.classes_kept, classes_kept(Kind::Kernel));
    set(&ctl.slots, sizes.slots);
    set(&ctl.max_pause_ns, options.max_pause_ns);
    set(&ctl.quorum_ns, options.max_pause_ns / 10);
    set(&ctl.grace_ns, options.max_pause_ns / 250);
    set(&ctl.spins, options.max_pause_ns.div_ceil(500_000_000) * SPINS);
    set(&ctl.copy, u64::from(options.work >= Work::Copy));
    set(&ctl.emit, 1);
    if let Some(entry) = symbols.as_ref().and_then(entry_code) {
        set(&ctl.entry_first, entry.start);
        set(&ctl.entry_end, entry.end);
    }
    let mut base = 0;
    for (lane, room) in ctl.lanes.iter().zip(sizes.lanes) {
        set(&lane.base, base);
        set(&lane.room, room);
        base += room;
    }
    mark_own(&engine, &live)?;
    let prepared = Prepared { engine, live, first, warnings, found };
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
        list_first(&self.engine, &self.first)?;
        set(&ctl.sequence, sequence);
        Ok(())
    }
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

/// The classes that a kind keeps, as the engine's mask.
fn classes_kept(kind: Kind) -> u64 {
    PageClass::ALL
        .into_iter()
        .filter(|class| kind.keeps(*class))
        .fold(0, |mask, class| mask | 1 << class as u8)
}

/// The maps' sizes, and the pages that a dump will have.
fn sizes(
    options: &Options,
    live: &Live,
    found: &[u64; 16],
    first: u64,
    warnings: &mut Vec<String>,
) -> Result<(Sizes, u64), Error> {
    let of = |class: PageClass| found.get(class as usize).copied().unwrap_or(0);
    let image = live.ram.image.end.saturating_sub(live.ram.image.start);
    let must = of(PageClass::Slab) + of(PageClass::PageTable) + of(PageClass::OtherKernel) + image;
    let reserved = of(PageClass::Reserved);
    let unreferenced = of(PageClass::RefcountZero);
    // The image's pages are reserved ones, copied with those that must be.
    let kept = must - image + reserved + unreferenced;
    // The kernel may have grown by the time of the probe; what the list has no room for is found again by its class.
    let first = first + first::ROOM_FOR_TASK;
    let lanes: [u64; LANES] =
        [first, must + must / 2 + 65536, reserved + 4096, unreferenced * 2 + 65536, 0, 0, 0, 0];
    let wanted = kept + kept / 8 + 1024 + first;
    let available = available()?;
    let slots = match options.buffer_bytes {
        Some(bytes) if bytes > available => {
            return Err(Error::refused(
                format!(
                    "a buffer of {} MB is more than the {} MB of memory available",
                    bytes >> 20,
                    available >> 20
                ),
                "give it less (lkdbuf)",
            ));
        }
        Some(bytes) => bytes / 4096,
        None => {
            let most = available / 8 / 4096;
            if kept > most {
                warnings.push(format!(
                    "the buffer has {} MB (an eighth of the memory available), the kernel {} MB: the rest will be read after the thread went on",
                    most >> 8,
                    kept >> 8
                ));
            }
            wanted.min(most)
        }
    };
    if slots < 16 {
        return Err(Error::refused("the buffer is too small for any page", "give it more memory (lkdbuf)"));
    }
    // A test run copies nothing, and its buffer needs no memory.
    let slots = if options.work >= Work::Copy { slots.min(MOST_SLOTS) } else { 16 };
    Ok((Sizes { slots, lanes, cpus: live.cpu_slots + SPARE }, kept))
}

/// Fills the lane that is copied before classification.
fn list_first(engine: &Engine, first: &[u64]) -> Result<(), Error> {
    let [lane, ..] = &engine.ctl()?.lanes;
    let bytes: Vec<u8> = first.iter().flat_map(|frame| frame.to_ne_bytes()).collect();
    let list = engine.map_memory("lkd_list", bytes.len())?;
    if !list.write(get(&lane.base) as usize * 8, &bytes) {
        return Err(Error::Machine("the map of the list is shorter than it was made".into()));
    }
    set(&lane.wanted, first.len() as u64);
    Ok(())
}

/// Bytes of memory that could be had.
fn available() -> Result<u64, Error> {
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
        ("lkd_pages", engine.sizes.slots as usize * 4096),
        ("lkd_list", list),
        ("lkd_classes", engine.units * UNIT_PAGES as usize),
        ("lkd_bounce", crate::ctl::PEEKS * 4096),
        ("lkd_cpus", engine.sizes.cpus as usize * size_of::<CpuSlot>()),
        ("lkd_stack", crate::ctl::STACK_BYTES),
    ];
    for (name, len) in mappings {
        let mapping = engine.map_memory(name, len)?;
        for frame in frames_of_mapping(&mapping)? {
            let after = units.partition_point(|unit| unit.first <= frame);
            let Some(unit) = after.checked_sub(1).and_then(|place| units.get(place)) else { continue };
            if frame < unit.first + u64::from(unit.pages) {
                let place = u64::from(unit.base) + frame % UNIT_PAGES;
                if !engine.classes.write(place as usize, &[PageClass::Own as u8]) {
                    return Err(Error::Machine("the map of classes is shorter than it was made".into()));
                }
            }
        }
    }
    Ok(())
}
