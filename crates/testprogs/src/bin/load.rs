//! A load on every corner of a kernel: processes, threads, files, pipes and memory come and go. `load [SECONDS]`.

use anyhow::{Context, Result};
use std::fs;
use std::io::{Read, Write, pipe};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let word = std::env::args().nth(1);
    if word.as_deref() == Some("--child") {
        return Ok(());
    }
    let seconds = match word {
        None => 10,
        Some(word) => word.parse().with_context(|| format!("load [SECONDS]: '{word}' is no number"))?,
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let works: [fn(Instant) -> Result<u64>; 4] = [processes, files, pipes, memory];
    let threads: Vec<_> = works.map(|work| thread::spawn(move || work(end))).into();
    let mut counts = Vec::new();
    for thread in threads {
        counts.push(thread.join().map_err(|_| anyhow::anyhow!("a worker died"))??);
    }
    println!(
        "load: {} processes, {} files, {} pipe rounds, {} maps",
        counts[0], counts[1], counts[2], counts[3]
    );
    Ok(())
}

fn processes(end: Instant) -> Result<u64> {
    let own = std::env::current_exe()?;
    let mut count = 0;
    while Instant::now() < end {
        Command::new(&own).arg("--child").status().context("cannot start a child")?;
        thread::spawn(|| ()).join().map_err(|_| anyhow::anyhow!("a thread died"))?;
        count += 1;
    }
    Ok(count)
}

fn files(end: Instant) -> Result<u64> {
    let dir = std::env::temp_dir().join(format!("load-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    let mut count = 0;
    while Instant::now() < end {
        let (old, new) = (dir.join(format!("a{}", count % 64)), dir.join(format!("b{}", count % 64)));
        fs::write(&old, vec![count as u8; 3000])?;
        fs::rename(&old, &new)?;
        fs::read(&new)?;
        if count % 64 == 63 {
            for entry in fs::read_dir(&dir)? {
                fs::remove_file(entry?.path())?;
            }
        }
        count += 1;
    }
    fs::remove_dir_all(&dir)?;
    Ok(count)
}

fn pipes(end: Instant) -> Result<u64> {
    let (mut reader, mut writer) = pipe()?;
    let echo = thread::spawn(move || -> Result<()> {
        let mut bytes = [0; 4096];
        while reader.read(&mut bytes)? > 0 {}
        Ok(())
    });
    let mut count = 0;
    while Instant::now() < end {
        writer.write_all(&[7; 1000])?;
        count += 1;
    }
    drop(writer);
    echo.join().map_err(|_| anyhow::anyhow!("the pipe's reader died"))??;
    Ok(count)
}

fn memory(end: Instant) -> Result<u64> {
    let mut count: u64 = 0;
    while Instant::now() < end {
        // Past the allocator's threshold every vector is a mapping of its own.
        let mut pages = vec![0u8; 2 << 20];
        for page in pages.chunks_mut(4096) {
            page[0] = count as u8;
        }
        std::hint::black_box(&pages);
        count += 1;
    }
    Ok(count)
}
