//! One run of a script, from loaded programs to the last record and the closed books.
//!
//! Everything happens on the caller's thread, in [`Session::poll`]: records are taken from the ring, clocks that we run by hand
//! are fired, losses are counted, and when the end has come (exit(), ^C, the targets' end) the [`Activity`] goes on: probes are
//! detached, END runs, the ring is emptied.

mod clock;
mod counters;

use crate::activity::Activity;
use crate::attach::{Attached, attach};
pub use crate::bind::ProgramType;
pub use crate::error::{Error, LoadError};
pub use crate::event::{DropKind, Drops, Event, Tally, TargetEnd};
use crate::facts::Facts;
pub use crate::load::LkdFds;
use crate::load::{Loaded, Loading, Maps, load};
use crate::ring::{self, Ring};
use crate::sys::{self, Shared};
use crate::target::Target;
use clock::Clock;
use counters::Counters;
use lkd_codegen::abi::{self, State};
use lkd_codegen::record::Record;
use lkd_codegen::{Bound, Object, Place};
use lkd_kernel::probes::{Catalog, ProbeId, Site};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// What a session is given beside its programs.
pub struct Config<'a> {
    /// `None`: lkd() calls find no engine and are counted.
    pub lkd: Option<LkdFds<'a>>,
    /// The session ends when the last of them has.
    pub targets: Vec<Target>,
    /// A refused program's log may be this long; without it only what a sentence needs is kept.
    pub bpflog: bool,
    pub bpflog_bytes: u32,
    /// Asked while many programs are being loaded and attached, which can take long: true gives up (^C).
    pub interrupted: fn() -> bool,
}

impl Default for Config<'_> {
    fn default() -> Self {
        Config {
            lkd: None,
            targets: Vec::new(),
            bpflog: false,
            bpflog_bytes: 16 << 20,
            interrupted: || false,
        }
    }
}

/// The reader looks at least this often while records may come: programs wake it only for what cannot wait.
const LOOK: Duration = Duration::from_millis(10);
/// In a flood the reader looks no more often than this: looking takes the ring's first lines from the CPUs that write there, and
/// every look that finds little costs as much as one that finds a lot.
const PACE: Duration = Duration::from_millis(4);
/// How full the ring may be for the reader to keep that pace.
const CALM: f64 = 0.25;
/// Records handed out before clocks and targets are looked at again: what is made of them waits in memory until then.
const BATCH: usize = 1 << 12;
/// How often losses are told: DTrace's `statusrate`.
const STATUS: Duration = Duration::from_secs(1);
/// How long programs that were running when their probe was detached may take to finish their records.
const STRAGGLERS: Duration = Duration::from_millis(200);

/// See the file's head.
pub struct Session<'a> {
    catalog: &'a Catalog,
    facts: &'a Facts,
    activity: Activity,
    ring: Ring,
    maps: Maps,
    ctl: Shared,
    counters: Counters,
    progs: Vec<Loaded>,
    attached: Attached,
    clocks: Vec<Clock>,
    targets: Vec<Target>,
    interrupted: fn() -> bool,
    stop: bool,
    /// exit() was called before we set the state ourselves.
    exited: bool,
    delivered: u64,
    unreadable: u64,
    status_at: Instant,
    looked_at: Instant,
    /// [`Session::attend`] found the targets gone, and nobody has been told.
    target_gone: bool,
    /// How long stragglers are waited for.
    settled_by: Instant,
}

impl<'a> Session<'a> {
    /// Makes the maps and loads the programs; nothing runs yet. `bound` must be what `object` was compiled for.
    pub fn load(
        object: &Object,
        bound: &[Bound],
        catalog: &'a Catalog,
        facts: &'a Facts,
        config: Config<'_>,
    ) -> Result<Session<'a>, Error> {
        sys::silence_libbpf();
        let maps = Maps::create(object, config.lkd.as_ref())?;
        let map = |name: &'static str| maps.get(name).ok_or(Error::NoMap(name));
        let ring_bytes = object.map(abi::RING).ok_or(Error::NoMap(abi::RING))?.max_entries;
        let ring = Ring::new(map(abi::RING)?, ring_bytes)?;
        let page = sys::page_size();
        let ctl = Shared::map(map(abi::CTL)?, 0, page, true, "the session's state")?;
        let counters = Counters::new(map(abi::COUNTERS)?, facts.cpus().possible)?;
        let log_most = if config.bpflog {
            config.bpflog_bytes as usize
        } else {
            config.bpflog_bytes.min(1 << 20) as usize
        };
        let mut attached = Attached::default();
        let how = Loading { log_most, interrupted: config.interrupted };
        let progs = load(object, &maps, catalog, facts, how, &mut attached.skipped)?;
        let mut clocks = Vec::new();
        for bound in bound.iter().filter(|b| b.place == Place::User) {
            let Some(Site::Tick { period_ns }) = catalog.probe(ProbeId(bound.probe)).map(|p| p.site) else {
                continue;
            };
            if let Some(prog) = progs.iter().position(|p| p.probes.contains(&bound.probe)) {
                clocks.push(Clock::new(prog, period_ns)?);
            }
        }
        Ok(Session {
            catalog,
            facts,
            activity: Activity::Inactive,
            ring,
            maps,
            ctl,
            counters,
            progs,
            attached,
            clocks,
            targets: config.targets,
            interrupted: config.interrupted,
            stop: false,
            exited: false,
            delivered: 0,
            unreadable: 0,
            status_at: Instant::now(),
            looked_at: Instant::now(),
            target_gone: false,
            settled_by: Instant::now(),
        })
    }

    /// Runs BEGIN, attaches the probes and lets the targets go; an exit() in BEGIN leaves out the rest.
    pub fn start(&mut self) -> Result<(), Error> {
        if !self.activity.advance(Activity::Warmup) {
            return Ok(());
        }
        self.publish_realtime();
        self.run(Place::Begin)?;
        if self.state() != State::Inactive as u32 {
            return Ok(());
        }
        for prog in &self.progs {
            attach(prog, self.catalog, self.facts, self.interrupted, &mut self.attached)?;
            if (self.interrupted)() {
                // the next poll() detaches what is attached already, and ends
                self.stop = true;
                return Ok(());
            }
        }
        ring::advance_state(
            self.ctl.u32(abi::CTL_STATE as usize),
            State::Inactive as u32,
            State::Active as u32,
        );
        for clock in &mut self.clocks {
            clock.start()?;
        }
        for target in &mut self.targets {
            target.let_go().map_err(Error::Target)?;
        }
        self.activity.advance(Activity::Active);
        Ok(())
    }

    /// Waits at most `timeout` for something to happen, hands out what came (a batch at a time), and drives the lifecycle. After
    /// [`Activity::Stopped`] it returns at once.
    pub fn poll(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event<'_>)) -> Result<Activity, Error> {
        match self.activity {
            Activity::Inactive | Activity::Stopped => return Ok(self.activity),
            Activity::Draining | Activity::Cooldown => return self.wind_up(sink),
            // exit() in BEGIN: nothing was attached
            Activity::Warmup => {
                self.detach();
                return self.wind_up(sink);
            }
            Activity::Active => {}
        }
        let until = Instant::now() + timeout;
        loop {
            self.keep_pace();
            let taken = self.drain(BATCH, sink);
            self.fire_clocks()?;
            self.look_at_targets(sink);
            if self.status_at.elapsed() >= STATUS {
                self.status_at = Instant::now();
                self.publish_realtime();
                self.tell_drops(sink);
            }
            if self.stop || self.state() >= State::Draining as u32 {
                self.detach();
                return Ok(self.activity);
            }
            let left = until.saturating_duration_since(Instant::now());
            if taken > 0 || left.is_zero() {
                return Ok(self.activity);
            }
            self.wait(left.min(LOOK), true);
        }
    }

    /// What goes on while nobody takes records, because their reader stands still: clocks fire, and when the end has come the
    /// probes are detached. Says whether it has.
    pub fn attend(&mut self) -> Result<bool, Error> {
        if self.activity == Activity::Active {
            self.fire_clocks()?;
            let gone = !self.targets.is_empty() && self.targets.iter().all(Target::is_gone);
            self.target_gone |= gone;
            if self.stop || gone || self.state() >= State::Draining as u32 {
                self.detach();
            }
        }
        Ok(self.activity >= Activity::Draining)
    }

    /// Records that were handed out, and could not be shown: they count as lost.
    pub fn disown(&mut self, records: u64) {
        let records = records.min(self.delivered);
        self.delivered -= records;
        self.unreadable += records;
    }

    /// After a look that found something, the next one is not at once, unless there is much to take.
    fn keep_pace(&mut self) {
        let since = self.looked_at.elapsed();
        if since < PACE && self.ring.fullness() < CALM && self.state() < State::Draining as u32 {
            self.wait(PACE - since, false);
        }
        self.looked_at = Instant::now();
    }

    /// ^C: the next [`Session::poll`] ends tracing.
    pub fn stop(&mut self) {
        self.stop = true;
    }

    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// exit()'s argument, once it has been called.
    pub fn exit_status(&self) -> Option<i32> {
        let status = ring::state(self.ctl.u32(abi::CTL_STATUS as usize)) as i32;
        // once we have set the state ourselves it no longer tells; END may still call exit()
        let ours = self.activity >= Activity::Draining;
        let called = if ours { self.exited || status != 0 } else { self.state() >= State::Draining as u32 };
        called.then_some(status)
    }

    /// Probes that were meant but could not be enabled (some of many), each with its reason.
    pub fn skipped(&self) -> &[String] {
        &self.attached.skipped
    }

    pub fn tally(&self) -> Tally {
        let lost = self.counters.total(DropKind::Principal) + self.counters.total(DropKind::Errors);
        Tally { made: self.counters.made(), delivered: self.delivered, dropped: lost + self.unreadable }
    }

    /// What walltimestamp adds to the time since boot. Clocks are set and machines sleep: once is not enough.
    fn publish_realtime(&self) {
        ring::publish(self.ctl.u64(abi::CTL_REALTIME as usize), sys::realtime_offset() as u64);
    }

    fn state(&self) -> u32 {
        ring::state(self.ctl.u32(abi::CTL_STATE as usize))
    }

    /// Runs the programs of BEGIN or END here and now.
    fn run(&self, place: Place) -> Result<(), Error> {
        for prog in self.progs.iter().filter(|p| p.place == place) {
            sys::prog_run(prog.fd.as_fd(), &prog.name)?;
        }
        Ok(())
    }

    fn drain(&mut self, most: usize, sink: &mut dyn FnMut(Event<'_>)) -> usize {
        let (delivered, unreadable) = (&mut self.delivered, &mut self.unreadable);
        self.ring.read(most, |bytes| {
            let event = match Record::parse(bytes) {
                Ok(Record::Data(data)) => Event::Record(data),
                Ok(Record::Error(error)) => Event::Error(error),
                Err(_) => {
                    *unreadable += 1;
                    return;
                }
            };
            *delivered += 1;
            sink(event);
        })
    }

    fn fire_clocks(&mut self) -> Result<(), Error> {
        for clock in &mut self.clocks {
            for _ in 0..clock.due() {
                if let Some(prog) = self.progs.get(clock.prog) {
                    sys::prog_run(prog.fd.as_fd(), &prog.name)?;
                }
            }
        }
        Ok(())
    }

    fn look_at_targets(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        for target in &mut self.targets {
            if let Some(how) = target.take_end() {
                sink(Event::TargetEnded { pid: target.pid(), how });
            }
        }
        if !self.targets.is_empty() && self.targets.iter().all(Target::has_ended) {
            self.stop = true;
        }
    }

    fn tell_drops(&mut self, sink: &mut dyn FnMut(Event<'_>)) {
        let skipped = self.progs.iter().filter_map(|p| sys::prog_misses(p.fd.as_fd()).ok()).sum();
        self.counters.news(skipped, &mut |drops| sink(Event::Drops(drops)));
    }

    /// Sleeps until a clock is due, a target ends, a record is urgent, a signal comes, or `most` has passed.
    fn wait(&self, most: Duration, for_records: bool) {
        let ring = self.maps.get(abi::RING).filter(|_| for_records);
        let fds = self
            .clocks
            .iter()
            .map(Clock::fd)
            .chain(self.targets.iter().filter(|t| !t.has_ended()).map(Target::fd))
            .chain(ring);
        let mut fds: Vec<PollFd<'_>> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let most = Timespec { tv_sec: 0, tv_nsec: most.as_nanos().min(999_999_999) as i64 };
        // an interrupted sleep is a short one
        let _ = poll(&mut fds, Some(&most));
    }

    /// No probe fires from here on. What was made before is still to be handed out.
    fn detach(&mut self) {
        let state = self.ctl.u32(abi::CTL_STATE as usize);
        self.exited = ring::state(state) >= State::Draining as u32;
        ring::force_state(state, State::Draining as u32);
        self.activity.advance(Activity::Draining);
        self.clocks.clear();
        self.attached.held.clear();
        self.settled_by = Instant::now() + STRAGGLERS;
    }

    /// The way from Draining to Stopped: the ring is emptied, a batch at a call; END runs; the ring is emptied again. Programs
    /// that were still writing when they were detached are waited for.
    fn wind_up(&mut self, sink: &mut dyn FnMut(Event<'_>)) -> Result<Activity, Error> {
        if std::mem::take(&mut self.target_gone) {
            self.look_at_targets(sink);
        }
        loop {
            if self.drain(BATCH, sink) > 0 {
                return Ok(self.activity);
            }
            if !self.tally().balanced() && Instant::now() < self.settled_by {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            if self.activity.advance(Activity::Cooldown) {
                let ran = self.run(Place::End);
                self.settled_by = Instant::now() + STRAGGLERS;
                if ran.is_ok() {
                    continue;
                }
                self.tell_drops(sink);
                self.activity.advance(Activity::Stopped);
                return ran.map(|()| self.activity);
            }
            self.tell_drops(sink);
            self.activity.advance(Activity::Stopped);
            return Ok(self.activity);
        }
    }
}
