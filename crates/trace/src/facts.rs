//! What this machine has: its types, symbols, CPUs and privileges, each read when it is first asked for and then kept.
//!
//! Start-up is fast because most scripts need little of it: `BEGIN { exit(0); }` reads the number of CPUs and nothing else.

use crate::ways::Ways;
use lkd_codegen::{Env, TaskOffsets};
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";
const KALLSYMS: &str = "/proc/kallsyms";

/// A fact that this machine does not tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactError {
    /// In people's words: `the kernel's types`.
    pub what: &'static str,
    pub path: &'static str,
    pub why: String,
    /// What to do about it.
    pub cure: &'static str,
}

impl fmt::Display for FactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read {} ({}): {}; {}", self.what, self.path, self.why, self.cure)
    }
}

impl std::error::Error for FactError {}

/// CPU numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// One more than the highest number that this machine can ever have.
    pub possible: u32,
    /// Ascending.
    pub online: Vec<u32>,
}

/// See the file's head. Cheap to make; share it by reference.
#[derive(Default)]
pub struct Facts {
    btf: OnceLock<Result<Arc<Btf>, FactError>>,
    modules: Mutex<HashMap<String, Option<Arc<Btf>>>>,
    symbols: OnceLock<Result<Symbols, FactError>>,
    cpus: OnceLock<Cpus>,
    tracefs: OnceLock<Option<PathBuf>>,
    ways: OnceLock<Ways>,
}

impl Facts {
    pub fn new() -> Facts {
        Facts::default()
    }

    /// The kernel's own types.
    pub fn btf(&self) -> Result<&Arc<Btf>, FactError> {
        let error = |why: String| FactError {
            what: "the kernel's types",
            path: VMLINUX_BTF,
            why,
            cure: "this needs a kernel with CONFIG_DEBUG_INFO_BTF (and sysfs mounted)",
        };
        let read = || {
            let path = Path::new(VMLINUX_BTF);
            let bytes = crate::sys::read_by_map(path)
                .or_else(|_| fs::read(path))
                .map_err(|e| error(crate::sys::reason(&e)))?;
            Btf::parse(bytes).map(Arc::new).map_err(|e| error(e.to_string()))
        };
        self.btf.get_or_init(read).as_ref().map_err(FactError::clone)
    }

    /// The types of a module (on top of the kernel's own); `None` when it is not loaded or has none.
    pub fn module_btf(&self, module: &str) -> Option<Arc<Btf>> {
        if module == "vmlinux" {
            return self.btf().ok().cloned();
        }
        let mut known = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(btf) = known.get(module) {
            return btf.clone();
        }
        let read = || {
            let base = self.btf().ok()?.clone();
            let bytes = fs::read(Path::new("/sys/kernel/btf").join(module)).ok()?;
            Btf::parse_split(bytes, base).ok().map(Arc::new)
        };
        let btf = read();
        known.insert(module.to_owned(), btf.clone());
        btf
    }

    /// The kernel's symbols with their addresses.
    pub fn symbols(&self) -> Result<&Symbols, FactError> {
        let error = |why: String| FactError {
            what: "the kernel's symbols",
            path: KALLSYMS,
            why,
            cure: "this needs CONFIG_KALLSYMS, root, and the sysctl kernel.kptr_restrict below 2",
        };
        let read = || {
            let text = fs::read(KALLSYMS).map_err(|e| error(crate::sys::reason(&e)))?;
            Symbols::parse(&text).map_err(|e| error(e.to_string()))
        };
        self.symbols.get_or_init(read).as_ref().map_err(FactError::clone)
    }

    pub fn cpus(&self) -> &Cpus {
        self.cpus.get_or_init(|| {
            let list = |name: &str| {
                fs::read_to_string(format!("/sys/devices/system/cpu/{name}"))
                    .map(|t| cpu_list(&t))
                    .unwrap_or_default()
            };
            let online = match list("online") {
                none if none.is_empty() => vec![0],
                some => some,
            };
            let highest = list("possible").into_iter().chain(online.iter().copied()).max().unwrap_or(0);
            Cpus { possible: highest + 1, online }
        })
    }

    /// Where the tracing file system is mounted.
    pub fn tracefs(&self) -> Option<&Path> {
        let find = || {
            let mut places = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"].iter().map(PathBuf::from);
            places.find(|p| p.join("available_events").exists() || p.join("trace").exists())
        };
        self.tracefs.get_or_init(find).as_deref()
    }

    /// Why [`Facts::tracefs`] is `None`, and the cure.
    pub fn no_tracefs(&self) -> (&'static str, &'static str) {
        let known = fs::read_to_string("/proc/filesystems")
            .is_ok_and(|t| t.lines().any(|l| l.trim_end().ends_with("tracefs")));
        if !known {
            ("this kernel has no tracefs", "boot a kernel with CONFIG_FTRACE")
        } else if rustix::process::geteuid().is_root() {
            (
                "tracefs is not mounted, or has no events",
                "mount -t tracefs tracefs /sys/kernel/tracing, or boot a kernel with CONFIG_FTRACE",
            )
        } else {
            ("tracefs is not readable", "run as root")
        }
    }

    /// How programs can be attached to kernel functions here; asked by loading tiny ones.
    pub fn ways(&self) -> Ways {
        *self.ways.get_or_init(|| Ways::ask(self.btf().ok().map(|btf| &**btf)))
    }

    /// Where generated programs find things in `task_struct`; nothing is known without BTF.
    pub fn task_offsets(&self) -> TaskOffsets {
        self.btf().map_or_else(|_| TaskOffsets::default(), |btf| TaskOffsets::from_btf(btf))
    }

    /// The numbers that the code generator needs. `types`: the script looks into tasks ([`crate::bind::needs_task`]).
    pub fn env(&self, types: bool, ring_bytes: u32) -> Env {
        let task = if types { self.task_offsets() } else { TaskOffsets::default() };
        Env { cpus: self.cpus().possible, ring_bytes, task, ..Env::default() }
    }
}

/// `0-3,8` as numbers; what is no number is passed over.
fn cpu_list(text: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        Some(from.trim().parse::<u32>().ok()?..=to.trim().parse::<u32>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// What is missing to trace at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Names of capabilities; empty when something else is the reason.
    pub missing: Vec<&'static str>,
    /// The capabilities are there, but of a user namespace only.
    pub user_namespace: bool,
    pub lockdown: bool,
}

impl fmt::Display for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.missing.is_empty() {
            let s = if self.missing.len() == 1 { "y" } else { "ies" };
            return write!(
                f,
                "DTrace requires additional privileges: capabilit{s} {} missing (run as root)",
                self.missing.join(", ")
            );
        }
        if self.user_namespace {
            return f.write_str(
                "DTrace requires additional privileges: this is a user namespace, whose root may not trace the kernel \
                 (run as root outside it)",
            );
        }
        f.write_str(
            "kernel lockdown is in mode \"confidentiality\", which forbids programs to read kernel memory \
             (boot without lockdown=confidentiality; Secure Boot alone sets \"integrity\", which is enough)",
        )
    }
}

impl std::error::Error for Privileges {}

/// May this process trace? Asked before anything is loaded, so that the answer names what is missing.
pub fn privileges() -> Result<(), Privileges> {
    let effective = rustix::thread::capabilities(None).map_or(0, |all| all.effective.bits());
    // where it cannot be read nothing is known; the kernel then says no by itself
    let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/user").unwrap_or_default();
    judge(effective, is_user_namespace(&namespace.to_string_lossy()), lockdown.contains("[confidentiality]"))
}

const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

fn judge(capabilities: u64, user_namespace: bool, lockdown: bool) -> Result<(), Privileges> {
    let has = |bit: u32| capabilities >> bit & 1 == 1;
    // CAP_SYS_ADMIN includes the two; CAP_BPF + CAP_PERFMON alone cannot use BTF ids or probe user memory writes (raise)
    let missing: Vec<&'static str> = if has(CAP_SYS_ADMIN) {
        Vec::new()
    } else {
        let wanted = [(CAP_BPF, "CAP_BPF"), (CAP_PERFMON, "CAP_PERFMON"), (CAP_SYS_ADMIN, "CAP_SYS_ADMIN")];
        wanted.iter().filter(|(bit, _)| !has(*bit)).map(|(_, name)| *name).collect()
    };
    if missing.is_empty() && !user_namespace && !lockdown {
        Ok(())
    } else {
        Err(Privileges { missing, user_namespace, lockdown })
    }
}

/// The number of the namespace that the machine starts with is part of the kernel's interface (`PROC_USER_INIT_INO`).
fn is_user_namespace(link: &str) -> bool {
    link.starts_with("user:[") && link != "user:[4026531837]"
}

/// Is `path` there? An error that is not "no such file" counts as yes: then reading it will tell the reason.
pub(crate) fn exists(path: &Path) -> bool {
    !matches!(fs::metadata(path), Err(e) if e.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        let table: &[(&str, &[u32])] =
            &[("0\n", &[0]), ("0-3\n", &[0, 1, 2, 3]), ("0,2-3,7", &[0, 2, 3, 7]), ("", &[]), ("x,1", &[1])];
        for (text, want) in table {
            assert_eq!(cpu_list(text), *want, "{text:?}");
        }
    }

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(judge(u64::MAX, false, false), Ok(()));
        assert_eq!(judge(1 << CAP_SYS_ADMIN, false, false), Ok(()));
        let none = judge(0, false, false).unwrap_err();
        assert_eq!(none.missing, ["CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN"]);
        assert!(none.to_string().contains("CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN missing"));
        assert!(judge(u64::MAX, false, true).unwrap_err().to_string().contains("lockdown"));
        assert!(judge(u64::MAX, true, false).unwrap_err().to_string().contains("user namespace"));
    }

    #[test]
    fn the_first_user_namespace_has_a_fixed_number() {
        let table = [("user:[4026531837]", false), ("user:[4026532222]", true), ("", false)];
        for (link, want) in table {
            assert_eq!(is_user_namespace(link), want, "{link}");
        }
    }
}
