//! The BPF programs in the kernel: opened from the embedded object, sized, loaded, and held by file descriptor.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Mutex;

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, ObjectBuilder, PrintLevel};
use lkd_dump::Request;
use zerocopy::IntoBytes;

use crate::buffer::{Buffer, Shape};
use crate::ctl::{BATCH, Ctl, LANES, UNIT_PAGES, Unit};
use crate::error::Error;
use crate::parts;
use crate::peek::Peeker;
use crate::sys::{Mapping, put_maps, run_program, update_map};

static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/capture.bpf.o"));

/// What libbpf warned of during a load. One load at a time: libbpf's print hook is the process'.
static WARNINGS: Mutex<String> = Mutex::new(String::new());

/// Which type a generated program has; the kernel lets it tail-call only into a trigger of the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TriggerProg {
    /// Raw tracepoints, and raw tracepoint programs that user space runs.
    RawTp,
    /// kprobes and uprobes by perf event.
    Kprobe,
    /// kprobes attached many at once (expected attach type BPF_TRACE_KPROBE_MULTI).
    KprobeMulti,
    /// Timers and counters.
    PerfEvent,
}

impl TriggerProg {
    fn program(self) -> &'static str {
        match self {
            TriggerProg::RawTp => "lkd_trigger_raw_tp",
            TriggerProg::Kprobe => "lkd_trigger_kprobe",
            TriggerProg::KprobeMulti => "lkd_trigger_kprobe_multi",
            TriggerProg::PerfEvent => "lkd_trigger_perf_event",
        }
    }
}

/// How large the engine's maps are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Pages of the buffer.
    pub slots: u64,
    /// Entries of the list, by lane.
    pub lanes: [u64; LANES],
    /// CPUs that may exist.
    pub cpus: u32,
    /// Words of the marks; 0: no kind needs them.
    pub marks: u64,
    /// The bits of the kinds that may be asked for.
    pub kinds: u32,
}

/// Programs that were loaded, their maps, and the maps' memory.
#[derive(Debug)]
pub struct Engine {
    maps: BTreeMap<String, OwnedFd>,
    programs: BTreeMap<String, OwnedFd>,
    /// The pieces of the buffer, in their order.
    pieces: Vec<OwnedFd>,
    control: Mapping,
    /// The class of every page, one byte each.
    pub classes: Mapping,
    pub sizes: Sizes,
    pub units: usize,
}

/// The programs that look at memory before anything is armed.
pub fn survey(units: &[Unit]) -> Result<Engine, Error> {
    let engine = load(units.len(), Sizes::default(), None, &["lkd_bases", "lkd_peek", "lkd_classify"])?;
    let bytes: Vec<u8> = units
        .iter()
        .flat_map(|unit| {
            unit.first
                .to_ne_bytes()
                .into_iter()
                .chain(unit.pages.to_ne_bytes())
                .chain(unit.base.to_ne_bytes())
        })
        .collect();
    let map = engine.map_memory("lkd_units", bytes.len())?;
    if !map.write(0, &bytes) {
        return Err(Error::Machine("the map of units is shorter than it was made".into()));
    }
    Ok(engine)
}

/// The programs of an arming, over the maps of units, classes and peeks of `survey`.
pub fn full(survey: &Engine, sizes: Sizes, triggers: &[TriggerProg]) -> Result<Engine, Error> {
    let mut programs = vec!["lkd_peek", "lkd_classify", "lkd_copy", "lkd_begin", "lkd_stop", "lkd_rehearse"];
    programs.extend(parts::programs(sizes.kinds));
    programs.extend(triggers.iter().map(|trigger| trigger.program()));
    load(survey.units, sizes, Some((survey, SURVEYED)), &programs)
}

/// More programs over all maps of an engine.
pub fn more(engine: &Engine, programs: &[&str]) -> Result<Engine, Error> {
    load(engine.units, engine.sizes, Some((engine, &[])), programs)
}

/// The maps that a survey has filled. Every other one is an arming's own.
const SURVEYED: &[&str] = &["lkd_units", "lkd_classes", "lkd_peeks", "lkd_bounce"];

impl Engine {
    /// The control block.
    pub fn ctl(&self) -> Result<&Ctl, Error> {
        self.control.ctl().ok_or_else(|| Error::Machine("the engine's control block is too short".into()))
    }

    /// The map of this name (`lkd_…`, see bpf/maps.h).
    pub fn map(&self, name: &str) -> Result<BorrowedFd<'_>, Error> {
        let fd =
            self.maps.get(name).ok_or_else(|| Error::Machine(format!("the engine has no map {name}")))?;
        Ok(fd.as_fd())
    }

    /// The program of this name.
    pub fn program(&self, name: &str) -> Result<BorrowedFd<'_>, Error> {
        let fd = self
            .programs
            .get(name)
            .ok_or_else(|| Error::Machine(format!("the engine has no program {name}")))?;
        Ok(fd.as_fd())
    }

    /// The trigger for programs of this type.
    pub fn trigger(&self, of: TriggerProg) -> Result<BorrowedFd<'_>, Error> {
        self.program(of.program())
    }

    /// The first `len` bytes of a map.
    pub fn map_memory(&self, name: &str, len: usize) -> Result<Mapping, Error> {
        let len = len.max(1).next_multiple_of(4096);
        Mapping::new(self.map(name)?, len)
            .map_err(|error| Error::io(format!("mapping {name} ({len} bytes)"), error))
    }

    /// The buffer of pages.
    pub fn buffer(&self) -> Result<Buffer, Error> {
        Buffer::map(Shape::of(self.sizes.slots), self.pieces.iter().map(AsFd::as_fd))
    }

    /// The pieces of the buffer, for somebody who keeps them instead.
    pub fn pieces(&self) -> &[OwnedFd] {
        &self.pieces
    }

    /// Holds the buffer's memory no longer than others do.
    pub fn let_go(&mut self) {
        self.pieces.clear();
    }

    /// Runs one of the programs that are not triggers.
    pub fn run(&self, name: &str) -> Result<u32, Error> {
        run_program(self.program(name)?).map_err(|error| Error::io(format!("running {name}"), error))
    }

    /// A reader of kernel memory.
    pub fn peeker(&self) -> Result<Peeker, Error> {
        let program = self.program("lkd_peek")?.try_clone_to_owned();
        let peeker = program.and_then(|program| {
            let (peeks, bounce) = (self.map("lkd_peeks"), self.map("lkd_bounce"));
            match (peeks, bounce) {
                (Ok(peeks), Ok(bounce)) => Peeker::new(program, peeks, bounce),
                _ => Err(io::ErrorKind::NotFound.into()),
            }
        });
        peeker.map_err(|error| Error::io("mapping the bounce buffer", error))
    }
}

/// A map into which generated programs tail-call: its element 0 is `trigger`.
pub fn prog_array(trigger: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    use std::os::fd::AsRawFd;
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as _,
        ..Default::default()
    };
    let refused = |error: libbpf_rs::Error| Error::Engine { error: error.to_string(), log: String::new() };
    let map =
        MapHandle::create(MapType::ProgArray, Some("lkd_trigger"), 4, 4, 1, &options).map_err(refused)?;
    map.update(&0u32.to_ne_bytes(), &trigger.as_raw_fd().to_ne_bytes(), MapFlags::ANY).map_err(refused)?;
    map.as_fd().try_clone_to_owned().map_err(|error| Error::io("keeping the trigger's map", error))
}

/// Puts the same request on every CPU, for a trigger that user space runs.
pub fn put_request(map: BorrowedFd<'_>, request: &Request) -> Result<(), Error> {
    let cpus =
        libbpf_rs::num_possible_cpus().map_err(|error| Error::Machine(format!("counting CPUs: {error}")))?;
    update_map(map, 0, &request.as_bytes().repeat(cpus))
        .map_err(|error| Error::io("handing over the request", error))
}

/// `over`: an engine whose maps of these names are used again; of no names: all.
fn load(
    units: usize,
    sizes: Sizes,
    over: Option<(&Engine, &[&str])>,
    programs: &[&str],
) -> Result<Engine, Error> {
    if let Ok(mut warnings) = WARNINGS.lock() {
        warnings.clear();
    }
    let before = libbpf_rs::set_print(Some((PrintLevel::Warn, |_, line| {
        if let Ok(mut warnings) = WARNINGS.lock() {
            warnings.push_str(&line);
        }
    })));
    let loaded = try_load(units, sizes, over, programs);
    libbpf_rs::set_print(before);
    let (maps, programs, pieces) = loaded.map_err(|error| Error::Engine {
        error: error.to_string(),
        log: WARNINGS.lock().map(|warnings| warnings.clone()).unwrap_or_default(),
    })?;

    let mapped = |name: &str, len: usize| {
        let fd = maps.get(name).ok_or_else(|| Error::Machine(format!("the engine has no map {name}")))?;
        Mapping::new(fd.as_fd(), len)
            .map_err(|error| Error::io(format!("mapping {name} ({len} bytes)"), error))
    };
    let control = mapped("lkd_ctl", 4096)?;
    let classes = mapped("lkd_classes", (units * UNIT_PAGES as usize).next_multiple_of(4096))?;
    Ok(Engine { maps, programs, pieces, control, classes, sizes, units })
}

type Loaded = (BTreeMap<String, OwnedFd>, BTreeMap<String, OwnedFd>, Vec<OwnedFd>);

fn try_load(
    units: usize,
    sizes: Sizes,
    over: Option<(&Engine, &[&str])>,
    wanted: &[&str],
) -> Result<Loaded, libbpf_rs::Error> {
    let entries = |n: u64| u32::try_from(n.max(1)).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let shape = Shape::of(sizes.slots);
    // Over all maps of another engine: its buffer too.
    let pieces = match over {
        Some((_, [])) => Vec::new(),
        _ => (0..shape.pieces).map(|_| piece(shape)).collect::<Result<Vec<_>, _>>()?,
    };
    let mut object = ObjectBuilder::default().name("lkd_capture")?.open_memory(OBJECT)?;
    for mut map in object.maps_mut() {
        let name = map.name().to_string_lossy().into_owned();
        match name.as_str() {
            "lkd_units" | "lkd_classes" => map.set_max_entries(entries(units as u64)?)?,
            "lkd_list" => map.set_max_entries(entries(sizes.lanes.iter().sum())?)?,
            "lkd_pages" => {
                map.set_max_entries(shape.pieces)?;
                if let Some(first) = pieces.first() {
                    map.set_inner_map_fd(first.as_fd())?;
                }
            }
            "lkd_marks" => map.set_max_entries(entries(sizes.marks)?)?,
            "lkd_cpus" => map.set_max_entries(entries(sizes.cpus.into())?)?,
            name => {
                if let Some(count) = parts::entries(name, sizes.kinds) {
                    map.set_max_entries(count)?;
                }
            }
        }
        if name.ends_with(".rodata") {
            // the programs' only constant: what the verifier may leave out
            let value = map.initial_value_mut().filter(|value| value.len() == 4);
            let value = value.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            value.copy_from_slice(&sizes.kinds.to_ne_bytes());
            continue;
        }
        if let Some((over, names)) = over
            && (names.is_empty() || names.contains(&name.as_str()))
            && let Some(fd) = over.maps.get(&name)
        {
            map.reuse_fd(fd.as_fd())?;
        }
    }
    for mut program in object.progs_mut() {
        let load = wanted.iter().any(|name| program.name() == *name);
        program.set_autoload(load);
    }
    let object = object.load()?;
    let mut maps = BTreeMap::new();
    for map in object.maps() {
        if map.name() == "lkd_pages" && !pieces.is_empty() {
            put_maps(map.as_fd(), &pieces.iter().map(AsFd::as_fd).collect::<Vec<_>>())?;
        }
        maps.insert(map.name().to_string_lossy().into_owned(), map.as_fd().try_clone_to_owned()?);
    }
    let mut programs = BTreeMap::new();
    for program in object.progs() {
        if wanted.iter().any(|name| program.name() == *name) {
            programs
                .insert(program.name().to_string_lossy().into_owned(), program.as_fd().try_clone_to_owned()?);
        }
    }
    Ok((maps, programs, pieces))
}

/// A piece of the buffer.
fn piece(shape: Shape) -> Result<OwnedFd, libbpf_rs::Error> {
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as _,
        map_flags: libbpf_sys::BPF_F_MMAPABLE,
        ..Default::default()
    };
    let bytes = BATCH as u32 * lkd_dump::PAGE_SIZE as u32;
    let map = MapHandle::create(MapType::Array, Some("lkd_piece"), 4, bytes, shape.batches, &options)?;
    Ok(map.as_fd().try_clone_to_owned()?)
}
