//! `lkd verify`: whether a dump is as it was written, in words for a person and a status for a script.

use crate::reason;
use lkd_dump::{Error, Finding, Unproven, Verdict};
use std::fmt::Write;
use std::fs::File;
use std::path::Path;

/// Every page and every other byte is what it was.
pub const WHOLE: i32 = 0;
/// Something is not.
pub const DAMAGED: i32 = 1;
/// Nothing can be said: no dump, not readable, or without checksums.
pub const UNPROVEN: i32 = 2;

/// Findings that are told one by one; the rest is counted.
const SHOWN: usize = 20;

/// Proves the dump at `path`, a file or a report's directory. Gives the lines for standard output and the status.
///
/// # Errors
/// A sentence for standard error, when the status is [`UNPROVEN`].
pub fn verify(path: &Path) -> Result<(String, i32), String> {
    let path = if path.is_dir() { &path.join("vmcore") } else { path };
    let shown = path.display();
    let failed = |e: std::io::Error| format!("{shown}: {}", reason(&e));
    // A pipe would be waited for, and has no end to look for checksums at.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("{shown}: is not a file"));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut findings = Vec::new();
    let mut tell = |finding: Finding| {
        if findings.len() < SHOWN {
            findings.push(finding);
        }
    };
    match lkd_dump::verify(&mut file, &mut tell, &mut |_| {}) {
        Ok(verdict) => {
            let status = if verdict.is_whole() { WHOLE } else { DAMAGED };
            Ok((text(&shown.to_string(), &verdict, &findings), status))
        }
        Err(e @ Unproven::NoSums) => Err(format!("{shown} {e}")),
        Err(Unproven::Unreadable(Error::Io { doing, error })) => {
            Err(format!("{shown}: {doing}: {}", reason(&error)))
        }
        Err(Unproven::Unreadable(e)) => Err(format!("{shown}: {e}")),
    }
}

fn text(path: &str, verdict: &Verdict, findings: &[Finding]) -> String {
    let Verdict { pages, bad_pages, bytes, bad_bytes, findings: found } = *verdict;
    if verdict.is_whole() {
        return format!("{path}: whole: {pages} pages, {} bytes of file checked\n", bytes.0);
    }
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{path}: {finding}");
    }
    let rest = found - findings.len() as u64;
    if rest > 0 {
        let _ = writeln!(text, "{path}: … and {rest} more");
    }
    let _ = write!(text, "{path}: damaged: {bad_pages} of {pages} pages");
    let _ = match bytes.0 {
        0 => writeln!(text, "; what can be read is not proven, the checksums are gone"),
        all => writeln!(text, ", {} of {all} bytes of file are in blocks that have changed", bad_bytes.0),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use lkd_dump::{ByteLen, FileOff, Pfn};

    #[test]
    fn one_line_when_it_is_whole() {
        let verdict = Verdict { pages: 7, bytes: ByteLen(4096), ..Verdict::default() };
        assert_eq!(text("d", &verdict, &[]), "d: whole: 7 pages, 4096 bytes of file checked\n");
    }

    #[test]
    fn findings_are_told_up_to_a_number_and_counted() {
        let page =
            |pfn| Finding::Page { pfn: Pfn(pfn), at: Some(FileOff(0x5000)), problem: "is wrong".into() };
        let verdict = Verdict {
            pages: 30,
            bad_pages: 24,
            bytes: ByteLen(81920),
            bad_bytes: ByteLen(8192),
            findings: 24,
        };
        let findings: Vec<_> = (0..SHOWN as u64).map(page).collect();
        let text = text("d", &verdict, &findings);
        assert_eq!(text.lines().next(), Some("d: page frame 0x0 at 0x5000: is wrong"));
        assert!(text.ends_with(
            "d: … and 4 more\nd: damaged: 24 of 30 pages, 8192 of 81920 bytes of file are in blocks that have changed\n"
        ));
        assert_eq!(text.lines().count(), SHOWN + 2);
    }

    #[test]
    fn what_is_no_dump_is_neither_whole_nor_damaged() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let no_vmcore = verify(here).unwrap_err();
        assert!(no_vmcore.ends_with("vmcore: No such file or directory"), "{no_vmcore}");
        let other = verify(&here.join("Cargo.toml")).unwrap_err();
        assert!(other.ends_with("signature: is not that of a compressed kdump file"), "{other}");
        assert!(verify(Path::new("/dev/null")).unwrap_err().ends_with("is not a file"));
    }
}
