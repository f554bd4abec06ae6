//! A process whose every page is known, and another one beside it. `owner FILE [SECONDS]`
//!
//! FILE gets a line for each piece of memory: who (`owner` or `bystander`), what, process, first address, pages, and a number. Each
//! word of those pages is its own address, exclusive-or that number. FILE appears when all is written. From then on the owner seeks a
//! file to 0xc0000001, which lseek then returns, once a second, SECONDS times (default 1).

use anyhow::{Context, Result, bail};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect};
use std::ffi::c_void;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, stdin};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::thread;
use std::time::Duration;

/// The number that the seed's script waits for.
const STATUS_UNSUCCESSFUL: u64 = 0xc000_0001;
const PAGE: usize = 4096;
const HUGE: usize = 2 << 20;

/// Memory that stays mapped until the process ends.
struct Piece {
    what: &'static str,
    at: *mut c_void,
    bytes: usize,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["--bystander"] => {
            print!("{}", filled("bystander")?);
            println!("ready");
            // until the owner goes
            stdin().read_to_end(&mut Vec::new())?;
            Ok(())
        }
        [file] => owner(file, 1),
        [file, seconds] => {
            owner(file, seconds.parse().with_context(|| format!("'{seconds}' is no number of seconds"))?)
        }
        _ => bail!("owner FILE [SECONDS]"),
    }
}

fn owner(file: &str, seconds: u64) -> Result<()> {
    let mut other = Command::new(std::env::current_exe()?)
        .arg("--bystander")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the bystander")?;
    let mut table = filled("owner")?;
    let lines = BufReader::new(other.stdout.take().context("the bystander has no output")?).lines();
    for line in lines {
        let line = line?;
        if line == "ready" {
            let part = format!("{file}.part");
            fs::write(&part, &table)
                .and_then(|()| fs::rename(&part, file))
                .with_context(|| format!("cannot write {file}"))?;
            let mut sought = scratch()?;
            for _ in 0..seconds {
                sought.seek(SeekFrom::Start(STATUS_UNSUCCESSFUL))?;
                thread::sleep(Duration::from_secs(1));
            }
            drop(other.stdin.take());
            other.wait()?;
            return Ok(());
        }
        table += &line;
        table.push('\n');
    }
    bail!("the bystander ended before it was ready")
}

/// A file without a name.
fn scratch() -> Result<File> {
    let path = std::env::temp_dir().join(format!("owner-{}", std::process::id()));
    let file = File::options().create(true).truncate(true).read(true).write(true).open(&path);
    let file = file.with_context(|| format!("cannot make {}", path.display()))?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Takes memory of every sort and fills it; gives the lines that tell of it.
fn filled(who: &str) -> Result<String> {
    let pid = std::process::id();
    let mut table = String::new();
    for (number, piece) in pieces()?.into_iter().enumerate() {
        // the bits of a process' number and a piece's, spread over all of a word's
        let seed = (u64::from(pid) << 8 | number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for word in 0..piece.bytes / 8 {
            // SAFETY: the piece is mapped for writing, all of it, and nobody else has it.
            unsafe {
                let at = piece.at.cast::<u64>().add(word);
                at.write_volatile(at as u64 ^ seed);
            }
        }
        if piece.what == "forbidden" {
            // SAFETY: nobody touches it any more.
            unsafe { mprotect(piece.at, piece.bytes, MprotectFlags::empty())? };
        }
        let (at, pages) = (piece.at as usize, piece.bytes / PAGE);
        table += &format!("{who} {} {pid} {at:#x} {pages} {seed:#x}\n", piece.what);
    }
    Ok(table)
}

fn pieces() -> Result<Vec<Piece>> {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    let anonymous = |bytes: usize, more: MapFlags| {
        // SAFETY: a new mapping at an address of the kernel's choice touches nobody's memory.
        unsafe { mmap_anonymous(null_mut(), bytes, both, MapFlags::PRIVATE | more) }
    };
    let of_file = |file: &dyn AsFd, bytes: usize| -> Result<*mut c_void> {
        ftruncate(file.as_fd(), bytes as u64)?;
        // SAFETY: as above.
        Ok(unsafe { mmap(null_mut(), bytes, both, MapFlags::SHARED, file.as_fd(), 0)? })
    };
    // SAFETY: advice changes no content.
    let advise = |at, bytes, advice| unsafe { madvise(at, bytes, advice) };
    let mut pieces = Vec::new();
    let mut add = |what, at, bytes| pieces.push(Piece { what, at, bytes });

    let small = 64 * PAGE;
    let at = anonymous(small, MapFlags::empty())?;
    // a kernel without large pages has nothing to advise against
    let _ = advise(at, small, Advice::LinuxNoHugepage);
    add("anonymous", at, small);

    // two large pages, and a third one's worth to align them in
    let at = anonymous(3 * HUGE, MapFlags::empty())?;
    let at = at.wrapping_byte_add(at.align_offset(HUGE));
    let _ = advise(at, 2 * HUGE, Advice::LinuxHugepage);
    add("large", at, 2 * HUGE);

    add("shared", of_file(&memfd_create("shared", MemfdFlags::empty())?, small)?, small);

    let at = of_file(&memfd_create("large", MemfdFlags::empty())?, 3 * HUGE)?;
    let at = at.wrapping_byte_add(at.align_offset(HUGE));
    let _ = advise(at, 2 * HUGE, Advice::LinuxHugepage);
    add("large-shared", at, 2 * HUGE);

    add("file", of_file(&scratch()?, 16 * PAGE)?, 16 * PAGE);
    add("forbidden", anonymous(16 * PAGE, MapFlags::empty())?, 16 * PAGE);

    // only where huge pages were set aside
    if let Ok(at) = anonymous(HUGE, MapFlags::HUGETLB) {
        add("huge", at, HUGE);
    }
    Ok(pieces)
}
