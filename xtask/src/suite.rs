//! `cargo xtask test`: the suites in order, each with its closing line, and one status for all.

mod code;
mod instant;
mod kernel;
mod reading;
mod refusal;
mod stacks;

pub use reading::SEED;

use crate::apt;
use crate::args::Args;
use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask test [--quick] [--only SUITE]... [FILTER...]

Runs the suites; each ends with one line 'SUITE: N passed, N failed, N skipped'. Status 1 when anything failed.

  fmt      rustfmt has nothing to change
  clippy   no warning in any target
  deny     licences and sources of all dependencies, by deny.toml (and by cargo-deny, where it is installed)
  unit     unit and property tests of all crates
  host     tests/d on the machine's own kernel (root and tracing permitting)
  guest    tests/d in a Debian 6.1 guest, and in a 6.12 one without what one guest is enough for: one boot each; the freeze in the
           newest kernel, with 1 and 4 CPUs; virtual machines in guests; kernels that cannot give a dump, and say so
  instant  a dump of ours and QEMU's of the same guest, paused at the same instant, agree page by page
  readers  crash 9, the newest drgn and gdb on the dumps that the guests left

  --quick      without guests, instant and readers
  --only NAME  only this suite, or a part of it, as guest-6.12, guest-newest-4, guest-hosting-6.1 (any number; readers needs the guests'
               dumps from before)
  --bless      host: write the expected output anew
  FILTER       host and guest: only tests whose name contains it
";

/// What a suite has counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    pub passed: u32,
    pub failed: u32,
    pub skipped: u32,
    /// Each failure as it was told, to be told again at the very end: the log of a whole run is long.
    pub failures: String,
}

impl Tally {
    /// One test passed.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// One test failed; says so.
    pub fn fail(&mut self, what: &str, why: &str) {
        let told = format!("FAILED {what}: {}\n", why.trim_end());
        print!("{told}");
        self.failures += &told;
        self.failed += 1;
    }

    /// One test was skipped; says why.
    pub fn skip(&mut self, what: &str, why: &str) {
        println!("skipped {what}: {why}");
        self.skipped += 1;
    }

    /// Counts lines that begin with `ok`, `FAILED` or `skipped`, as our runner and our reader scripts write them.
    pub fn count(&mut self, report: &str) {
        let mut failing = false;
        for line in report.lines() {
            let word = line.split(' ').next();
            match word {
                Some("ok") => self.passed += 1,
                Some("FAILED") => self.failed += 1,
                Some("skipped") => self.skipped += 1,
                _ => {}
            }
            // the reasons stand below it, indented
            failing = word == Some("FAILED") || failing && line.starts_with(' ');
            if failing {
                self.failures += line;
                self.failures.push('\n');
            }
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// What was asked of the suites.
pub struct Ask {
    pub filters: Vec<String>,
    pub bless: bool,
}

type Suite = fn(&Ask, &mut Tally) -> Result<()>;

/// Every suite: its name, what its heading says, whether `--quick` leaves it out.
const SUITES: &[(&str, &str, bool, Suite)] = &[
    ("fmt", "rustfmt", false, code::fmt),
    ("clippy", "clippy, warnings denied", false, code::clippy),
    ("deny", "licences", false, code::deny),
    ("unit", "unit and property tests", false, code::unit),
    ("host", "this machine's kernel", false, kernel::host),
    ("guest-6.1", "Debian 6.1 in a guest", true, |ask, tally| kernel::guest("6.1", ask, tally)),
    ("guest-6.12", "Debian 6.12 in a guest", true, |ask, tally| kernel::guest("6.12", ask, tally)),
    ("guest-newest-1", "the newest kernel, 1 CPU", true, |ask, tally| kernel::cpus(1, ask, tally)),
    ("guest-newest-4", "the newest kernel, 4 CPUs", true, |ask, tally| kernel::cpus(4, ask, tally)),
    ("guest-hosting-6.1", "virtual machines in a guest of 6.1", true, |ask, tally| {
        kernel::hosts("6.1", ask, tally)
    }),
    ("guest-hosting-6.12", "virtual machines in a guest of 6.12", true, |ask, tally| {
        kernel::hosts("6.12", ask, tally)
    }),
    ("guest-refusals", "kernels that cannot give a dump", true, refusal::refusals),
    ("instant-6.1", "one instant of 6.1, by lkd and by QEMU", true, |_, tally| {
        instant::instant("6.1", tally)
    }),
    ("instant-6.12", "one instant of 6.12, by lkd and by QEMU", true, |_, tally| {
        instant::instant("6.12", tally)
    }),
    ("readers", "crash, drgn and gdb on the guests' dumps", true, reading::readers),
];

/// Whether a suite is what was asked for, or a part of it.
fn is_of(suite: &str, asked: &str) -> bool {
    suite.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// The command line's entry. Gives the status for this process to end with.
pub fn main(words: Vec<String>) -> Result<u8> {
    let mut args = Args::new(words);
    if args.flag("--help") || args.flag("-h") {
        print!("{USAGE}");
        return Ok(0);
    }
    let quick = args.flag("--quick");
    let only = args.all("--only")?;
    if let Some(name) = only.iter().find(|name| !SUITES.iter().any(|suite| is_of(suite.0, name))) {
        bail!("no suite {name}\n{USAGE}");
    }
    let ask = Ask { bless: args.flag("--bless"), filters: args.rest()? };
    apt::setup()?;
    let mut failures = String::new();
    let mut closing = String::new();
    for (name, heading, slow, suite) in SUITES {
        let chosen =
            if only.is_empty() { !(quick && *slow) } else { only.iter().any(|word| is_of(name, word)) };
        if !chosen {
            continue;
        }
        println!("== {heading}");
        let mut tally = Tally::default();
        if let Err(why) = suite(&ask, &mut tally) {
            tally.fail(name, &format!("{why:#}"));
        }
        println!("{name}: {tally}");
        closing += &format!("{name}: {tally} ({heading})\n");
        if tally.failed > 0 {
            failures += &format!("-- {heading}\n{}", tally.failures);
        }
    }
    print!("== all suites\n{closing}");
    if !failures.is_empty() {
        print!("== what failed\n{failures}");
    }
    Ok(u8::from(!failures.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_suite_can_be_asked_for() {
        assert!(
            is_of("guest-newest-4", "guest")
                && is_of("guest-newest-4", "guest-newest")
                && is_of("host", "host")
        );
        assert!(!is_of("guest-6.12", "guest-6.1") && !is_of("host", "hos") && !is_of("host", "guest"));
    }

    #[test]
    fn a_report_is_counted_by_its_lines() {
        let mut tally = Tally::default();
        tally.count("ok a (0.1 s)\nFAILED b\n    ok is not a word here\nskipped c: no moon\nok d\nokay\n");
        let failures = "FAILED b\n    ok is not a word here\n".to_owned();
        assert_eq!(tally, Tally { passed: 2, failed: 1, skipped: 1, failures });
        assert_eq!(tally.to_string(), "2 passed, 1 failed, 1 skipped");
    }
}
