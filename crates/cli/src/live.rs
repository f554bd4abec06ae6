//! A script's `lkd()` and the capture engine: arming, the descriptors that the generated programs call into, and what the user
//! is told while a dump is taken and written.

use crate::input::Input;
use crate::output::Output;
use crate::signals;
use lkd_capture::{Armed, Event, Options as Capture, ProbeName, TriggerProg};
use lkd_dlang::options::{Opt, Options};
use lkd_dlang::program::{ActionKind, ExprKind, Program, Stmt};
use lkd_dump::{Kind, Request};
use lkd_kernel::probes::{Catalog, ProbeId};
use lkd_trace::bind::{self, Binding};
use lkd_trace::facts::Facts;
use lkd_trace::session::{LkdFds, ProgramType};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bounds of `-x lkdmaxpause`, in nanoseconds. Beyond the longest a kernel's own watchdogs would take the pause for a lockup.
const SHORTEST_PAUSE: u64 = 1_000_000;
const LONGEST_PAUSE: u64 = 10_000_000_000;

/// The engine, armed for one session.
pub struct LiveDump {
    armed: Armed,
    /// Where the dump is, when it is written.
    written: Option<PathBuf>,
    /// A dump was asked for, and none was completed.
    failed: bool,
    /// The writer has told its last.
    ended: bool,
}

impl LiveDump {
    /// `None` if no clause of the script can take a dump.
    ///
    /// # Errors
    /// A sentence: what is missing and what to do.
    pub fn arm(
        program: &Program,
        binding: &Binding,
        catalog: &Catalog,
        facts: &Facts,
        inputs: &[Input],
    ) -> Result<Option<LiveDump>, String> {
        let asked = kinds(program);
        if asked.is_empty() {
            return Ok(None);
        }
        let kinds = bind::trigger_kinds(&binding.bound, program, facts);
        let names = binding.bound.iter().filter_map(|b| catalog.probe(ProbeId(b.probe))).map(|p| ProbeName {
            id: p.id.0,
            provider: p.provider.into(),
            module: p.module.into(),
            function: p.function.into(),
            name: p.name.into(),
        });
        let mut options =
            capture_options(&program.options).map_err(|e| format!("-x {}: {}", e.name, e.why))?;
        options.kinds = asked;
        options.programs = kinds.iter().copied().map(trigger).collect();
        options.probes = names.collect();
        options.script = inputs.iter().map(Input::spoken).collect::<Vec<_>>().join(", ");
        LiveDump::of(&options).map(Some)
    }

    /// An engine that is armed as told.
    ///
    /// # Errors
    /// A sentence: what is missing and what to do.
    pub fn of(options: &Capture) -> Result<LiveDump, String> {
        let armed = lkd_capture::arm(options).map_err(|e| e.to_string())?;
        Ok(LiveDump { armed, written: None, failed: false, ended: false })
    }

    /// Takes the shot here and now, in this thread.
    ///
    /// # Errors
    /// A sentence: why the kernel did not run the trigger, or that it took no shot.
    pub fn take(&self, request: &Request) -> Result<(), String> {
        self.armed.trigger_now(request).map_err(|e| e.to_string())?;
        if self.armed.taken() { Ok(()) } else { Err("the trigger took no shot".into()) }
    }

    /// The dump, once it is written.
    pub fn written(&self) -> Option<&Path> {
        self.written.as_deref()
    }

    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.armed.warnings().iter().map(String::as_str)
    }

    /// What the generated programs need of the engine.
    ///
    /// # Errors
    /// A sentence: the engine has lost its maps.
    pub fn fds(&self) -> Result<LkdFds<'_>, String> {
        let kinds =
            [ProgramType::RawTp, ProgramType::Kprobe, ProgramType::KprobeMulti, ProgramType::PerfEvent];
        let triggers =
            kinds.into_iter().filter_map(|k| Some((k, self.armed.prog_array_fd(trigger(k))?))).collect();
        let request = self.armed.request_map_fd().map_err(|e| e.to_string())?;
        Ok(LkdFds { request, triggers })
    }

    /// Tells what has happened since the last call, without waiting.
    pub fn report(&mut self, out: &mut Output<'_>) {
        if !self.ended {
            self.ended = !self.next(Duration::ZERO, out);
        }
    }

    /// Waits until a dump that was taken is written; ^C leaves that to the writer. True unless a dump failed.
    pub fn finish(&mut self, out: &mut Output<'_>) -> bool {
        let before = signals::asked_to_stop();
        while self.armed.taken() && !self.ended {
            self.ended = !self.next(Duration::from_millis(100), out);
            if signals::asked_to_stop() > before {
                out.notice("the dump goes on being written in the background");
                return !self.failed;
            }
        }
        let dropped = self.armed.dropped();
        if dropped > 0 {
            let calls = if dropped == 1 { "call was" } else { "calls were" };
            out.error(&format!("{dropped} lkd() {calls} dropped: a script takes one dump"));
        }
        !self.failed
    }

    /// False when nothing more will come.
    fn next(&mut self, timeout: Duration, out: &mut Output<'_>) -> bool {
        let mut timeout = timeout;
        loop {
            match self.armed.next_event(timeout) {
                Ok(Some(event)) => {
                    let last =
                        matches!(event, Event::Done { .. } | Event::Failed { .. } | Event::Gone { .. });
                    // Done and Failed come before the writer ends; without them it was killed
                    self.failed |= matches!(event, Event::Failed { .. } | Event::Gone { .. });
                    if let Event::Done { path, .. } = &event {
                        self.written = Some(path.clone());
                    }
                    match event {
                        Event::Failed { .. } | Event::Gone { .. } => out.error(&event.line()),
                        Event::Writing { .. } => out.progress(&event.line()),
                        _ => out.notice(&event.line()),
                    }
                    if last {
                        return false;
                    }
                    timeout = Duration::ZERO;
                }
                Ok(None) => return true,
                Err(e) => {
                    self.failed = true;
                    out.error(&e.to_string());
                    return false;
                }
            }
        }
    }
}

/// The kinds of dump that the script may ask for, each once; an argument that only the run can know may be any.
fn kinds(program: &Program) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for stmt in program.clauses.iter().flat_map(|clause| &clause.stmts) {
        let Stmt::Action(action) = stmt else { continue };
        let ActionKind::Lkd(flags) = &action.kind else { continue };
        match flags.kind {
            ExprKind::Int(flags) => kinds.extend(Kind::from_flags(flags)),
            _ => kinds.extend(Kind::ALL),
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// An option of the capture engine with a value that is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadOption {
    /// As `-x` spells it.
    pub name: &'static str,
    /// What would be right.
    pub why: String,
}

/// The options of a script that are the capture engine's.
///
/// # Errors
/// Which option, and what would be right.
pub fn capture_options(options: &Options) -> Result<Capture, BadOption> {
    let mut capture = Capture::default();
    if let Some(path) = options.text(Opt::Lkdpath) {
        if !path.starts_with('/') {
            let why = format!("{}: give an absolute path, such as /var/crash/live", path.escape_debug());
            return Err(BadOption { name: "lkdpath", why });
        }
        capture.root = path.into();
    }
    if let Some(format) = options.text(Opt::Lkdformat) {
        capture.format =
            format.parse().map_err(|e| BadOption { name: "lkdformat", why: format!("{format}: {e}") })?;
    }
    if let Some(pause) = options.number(Opt::Lkdmaxpause) {
        if !(SHORTEST_PAUSE..=LONGEST_PAUSE).contains(&pause) {
            let why = "the longest time a thread is held can be 1ms to 10s".into();
            return Err(BadOption { name: "lkdmaxpause", why });
        }
        capture.max_pause_ns = pause;
    }
    capture.buffer_bytes = options.number(Opt::Lkdbuf);
    Ok(capture)
}

fn trigger(kind: ProgramType) -> TriggerProg {
    match kind {
        ProgramType::RawTp => TriggerProg::RawTp,
        ProgramType::Kprobe => TriggerProg::Kprobe,
        ProgramType::KprobeMulti => TriggerProg::KprobeMulti,
        ProgramType::PerfEvent => TriggerProg::PerfEvent,
    }
}
