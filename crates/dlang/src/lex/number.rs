//! Integer constants: bases, suffixes, and what is wrong with those that are none.

use crate::ast::IntLit;
use crate::tag::Tag;

/// How many bytes from the start of `text`, which begins with a digit or with `.` and a digit, belong to a number.
///
/// A name that touches a number is a token of its own, as in DTrace: `10ms` is `10` and `ms`.
pub(super) fn extent(text: &[u8]) -> usize {
    let run = text.get(..run(text)).unwrap_or_default();
    let word = String::from_utf8_lossy(run);
    let prefix = if is_hex(&word) { 2 } else { 0 };
    let digit = |b: &u8| if prefix > 0 { b.is_ascii_hexdigit() } else { b.is_ascii_digit() };
    let digits = run.iter().skip(prefix).take_while(|b| digit(b)).count() + prefix;
    let whole = suffix(word.get(digits..).unwrap_or_default()).is_some() || prefix == 0 && is_float(&word);
    if whole { run.len() } else { digits }
}

fn is_hex(text: &str) -> bool {
    matches!(text.as_bytes(), [b'0', b'x' | b'X', d, ..] if d.is_ascii_hexdigit())
}

/// Unsigned, and how many l's.
fn suffix(text: &str) -> Option<(bool, u8)> {
    Some(match text.to_ascii_lowercase().as_str() {
        "" => (false, 0),
        "u" => (true, 0),
        "l" => (false, 1),
        "ll" => (false, 2),
        "ul" | "lu" => (true, 1),
        "ull" | "llu" => (true, 2),
        _ => return None,
    })
}

/// Everything that could be part of a number, exponents included.
fn run(text: &[u8]) -> usize {
    let hex = matches!(text, [b'0', b'x' | b'X', ..]);
    let mut end = 0;
    while let Some(b) = text.get(end) {
        let exponent_sign =
            !hex && matches!(b, b'+' | b'-') && matches!(text.get(end.wrapping_sub(1)), Some(b'e' | b'E'));
        if !(b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.') || exponent_sign) {
            break;
        }
        end += 1;
    }
    end
}

/// Reads a whole constant. The error is a tag and DTrace's message, the value then the best guess.
pub(super) fn read(text: &str) -> (IntLit, Option<(Tag, String)>) {
    let (base, digits) = match text {
        _ if is_hex(text) => (16, text.get(2..).unwrap_or_default()),
        _ if text.starts_with('0') => (8, text),
        _ => (10, text),
    };
    let mut lit = IntLit { value: 0, unsigned: false, long: 0, decimal: base == 10 };
    if base != 16 && is_float(text) {
        return (lit, Some((Tag::Syntax, "floating-point constants are not permitted".into())));
    }
    let mut overflow = false;
    let mut rest = digits;
    while let Some(d) = rest.chars().next().and_then(|c| c.to_digit(base)) {
        overflow |= lit.value.checked_mul(base.into()).and_then(|v| v.checked_add(d.into())).is_none();
        lit.value = lit.value.wrapping_mul(base.into()).wrapping_add(d.into());
        rest = rest.get(1..).unwrap_or_default();
    }
    let Some((unsigned, long)) = suffix(rest) else {
        let digit = rest.chars().next().unwrap_or_default();
        return (lit, Some((Tag::IntDigit, format!("constant {text} contains invalid digit {digit}"))));
    };
    (lit.unsigned, lit.long) = (unsigned, long);
    let error = overflow.then(|| (Tag::IntOflow, format!("constant {text} results in integer overflow")));
    (lit, error)
}

/// `1.5`, `1.`, `.5`, `1e9`, `1f`, with C's suffixes.
fn is_float(text: &str) -> bool {
    let whole = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let fraction = whole.strip_prefix('.').map(|f| f.trim_start_matches(|c: char| c.is_ascii_digit()));
    let rest = fraction.unwrap_or(whole);
    let exponent = rest.strip_prefix(['e', 'E']).map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    let exponent = exponent.filter(|e| e.starts_with(|c: char| c.is_ascii_digit()));
    let suffix = exponent.map_or(rest, |e| e.trim_start_matches(|c: char| c.is_ascii_digit()));
    match suffix {
        "f" | "F" => true,
        "" | "l" | "L" => fraction.is_some() || exponent.is_some(),
        _ => fraction.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> (u64, bool, u8, bool) {
        let (lit, error) = read(text);
        assert_eq!(error, None, "{text}");
        (lit.value, lit.unsigned, lit.long, lit.decimal)
    }

    fn error(text: &str) -> &'static str {
        read(text).1.map_or("fine", |(tag, _)| tag.name())
    }

    #[test]
    fn bases_and_suffixes() {
        assert_eq!(value("0"), (0, false, 0, false));
        assert_eq!(value("42"), (42, false, 0, true));
        assert_eq!(value("0755"), (0o755, false, 0, false));
        assert_eq!(value("0xc0000001"), (0xc000_0001, false, 0, false));
        assert_eq!(value("0XfFuLl"), (255, true, 2, false));
        assert_eq!(value("18446744073709551615ULL"), (u64::MAX, true, 2, true));
        for (text, unsigned, long) in [("7u", true, 0), ("7L", false, 1), ("7lu", true, 1), ("7LL", false, 2)]
        {
            assert_eq!(value(text), (7, unsigned, long, true));
        }
    }

    #[test]
    fn what_is_no_integer() {
        assert_eq!(error("18446744073709551616"), "D_INT_OFLOW");
        assert_eq!(error("0x10000000000000000"), "D_INT_OFLOW");
        for text in ["09", "0x", "12ab", "0xfg", "7lul", "7uu"] {
            assert_eq!(error(text), "D_INT_DIGIT", "{text}");
        }
        for text in ["1.5", "1.", ".5", "1e9", "1.5e-3", "2f", "0.5L"] {
            assert_eq!(error(text), "D_SYNTAX", "{text}");
        }
    }

    #[test]
    fn extents_end_before_a_name() {
        for (text, len) in [
            ("1+2", 1),
            ("1e+2;", 4),
            ("0x1e+2", 4),
            ("12)", 2),
            (".5,", 2),
            ("7ull*", 4),
            ("10ms", 2),
            ("0x", 1),
            ("1uu", 1),
            ("09;", 2),
        ] {
            assert_eq!(extent(text.as_bytes()), len, "{text}");
        }
    }
}
