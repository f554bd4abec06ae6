//! fbt: entry to and return from kernel functions, by fentry and fexit where the function is in BTF, else (and for lkd()) by
//! kprobes: many at once (`kprobe.multi`) or one perf event each.
//!
//! D names: `fbt:MODULE:FUNCTION:entry` and `:return`. The functions are those that ftrace can patch; where several share a name
//! only the first counts, because the kernel attaches by name. Compiler-made parts (`.isra.0`, `.cold`) are left out.

use super::dtrace::{absent, cannot_read};
use super::*;
use crate::sys::{self, PerfType, ProgShape};
use lkd_kernel::btf::{Btf, Kind, TypeId};
use lkd_kernel::probes::NewProbe;
use std::collections::HashSet;
use std::fs;
use std::os::fd::AsFd;
use std::sync::Arc;

/// How this kernel lets us attach to its functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    pub fentry: bool,
    pub kprobe_multi: bool,
    /// The perf event source for single kprobes.
    pub kprobe: Option<PerfType>,
    /// So many functions are wanted that loading a program for each would take long: prefer `kprobe.multi`.
    pub many: bool,
}

impl Ways {
    /// Asks the kernel, by loading programs of two instructions.
    pub fn ask(facts: &Facts) -> Ways {
        Ways {
            fentry: has_fentry(facts),
            kprobe_multi: has_kprobe_multi(),
            kprobe: sys::perf_probe_type("kprobe"),
            many: false,
        }
    }

    pub fn any(self) -> bool {
        self.fentry || self.kprobe_multi || self.kprobe.is_some()
    }

    /// How to attach to one function. `typed`: fentry is possible for it as far as its type goes.
    pub fn choose(self, typed: bool, lkd: bool) -> Result<Via, String> {
        let kprobe = self.kprobe_multi || self.kprobe.is_some();
        if typed && self.fentry && !lkd && !(self.many && self.kprobe_multi) {
            Ok(Via::Btf)
        } else if kprobe {
            Ok(Via::Kprobe)
        } else if lkd {
            Err("lkd() in an fbt probe needs kprobes, which this kernel has not (CONFIG_KPROBE_EVENTS)"
                .into())
        } else {
            Err("the function has no type that fentry could use, and this kernel has no kprobes".into())
        }
    }
}

/// `r0 = 0; exit`
const RETURN_0: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// A function that every kernel has, can be traced, and is in BTF.
const WELL_KNOWN: &str = "vfs_read";

fn has_fentry(facts: &Facts) -> bool {
    let Some(id) = facts.btf().ok().and_then(|btf| btf.find_func(WELL_KNOWN)) else { return false };
    let shape = ProgShape {
        name: "lkd_ask",
        kind: libbpf_sys::BPF_PROG_TYPE_TRACING,
        expected_attach: libbpf_sys::BPF_TRACE_FENTRY,
        attach_btf_id: id.0,
        attach_btf: None,
        insns: &RETURN_0,
    };
    sys::prog_load(&shape, 0).is_ok()
}

/// The kernel looks whether it has fprobes before it looks at what we ask for: no functions at all is EINVAL with them and
/// EOPNOTSUPP without. Since Linux kernel commit 0dcac2725406 ("bpf: Add multi kprobe link") (in v5.18).
fn has_kprobe_multi() -> bool {
    let shape = ProgShape {
        name: "lkd_ask",
        kind: libbpf_sys::BPF_PROG_TYPE_KPROBE,
        expected_attach: libbpf_sys::BPF_TRACE_KPROBE_MULTI,
        attach_btf_id: 0,
        attach_btf: None,
        insns: &RETURN_0,
    };
    let Ok(prog) = sys::prog_load(&shape, 0) else { return false };
    match sys::link_kprobe_multi(prog.as_fd(), &[], &[], false, "no function") {
        Err(e) => e.errno() != libc::EOPNOTSUPP,
        Ok(_) => true,
    }
}

pub struct Fbt<'f> {
    facts: &'f Facts,
}

impl<'f> Fbt<'f> {
    pub fn new(facts: &'f Facts) -> Self {
        Fbt { facts }
    }

    fn add(
        &self,
        module: &str,
        function: &str,
        btf: Option<&Arc<Btf>>,
        catalog: &mut Catalog,
    ) -> Result<(), Absence> {
        let proto = btf.and_then(|btf| {
            let func = btf.find_func(function)?;
            let Kind::Func { proto, .. } = btf.kind(func) else { return None };
            Some((func, fentry_able(btf, proto), nargs(btf, proto)))
        });
        let (func, nargs) = match proto {
            Some((func, able, nargs)) => (able.then_some(func), nargs),
            // no type: what the registers hold
            None => (None, KPROBE_ARGS),
        };
        for (name, site) in
            [("entry", Site::FbtEntry { func, nargs }), ("return", Site::FbtReturn { func, nargs })]
        {
            let probe = NewProbe { provider: "fbt", module, function, name, site };
            catalog.add(probe).map_err(|full| absent("fbt", full, "name fewer modules"))?;
        }
        Ok(())
    }
}

/// How many arguments travel in registers.
const KPROBE_ARGS: u8 = 6;

fn nargs(btf: &Btf, proto: TypeId) -> u8 {
    match btf.kind(proto) {
        Kind::FuncProto(p) => u8::try_from(p.len()).unwrap_or(u8::MAX),
        _ => 0,
    }
}

/// The kernel's trampoline passes up to six scalars on; structs by value and `...` it refuses when the program is loaded.
fn fentry_able(btf: &Btf, proto: TypeId) -> bool {
    let Kind::FuncProto(p) = btf.kind(proto) else { return false };
    let scalar = |ty: TypeId| {
        !matches!(
            btf.kind(btf.resolve(ty)),
            Kind::Struct(_) | Kind::Union(_) | Kind::Float { .. } | Kind::Invalid
        )
    };
    p.len() <= usize::from(KPROBE_ARGS)
        && !p.variadic()
        && scalar(p.ret)
        && p.params().all(|param| scalar(param.ty))
}

/// `vfs_read` or `xfs_read_agf [xfs]`, as ftrace lists them; the first of each name.
fn traceable(list: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut seen = HashSet::new();
    list.lines().filter_map(move |line| {
        let (function, module) = match line.split_once([' ', '\t']) {
            Some((function, rest)) => (function, rest.trim().strip_prefix('[')?.strip_suffix(']')?),
            None => (line, "vmlinux"),
        };
        let ours = !function.is_empty()
            && !function.contains('.')
            && !function.starts_with("__ftrace_invalid_address");
        (ours && seen.insert(function)).then_some((module, function))
    })
}

impl Provider for Fbt<'_> {
    fn name(&self) -> &str {
        "fbt"
    }

    fn on_demand(&self) -> bool {
        true
    }

    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        if !is_time("fbt", desc, catalog) {
            return Ok(());
        }
        let Some(tracefs) = self.facts.tracefs() else {
            let (reason, remedy) = self.facts.no_tracefs();
            return Err(absent("fbt", reason, remedy));
        };
        let list = tracefs.join("available_filter_functions");
        if !crate::facts::exists(&list) {
            return Err(absent(
                "fbt",
                "this kernel cannot patch its functions",
                "boot a kernel with CONFIG_DYNAMIC_FTRACE",
            ));
        }
        let text = fs::read_to_string(&list).map_err(|e| cannot_read("fbt", &list, &e))?;
        if !self.facts.ways().any() {
            return Err(absent(
                "fbt",
                "this kernel has neither fentry nor kprobes for BPF programs",
                "boot a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS and CONFIG_DEBUG_INFO_BTF, or with CONFIG_KPROBE_EVENTS",
            ));
        }
        let mut module_btf: (&str, Option<Arc<Btf>>) = ("", None);
        for (module, function) in traceable(&text) {
            if module_btf.0 != module {
                module_btf = (module, self.facts.module_btf(module));
            }
            self.add(module, function, module_btf.1.as_ref(), catalog)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ftrace_lists() {
        let list =
            "vfs_read\nfoo.isra.0\n__ftrace_invalid_address___8\nvfs_read\nxfs_read_agf [xfs]\nodd [x\n\n";
        assert_eq!(traceable(list).collect::<Vec<_>>(), [("vmlinux", "vfs_read"), ("xfs", "xfs_read_agf")]);
    }

    #[test]
    fn lkd_never_goes_by_fentry() {
        let fentry_only = Ways { fentry: true, ..Ways::default() };
        assert_eq!(fentry_only.choose(true, false), Ok(Via::Btf));
        assert!(fentry_only.choose(true, true).unwrap_err().contains("kprobes"));
        assert!(fentry_only.choose(false, false).is_err());
        let all = Ways { kprobe: Some(PerfType(8)), kprobe_multi: true, ..fentry_only };
        assert_eq!(all.choose(true, true), Ok(Via::Kprobe));
        assert_eq!(all.choose(true, false), Ok(Via::Btf));
        assert_eq!(Ways { many: true, ..all }.choose(true, false), Ok(Via::Kprobe));
    }
}
