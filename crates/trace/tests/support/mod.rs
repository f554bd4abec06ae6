//! From D text to a finished run, as the command line does it.

use lkd_codegen::Object;
use lkd_dlang::check::check;
use lkd_dlang::facts::{ArgTypes, Facts as DFacts, ProbeFacts};
use lkd_dlang::lex::MacroArgs;
use lkd_dlang::options::Options;
use lkd_dlang::parse::{Context, parse_script};
use lkd_dlang::program::{ProbePattern, Program};
use lkd_dlang::source::{Source, SourceKind, Sources};
use lkd_kernel::probes::{Catalog, ProbeDesc};
use lkd_trace::activity::Activity;
use lkd_trace::bind::{self, Binding};
use lkd_trace::facts::{Facts, privileges};
use lkd_trace::print::{Printer, Style};
use lkd_trace::provider::Providers;
use lkd_trace::session::{Config, Event, Session, Tally};
use lkd_trace::target::Target;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Tracing needs privileges; a test that lacks them says so and proves nothing.
pub fn may_trace() -> bool {
    match privileges() {
        Ok(()) => true,
        Err(e) => {
            eprintln!("left out: {e}");
            false
        }
    }
}

pub struct Script {
    facts: Facts,
    catalog: Catalog,
    program: Program,
    binding: Binding,
    pub object: Object,
    quiet: bool,
}

/// What a finished run left.
pub struct Run {
    pub text: String,
    pub errors: Vec<String>,
    pub status: Option<i32>,
    pub tally: Tally,
}

struct Known<'a>(&'a Catalog, &'a Facts);

impl ProbeFacts for Known<'_> {
    fn count(&self, pattern: &ProbePattern) -> usize {
        self.0.count(&bind::desc(pattern))
    }

    fn nearest(&self, pattern: &ProbePattern) -> Vec<String> {
        self.0.nearest(&bind::desc(pattern), 3)
    }

    fn arg_types(&self, pattern: &ProbePattern) -> ArgTypes {
        lkd_trace::args::types(self.0, &bind::desc(pattern), self.1)
    }
}

impl Script {
    pub fn compile(text: &str, target: Option<u32>) -> Script {
        let facts = Facts::new();
        let mut sources = Sources::new();
        let file = sources.add(Source::new("test", SourceKind::CommandLine, text));
        let args = MacroArgs { target, ..MacroArgs::default() };
        let parsed = parse_script(&sources, file, &Context { args: &args, is_type: &|_| false });
        assert!(parsed.diags.is_empty(), "{:?}", parsed.diags);
        let providers = Providers::new(&facts);
        let mut catalog = Catalog::new();
        catalog.fill(&providers.rows(), &ProbeDesc::new("dtrace", "", "", ""));
        // asked by name only, as patterns like `BEGIN` are
        for name in ["syscall", "rawtp"].iter().filter(|name| text.contains(**name)) {
            catalog.fill(&providers.rows(), &ProbeDesc::new(name, "", "", ""));
        }
        for word in text.split_whitespace().filter(|w| w.starts_with("tick-") || w.starts_with("profile-")) {
            catalog.fill(&providers.rows(), &ProbeDesc::new("profile", "", "", word));
        }
        let known = Known(&catalog, &facts);
        let d_facts = DFacts {
            btf: facts.btf().ok().cloned(),
            module_btf: &|_| None,
            symbol_addr: &|_, _| None,
            probes: &known,
        };
        let (program, diags) = check(&parsed.script, &sources, &d_facts, Options::default());
        assert!(diags.is_empty(), "{diags:?}");
        let binding = bind::bind(&program, &catalog, &facts);
        assert!(binding.cannot.is_empty(), "{:?}", binding.cannot);
        Script { facts, catalog, program, binding, object: Object::default(), quiet: false }
            .generated(1 << 16)
    }

    fn generated(mut self, ring_bytes: u32) -> Script {
        let env = self.facts.env(bind::needs_task(&self.program), ring_bytes);
        self.object =
            lkd_codegen::compile(&self.program, &self.binding.bound, &env).unwrap_or_else(|e| panic!("{e}"));
        self
    }

    pub fn quiet(mut self) -> Script {
        self.quiet = true;
        self
    }

    /// Runs to the end; `see` gets every event and may ask for the end. Gives up after a time that no healthy run needs.
    pub fn run(
        &self,
        targets: Vec<Target>,
        ring_bytes: u32,
        mut see: impl FnMut(&Event<'_>, &Cell<bool>),
    ) -> Run {
        let env = self.facts.env(bind::needs_task(&self.program), ring_bytes);
        let object =
            lkd_codegen::compile(&self.program, &self.binding.bound, &env).unwrap_or_else(|e| panic!("{e}"));
        let config = Config { targets, ..Config::default() };
        let mut session = Session::load(&object, &self.binding.bound, &self.catalog, &self.facts, config)
            .unwrap_or_else(|e| panic!("{e}\n{}", e.log().unwrap_or_default()));
        let style = Style { quiet: self.quiet, ..Style::default() };
        let mut printer = Printer::new(&self.program, &object.layouts, &self.catalog, &self.facts, style);
        session.start().unwrap_or_else(|e| panic!("{e}"));
        let (mut out, mut errors, stop) = (Vec::new(), Vec::new(), Cell::new(false));
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let activity = session.poll(Duration::from_millis(50), &mut |event| {
                match &event {
                    Event::Record(data) => printer.record(data, &mut out).expect("a record of this script"),
                    Event::Error(e) => errors.push(printer.error(e)),
                    _ => {}
                }
                see(&event, &stop);
            });
            if activity.unwrap_or_else(|e| panic!("{e}")) == Activity::Stopped {
                break;
            }
            if stop.get() {
                session.stop();
            }
            assert!(Instant::now() < deadline, "the run does not end");
        }
        printer.flush(&mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        Run { text, errors, status: session.exit_status(), tally: session.tally() }
    }
}
