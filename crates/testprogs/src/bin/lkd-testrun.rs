//! Runs the tests under a directory and tells each one's outcome on a line of its own; the words are in the library.

use anyhow::{Result, bail};
use lkd_testprogs::needs::Needs;
use lkd_testprogs::{case, run};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const USAGE: &str = "\
usage: lkd-testrun [--guest] [--again] [--bless] [--list] [--after=NAME] DIR [FILTER...]

Runs the tests (*.d, *.sh) below DIR whose name contains a FILTER.
  --guest   this is a guest: run the tests for guests, with a guest's patience
  --again   another guest has run them all: without what one is enough for
  --bless   write NAME.out and NAME.err anew from what comes out
  --list    only tell the names
  --after=NAME  begin behind this test
Exit status 1 when a test failed.
";

fn main() -> ExitCode {
    match real_main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(why) => {
            eprintln!("lkd-testrun: {why:#}");
            ExitCode::from(2)
        }
    }
}

fn real_main() -> Result<bool> {
    let (options, words): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|w| w.starts_with("--"));
    let mut guest = false;
    let mut again = false;
    let mut bless = false;
    let mut list = false;
    let mut after = "";
    for option in &options {
        match option.as_str() {
            "--guest" => guest = true,
            "--again" => again = true,
            "--bless" => bless = true,
            "--list" => list = true,
            _ => match option.strip_prefix("--after=") {
                Some(name) => after = name,
                None => bail!("no option {option}\n{USAGE}"),
            },
        }
    }
    let Some((dir, filters)) = words.split_first() else { bail!("which directory?\n{USAGE}") };
    let root = PathBuf::from(dir).canonicalize()?;
    let scratch = run::scratch()?;
    let timeout = Duration::from_secs(if guest { 120 } else { 30 });
    let mut needs = Needs::default();
    let mut out = std::io::stdout().lock();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for case in case::all(&root)? {
        let here = if guest { case.guest } else { case.host };
        if !here
            || again && case.once
            || case.name.as_str() <= after
            || !(filters.is_empty() || filters.iter().any(|filter| case.name.contains(filter.as_str())))
        {
            continue;
        }
        if list {
            writeln!(out, "{}", case.name)?;
            continue;
        }
        let started = Instant::now();
        let outcome = match case.needs.iter().find_map(|need| needs.missing(need)) {
            Some(why) => run::Outcome::Skipped(why),
            None => run::run(&case, &scratch, timeout, bless)?,
        };
        match outcome {
            run::Outcome::Passed => {
                passed += 1;
                writeln!(out, "ok {} ({:.1} s)", case.name, started.elapsed().as_secs_f64())?;
            }
            run::Outcome::Failed(why) => {
                failed += 1;
                writeln!(out, "FAILED {}\n    {}", case.name, why.trim_end().replace('\n', "\n    "))?;
            }
            run::Outcome::Skipped(why) => {
                skipped += 1;
                writeln!(out, "skipped {}: {why}", case.name)?;
            }
        }
        out.flush()?;
    }
    let _ = std::fs::remove_dir_all(&scratch);
    if !list {
        writeln!(out, "{passed} passed, {failed} failed, {skipped} skipped")?;
    }
    Ok(failed == 0)
}
