//! sdt: the kernel's tracepoints by subsystem, as tracefs lists them. They are attached raw, so `arg0`… and `args[]` are those of
//! the tracepoint of the same name (`rawtp`), not the fields of the record that the kernel would make of them.
//!
//! D names: `sdt:SUBSYSTEM::EVENT` (`sdt:sched::sched_switch`). The events of `syscalls` are no tracepoints; that is what the
//! provider `syscall` is for.

use super::dtrace::{absent, cannot_read};
use super::*;
use lkd_kernel::probes::NewProbe;
use std::fs;

pub struct Sdt<'f> {
    facts: &'f Facts,
}

/// Subsystems whose events have no tracepoint of their own: made up per system call, made by users, or ftrace's own records.
const NOT_TRACEPOINTS: [&str; 5] = ["syscalls", "ftrace", "kprobes", "uprobes", "synthetic"];

impl<'f> Sdt<'f> {
    pub fn new(facts: &'f Facts) -> Self {
        Sdt { facts }
    }
}

impl Provider for Sdt<'_> {
    fn name(&self) -> &str {
        "sdt"
    }

    fn on_demand(&self) -> bool {
        true
    }

    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        if !is_time("sdt", desc, catalog) {
            return Ok(());
        }
        let Some(tracefs) = self.facts.tracefs() else {
            let (reason, remedy) = self.facts.no_tracefs();
            return Err(absent("sdt", reason, &format!("{remedy}; rawtp has the same tracepoints")));
        };
        let list = tracefs.join("available_events");
        let text = fs::read_to_string(&list).map_err(|e| cannot_read("sdt", &list, &e))?;
        let mut events: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(':')).collect();
        events.retain(|(subsystem, _)| !NOT_TRACEPOINTS.contains(subsystem));
        events.sort_unstable();
        events.dedup();
        let btf = self.facts.btf().ok();
        for (subsystem, event) in events {
            let site = rawtp::site(btf.map(|b| &**b), event);
            let probe = NewProbe { provider: "sdt", module: subsystem, function: "", name: event, site };
            catalog.add(probe).map_err(|full| absent("sdt", full, ""))?;
        }
        Ok(())
    }
}
