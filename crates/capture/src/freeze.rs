//! How all CPUs are brought to stand still: the programs on the entries of interrupts, and the proof that they will be reached.
//!
//! What a kernel lacks is found by trying. From best to least:
//!
//! 1. interrupts that a woken thread causes (bpf/stop.h): some tens of microseconds, and no cost until then
//! 2. besides, a clock event on each CPU, where not every CPU can be woken that way: a millisecond, at some cost
//! 3. the probing thread alone is held, and others run on: no consistent dump, and the user is told why

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::cpus::Cpus;
use crate::ctl::{get, set};
use crate::engine::{self, Engine};
use crate::error::{Error, plain};
use crate::sys::{clock_event, raw_tracepoint};

/// The interrupts that every CPU takes when it is woken, called or its time has come. Their work is still to be done, so nothing
/// of the kernel's is half-way.
const ENTRIES: [&CStr; 4] =
    [c"reschedule_entry", c"call_function_single_entry", c"call_function_entry", c"local_timer_entry"];
/// The interrupt that a program can ask for on its own CPU.
const OWN_ENTRY: &CStr = c"irq_work_entry";
const OWN_EXIT: &CStr = c"irq_work_exit";

/// The backup's period.
const CLOCK_NS: u64 = 1_000_000;

/// How long the interrupt that was asked for, and the threads that it wakes, may take in the rehearsal.
const REHEARSAL: Duration = Duration::from_secs(2);

/// What stops CPUs, for as long as it lives.
#[derive(Debug, Default)]
pub struct Freeze {
    links: Vec<OwnedFd>,
    more: Vec<Engine>,
    /// Why only the probing thread can be held.
    pub alone: Option<String>,
    /// Why clock events are needed.
    pub clock: Option<String>,
}

impl Freeze {
    /// The probing thread alone.
    pub fn alone(why: impl Into<String>) -> Freeze {
        Freeze { alone: Some(why.into()), ..Freeze::default() }
    }

    /// Attaches what stops CPUs. Nothing is stopped until [`Freeze::rehearse`] has found that all works.
    pub fn attach(engine: &Engine) -> Result<Freeze, Error> {
        let (begin, stop) = (engine.program("lkd_begin")?, engine.program("lkd_stop")?);
        let mut freeze = Freeze::default();
        for (name, program) in [(OWN_EXIT, stop), (OWN_ENTRY, begin)] {
            match raw_tracepoint(name, program) {
                Ok(link) => freeze.links.push(link),
                Err(error) => {
                    let name = name.to_string_lossy();
                    return Ok(Freeze::alone(format!(
                        "the tracepoint {name} cannot be used: {}",
                        plain(&error)
                    )));
                }
            }
        }
        for name in ENTRIES {
            match raw_tracepoint(name, stop) {
                Ok(link) => freeze.links.push(link),
                Err(error) => {
                    let why = format!(
                        "the tracepoint {} cannot be used: {}",
                        name.to_string_lossy(),
                        plain(&error)
                    );
                    freeze.clock = freeze.clock.or(Some(why));
                }
            }
        }
        Ok(freeze)
    }

    /// Tries what a trigger depends on, and decides how CPUs will be stopped. `slow`: why threads may be late.
    pub fn rehearse(&mut self, engine: &Engine, cpus: &Cpus, slow: Option<String>) -> Result<(), Error> {
        let ctl = engine.ctl()?;
        if self.alone.is_some() {
            return Ok(());
        }
        set(&ctl.rehearsed, 0);
        let woken = |cpu| cpus.get(cpu).map_or(0, |slot| slot.woken);
        let before: Vec<(u32, u64)> =
            cpus.all().filter(|(_, slot)| slot.expected == 1).map(|(cpu, slot)| (cpu, slot.woken)).collect();
        engine.run("lkd_rehearse")?;
        if !true_by(Instant::now() + REHEARSAL, || get(&ctl.rehearsed) == 1) {
            *self = Freeze::alone("an interrupt that a program asks for does not come");
            set(&ctl.pending, 0);
            return Ok(());
        }
        let until = Instant::now() + REHEARSAL;
        let asleep = before.iter().find(|(cpu, before)| !true_by(until, || woken(*cpu) != *before));
        self.clock = self
            .clock
            .take()
            .or(slow.map(|why| format!("threads that wake CPUs get no real-time priority ({why})")))
            .or(asleep.map(|(cpu, _)| format!("the thread on CPU {cpu} was not woken")));
        if self.clock.is_some()
            && let Err(error) = self.clocks(engine, cpus)
        {
            let why = self.clock.take().unwrap_or_default();
            *self = Freeze::alone(format!("{why}, and no clock event: {}", plain(&error)));
            return Ok(());
        }
        set(&ctl.rendezvous, 1);
        Ok(())
    }

    /// Clock events on all CPUs that are expected to stop.
    fn clocks(&mut self, engine: &Engine, cpus: &Cpus) -> Result<(), Error> {
        let more = engine::more(engine, &["lkd_stop_perf"])?;
        for (cpu, _) in cpus.all().filter(|(_, slot)| slot.expected == 1) {
            let event = clock_event(cpu, CLOCK_NS, more.program("lkd_stop_perf")?);
            self.links.push(event.map_err(|error| Error::io(format!("a clock event on CPU {cpu}"), error))?);
        }
        self.more.push(more);
        Ok(())
    }
}

/// Whether it becomes true in time.
fn true_by(until: Instant, is: impl Fn() -> bool) -> bool {
    while !is() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    true
}
