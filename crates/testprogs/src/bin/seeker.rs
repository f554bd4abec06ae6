//! The seed's trigger: seeks a temporary file to 0xc0000001, which lseek then returns. `seeker [COUNT]`, ten a second.

use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::thread;
use std::time::Duration;

/// The number that the seed's script waits for.
const STATUS_UNSUCCESSFUL: u64 = 0xc000_0001;
/// Nobody waits for it longer than this many seeks (ten minutes), even if nobody ends it.
const MOST: u64 = 6000;

fn main() -> Result<()> {
    let count = match std::env::args().nth(1) {
        None => MOST,
        Some(word) => word.parse().with_context(|| format!("seeker [COUNT]: '{word}' is no count"))?,
    };
    let path = std::env::temp_dir().join(format!("seeker-{}", std::process::id()));
    let mut file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    fs::remove_file(&path)?;
    for round in 0..count.min(MOST) {
        if round > 0 {
            thread::sleep(Duration::from_millis(100));
        }
        file.seek(SeekFrom::Start(STATUS_UNSUCCESSFUL))?;
    }
    Ok(())
}
