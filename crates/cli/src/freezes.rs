//! `lkd selftest freeze`: many freezes in a row, and what they were like.

use lkd_capture::drill::{Drill, Judge};
use lkd_capture::invariants::{Finding, Planted};
use lkd_capture::{Options, Taken, Work};
use lkd_dump::Kind;
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub times: u32,
    pub work: Work,
    pub kind: Kind,
    pub max_pause: Duration,
    /// Between two freezes, so that the machine gets something done.
    pub rest: Duration,
    /// Bytes of the buffer.
    pub buffer: Option<u64>,
    /// Judge every consistent image: by the kernel's own claims and by what `storm` left in this file.
    pub judge: Option<PathBuf>,
}

/// Stops this machine as often as asked. The text, and whether some freeze was consistent and none of these broke a claim.
///
/// # Errors
/// A sentence: what is missing, or what did not come back.
pub fn run(asked: Asked) -> Result<(String, bool), String> {
    let options = Options {
        work: asked.work,
        kinds: vec![asked.kind],
        buffer_bytes: asked.buffer,
        max_pause_ns: u64::try_from(asked.max_pause.as_nanos()).unwrap_or(u64::MAX),
        ..Options::default()
    };
    let mut drill = Drill::new(&options).map_err(|e| e.to_string())?;
    let (alone, clock) = drill.limits();
    let mut text = String::new();
    for why in alone.iter().chain(clock.iter()) {
        let _ = writeln!(text, "limited: {why}");
    }
    let judge = asked.judge.as_deref().map(judge).transpose()?;
    let mut tally = Tally::default();
    for _ in 0..asked.times {
        std::thread::sleep(asked.rest);
        let taken = drill.fire().map_err(|e| e.to_string())?;
        tally.add(&taken);
        if asked.work >= Work::Copy {
            tally.twice = tally.twice.max(drill.copied_twice().map_err(|e| e.to_string())?);
        }
        if let (Some(judge), true) = (&judge, taken.smears.is_empty()) {
            tally.judged(drill.judge(&taken, judge).map_err(|e| e.to_string())?);
        }
    }
    text.push_str(&tally.text());
    Ok((text, tally.consistent > 0 && tally.broken.is_empty()))
}

/// This boot's symbols and types, and what `storm` left.
fn judge(planted: &Path) -> Result<Judge, String> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let symbols = Symbols::parse(&read(Path::new("/proc/kallsyms"))?).map_err(|e| e.to_string())?;
    let btf = Btf::parse(read(Path::new("/sys/kernel/btf/vmlinux"))?).map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&read(planted)?).into_owned();
    let planted =
        Planted::parse(&text).ok_or_else(|| format!("{}: not what storm writes", planted.display()))?;
    Ok(Judge { symbols, btf, planted: Some(planted) })
}

/// Numbers of many freezes.
#[derive(Default)]
struct Tally {
    freezes: u32,
    cpus: u32,
    /// Nanoseconds: until all had stopped, until classified, copying, the whole pause.
    stop: Vec<u64>,
    classify: Vec<u64>,
    /// From the stop until all that must be had was copied.
    must: Vec<u64>,
    copy: Vec<u64>,
    pause: Vec<u64>,
    pages: Vec<u64>,
    /// CPUs that stopped, and of how many the registers are known.
    stopped: u64,
    known: u64,
    /// Pages that one freeze has copied twice.
    twice: u64,
    smears: BTreeMap<String, u32>,
    consistent: u32,
    /// Claims: how often judged, things looked at, excused.
    claims: BTreeMap<String, (u32, u64, u64)>,
    /// Claims that a consistent image broke, with an example each.
    broken: BTreeMap<String, (u32, String)>,
}

impl Tally {
    fn add(&mut self, taken: &Taken) {
        let shot = &taken.shot;
        self.freezes += 1;
        self.cpus = self.cpus.max(shot.cpus_stopped);
        self.stop.push(shot.stopped_ns.saturating_sub(shot.triggered_ns));
        self.pause.push(shot.thawed_ns.saturating_sub(shot.triggered_ns));
        if shot.classified_ns > 0 {
            self.classify.push(shot.classified_ns.saturating_sub(shot.stopped_ns));
            self.copy.push(shot.copied_ns.saturating_sub(shot.classified_ns));
        }
        if taken.must_ns > 0 {
            self.must.push(taken.must_ns.saturating_sub(shot.stopped_ns));
        }
        self.pages.push(shot.pages.frozen);
        for cpu in taken.cpus.iter().filter(|cpu| cpu.how > 1) {
            self.stopped += 1;
            self.known += u64::from(cpu.flags & lkd_dump::shot::cpu_flags::REGS);
        }
        self.consistent += u32::from(taken.smears.is_empty());
        for why in &taken.smears {
            *self.smears.entry(why.clone()).or_default() += 1;
        }
    }

    fn judged(&mut self, findings: Vec<Finding>) {
        for finding in findings.into_iter().filter(|finding| finding.lacking.is_none()) {
            let claim = self.claims.entry(finding.check.to_string()).or_default();
            *claim = (claim.0 + 1, claim.1 + finding.looked, claim.2 + finding.excused);
            if !finding.holds() {
                let broken = self.broken.entry(finding.check.to_string()).or_insert((0, finding.to_string()));
                broken.0 += 1;
            }
        }
    }

    fn text(&self) -> String {
        let mut text =
            format!("{} freezes of {} CPUs, {} consistent\n", self.freezes, self.cpus, self.consistent);
        for (claim, (times, looked, excused)) in &self.claims {
            let broken = self.broken.get(claim).map_or(0, |broken| broken.0);
            let _ = writeln!(
                text,
                "{claim}: broken in {broken} of {times} images; {looked} looked at, {excused} excused"
            );
        }
        for (_, example) in self.broken.values() {
            let _ = writeln!(text, "{example}");
        }
        for (why, times) in &self.smears {
            let _ = writeln!(text, "smeared {times} times: {why}");
        }
        if self.stopped > 0 {
            let _ = writeln!(text, "registers of {} of {} interrupted CPUs", self.known, self.stopped);
        }
        let _ = writeln!(
            text,
            "{:<10}{:>10}{:>10}{:>10}{:>10}{:>10}  us",
            "", "least", "median", "90 %", "99 %", "most"
        );
        for (what, values) in [
            ("to stop", &self.stop),
            ("classify", &self.classify),
            ("must", &self.must),
            ("copy", &self.copy),
            ("pause", &self.pause),
        ] {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let at = |percent: usize| {
                let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
                sorted.get(place).map_or(0.0, |ns| *ns as f64 / 1000.0)
            };
            if !sorted.is_empty() {
                let _ = writeln!(
                    text,
                    "{what:<10}{:>10.1}{:>10.1}{:>10.1}{:>10.1}{:>10.1}",
                    at(0),
                    at(50),
                    at(90),
                    at(99),
                    at(100)
                );
            }
        }
        let most = self.pages.iter().max().copied().unwrap_or(0);
        if most > 0 {
            let _ =
                writeln!(text, "at most {most} pages, {} MB, {} of them copied twice", most >> 8, self.twice);
        }
        text.push_str(&histogram(&self.pause));
        text
    }
}

/// How many pauses were below each power of two of microseconds.
fn histogram(ns: &[u64]) -> String {
    let mut rows = BTreeMap::<u32, usize>::new();
    for value in ns {
        *rows.entry((value / 1000).max(1).ilog2()).or_default() += 1;
    }
    let (Some(first), Some(last)) = (rows.keys().next().copied(), rows.keys().last().copied()) else {
        return String::new();
    };
    let most = rows.values().max().copied().unwrap_or(1);
    let mut text = String::from("pauses, us\n");
    for row in first..=last {
        let count = rows.get(&row).copied().unwrap_or(0);
        let _ = writeln!(text, "{:>10} |{:<40}| {count}", 1u64 << row, "@".repeat(count * 40 / most));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_told_by_powers_of_two() {
        let text = histogram(&[900, 30_000, 31_000, 120_000]);
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), 7, "{text}");
        assert!(rows[0].trim_start().starts_with("1 |") && rows[0].ends_with("| 1"));
        assert!(rows[4].trim_start().starts_with("16 |@@@@") && rows[4].ends_with("| 2"));
        assert!(rows[5].ends_with("|                                        | 0"));
        assert_eq!(histogram(&[]), "");
    }
}
