//! What one claim came to.

use std::fmt;

/// Texts of a finding that are kept; all are counted.
const TEXTS: usize = 12;

/// One claim, judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// The claim's name.
    pub check: &'static str,
    /// Things compared.
    pub looked: u64,
    /// Violations.
    pub violations: u64,
    /// How many of these are memory that the claim needs and the image has not.
    pub unread: u64,
    /// Oddities that a legal instant may show, by the evidence in the image.
    pub excused: u64,
    /// The first violations, or the first excused ones where there is no violation.
    pub texts: Vec<String>,
    /// Why the claim could not be judged at all.
    pub lacking: Option<String>,
}

impl Finding {
    /// A claim that nothing speaks against yet.
    pub fn new(check: &'static str) -> Finding {
        Finding { check, ..Finding::default() }
    }

    /// A claim that cannot be judged.
    pub fn lacking(check: &'static str, why: &dyn fmt::Display) -> Finding {
        Finding { check, lacking: Some(why.to_string()), ..Finding::default() }
    }

    /// Whether the claim was judged, of something, and holds.
    pub fn holds(&self) -> bool {
        self.lacking.is_none() && self.violations == 0 && self.looked > 0
    }

    /// Notes a violation.
    pub fn violation(&mut self, text: String) {
        self.violations += 1;
        if self.texts.len() < TEXTS {
            self.texts.push(text);
        }
    }

    /// Notes memory that the image lacks.
    pub fn unread(&mut self, what: &str, vaddr: u64) {
        self.unread += 1;
        self.violation(format!("{what}: the image has no {vaddr:#x}"));
    }

    /// Notes an oddity that is explained.
    pub fn excuse(&mut self, text: String) {
        self.excused += 1;
        if self.texts.len() < TEXTS {
            self.texts.push(text);
        }
    }

    /// Takes in what a part of the claim came to.
    pub fn absorb(&mut self, part: Finding) {
        self.looked += part.looked;
        self.violations += part.violations;
        self.unread += part.unread;
        self.excused += part.excused;
        self.texts.extend(part.texts);
        self.texts.truncate(TEXTS);
    }

    /// Takes up to `most` of the violations as explained: somebody was in the middle of a change.
    pub fn excuse_all(&mut self, most: u64, why: &str) {
        let excused = self.violations.min(most);
        if excused > 0 {
            self.violations -= excused;
            self.unread = self.unread.min(self.violations);
            self.excused += excused;
            self.texts.insert(0, format!("{excused} excused: {why}"));
        }
    }
}

impl fmt::Display for Finding {
    /// One line that begins with `ok`, `FAILED` or `skipped`, and below it, indented, what was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.lacking {
            return write!(f, "skipped {}: {why}", self.check);
        }
        let word = if self.holds() { "ok" } else { "FAILED" };
        write!(f, "{word} {}: {} compared, {} wrong", self.check, self.looked, self.violations)?;
        if self.unread > 0 {
            write!(f, " ({} of them memory that is not there)", self.unread)?;
        }
        if self.excused > 0 {
            write!(f, ", {} excused", self.excused)?;
        }
        for text in &self.texts {
            write!(f, "\n    {text}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_compared_is_no_proof() {
        let mut finding = Finding::new("x");
        assert!(!finding.holds());
        finding.looked = 1;
        assert!(finding.holds());
        assert_eq!(finding.to_string(), "ok x: 1 compared, 0 wrong");
        assert!(!Finding::lacking("x", &"no type").holds());
    }

    #[test]
    fn what_is_excused_is_told_and_no_violation() {
        let mut finding = Finding { looked: 9, ..Finding::new("x") };
        finding.violation("a".into());
        finding.unread("b", 0x10);
        finding.excuse_all(1, "locked");
        assert_eq!((finding.violations, finding.unread, finding.excused), (1, 1, 1));
        let told = finding.to_string();
        assert!(told.starts_with("FAILED x: 9 compared, 1 wrong (1 of them memory that is not there), 1 excused\n    1 excused: locked"), "{told}");
    }

    #[test]
    fn only_the_first_texts_are_kept() {
        let mut finding = Finding::new("x");
        (0..1000).for_each(|n| finding.violation(n.to_string()));
        assert_eq!((finding.violations, finding.texts.len()), (1000, TEXTS));
    }
}
