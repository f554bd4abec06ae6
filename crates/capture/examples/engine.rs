//! The engine without the D compiler.
//!
//! `engine classes [PASSES]` compares our page classes with the kernel's; `engine count [TIMES]` triggers without copying or
//! writing anything and prints what was met and how long it took; `engine capture ROOT [FORMAT [BUFFER_MB [PAUSE_MS]]]` takes a dump
//! now.

use std::time::{Duration, Instant};

use lkd_capture::{Event, Options, ProbeName, Work, arm, classes, writer};
use lkd_dump::{PageClass, Request, Site};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        [first, ..] if *first == writer::ARG => std::process::exit(writer::main()),
        ["classes", rest @ ..] => compare(rest.first().and_then(|n| n.parse().ok()).unwrap_or(3)),
        ["count", rest @ ..] => count(rest.first().and_then(|n| n.parse().ok()).unwrap_or(3)),
        ["capture", root, rest @ ..] => capture(root, rest),
        _ => Err(
            "usage: engine classes [PASSES] | count [TIMES] | capture ROOT [FORMAT [BUFFER_MB [PAUSE_MS]]]"
                .into(),
        ),
    };
    if let Err(error) = result {
        eprintln!("engine: {error}");
        std::process::exit(1);
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn compare(passes: u32) -> Outcome {
    let report = classes::check(passes)?;
    println!("{report}");
    if report.agrees() { Ok(()) } else { Err("the classes do not agree".into()) }
}

fn request() -> Request {
    Request { site: Site::UserSpace as u32, probe_id: 1, ..Request::default() }
}

fn count(times: u32) -> Outcome {
    for _ in 0..times {
        let began = Instant::now();
        let armed = arm(&Options { work: Work::Classify, ..Options::default() })?;
        let armed_in = began.elapsed();
        let began = Instant::now();
        armed.trigger_now(&request())?;
        let held = began.elapsed();
        armed.trigger_now(&request())?;
        let shot = armed.shot()?.ok_or("no shot was taken")?;
        println!(
            "armed in {armed_in:?}, held {held:?} ({} ns by the shot), status {:#x}, {} frames, kept {}, dropped {}",
            shot.thawed_ns - shot.triggered_ns,
            shot.status,
            shot.kstack_len,
            shot.pages.kept,
            armed.dropped()
        );
        for class in PageClass::ALL {
            println!("  {:<14} {:>9}", class.name(), shot.pages.found[class as usize]);
        }
    }
    Ok(())
}

fn capture(root: &str, rest: &[&str]) -> Outcome {
    let format = rest.first().copied().unwrap_or("kdump-zstd");
    let number = |place: usize| rest.get(place).and_then(|n| n.parse::<u64>().ok());
    let probe = ProbeName { id: 1, provider: "engine".into(), name: "now".into(), ..ProbeName::default() };
    let options = Options {
        root: root.into(),
        format: format.parse()?,
        probes: vec![probe],
        buffer_bytes: number(1).map(|megabytes| megabytes << 20),
        max_pause_ns: number(2).map_or(500_000_000, |ms| ms * 1_000_000),
        ..Options::default()
    };
    let began = Instant::now();
    let mut armed = arm(&options)?;
    println!("armed in {:?}", began.elapsed());
    for warning in armed.warnings() {
        println!("warning: {warning}");
    }
    armed.trigger_now(&request())?;
    loop {
        let Some(event) = armed.next_event(Duration::from_secs(60))? else { continue };
        println!("{}", event.line());
        match event {
            Event::Done { .. } => return Ok(()),
            Event::Failed { .. } | Event::Gone { .. } => return Err("no dump".into()),
            _ => {}
        }
    }
}
