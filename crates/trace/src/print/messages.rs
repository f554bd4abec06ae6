//! What is said beside the data: faults in probes and whatever was lost.

use lkd_codegen::record::ErrorRecord;
use lkd_kernel::probes::{Catalog, ProbeId};

/// DTrace's words for its fault codes.
fn fault_words(code: u32) -> &'static str {
    match code {
        1 => "invalid address",
        2 => "invalid alignment",
        3 => "illegal operation",
        4 => "divide-by-zero",
        5 => "out of scratch space",
        6 => "invalid kernel access",
        7 => "invalid user access",
        8 => "tuple stack overflow",
        9 => "bad stack",
        _ => "unknown fault",
    }
}

pub(super) fn error_line(e: &ErrorRecord, catalog: &Catalog) -> String {
    let probe = match catalog.probe(ProbeId(e.probe)) {
        Some(p) => format!("{}:{}:{}:{}", p.provider, p.module, p.function, p.name),
        None => "a probe that is gone".into(),
    };
    let value = if matches!(e.fault, 1 | 2 | 9) { format!(" ({:#x})", e.value) } else { String::new() };
    let place = if e.action == 0 { "predicate".into() } else { format!("action #{}", e.action) };
    format!(
        "error on enabled probe ID {} (ID {}: {probe}): {}{value} in {place} at BPF offset {}",
        e.epid,
        e.probe,
        fault_words(e.fault),
        e.insn
    )
}

/// Something was lost since the last report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drops {
    pub kind: DropKind,
    /// `None` where the kernel does not say on which CPU.
    pub cpu: Option<u32>,
    pub count: u64,
    /// Of this kind and CPU since the start.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropKind {
    /// Records for which the buffer had no room.
    Principal,
    /// Reports of faults for which the buffer had no room.
    Errors,
    /// Assignments to thread-local variables and associative arrays without room.
    Dynamic,
    /// Firings that found no scratch memory.
    Scratch,
    /// Firings that the kernel skipped because the program was already running on that CPU.
    Recursion,
    /// lkd() with computed flags that name no kind of dump.
    LkdBadFlags,
    /// lkd() that found no capture engine.
    LkdUnarmed,
}

impl DropKind {
    /// DTrace's tag where it has one (`-x droptags`).
    fn tag(self) -> &'static str {
        match self {
            DropKind::Principal => "DRP_PRINCIPAL",
            DropKind::Errors => "DRP_DBLERROR",
            DropKind::Dynamic => "DRP_DYNAMIC",
            DropKind::Scratch => "DRP_SCRATCH",
            DropKind::Recursion => "DRP_RECURSION",
            DropKind::LkdBadFlags => "DRP_LKDFLAGS",
            DropKind::LkdUnarmed => "DRP_LKDUNARMED",
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            DropKind::Principal => ("drop", ""),
            DropKind::Errors => ("error drop", " (a fault was not reported)"),
            DropKind::Dynamic => ("dynamic variable drop", " (raise it with -x dynvarsize=)"),
            DropKind::Scratch => ("scratch drop", " (a firing found no scratch memory)"),
            DropKind::Recursion => ("recursion drop", " (the probe fired inside its own program)"),
            DropKind::LkdBadFlags => ("live dump refused", " (lkd() takes 0, 1, 2, 4 or 5)"),
            DropKind::LkdUnarmed => ("live dump lost", " (the capture engine was not armed)"),
        }
    }
}

impl Drops {
    /// `2 drops on CPU 1`, `3 dynamic variable drops …`
    pub fn line(&self, droptags: bool) -> String {
        let tag = if droptags { format!("[{}] ", self.kind.tag()) } else { String::new() };
        let (word, more) = self.kind.words();
        let plural = if self.count > 1 && word.ends_with("drop") { "s" } else { "" };
        let cpu = self.cpu.map(|c| format!(" on CPU {c}")).unwrap_or_default();
        format!("{tag}{} {word}{plural}{cpu}{more}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_as_dtrace_words_them() {
        let drops = |kind, cpu, count| Drops { kind, cpu, count, total: count };
        assert_eq!(drops(DropKind::Principal, Some(1), 2).line(false), "2 drops on CPU 1");
        assert_eq!(drops(DropKind::Principal, Some(0), 1).line(true), "[DRP_PRINCIPAL] 1 drop on CPU 0");
        assert!(drops(DropKind::Dynamic, None, 3).line(false).starts_with("3 dynamic variable drops ("));
    }
}
