//! The one door to the kernel: every `bpf(2)`, `perf_event_open(2)` and `mmap(2)` of this crate, and nearly all its `unsafe`.
//!
//! The calls go through libbpf's low-level functions, which know how old kernels want their attributes. An error says which
//! call failed and for what object; the verifier's log comes along with a refused program.

mod mem;
pub mod names;
mod perf;
pub mod process;

pub use mem::{Shared, page_size, read_by_map};
pub use perf::{PerfType, PerfWhere, perf_cpu_clock, perf_probe, perf_probe_type};

use libbpf_sys as bpf;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// A call that the kernel refused.
#[derive(Debug)]
pub struct SysError {
    /// The call, in the kernel's words: `BPF_PROG_LOAD`.
    pub call: &'static str,
    /// What it was about: `program sys_exit`.
    pub object: String,
    pub source: io::Error,
}

impl SysError {
    fn last(call: &'static str, object: impl Into<String>) -> SysError {
        SysError { call, object: object.into(), source: io::Error::last_os_error() }
    }

    /// libbpf's functions return `-errno`.
    fn from_ret(call: &'static str, object: impl Into<String>, ret: i32) -> SysError {
        SysError { call, object: object.into(), source: io::Error::from_raw_os_error(-ret) }
    }

    pub fn errno(&self) -> i32 {
        self.source.raw_os_error().unwrap_or(0)
    }
}

/// What the system said, without the number that Rust adds: `No such file or directory`.
pub fn reason(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.call, self.object, reason(&self.source))?;
        match self.errno() {
            libc::EPERM => f.write_str(
                " (needs root, or CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN; kernel lockdown also forbids it)",
            ),
            libc::ENOMEM => f.write_str(
                " (the memory limit of this control group is reached: lower -b or the limit's owner's use)",
            ),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for SysError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn own(call: &'static str, object: &str, ret: i32) -> Result<OwnedFd, SysError> {
    if ret < 0 {
        return Err(SysError::from_ret(call, object, ret));
    }
    // SAFETY: the kernel has just given this descriptor to us and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(ret) })
}

fn c_string(text: &str) -> CString {
    // a NUL inside a name can name nothing: cut there, the kernel then says that there is no such thing
    CString::new(text.split('\0').next().unwrap_or("")).unwrap_or_default()
}

/// What a map is to be: the numbers are the kernel's.
#[derive(Clone, Copy, Debug)]
pub struct MapShape<'a> {
    pub name: &'a str,
    /// `enum bpf_map_type`
    pub kind: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    pub flags: u32,
}

pub fn map_create(shape: &MapShape<'_>) -> Result<OwnedFd, SysError> {
    let name = c_string(shape.name);
    // SAFETY: an all-zero opts struct is libbpf's "nothing asked"; name outlives the call.
    let ret = unsafe {
        let mut opts: bpf::bpf_map_create_opts = zeroed();
        opts.sz = size_of::<bpf::bpf_map_create_opts>() as u64;
        opts.map_flags = shape.flags;
        bpf::bpf_map_create(
            shape.kind,
            name.as_ptr(),
            shape.key_size,
            shape.value_size,
            shape.max_entries,
            &opts,
        )
    };
    let size = match shape.value_size {
        // a ring's entries are its bytes
        0 => format!("{} bytes", shape.max_entries),
        each => format!("{} of {each} bytes", shape.max_entries),
    };
    own("BPF_MAP_CREATE", &format!("map {} ({size})", shape.name), ret)
}

/// Key and value must have the sizes of the map; `name` is for the error.
pub fn map_update(
    map: BorrowedFd<'_>,
    name: &str,
    shape: (u32, u32),
    key: &[u8],
    value: &[u8],
) -> Result<(), SysError> {
    let short = key.len() < shape.0 as usize || value.len() < shape.1 as usize;
    if short {
        return Err(SysError::from_ret("BPF_MAP_UPDATE_ELEM", format!("map {name}"), -libc::EINVAL));
    }
    // SAFETY: both slices are as long as the kernel will read, which was checked above.
    let ret =
        unsafe { bpf::bpf_map_update_elem(map.as_raw_fd(), key.as_ptr().cast(), value.as_ptr().cast(), 0) };
    if ret < 0 { Err(SysError::from_ret("BPF_MAP_UPDATE_ELEM", format!("map {name}"), ret)) } else { Ok(()) }
}

/// What a program is to be.
#[derive(Clone, Copy, Debug)]
pub struct ProgShape<'a> {
    pub name: &'a str,
    /// `enum bpf_prog_type`
    pub kind: u32,
    /// `enum bpf_attach_type`
    pub expected_attach: u32,
    /// fentry, fexit: the function's id in its BTF.
    pub attach_btf_id: u32,
    /// The BTF of a module; `None`: vmlinux.
    pub attach_btf: Option<BorrowedFd<'a>>,
    /// 8 bytes each.
    pub insns: &'a [u8],
}

/// A program that the verifier refused, or a load that failed for another reason (then the log is empty).
#[derive(Debug)]
pub struct LoadRefused {
    pub error: SysError,
    pub log: String,
}

const LOG_START: usize = 64 << 10;

/// Loads without a log (the log costs time); only a refused program is loaded again, with a log that grows up to `log_most` bytes.
pub fn prog_load(shape: &ProgShape<'_>, log_most: usize) -> Result<OwnedFd, LoadRefused> {
    let first = prog_load_once(shape, &mut []);
    let ret = match first {
        ret if ret >= 0 => {
            return own("BPF_PROG_LOAD", shape.name, ret)
                .map_err(|error| LoadRefused { error, log: String::new() });
        }
        ret => ret,
    };
    let mut log = Vec::new();
    // errors that come before the verifier have no log
    if ![libc::EPERM, libc::ENOMEM, libc::E2BIG, libc::EMFILE, libc::ENFILE].contains(&-ret) {
        let mut size = LOG_START.min(log_most.max(1024));
        loop {
            log = vec![0u8; size];
            let again = prog_load_once(shape, &mut log);
            if again >= 0 {
                // it passes now (the first time may have met a passing shortage)
                return own("BPF_PROG_LOAD", shape.name, again)
                    .map_err(|error| LoadRefused { error, log: String::new() });
            }
            if again != -libc::ENOSPC || size >= log_most {
                break;
            }
            size = (size * 4).min(log_most);
        }
    }
    let end = log.iter().position(|&b| b == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(log.get(..end).unwrap_or_default()).into_owned();
    let error = SysError::from_ret("BPF_PROG_LOAD", format!("program {}", shape.name), ret);
    Err(LoadRefused { error, log })
}

fn prog_load_once(shape: &ProgShape<'_>, log: &mut [u8]) -> i32 {
    let name = c_string(shape.name);
    // SAFETY: zeroed opts are valid; every pointer is to memory that outlives the call, with its true length beside it. The
    // instructions are read bytewise by the kernel (copy_from_user), so their alignment does not matter.
    unsafe {
        let mut opts: bpf::bpf_prog_load_opts = zeroed();
        opts.sz = size_of::<bpf::bpf_prog_load_opts>() as u64;
        opts.expected_attach_type = shape.expected_attach;
        opts.attach_btf_id = shape.attach_btf_id;
        opts.attach_btf_obj_fd = shape.attach_btf.map_or(0, |fd| fd.as_raw_fd() as u32);
        if !log.is_empty() {
            opts.log_level = 1;
            opts.log_buf = log.as_mut_ptr().cast();
            opts.log_size = log.len() as u32;
        }
        bpf::bpf_prog_load(
            shape.kind,
            name.as_ptr(),
            c"Dual MIT/GPL".as_ptr(),
            shape.insns.as_ptr().cast(),
            (shape.insns.len() / 8) as u64,
            &mut opts,
        )
    }
}

/// Runs a raw tracepoint program once, here and now, on this CPU.
pub fn prog_run(prog: BorrowedFd<'_>, name: &str) -> Result<(), SysError> {
    // SAFETY: zeroed opts: no context, no data, so the kernel touches no memory of ours but the opts' own results.
    let ret = unsafe {
        let mut opts: bpf::bpf_test_run_opts = zeroed();
        opts.sz = size_of::<bpf::bpf_test_run_opts>() as u64;
        bpf::bpf_prog_test_run_opts(prog.as_raw_fd(), &mut opts)
    };
    if ret < 0 {
        Err(SysError::from_ret("BPF_PROG_TEST_RUN", format!("program {name}"), ret))
    } else {
        Ok(())
    }
}

/// Firings of a program that the kernel skipped because the program was already running on that CPU.
pub fn prog_misses(prog: BorrowedFd<'_>) -> Result<u64, SysError> {
    // SAFETY: info is as long as info_len says and holds only integers.
    unsafe {
        let mut info: bpf::bpf_prog_info = zeroed();
        let mut len = size_of::<bpf::bpf_prog_info>() as u32;
        let ret = bpf::bpf_prog_get_info_by_fd(prog.as_raw_fd(), &mut info, &mut len);
        if ret < 0 {
            return Err(SysError::from_ret("BPF_OBJ_GET_INFO_BY_FD", "a program", ret));
        }
        Ok(info.recursion_misses)
    }
}

pub fn raw_tracepoint_open(prog: BorrowedFd<'_>, tracepoint: &str) -> Result<OwnedFd, SysError> {
    let name = c_string(tracepoint);
    // SAFETY: name outlives the call.
    let ret = unsafe { bpf::bpf_raw_tracepoint_open(name.as_ptr(), prog.as_raw_fd()) };
    own("BPF_RAW_TRACEPOINT_OPEN", &format!("raw tracepoint {tracepoint}"), ret)
}

fn link_opts() -> bpf::bpf_link_create_opts {
    // SAFETY: all-zero means "nothing asked", and every field is an integer or a raw pointer.
    let mut opts: bpf::bpf_link_create_opts = unsafe { zeroed() };
    opts.sz = size_of::<bpf::bpf_link_create_opts>() as u64;
    opts
}

/// Attaches an fentry or fexit program; what function is in the program.
pub fn link_tracing(
    prog: BorrowedFd<'_>,
    attach: u32,
    cookie: u64,
    object: &str,
) -> Result<OwnedFd, SysError> {
    let mut opts = link_opts();
    opts.__bindgen_anon_1.tracing.cookie = cookie;
    // SAFETY: opts is complete and outlives the call.
    let ret = unsafe { bpf::bpf_link_create(prog.as_raw_fd(), 0, attach, &opts) };
    own("BPF_LINK_CREATE", object, ret)
}

/// Attaches a kprobe program to many functions at once; `cookies` has one number a function.
pub fn link_kprobe_multi(
    prog: BorrowedFd<'_>,
    functions: &[&str],
    cookies: &[u64],
    on_return: bool,
    object: &str,
) -> Result<OwnedFd, SysError> {
    let names: Vec<CString> = functions.iter().map(|f| c_string(f)).collect();
    let mut pointers: Vec<*const libc::c_char> = names.iter().map(|n| n.as_ptr()).collect();
    if cookies.len() != pointers.len() {
        return Err(SysError::from_ret("BPF_LINK_CREATE", object, -libc::EINVAL));
    }
    let mut opts = link_opts();
    opts.__bindgen_anon_1.kprobe_multi = bpf::bpf_link_create_opts__bindgen_ty_1__bindgen_ty_2 {
        flags: if on_return { bpf::BPF_F_KPROBE_MULTI_RETURN } else { 0 },
        cnt: pointers.len() as u32,
        syms: pointers.as_mut_ptr(),
        addrs: ptr::null(),
        cookies: cookies.as_ptr(),
    };
    // SAFETY: the arrays have `cnt` elements (checked for cookies), their strings live in `names` until the end.
    let ret = unsafe { bpf::bpf_link_create(prog.as_raw_fd(), 0, bpf::BPF_TRACE_KPROBE_MULTI, &opts) };
    own("BPF_LINK_CREATE", object, ret)
}

/// Attaches a program to a perf event (clock, kprobe).
pub fn link_perf(
    prog: BorrowedFd<'_>,
    event: BorrowedFd<'_>,
    cookie: u64,
    object: &str,
) -> Result<OwnedFd, SysError> {
    let mut opts = link_opts();
    opts.__bindgen_anon_1.perf_event.bpf_cookie = cookie;
    // SAFETY: opts is complete and outlives the call.
    let ret =
        unsafe { bpf::bpf_link_create(prog.as_raw_fd(), event.as_raw_fd(), bpf::BPF_PERF_EVENT, &opts) };
    own("BPF_LINK_CREATE", object, ret)
}

/// The kernel's own BTF of a module, for fentry programs: found by name among the BTF objects that are loaded.
pub fn module_btf_fd(module: &str) -> Result<OwnedFd, SysError> {
    let mut id = 0u32;
    loop {
        // SAFETY: id is ours; the call writes the next id into it.
        let ret = unsafe { bpf::bpf_btf_get_next_id(id, &mut id) };
        if ret < 0 {
            return Err(SysError::from_ret(
                "BPF_BTF_GET_NEXT_ID",
                format!("the types of module {module}"),
                ret,
            ));
        }
        // SAFETY: a plain number goes in, a descriptor comes out.
        let Ok(fd) = own("BPF_BTF_GET_FD_BY_ID", module, unsafe { bpf::bpf_btf_get_fd_by_id(id) }) else {
            continue;
        };
        let mut name = [0u8; 64];
        // SAFETY: info tells the kernel where the name may go and how long that place is.
        let ret = unsafe {
            let mut info: bpf::bpf_btf_info = zeroed();
            info.name = name.as_mut_ptr() as u64;
            info.name_len = name.len() as u32;
            let mut len = size_of::<bpf::bpf_btf_info>() as u32;
            bpf::bpf_btf_get_info_by_fd(fd.as_raw_fd(), &mut info, &mut len)
        };
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        if ret == 0 && name.get(..end) == Some(module.as_bytes()) {
            return Ok(fd);
        }
    }
}

/// libbpf must not write to stderr on its own: our errors say what it would.
pub fn silence_libbpf() {
    // SAFETY: no callback means no output; set before any other libbpf call of ours.
    unsafe {
        bpf::libbpf_set_print(None);
    }
}

/// CLOCK_REALTIME - CLOCK_MONOTONIC in ns: read between two monotonic readings, so that a preemption cannot skew it much.
pub fn realtime_offset() -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    let ns = |id| {
        let t = clock_gettime(id);
        t.tv_sec * 1_000_000_000 + t.tv_nsec
    };
    (0..5)
        .map(|_| {
            let before = ns(ClockId::Monotonic);
            let real = ns(ClockId::Realtime);
            let after = ns(ClockId::Monotonic);
            (after - before, real - (before + after) / 2)
        })
        .min()
        .map_or(0, |(_, offset)| offset)
}
