//! Pauses the virtual machine that it runs in right behind the seed's probe: seeks to 0xc0000001, then writes to QEMU's pvpanic.
//!
//! Who is held in that probe goes on with its very next instructions when the machine has thawed, so what QEMU then finds in the
//! paused machine's memory is what a dump of that probe must hold, but for what was written in these microseconds. That they
//! may be more on a busy host, every other CPU is kept from its work meanwhile: a thread of ours spins on it, before whom only
//! interrupts and lkd's own threads come.

use anyhow::{Context, Result};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::io::{Error, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The number that the seed's script waits for.
const STATUS_UNSUCCESSFUL: u64 = 0xc000_0001;
/// Where QEMU's `-device pvpanic` listens, and the bit by which a guest says that it has panicked.
const PORT: u16 = 0x505;
const PANICKED: u8 = 1;
/// Who has started us, and what the machine does after a start, comes to rest meanwhile.
const REST: Duration = Duration::from_secs(2);
/// Before all that is not real-time, behind lkd's threads.
const PRIORITY: i32 = 10;

fn main() -> Result<()> {
    let path = std::env::temp_dir().join(format!("pauser-{}", std::process::id()));
    let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::remove_file(&path)?;
    // SAFETY: ioperm takes three numbers and touches no memory of ours.
    if unsafe { libc::ioperm(PORT.into(), 1, 1) } != 0 {
        return Err(Error::last_os_error()).context("cannot have the port of pvpanic");
    }
    let set = sched_getaffinity(None).context("cannot ask for the CPUs")?;
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu));
    come_first(cpus.next().context("no CPU to run on")?)?;
    let others: Vec<usize> = cpus.collect();
    let (spinning, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let (spinning, over) = (&spinning, &over);
        let spinners: Vec<_> =
            others.iter().map(|cpu| scope.spawn(move || spin(*cpu, spinning, over))).collect();
        let locked = mlockall(MlockAllFlags::CURRENT);
        while spinning.load(Ordering::Relaxed) < others.len() {
            thread::sleep(Duration::from_millis(1));
        }
        let sought = file.seek(SeekFrom::Start(STATUS_UNSUCCESSFUL));
        // SAFETY: the kernel has allowed this port; writing to it touches neither memory nor stack.
        unsafe {
            std::arch::asm!("out dx, al", in("dx") PORT, in("al") PANICKED, options(nomem, nostack, preserves_flags));
        }
        over.store(true, Ordering::Relaxed);
        for spinner in spinners {
            spinner.join().ok().context("a thread that spins has panicked")??;
        }
        locked.context("cannot keep my pages in memory")?;
        sought?;
        Ok(())
    })
}

/// Keeps everybody else from `cpu`, when it has had its rest.
fn spin(cpu: usize, spinning: &AtomicUsize, over: &AtomicBool) -> Result<()> {
    let moved = come_first(cpu);
    thread::sleep(REST);
    spinning.fetch_add(1, Ordering::Relaxed);
    while moved.is_ok() && !over.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
    moved
}

/// This thread stays on `cpu`, before all that is not real-time.
fn come_first(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("cannot stay on CPU {cpu}"))?;
    let parameters = libc::sched_param { sched_priority: PRIORITY };
    // SAFETY: takes a structure that lives through the call.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()).context("cannot have a real-time priority"),
    }
}
