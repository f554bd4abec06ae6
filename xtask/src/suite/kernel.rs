//! Suites that need a kernel: `tests/d` on the machine's own, and in guests, one boot for all tests of a kernel.

use super::{Ask, Tally};
use crate::guest::Guest;
use crate::qemu::{Ending, Shared, Sinks};
use crate::{build, place, sh};
use anyhow::{Context, Result};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// `tests/d` on this machine's kernel.
pub fn host(ask: &Ask, tally: &mut Tally) -> Result<()> {
    let programs = build::release(&["lkd-cli", "lkd-testprogs"])?;
    build::programs(&programs, build::OURS)?;
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = sh::cmd(programs.join("lkd-testrun"));
    if ask.bless {
        command.arg("--bless");
    }
    command.arg(place::workspace().join("tests/d")).args(&ask.filters).env("PATH", path);
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start lkd-testrun")?;
    let mut report = Tee::default();
    if let Some(mut stdout) = child.stdout.take() {
        std::io::copy(&mut stdout, &mut report)?;
    }
    let status = child.wait()?;
    tally.count(&report.seen.text());
    if !status.success() && tally.failed == 0 {
        tally.fail("lkd-testrun", &status.to_string());
    }
    Ok(())
}

/// `tests/d` in a guest. What its tests leave in /out is kept for the readers.
pub fn guest(kernel: &str, ask: &Ask, tally: &mut Tally) -> Result<()> {
    let out = left_by(kernel);
    let _ = fs::remove_dir_all(&out);
    let mut guest = Guest {
        kernel: kernel.to_owned(),
        share: Some(place::workspace().join("tests")),
        out: Some(out.clone()),
        timeout: Duration::from_secs(2400),
        ..Guest::default()
    };
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    guest.add_ours()?;
    // busybox has a setpriv that knows no bounding set.
    guest.programs.extend(["makedumpfile".into(), "setpriv".into()]);
    let mut after = String::new();
    // A guest that was lost is a failure; the tests behind the one that lost it get a second boot.
    for boot in 1..=2 {
        let console = place::target().join(format!("lkd-guests/{kernel}.console.{boot}"));
        guest.console = Some(console.clone());
        let report = Tee::default();
        let seen = report.seen.clone();
        let mut command: Vec<String> = ["lkd-testrun", "--guest"].map(str::to_owned).to_vec();
        command.extend((!after.is_empty()).then(|| format!("--after={after}")));
        command.push("/share/d".into());
        command.extend(ask.filters.iter().cloned());
        let ending = guest.run(&command, &Sinks::new(report, std::io::stderr()))?;
        tally.count(&seen.text());
        kernels_log(&console, boot, tally)?;
        let why = match ending {
            Ending::Exit(status) => {
                if status > 1 {
                    tally.fail("lkd-testrun", &format!("status {status}"));
                }
                break;
            }
            Ending::Lost(why) | Ending::Unborn(why) => why,
        };
        after = last_told(&seen.text()).unwrap_or(after);
        tally.fail("the guest itself", &format!("boot {boot} was lost behind '{after}': {why}"));
    }
    Ok(())
}

/// The kernel's own words in one boot are judged like a test, however the boot ended.
fn kernels_log(console: &Path, boot: u32, tally: &mut Tally) -> Result<()> {
    let text = fs::read(console).with_context(|| format!("boot {boot} left no console"))?;
    match complaint(&String::from_utf8_lossy(&text)) {
        Some(line) => {
            tally.fail("the kernel's log", &format!("boot {boot}: {line}\nall of it: {}", console.display()));
        }
        None => {
            println!("ok the kernel's log of boot {boot} has no complaint");
            tally.pass();
        }
    }
    Ok(())
}

/// Where the guest suite keeps what a kernel's tests left.
pub fn left_by(kernel: &str) -> PathBuf {
    place::target().join("lkd-guests").join(kernel)
}

/// The last test of which a report tells.
fn last_told(report: &str) -> Option<String> {
    let words = report.lines().rev().map(|line| line.split(' ').collect::<Vec<_>>());
    let mut told = words.filter(|words| matches!(words.first(), Some(&"ok" | &"FAILED" | &"skipped")));
    Some(told.next()?.get(1)?.trim_end_matches(':').to_owned())
}

/// The first line by which a kernel says that something of its own went wrong. Stalls are not among them: an emulated
/// CPU on a loaded machine stalls by itself.
fn complaint(console: &str) -> Option<&str> {
    let signs = [
        "WARNING: CPU",
        "BUG: unable",
        "BUG: kernel",
        "general protection",
        "Oops:",
        "scheduling while atomic",
    ];
    console.lines().find(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// Writes to the terminal and remembers.
#[derive(Default)]
struct Tee {
    seen: Shared,
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        // The runner's own closing line would be counted twice by whoever reads ours.
        let text = String::from_utf8_lossy(bytes);
        for line in text.split_inclusive('\n').filter(|line| !is_closing(line)) {
            std::io::stdout().write_all(line.as_bytes())?;
        }
        self.seen.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

fn is_closing(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit())
        && line.trim_end().ends_with(" skipped")
        && line.contains(" passed, ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernels_complaint_is_found() {
        assert_eq!(
            complaint("[ 1.0] fine\n[ 2.0] BUG: kernel NULL pointer\n"),
            Some("[ 2.0] BUG: kernel NULL pointer")
        );
        assert_eq!(complaint("[ 1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!\n"), None);
    }

    #[test]
    fn the_last_test_told_is_known() {
        let report = "ok a/x.d (0.1 s)\nFAILED b/y.sh\n    why\n";
        assert_eq!(last_told(report).as_deref(), Some("b/y.sh"));
        assert_eq!(last_told("skipped c/z.d: no moon\n").as_deref(), Some("c/z.d"));
        assert_eq!(last_told(""), None);
    }

    #[test]
    fn the_runners_closing_line_is_known() {
        assert!(is_closing("3 passed, 0 failed, 1 skipped\n"));
        assert!(!is_closing("ok 3 passed, 0 failed, 1 skipped-x\n"));
    }
}
