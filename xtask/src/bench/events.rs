//! What a probe costs: a getppid loop bare, under dtrace, under a hand-written program, under bpftrace, in turns.

use super::measure::{least, median, run};
use super::{Ground, Row};
use crate::{place, sh};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const UNTAKEN: &str = "syscall:::return/(uint32_t)arg0 == 0xc0000001/{trace(0);}";
const PRINT: &str = r#"syscall::getppid:return{printf("%d\n", arg0);}"#;
/// One loop: about a third of a second.
const CALLS: &str = "1000000";
/// Loops under one tracer. Of what is added to a call only the least disturbed loop tells: a difference of two medians of a noisy
/// machine is mostly noise.
const LOOPS: u32 = 5;

/// A tracer that is measured.
struct Tracer {
    name: &'static str,
    command: Command,
    /// What it says on stderr once its probes are in place.
    ready: &'static str,
}

/// The rows of this group.
pub fn rows(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    untaken(ground, rows)?;
    print(ground, rows)
}

fn dtrace(ground: &Ground, script: &str) -> Tracer {
    let mut command = sh::cmd(ground.programs.join("dtrace"));
    command.args(["-x", "bufsize=4m", "-n", script]);
    Tracer { name: "dtrace", command, ready: "matched" }
}

fn hand(ground: &Ground, program: &str) -> Option<Tracer> {
    let (loader, object) = ground.hand.as_ref()?;
    let mut command = sh::cmd(loader);
    command.arg(object).arg(program);
    Some(Tracer { name: "hand-written", command, ready: "ready" })
}

/// bpftrace looks for tracepoints in tracefs, which a container may not have mounted: it gets one of its own.
fn bpftrace(ground: &Ground) -> Option<Tracer> {
    let mounts = "mount -t tracefs t /sys/kernel/tracing; mount -t debugfs d /sys/kernel/debug; exec \"$@\"";
    let script = r#"tracepoint:raw_syscalls:sys_exit /(uint32)args->ret == 0xc0000001/ { printf("0\n"); }"#;
    let mut command = sh::cmd("unshare");
    command.args(["-m", "sh", "-c", mounts, "sh"]).arg(ground.bpftrace.as_ref()?).args(["-e", script]);
    Some(Tracer { name: "bpftrace", command, ready: "Attaching" })
}

fn untaken(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    let mut bare = Vec::new();
    let mut seen: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for round in 0..ground.runs {
        bare.push(getppid(ground, LOOPS)?);
        let mut tracers = vec![dtrace(ground, UNTAKEN)];
        tracers.extend(hand(ground, "untaken"));
        tracers.extend(bpftrace(ground));
        for tracer in tracers {
            let name = tracer.name;
            match under(ground, tracer, LOOPS) {
                Ok((nanoseconds, _)) => match seen.iter_mut().find(|one| one.0 == name) {
                    Some(one) => one.1.push(nanoseconds),
                    None => seen.push((name, vec![nanoseconds])),
                },
                Err(why) if round == 0 => eprintln!("xtask: {name}: {why:#}"),
                Err(_) => {}
            }
        }
    }
    let bare = least(&bare);
    let added = |name: &str| {
        let values = seen.iter().find(|one| one.0 == name)?;
        Some(least(&values.1) - bare)
    };
    let row =
        |what: &str, ours, peer, peers| Row { what: what.into(), ours, peer, peers, unit: "CPU ns/call" };
    rows.push(row("getppid, bare", bare, "-", None));
    let Some(ours) = added("dtrace") else { bail!("dtrace could not be measured") };
    for peer in ["hand-written", "bpftrace"] {
        rows.push(row("getppid, added by an untaken predicate", ours, peer, added(peer)));
    }
    Ok(())
}

fn print(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    let (mut ours, mut hands) = (Vec::new(), Vec::new());
    let mut last = (String::new(), String::new());
    for _ in 0..ground.runs {
        let (nanoseconds, said) = under(ground, dtrace(ground, PRINT), 1)?;
        ours.push(nanoseconds);
        last.0 = said;
        if let Some(tracer) = hand(ground, "print") {
            let (nanoseconds, said) = under(ground, tracer, 1)?;
            hands.push(nanoseconds);
            last.1 = said;
        }
    }
    let peers = (!hands.is_empty()).then(|| median(hands));
    let what = "getppid, one printf each".to_owned();
    rows.push(Row { what, ours: median(ours), peer: "hand-written", peers, unit: "CPU ns/call" });
    let lines =
        |said: &str| said.lines().filter(|line| line.contains("drop") || line.starts_with("made")).count();
    for (name, said) in [("dtrace", &last.0), ("hand-written", &last.1)] {
        for line in said.lines().filter(|line| line.contains("drop") || line.starts_with("made")).take(4) {
            eprintln!("xtask: {name}, last run of {CALLS} events: {line}");
        }
        if lines(said) == 0 {
            eprintln!("xtask: {name}, last run of {CALLS} events: none dropped");
        }
    }
    Ok(())
}

/// Nanoseconds of CPU per call, the least of some loops: the tracers and the rest of the machine want the CPUs too.
fn getppid(ground: &Ground, loops: u32) -> Result<f64> {
    let calls: f64 = CALLS.parse()?;
    let one = || Ok(run(sh::cmd(ground.programs.join("getppid")).arg(CALLS))?.cpu * 1e9 / calls);
    Ok(least(&(0..loops).map(|_| one()).collect::<Result<Vec<_>>>()?))
}

/// Some loops while the tracer traces; what the tracer said on stderr comes with it.
fn under(ground: &Ground, mut tracer: Tracer, loops: u32) -> Result<(f64, String)> {
    let dir = place::RunDir::new()?;
    let said = dir.file("stderr");
    tracer
        .command
        .stdout(File::create(dir.file("stdout"))?)
        .stderr(File::create(&said)?)
        .stdin(Stdio::null());
    // bpftrace says what it attaches on stdout.
    let both = [said.clone(), dir.file("stdout")];
    let mut child = tracer.command.spawn().with_context(|| format!("cannot start {}", tracer.name))?;
    let outcome = wait_for(&mut child, &both, tracer.ready).and_then(|()| getppid(ground, loops));
    interrupt(&mut child)?;
    let text = fs::read_to_string(&said).unwrap_or_default();
    outcome.map(|nanoseconds| (nanoseconds, text.clone())).with_context(|| sh::tail(&text, 4))
}

fn wait_for(child: &mut Child, files: &[impl AsRef<Path>], word: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        let there = files.iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(word)));
        if there {
            // The word comes a moment before or after the probes do.
            thread::sleep(Duration::from_millis(500));
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("it ended with {status} before it was ready");
        }
        if started.elapsed() > Duration::from_secs(60) {
            bail!("it was not ready after a minute");
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn interrupt(child: &mut Child) -> Result<()> {
    sh::read(sh::cmd("kill").args(["-INT", &child.id().to_string()])).ok();
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > Duration::from_secs(30) {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
