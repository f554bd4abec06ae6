//! What the checker asks of the machine, answered by the caller: types, symbols, probes. This room itself looks at nothing.

use std::sync::Arc;

use lkd_kernel::btf::{Btf, TypeId as BtfId};

use crate::program::ProbePattern;

/// The machine, as far as a script's meaning depends on it.
pub struct Facts<'a> {
    /// The kernel's own types; `None` on a kernel without BTF.
    pub btf: Option<Arc<Btf>>,
    /// A module's types, split over [`Facts::btf`]; asked only for modules that the script names.
    pub module_btf: &'a dyn Fn(&str) -> Option<Arc<Btf>>,
    /// A symbol's address, in one module or (`None`) anywhere.
    pub symbol_addr: &'a dyn Fn(Option<&str>, &str) -> Option<u64>,
    pub probes: &'a dyn ProbeFacts,
}

/// The catalogue of probes, as the checker sees it.
pub trait ProbeFacts {
    /// How many probes match.
    fn count(&self, pattern: &ProbePattern) -> usize;

    /// Descriptions that exist and look like this one, best first.
    fn nearest(&self, pattern: &ProbePattern) -> Vec<String>;

    /// The types of `args[]` in the probes that match.
    fn arg_types(&self, pattern: &ProbePattern) -> ArgTypes;
}

/// The types of a probe's `args[]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgTypes {
    /// One type per argument, in the BTF of this module (`"vmlinux"` for the kernel's own).
    Known { module: String, args: Vec<BtfId> },
    /// The probes that match disagree.
    Mixed,
    /// There are none, and why: part of a sentence such as "this kernel has no BTF".
    Unknown(String),
}
