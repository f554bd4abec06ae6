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

/// The kernel whose guest runs all of `tests/d`.
const FIRST: &str = "6.1";

/// `tests/d` in a guest; where it is not the first, without what one guest is enough for, unless that was asked for by name. What its
/// tests leave in /out is kept for the readers.
pub fn guest(kernel: &str, ask: &Ask, tally: &mut Tally) -> Result<()> {
    let again = kernel != FIRST && ask.filters.is_empty();
    if again {
        println!("what one guest is enough for (@where: once, refusals) is left out: {FIRST}'s runs it");
    }
    boots(&Boots { kernel, smp: Guest::default().smp, hosts: false, again }, &ask.filters, tally)
}

/// What stops all CPUs, where there is one to stop, and where there are more than the machine has: in the newest kernel.
pub fn cpus(smp: u32, ask: &Ask, tally: &mut Tally) -> Result<()> {
    let tests = chosen(if smp > 1 { OF_THE_NEWEST } else { ALONE }, ask);
    if tests.is_empty() {
        Ok(())
    } else {
        boots(&Boots { kernel: "newest", smp, hosts: false, again: false }, &tests, tally)
    }
}

/// What needs virtual machines: in guests of their own, which emulate an AMD processor that has them.
pub fn hosts(kernel: &str, ask: &Ask, tally: &mut Tally) -> Result<()> {
    let tests = chosen(HOSTING, ask);
    let boot = Boots { kernel, smp: Guest::default().smp, hosts: true, again: false };
    if tests.is_empty() { Ok(()) } else { boots(&boot, &tests, tally) }
}

/// Those of some tests that the filters choose.
fn chosen(tests: &[&str], ask: &Ask) -> Vec<String> {
    let chosen =
        |test: &&&str| ask.filters.is_empty() || ask.filters.iter().any(|word| test.contains(word.as_str()));
    tests.iter().filter(chosen).map(|test| (*test).to_owned()).collect()
}

/// The tests that run a virtual machine.
const HOSTING: &[&str] = &["lkd/tst.hypervisor.sh", "lkd/tst.hypervisor_late.sh"];

/// What shows that a dump needs no second CPU.
const ALONE: &[&str] = &["seed/tst.live_dump.sh", "lkd/tst.irqs_off.sh", "lkd/tst.small_buffer.sh"];

/// What the newest kernel shows on several CPUs: that they stand still, dumps for the readers, and a storm under which none breaks a
/// claim.
const OF_THE_NEWEST: &[&str] = &[
    "lkd/tst.still.sh",
    "seed/tst.live_dump.sh",
    "lkd/tst.fbt.sh",
    "lkd/tst.mini.sh",
    "lkd/tst.consistent.sh",
];

/// A guest for tests.
struct Boots<'a> {
    kernel: &'a str,
    smp: u32,
    /// It runs virtual machines of its own.
    hosts: bool,
    /// Another kernel's guest runs what one is enough for.
    again: bool,
}

impl Boots<'_> {
    /// Under which name its tests leave what they leave.
    fn name(&self) -> String {
        match self {
            Boots { kernel, hosts: true, .. } => hosting(kernel),
            Boots { kernel, smp, .. } if *smp != Guest::default().smp => with_cpus(kernel, *smp),
            Boots { kernel, .. } => (*kernel).to_owned(),
        }
    }
}

/// The name of a kernel's guest that runs virtual machines.
pub fn hosting(kernel: &str) -> String {
    format!("{kernel}-hosting")
}

/// The name of a kernel's guest of another number of CPUs than usual.
pub fn with_cpus(kernel: &str, smp: u32) -> String {
    format!("{kernel}-{smp}")
}

fn boots(of: &Boots<'_>, filters: &[String], tally: &mut Tally) -> Result<()> {
    let name = of.name();
    let out = left_by(&name);
    let _ = fs::remove_dir_all(&out);
    let mut guest = Guest {
        kernel: of.kernel.to_owned(),
        smp: of.smp,
        share: Some(place::workspace().join("tests")),
        out: Some(out.clone()),
        // QEMU emulates AMD's, and a guest's guest is what lkd(4) is for.
        modules: of.hosts.then(|| "kvm_amd".into()).into_iter().collect(),
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
        let console = place::target().join(format!("lkd-guests/{name}.console.{boot}"));
        guest.console = Some(console.clone());
        let report = Tee::default();
        let seen = report.seen.clone();
        let mut command: Vec<String> = ["lkd-testrun", "--guest"].map(str::to_owned).to_vec();
        command.extend(of.again.then(|| "--again".to_owned()));
        command.extend((!after.is_empty()).then(|| format!("--after={after}")));
        command.push("/share/d".into());
        command.extend(filters.iter().cloned());
        let ending = guest.run(&command, &Sinks::new(report, std::io::stderr()))?;
        let lost = !matches!(ending, Ending::Exit(_));
        if !(lost && of.hosts && boot == 1) {
            tally.count(&seen.text());
            kernels_log(&console, boot, tally)?;
        }
        let why = match ending {
            Ending::Exit(status) => {
                if status > 1 {
                    tally.fail("lkd-testrun", &format!("status {status}"));
                }
                break;
            }
            Ending::Lost(why) | Ending::Unborn(why) => why,
        };
        // QEMU's emulation of a processor that runs guests may forget an interrupt: the CPU that runs `vmrun` then answers nobody, not
        // even an NMI, while the other one waits for it to let a tracepoint go. Seen once in some fifteen runs, on 6.1.
        if of.hosts && boot == 1 {
            println!("a guest that runs guests was lost, and gets a second boot: {why}");
            continue;
        }
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

/// What a kernel writes when something of its own went wrong, beside what [`is_bug`] and [`is_warning`] know.
const SIGNS: &[&str] = &[
    "kernel BUG at",
    // The counter behind every Oops, whatever the trap is called: 6.1 has no "Oops:" before "invalid opcode".
    "[#1]",
    "Oops:",
    "general protection",
    "Kernel panic",
    "list_add corruption",
    "list_del corruption",
    "UBSAN:",
    "KASAN:",
];

/// The first line by which a kernel says that something of its own went wrong. Stalls (soft lockups, RCU's, hung tasks) are
/// not among them: an emulated CPU stands still whenever the machine below it has no time, and the guest's clock runs on.
/// A CPU that does not come back loses the guest, which is a failure of its own.
fn complaint(console: &str) -> Option<&str> {
    let told = |line: &&str| SIGNS.iter().any(|sign| line.contains(sign)) || is_bug(line) || is_warning(line);
    console.lines().find(told)
}

/// `BUG: unable to handle page fault`, `BUG: Bad page state`, `BUG: sleeping function called` …, but no stall.
fn is_bug(line: &str) -> bool {
    let what = line.split_once("BUG: ").map(|(_, what)| what);
    what.is_some_and(|what| !what.starts_with("soft lockup") && !what.starts_with("workqueue lockup"))
}

/// `WARNING: CPU: 1 PID: 9 at kernel/x.c:12 f+0x1/0x2`, in newer kernels `WARNING: kernel/x.c:12 at f+0x1/0x2, CPU#1: sh/9`, and what
/// lockdep says. Other lines with this word give advice (mitigations, deprecated options).
fn is_warning(line: &str) -> bool {
    let Some((_, what)) = line.split_once("WARNING: ") else { return false };
    let (place, rest) = what.split_once(' ').unwrap_or_default();
    let source = place.rsplit_once(':').is_some_and(|(file, number)| {
        file.contains('.') && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    let lockdep = what.starts_with("possible ") || what.starts_with("suspicious ");
    place == "CPU:" || source && rest.starts_with("at ") || lockdep
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
        for line in [
            "[ 2.0] kernel BUG at mm/slub.c:435!",
            "[ 2.0] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
            "[ 2.0] BUG: Bad page state in process dtrace  pfn:12345",
            "[ 2.0] BUG: sleeping function called from invalid context at mm/page_alloc.c:5411",
            "[ 2.0] BUG: scheduling while atomic: dtrace/77/0x00000002",
            "[ 2.0] list_add corruption. next->prev should be prev (ffff8880), but was ffff8881. (next=ffff8882).",
            "[ 2.0] list_del corruption, ffff888003b0->next is LIST_POISON1 (dead000000000100)",
            "[ 2.0] UBSAN: array-index-out-of-bounds in kernel/bpf/core.c:12:3",
            "[ 2.0] BUG: KASAN: slab-out-of-bounds in f+0x1/0x2",
            "[ 2.0] WARNING: CPU: 0 PID: 9 at kernel/x.c:12 f+0x1/0x2",
            "[ 2.0] WARNING: kernel/trace/x.c:12 at f+0x1/0x2, CPU#1: dtrace/9",
            "[ 2.0] WARNING: possible circular locking dependency detected",
        ] {
            assert_eq!(complaint(&format!("[ 1.0] fine\n{line}\n")), Some(line));
        }
    }

    #[test]
    fn stalls_and_advice_are_no_complaints() {
        for line in [
            "[ 1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
            "[ 1.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!",
            "[ 1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "[ 1.0] INFO: task dtrace:77 blocked for more than 120 seconds.",
            "[ 1.0] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible",
            "[ 1.0] WARNING: See https://docs.example/admin.html:12 for more",
        ] {
            assert_eq!(complaint(line), None);
        }
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
