//! Arming: everything that could fail is done before the probe, so that the trigger only has to run.
//!
//! [`prepare`](crate::prepare) → what stops CPUs is attached → writer started, with the threads that wake CPUs → rehearsed → armed

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lkd_dump::Request;

use crate::ctl::{State, get};
use crate::engine::{self, Engine, TriggerProg};
use crate::error::{Error, plain};
use crate::freeze::Freeze;
use crate::options::Options;
use crate::prepare::{Prepared, cpus, prepare};
use crate::progress::Event;
use crate::sys::{Mapping, run_program, spawn_with};
use crate::{takeover, writer};

/// How long the writer may take to start its threads.
const START: Duration = Duration::from_secs(30);

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
    /// Holds what is attached; let go, nothing is stopped any more.
    freeze: Freeze,
}

/// Makes ready to take a shot.
///
/// # Errors
/// What is missing and how to get it: privileges, a kernel feature, a fit directory, room.
pub fn arm(options: &Options) -> Result<Armed, Error> {
    let prepared = prepare(options)?;
    let mut freeze =
        if options.freeze { Freeze::attach(&prepared.engine)? } else { Freeze::alone("it was asked for") };
    prepared.reset(1)?;
    let arrays = options
        .programs
        .iter()
        .map(|of| Ok((*of, engine::prog_array(prepared.engine.trigger(*of)?)?)))
        .collect::<Result<Vec<_>, Error>>()?;
    let (writer, progress) = start_writer(options, &prepared)?;
    let Prepared { mut engine, mut warnings, found, .. } = prepared;
    engine.let_go();
    let mut armed = Armed {
        engine,
        arrays,
        progress: BufReader::new(progress),
        line: String::new(),
        writer,
        warnings: Vec::new(),
        gone: false,
        found,
        freeze: Freeze::default(),
    };
    // Until the writer is told to go on it waits for nothing.
    let slow = armed.until_ready()?;
    freeze.rehearse(&armed.engine, &cpus(&armed.engine)?, slow)?;
    if options.freeze {
        warnings.extend(
            freeze.alone.iter().map(|why| {
                format!("no CPU but the probe's own can be stopped, dumps will be smeared: {why}")
            }),
        );
        warnings.extend(freeze.clock.iter().map(|why| {
            format!("CPUs are stopped by a clock too, a thousand times a second, which costs some of their time: {why}")
        }));
    }
    (armed.warnings, armed.freeze) = (warnings, freeze);
    armed.engine.ctl()?.arm();
    armed
        .progress
        .get_ref()
        .write_all(b"g")
        .map_err(|error| Error::io("telling the writer to go on", error))?;
    Ok(armed)
}

fn start_writer(options: &Options, prepared: &Prepared) -> Result<(Child, UnixStream), Error> {
    let (ours, theirs) =
        UnixStream::pair().map_err(|error| Error::io("making a socket for the writer", error))?;
    let handover = takeover::handover(options, prepared, theirs.as_fd())?;
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
    /// Waits until the writer's threads are there; gives why they may be slow.
    fn until_ready(&mut self) -> Result<Option<String>, Error> {
        match self.next_event(START)? {
            Some(Event::Ready { slow }) => Ok(slow),
            Some(Event::Failed { why }) => Err(Error::Machine(format!("the writer did not start: {why}"))),
            Some(_) | None => Err(Error::Machine("the writer did not start".into())),
        }
    }

    /// How CPUs are stopped: why only the probing thread can be held, if so.
    pub fn alone(&self) -> Option<&str> {
        self.freeze.alone.as_deref()
    }

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
                    // Nobody is there who would write what the next lkd() stopped the machine for.
                    self.engine.ctl()?.disarm();
                    let how = ended(self.writer.wait());
                    return Ok(Some(Event::Gone { how }));
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
            let last = matches!(event, Event::Done { .. } | Event::Failed { .. } | Event::Gone { .. });
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
        Ok(crate::taken::read_shot(&memory, self.engine.ctl()?).ok())
    }
}

/// How a writer has ended that told nothing of it.
fn ended(status: std::io::Result<ExitStatus>) -> String {
    match status.map(|status| (status.signal(), status.code())) {
        Ok((Some(signal), _)) => format!("was killed by signal {signal}: no live dump"),
        Ok((None, Some(0))) => {
            "has ended, and what it told last was lost: whether there is a dump, its directory shows".into()
        }
        Ok((None, code)) => format!("has failed with status {}: no live dump", code.unwrap_or_default()),
        Err(error) => format!("has ended, nobody knows how: {}", plain(&error)),
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
