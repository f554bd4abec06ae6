//! What live dumps need of this machine: what is there, what is not, and how to get it.

use std::fs;
use std::path::Path;

use crate::error::Error;
use crate::sys::has_helper;

/// One prerequisite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What is needed.
    pub what: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// Without it there is no dump; else it is only of use.
    pub required: bool,
    /// What was found.
    pub found: String,
    /// How to get it.
    pub cure: String,
}

const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;
const CAP_SYS_ADMIN: u32 = 21;
const RAW_TRACEPOINT: u32 = 17;

/// All prerequisites, the required ones first, each named with what it needs before it.
pub fn check() -> Vec<Reason> {
    let mut reasons = required();
    reasons.extend(useful());
    reasons
}

/// The first required thing that is missing, as an error.
pub fn require() -> Result<(), Error> {
    match required().into_iter().find(|reason| !reason.ok) {
        Some(missing) => Err(Error::refused(
            format!("no live dump without {}: {}", missing.what, missing.found),
            missing.cure,
        )),
        None => Ok(()),
    }
}

fn required() -> Vec<Reason> {
    let capabilities = capabilities();
    let has = |capability: u32| capabilities.is_none_or(|set| set >> capability & 1 == 1);
    let mut reasons = vec![Reason {
        what: "an x86-64 kernel",
        ok: cfg!(target_arch = "x86_64"),
        required: true,
        found: std::env::consts::ARCH.into(),
        cure: "other architectures are not built yet".into(),
    }];
    for (what, capability) in [
        ("CAP_SYS_ADMIN", CAP_SYS_ADMIN),
        // CAP_SYS_ADMIN stands for these two as well.
        ("CAP_BPF", CAP_BPF),
        ("CAP_PERFMON", CAP_PERFMON),
    ] {
        let ok = has(capability) || (capability != CAP_SYS_ADMIN && has(CAP_SYS_ADMIN));
        reasons.push(Reason {
            what,
            ok,
            required: true,
            found: if ok { "held" } else { "not held" }.into(),
            cure: "run as root (sudo)".into(),
        });
    }
    let lockdown = lockdown();
    // what counts is whether programs may read, not what a file says; in confidentiality the kernel hides the helper
    reasons.push(Reason {
        what: "kernel lockdown below confidentiality",
        ok: lockdown != "confidentiality" && has_helper(RAW_TRACEPOINT, PROBE_READ_KERNEL),
        required: true,
        found: lockdown,
        cure:
            "boot without lockdown=confidentiality; it forbids BPF to read kernel memory, integrity does not"
                .into(),
    });
    let btf = Path::new("/sys/kernel/btf/vmlinux").exists();
    reasons.push(Reason {
        what: "the kernel's types (BTF)",
        ok: btf,
        required: true,
        found: if btf { "/sys/kernel/btf/vmlinux" } else { "no /sys/kernel/btf/vmlinux" }.into(),
        cure: "boot a kernel built with CONFIG_DEBUG_INFO_BTF, as distributions' are; in a container, mount /sys".into(),
    });
    for (what, helper, since) in [("BPF loops (bpf_loop)", 181, "5.17"), ("bpf_task_pt_regs", 175, "5.15")] {
        let ok = has_helper(RAW_TRACEPOINT, helper);
        reasons.push(Reason {
            what,
            ok,
            required: true,
            found: if ok { "there" } else { "the kernel refuses a program that calls it" }.into(),
            cure: format!("boot Linux {since} or later, with CONFIG_BPF_EVENTS; or see the privileges above"),
        });
    }
    let readable = |path: &str| fs::read_to_string(path).map_err(|error| error.to_string());
    let vmcoreinfo = readable("/sys/kernel/vmcoreinfo");
    reasons.push(Reason {
        what: "the kernel's own description for dump readers (VMCOREINFO)",
        ok: vmcoreinfo.is_ok(),
        required: true,
        found: vmcoreinfo.map_or_else(
            |error| format!("/sys/kernel/vmcoreinfo: {error}"),
            |_| "/sys/kernel/vmcoreinfo".into(),
        ),
        cure: "boot a kernel built with CONFIG_VMCORE_INFO (CONFIG_CRASH_CORE until 6.8)".into(),
    });
    let memory = crate::live::read_ram();
    reasons.push(Reason {
        what: "the map of memory",
        ok: memory.is_ok(),
        required: true,
        found: memory.map_or_else(
            |error| error.to_string(),
            |ram| format!("/proc/iomem, {} MB in {} ranges", ram.pages.count() >> 8, ram.pages.run_count()),
        ),
        cure: "run as root in the machine's own namespaces".into(),
    });
    reasons
}

fn useful() -> Vec<Reason> {
    let all_symbols = fs::read("/proc/kallsyms").is_ok_and(|text| {
        lkd_kernel::symbols::lines(&text).any(|symbol| symbol.name == "page_offset_base" && symbol.addr != 0)
    });
    let page_flags = Path::new("/proc/kpageflags").exists();
    vec![
        Reason {
            what: "the kernel's variables by name (KALLSYMS_ALL)",
            ok: all_symbols,
            required: false,
            found: if all_symbols {
                "there: what is found by experiment is checked against them"
            } else {
                "not there: bases are found by experiment alone"
            }
            .into(),
            cure: "boot a kernel built with CONFIG_KALLSYMS_ALL; without it rbp at a tracepoint is not known, which unwinding may need".into(),
        },
        Reason {
            what: "the kernel's own page classes (/proc/kpageflags)",
            ok: page_flags,
            required: false,
            found: if page_flags { "there" } else { "not there" }.into(),
            cure: "CONFIG_PROC_PAGE_MONITOR; only `lkd selftest classes` asks for it".into(),
        },
        Reason {
            what: "the registers of CPUs that are stopped",
            ok: !enters_by_fred(),
            required: false,
            found: if enters_by_fred() {
                "this processor enters the kernel by FRED, where they are not found: only the triggering task's are known"
            } else {
                "there: each interrupt's entry leaves them on the stack"
            }
            .into(),
            cure: "boot with fred=off".into(),
        },
    ]
}

/// Whether interrupts come by FRED and not through the IDT: their entry code lies elsewhere, and leaves the registers otherwise.
pub fn enters_by_fred() -> bool {
    processor_has("fred")
}

/// Whether the processor's flags in `/proc/cpuinfo` name one.
pub(crate) fn processor_has(feature: &str) -> bool {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = cpu.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    flags.split_whitespace().any(|flag| flag == feature)
}

/// The effective capabilities, if told.
fn capabilities() -> Option<u64> {
    Some(rustix::thread::capabilities(None).ok()?.effective.bits())
}

/// `BPF_FUNC_probe_read_kernel`
const PROBE_READ_KERNEL: u32 = 113;

/// The lockdown level in force, as far as the kernel tells.
fn lockdown() -> String {
    match fs::read_to_string("/sys/kernel/security/lockdown") {
        Ok(text) => {
            let level = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
            level.map_or("none", |(level, _)| level).to_owned()
        }
        Err(_) => "its level cannot be read (mount -t securityfs securityfs /sys/kernel/security)".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_says_what_to_do() {
        for reason in check() {
            assert!(
                !reason.what.is_empty() && !reason.found.is_empty() && !reason.cure.is_empty(),
                "{reason:?}"
            );
        }
    }
}
