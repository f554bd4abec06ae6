//! syscall: entry to and return from system calls. One raw tracepoint program (`sys_enter`, `sys_exit`) serves them all and looks
//! at the number; tasks in 32-bit mode have other numbers and are told apart by the program.
//!
//! D names: `syscall:vmlinux:NAME:entry` and `:return`, NAME as in the kernel's tracepoints (`newfstat`, `openat`). A kernel has
//! a call if it has the function that the call enters. Its BTF says so in a few milliseconds (kallsyms would take ten times as
//! long), with two turns: of the calls without arguments, whose function ignores its parameter, BTF leaves most out; and a few
//! calls that were configured out have their stub there, so they are listed and only ever fail. Without BTF there is no provider:
//! its program could not tell 32-bit tasks apart.

use super::dtrace::absent;
use super::*;
use lkd_kernel::probes::NewProbe;
use lkd_kernel::syscalls::{Syscall, x86_64};
use std::collections::HashSet;

/// What stands before a call's name in the function that it enters.
const ENTRY: &str = "__x64_sys_";

pub struct Syscalls<'f> {
    facts: &'f Facts,
}

impl<'f> Syscalls<'f> {
    pub fn new(facts: &'f Facts) -> Self {
        Syscalls { facts }
    }

    /// The calls that this kernel has, in order of number.
    fn present(&self) -> Result<Vec<&'static Syscall>, Absence> {
        let btf = self.facts.btf().map_err(|e| rawtp::no_types("syscall", &e))?;
        if self.facts.task_offsets().thread_status.is_none() {
            return Err(absent(
                "syscall",
                "the kernel's types do not tell where a task says that it is a 32-bit one (task_struct.thread_info.status)",
                "boot a kernel with CONFIG_THREAD_INFO_IN_TASK",
            ));
        }
        let names: HashSet<&str> = btf.funcs().filter_map(|f| f.name.strip_prefix(ENTRY)).collect();
        let has =
            |call: &&Syscall| names.contains(call.name) || (call.nargs == 0 && call.nr <= LAST_UNCONDITIONAL);
        Ok(x86_64::all().iter().filter(has).collect())
    }
}

/// Every call without arguments up to this number (`inotify_init`) is in every kernel that this tool could run on; the two later
/// ones (`uretprobe`, `uprobe`) are the kernel's own.
const LAST_UNCONDITIONAL: u32 = 253;

impl Provider for Syscalls<'_> {
    fn name(&self) -> &str {
        "syscall"
    }

    fn on_demand(&self) -> bool {
        true
    }

    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        if !is_time("syscall", desc, catalog) {
            return Ok(());
        }
        for call in self.present()? {
            let entry = Site::SyscallEntry { nr: call.nr, nargs: call.nargs };
            for (name, site) in [("entry", entry), ("return", Site::SyscallReturn { nr: call.nr })] {
                let probe =
                    NewProbe { provider: "syscall", module: "vmlinux", function: call.name, name, site };
                catalog.add(probe).map_err(|full| absent("syscall", full, ""))?;
            }
        }
        Ok(())
    }
}
