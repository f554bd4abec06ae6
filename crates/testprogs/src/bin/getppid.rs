//! A loop of the cheapest system call: `getppid [COUNT]` prints the nanoseconds that one call took on average.

use anyhow::{Context, Result};
use std::hint::black_box;
use std::os::unix::process::parent_id;
use std::time::Instant;

fn main() -> Result<()> {
    let count: u64 = match std::env::args().nth(1) {
        None => 1_000_000,
        Some(word) => word.parse().with_context(|| format!("getppid [COUNT]: '{word}' is no count"))?,
    };
    let started = Instant::now();
    for _ in 0..count {
        black_box(parent_id());
    }
    println!("{:.2}", started.elapsed().as_secs_f64() * 1e9 / count.max(1) as f64);
    Ok(())
}
