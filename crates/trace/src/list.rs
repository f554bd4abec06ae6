//! The rows of `dtrace -l`, in DTrace's columns.

use crate::print::number::{digits, pad_left};
use lkd_kernel::probes::Probe;

pub use crate::args::describe as arguments;

/// `   ID   PROVIDER            MODULE                          FUNCTION NAME`
pub fn header(out: &mut Vec<u8>) {
    row_of(b"ID", ["PROVIDER", "MODULE", "FUNCTION"], "NAME", out);
}

/// One probe's row.
pub fn row(probe: &Probe<'_>, out: &mut Vec<u8>) {
    let mut room = [0u8; 10];
    let id = digits(u64::from(probe.id.0), 10, false, &mut room);
    row_of(id, [probe.provider, probe.module, probe.function], probe.name, out);
}

/// 60,000 rows are a common case, and the standard library's formatting costs more than the rest of the listing.
fn row_of(id: &[u8], names: [&str; 3], name: &str, out: &mut Vec<u8>) {
    pad_left(id, 5, b' ', out);
    for (text, width) in names.into_iter().zip([10, 17, 33]) {
        out.push(b' ');
        pad_left(text.as_bytes(), width, b' ', out);
    }
    out.push(b' ');
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
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
