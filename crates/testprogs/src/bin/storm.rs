//! A load under which no smeared image of a kernel stays whole, with counters planted whose order tells one.
//! `storm [SECONDS [FILE]]`
//!
//! FILE (default storm.planted in the temporary directory) appears once the counters run. It holds what a checker needs to find
//! them in an image: `pid N`, then `x FD...` and `y FD...`, each an eventfd of that process, in order:
//!
//! - chain X: one thread adds 1 to each x in turn. At any instant no x is below a later one, and the first is at most 1 ahead
//!   of the last.
//! - chain Y: a thread on another CPU reads what X's thread says it has written, and adds to the y of the same place what is
//!   missing there. At any instant no y is above its x: the effect is never seen without its cause, whatever CPU it was on.
//!
//! An eventfd's counter is a slab object. Between two of a chain lie a slab page full of others and memory that was taken
//! meanwhile, so that whoever copies memory page by page meets them at different times.

use anyhow::{Context, Result, anyhow};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::fs::{self, File};
use std::io::{Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Counters in each chain.
const COUNTERS: usize = 100;
/// Eventfds between two planted ones: more than a slab page holds of what is behind them (64 bytes each).
const BETWEEN: usize = 64;
/// Bytes taken between two planted counters, so that the next slab page comes from elsewhere.
const APART: usize = 512 << 10;
/// Bytes that the memory worker holds at most.
const PRESSURE: usize = 48 << 20;
/// How much longer than it works a chain's thread rests, and a worker of the load: together they want about one CPU.
const CHAIN_RESTS: u32 = 3;
const LOAD_RESTS: u32 = 15;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let seconds = |word: &str| -> Result<Duration> {
        let seconds =
            word.parse().with_context(|| format!("storm [SECONDS [FILE]]: '{word}' is no number"))?;
        Ok(Duration::from_secs(seconds))
    };
    match *words.as_slice() {
        ["--child"] => Ok(()),
        ["--load", time] => {
            // Whoever ends the storm means both of its processes.
            set_parent_process_death_signal(Some(Signal::TERM)).context("cannot end with my parent")?;
            load(Instant::now() + seconds(time)?)
        }
        [] => storm(Duration::from_secs(60), None),
        [time] => storm(seconds(time)?, None),
        [time, file] => storm(seconds(time)?, Some(file.into())),
        _ => Err(anyhow!("storm [SECONDS [FILE]]")),
    }
}

fn storm(time: Duration, file: Option<PathBuf>) -> Result<()> {
    let file = file.unwrap_or_else(|| std::env::temp_dir().join("storm.planted"));
    let chains = Chains::plant()?;
    // A process of its own: each fork copies the table of files, and ours is a large one.
    let mut load = itself(&["--load", &time.as_secs().to_string()])?;
    let end = Instant::now() + time;
    let ran = chains.run(end, &file);
    let _ = fs::remove_file(&file);
    let status = load.wait().context("cannot wait for the load")?;
    let (x, y) = ran?;
    println!("storm: chain X went round {x} times, chain Y {y} times");
    if status.success() { Ok(()) } else { Err(anyhow!("the load failed: {status}")) }
}

fn itself(words: &[&str]) -> Result<Child> {
    let own = std::env::current_exe().context("cannot find my own program")?;
    Command::new(own).args(words).stdin(Stdio::null()).spawn().context("cannot start myself")
}

/// The planted counters, and what keeps them apart.
struct Chains {
    x: Vec<OwnedFd>,
    y: Vec<OwnedFd>,
    _between: Vec<OwnedFd>,
}

impl Chains {
    fn plant() -> Result<Chains> {
        let files = (COUNTERS * (BETWEEN + 2) + 64) as u64;
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: Some(files) })
            .with_context(|| format!("cannot have {files} files open"))?;
        let new = || eventfd(0, EventfdFlags::CLOEXEC).context("cannot make an eventfd");
        let mut chains = Chains { x: Vec::new(), y: Vec::new(), _between: Vec::new() };
        let mut apart = Vec::new();
        for place in 0..COUNTERS {
            // Which of the two lies lower changes from pair to pair: a copier in either direction meets both orders.
            let (first, second) =
                if place % 2 == 0 { (&mut chains.x, &mut chains.y) } else { (&mut chains.y, &mut chains.x) };
            first.push(new()?);
            for _ in 0..BETWEEN / 2 {
                chains._between.push(new()?);
            }
            second.push(new()?);
            for _ in 0..BETWEEN / 2 {
                chains._between.push(new()?);
            }
            apart.push(touched(APART, 1));
        }
        Ok(chains)
    }

    /// Runs both chains to the end; gives how often they went round.
    fn run(&self, end: Instant, file: &Path) -> Result<(u64, u64)> {
        // What X's thread says it has written: its n-th round has passed this place.
        let said: Vec<AtomicU64> = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        let cpus = cpus()?;
        let (first, last) = (cpus.first().copied().unwrap_or(0), cpus.last().copied().unwrap_or(0));
        thread::scope(|scope| {
            let x = scope.spawn(|| chain_x(&self.x, &said, first, end));
            let y = scope.spawn(|| chain_y(&self.y, &said, last, end));
            let told = self.tell(file);
            let ran = |thread: thread::ScopedJoinHandle<'_, Result<u64>>| {
                thread.join().map_err(|_| anyhow!("a chain's thread died"))?
            };
            let (x, y) = (ran(x), ran(y));
            told?;
            Ok((x?, y?))
        })
    }

    /// Leaves the file for the checker, whole or not at all.
    fn tell(&self, file: &Path) -> Result<()> {
        let fds = |fds: &[OwnedFd]| fds.iter().map(|fd| format!(" {}", fd.as_raw_fd())).collect::<String>();
        let text = format!("pid {}\nx{}\ny{}\n", std::process::id(), fds(&self.x), fds(&self.y));
        let half = file.with_extension("half");
        fs::write(&half, text).with_context(|| format!("cannot write {}", half.display()))?;
        fs::rename(&half, file).with_context(|| format!("cannot make {}", file.display()))
    }
}

/// The CPUs that we may run on.
fn cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(None).context("cannot ask for the CPUs")?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

fn pin(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).with_context(|| format!("cannot stay on CPU {cpu}"))
}

fn chain_x(fds: &[OwnedFd], said: &[AtomicU64], cpu: usize, end: Instant) -> Result<u64> {
    pin(cpu)?;
    let (mut round, mut since) = (0, Instant::now());
    while Instant::now() < end {
        round += 1;
        for (fd, said) in fds.iter().zip(said) {
            add(fd, 1)?;
            // Release: who reads this number sees the counter written.
            said.store(round, Ordering::Release);
        }
        rest(&mut since, CHAIN_RESTS);
    }
    Ok(round)
}

fn chain_y(fds: &[OwnedFd], said: &[AtomicU64], cpu: usize, end: Instant) -> Result<u64> {
    pin(cpu)?;
    let (mut round, mut have, mut since) = (0, vec![0; fds.len()], Instant::now());
    while Instant::now() < end {
        round += 1;
        for ((fd, said), have) in fds.iter().zip(said).zip(&mut have) {
            let seen = said.load(Ordering::Acquire);
            if seen > *have {
                add(fd, seen - *have)?;
                *have = seen;
            }
        }
        rest(&mut since, CHAIN_RESTS);
    }
    Ok(round)
}

/// Leaves the CPU to others: whoever worked from `since` on rests `times` as long. On an emulated guest the storm would be all
/// that runs, and a dump of it never be done.
fn rest(since: &mut Instant, times: u32) {
    thread::sleep(since.elapsed() * times);
    *since = Instant::now();
}

fn add(fd: &OwnedFd, number: u64) -> Result<()> {
    rustix::io::write(fd, &number.to_ne_bytes()).context("cannot write to an eventfd")?;
    Ok(())
}

/// Works until then, and gives how much it did.
type Work = fn(Instant) -> Result<u64>;

/// Everything that comes and goes, each kind in a thread of its own.
fn load(end: Instant) -> Result<()> {
    let works: [(&str, Work); 8] = [
        ("processes", processes),
        ("threads", threads),
        ("files", files),
        ("bytes through pipes", pipes),
        ("bytes through local sockets", local_sockets),
        ("TCP connections", tcp),
        ("maps", memory),
        ("directories", directories),
    ];
    let workers: Vec<_> = works.map(|(_, work)| thread::spawn(move || work(end))).into();
    let mut told = String::new();
    let mut failed = None;
    for (worker, (what, _)) in workers.into_iter().zip(works) {
        match worker.join().map_err(|_| anyhow!("its thread died")).flatten() {
            Ok(count) => told += &format!(", {count} {what}"),
            Err(why) => failed = Some(why.context(what)),
        }
    }
    println!("storm: {}", told.trim_start_matches(", "));
    failed.map_or(Ok(()), Err)
}

/// Eight children at a time, all ended together.
fn processes(end: Instant) -> Result<u64> {
    let (mut count, mut since) = (0, Instant::now());
    while Instant::now() < end {
        let children = (0..8).map(|_| itself(&["--child"])).collect::<Result<Vec<_>>>()?;
        for mut child in children {
            child.wait().context("cannot wait for a child")?;
            count += 1;
        }
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

fn threads(end: Instant) -> Result<u64> {
    let (mut count, mut since) = (0, Instant::now());
    while Instant::now() < end {
        let born: Vec<_> = (0..8).map(|_| thread::spawn(thread::yield_now)).collect();
        count += born.len() as u64;
        for thread in born {
            thread.join().map_err(|_| anyhow!("a thread died"))?;
        }
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

/// A directory of this process that goes with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Scratch> {
        let dir = std::env::temp_dir().join(format!("storm-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Scratch(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn files(end: Instant) -> Result<u64> {
    let dir = Scratch::new("files")?;
    let (mut count, mut since) = (0, Instant::now());
    while Instant::now() < end {
        let name = |letter: char| dir.0.join(format!("{letter}{}", count % 64));
        fs::write(name('a'), vec![count as u8; 3000])?;
        fs::rename(name('a'), name('b'))?;
        File::open(name('b'))?.read_to_end(&mut Vec::new())?;
        if count % 64 == 63 {
            for entry in fs::read_dir(&dir.0)? {
                fs::remove_file(entry?.path())?;
            }
        }
        count += 1;
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

fn directories(end: Instant) -> Result<u64> {
    let dir = Scratch::new("dirs")?;
    let (mut count, mut since) = (0, Instant::now());
    while Instant::now() < end {
        let deep = dir.0.join("a/b/c/d");
        fs::create_dir_all(&deep)?;
        std::os::unix::fs::symlink("nowhere", deep.join("link"))?;
        fs::remove_dir_all(dir.0.join("a"))?;
        count += 4;
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

/// Writes into `into` until the end, while another thread reads from `from`; both are new each time.
fn flow<R, W>(end: Instant, make: impl Fn() -> Result<(R, W)>) -> Result<u64>
where
    R: Read + Send + 'static,
    W: Write,
{
    let (mut count, mut since) = (0, Instant::now());
    while Instant::now() < end {
        let (mut from, mut into) = make()?;
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while from.read(&mut bytes).is_ok_and(|got| got > 0) {}
        });
        for _ in 0..50 {
            into.write_all(&[7; 1000])?;
            count += 1000;
        }
        drop(into);
        reader.join().map_err(|_| anyhow!("a reader died"))?;
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

fn pipes(end: Instant) -> Result<u64> {
    flow(end, || Ok(pipe()?))
}

fn local_sockets(end: Instant) -> Result<u64> {
    flow(end, || Ok(UnixStream::pair()?))
}

/// Where the loopback is down there are none, and the count says so.
fn tcp(end: Instant) -> Result<u64> {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0") else { return Ok(0) };
    let address = listener.local_addr()?;
    let (mut count, mut since) = (0, Instant::now());
    while Instant::now() < end {
        let Ok(mut client) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { break };
        let (mut server, _) = listener.accept()?;
        client.write_all(&[7; 2000])?;
        server.read_exact(&mut [0; 2000])?;
        count += 1;
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

/// Takes and gives back: many small maps and one that grows to the bound.
fn memory(end: Instant) -> Result<u64> {
    let (mut count, mut held, mut since) = (0, Vec::new(), Instant::now());
    while Instant::now() < end {
        held.push(touched(1 << 20, count as u8));
        if held.len() >= PRESSURE >> 20 {
            held.clear();
        }
        count += 1;
        rest(&mut since, LOAD_RESTS);
    }
    Ok(count)
}

/// Memory whose every page has been written; above the allocator's threshold it is a map of its own.
fn touched(bytes: usize, with: u8) -> Vec<u8> {
    let mut memory = vec![0u8; bytes];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = with);
    std::hint::black_box(memory)
}
