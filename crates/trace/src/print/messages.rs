//! Errors and drops in DTrace's words; the caller puts `dtrace: ` in front.

use super::Printer;
use crate::event::{DropKind, Drops};
use lkd_codegen::record::{ErrorRecord, Fault};
use lkd_kernel::probes::ProbeId;

/// DTrace's words for its fault codes.
fn fault(code: u32) -> &'static str {
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

impl Printer<'_> {
    /// `error on enabled probe ID 3 (ID 203: syscall:vmlinux:lseek:return): invalid address (0x0) in action #2 at BPF pc 51`
    pub fn error(&self, e: &ErrorRecord) -> String {
        let name = self.catalog.probe(ProbeId(e.probe)).map_or_else(|| ":::".to_owned(), |p| p.to_string());
        let with_address = [Fault::BadAddr as u32, 2, Fault::BadStack as u32].contains(&e.fault);
        let details = if with_address { format!(" ({:#x})", e.value) } else { String::new() };
        let place = if e.action == 0 { "predicate".to_owned() } else { format!("action #{}", e.action) };
        format!(
            "error on enabled probe ID {} (ID {}: {name}): {}{details} in {place} at BPF pc {}",
            e.epid,
            e.probe,
            fault(e.fault),
            e.insn
        )
    }
}

impl Drops {
    /// `12 drops on CPU 1`; with `-x droptags` its tag goes first: `[DTRACEDROP_PRINCIPAL] 12 drops on CPU 1`.
    pub fn line(&self, droptags: bool) -> String {
        let s = if self.count == 1 { "" } else { "s" };
        let (tag, what, tail) = match self.kind {
            DropKind::Principal => ("DTRACEDROP_PRINCIPAL", "drop", ""),
            DropKind::Errors => ("DTRACEDROP_ERROR", "error drop", ""),
            DropKind::Dynamic => ("DTRACEDROP_DYNAMIC", "dynamic variable drop", ""),
            DropKind::Scratch => ("DTRACEDROP_SCRATCH", "drop", " for want of scratch space"),
            DropKind::Recursion => ("DTRACEDROP_RECURSION", "drop", " of firings inside another firing"),
            DropKind::LkdBadFlags => {
                ("DTRACEDROP_LKDFLAGS", "lkd() call", " refused: its argument is none of 0, 1, 2, 4 and 5")
            }
            DropKind::LkdUnarmed => ("DTRACEDROP_LKDUNARMED", "lkd() call", " lost: no capture engine"),
            DropKind::LkdAgain => {
                ("DTRACEDROP_LKDAGAIN", "lkd() call", " dropped: another one came before in the same firing")
            }
        };
        let tag = if droptags { format!("[{tag}] ") } else { String::new() };
        let cpu = self.cpu.map_or_else(String::new, |cpu| format!(" on CPU {cpu}"));
        format!("{tag}{} {what}{s}{tail}{cpu}", self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_worded_as_dtrace_words_them() {
        let drops = |kind, cpu, count| Drops { kind, cpu, count, total: count };
        assert_eq!(drops(DropKind::Principal, Some(1), 1).line(false), "1 drop on CPU 1");
        assert_eq!(
            drops(DropKind::Principal, Some(0), 12).line(true),
            "[DTRACEDROP_PRINCIPAL] 12 drops on CPU 0"
        );
        assert_eq!(drops(DropKind::Dynamic, None, 3).line(false), "3 dynamic variable drops");
    }
}
