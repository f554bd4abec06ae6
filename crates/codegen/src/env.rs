//! What the machine and the probes are: the side of the contract that the script does not say.

use lkd_kernel::btf::Btf;

/// One enabled probe: where its program starts and which clauses of the script it runs.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Its number in the catalogue.
    pub probe: u32,
    pub names: ProbeNames,
    pub place: Place,
    /// Indices into [`Program::clauses`](lkd_dlang::program::Program), ascending.
    pub clauses: Vec<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeNames {
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
}

/// The kind of program that serves a probe, which says where its arguments lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// dtrace:::BEGIN: a raw tracepoint program that user space runs (`BPF_PROG_TEST_RUN`).
    Begin,
    /// dtrace:::END, the same; it also runs after exit().
    End,
    /// Fired by user space in the same way (tick-N).
    User,
    /// Raw tracepoint `sys_enter`, for all system calls.
    SysEnter {
        nr: u32,
    },
    /// Raw tracepoint `sys_exit`, for all system calls.
    SysExit {
        nr: u32,
    },
    /// `arg0`… are the function's.
    Fentry {
        nargs: u8,
    },
    /// `arg0` is the offset of the return (0: not known), `arg1` the value.
    Fexit {
        nargs: u8,
    },
    Kprobe,
    /// As [`Place::Fexit`].
    Kretprobe,
    /// `arg0`… are the tracepoint's.
    RawTp {
        nargs: u8,
    },
    /// profile-N, tick-N on a software clock: `arg0` kernel pc or 0, `arg1` user pc or 0.
    PerfEvent,
    /// dtrace:::ERROR: no program of its own, it becomes a function of every program that can fault.
    Error,
}

/// Numbers that the generated code needs from this machine and from the options.
#[derive(Clone, Debug)]
pub struct Env {
    /// *Possible* CPUs: the highest CPU number is below it.
    pub cpus: u32,
    /// Size of the record ring: a power of two, a multiple of the page size.
    pub ring_bytes: u32,
    /// Memory for each dynamic variable (`self->x`, `a[k]`), as option `dynvarsize`.
    pub dynvar_bytes: u32,
    /// Bytes that copyin() may use per call when its size is not a constant, as option `scratchsize`.
    pub copyin_bytes: u32,
    pub task: TaskOffsets,
}

impl Default for Env {
    fn default() -> Env {
        Env {
            cpus: 1,
            ring_bytes: 4 << 20,
            dynvar_bytes: 1 << 20,
            copyin_bytes: 256,
            task: TaskOffsets::default(),
        }
    }
}

/// Byte offsets in kernel structs and the like, from BTF. `None`: this kernel does not tell, and what needs it is refused by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskOffsets {
    /// `task_struct.thread_info.status`, where `TS_COMPAT` is bit 1.
    pub thread_status: Option<u32>,
    pub tgid: Option<u32>,
    pub real_parent: Option<u32>,
    /// `task_struct.se.sum_exec_runtime`, ns.
    pub sum_exec_runtime: Option<u32>,
    /// A system call's tracepoint may fault, and so stands with a frame of its own below the program's. Since v6.13 ("tracing:
    /// Introduce tracepoint extended structure"); BTF shows the structure.
    pub faultable_calls: bool,
}

impl TaskOffsets {
    /// What the kernel's BTF tells.
    pub fn from_btf(btf: &Btf) -> TaskOffsets {
        let at = |path| {
            let place = btf.member_path(btf.find_struct("task_struct")?, path)?;
            u32::try_from(place.byte_offset()).ok()
        };
        TaskOffsets {
            thread_status: at("thread_info.status"),
            tgid: at("tgid"),
            real_parent: at("real_parent"),
            sum_exec_runtime: at("se.sum_exec_runtime"),
            faultable_calls: btf.find_struct("tracepoint_ext").is_some(),
        }
    }
}
