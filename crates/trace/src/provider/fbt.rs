//! fbt: entry to and return from kernel functions, by fentry and fexit where the function is in BTF, else (and for lkd()) by
//! kprobes: many at once (`kprobe.multi`) or one perf event each.
//!
//! D names: `fbt:MODULE:FUNCTION:entry` and `:return`. The functions are those that ftrace can patch; where several share a name
//! only the first counts, because the kernel attaches by name. Compiler-made parts (`.isra.0`, `.cold`) are left out.

use super::dtrace::{absent, cannot_read};
use super::*;
use lkd_kernel::btf::{Btf, Kind, TypeId};
use lkd_kernel::probes::NewProbe;
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;

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
}
