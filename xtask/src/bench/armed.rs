//! What an armed lkd() costs while nothing happens: a loop that only computes, on every CPU, beside an armed script and without one,
//! in turns.

use super::measure::median;
use super::{Ground, Row};
use anyhow::{Context, Result, bail};
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

const TURNS: usize = 6;
const LOOPS: usize = 20;
/// Steps of a loop: some 40 ms.
const STEPS: u64 = 20_000_000;

/// The script of the seed, by which nothing is ever taken here.
const SCRIPT: &str = "BEGIN { printf(\"armed\\n\"); } syscall::lseek:return /arg0 == 0xc0000001/ { lkd(0); }";

/// The rows of this group.
pub fn rows(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    let dir = std::env::temp_dir().join(format!("lkd-bench-armed-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&dir).context("making a directory for dumps")?;
    let measured = measure(ground, &dir);
    let left = std::fs::remove_dir(&dir);
    let (without, beside) = measured?;
    left.context("a dump was taken")?;
    rows.push(Row {
        what: "a loop on every CPU, beside an armed lkd() script, median".into(),
        ours: median(beside),
        peer: "without",
        peers: Some(median(without)),
        unit: "ms",
    });
    Ok(())
}

fn measure(ground: &Ground, dir: &Path) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut without, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        without.extend(loops()?);
        let mut dtrace = arm(ground, dir)?;
        beside.extend(loops()?);
        // SAFETY: takes two numbers; the process is our child and has not been waited for.
        unsafe { libc::kill(i32::try_from(dtrace.id())?, libc::SIGINT) };
        let status = dtrace.wait().context("waiting for dtrace")?;
        if !status.success() {
            bail!("dtrace ended with {status}");
        }
    }
    Ok((without, beside))
}

/// A dtrace that waits for the seed's trigger.
fn arm(ground: &Ground, dir: &Path) -> Result<Child> {
    let mut child = Command::new(ground.programs.join("dtrace"))
        .args(["-q", "-w", "-x", &format!("lkdpath={}", dir.display()), "-n", SCRIPT])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting dtrace")?;
    let mut line = String::new();
    let out = child.stdout.take().context("dtrace has no output")?;
    BufReader::new(out).read_line(&mut line).context("reading dtrace's output")?;
    if line != "armed\n" {
        child.kill().context("ending dtrace")?;
        bail!("dtrace did not arm: {line:?}");
    }
    Ok(child)
}

/// Milliseconds of each loop of every CPU.
fn loops() -> Result<Vec<f64>> {
    let cpus = thread::available_parallelism()?.get();
    let threads: Vec<_> = (0..cpus)
        .map(|seed| {
            thread::spawn(move || {
                let one = || {
                    let began = Instant::now();
                    let mut x = seed as u64;
                    for _ in 0..STEPS {
                        x = black_box(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
                    }
                    black_box(x);
                    began.elapsed().as_secs_f64() * 1000.0
                };
                (0..LOOPS).map(|_| one()).collect::<Vec<f64>>()
            })
        })
        .collect();
    let mut times = Vec::new();
    for thread in threads {
        let Ok(own) = thread.join() else { bail!("a thread died") };
        times.extend(own);
    }
    Ok(times)
}
