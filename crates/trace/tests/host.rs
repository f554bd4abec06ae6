//! What this machine's own kernel allows: providers against what kallsyms shows, and whole sessions from D text. As root; without
//! it every test says that it was left out.

use lkd_kernel::probes::{Catalog, ProbeDesc};
use lkd_kernel::symbols;
use lkd_trace::facts::{Facts, privileges};
use lkd_trace::provider::Providers;
use std::collections::BTreeSet;

/// Tracing needs privileges; a test that lacks them says so and proves nothing.
fn may_trace() -> bool {
    match privileges() {
        Ok(()) => true,
        Err(e) => {
            eprintln!("left out: {e}");
            false
        }
    }
}

fn catalog(facts: &Facts, desc: &ProbeDesc) -> Catalog {
    let mut catalog = Catalog::new();
    catalog.fill(&Providers::new(facts).rows(), desc);
    catalog
}

#[test]
fn system_calls_are_those_that_kallsyms_shows() {
    let facts = Facts::new();
    let text = std::fs::read("/proc/kallsyms").unwrap();
    let named = |kinds: &[u8]| -> BTreeSet<&str> {
        let of_kind = symbols::lines(&text).filter(|s| kinds.contains(&s.kind));
        of_kind.filter_map(|s| s.name.strip_prefix("__x64_sys_")).collect()
    };
    let (real, stubs) = (named(b"tT"), named(b"wW"));
    let desc = ProbeDesc::new("syscall", "", "", "entry");
    let all = catalog(&facts, &desc);
    let listed: BTreeSet<&str> = all.matches(&desc).map(|p| p.function).collect();
    let known: BTreeSet<&str> = lkd_kernel::syscalls::x86_64::all().iter().map(|c| c.name).collect();
    let wanted: BTreeSet<&str> = known.intersection(&real).copied().collect();
    assert!(wanted.len() > 250, "kallsyms shows only {} system calls", wanted.len());
    assert_eq!(
        wanted.difference(&listed).collect::<Vec<_>>(),
        [""; 0].iter().collect::<Vec<_>>(),
        "not listed"
    );
    // the kernel's types do not tell a stub from a call
    let more: Vec<&&str> = listed.difference(&wanted).filter(|name| !stubs.contains(**name)).collect();
    assert!(more.is_empty(), "listed, but not in this kernel: {more:?}");
}

#[test]
fn a_provider_without_probes_says_why() {
    let facts = Facts::new();
    let providers = Providers::new(&facts);
    let reasons = providers.reasons();
    for absent in &reasons {
        assert!(!absent.reason.is_empty() && !absent.remedy.is_empty(), "{absent:?}");
        let desc = ProbeDesc::new(&absent.provider, "", "", "");
        assert_eq!(catalog(&facts, &desc).count(&desc), 0, "{}", absent.provider);
    }
    for name in ["dtrace", "syscall", "profile"] {
        assert!(reasons.iter().all(|a| a.provider != name), "{name} needs nothing that a kernel could lack");
    }
}

#[test]
fn tracing_needs_privileges_and_says_which() {
    // both outcomes are real: CI runs as root and as a user
    if let Err(e) = privileges() {
        assert!(e.to_string().contains("CAP_") || e.lockdown);
    } else {
        assert!(may_trace());
    }
}
