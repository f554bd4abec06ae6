//! What a dump of each kind would be now: its pages, how long the machine would stand still, how large the file would be.
//!
//! Memory is classified as for a shot; copying is taken to be as fast as memcpy on all CPUs; of some pages of each sort it is found
//! out how far they pack, in this process' memory, where they stay.

use std::fs;
use std::hint::black_box;
use std::io::Cursor;
use std::time::Duration;

use lkd_dump::{
    ByteLen, Format, Kind, Meta, Notes, Options as Writing, PAGE_SIZE, PageBatch, PageClass, PageSource, Pfn,
    SourceError, Summary, Vaddr,
};
use lkd_kernel::symbols::Symbols;

use crate::ctl::{PEEKS, UNIT_PAGES, set};
use crate::engine::Engine;
use crate::error::Error;
use crate::live::Live;
use crate::pass::classify_rest;
use crate::prepare::available;
use crate::{doctor, mini, room};

/// Pages of each sort that are packed.
const SAMPLE: usize = 2048;
/// Bytes that each CPU copies to find out how fast that goes.
const COPIED: u64 = 64 << 20;

/// A dump of a kind, if it were taken now with the defaults.
#[derive(Clone, Debug)]
pub struct Forecast {
    pub kind: Kind,
    /// Pages that it would have.
    pub pages: u64,
    /// Of these, pages that the default buffer has room for.
    pub frozen: u64,
    /// How long the machine would stand still.
    pub pause: Duration,
    /// The file's size in bytes, in the default format.
    pub file: u64,
    /// Pages of memory that could be had.
    pub available: u64,
    /// Processes that have virtual machines.
    pub machines: usize,
}

/// Looks at memory as it is now.
///
/// # Errors
/// What live dumps need and this machine lacks.
pub fn forecasts() -> Result<Vec<Forecast>, Error> {
    doctor::require()?;
    let (live, survey) = Live::find()?;
    live.settle(&survey)?;
    let ctl = survey.ctl()?;
    let began = spent();
    classify_rest(ctl, || survey.run("lkd_classify"))?;
    let cpus = u32::try_from(live.cpus.len()).unwrap_or(1).max(1);
    let classify = spent().saturating_sub(began) / cpus;
    let found = ctl.found();
    let available = available()?;
    let copied = COPIED.min(available / 64 / u64::from(cpus)).max(1 << 20) as usize;
    let page = copy_one_page(cpus as usize, copied)?;
    let most = available / 8 / PAGE_SIZE as u64;
    let of_class = |kind: Kind| {
        move |class: PageClass| kind.keeps(class) && (kind == Kind::Kernel || !Kind::Kernel.keeps(class))
    };
    let packed = |pfns: Vec<u64>| packing(&survey, &live, &pfns);
    let kernel = packed(frames(&survey, &live, of_class(Kind::Kernel)))?;
    let user = packed(frames(&survey, &live, of_class(Kind::KernelUser)))?;
    let sum = |kind: Kind| -> u64 {
        let kept = PageClass::ALL.into_iter().filter(|class| kind.keeps(*class));
        kept.map(|class| found.get(class as usize).copied().unwrap_or(0)).sum()
    };
    let of_kernel = sum(Kind::Kernel);
    let machines = machines();
    let by_class = |kind: Kind| {
        let users = match kind {
            Kind::KernelHypervisor => machines.iter().sum(),
            kind => sum(kind) - of_kernel,
        };
        let pages = of_kernel + users;
        Forecast {
            kind,
            pages,
            frozen: pages.min(most),
            pause: classify + page.mul_f64(pages.min(most) as f64),
            file: (of_kernel as f64 * kernel + users as f64 * user) as u64,
            available: available / PAGE_SIZE as u64,
            machines: machines.len(),
        }
    };
    let symbols = fs::read("/proc/kallsyms").ok().and_then(|text| Symbols::parse(&text).ok());
    let mini = symbols.map(|symbols| mini::find(&live, &survey, &symbols)).unwrap_or_default();
    let pages = mini::pages(&mini);
    let mini = Forecast {
        kind: Kind::Mini,
        pages,
        frozen: pages.min(most),
        pause: page.mul_f64(pages as f64),
        file: (pages as f64 * packed(mini.frames)?) as u64,
        available: available / PAGE_SIZE as u64,
        machines: 0,
    };
    let mut all: Vec<Forecast> =
        Kind::ALL.into_iter().filter(|kind| *kind != Kind::Mini).map(by_class).collect();
    all.push(mini);
    all.sort_by_key(|forecast| forecast.kind);
    Ok(all)
}

/// Pages of memory of each process that has a virtual machine of KVM's: about what a dump would have of it.
fn machines() -> Vec<u64> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let has_machine = |process: &fs::DirEntry| {
        let files = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|link| link.as_os_str() == "anon_inode:kvm-vm")
    };
    let memory = |process: fs::DirEntry| {
        let status = fs::read_to_string(process.path().join("status")).unwrap_or_default();
        let kilobytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        (kilobytes("RssAnon:").unwrap_or(0) + kilobytes("RssShmem:").unwrap_or(0)) / 4
    };
    processes.filter(has_machine).map(memory).collect()
}

/// Time that this thread has had a CPU: in a freeze nobody else runs.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How long all CPUs together take to copy a page.
fn copy_one_page(cpus: usize, bytes: usize) -> Result<Duration, Error> {
    let one = || {
        let (from, mut to) = (vec![1u8; bytes], vec![2u8; bytes]);
        let began = spent();
        for (to, from) in to.chunks_exact_mut(PAGE_SIZE).zip(from.chunks_exact(PAGE_SIZE)) {
            to.copy_from_slice(black_box(from));
        }
        black_box(&mut to);
        spent().saturating_sub(began)
    };
    let slowest = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cpus).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect::<Option<Vec<Duration>>>()
    });
    let slowest = slowest.and_then(|times| times.into_iter().max());
    let slowest = slowest.ok_or_else(|| Error::Machine("a thread that copied has died".into()))?;
    Ok(slowest.div_f64((cpus * bytes / PAGE_SIZE) as f64))
}

/// The page frames whose class is wanted.
fn frames(survey: &Engine, live: &Live, wanted: impl Fn(PageClass) -> bool) -> Vec<u64> {
    let mut pfns = Vec::new();
    for unit in live.ram.units() {
        let mut classes = vec![0; unit.pages as usize];
        let from = u64::from(unit.base) + unit.first % UNIT_PAGES;
        if survey.classes.read(from as usize, &mut classes) {
            let pages = (unit.first..).zip(classes);
            pfns.extend(
                pages
                    .filter(|(_, class)| PageClass::from_number(*class).is_some_and(&wanted))
                    .map(|(pfn, _)| pfn),
            );
        }
    }
    pfns
}

/// Bytes of file for each of these pages, by some of them.
fn packing(survey: &Engine, live: &Live, pfns: &[u64]) -> Result<f64, Error> {
    let step = pfns.len().div_ceil(SAMPLE).max(1);
    let pfns: Vec<u64> = pfns.iter().copied().step_by(step).collect();
    // The peek reads a page only while it has a class that may be read.
    set(&survey.ctl()?.classes_kept, room::classes(Kind::All));
    let mut peeker = survey.peeker()?;
    let failed = |error| Error::io("reading pages to see how far they pack", error);
    let mut sample = Sample { pages: Vec::new(), next: 0 };
    for group in pfns.chunks(PEEKS) {
        let peeked = peeker.pages(live.page_offset, group).map_err(failed)?;
        for (place, (pfn, peeked)) in group.iter().zip(peeked).enumerate() {
            let mut page = Box::new([0; PAGE_SIZE]);
            if peeked == crate::peek::Peeked::Read && peeker.page(place, &mut page) {
                sample.pages.push((*pfn, page));
            }
        }
    }
    let pages = sample.pages.len().max(1);
    let meta = Meta { direct_map: Vaddr(live.page_offset), ..Meta::default() };
    let mut file = Cursor::new(Vec::new());
    let summary = lkd_dump::write(
        Format::default(),
        &mut file,
        &meta,
        &live.ram.pages,
        &mut sample,
        &Writing { most_pages: Some(pages as u64), ..Writing::default() },
        &mut |_| {},
    )
    .map_err(|error| Error::Machine(format!("packing pages: {error}")))?;
    Ok(summary.bytes_out as f64 / pages as f64)
}

/// Pages that were read, ascending.
struct Sample {
    pages: Vec<(u64, Box<[u8; PAGE_SIZE]>)>,
    next: usize,
}

impl PageSource for Sample {
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
        while let Some((pfn, bytes)) = self.pages.get(self.next)
            && !batch.is_full()
            && batch.push_page(Pfn(*pfn), bytes)
        {
            self.next += 1;
        }
        Ok(())
    }

    fn closing_notes(&mut self, _: &Summary, _: ByteLen) -> Result<Notes, SourceError> {
        Ok(Notes::new())
    }
}
