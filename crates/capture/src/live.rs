//! The running kernel's bases, memory and identity, found without its help where it gives none.
//!
//! Where physical memory appears (page_offset_base) and where struct pages do (vmemmap_base) stand in kernel variables that
//! only kernels with all symbols name. So both are found by experiment: a page of our own, whose number we may ask, is looked
//! for at every place where the direct map could begin; the same page is given to a pipe, whose kernel structure then points
//! to its struct page. Where the kernel names its variables, they must agree.

use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use lkd_dump::Utsname;
use lkd_kernel::vmcoreinfo::VmcoreInfo;

use crate::ctl::{PEEKS, get, set};
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::peek::Peeker;
use crate::ram::{self, Ram};
use crate::sys::{Mapping, give_to_pipe};

const GIB: u64 = 1 << 30;

/// What of a running kernel every dump needs.
#[derive(Clone, Debug)]
pub struct Live {
    pub ram: Ram,
    /// Where physical address 0 appears.
    pub page_offset: u64,
    /// Where the struct page of page frame 0 is.
    pub vmemmap: u64,
    /// The text of the kernel's VMCOREINFO.
    pub vmcoreinfo: Vec<u8>,
    /// What KASLR added to physical addresses of the kernel's image; may be "negative".
    pub phys_base: u64,
    /// The CPUs online.
    pub cpus: Vec<u32>,
    /// One more than the highest number that a CPU may have.
    pub cpu_slots: u32,
    pub utsname: Utsname,
}

impl Live {
    /// Looks at the running kernel through freshly loaded programs, which it gives too.
    pub fn find() -> Result<(Live, Engine), Error> {
        let ram = read_ram()?;
        let survey = engine::survey(&ram.units())?;
        let mut peeker = survey.peeker()?;
        let (page_offset, vmemmap) = bases(&survey, &mut peeker, &ram)?;
        let utsname = utsname();
        let vmcoreinfo = vmcoreinfo(&mut peeker, page_offset, &utsname)?;
        let phys_base = VmcoreInfo::parse(&vmcoreinfo).number("phys_base").unwrap_or(0) as u64;
        let (cpus, cpu_slots) = (online()?, possible()?);
        let ctl = survey.ctl()?;
        set(&ctl.page_offset, page_offset);
        set(&ctl.vmemmap, vmemmap);
        Ok((Live { ram, page_offset, vmemmap, vmcoreinfo, phys_base, cpus, cpu_slots, utsname }, survey))
    }

    /// Writes the settings that the programs of an arming or a survey need.
    pub fn settle(&self, engine: &Engine) -> Result<(), Error> {
        let ctl = engine.ctl()?;
        set(&ctl.page_offset, self.page_offset);
        set(&ctl.vmemmap, self.vmemmap);
        set(&ctl.end_pfn, self.ram.end());
        set(&ctl.image_first, self.ram.image.start);
        set(&ctl.image_end, self.ram.image.end);
        set(&ctl.units, engine.units as u64);
        set(&ctl.cpus, self.cpus.len() as u64);
        set(&ctl.cpu_slots, u64::from(engine.sizes.cpus));
        Ok(())
    }
}

/// The CPUs online.
pub fn online() -> Result<Vec<u32>, Error> {
    read("/sys/devices/system/cpu/online").map(|text| ram::number_list(&text))
}

/// One more than the highest number that a CPU may have.
fn possible() -> Result<u32, Error> {
    let possible = read("/sys/devices/system/cpu/possible").map(|text| ram::number_list(&text))?;
    Ok(possible.iter().max().map_or(1, |cpu| cpu + 1))
}

/// Memory by /proc/iomem, without the blocks that are offline.
pub fn read_ram() -> Result<Ram, Error> {
    let mut ram = Ram::parse(&read("/proc/iomem")?).map_err(|error| {
        Error::refused(error.to_string(), "run as root with CAP_SYS_ADMIN in the machine's own namespaces")
    })?;
    // a kernel without hot-plug of memory has none of these, and nothing offline
    if let Ok(size) = fs::read_to_string(format!("{MEMORY_BLOCKS}/block_size_bytes")) {
        ram.set_offline(&size, &offline_blocks());
    }
    Ok(ram)
}

const MEMORY_BLOCKS: &str = "/sys/devices/system/memory";

/// The numbers of the memory blocks that are not in use.
fn offline_blocks() -> Vec<u64> {
    let entries = fs::read_dir(MEMORY_BLOCKS).into_iter().flatten().flatten();
    let number = |entry: &fs::DirEntry| entry.file_name().to_str()?.strip_prefix("memory")?.parse().ok();
    entries
        .filter(|entry| {
            fs::read_to_string(entry.path().join("state")).is_ok_and(|state| state.trim() != "online")
        })
        .filter_map(|entry| number(&entry))
        .collect()
}

fn read(path: &str) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::io(format!("reading {path}"), error))
}

fn utsname() -> Utsname {
    let name = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    Utsname {
        sysname: text(name.sysname()),
        nodename: text(name.nodename()),
        release: text(name.release()),
        version: text(name.version()),
        machine: text(name.machine()),
        domainname: text(name.domainname()),
    }
}

/// The page frame of one of our own addresses.
fn frame_of(address: usize) -> Result<u64, Error> {
    let frames = frames_of(address, 4096)?;
    frames.first().copied().ok_or_else(|| {
        Error::refused(
            "/proc/self/pagemap hides page frame numbers",
            "run with CAP_SYS_ADMIN in the machine's own namespaces",
        )
    })
}

/// The page frames behind `len` bytes of our own address space, those that are there.
fn frames_of(address: usize, len: usize) -> Result<Vec<u64>, Error> {
    let failed = |error| Error::io("reading /proc/self/pagemap", error);
    let file = File::open("/proc/self/pagemap").map_err(failed)?;
    let pages = len.div_ceil(4096);
    let mut frames = Vec::with_capacity(pages);
    let mut bytes = vec![0u8; pages.min(65536) * 8];
    let mut at = (address / 4096) as u64 * 8;
    let end = at + pages as u64 * 8;
    while at < end {
        let most = bytes.len().min((end - at) as usize);
        let Some(piece) = bytes.get_mut(..most) else { break };
        let got = file.read_at(piece, at).map_err(failed)? / 8 * 8;
        if got == 0 {
            break;
        }
        let (entries, _) = piece.get(..got).unwrap_or_default().as_chunks::<8>();
        frames.extend(entries.iter().filter_map(|entry| {
            let entry = u64::from_le_bytes(*entry);
            let frame = entry & ((1 << 55) - 1);
            (entry >> 63 == 1 && frame != 0).then_some(frame)
        }));
        at += got as u64;
    }
    Ok(frames)
}

/// The page frames behind a mapped map, one for each of its pages.
pub fn frames_of_mapping(mapping: &Mapping) -> Result<Vec<u64>, Error> {
    // Newer kernels put a map's page into an address space when it is touched there, not at mmap.
    for offset in (0..mapping.len()).step_by(4096) {
        mapping.word(offset).map(|word| word.load(Ordering::Relaxed));
    }
    let frames = frames_of(mapping.address(), mapping.len())?;
    match mapping.len().div_ceil(4096) {
        pages if pages == frames.len() => Ok(frames),
        pages => Err(Error::Machine(format!(
            "/proc/self/pagemap knows {} of a map's {pages} pages: the dump would hold the others, which are the dump's own",
            frames.len()
        ))),
    }
}

/// page_offset_base and vmemmap_base.
fn bases(survey: &Engine, peeker: &mut Peeker, ram: &Ram) -> Result<(u64, u64), Error> {
    let mut magic = [0u8; 64];
    File::open("/dev/urandom")
        .and_then(|mut random| io::Read::read_exact(&mut random, &mut magic))
        .map_err(|error| Error::io("reading /dev/urandom", error))?;
    // Two pages, so that one of them is whole and ours alone.
    let mut memory = vec![0u8; 8192];
    let start = memory.as_ptr().align_offset(4096);
    let page =
        memory.get_mut(start..start + 4096).ok_or_else(|| Error::Machine("no page of our own".into()))?;
    for (to, from) in page.iter_mut().zip(magic) {
        *to = from;
    }
    let frame = frame_of(page.as_ptr() as usize)?;

    let pipe = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| Error::io("making a pipe", error))?;
    give_to_pipe(pipe.1.as_fd(), page).map_err(|error| Error::io("giving a page to a pipe", error))?;
    let ctl = survey.ctl()?;
    ctl.pipe_fd.store(i64::from(pipe.0.as_raw_fd()), std::sync::atomic::Ordering::Relaxed);
    survey.run("lkd_bases")?;

    // The direct map begins at a multiple of 1 GiB, at or below this task's struct, at most all memory away.
    let task = get(&ctl.found_task);
    let most = ram.end().div_ceil(GIB >> 12) + 1;
    let candidates: Vec<u64> = (0..most).map(|step| (task & !(GIB - 1)).wrapping_sub(step * GIB)).collect();
    let mut page_offset = None;
    for group in candidates.chunks(PEEKS) {
        let places: Vec<u64> = group.iter().map(|base| base.wrapping_add(frame << 12)).collect();
        if let Some(place) =
            peeker.find(&places, &magic).map_err(|error| Error::io("looking for the direct map", error))?
        {
            page_offset = Some(place.wrapping_sub(frame << 12));
            break;
        }
    }
    let page_offset = page_offset.ok_or_else(|| {
        Error::Machine(
            "the direct map was not found: a page of our own appears nowhere below the current task".into(),
        )
    })?;
    let vmemmap = get(&ctl.found_page).wrapping_sub(frame.wrapping_mul(get(&ctl.page_struct)));
    if get(&ctl.found_page) == 0 || vmemmap & 0xfff != 0 {
        return Err(Error::Machine(format!(
            "struct pages were not found: {:#x} for frame {frame:#x}",
            get(&ctl.found_page)
        )));
    }
    check_named(peeker, page_offset, vmemmap)?;
    Ok((page_offset, vmemmap))
}

/// Where the kernel names the variables, they must hold what was found.
fn check_named(peeker: &mut Peeker, page_offset: u64, vmemmap: u64) -> Result<(), Error> {
    let Ok(kallsyms) = fs::read("/proc/kallsyms") else { return Ok(()) };
    for symbol in lkd_kernel::symbols::lines(&kallsyms).take_while(|symbol| symbol.module == "vmlinux") {
        let found = match symbol.name {
            "page_offset_base" => page_offset,
            "vmemmap_base" => vmemmap,
            _ => continue,
        };
        if symbol.addr == 0 {
            continue;
        }
        let named =
            peeker.word(symbol.addr).map_err(|error| Error::io(format!("reading {}", symbol.name), error))?;
        if let Some(named) = named
            && named != found
        {
            return Err(Error::Machine(format!("{} is {named:#x}, but {found:#x} was found", symbol.name)));
        }
    }
    Ok(())
}

/// The text that tells readers of dumps what they need to know of this kernel.
fn vmcoreinfo(peeker: &mut Peeker, page_offset: u64, utsname: &Utsname) -> Result<Vec<u8>, Error> {
    let told = read("/sys/kernel/vmcoreinfo").map_err(|error| {
        Error::refused(
            format!("the kernel gives no VMCOREINFO: {error}"),
            "it needs CONFIG_VMCORE_INFO (CONFIG_CRASH_CORE until 6.8)",
        )
    })?;
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let mut words = told.split_whitespace().map(hex);
    let (Some(Some(paddr)), Some(Some(size))) = (words.next(), words.next()) else {
        return Err(Error::Machine(format!(
            "/sys/kernel/vmcoreinfo reads {told:?}, not an address and a size"
        )));
    };
    let mut note = vec![0; size.min(1 << 20) as usize];
    let readable = peeker
        .read(page_offset.wrapping_add(paddr), &mut note)
        .map_err(|error| Error::io("reading VMCOREINFO from memory", error))?;
    let text = lkd_dump::note::parse(&note)
        .flatten()
        .find_map(|note| note.as_vmcoreinfo().map(<[u8]>::to_vec))
        .filter(|_| readable)
        .ok_or_else(|| Error::Machine(format!("no VMCOREINFO note at physical address {paddr:#x}")))?;
    let info = VmcoreInfo::parse(&text);
    match info.osrelease() {
        Ok(release) if release == utsname.release => Ok(text),
        other => Err(Error::Machine(format!(
            "VMCOREINFO is of another kernel ({other:?}, running {})",
            utsname.release
        ))),
    }
}
