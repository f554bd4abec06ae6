//! syscall: entry to and return from system calls. One raw tracepoint program (`sys_enter`, `sys_exit`) serves them all and looks
//! at the number; tasks in 32-bit mode have other numbers and are told apart by the program.
//!
//! D names: `syscall:vmlinux:NAME:entry` and `:return`, NAME as in the kernel's tracepoints (`newfstat`, `openat`). A kernel has
//! a call if it has the function that the call enters: its BTF says so, or kallsyms (where a call that was configured out is a
//! weak symbol, kind `W`); with neither, the architecture's whole table is offered.

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
    fn present(&self) -> Vec<&'static Syscall> {
        let names: HashSet<&str> = if let Ok(btf) = self.facts.btf() {
            btf.funcs().filter_map(|f| f.name.strip_prefix(ENTRY)).collect()
        } else if let Ok(symbols) = self.facts.symbols() {
            symbols
                .functions()
                .filter(|s| s.kind != b'W' && s.kind != b'w')
                .filter_map(|s| s.name.strip_prefix(ENTRY))
                .collect()
        } else {
            HashSet::new()
        };
        x86_64::all().iter().filter(|call| names.is_empty() || names.contains(call.name)).collect()
    }
}

impl Provider for Syscalls<'_> {
    fn name(&self) -> &str {
        "syscall"
    }

    fn provide(&self, _: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        for call in self.present() {
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
