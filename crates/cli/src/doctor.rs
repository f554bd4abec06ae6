//! `lkd doctor`: what this kernel allows, what is missing, and how to get it.

use lkd_capture::forecast::Forecast;
use lkd_trace::facts::{self, Facts};
use lkd_trace::provider::Providers;
use std::fmt::Write as _;
use std::time::Duration;

/// One line of the table: a thing lkd needs or uses.
pub struct Finding {
    pub what: String,
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when `ok`.
    pub cure: String,
}

/// The table, one finding a line, cures indented under what they cure.
pub fn table(title: &str, findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.what.chars().count()).max().unwrap_or(0);
    let mut text = format!("{title}\n");
    for f in findings {
        let mark = if f.ok { "yes" } else { "no" };
        let _ = writeln!(text, "  {:width$}  {mark:3}  {}", f.what, f.found);
        if !f.ok && !f.cure.is_empty() {
            let _ = writeln!(text, "  {:width$}       → {}", "", f.cure);
        }
    }
    text
}

/// Looks at this machine: the text, and whether everything that lkd is for can be done here.
pub fn examine() -> (String, bool) {
    let tracing = tracing();
    let checked = lkd_capture::doctor::check();
    // What is only of use is told, too.
    let good = checked.iter().all(|r| r.ok || !r.required) && tracing.first().is_none_or(|f| f.ok);
    let dumps: Vec<Finding> = checked
        .into_iter()
        .map(|r| Finding { what: r.what.into(), ok: r.ok, found: r.found, cure: r.cure })
        .collect();
    let kinds = match lkd_capture::forecast::forecasts() {
        Ok(forecasts) => {
            kinds(&forecasts, Duration::from_nanos(lkd_capture::Options::default().max_pause_ns))
        }
        // The table above says what is missing.
        Err(e) => format!("kinds of dump\n  not measured: {e}\n"),
    };
    (table("tracing", &tracing) + "\n" + &table("live dumps", &dumps) + "\n" + &kinds, good)
}

/// What a dump of each kind would be, one a line, and under it what would not go as it should.
fn kinds(forecasts: &[Forecast], longest: Duration) -> String {
    let megabytes = |pages: u64| (pages * 4096).div_ceil(1 << 20);
    let mut text = String::from("kinds of dump, if one were taken now\n");
    let _ =
        writeln!(text, "  {:14}  {:>9}  {:>9}  {:>9}  {:>9}", "KIND", "MEMORY", "FROZEN", "PAUSE", "FILE");
    for f in forecasts {
        let _ = writeln!(
            text,
            "  {:14}  {:>6} MB  {:>6} MB  {:>6} ms  {:>6} MB",
            format!("{} ({})", f.kind, f.kind.flags()),
            megabytes(f.pages),
            megabytes(f.frozen),
            f.pause.as_millis().max(1),
            f.file.div_ceil(1 << 20)
        );
        if f.kind.hypervisor() && f.machines == 0 {
            let _ = writeln!(text, "    → no virtual machine of KVM's runs here: as without them");
        }
        if f.frozen < f.pages {
            let _ = writeln!(
                text,
                "    → the buffer is an eighth of the memory available: what is beyond {} MB is read after the machine runs on; {}",
                megabytes(f.frozen),
                match f.pages + f.pages / 8 {
                    all if all < f.available => format!("-x lkdbuf={}m would hold all", megabytes(all)),
                    _ => "there is not memory enough to hold all".into(),
                }
            );
        }
        if f.pause > longest {
            let _ = writeln!(
                text,
                "    → more than lkdmaxpause={}ms: what is left by then is read after the machine runs on; {}",
                longest.as_millis(),
                match (f.pause.as_millis() * 3 / 2).next_multiple_of(100) {
                    enough if enough <= 10_000 => format!("-x lkdmaxpause={enough}ms would do"),
                    _ => "10s is the longest that can be had".into(),
                }
            );
        }
    }
    text
}

/// Privileges first, then every provider.
fn tracing() -> Vec<Finding> {
    let finding = |what: &str, problem: Option<(String, String)>| match problem {
        None => Finding { what: what.into(), ok: true, found: "available".into(), cure: String::new() },
        Some((found, cure)) => Finding { what: what.into(), ok: false, found, cure },
    };
    let mut findings =
        vec![finding("privileges", facts::privileges().err().map(|p| (p.to_string(), String::new())))];
    let facts = Facts::new();
    let providers = Providers::new(&facts);
    let absent = providers.reasons();
    for row in providers.rows() {
        let problem = absent.iter().find(|a| a.provider == row.name());
        findings.push(finding(row.name(), problem.map(|a| (a.reason.clone(), a.remedy.clone()))));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_not_fit_or_take_too_long_is_told() {
        let of = |frozen, ms| Forecast {
            kind: lkd_dump::Kind::Kernel,
            pages: 512,
            frozen,
            pause: Duration::from_millis(ms),
            file: 600_000,
            available: 1 << 20,
            machines: 0,
        };
        let text = kinds(&[of(512, 20)], Duration::from_millis(500));
        assert_eq!(
            text,
            "kinds of dump, if one were taken now\n\
             \x20 KIND               MEMORY     FROZEN      PAUSE       FILE\n\
             \x20 kernel (0)           2 MB       2 MB      20 ms       1 MB\n"
        );
        assert!(kinds(&[of(256, 20)], Duration::from_millis(500)).contains("beyond 1 MB"));
        assert!(kinds(&[of(512, 501)], Duration::from_millis(500)).contains("-x lkdmaxpause=800ms would do"));
    }

    #[test]
    fn cures_stand_under_what_they_cure() {
        let f =
            |what: &str, ok| Finding { what: what.into(), ok, found: "found".into(), cure: "cure".into() };
        let text = table("live dumps", &[f("BTF", true), f("bpf_loop", false)]);
        assert_eq!(
            text,
            "live dumps\n  BTF       yes  found\n  bpf_loop  no   found\n                 → cure\n"
        );
    }
}
