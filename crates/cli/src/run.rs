//! `dtrace`: one walk from the command line to the exit status.

use crate::compile::{self, Compiled, Failure};
use crate::flags::{self, Args, Mode};
use crate::input::{self, Input, Preprocessor};
use crate::live::LiveDump;
use crate::output::Output;
use crate::{header, list, signals};
use lkd_codegen::object::Object;
use lkd_dlang::diag::{Diag, Tag};
use lkd_dlang::options::{Opt, Options};
use lkd_dlang::program::Program;
use lkd_dlang::source::Sources;
use lkd_trace::activity::Activity;
use lkd_trace::bind::{self, Binding};
use lkd_trace::facts::{self, Facts};
use lkd_trace::print::{Printer, Style};
use lkd_trace::session::{Config, Event, Session};
use lkd_trace::target::Target;
use std::io::Write;
use std::time::Duration;

/// DTrace's exit statuses; exit() gives any other.
pub const SUCCESS: u8 = 0;
pub const ERROR: u8 = 1;
pub const USAGE: u8 = 2;

/// The ring's default size: what a reader that looks every few milliseconds needs for some three million records a second.
const RING: u64 = 16 << 20;
const RING_MOST: u64 = 1 << 30;
const DYNVAR_MOST: u64 = u32::MAX as u64;
/// What is taken of an option that asks for more, and in what.
const LOWERED: &[(Opt, u64, &str)] = &[
    (Opt::Bufsize, RING_MOST, "bytes"),
    (Opt::Dynvarsize, DYNVAR_MOST, "bytes"),
    (Opt::Stackframes, 127, "frames"),
    (Opt::Stackindent, 1024, "columns"),
];

/// The run failed and the user knows why.
pub(crate) struct Told;

type Done<T> = Result<T, Told>;

/// What the messages are written to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Screen {
    /// A terminal, where a line can be written over.
    pub terminal: bool,
    /// Colours are welcome.
    pub colour: bool,
}

/// Runs `dtrace`: traced data goes to `data`, everything else to `messages`.
pub fn dtrace(args: Vec<String>, data: Box<dyn Write + '_>, messages: &mut dyn Write, screen: Screen) -> u8 {
    let args = match flags::parse(args) {
        Ok(args) => args,
        Err(flags::UsageError(why)) => {
            let _ = write!(messages, "dtrace: {why}\n{}", flags::usage());
            return USAGE;
        }
    };
    let mut out = Output::new(data, messages, screen.terminal);
    let mut run = Run { args: &args, out: &mut out, colour: screen.colour, bpflog: false };
    let done = match args.mode {
        Mode::Version => run.version(),
        Mode::Header => run.header(),
        Mode::List => run.list(),
        Mode::Trace => run.trace(),
    };
    done.unwrap_or(ERROR)
}

struct Run<'r, 'o> {
    args: &'r Args,
    out: &'r mut Output<'o>,
    colour: bool,
    /// `-x bpflog`: a rejected program's whole log follows its message.
    bpflog: bool,
}

impl Run<'_, '_> {
    fn version(&mut self) -> Done<u8> {
        self.print(format!("dtrace: lkd {} (D 1.13)\n", env!("CARGO_PKG_VERSION")).as_bytes())?;
        Ok(SUCCESS)
    }

    fn header(&mut self) -> Done<u8> {
        let (sources, inputs) = self.sources(&Options::default())?;
        match header::headers(&sources, &inputs) {
            Ok(files) => {
                for (path, text) in files {
                    let path = self.args.output.clone().unwrap_or(path);
                    std::fs::write(&path, text)
                        .map_err(|e| self.fail(&format!("failed to write {path}: {}", crate::reason(&e))))?;
                }
                Ok(SUCCESS)
            }
            Err(failure) => Err(self.show(failure, &sources, &inputs, false)),
        }
    }

    fn list(&mut self) -> Done<u8> {
        let options = self.options()?;
        self.open_output()?;
        let (sources, inputs) = self.sources(&options)?;
        let errtags = options.flag(Opt::Errtags);
        let facts = Facts::new();
        match list::list(self.args, options, &sources, &inputs, &facts) {
            Ok(listing) => {
                self.print(&listing.rows)?;
                for missing in &listing.unmatched {
                    self.out.error(missing);
                }
                Ok(if listing.unmatched.is_empty() { SUCCESS } else { ERROR })
            }
            Err(failure) => Err(self.show(failure, &sources, &inputs, errtags)),
        }
    }

    fn trace(&mut self) -> Done<u8> {
        let options = self.options()?;
        self.out.set_quiet(options.flag(Opt::Quiet));
        let errtags = options.flag(Opt::Errtags);
        let (sources, inputs) = self.sources(&options)?;
        if !self.args.compile_only {
            facts::privileges().map_err(|e| self.fail(&format!("failed to initialize dtrace: {e}")))?;
        }
        let facts = Facts::new();
        let targets = self.targets()?;
        let pid = targets.first().map(Target::pid);
        let compiled = compile::compile(self.args, options, &sources, &inputs, pid, &facts)
            .map_err(|failure| self.show(failure, &sources, &inputs, errtags))?;
        self.out.set_quiet(compiled.program.options.flag(Opt::Quiet));
        let binding = bind::bind(&compiled.program, &compiled.catalog, &facts);
        self.matched(&inputs, &compiled.program, &binding);
        if let Some(cannot) = binding.cannot.first() {
            return Err(self.fail(&format!("failed to enable {}: {}", cannot.probe, cannot.why)));
        }
        if self.args.compile_only {
            if self.args.disassemble {
                let object = self.generate(&compiled.program, &binding, &facts, &sources)?;
                self.disassemble(&object);
            }
            return Ok(SUCCESS);
        }
        self.enable(&compiled, &binding, &facts, targets, &sources, &inputs)
    }

    /// Everything that needs the kernel's consent.
    fn enable(
        &mut self,
        compiled: &Compiled,
        binding: &Binding,
        facts: &Facts,
        targets: Vec<Target>,
        sources: &Sources,
        inputs: &[Input],
    ) -> Done<u8> {
        let program = &compiled.program;
        if program.destructive.is_some() && !program.options.flag(Opt::Destructive) {
            return Err(self.fail("could not enable tracing: Destructive actions not allowed"));
        }
        for (opt, most, unit) in LOWERED {
            if let Some(name) = program.options.number(*opt).filter(|n| n > most).and_then(|_| opt.name()) {
                self.out.notice(&format!("option {name} lowered to {most} {unit}, the most there is"));
            }
        }
        self.bpflog = program.options.flag(Opt::Bpflog);
        self.open_output()?;
        let object = self.generate(program, binding, facts, sources)?;
        if self.args.disassemble {
            self.disassemble(&object);
        }
        signals::catch()
            .map_err(|e| self.fail(&format!("failed to catch signals: {}", crate::reason(&e))))?;
        let mut live = LiveDump::arm(program, binding, &compiled.catalog, facts, inputs)
            .map_err(|why| self.fail(&format!("could not enable tracing: lkd(): {why}")))?;
        if let Some(live) = &live {
            live.warnings().for_each(|w| self.out.notice(w));
        }
        let lkd = live.as_ref().map(LiveDump::fds).transpose();
        let config = Config {
            lkd: lkd.map_err(|why| self.fail(&format!("could not enable tracing: lkd(): {why}")))?,
            targets,
            bpflog: self.bpflog,
            interrupted: || signals::asked_to_stop() > 0,
            ..Config::default()
        };
        let mut session = Session::load(&object, &binding.bound, &compiled.catalog, facts, config)
            .map_err(|e| self.failed_to_trace(&e))?;
        let style = Style {
            quiet: program.options.flag(Opt::Quiet),
            flow: program.options.flag(Opt::Flowindent),
            rawbytes: program.options.flag(Opt::Rawbytes),
            stackindent: program.options.number(Opt::Stackindent).map(|n| n.min(1024) as u32),
        };
        let mut printer = Printer::new(program, &object.layouts, &compiled.catalog, facts, style);
        session.start().map_err(|e| self.failed_to_trace(&e))?;
        if let Some(note) = skipped(session.skipped()) {
            self.out.notice(&note);
        }
        if program.options.flag(Opt::Destructive) {
            self.out.notice("allowing destructive actions");
        }
        self.consume(&mut session, &mut printer, &mut live, program.options.flag(Opt::Droptags))?;
        if self.args.verbose {
            let t = session.tally();
            self.out.notice(&format!(
                "{} records made, {} delivered, {} dropped",
                t.made, t.delivered, t.dropped
            ));
        }
        let lost = self.out.lost();
        if let Some(bytes) = lost {
            self.out.error(&format!(
                "output given up: its reader takes nothing, {bytes} byte{} of it {} lost",
                if bytes == 1 { "" } else { "s" },
                if bytes == 1 { "is" } else { "are" }
            ));
        }
        let status = session.exit_status().unwrap_or(0) as u8;
        // the probes are gone before the dump is waited for: nothing may fire into an engine that is being taken down
        drop(session);
        let dumped = live.is_none_or(|mut live| live.finish(self.out));
        Ok(if (dumped && lost.is_none()) || status != SUCCESS { status } else { ERROR })
    }

    fn consume(
        &mut self,
        session: &mut Session,
        printer: &mut Printer<'_>,
        live: &mut Option<LiveDump>,
        droptags: bool,
    ) -> Done<()> {
        let mut text = Vec::with_capacity(1 << 16);
        loop {
            if signals::asked_to_stop() > 0 || self.out.reader_gone() {
                session.stop();
            }
            let mut said = Vec::new();
            let mut unprinted = 0;
            let polled = session.poll(Duration::from_millis(100), &mut |event| match event {
                Event::Record(data) => {
                    if let Err(e) = printer.record(&data, &mut text) {
                        unprinted += 1;
                        said.push((text.len(), true, e.to_string()));
                    }
                }
                Event::Error(e) => said.push((text.len(), true, printer.error(&e))),
                Event::Drops(d) => said.push((text.len(), true, d.line(droptags))),
                Event::TargetEnded { pid, how } => said.push((text.len(), false, how.line(pid))),
            });
            session.disown(unprinted);
            match polled {
                Ok(Activity::Stopped) | Err(_) => printer.flush(&mut text),
                Ok(_) => printer.pause(&mut text),
            }
            // messages come between the records between which they happened
            let mut shown = 0;
            for (at, important, line) in said {
                self.hand_over(text.get(shown..at).unwrap_or_default(), session)?;
                shown = shown.max(at);
                if important { self.out.error(&line) } else { self.out.notice(&line) }
            }
            self.hand_over(text.get(shown..).unwrap_or_default(), session)?;
            text.clear();
            if let Some(live) = live {
                live.report(self.out);
            }
            if polled.map_err(|e| self.failed_to_trace(&e))? == Activity::Stopped {
                return Ok(());
            }
        }
    }

    fn generate(
        &mut self,
        program: &Program,
        binding: &Binding,
        facts: &Facts,
        sources: &Sources,
    ) -> Done<Object> {
        let mut env = facts.env(bind::needs_task(program), ring_bytes(&program.options, facts));
        if let Some(bytes) = program.options.number(Opt::Dynvarsize) {
            env.dynvar_bytes = bytes.min(DYNVAR_MOST) as u32;
        }
        if let Some(bytes) = program.options.number(Opt::Scratchsize) {
            env.copyin_bytes = bytes.min(u64::from(u32::MAX)) as u32;
        }
        lkd_codegen::compile(program, &binding.bound, &env).map_err(|e| {
            let told = self.fail(&format!("could not enable tracing: {e}"));
            if let Some(span) = e.span {
                let place = Diag::new(Tag::Limit, span, e.what.to_string());
                self.out.detail(&place.draw(sources, self.colour));
            }
            told
        })
    }

    fn matched(&mut self, inputs: &[Input], program: &Program, binding: &Binding) {
        for input in inputs {
            let of_input = |(i, _): &(usize, &Vec<u64>)| {
                program.clauses.get(*i).is_some_and(|c| c.span.file == input.file)
            };
            let n: u64 = binding.per_pattern.iter().enumerate().filter(of_input).flat_map(|(_, p)| p).sum();
            self.out.notice(&format!(
                "{} matched {n} probe{}",
                input.spoken(),
                if n == 1 { "" } else { "s" }
            ));
        }
        if self.args.verbose {
            for (clause, counts) in program.clauses.iter().zip(&binding.per_pattern) {
                for (pattern, n) in clause.probes.iter().zip(counts) {
                    self.out.notice(&format!(
                        "line {}: {} matched {n}",
                        clause.line,
                        compile::desc_of(pattern)
                    ));
                }
            }
        }
    }

    fn targets(&mut self) -> Done<Vec<Target>> {
        let commands = self.args.commands.iter().map(|c| Target::start(c));
        let pids = self.args.pids.iter().map(|p| Target::grab(*p as u32));
        commands.chain(pids).collect::<Result<_, _>>().map_err(|e| self.fail(&e.to_string()))
    }

    fn options(&mut self) -> Done<Options> {
        compile::options(self.args).map_err(|why| self.fail(&why))
    }

    fn sources(&mut self, options: &Options) -> Done<(Sources, Vec<Input>)> {
        let preprocessor = Preprocessor::of(self.args, options, std::env::var("DTRACE_CPP").ok());
        let (sources, inputs, said) =
            input::read(self.args, preprocessor.as_ref()).map_err(|why| self.fail(&why))?;
        self.out.detail(&said);
        Ok((sources, inputs))
    }

    fn open_output(&mut self) -> Done<()> {
        let Some(path) = &self.args.output else { return Ok(()) };
        self.out
            .to_file(path)
            .map_err(|e| self.fail(&format!("failed to open output file '{path}': {}", crate::reason(&e))))
    }

    /// Data to a reader that may stand still (`| less`, ^S). Ticks go on meanwhile; the first that asks for an end (a signal,
    /// exit(), the targets' end) detaches the probes, the second gives up what the reader has not taken.
    fn hand_over(&mut self, bytes: &[u8], session: &mut Session) -> Done<()> {
        self.out.data(bytes);
        while !self.write()? {
            let signals = signals::asked_to_stop();
            if signals > 0 {
                session.stop();
            }
            let ended = session.attend().map_err(|e| self.failed_to_trace(&e))?;
            if signals > 1 || (signals > 0 && ended && session.exit_status().is_some()) {
                self.out.give_up();
            }
        }
        Ok(())
    }

    fn print(&mut self, bytes: &[u8]) -> Done<()> {
        self.out.data(bytes);
        while !self.write()? {}
        Ok(())
    }

    fn write(&mut self) -> Done<bool> {
        self.out.write().map_err(|e| self.fail(&format!("failed to write output: {}", crate::reason(&e))))
    }

    fn disassemble(&mut self, object: &Object) {
        for prog in &object.progs {
            self.out.detail(&prog.listing());
        }
    }

    fn failed_to_trace(&mut self, e: &lkd_trace::session::Error) -> Told {
        let told = self.fail(&format!("could not enable tracing: {e}"));
        if let Some(log) = e.log().filter(|_| self.bpflog) {
            self.out.detail(log);
        }
        told
    }

    fn fail(&mut self, why: &str) -> Told {
        self.out.error(why);
        Told
    }

    /// Compiler messages: DTrace's line, then the drawn place.
    fn show(&mut self, failure: Failure, sources: &Sources, inputs: &[Input], errtags: bool) -> Told {
        match failure {
            Failure::Said(why) => return self.fail(&why),
            Failure::Diags(diags) => {
                for diag in diags {
                    let prefix = inputs
                        .iter()
                        .find(|i| i.file == diag.span.file)
                        .map(Input::failed)
                        .unwrap_or_default();
                    self.out.error(&format!("{prefix}: {}", diag.line(sources, errtags)));
                    self.out.detail(&diag.draw(sources, self.colour));
                }
            }
        }
        Told
    }
}

/// What of a wildcard could not be enabled: how many, and the first with its reason.
fn skipped(all: &[String]) -> Option<String> {
    let first = all.first()?;
    Some(match all.len() {
        1 => format!("1 probe could not be enabled: {first}"),
        n => format!("{n} probes could not be enabled, the first: {first}"),
    })
}

/// The ring is one for all CPUs, a power of two. A `bufsize` that was asked for is per CPU, as in DTrace; the default is not: on
/// a machine with many CPUs it would be more memory than a tracer may take unasked.
fn ring_bytes(options: &Options, facts: &Facts) -> u32 {
    let asked = match options.number(Opt::Bufsize).filter(|_| options.is_set(Opt::Bufsize)) {
        Some(bytes) => bytes.saturating_mul(facts.cpus().online.len().max(1) as u64).max(4096),
        None => RING,
    };
    asked.min(RING_MOST).next_power_of_two() as u32
}
