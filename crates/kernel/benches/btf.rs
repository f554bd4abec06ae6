//! How long a kernel's BTF takes to be usable: best of several runs, in milliseconds.
//!
//! `cargo bench -p lkd-kernel -- [FILE]`; FILE is the running kernel's BTF unless given.

use lkd_kernel::btf::Btf;
use std::time::{Duration, Instant};

const RUNS: usize = 9;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let file = file.unwrap_or_else(|| "/sys/kernel/btf/vmlinux".to_owned());
    let bytes = std::fs::read(&file)?;
    let mut best = [Duration::MAX; 6];
    let mut types = 0;
    for _ in 0..RUNS {
        let copy = bytes.clone();
        let mut clock = Instant::now();
        let mut lap = |n: usize| {
            if let Some(slot) = best.get_mut(n) {
                *slot = (*slot).min(clock.elapsed());
            }
            clock = Instant::now();
        };
        let btf = Btf::parse(copy)?;
        lap(0);
        let _ = std::hint::black_box(btf.find_struct("task_struct"));
        lap(1);
        let _ = std::hint::black_box(btf.find_struct("page"));
        lap(2);
        let _ = std::hint::black_box(btf.find_func("vfs_read"));
        lap(3);
        let _ = std::hint::black_box(btf.enumerator("TASK_COMM_LEN"));
        lap(4);
        let _ = std::hint::black_box(btf.funcs().filter(|f| !f.name.is_empty()).count());
        lap(5);
        types = btf.len();
    }
    println!("{file}: {} bytes, {types} types", bytes.len());
    let what = [
        "parse",
        "first type by name (builds an index)",
        "next type by name",
        "first function by name (builds an index)",
        "first enumerator by name (builds an index)",
        "all functions",
    ];
    for (what, best) in what.iter().zip(best) {
        println!("{:>9.3} ms  {what}", best.as_secs_f64() * 1e3);
    }
    Ok(())
}
