//! Pages per second into and out of each format, by codec and number of threads; run with `cargo bench -p lkd-dump`.
//!
//! The pages are made: structures full of kernel pointers and small numbers, this program's own code, zeros, noise,
//! in the shares that an idle kernel's dump has. The file is memory that is thrown away, so what is measured is this
//! crate and not a disk. The last columns are ratios to the first row of their codec and to a plain copy.

use std::io::{self, Cursor, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lkd_dump::{
    BATCH_PAGES, Codec, Dump, DumpPages, Format, Lender, Meta, Options, PageBatch, PageBytes, PageSource,
    Pfn, PfnSet, SourceError, Vaddr, write,
};

const PAGE: usize = lkd_dump::PAGE_SIZE;
const POOL: usize = 8192;
const PAGES: u64 = 4 * POOL as u64;
const ROUNDS: usize = 3;

/// Counts what is written.
#[derive(Default)]
struct Nowhere {
    at: u64,
    bytes: u64,
}

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.at += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Nowhere {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let SeekFrom::Start(at) = to {
            self.at = at;
        }
        Ok(self.at)
    }
}

/// Pages that are lent, as a capture lends its buffer's.
struct Pages(Vec<PageBytes>);

impl Lender for Pages {
    fn copy(&self, number: u64, into: &mut PageBytes) -> bool {
        *into = self.0[number as usize % POOL];
        true
    }
}

struct Pool {
    pages: Arc<dyn Lender>,
    next: u64,
}

impl PageSource for Pool {
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
        while self.next < PAGES && batch.lend(Pfn(self.next), &self.pages, self.next)? {
            self.next += 1;
        }
        Ok(())
    }
}

fn noise(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 20
}

fn pool() -> io::Result<Vec<PageBytes>> {
    let code = std::fs::read(std::env::current_exe()?)?;
    let mut state = 4711;
    let mut pages = vec![[0; PAGE]; POOL];
    for (number, page) in pages.iter_mut().enumerate() {
        match number % 20 {
            0..=2 => {}
            3 => page.fill_with(|| noise(&mut state) as u8),
            4..=7 => {
                let at = noise(&mut state) as usize % (code.len() - PAGE);
                page.copy_from_slice(&code[at..at + PAGE]);
            }
            _ => {
                for (place, word) in page.chunks_exact_mut(8).enumerate() {
                    let value = match place % 8 {
                        0 | 1 => 0xffff_8880_0000_0000 | (noise(&mut state) % 0x4000_0000) << 3,
                        2 => 0xffff_ffff_8100_0000 + noise(&mut state) % 64 * 0x40,
                        3 => noise(&mut state) % 300,
                        _ => 0,
                    };
                    word.copy_from_slice(&value.to_le_bytes());
                }
            }
        }
    }
    Ok(pages)
}

fn best(mut run: impl FnMut() -> Duration) -> f64 {
    (0..ROUNDS).map(|_| run().as_secs_f64()).fold(f64::INFINITY, f64::min)
}

/// Seconds that all threads of this process have run, to a hundredth: what a busy machine distorts least.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pages: Arc<dyn Lender> = Arc::new(Pages(pool()?));
    let mut ram = PfnSet::new();
    ram.insert_run(Pfn(0), PAGES);
    let meta = Meta { direct_map: Vaddr(0xffff_8880_0000_0000), ..Meta::default() };
    let cpus = thread::available_parallelism()?.get();
    let mebibytes = (PAGES as usize * PAGE) as f64 / f64::from(1 << 20);

    let mut batch = vec![[0; PAGE]; BATCH_PAGES];
    let copy = best(|| {
        let start = Instant::now();
        for number in 0..PAGES {
            let _ = pages.copy(number, &mut batch[number as usize % BATCH_PAGES]);
        }
        start.elapsed()
    });
    println!("{PAGES} pages, {mebibytes:.0} MiB, {cpus} CPUs, best of {ROUNDS}");
    println!(
        "{:<18} {:>7} {:>10} {:>8} {:>7} {:>9} {:>8} {:>12}",
        "format", "threads", "pages/s", "MiB/s", "ratio", "× 1 thr.", "× copy", "CPU µs/page"
    );
    println!("{:<18} {:>7} {:>10.0} {:>8.0}", "plain copy", 1, PAGES as f64 / copy, mebibytes / copy);

    let zstd = |level| Format::Kdump(Codec::Zstd { level });
    let zlib = |level| Format::Kdump(Codec::Zlib { level });
    let formats = [
        ("kdump zstd -5", zstd(-5)),
        ("kdump zstd -1", zstd(-1)),
        ("kdump zstd 1", zstd(1)),
        ("kdump zstd 3", zstd(3)),
        ("kdump zlib 1", zlib(1)),
        ("kdump zlib 2", zlib(2)),
        ("kdump zlib 6", zlib(6)),
        ("kdump raw", Format::Kdump(Codec::Raw)),
        ("elf", Format::Elf),
    ];
    for (name, format) in formats {
        let mut single = 0.0;
        let mut threads = 1;
        while threads <= if format == Format::Elf { 1 } else { cpus } {
            let options =
                Options { threads: NonZeroUsize::new(threads).ok_or("no thread")?, ..Options::default() };
            let mut bytes = 0;
            let mut failed = None;
            let cpu = cpu_seconds();
            let seconds = best(|| {
                let mut out = Nowhere::default();
                let mut source = Pool { pages: Arc::clone(&pages), next: 0 };
                let start = Instant::now();
                failed = write(format, &mut out, &meta, &ram, &mut source, &options, &mut |_| {}).err();
                bytes = out.bytes;
                start.elapsed()
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
            if threads == 1 {
                single = seconds;
            }
            println!(
                "{name:<18} {threads:>7} {:>10.0} {:>8.0} {:>7.2} {:>9.2} {:>8.2} {:>12.2}",
                PAGES as f64 / seconds,
                mebibytes / seconds,
                mebibytes * f64::from(1 << 20) / bytes as f64,
                single / seconds,
                seconds / copy,
                (cpu_seconds() - cpu) * 1e6 / (PAGES as f64 * ROUNDS as f64),
            );
            threads *= 2;
        }
    }

    for (name, format) in [("read zstd", zstd(-1)), ("read zlib", zlib(1)), ("read elf", Format::Elf)] {
        let mut out = Cursor::new(Vec::new());
        let mut source = Pool { pages: Arc::clone(&pages), next: 0 };
        write(format, &mut out, &meta, &ram, &mut source, &Options::default(), &mut |_| {})?;
        let dump = Dump::open(Cursor::new(out.into_inner()))?;
        let mut failed = None;
        let seconds = best(|| {
            let start = Instant::now();
            failed = DumpPages::new(&dump, &ram).prove(&mut |_| {}).err();
            start.elapsed()
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        println!("{name:<18} {:>7} {:>10.0} {:>8.0}", 1, PAGES as f64 / seconds, mebibytes / seconds);
    }
    Ok(())
}
