//! dtrace: the probes of the session itself. BEGIN and END are raw tracepoint programs that we run once by hand
//! (`BPF_PROG_TEST_RUN`); ERROR has no program: its clauses become a function of every program that can fault.
//!
//! D names: `dtrace:::BEGIN`, `dtrace:::END`, `dtrace:::ERROR`, numbers 1 to 3 as in every DTrace.

use super::*;
use lkd_kernel::probes::NewProbe;
use std::io;
use std::path::Path;

pub struct Dtrace;

/// No other provider has probes of these names.
pub(super) const NAMES: [&str; 3] = ["BEGIN", "END", "ERROR"];

impl Provider for Dtrace {
    fn name(&self) -> &str {
        "dtrace"
    }

    fn provide(&self, _: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        for (name, site) in NAMES.into_iter().zip([Site::Begin, Site::End, Site::Error]) {
            let probe = NewProbe { provider: "dtrace", module: "", function: "", name, site };
            catalog.add(probe).map_err(|full| absent("dtrace", full, ""))?;
        }
        Ok(())
    }
}

/// The words for a provider that has nothing to offer.
pub(super) fn absent(provider: &str, reason: impl ToString, remedy: &str) -> Absence {
    Absence { provider: provider.to_owned(), reason: reason.to_string(), remedy: remedy.to_owned() }
}

/// The words for a list of the kernel's that cannot be read: root is not told to be root.
pub(super) fn cannot_read(provider: &str, path: &Path, e: &io::Error) -> Absence {
    let reason = format!("cannot read {}: {}", path.display(), crate::sys::reason(e));
    let forbidden = e.kind() == io::ErrorKind::PermissionDenied;
    let remedy = match (forbidden, rustix::process::geteuid().is_root()) {
        (true, true) => {
            "root is refused too: kernel lockdown or a container's policy forbids it; ask `dmesg | grep -i lockdown`, \
             boot without lockdown, or run outside the container"
        }
        (true, false) => "run as root",
        (false, _) => "",
    };
    absent(provider, reason, remedy)
}
