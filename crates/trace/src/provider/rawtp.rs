//! rawtp: the kernel's tracepoints, hit raw: no record is made up by the kernel, `arg0`… are the tracepoint's own arguments, and
//! `args[]` has their types, because the kernel's BTF describes every tracepoint by a typedef `btf_trace_NAME`.
//!
//! D names: `rawtp:MODULE::NAME`, MODULE being where the tracepoint is defined (`vmlinux`, `xfs`).

use super::dtrace::absent;
use super::*;
use crate::facts::FactError;
use lkd_kernel::btf::{Btf, Kind, TypeId};
use lkd_kernel::probes::NewProbe;
use std::sync::Arc;

/// What stands before a tracepoint's name in the typedef that describes it.
const TYPEDEF: &str = "btf_trace_";

pub struct RawTracepoints<'f> {
    facts: &'f Facts,
}

impl<'f> RawTracepoints<'f> {
    pub fn new(facts: &'f Facts) -> Self {
        RawTracepoints { facts }
    }
}

/// The words for a provider that needs the kernel's types.
pub(super) fn no_types(provider: &str, e: &FactError) -> Absence {
    absent(provider, format!("cannot read {} ({}): {}", e.what, e.path, e.why), e.cure)
}

/// The function type behind a `btf_trace_` typedef (a pointer to it), and how many arguments it has after the `void *`.
fn proto_of(btf: &Btf, typedef: TypeId) -> Option<(TypeId, u8)> {
    let Kind::Typedef(pointer) = btf.kind(typedef) else { return None };
    let Kind::Ptr(proto) = btf.kind(btf.resolve(pointer)) else { return None };
    let Kind::FuncProto(p) = btf.kind(proto) else { return None };
    Some((proto, u8::try_from(p.len().saturating_sub(1)).ok()?))
}

/// The tracepoint of that name: its site, with the types of its arguments when the kernel tells them.
pub(super) fn site(btf: Option<&Btf>, name: &str) -> Site {
    let found = btf.and_then(|btf| proto_of(btf, btf.find_typedef(&format!("{TYPEDEF}{name}"))?));
    match found {
        Some((proto, nargs)) => Site::RawTp { proto: Some(proto), nargs },
        None => Site::RawTp { proto: None, nargs: 0 },
    }
}

/// The modules that have types of their own, in alphabetical order.
fn modules() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/kernel/btf").into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|e| e.file_name().into_string().ok()).filter(|n| n != "vmlinux").collect();
    names.sort();
    names
}

fn add_all(btf: &Btf, module: &str, catalog: &mut Catalog) -> Result<(), Absence> {
    for id in btf.ids().filter(|&id| btf.name(id).starts_with(TYPEDEF)) {
        let (Some(name), Some((proto, nargs))) = (btf.name(id).strip_prefix(TYPEDEF), proto_of(btf, id))
        else {
            continue;
        };
        let site = Site::RawTp { proto: Some(proto), nargs };
        let probe = NewProbe { provider: "rawtp", module, function: "", name, site };
        catalog.add(probe).map_err(|full| absent("rawtp", full, ""))?;
    }
    Ok(())
}

impl Provider for RawTracepoints<'_> {
    fn name(&self) -> &str {
        "rawtp"
    }

    fn on_demand(&self) -> bool {
        true
    }

    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        if !is_time("rawtp", desc, catalog) {
            return Ok(());
        }
        let btf = self.facts.btf().map_err(|e| no_types("rawtp", &e))?;
        add_all(btf, "vmlinux", catalog)?;
        for module in modules() {
            let types: Option<Arc<Btf>> = self.facts.module_btf(&module);
            if let Some(types) = types {
                add_all(&types, &module, catalog)?;
            }
        }
        Ok(())
    }
}
