//! The providers, one row each. A provider answers three questions: what probes are there, what kind of place is one of them
//! (where its arguments lie follows from that), and how is a program attached to it.
//!
//! The first is [`lkd_kernel::probes::Provider::provide`] in the provider's own file, the second [`Site`] in the catalogue and
//! [`place`] here, the third is [`crate::attach`], which goes by the kind of program.

pub mod dtrace;
pub mod fbt;
pub mod profile;
pub mod rawtp;
pub mod sdt;
pub mod syscall;

use crate::facts::Facts;
use lkd_codegen::Place;
use lkd_kernel::glob::Glob;
use lkd_kernel::probes::{Absence, Catalog, Probe, ProbeDesc, Provider, Site, Via};

/// All providers of this build, over one machine's facts.
pub struct Providers<'f> {
    dtrace: dtrace::Dtrace,
    syscall: syscall::Syscalls<'f>,
    profile: profile::Profile,
    rawtp: rawtp::RawTracepoints<'f>,
    sdt: sdt::Sdt<'f>,
    fbt: fbt::Fbt<'f>,
}

impl<'f> Providers<'f> {
    pub fn new(facts: &'f Facts) -> Providers<'f> {
        Providers {
            dtrace: dtrace::Dtrace,
            syscall: syscall::Syscalls::new(facts),
            profile: profile::Profile,
            rawtp: rawtp::RawTracepoints::new(facts),
            sdt: sdt::Sdt::new(facts),
            fbt: fbt::Fbt::new(facts),
        }
    }

    /// For [`Catalog::fill`].
    pub fn rows(&self) -> Vec<&dyn Provider> {
        vec![&self.dtrace, &self.syscall, &self.profile, &self.rawtp, &self.sdt, &self.fbt]
    }

    /// Every provider that this kernel cannot serve, why, and what would help.
    pub fn reasons(&self) -> Vec<Absence> {
        let mut catalog = Catalog::new();
        catalog.fill(&self.rows(), &ProbeDesc::default())
    }
}

/// Is it time for a provider to list all its probes? That costs a reading of the kernel's types or lists, so not twice, and not
/// for names that only others have: `BEGIN` and `tick-1s` alone are the most common probes of all.
fn is_time(provider: &str, desc: &ProbeDesc, catalog: &Catalog) -> bool {
    let others = |name: &str| dtrace::NAMES.contains(&name) || profile::period(name).is_some();
    let name = Glob::new(&desc.name);
    let possible = desc.id.is_some() || desc.provider == provider || !name.literal().is_some_and(others);
    let all = ProbeDesc::new(provider, "", "", "");
    possible && catalog.matches(&all).next().is_none()
}

/// The kind of program that serves a probe, and so how its arguments are reached. `lkd`: one of its clauses may call lkd(), whose
/// tail call only some kinds of program can make.
pub fn place(probe: &Probe<'_>, lkd: bool, fbt: fbt::Ways) -> Result<Place, String> {
    Ok(match probe.site {
        Site::Begin => Place::Begin,
        Site::End => Place::End,
        Site::Error => Place::Error,
        Site::SyscallEntry { nr, .. } => Place::SysEnter { nr },
        Site::SyscallReturn { nr } => Place::SysExit { nr },
        Site::RawTp { nargs, .. } => Place::RawTp { nargs },
        Site::Profile { .. } => Place::PerfEvent,
        Site::Tick { .. } => Place::User,
        Site::FbtEntry { func, nargs } => match fbt.choose(func.is_some(), lkd)? {
            Via::Btf => Place::Fentry { nargs },
            Via::Kprobe => Place::Kprobe,
        },
        Site::FbtReturn { func, nargs } => match fbt.choose(func.is_some(), lkd)? {
            Via::Btf => Place::Fexit { nargs },
            Via::Kprobe => Place::Kretprobe,
        },
    })
}
