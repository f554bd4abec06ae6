//! The rows of `dtrace -l`, in DTrace's columns.

use lkd_kernel::probes::Probe;
use std::io::Write as _;

pub fn header(out: &mut Vec<u8>) {
    row_of("ID", "PROVIDER", "MODULE", "FUNCTION", "NAME", out);
}

pub fn row(probe: &Probe<'_>, out: &mut Vec<u8>) {
    let mut digits = [0u8; 10];
    let id = crate::print::number::decimal(u64::from(probe.id.0), &mut digits);
    row_of(id, probe.provider, probe.module, probe.function, probe.name, out);
}

fn row_of(id: &str, provider: &str, module: &str, function: &str, name: &str, out: &mut Vec<u8>) {
    // writing to a Vec cannot fail
    let _ = writeln!(out, "{id:>5} {provider:>10} {module:>17} {function:>33} {name}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use lkd_kernel::probes::{ProbeId, Site};

    #[test]
    fn columns() {
        let mut out = Vec::new();
        header(&mut out);
        let p = Probe {
            id: ProbeId(203),
            provider: "syscall",
            module: "vmlinux",
            function: "lseek",
            name: "return",
            site: Site::SyscallReturn { nr: 8 },
        };
        row(&p, &mut out);
        let want = "   ID   PROVIDER            MODULE                          FUNCTION NAME\n\
                    \x20 203    syscall           vmlinux                             lseek return\n";
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
