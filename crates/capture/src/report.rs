//! One dump, from the held shot to the published file.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lkd_dump::shot::cpu_flags;
use lkd_dump::{
    ByteLen, Codec, CpuState, Format, Kind, Machine, Mapping as Segment, Meta, Notes, Options, Paddr,
    Progress, Regs, Shot, UnixTime, Vaddr, WriteStats,
};
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;

use crate::ctl::{STACK_BYTES, get};
use crate::error::{Error, plain};
use crate::guests;
use crate::pass::now_ns;
use crate::progress::Event;
use crate::registers::{self, Stack};
use crate::source::{Captured, Held, Unlisted, begun};
use crate::taken::{Taken, read_shot};
use crate::takeover::Writer;
use crate::target::Report;
use crate::unwind::Orc;

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_millis(200);

/// Where the kernel's image is mapped when KASLR does not move it.
const START_KERNEL_MAP: u64 = 0xffff_ffff_8000_0000;

/// The least level that zstd packs a minidump with.
const MINI_LEVEL: i32 = 3;

/// Room for the notes that come last: the torn ranges of a dump most of whose pages were read late.
const CLOSING_ROOM: ByteLen = ByteLen(1 << 20);

/// Writes the dump of the shot that is held, and tells each step.
pub fn write(writer: &mut Writer) -> Result<(), Error> {
    let Taken { mut shot, mut cpus, stirs, smears, .. } = writer.taken()?;
    name(writer, &mut shot);
    writer.socket.tell(&Event::Taken {
        pause_ns: shot.thawed_ns.saturating_sub(shot.triggered_ns),
        cpus: shot.cpus_stopped,
        smears,
        pages: shot.pages.frozen,
        probe: shot.probe(),
        pid: shot.tgid,
        comm: shot.comm(),
        kind: shot.flags,
    });
    let begun = begun(writer.ctl()?);
    let finished = writer.finish_capture()?;
    // Not before: what is copied late should be copied soon.
    crate::sys::stand_back();
    if get(&writer.ctl()?.copy) == 0 {
        return Err(Error::Machine("this arming only counts pages".into()));
    }
    // The counts again: the pass may just have been finished.
    let counted = read_shot(&writer.shot, writer.ctl()?)?;
    shot.pages = lkd_dump::PageCounts { frozen: shot.pages.frozen, ..counted.pages };
    let stack = registers(writer, &mut shot)?;
    if let Some(own) = cpus.iter_mut().find(|state| state.cpu == shot.cpu) {
        own.regs = shot.probe_regs;
        own.flags |= if shot.probe_regs_valid == Regs::ALL_VALID { cpu_flags::REGS } else { 0 };
        if own.regs.is_user() {
            own.flags |= cpu_flags::USER;
            (own.pushed, own.entry) = registers::entered(&own.regs, &stack).unwrap_or_default();
        }
    }

    let report = match &writer.file {
        Some(name) => Report::begin_file(&writer.root, name),
        None => Report::begin(&writer.root, &writer.component, shot.realtime_ns),
    };
    let report =
        report.map_err(|error| Error::io(format!("making a report in {}", writer.root.display()), error))?;
    let path = report.path();
    let failed = |error| Error::io(format!("writing {}", path.display()), error);
    let mut file = report.create().map_err(failed)?;
    let mut meta = meta(writer, &shot, &cpus)?;
    if meta.kind.hypervisor() {
        let machines = writer.guests.machines(finished.late_guests)?;
        meta.notes.machines(&machines);
        let what = guests::told(&machines, meta.kind, writer.guests.why.as_deref());
        writer.socket.tell(&Event::Noted { what });
    }
    let format = packing(writer.format, meta.kind);
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let told = WriteStats { threads: threads.get() as u32, ..stats(format) };

    let Writer { control, list, classes, pages, peeker, units, live, socket, .. } = &mut *writer;
    let ctl =
        control.ctl().ok_or_else(|| Error::Machine("the engine's control block is too short".into()))?;
    let unlisted = Unlisted { classes, units, kept: get(&ctl.classes_listed) };
    let unlisted = (get(&ctl.overflow) > 0).then_some(&unlisted);
    let held = Held {
        ctl,
        list,
        unlisted,
        pages,
        begun: &begun,
        drained_ns: (finished.from_ns, finished.to_ns),
        stack: &stack,
        still: stirs.is_empty(),
    };
    let mut source = Captured::new(&held, peeker, shot).map_err(|error| Error::Machine(error.to_string()))?;
    source.describe(told);
    let total = source.total();
    let options = Options {
        threads,
        most_pages: Some(total),
        // each page that proves unreadable may cut a run in two
        most_runs: Some(source.runs() + 65_536),
        closing_room: CLOSING_ROOM,
        ..Options::default()
    };
    let mut last_told = None::<Instant>;
    let began = Instant::now();
    let mut tell = |progress: &Progress| {
        if last_told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            last_told = Some(Instant::now());
            socket.tell(&Event::Writing {
                bytes: progress.pages * 4096,
                total: total * 4096,
                elapsed_ns: began.elapsed().as_nanos() as u64,
                path: path.clone(),
            });
        }
    };
    // Where it is told only once, this is what is told: how much there is and where it goes.
    tell(&Progress::default());
    let summary =
        lkd_dump::write(format, &mut file, &meta, &live.ram.pages, &mut source, &options, &mut tell)
            .map_err(|error| Error::Machine(format!("writing {}: {}", path.display(), plain(&error))))?;
    let (trailing, changed, lost) = (source.trailing, source.changed, source.failed);
    let size = file.size().map_err(failed)?;
    let path = report.publish(file).map_err(failed)?;
    writer.socket.tell(&Event::Done {
        path,
        size,
        pages: summary.pages,
        trailing,
        changed,
        failed: lost,
        seconds: now_ns().saturating_sub(shot.triggered_ns) as f64 / 1e9,
    });
    Ok(())
}

/// What only user space knows of the shot.
fn name(writer: &Writer, shot: &mut Shot) {
    let real = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let real = real.tv_sec as u64 * 1_000_000_000 + real.tv_nsec as u64;
    shot.realtime_ns = real.saturating_sub(now_ns().saturating_sub(shot.ktime_ns));
    if let Some(probe) = writer.probes.iter().find(|probe| probe.id == shot.probe_id) {
        shot.set_probe(&probe.provider, &probe.module, &probe.function, &probe.name);
    }
    shot.set_script(&writer.script);
    // __USER32_CS: the thread entered the kernel from 32-bit code.
    if shot.user_regs_valid == Regs::ALL_VALID && shot.user_regs.cs == 0x23 {
        shot.status |= lkd_dump::shot::status::COMPAT;
    }
}

/// Completes the shot's registers at the probe; gives the stack as it was there.
fn registers(writer: &mut Writer, shot: &mut Shot) -> Result<Stack, Error> {
    let ctl = writer.ctl()?;
    let mut stack =
        Stack { base: get(&ctl.stack_base), bytes: vec![0; STACK_BYTES], valid: get(&ctl.stack_valid) };
    if !writer.stack.read(0, &mut stack.bytes) {
        return Err(Error::Machine("the map of the stack is too short".into()));
    }
    // Without symbols the dump has fewer registers; that is no reason to have no dump.
    let symbols = std::fs::read("/proc/kallsyms").ok().and_then(|text| Symbols::parse(&text).ok());
    let Some(symbols) = symbols else { return Ok(stack) };
    let btf = std::fs::read("/sys/kernel/btf/vmlinux").ok().and_then(|bytes| Btf::parse(bytes).ok());
    let orc = btf.and_then(|btf| Orc::find(&symbols, &btf));
    let peeker = &mut writer.peeker;
    let mut read = |vaddr: u64, len: usize| {
        let mut bytes = [0; 8];
        let readable = peeker.read(vaddr, bytes.get_mut(..len)?).ok()?;
        readable.then(|| u64::from_le_bytes(bytes))
    };
    let mut caller = |frame| orc?.caller(frame, &mut read, &|vaddr| stack.word(vaddr));
    (shot.probe_regs, shot.probe_regs_valid) = registers::at_probe(shot, &stack, &symbols, &mut caller);
    Ok(stack)
}

/// What the dump says of the machine.
fn meta(writer: &Writer, shot: &Shot, cpus: &[CpuState]) -> Result<Meta, Error> {
    let live = &writer.live;
    let mut notes = Notes::new();
    for cpu in cpus {
        // Not the thread's id, which is in its own note: in a dump of a kernel that did not crash drgn asks for the note
        // "CPU + 1", as QEMU writes it; crash goes by the order alone.
        notes.prstatus(cpu.cpu + 1, &cpu.in_kernel());
    }
    for cpu in cpus {
        notes.cpu_state(cpu);
    }
    notes.vmcoreinfo(&live.vmcoreinfo);
    let image = &live.ram.image;
    let text = Segment {
        vaddr: Vaddr((image.start << 12).wrapping_sub(live.phys_base).wrapping_add(START_KERNEL_MAP)),
        paddr: Paddr(image.start << 12),
        len: ByteLen((image.end - image.start) << 12),
    };
    Ok(Meta {
        machine: Machine::default(),
        utsname: live.utsname.clone(),
        taken: UnixTime {
            secs: shot.realtime_ns / 1_000_000_000,
            micros: (shot.realtime_ns / 1000 % 1_000_000) as u32,
        },
        kind: Kind::from_flags(u64::from(shot.flags)).unwrap_or(Kind::Kernel),
        incomplete: false,
        phys_base: live.phys_base,
        cpus: cpus.len().max(1) as u32,
        cpu: shot.cpu,
        notes,
        direct_map: writer.direct_map()?,
        mappings: (!image.is_empty()).then_some(text).into_iter().chain(stack_mappings(writer)?).collect(),
    })
}

/// The pages of the probing thread's stack where the kernel has mapped them one by one: gdb, which knows no page tables, finds them
/// there.
fn stack_mappings(writer: &Writer) -> Result<Vec<Segment>, Error> {
    let ctl = writer.ctl()?;
    let base = get(&ctl.stack_base);
    let page = |(place, frame): (usize, u64)| {
        let mapped = Vaddr(base.checked_add(place as u64 * 4096)?);
        let paddr = frame.checked_sub(1)? << 12;
        let elsewhere = mapped.0 != writer.live.page_offset.wrapping_add(paddr);
        elsewhere.then_some(Segment { vaddr: mapped, paddr: Paddr(paddr), len: ByteLen(4096) })
    };
    Ok(ctl.stack_pages.iter().map(get).enumerate().filter_map(page).collect())
}

/// The format that a kind is written in: a minidump is so small that it is packed better, in hardly more time.
fn packing(format: Format, kind: Kind) -> Format {
    match format {
        Format::Kdump(Codec::Zstd { level }) if kind == Kind::Mini => {
            Format::Kdump(Codec::Zstd { level: level.max(MINI_LEVEL) })
        }
        other => other,
    }
}

/// The codec and level that a format writes with.
fn stats(format: Format) -> WriteStats {
    let codec = match format {
        Format::Kdump(codec) => codec,
        Format::Elf => Codec::Raw,
    };
    WriteStats::of(&lkd_dump::Summary::default(), &Options { codec, ..Options::default() })
}
