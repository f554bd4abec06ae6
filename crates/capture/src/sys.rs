//! The kernel's door: every mmap, bpf(2) by file descriptor, ioctl-like call and signal of this crate, and all its `unsafe`.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ctl::Ctl;

/// Shared memory with the kernel: a mapped BPF map.
///
/// Others write it at any moment, so no slice of it is ever lent: bytes are copied out and in.
#[derive(Debug)]
pub struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the memory is not tied to a thread, and every access copies or is atomic.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

/// A new virtual machine of KVM's, with nothing in it.
pub fn empty_machine() -> io::Result<OwnedFd> {
    // _IO(KVMIO, 0x01), fixed for ever.
    const KVM_CREATE_VM: libc::c_ulong = 0xae01;
    let kvm = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm")?;
    // SAFETY: this request takes a number, and gives a new descriptor or -1.
    let fd = unsafe { libc::ioctl(kvm.as_raw_fd(), KVM_CREATE_VM, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

impl Mapping {
    /// Maps the first `len` bytes of the map `fd`, for reading and writing.
    pub fn new(fd: BorrowedFd<'_>, len: usize) -> io::Result<Mapping> {
        Mapping::at(fd, 0, len, true)
    }

    /// Maps `len` bytes from `offset`.
    pub fn at(fd: BorrowedFd<'_>, offset: u64, len: usize, write: bool) -> io::Result<Mapping> {
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        let protection = if write { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a new mapping at an address of the kernel's choice touches nobody's memory.
        let at = unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, fd, offset)? };
        NonNull::new(at.cast()).map(|at| Mapping { at, len }).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Where it is mapped, for /proc/self/pagemap.
    pub fn address(&self) -> usize {
        self.at.as_ptr() as usize
    }

    /// Copies bytes out; false, with nothing copied, when the range is not mapped.
    #[must_use]
    pub fn read(&self, offset: usize, into: &mut [u8]) -> bool {
        if offset.checked_add(into.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        // SAFETY: the range is mapped, and `into` is ours alone. A writer in the kernel at the same time can only make
        // the bytes those of a moment in between; callers read what is at rest.
        unsafe { std::ptr::copy_nonoverlapping(self.at.as_ptr().add(offset), into.as_mut_ptr(), into.len()) };
        true
    }

    /// Copies bytes in; false, with nothing copied, when the range is not mapped.
    #[must_use]
    pub fn write(&self, offset: usize, from: &[u8]) -> bool {
        if offset.checked_add(from.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        // SAFETY: the range is mapped and does not overlap `from`.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), self.at.as_ptr().add(offset), from.len()) };
        true
    }

    /// The 64-bit word at `offset`; `None` when it is not mapped or not aligned.
    pub fn word(&self, offset: usize) -> Option<&AtomicU64> {
        if !offset.is_multiple_of(8) || offset.checked_add(8).is_none_or(|end| end > self.len) {
            return None;
        }
        // SAFETY: mapped as long as self, aligned (a mapping starts at a page), and only ever accessed atomically.
        Some(unsafe { AtomicU64::from_ptr(self.at.as_ptr().add(offset).cast()) })
    }

    /// The start of the mapping as the engine's control block; `None` when it is too short.
    pub fn ctl(&self) -> Option<&Ctl> {
        if self.len < size_of::<Ctl>() {
            return None;
        }
        // SAFETY: long enough, page-aligned, every field an atomic for which all bit patterns are valid.
        Some(unsafe { self.at.cast::<Ctl>().as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: ours, and nothing borrowed from it outlives it. An error would mean it was not mapped: nothing to do.
        let _ = unsafe { rustix::mm::munmap(self.at.as_ptr().cast(), self.len) };
    }
}

/// Runs a raw-tracepoint program once, here and now, with zeros for arguments (BPF_PROG_TEST_RUN); gives what it returned.
pub fn run_program(program: BorrowedFd<'_>) -> io::Result<u32> {
    let mut arguments = [0u64; 12];
    let mut options = libbpf_sys::bpf_test_run_opts {
        sz: size_of::<libbpf_sys::bpf_test_run_opts>() as _,
        ctx_in: arguments.as_mut_ptr().cast(),
        ctx_size_in: size_of_val(&arguments) as u32,
        ..Default::default()
    };
    // SAFETY: `options` and the arguments that it points to live through the call.
    let result = unsafe { libbpf_sys::bpf_prog_test_run_opts(program.as_raw_fd(), &mut options) };
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(options.retval) }
}

/// Attaches a program to a raw tracepoint, for as long as the descriptor lives.
pub fn raw_tracepoint(name: &CStr, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the name and the descriptor live through the call.
    let fd = unsafe { libbpf_sys::bpf_raw_tracepoint_open(name.as_ptr(), program.as_raw_fd()) };
    if fd < 0 {
        return Err(io::Error::from_raw_os_error(-fd));
    }
    // SAFETY: a fresh descriptor that only we know.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Runs a program at every `period_ns` of a CPU's clock, for as long as the descriptor lives.
pub fn clock_event(cpu: u32, period_ns: u64, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: all-zero is a valid attr: every field is an integer.
    let mut attr: libbpf_sys::perf_event_attr = unsafe { std::mem::zeroed() };
    attr.size = size_of_val(&attr) as u32;
    attr.type_ = libbpf_sys::PERF_TYPE_SOFTWARE;
    attr.config = u64::from(libbpf_sys::PERF_COUNT_SW_CPU_CLOCK);
    attr.__bindgen_anon_1.sample_period = period_ns;
    const FD_CLOEXEC: libc::c_ulong = 1 << 3;
    // SAFETY: attr is complete and lives through the call.
    let fd =
        unsafe { libc::syscall(libc::SYS_perf_event_open, &raw mut attr, -1, cpu as i32, -1, FD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh descriptor that only we know.
    let event = unsafe { OwnedFd::from_raw_fd(fd as i32) };
    const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;
    // SAFETY: an ioctl that takes a number.
    if unsafe { libc::ioctl(event.as_raw_fd(), PERF_EVENT_IOC_SET_BPF, program.as_raw_fd()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(event)
}

/// Binds a thread (`None`: this one) to a CPU.
pub fn bind_to(thread: Option<rustix::thread::Pid>, cpu: u32) -> io::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    if cpu as usize >= rustix::thread::CpuSet::MAX_CPU {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    set.set(cpu as usize);
    Ok(rustix::thread::sched_setaffinity(thread, &set)?)
}

/// Lets this thread run before all that is not real-time.
pub fn run_first() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 50 };
    // SAFETY: takes a structure that lives through the call.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether this kernel gives programs of type `program` (BPF_PROG_TYPE_*) the helper `helper` (BPF_FUNC_*).
pub fn has_helper(program: u32, helper: u32) -> bool {
    // SAFETY: takes two numbers; loads and drops a two-instruction program.
    unsafe { libbpf_sys::libbpf_probe_bpf_helper(program, helper, std::ptr::null()) == 1 }
}

/// The consumer's side of a ring buffer of which only the wake-ups matter.
#[derive(Debug)]
pub struct Wakeups {
    consumer: Mapping,
    producer: Mapping,
}

impl Wakeups {
    /// Maps the positions of the ring buffer `fd`.
    pub fn new(fd: BorrowedFd<'_>) -> io::Result<Wakeups> {
        let page = 4096;
        Ok(Wakeups {
            consumer: Mapping::at(fd, 0, page, true)?,
            producer: Mapping::at(fd, page as u64, page, false)?,
        })
    }

    /// Takes all records unread, so that poll() sleeps again.
    pub fn drain(&self) {
        if let (Some(consumer), Some(producer)) = (self.consumer.word(0), self.producer.word(0)) {
            // Pairs with the kernel's store-release of the producer's position after a record is complete, and with its
            // load-acquire of the consumer's when it looks for room (kernel/bpf/ringbuf.c).
            consumer.store(producer.load(Ordering::Acquire), Ordering::Release);
        }
    }
}

/// Has the bytes of a file that are in the page cache written to the disk: begun, or waited for as well (which tells no
/// error that fsync would not tell too). A file system without the call is no error: fsync comes all the same.
pub fn write_back(file: BorrowedFd<'_>, at: u64, len: u64, wait: bool) -> io::Result<()> {
    let (Ok(at), Ok(len)) = (libc::off64_t::try_from(at), libc::off64_t::try_from(len)) else {
        return Ok(());
    };
    let flags = match wait {
        true => {
            libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER
        }
        false => libc::SYNC_FILE_RANGE_WRITE,
    };
    // SAFETY: takes numbers.
    if unsafe { libc::sync_file_range(file.as_raw_fd(), at, len, flags) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EIO | libc::ENOSPC | libc::EDQUOT | libc::ENOMEM) => Err(error),
        _ => Ok(()),
    }
}

/// Makes this process outlive what ends its parent: a session of its own, no interrupt, hang-up, broken pipe or polite request
/// to end (a service manager sends that to all of a group; a writer that has nothing to write ends with its socket).
pub fn detach() {
    // SAFETY: calls that take numbers. Any may be refused, and then the process is only less polite or less safe from ^C.
    unsafe {
        libc::setsid();
        // Started as /proc/self/exe it would be called "exe".
        libc::prctl(libc::PR_SET_NAME, c"lkd-writer".as_ptr());
        for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGPIPE, libc::SIGQUIT, libc::SIGTERM] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// Lets this thread, and those that it will start, stand behind all others for CPU and disk: for the writing, when what had
/// to be read soon has been read.
///
/// The disk: the idle class. The schedulers that know it serve it at the latest after a time of their own (mq-deadline 10 s,
/// BFQ a fifth of a second), so a busy disk slows a dump and does not stop it; and as the file is written directly, the
/// writes are this process's own and the class counts.
///
/// The CPU: nice 19, not SCHED_IDLE. Both leave a share of a busy CPU, 15 parts to 1024 or 3 to 1024. Until the dump is
/// written it holds its buffer, often a tenth of the memory, and the pages that found no room there grow older: on a machine
/// that is always busy, a dump of a minute's work would be there in an hour or in six. Where the kernel groups tasks by
/// session it is the group's own nice value that counts, and a session of its own is what detach() has made.
pub fn stand_back() {
    // SAFETY: calls that take numbers. Any may be refused, and then the process is only less polite.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, 19);
        const IOPRIO_WHO_PROCESS: libc::c_long = 1;
        const IDLE: libc::c_long = 3 << 13;
        libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as libc::c_long, IDLE);
    }
    let _ = std::fs::write("/proc/self/autogroup", "19");
}

/// Starts `command` with these file descriptors open under their own numbers.
pub fn spawn_with(
    command: &mut std::process::Command,
    fds: &[BorrowedFd<'_>],
) -> io::Result<std::process::Child> {
    use std::os::unix::process::CommandExt;
    let numbers: Vec<i32> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    // SAFETY: between fork and exec only fcntl is called, which is safe there; nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            for fd in &numbers {
                if libc::fcntl(*fd, libc::F_SETFD, 0) < 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            Ok(())
        });
    }
    command.spawn()
}

/// Takes over a file descriptor that this process was started with.
pub fn inherited(fd: i32) -> io::Result<std::os::fd::OwnedFd> {
    if fd < 3 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: fcntl on a number; it fails when that is no open descriptor.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: open, and given to this process by the one that started it; each number is taken once (see handover.rs).
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives the page that holds `bytes` to a pipe, without copying it.
pub fn give_to_pipe(pipe: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<()> {
    use rustix::pipe::{IoSliceRaw, SpliceFlags, vmsplice};
    // SAFETY: the memory stays ours and in place until the pipe is closed; nobody reads the pipe.
    let sent = unsafe { vmsplice(pipe, &[IoSliceRaw::from_slice(bytes)], SpliceFlags::empty())? };
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Sets element `key` of a map; for a per-CPU map `value` holds one value (of a multiple of 8 bytes) per possible CPU.
pub fn update_map(map: BorrowedFd<'_>, key: u32, value: &[u8]) -> io::Result<()> {
    // SAFETY: the caller gives a value as long as the map's; key and value live through the call.
    let result = unsafe {
        libbpf_sys::bpf_map_update_elem(map.as_raw_fd(), (&raw const key).cast(), value.as_ptr().cast(), 0)
    };
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) }
}

/// Puts maps into the first elements of a map of maps, all at once: the kernel waits for every program after each change of such a map.
pub fn put_maps(of: BorrowedFd<'_>, maps: &[BorrowedFd<'_>]) -> io::Result<()> {
    let keys: Vec<u32> = (0..).take(maps.len()).collect();
    let values: Vec<i32> = maps.iter().map(AsRawFd::as_raw_fd).collect();
    let mut count = keys.len() as u32;
    let options = libbpf_sys::bpf_map_batch_opts {
        sz: size_of::<libbpf_sys::bpf_map_batch_opts>() as _,
        ..Default::default()
    };
    // SAFETY: `count` keys and as many values, of the lengths that a map of maps has, live through the call.
    let result = unsafe {
        libbpf_sys::bpf_map_update_batch(
            of.as_raw_fd(),
            keys.as_ptr().cast(),
            values.as_ptr().cast(),
            &mut count,
            &options,
        )
    };
    if result >= 0 {
        return Ok(());
    }
    // Until v5.19 such a map takes them one by one only.
    (0..).zip(&values).try_for_each(|(key, value)| update_map(of, key, &value.to_ne_bytes()))
}
