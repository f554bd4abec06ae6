//! `dtrace -l`: DTrace's columns.

use lkd_kernel::probes::Probe;
use std::io::Write as _;

/// `   ID   PROVIDER            MODULE                          FUNCTION NAME`
pub fn header(out: &mut Vec<u8>) {
    let _ = writeln!(out, "{:>5} {:>10} {:>17} {:>33} NAME", "ID", "PROVIDER", "MODULE", "FUNCTION");
}

/// One probe's row.
pub fn row(probe: &Probe<'_>, out: &mut Vec<u8>) {
    // 60,000 rows are a common case, and the formatting machinery costs more than the rest of the listing
    pad(probe.id.0.to_string().as_bytes(), 5, out);
    for (text, width) in [(probe.provider, 10), (probe.module, 17), (probe.function, 33)] {
        out.push(b' ');
        pad(text.as_bytes(), width, out);
    }
    out.push(b' ');
    out.extend_from_slice(probe.name.as_bytes());
    out.push(b'\n');
}

fn pad(text: &[u8], width: usize, out: &mut Vec<u8>) {
    out.resize(out.len() + width.saturating_sub(text.len()), b' ');
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use lkd_kernel::probes::{ProbeId, Site};

    #[test]
    fn columns() {
        let mut out = Vec::new();
        header(&mut out);
        let probe = Probe {
            id: ProbeId(203),
            provider: "syscall",
            module: "vmlinux",
            function: "lseek",
            name: "return",
            site: Site::SyscallReturn { nr: 8 },
        };
        row(&probe, &mut out);
        let want = "   ID   PROVIDER            MODULE                          FUNCTION NAME\n  203    syscall           vmlinux                             lseek return\n";
        assert_eq!(String::from_utf8(out).expect("ASCII"), want);
    }
}
