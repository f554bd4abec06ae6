//! `%Y` and `%T`: a `walltimestamp` in the time zone of the machine.

use std::ffi::CStr;

/// `2026 Nov 22 20:15:00`, from nanoseconds since 1970.
pub fn year_first(ns: u64) -> String {
    format(ns, c"%Y %b %e %H:%M:%S")
}

/// `Sun, 22 Nov 2026 20:15:00 UTC`
pub fn rfc822(ns: u64) -> String {
    format(ns, c"%a, %d %b %Y %H:%M:%S %Z")
}

fn format(ns: u64, pattern: &CStr) -> String {
    let seconds = (ns / 1_000_000_000) as libc::time_t;
    let mut text = [0u8; 64];
    // SAFETY: `seconds` and `tm` live through the call; localtime_r writes nothing but `tm` and returns null on failure.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    let ok = unsafe { !libc::localtime_r(&seconds, &mut tm).is_null() };
    if !ok {
        return format!("{ns}");
    }
    // SAFETY: the buffer's length is given, the pattern ends with NUL, `tm` was filled by localtime_r.
    let len = unsafe { libc::strftime(text.as_mut_ptr().cast(), text.len(), pattern.as_ptr(), &tm) };
    String::from_utf8_lossy(text.get(..len).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        let shape = |s: String| s.replace(|c: char| c.is_ascii_digit(), "9").replace(|c: char| c.is_ascii_alphabetic(), "a");
        // half a year in, so that no time zone changes the year
        assert_eq!(shape(year_first(1_500_000_000_000_000_000)), "9999 aaa 99 99:99:99");
        assert!(year_first(1_500_000_000_000_000_000).starts_with("2017 Jul 1"));
        assert!(rfc822(1_500_000_000_000_000_000).contains(" Jul 2017 "));
    }
}
