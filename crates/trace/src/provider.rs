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
use lkd_kernel::probes::{Absence, Catalog, Probe, ProbeDesc, Provider, Site, Via, is_near};

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

    /// Asks for a description's probes ([`Catalog::fill`]). Of a provider that nobody has, those of a like name are asked, so
    /// that [`Catalog::nearest`] finds what was perhaps meant.
    pub fn fill(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Vec<Absence> {
        let rows = self.rows();
        let mut absences = catalog.fill(&rows, desc);
        if desc.id.is_none() && self.is_unknown(&desc.provider) {
            match unbuilt(&desc.provider) {
                Some(absence) => absences.push(absence),
                None => {
                    for row in rows.iter().filter(|row| is_near(&desc.provider, row.name())) {
                        catalog.fill(&rows, &ProbeDesc::new(row.name(), "", "", ""));
                    }
                }
            }
        }
        absences
    }

    /// Does a description's provider field mean none of them?
    pub fn is_unknown(&self, provider: &str) -> bool {
        let glob = Glob::new(provider);
        !self.rows().iter().any(|row| glob.matches(row.name()))
    }

    /// What can be said of a provider's name that is none: the names that there are.
    pub fn names(&self) -> String {
        self.rows().iter().map(|row| row.name()).collect::<Vec<_>>().join(", ")
    }

    /// Every provider that this kernel cannot serve, why, and what would help.
    pub fn reasons(&self) -> Vec<Absence> {
        let mut catalog = Catalog::new();
        catalog.fill(&self.rows(), &ProbeDesc::default())
    }
}

/// Providers that DTrace has and this version has not, and where else to look for what they tell.
const UNBUILT: &[(&str, &str)] = &[
    ("cpc", "profile-N samples by time"),
    ("fpuinfo", ""),
    ("io", "rawtp:::block_rq_issue and rawtp:::block_rq_complete are near"),
    ("ip", "rawtp:::net_dev_queue and rawtp:::netif_receive_skb are near"),
    ("lockstat", "rawtp:::contention_begin and rawtp:::contention_end are near"),
    ("mib", ""),
    ("nfsv3", ""),
    ("nfsv4", ""),
    ("plockstat", "syscall::futex:entry shows who waits"),
    (
        "proc",
        "rawtp:::sched_process_fork, sched_process_exec, sched_process_exit and signal_deliver are near",
    ),
    ("sched", "rawtp:::sched_switch, sched_wakeup and their kin are near (sdt:sched:: lists them)"),
    ("sysinfo", ""),
    ("tcp", "rawtp:::inet_sock_set_state and rawtp:::tcp_probe are near"),
    ("udp", "rawtp:::udp_fail_queue_rcv_skb is near"),
    ("udplite", ""),
    ("usdt", ""),
    ("vminfo", "rawtp:::mm_page_alloc and rawtp:::page_fault_user are near"),
];

/// Why a provider of DTrace's that is not built here has nothing, by the name that a description gives.
pub fn unbuilt(name: &str) -> Option<Absence> {
    let pid = name.strip_prefix("pid").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let near = if pid { "" } else { UNBUILT.iter().find(|(own, _)| *own == name)?.1 };
    let of_users = if pid || name == "usdt" { " (probes in user processes)" } else { "" };
    let reason = format!("provider {name}{of_users} is not built in this version of lkd");
    Some(dtrace::absent(name, reason, near))
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
pub fn place(probe: &Probe<'_>, lkd: bool, fbt: crate::ways::Ways) -> Result<Place, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_is_told_from_what_is_misspelt() {
        for name in ["pid", "pid123", "proc", "io", "usdt"] {
            assert!(unbuilt(name).is_some_and(|a| a.reason.contains("not built")), "{name}");
        }
        for name in ["pids", "prok", "", "*", "syscall"] {
            assert_eq!(unbuilt(name), None, "{name}");
        }
        let facts = Facts::new();
        let providers = Providers::new(&facts);
        assert!(UNBUILT.iter().all(|(name, _)| providers.is_unknown(name)), "built, and said not to be");
    }
}
