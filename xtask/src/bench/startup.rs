//! From exec to exit, and the most memory held: dtrace against a hand-written loader and bpftrace.

use super::measure::{Run, median, run};
use super::{Ground, Row};
use anyhow::Result;
use std::process::Command;

/// A command that is measured: its row's name, how it is started.
type Contender = (&'static str, Box<dyn Fn() -> Command>);

/// The rows of this group.
pub fn rows(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    let dtrace = |words: &'static [&'static str]| -> Box<dyn Fn() -> Command> {
        let program = ground.programs.join("dtrace");
        Box::new(move || {
            let mut command = Command::new(&program);
            command.args(words);
            command
        })
    };
    let mut all: Vec<Contender> = vec![
        ("dtrace -n 'BEGIN{exit(0);}'", dtrace(&["-n", "BEGIN{exit(0);}"])),
        ("syscall:::return {} BEGIN{exit(0);}", dtrace(&["-n", "syscall:::return {} BEGIN{exit(0);}"])),
        ("dtrace -l", dtrace(&["-l"])),
    ];
    if let Some((loader, object)) = ground.hand.clone() {
        all.push((
            "hand-written",
            Box::new(move || {
                let mut command = Command::new(&loader);
                command.arg(&object).args(["nothing", "once"]);
                command
            }),
        ));
    }
    if let Some(program) = ground.bpftrace.clone() {
        all.push((
            "bpftrace",
            Box::new(move || {
                let mut command = Command::new(&program);
                command.args(["-e", "BEGIN { exit(); }"]);
                command
            }),
        ));
    }
    let mut seen: Vec<Vec<Run>> = all.iter().map(|_| Vec::new()).collect();
    for _ in 0..ground.runs {
        for ((name, start), runs) in all.iter().zip(&mut seen) {
            match run(&mut start()) {
                Ok(run) => runs.push(run),
                Err(why) => eprintln!("xtask: {name}: {why:#}"),
            }
        }
    }
    let find = |name: &str, of: fn(&Run) -> f64| {
        let runs = all.iter().position(|one| one.0 == name).and_then(|at| seen.get(at));
        runs.filter(|runs| !runs.is_empty()).map(|runs| median(runs.iter().map(of).collect()))
    };
    for (name, _) in &all[..3] {
        let Some(seconds) = find(name, |run| run.seconds) else { continue };
        // A raw tracepoint attached by hand is the floor for the probe; bpftrace is what people start today.
        let peer = if name.starts_with("syscall") { "hand-written" } else { "bpftrace" };
        let peers = find(peer, |run| run.seconds);
        rows.push(Row { what: format!("start to exit, {name}"), ours: seconds, peer, peers, unit: "s" });
        let peak = find(name, |run| run.peak).unwrap_or(f64::NAN);
        let peers = find("bpftrace", |run| run.peak);
        rows.push(Row {
            what: format!("peak memory, {name}"),
            ours: peak,
            peer: "bpftrace",
            peers,
            unit: "MiB",
        });
    }
    Ok(())
}
