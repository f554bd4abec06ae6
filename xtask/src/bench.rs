//! `cargo xtask bench`: our numbers beside a peer's, taken in turns in one run, as medians (what a probe adds to a call: the least) and ratios. Asserts nothing.

mod armed;
mod events;
mod freeze;
mod measure;
mod startup;
mod writing;

use crate::args::Args;
use crate::{apt, build, place, sh};
use anyhow::{Context, Result};
use std::path::PathBuf;

const USAGE: &str = "\
usage: cargo xtask bench [--runs N] [--only GROUP]... [--kernel NAME]

Prints a table: what was measured, ours, a peer's, the ratio. Groups:
  startup  from exec to exit, and peak memory (this machine's kernel)
  events   nanoseconds per call of a getppid loop under a probe (this machine's kernel)
  freeze   how soon all CPUs stop, how long the machine stands still (this machine's kernel; nothing is kept)
  armed    what an armed lkd() costs while nothing happens
  writing  a dump of a guest's kernel, against makedumpfile in the same guest
";

/// One line of the table. Ratios below 1 are in our favour.
pub struct Row {
    pub what: String,
    pub ours: f64,
    pub peer: &'static str,
    pub peers: Option<f64>,
    pub unit: &'static str,
}

impl Row {
    fn line(&self) -> String {
        let number = |value: f64| match value.abs() {
            v if v >= 100.0 => format!("{value:.0}"),
            v if v >= 1.0 => format!("{value:.2}"),
            _ => format!("{value:.4}"),
        };
        let (peers, ratio) = match self.peers {
            Some(peers) if peers > 0.0 => (number(peers), format!("{:.2}", self.ours / peers)),
            Some(peers) => (number(peers), "-".to_owned()),
            None => ("-".to_owned(), "-".to_owned()),
        };
        format!(
            "| {} | {} | {} | {} | {} | {} |",
            self.what,
            number(self.ours),
            peers,
            self.unit,
            self.peer,
            ratio
        )
    }
}

/// What the groups share.
pub struct Ground {
    /// Measurements of each thing; the median counts.
    pub runs: usize,
    /// The kernel of the guest group.
    pub kernel: String,
    /// Our programs.
    pub programs: PathBuf,
    /// The hand-written peer: its loader and its object.
    pub hand: Option<(PathBuf, PathBuf)>,
    /// bpftrace, where it can be had.
    pub bpftrace: Option<PathBuf>,
}

type Group = fn(&Ground, &mut Vec<Row>) -> Result<()>;

const GROUPS: &[(&str, Group)] = &[
    ("startup", startup::rows),
    ("events", events::rows),
    ("freeze", freeze::rows),
    ("armed", armed::rows),
    ("writing", writing::rows),
];

/// The command line's entry. Gives the status for this process to end with.
pub fn main(words: Vec<String>) -> Result<u8> {
    let mut args = Args::new(words);
    if args.flag("--help") || args.flag("-h") {
        print!("{USAGE}");
        return Ok(0);
    }
    let runs: usize = args.parse("--runs", 9)?;
    let only = args.all("--only")?;
    let kernel: String = args.parse("--kernel", "6.12".to_owned())?;
    args.done()?;
    apt::setup()?;
    let programs = build::release(&["lkd-cli", "lkd-testprogs"])?;
    build::programs(&programs, build::OURS)?;
    let ground =
        Ground { runs: runs.max(1), kernel, programs, hand: told(hand()), bpftrace: told(bpftrace()) };
    let mut failed = false;
    println!("| what | ours | peer's | unit | peer | ours / peer's |\n|---|---:|---:|---|---|---:|");
    for (name, group) in GROUPS {
        if !only.is_empty() && !only.iter().any(|word| word == name) {
            continue;
        }
        let mut rows = Vec::new();
        let outcome = group(&ground, &mut rows);
        for row in &rows {
            println!("{}", row.line());
        }
        if let Err(why) = outcome {
            eprintln!("xtask: {name}: {why:#}");
            failed = true;
        }
    }
    Ok(u8::from(failed))
}

fn told<T>(peer: Result<T>) -> Option<T> {
    peer.map_err(|why| eprintln!("xtask: without a peer: {why:#}")).ok()
}

/// Builds the hand-written programs and their loader.
fn hand() -> Result<(PathBuf, PathBuf)> {
    apt::install(&["libbpf-dev"])?;
    let source = place::workspace().join("xtask/bench");
    let dir = place::target().join("lkd-bench");
    std::fs::create_dir_all(&dir)?;
    let (loader, object) = (dir.join("hand"), dir.join("hand.bpf.o"));
    let mut clang = sh::cmd("clang");
    clang.args(["-O2", "-g", "-target", "bpf", "-c", "-I/usr/include/x86_64-linux-gnu", "-o"]).arg(&object);
    sh::read(clang.arg(source.join("hand.bpf.c"))).context("cannot build the hand-written BPF programs")?;
    let mut gcc = sh::cmd("gcc");
    gcc.args(["-O2", "-Wall", "-o"]).arg(&loader).arg(source.join("hand.c")).arg("-lbpf");
    sh::read(&mut gcc).context("cannot build the loader of the hand-written programs")?;
    Ok((loader, object))
}

fn bpftrace() -> Result<PathBuf> {
    apt::install(&["bpftrace"])?;
    sh::which("bpftrace").context("apt installed bpftrace, and it is not in PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_the_ratio() {
        let row = Row { what: "x".into(), ours: 2.0, peer: "p", peers: Some(4.0), unit: "s" };
        assert_eq!(row.line(), "| x | 2.00 | 4.00 | s | p | 0.50 |");
        let alone = Row { peers: None, ours: 0.01234, ..row };
        assert_eq!(alone.line(), "| x | 0.0123 | - | s | p | - |");
    }
}
