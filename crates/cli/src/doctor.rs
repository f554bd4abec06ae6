//! `lkd doctor`: what this kernel allows, what is missing, and how to get it.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cures_stand_under_what_they_cure() {
        let f = |what: &str, ok| Finding { what: what.into(), ok, found: "found".into(), cure: "cure".into() };
        let text = table("live dumps", &[f("BTF", true), f("bpf_loop", false)]);
        assert_eq!(text, "live dumps\n  BTF       yes  found\n  bpf_loop  no   found\n                 → cure\n");
    }
}
