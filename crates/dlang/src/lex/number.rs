//! Integer constants: bases, suffixes, and what is wrong with those that are none.

use crate::ast::IntLit;
use crate::tag::Tag;

/// How many bytes from the start of `text`, which begins with a digit or with `.` and a digit, belong to a number.
pub(super) fn extent(text: &[u8]) -> usize {
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
    let (base, digits) = match text.as_bytes() {
        [b'0', b'x' | b'X', d, ..] if d.is_ascii_hexdigit() => (16, text.get(2..).unwrap_or_default()),
        [b'0', ..] => (8, text),
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
    match rest.to_ascii_lowercase().as_str() {
        "" => {}
        "u" => lit.unsigned = true,
        "l" => lit.long = 1,
        "ll" => lit.long = 2,
        "ul" | "lu" => (lit.unsigned, lit.long) = (true, 1),
        "ull" | "llu" => (lit.unsigned, lit.long) = (true, 2),
        _ => {
            let digit = rest.chars().next().unwrap_or_default();
            return (lit, Some((Tag::IntDigit, format!("constant {text} contains invalid digit {digit}"))));
        }
    }
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
    fn extents() {
        for (text, len) in [("1+2", 1), ("1e+2;", 4), ("0x1e+2", 4), ("12)", 2), (".5,", 2), ("7ull*", 4)] {
            assert_eq!(extent(text.as_bytes()), len, "{text}");
        }
    }
}
