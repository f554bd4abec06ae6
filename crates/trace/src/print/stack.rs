//! Return addresses as DTrace shows a stack: a line break, then one frame a line.

use crate::facts::Facts;
use std::io::Write as _;

/// Columns before a frame unless `stackindent` says otherwise.
pub const INDENT: u32 = 14;

/// Functions between a probe's place and the BPF program that it runs; they are ours, not the traced kernel's.
const MACHINERY: &[&str] = &[
    "bpf_prog_",
    "bpf_trampoline_",
    "bpf_trace_run",
    "__bpf_trace_",
    "__traceiter_",
    "__bpf_prog_enter",
    "bpf_get_stack",
    "bpf_dispatcher_",
    "bpf_prog_run",
    "__bpf_prog_run",
    "trace_call_bpf",
];
/// The machinery is at most so many frames deep.
const DEPTH: usize = 8;

/// `frames`: 8 bytes each, innermost first.
pub fn print(frames: &[u8], facts: &Facts, indent: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    for pc in outside(frames, facts) {
        let _ = writeln!(out, "{:indent$}{}", "", address(pc, facts));
    }
}

/// `vmlinux`vfs_read+0x12`, or the bare number where no symbol is known.
pub fn address(pc: u64, facts: &Facts) -> String {
    match facts.symbols().ok().and_then(|s| s.by_addr(pc)) {
        Some(at) => at.to_string(),
        None => format!("{pc:#x}"),
    }
}

/// The frames outside the tracing machinery; a stack that is nothing else is shown whole.
fn outside(frames: &[u8], facts: &Facts) -> Vec<u64> {
    let mut pcs: Vec<u64> = frames
        .chunks_exact(8)
        .map(|c| c.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b)))
        .take_while(|pc| *pc != 0)
        .collect();
    let Ok(symbols) = facts.symbols() else { return pcs };
    let ours = |pc: &u64| {
        symbols.by_addr(*pc).is_some_and(|at| MACHINERY.iter().any(|m| at.symbol.name.starts_with(m)))
    };
    let inner = pcs.iter().take(DEPTH).rposition(ours).map_or(0, |last| last + 1);
    if inner < pcs.len() {
        pcs.drain(..inner);
    }
    pcs
}
