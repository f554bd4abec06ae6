//! The instant suite: our dump against QEMU's of the same guest at the same instant, page by page.
//!
//! A quiet guest's `pauser` runs into the seed's probe and pauses the machine as soon as it has been let go. QEMU then writes
//! all of the paused machine's memory; the machine goes on, and our writer finishes. `tests/readers/same.py` compares.

use super::Tally;
use super::kernel::left_by;
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::place::{self, SocketDir};
use crate::qemu::{Ending, Shared, Sinks};
use crate::qmp::Monitor;
use crate::{readers, sh};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// A host that takes a CPU of the guest away for long makes a smeared dump, which says so: then once more. The machine is paused
/// each time, and what QEMU wrote of the last pause stays.
const TRIES: &str = "\
# who keeps CPUs from their work must not be stopped for that
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
for server in /sys/kernel/debug/sched/fair_server/*/runtime; do
	[ ! -e $server ] || echo 0 >$server
done
for try in 1 2 3 4 5; do
	rm -rf /out/reports
	mkdir -m 700 /out/reports
	dtrace -w -x lkdpath=/out/reports -x lkdmaxpause=5s -x lkdbuf=192m -x lkdformat=elf -c pauser \
		-n 'syscall::lseek:return /pid == $target && arg0 == 0xc0000001/ { lkd(0); exit(0); }' 2>/tmp/told || { cat /tmp/told >&2; exit 1; }
	cat /tmp/told
	grep -q ', consistent$' /tmp/told && exec mv /out/reports/DTRACE-*/vmcore /out/ours.elf
done
echo 'never consistent' >&2
exit 1
";

/// What runs between the thaw and the pause is known by what was seen to: a timer that comes once a minute may be met for the first
/// time. What is wrong with a dump is wrong again.
const ATTEMPTS: u32 = 3;

/// A kernel's two images of one instant.
pub fn instant(kernel: &str, tally: &mut Tally) -> Result<()> {
    for attempt in 1..ATTEMPTS {
        let mut own = Tally::default();
        let outcome = once(kernel, &mut own);
        if outcome.is_ok() && own.failed == 0 {
            tally.passed += own.passed;
            tally.skipped += own.skipped;
            return Ok(());
        }
        println!(
            "attempt {attempt} of {ATTEMPTS} met something unexplained: {}",
            outcome.err().map_or_else(String::new, |why| format!("{why:#}"))
        );
    }
    once(kernel, tally)
}

fn once(kernel: &str, tally: &mut Tally) -> Result<()> {
    let out = left_by(&format!("instant-{kernel}"));
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let sockets = SocketDir::new()?;
    let mut guest = Guest {
        kernel: kernel.to_owned(),
        mem: 768,
        out: Some(out.clone()),
        out_size: 2048,
        // objects of different types in one cache would have one name
        append: "slab_nomerge".into(),
        console: Some(out.join("console")),
        qmp: Some(sockets.socket("qmp")),
        ..Guest::default()
    };
    guest.add_ours()?;
    let theirs = out.join("qemu.elf");
    let told = Shared::default();
    let over = AtomicBool::new(false);
    let (ending, pauses) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&sockets.socket("qmp"), &theirs, &over));
        let ending = guest.run(&[TRIES.to_owned()], &Sinks::new(told.clone(), std::io::stderr()));
        over.store(true, Ordering::Relaxed);
        (ending, watcher.join())
    });
    let pauses = pauses.ok().context("whoever talked to QEMU panicked")??;
    match ending? {
        Ending::Exit(0) => {}
        Ending::Exit(status) => bail!("the guest's command ended with {status}:\n{}", told.text()),
        Ending::Lost(why) | Ending::Unborn(why) => bail!("the guest was lost: {why}"),
    }
    print!("{}", told.text());
    println!("the machine was paused {pauses} times");
    compare(&Kernel::get(kernel)?.vmlinux()?, &out.join("ours.elf"), &theirs, tally)?;
    // All of a machine's memory is too much to keep, unless someone has to look.
    if tally.failed == 0 {
        fs::remove_file(&theirs)?;
    }
    Ok(())
}

/// Has QEMU write `file` whenever the machine is paused, and lets it go on, until QEMU has ended and is not to come again. Gives how
/// often.
fn watch(socket: &Path, file: &Path, over: &AtomicBool) -> Result<u32> {
    let mut pauses = 0;
    while !over.load(Ordering::Relaxed) {
        let Some(mut monitor) = Monitor::connect(socket) else {
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        while let Some(event) = monitor.event()? {
            if event != "STOP" {
                continue;
            }
            let _ = fs::remove_file(file);
            let arguments = json!({"paging": false, "protocol": format!("file:{}", file.display())});
            // Whatever came of it, a machine that stays paused would hold us up until its time is over.
            let dumped = monitor.run("dump-guest-memory", arguments);
            monitor.run("cont", json!({}))?;
            dumped?;
            pauses += 1;
        }
    }
    Ok(pauses)
}

fn compare(vmlinux: &Path, ours: &Path, theirs: &Path, tally: &mut Tally) -> Result<()> {
    let script = place::workspace().join("tests/readers/same.py");
    let mut command = readers::drgn_script(&script, vmlinux, ours, &[&theirs.to_string_lossy()])?;
    let out = command.output().context("cannot start drgn")?;
    let text = String::from_utf8_lossy(&out.stdout);
    print!("{text}");
    tally.count(&text);
    if !out.status.success() && !text.contains("FAILED") {
        tally.fail("drgn", &sh::tail(&String::from_utf8_lossy(&out.stderr), 4));
    }
    Ok(())
}
