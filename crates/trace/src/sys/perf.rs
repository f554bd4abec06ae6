//! perf events: the clock that drives profile-N, and kprobes one by one.

use super::{SysError, c_string};
use libbpf_sys as bpf;
use std::mem::{size_of, zeroed};
use std::os::fd::{FromRawFd, OwnedFd};

/// `PERF_FLAG_FD_CLOEXEC`
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// Number of a perf event source that the kernel gave it at boot (`/sys/bus/event_source/devices/NAME/type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerfType(pub u32);

/// The type of the event source `kprobe`; `None` when this kernel has no kprobes.
pub fn perf_probe_type(source: &str) -> Option<PerfType> {
    let text = std::fs::read_to_string(format!("/sys/bus/event_source/devices/{source}/type")).ok()?;
    text.trim().parse().ok().map(PerfType)
}

/// Which thread and CPU an event watches.
#[derive(Clone, Copy, Debug)]
pub enum PerfWhere {
    Cpu(u32),
    /// All tasks, by one event (kprobes fire on every CPU whatever the event's CPU is).
    Everywhere,
}

fn open(attr: &mut bpf::perf_event_attr, place: PerfWhere, object: &str) -> Result<OwnedFd, SysError> {
    attr.size = size_of::<bpf::perf_event_attr>() as u32;
    let cpu = match place {
        PerfWhere::Cpu(n) => n as i32,
        PerfWhere::Everywhere => 0,
    };
    let flags = PERF_FLAG_FD_CLOEXEC;
    // SAFETY: attr is complete, its size is told, and its pointers (a name) outlive the call.
    let ret = unsafe {
        libc::syscall(libc::SYS_perf_event_open, attr as *mut bpf::perf_event_attr, -1i32, cpu, -1i32, flags)
    };
    if ret < 0 {
        return Err(SysError::last("perf_event_open", object));
    }
    // SAFETY: a fresh descriptor that only we know.
    Ok(unsafe { OwnedFd::from_raw_fd(ret as i32) })
}

/// A software clock on one CPU: overflows every `period_ns`. The high-resolution timer behind it fires on idle CPUs too.
pub fn perf_cpu_clock(cpu: u32, period_ns: u64) -> Result<OwnedFd, SysError> {
    // SAFETY: all-zero is a valid attr: every field is an integer.
    let mut attr: bpf::perf_event_attr = unsafe { zeroed() };
    attr.type_ = bpf::PERF_TYPE_SOFTWARE;
    attr.config = u64::from(bpf::PERF_COUNT_SW_CPU_CLOCK);
    attr.__bindgen_anon_1.sample_period = period_ns;
    open(&mut attr, PerfWhere::Cpu(cpu), &format!("a clock of {period_ns} ns on CPU {cpu}"))
}

/// A kprobe (or its return) on one function.
pub fn perf_probe(kind: PerfType, function: &str, on_return: bool) -> Result<OwnedFd, SysError> {
    let name = c_string(function);
    // SAFETY: as above.
    let mut attr: bpf::perf_event_attr = unsafe { zeroed() };
    attr.type_ = kind.0;
    // bit 0 of a kprobe event's config asks for the return (/sys/bus/event_source/devices/kprobe/format/retprobe)
    attr.config = u64::from(on_return);
    attr.__bindgen_anon_3.kprobe_func = name.as_ptr() as u64;
    let what = if on_return { "the return of" } else { "the entry of" };
    open(&mut attr, PerfWhere::Everywhere, &format!("a kprobe on {what} {function}"))
}
