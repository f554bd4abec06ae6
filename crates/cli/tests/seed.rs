//! The seed's script, byte for byte, on this machine's own kernel up to its dump: `lkd(0)` is compiled, armed and run into.
//!
//! The arming only counts pages: none is copied and no file is written, for a dump of this machine would hold its secrets.

use lkd_capture::{Armed, Event, Options, ProbeName, TriggerProg, Work, doctor};
use lkd_cli::compile::{self, Compiled};
use lkd_cli::{flags, input};
use lkd_kernel::probes::ProbeId;
use lkd_trace::activity::Activity;
use lkd_trace::bind::{self, Binding, ProgramType};
use lkd_trace::facts::{Facts, privileges};
use lkd_trace::print::{Printer, Style};
use lkd_trace::session::{Config, LkdFds, Session};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const STATUS_UNSUCCESSFUL: u64 = 0xc000_0001;

fn seed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/seed/livedumpstatuscheck.d")
}

/// No directory of this name may ever be made.
fn nowhere() -> PathBuf {
    std::env::temp_dir().join(format!("lkd-seed-{}-nowhere", std::process::id()))
}

fn compiled(facts: &Facts) -> Compiled {
    let words = ["-s".to_string(), seed().display().to_string()];
    let args = flags::parse(words).unwrap_or_else(|e| panic!("{}", e.0));
    let options = compile::options(&args).expect("no options");
    let (sources, inputs, _) = input::read(&args, None).expect("the seed can be read");
    match compile::compile(&args, options, &sources, &inputs, None, facts) {
        Ok(compiled) => compiled,
        Err(compile::Failure::Said(why)) => panic!("{why}"),
        Err(compile::Failure::Diags(diags)) => {
            panic!("{:?}", diags.iter().map(|d| d.line(&sources, true)).collect::<Vec<_>>())
        }
    }
}

fn counting(compiled: &Compiled, binding: &Binding, facts: &Facts) -> Options {
    let names = binding.bound.iter().filter_map(|b| compiled.catalog.probe(ProbeId(b.probe)));
    Options {
        root: nowhere(),
        work: Work::Classify,
        writer: Some(env!("CARGO_BIN_EXE_dtrace").into()),
        programs: kinds(compiled, binding, facts).map(|(_, trigger)| trigger).collect(),
        probes: names
            .map(|p| ProbeName {
                id: p.id.0,
                provider: p.provider.into(),
                module: p.module.into(),
                function: p.function.into(),
                name: p.name.into(),
            })
            .collect(),
        ..Options::default()
    }
}

fn kinds(
    compiled: &Compiled,
    binding: &Binding,
    facts: &Facts,
) -> impl Iterator<Item = (ProgramType, TriggerProg)> {
    let kinds = bind::trigger_kinds(&binding.bound, &compiled.program, facts);
    kinds.into_iter().map(|kind| {
        let trigger = match kind {
            ProgramType::RawTp => TriggerProg::RawTp,
            ProgramType::Kprobe => TriggerProg::Kprobe,
            ProgramType::KprobeMulti => TriggerProg::KprobeMulti,
            ProgramType::PerfEvent => TriggerProg::PerfEvent,
        };
        (kind, trigger)
    })
}

/// What the script's run printed, and its exit status.
fn run(compiled: &Compiled, binding: &Binding, facts: &Facts, armed: &Armed) -> (String, Option<i32>) {
    let program = &compiled.program;
    let env = facts.env(bind::needs_task(program), 1 << 20);
    let object = lkd_codegen::compile(program, &binding.bound, &env).expect("the seed compiles");
    let triggers = kinds(compiled, binding, facts)
        .map(|(kind, trigger)| (kind, armed.prog_array_fd(trigger).expect("it was asked for")))
        .collect();
    let lkd = LkdFds { request: armed.request_map_fd().expect("a map of requests"), triggers };
    let config = Config { lkd: Some(lkd), ..Config::default() };
    let mut session = Session::load(&object, &binding.bound, &compiled.catalog, facts, config)
        .unwrap_or_else(|e| panic!("{e}"));
    let mut printer = Printer::new(program, &object.layouts, &compiled.catalog, facts, Style::default());
    session.start().unwrap_or_else(|e| panic!("{e}"));

    let path = nowhere().with_extension("seeked");
    let mut file = File::create(&path).expect("a file to seek in");
    std::fs::remove_file(&path).expect("it was made");
    file.seek(SeekFrom::Start(STATUS_UNSUCCESSFUL)).expect("any place may be sought");

    let mut text = Vec::new();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(60), "the script does not end");
        let polled = session.poll(Duration::from_millis(100), &mut |event| {
            if let lkd_trace::session::Event::Record(data) = event {
                printer.record(&data, &mut text).unwrap_or_else(|e| panic!("{e}"));
            }
        });
        if polled.unwrap_or_else(|e| panic!("{e}")) == Activity::Stopped {
            printer.flush(&mut text);
            return (String::from_utf8_lossy(&text).into_owned(), session.exit_status());
        }
    }
}

#[test]
fn the_seed_runs_into_its_trigger() {
    if let Some(why) =
        privileges().err().map(|e| e.to_string()).or(doctor::require().err().map(|e| e.to_string()))
    {
        eprintln!("left out: {why}");
        return;
    }
    let facts = Facts::new();
    let compiled = compiled(&facts);
    let binding = bind::bind(&compiled.program, &compiled.catalog, &facts);
    let mut armed =
        lkd_capture::arm(&counting(&compiled, &binding, &facts)).unwrap_or_else(|e| panic!("{e}"));
    let (text, status) = run(&compiled, &binding, &facts, &armed);
    assert!(text.contains("Return value arg0:c0000001 \nTriggering LiveDump \n"), "{text}");
    assert_eq!(status, Some(0));

    let shot = armed.shot().unwrap_or_else(|e| panic!("{e}")).expect("a shot was taken");
    assert_eq!((shot.tgid, shot.flags), (std::process::id(), 0));
    assert_eq!(shot.args.first(), Some(&STATUS_UNSUCCESSFUL));
    assert_eq!((shot.user_regs.orig_rax, shot.user_regs.rax), (libc::SYS_lseek as u64, STATUS_UNSUCCESSFUL));
    let probe = compiled.catalog.probe(ProbeId(shot.probe_id)).expect("a probe of the catalogue");
    assert_eq!((probe.function, probe.name), ("lseek", "return"));
    assert_eq!(shot.pages.frozen, 0, "no page is copied");
    assert_eq!(armed.dropped(), 0);

    let mut events = Vec::new();
    while let Some(event) = armed.next_event(Duration::from_secs(60)).unwrap_or_else(|e| panic!("{e}")) {
        events.push(event);
        if !matches!(events.last(), Some(Event::Taken { .. })) {
            break;
        }
    }
    assert!(matches!(events.as_slice(), [Event::Taken { pages: 0, .. }, Event::Failed { .. }]), "{events:?}");
    assert!(!nowhere().exists(), "a counting run makes no directory");
}
