//! The ways in which this kernel lets programs be attached to its functions, and which one a function takes.

use crate::sys::{self, PerfType, ProgShape};
use lkd_kernel::btf::Btf;
use lkd_kernel::probes::Via;
use std::os::fd::AsFd;

/// How this kernel lets us attach to its functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    pub fentry: bool,
    pub kprobe_multi: bool,
    /// The perf event source for single kprobes.
    pub kprobe: Option<PerfType>,
    /// So many functions are wanted that loading a program for each would take long: prefer `kprobe.multi`.
    pub many: bool,
}

impl Ways {
    /// Asks the kernel, by loading programs of two instructions.
    pub fn ask(btf: Option<&Btf>) -> Ways {
        Ways {
            fentry: has_fentry(btf),
            kprobe_multi: has_kprobe_multi(),
            kprobe: sys::perf_probe_type("kprobe"),
            many: false,
        }
    }

    pub fn any(self) -> bool {
        self.fentry || self.kprobe_multi || self.kprobe.is_some()
    }

    /// How to attach to one function. `typed`: fentry is possible for it as far as its type goes.
    pub fn choose(self, typed: bool, lkd: bool) -> Result<Via, String> {
        let kprobe = self.kprobe_multi || self.kprobe.is_some();
        if typed && self.fentry && !lkd && !(self.many && self.kprobe_multi) {
            Ok(Via::Btf)
        } else if kprobe {
            Ok(Via::Kprobe)
        } else if lkd {
            Err("lkd() in an fbt probe needs kprobes, which this kernel has not (CONFIG_KPROBE_EVENTS)"
                .into())
        } else {
            Err("the function has no type that fentry could use, and this kernel has no kprobes".into())
        }
    }
}

/// `r0 = 0; exit`
const RETURN_0: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];

/// A function that every kernel has, can be traced, and is in BTF.
const WELL_KNOWN: &str = "vfs_read";

fn has_fentry(btf: Option<&Btf>) -> bool {
    let Some(id) = btf.and_then(|btf| btf.find_func(WELL_KNOWN)) else { return false };
    let shape = ProgShape {
        name: "lkd_ask",
        kind: libbpf_sys::BPF_PROG_TYPE_TRACING,
        expected_attach: libbpf_sys::BPF_TRACE_FENTRY,
        attach_btf_id: id.0,
        attach_btf: None,
        insns: &RETURN_0,
    };
    sys::prog_load(&shape, 0).is_ok()
}

/// The kernel looks whether it has fprobes before it looks at what we ask for: no functions at all is EINVAL with them and
/// EOPNOTSUPP without. Since Linux kernel commit 0dcac2725406 ("bpf: Add multi kprobe link") (in v5.18).
fn has_kprobe_multi() -> bool {
    let shape = ProgShape {
        name: "lkd_ask",
        kind: libbpf_sys::BPF_PROG_TYPE_KPROBE,
        expected_attach: libbpf_sys::BPF_TRACE_KPROBE_MULTI,
        attach_btf_id: 0,
        attach_btf: None,
        insns: &RETURN_0,
    };
    let Ok(prog) = sys::prog_load(&shape, 0) else { return false };
    match sys::link_kprobe_multi(prog.as_fd(), &[], &[], false, "no function") {
        Err(e) => e.errno() != libc::EOPNOTSUPP,
        Ok(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lkd_never_goes_by_fentry() {
        let fentry_only = Ways { fentry: true, ..Ways::default() };
        assert_eq!(fentry_only.choose(true, false), Ok(Via::Btf));
        assert!(fentry_only.choose(true, true).unwrap_err().contains("kprobes"));
        assert!(fentry_only.choose(false, false).is_err());
        let all = Ways { kprobe: Some(PerfType(8)), kprobe_multi: true, ..fentry_only };
        assert_eq!(all.choose(true, true), Ok(Via::Kprobe));
        assert_eq!(all.choose(true, false), Ok(Via::Btf));
        assert_eq!(Ways { many: true, ..all }.choose(true, false), Ok(Via::Kprobe));
    }
}
