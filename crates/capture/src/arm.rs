//! Arming: everything that could fail is done before the probe, so that the trigger only has to run.
//!
//! checks → survey (bases, one pass to size the buffer) → engine → own buffers marked → writer started → armed

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lkd_dump::{Kind, PageClass, Request};

use crate::ctl::{LANES, MOST_SLOTS, State, UNIT_PAGES, get, set};
use crate::engine::{self, Engine, Sizes, TriggerProg};
use crate::error::Error;
use crate::live::{Live, frames_of_mapping};
use crate::options::Options;
use crate::pass::classify_rest;
use crate::progress::Event;
use crate::sys::{Mapping, run_program, spawn_with};
use crate::{doctor, first, takeover, target, writer};

/// An armed trigger. Dropped, it is disarmed; a dump under way is completed by the writer alone.
#[derive(Debug)]
pub struct Armed {
    engine: Engine,
    arrays: Vec<(TriggerProg, OwnedFd)>,
    progress: BufReader<UnixStream>,
    line: String,
    writer: Child,
    warnings: Vec<String>,
    gone: bool,
    /// What the sizing pass met, by class.
    found: [u64; 16],
}

/// Makes ready to take a shot.
///
/// # Errors
/// What is missing and how to get it: privileges, a kernel feature, a fit directory, room.
pub fn arm(options: &Options) -> Result<Armed, Error> {
    doctor::require()?;
    let free = if options.copy { target::prepare(&options.root)? } else { u64::MAX };
    let (live, survey) = Live::find()?;
    live.settle(&survey)?;
    set(&survey.ctl()?.classes_kept, classes_kept(Kind::Kernel));
    classify_rest(survey.ctl()?, || survey.run("lkd_classify"))?;
    let found = survey.ctl()?.found();

    let mut warnings = Vec::new();
    let first = if options.copy { first::pages(&live, &survey) } else { Vec::new() };
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
    set(&ctl.copy, u64::from(options.copy));
    set(&ctl.emit, 1);
    let mut base = 0;
    for (lane, room) in ctl.lanes.iter().zip(sizes.lanes) {
        set(&lane.base, base);
        set(&lane.room, room);
        base += room;
    }
    mark_own(&engine, &live)?;

    let arrays = options
        .programs
        .iter()
        .map(|of| Ok((*of, engine::prog_array(engine.trigger(*of)?)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    ctl.reset_pass();
    list_first(&engine, &first)?;
    set(&ctl.sequence, 1);
    // before the writer, which ends when it finds the trigger disarmed; no program can reach the trigger yet
    ctl.arm();
    let (writer, progress) = start_writer(options, &live, &engine)?;
    Ok(Armed {
        engine,
        arrays,
        progress: BufReader::new(progress),
        line: String::new(),
        writer,
        warnings,
        gone: false,
        found,
    })
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
    let slots = if options.copy { slots.min(MOST_SLOTS) } else { 16 };
    Ok((Sizes { slots, lanes }, kept))
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

fn start_writer(options: &Options, live: &Live, engine: &Engine) -> Result<(Child, UnixStream), Error> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|error| Error::io("making a socket for the writer", error))?;
    let handover = takeover::handover(options, live, engine, theirs.as_fd())?;
    let failed = |error| Error::io("handing over to the writer", error);
    let memory = rustix::fs::memfd_create("lkd-handover", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|error| failed(error.into()))?;
    let mut file = fs::File::from(memory);
    file.write_all(&handover.text.encode()).map_err(failed)?;

    let exe = options.writer.clone().unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
    let mut command = Command::new(&exe);
    command
        .arg(writer::ARG)
        .arg(std::os::fd::AsRawFd::as_raw_fd(&file).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/");
    let mut fds = handover.fds;
    fds.push(file.as_fd());
    let child = spawn_with(&mut command, &fds)
        .map_err(|error| Error::io(format!("starting the writer ({})", exe.display()), error))?;
    Ok((child, ours))
}

impl Armed {
    /// The map into which a program of this type tail-calls, at index 0; `None` when [`Options::programs`] lacks the type.
    pub fn prog_array_fd(&self, of: TriggerProg) -> Option<BorrowedFd<'_>> {
        self.arrays.iter().find(|(have, _)| *have == of).map(|(_, fd)| fd.as_fd())
    }

    /// The per-CPU array (one element, key 0) that takes a [`Request`] before the tail call.
    pub fn request_map_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.engine.map("lkd_request")
    }

    /// What a person should know before the shot.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Pages met by the sizing pass, by the number of their class.
    pub fn found(&self) -> [u64; 16] {
        self.found
    }

    /// Readable when [`Armed::next_event`] has something to tell.
    pub fn progress_fd(&self) -> BorrowedFd<'_> {
        self.progress.get_ref().as_fd()
    }

    /// The writer's next event; `None` when none came in time, and always after [`Event::Gone`].
    pub fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, Error> {
        if self.gone {
            return Ok(None);
        }
        let failed = |error| Error::io("reading the writer's progress", error);
        let until = Instant::now() + timeout;
        loop {
            if self.progress.buffer().is_empty() {
                let left = until.saturating_duration_since(Instant::now());
                let left = rustix::time::Timespec {
                    tv_sec: left.as_secs() as i64,
                    tv_nsec: left.subsec_nanos().into(),
                };
                let mut polled =
                    [rustix::event::PollFd::new(self.progress.get_ref(), rustix::event::PollFlags::IN)];
                match rustix::event::poll(&mut polled, Some(&left)) {
                    Ok(0) => return Ok(None),
                    Ok(_) => {}
                    Err(rustix::io::Errno::INTR) => return Ok(None),
                    Err(error) => return Err(failed(error.into())),
                }
            }
            match self.progress.read_line(&mut self.line) {
                Ok(0) => {
                    self.gone = true;
                    let _ = self.writer.wait();
                    return Ok(Some(Event::Gone));
                }
                Ok(_) if self.line.ends_with('\n') => {
                    let event = Event::decode(&self.line);
                    self.line.clear();
                    if event.is_some() {
                        return Ok(event);
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// If a shot was taken, waits until its dump is done or has failed; gives the events since the last one read.
    pub fn wait(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        while self.taken() && !self.gone {
            let Some(event) = self.next_event(Duration::from_secs(1))? else { continue };
            let last = matches!(event, Event::Done { .. } | Event::Failed { .. } | Event::Gone);
            events.push(event);
            if last {
                break;
            }
        }
        Ok(events)
    }

    /// Whether a shot was taken.
    pub fn taken(&self) -> bool {
        self.engine.ctl().is_ok_and(|ctl| matches!(ctl.state(), State::Taken | State::Held))
    }

    /// lkd() calls that found the trigger taken. One dump is made for each arming.
    pub fn dropped(&self) -> u64 {
        self.engine.ctl().map_or(0, |ctl| get(&ctl.dropped))
    }

    /// Takes the shot here and now, in this thread; [`TriggerProg::RawTp`] must be among the programs.
    pub fn trigger_now(&self, request: &Request) -> Result<(), Error> {
        engine::put_request(self.request_map_fd()?, request)?;
        run_program(self.engine.trigger(TriggerProg::RawTp)?)
            .map(|_| ())
            .map_err(|error| Error::io("running the trigger", error))
    }

    /// The shot as the trigger left it; `None` before.
    pub fn shot(&self) -> Result<Option<lkd_dump::Shot>, Error> {
        if self.engine.ctl()?.state() != State::Held {
            return Ok(None);
        }
        let memory: Mapping = self.engine.map_memory("lkd_shot", size_of::<lkd_dump::Shot>())?;
        Ok(takeover::read_shot(&memory, self.engine.ctl()?).ok())
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        // The writer sees the socket close and disarms too; doing it here ends drops that nobody would be told of.
        if let Ok(ctl) = self.engine.ctl() {
            ctl.disarm();
        }
    }
}
