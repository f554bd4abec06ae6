//! `lkd doctor`: what this kernel allows, what is missing, and how to get it.

use lkd_trace::facts::{self, Facts};
use lkd_trace::provider::Providers;
use std::fmt::Write as _;

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
    let dumps: Vec<Finding> = lkd_capture::doctor::check()
        .into_iter()
        .map(|r| Finding { what: r.what.into(), ok: r.ok, found: r.found, cure: r.cure })
        .collect();
    let good = dumps.iter().all(|f| f.ok) && tracing.first().is_none_or(|f| f.ok);
    (table("tracing", &tracing) + "\n" + &table("live dumps", &dumps), good)
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
