//! profile: clocks. `profile-N` fires on every CPU, from a perf event's high-resolution timer in the interrupted context;
//! `tick-N` fires on one CPU, from a timer of ours that runs the program by hand, because a perf event's clock loses whole
//! seconds while its CPU is idle.
//!
//! D names: `profile:::profile-N[unit]`, `profile:::tick-N[unit]`, made as they are named; N is per second without a unit,
//! else a period in `ns us ms s m h d` (or long: `nsec usec msec sec min hour day`), or again per second with `hz`. The usual
//! ones are always there, so that `-l` shows them. The provider of `tick-` probes is `profile` too, as in every DTrace.

use super::dtrace::absent;
use super::*;
use lkd_kernel::glob::is_glob;
use lkd_kernel::probes::NewProbe;

pub struct Profile;

const USUAL_PROFILE: [u64; 7] = [97, 199, 499, 997, 1999, 4001, 4999];
const USUAL_TICK: [u64; 6] = [1, 10, 100, 500, 1000, 5000];

const SECOND: u64 = 1_000_000_000;
/// Shorter periods would only starve the machine: 200 µs, DTrace's own limit.
pub const SHORTEST_NS: u64 = 200_000;

/// The period that a name means: `profile-97`, `tick-10s`. `None`: not a name of this provider, or too fast.
pub fn period(name: &str) -> Option<Site> {
    let (digits, profile) = match (name.strip_prefix("profile-"), name.strip_prefix("tick-")) {
        (Some(rest), _) => (rest, true),
        (_, Some(rest)) => (rest, false),
        _ => return None,
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, unit) = digits.split_at(end);
    let n: u64 = digits.parse().ok().filter(|&n| n > 0)?;
    let unit_ns = match unit.to_ascii_lowercase().as_str() {
        "" | "hz" => None,
        "ns" | "nsec" => Some(1),
        "us" | "usec" => Some(1_000),
        "ms" | "msec" => Some(1_000_000),
        "s" | "sec" => Some(SECOND),
        "m" | "min" => Some(60 * SECOND),
        "h" | "hour" => Some(3_600 * SECOND),
        "d" | "day" => Some(86_400 * SECOND),
        _ => return None,
    };
    let period_ns = match unit_ns {
        None => SECOND / n,
        Some(unit) => n.checked_mul(unit)?,
    };
    if period_ns < SHORTEST_NS || i64::try_from(period_ns).is_err() {
        return None;
    }
    Some(if profile { Site::Profile { period_ns } } else { Site::Tick { period_ns } })
}

impl Provider for Profile {
    fn name(&self) -> &str {
        "profile"
    }

    fn on_demand(&self) -> bool {
        true
    }

    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        // the usual ones first and always, so that numbers do not depend on what was named before
        let usual = USUAL_PROFILE
            .iter()
            .map(|n| format!("profile-{n}"))
            .chain(USUAL_TICK.iter().map(|n| format!("tick-{n}")));
        let named = (!is_glob(&desc.name)).then(|| desc.name.clone());
        for name in usual.chain(named) {
            let Some(site) = period(&name) else { continue };
            let probe = NewProbe { provider: "profile", module: "", function: "", name: &name, site };
            catalog.add_once(probe).map_err(|full| absent("profile", full, "name fewer different clocks"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_periods() {
        let profile = |period_ns| Some(Site::Profile { period_ns });
        let tick = |period_ns| Some(Site::Tick { period_ns });
        let table = [
            ("profile-97", profile(SECOND / 97)),
            ("profile-1000hz", profile(1_000_000)),
            ("profile-5ms", profile(5_000_000)),
            ("tick-1", tick(SECOND)),
            ("tick-1s", tick(SECOND)),
            ("tick-1sec", tick(SECOND)),
            ("tick-2m", tick(120 * SECOND)),
            ("tick-1h", tick(3_600 * SECOND)),
            ("tick-1d", tick(86_400 * SECOND)),
            ("tick-500us", tick(500_000)),
            ("tick-5000", tick(200_000)),
            ("tick-5001", None),
            ("tick-1ns", None),
            ("tick-0", None),
            ("tick-", None),
            ("tick-1parsec", None),
            ("tick-99999999999999999999", None),
            ("tick-18446744073709551615d", None),
            ("profile", None),
        ];
        for (name, want) in table {
            assert_eq!(period(name), want, "{name}");
        }
    }

    #[test]
    fn a_clock_is_made_when_it_is_named_and_keeps_its_number() {
        let mut catalog = Catalog::new();
        let rows: [&dyn Provider; 1] = [&Profile];
        catalog.fill(&rows, &ProbeDesc::new("", "", "", "tick-1s"));
        let id =
            |c: &Catalog| c.matches(&ProbeDesc::new("", "", "", "tick-1s")).map(|p| p.id).collect::<Vec<_>>();
        let first = id(&catalog);
        assert_eq!(first.len(), 1);
        catalog.fill(&rows, &ProbeDesc::new("profile", "", "", "profile-97"));
        catalog.fill(&rows, &ProbeDesc::new("", "", "", "tick-1s"));
        assert_eq!(id(&catalog), first);
        assert_eq!(catalog.count(&ProbeDesc::new("", "", "", "tick-*")), USUAL_TICK.len() + 1);
    }
}
