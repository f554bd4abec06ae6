//! Kernel stacks: one frame a line, as ``module`symbol+0x12``, without the frames of the tracing itself.

use crate::facts::Facts;
use lkd_kernel::symbols::Symbols;

/// DTrace's `stackindent`.
pub const INDENT: u32 = 14;

/// A newline, and then at most `frames` lines. `pcs`: 8 bytes each, innermost first.
pub fn print(pcs: &[u8], frames: u32, indent: u32, facts: &Facts, out: &mut Vec<u8>) {
    out.push(b'\n');
    let pcs = pcs.chunks_exact(8).map(|b| b.iter().rev().fold(0u64, |v, &c| v << 8 | u64::from(c)));
    let symbols = facts.symbols().ok();
    let ours = |pc: &u64| {
        symbols.and_then(|s| s.by_addr(*pc)).is_some_and(|at| is_tracing(at.symbol.module, at.symbol.name))
    };
    for (n, pc) in pcs.take_while(|&pc| pc != 0).skip_while(ours).take(frames as usize).enumerate() {
        out.extend(std::iter::repeat_n(b' ', indent as usize));
        let text = symbols.filter(|_| n > 0).and_then(|s| return_address(pc, s));
        out.extend_from_slice(text.unwrap_or_else(|| name(pc, facts)).as_bytes());
        out.push(b'\n');
    }
}

/// A caller is where its call stands, not where it would go on: behind a call that never returns the next function begins.
fn return_address(pc: u64, symbols: &Symbols) -> Option<String> {
    let mut at = symbols.by_addr(pc.checked_sub(1)?)?;
    at.offset += 1;
    Some(at.to_string())
}

/// The address in words, or as a number when nothing is known of it.
pub fn name(pc: u64, facts: &Facts) -> String {
    match facts.symbols().ok().and_then(|s| s.by_addr(pc)) {
        Some(at) => at.to_string(),
        None => format!("{pc:#x}"),
    }
}

/// Between the probed place and the program's call for the stack lie the program and what called it.
fn is_tracing(module: &str, name: &str) -> bool {
    const PREFIXES: [&str; 11] = [
        "bpf_prog_",
        "bpf_trampoline_",
        "bpf_trace_run",
        "__bpf_trace_",
        "__traceiter_",
        "__bpf_prog_",
        "bpf_get_stack",
        "____bpf_get_stack",
        "trace_call_bpf",
        "bpf_overflow_handler",
        "kprobe_multi_link_",
    ];
    const NAMES: [&str; 12] = [
        "kprobe_perf_func",
        "kprobe_dispatcher",
        "kretprobe_perf_func",
        "kretprobe_dispatcher",
        "kprobe_ftrace_handler",
        "fprobe_handler",
        "ftrace_trampoline",
        "aggr_pre_handler",
        "opt_pre_handler",
        "bpf_dispatcher_nop_func",
        "__raw_tp_prog_test_run",
        "bpf_stackid_get",
    ];
    module == "bpf"
        || module.starts_with("__builtin__")
        || PREFIXES.iter().any(|p| name.starts_with(p))
        || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_the_program_is_not_part_of_the_stack() {
        for (module, name, ours) in [
            ("bpf", "bpf_prog_0123456789abcdef_sys_exit", true),
            ("vmlinux", "bpf_trace_run2", true),
            ("vmlinux", "__traceiter_sys_exit", true),
            ("vmlinux", "syscall_exit_work", false),
            ("vmlinux", "do_syscall_64", false),
            ("vmlinux", "bpf_map_update_value", false),
        ] {
            assert_eq!(is_tracing(module, name), ours, "{name}");
        }
    }

    #[test]
    fn a_caller_is_the_function_of_the_call() {
        let text = b"ffffffff81000000 T start_kernel\nffffffff81000040 T clear_bss\n";
        let symbols = Symbols::parse(text).unwrap();
        let caller = |pc| return_address(pc, &symbols).unwrap();
        assert_eq!(caller(0xffff_ffff_8100_0040), "vmlinux`start_kernel+0x40", "behind a call of panic()");
        assert_eq!(caller(0xffff_ffff_8100_0044), "vmlinux`clear_bss+0x4");
    }

    #[test]
    fn a_stack_ends_at_the_first_zero() {
        let pcs: Vec<u8> = [0x10u64, 0x20, 0, 0x30].iter().flat_map(|p| p.to_le_bytes()).collect();
        let mut out = Vec::new();
        print(&pcs, 20, INDENT, &Facts::new(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "\n              0x10\n              0x20\n");
    }
}
