//! The freeze on this machine's own kernel: how soon all CPUs stand still, and how long. Nothing that is copied is kept; the peer of
//! copying is memcpy on all CPUs, taken in the same run.

use super::{Ground, Row};
use crate::sh;
use anyhow::{Context, Result, bail};
use std::hint::black_box;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

const STOPS: &str = "1000";
const COPIES: &str = "9";

/// What runs meanwhile: the row's word, a program of ours and its words, on every CPU.
const LOADS: &[(&str, &[&str])] = &[
    ("idle", &[]),
    ("busy", &["spin"]),
    ("system calls", &["getppid", "2000000000"]),
    ("forks", &["forks"]),
];

/// The rows of this group.
pub fn rows(ground: &Ground, rows: &mut Vec<Row>) -> Result<()> {
    let lkd = ground.programs.join("lkd");
    for (name, load) in LOADS {
        let running = start(ground, load)?;
        let text = sh::read(Command::new(&lkd).args(["selftest", "freeze", STOPS, "--rest", "2"]));
        for mut child in running {
            child.kill().context("ending the load")?;
            child.wait().context("ending the load")?;
        }
        let text = text?;
        for (place, what) in [(1, "median"), (3, "99 %"), (4, "most")] {
            rows.push(Row {
                what: format!("freeze, trigger to all CPUs stopped, {name}, {what}"),
                ours: column(&text, "to stop", place)?,
                peer: "",
                peers: None,
                unit: "us",
            });
        }
    }
    let text = sh::read(Command::new(&lkd).args([
        "selftest",
        "freeze",
        COPIES,
        "--work",
        "copy",
        "--max-pause",
        "2000",
        "--rest",
        "100",
        "--buffer",
        "3000",
    ]))?;
    let pages: u64 = text
        .lines()
        .find_map(|line| line.strip_prefix("at most ")?.split(' ').next()?.parse().ok())
        .context("no pages were copied")?;
    let row = |what: &str, ours, peer, peers| Row { what: what.into(), ours, peer, peers, unit: "ms" };
    let ms = |name, place| column(&text, name, place).map(|us| us / 1000.0);
    rows.push(row("freeze, classification of all memory, median", ms("classify", 1)?, "", None));
    rows.push(row("freeze, until all that must be had was copied, median", ms("must", 1)?, "", None));
    let memcpy = memcpy(pages)?;
    rows.push(row(
        &format!("freeze, copying {} MB, median", pages >> 8),
        ms("copy", 1)?,
        "memcpy, all CPUs",
        Some(memcpy),
    ));
    rows.push(row("freeze, whole pause, median", ms("pause", 1)?, "", None));
    rows.push(row("freeze, whole pause, most", ms("pause", 4)?, "median", Some(ms("pause", 1)?)));
    Ok(())
}

/// The number in a column of a row of `lkd selftest freeze`, in microseconds.
fn column(text: &str, name: &str, place: usize) -> Result<f64> {
    let row = text.lines().find_map(|line| line.strip_prefix(name));
    let row = row.with_context(|| format!("no row {name:?} in:\n{text}"))?;
    let word = row.split_whitespace().nth(place).with_context(|| format!("no column {place} in {row:?}"))?;
    word.parse().with_context(|| format!("{word:?} is no number"))
}

fn start(ground: &Ground, load: &[&str]) -> Result<Vec<Child>> {
    let Some((program, words)) = load.split_first() else { return Ok(Vec::new()) };
    let cpus = thread::available_parallelism()?.get();
    let one = |_| {
        let mut command = match *program {
            "spin" => shell("while :; do :; done"),
            "forks" => shell("while :; do /bin/true; done"),
            own => Command::new(ground.programs.join(own)),
        };
        command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().with_context(|| format!("starting {program}"))
    };
    (0..cpus).map(one).collect()
}

fn shell(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", text]);
    command
}

/// Milliseconds that all CPUs together need to copy so many pages, page by page; the least of five.
fn memcpy(pages: u64) -> Result<f64> {
    let cpus = thread::available_parallelism()?.get();
    let share = usize::try_from(pages)?.div_ceil(cpus) * 4096;
    let start = Barrier::new(cpus);
    let slowest = thread::scope(|scope| {
        let threads: Vec<_> = (0..cpus)
            .map(|_| {
                scope.spawn(|| {
                    let (from, mut to) = (vec![1u8; share], vec![2u8; share]);
                    let mut times = [0.0f64; 5];
                    for time in &mut times {
                        start.wait();
                        let began = Instant::now();
                        for (to, from) in to.chunks_exact_mut(4096).zip(from.chunks_exact(4096)) {
                            to.copy_from_slice(black_box(from));
                        }
                        *time = began.elapsed().as_secs_f64() * 1000.0;
                        black_box(&mut to);
                    }
                    times
                })
            })
            .collect();
        let mut rounds = [0.0f64; 5];
        for thread in threads {
            let Ok(times) = thread.join() else { bail!("a thread died") };
            for (round, time) in rounds.iter_mut().zip(times) {
                *round = round.max(time);
            }
        }
        Ok(rounds)
    })?;
    Ok(super::measure::least(&slowest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_row() {
        let text = "x\nto stop         10.8      18.7      25.0      43.7     660.0\npause 1 2 3 4 5\n";
        assert_eq!(column(text, "to stop", 1).unwrap(), 18.7);
        assert_eq!(column(text, "pause", 4).unwrap(), 5.0);
        assert!(column(text, "copy", 0).is_err() && column(text, "pause", 5).is_err());
    }
}
