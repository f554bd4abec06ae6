//! An option's value as it is written and as it is meant; and the nearest name to a misspelt one.

use super::Kind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Flag(bool),
    /// Bytes, nanoseconds or a plain number, by the option's kind.
    Number(u64),
    Text(String),
}

/// `None`: not a value of that kind. A flag may stand without a value, nothing else may.
pub(super) fn parse(kind: Kind, text: Option<&str>) -> Option<Value> {
    match (kind, text) {
        (Kind::Flag, None) => Some(Value::Flag(true)),
        (_, None) => None,
        (Kind::Flag, Some(t)) => flag(t).map(Value::Flag),
        (Kind::Size, Some(t)) => size(t).map(Value::Number),
        (Kind::Number, Some(t)) => number(t).map(Value::Number),
        (Kind::Rate, Some(t)) => rate(t).map(Value::Number),
        (Kind::Text, Some(t)) => Some(Value::Text(t.to_owned())),
        (Kind::Policy, Some(t)) => one_of(t, &["switch", "fill", "ring"]),
        (Kind::DumpFormat, Some(t)) => one_of(t, &["kdump-zstd", "kdump-zlib", "elf"]),
    }
}

fn one_of(text: &str, words: &[&str]) -> Option<Value> {
    words.contains(&text).then(|| Value::Text(text.to_owned()))
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "enable" | "enabled" | "true" | "on" | "set" => Some(true),
        "" | "no" | "disable" | "disabled" | "false" | "off" | "unset" => Some(false),
        other => number(other).map(|n| n != 0),
    }
}

/// Decimal, `0x` hexadecimal or `0` octal, as strtoull reads it.
fn number(text: &str) -> Option<u64> {
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (text.get(2..)?, 16),
        [b'0', _, ..] => (text.get(1..)?, 8),
        _ => (text, 10),
    };
    if !digits.starts_with(|c: char| c.is_digit(base)) {
        return None;
    }
    u64::from_str_radix(digits, base).ok()
}

fn size(text: &str) -> Option<u64> {
    let shift = match text.bytes().last()?.to_ascii_lowercase() {
        b'k' => 10,
        b'm' => 20,
        b'g' => 30,
        b't' => 40,
        _ => 0,
    };
    let digits = if shift == 0 { text } else { text.get(..text.len() - 1)? };
    number(digits)?.checked_mul(1 << shift)
}

/// Nanoseconds. A frequency is turned into its period.
fn rate(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let value: u64 = digits.parse().ok()?;
    let unit_ns: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "ns" | "nsec" => 1,
        "us" | "usec" => 1_000,
        "ms" | "msec" => 1_000_000,
        "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" | "hour" => 3_600_000_000_000,
        "d" | "day" => 86_400_000_000_000,
        "hz" => return Some(1_000_000_000u64.checked_div(value).unwrap_or(0)),
        _ => return None,
    };
    value.checked_mul(unit_ns)
}

/// The name that needs the fewest edits, if it is near enough to be a slip.
pub fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (wrong.chars().count() / 3).max(1);
    names.map(|n| (edits(wrong, n), n)).filter(|(d, _)| *d <= most).min_by_key(|(d, _)| *d).map(|(_, n)| n)
}

/// Insertions, deletions, replacements and swaps of neighbours.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |r: &[usize], k: usize| r.get(k).copied().unwrap_or(usize::MAX - 1);
            let mut best =
                (at(&above, j) + usize::from(x != y)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            if i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_kind() {
        let n = |k, t| match parse(k, Some(t)) {
            Some(Value::Number(n)) => Some(n),
            _ => None,
        };
        assert_eq!(n(Kind::Size, "4m"), Some(4 << 20));
        assert_eq!(n(Kind::Size, "0x10k"), Some(16 << 10));
        assert_eq!(n(Kind::Size, "17179869184g"), None);
        assert_eq!(n(Kind::Size, "k"), None);
        assert_eq!(n(Kind::Rate, "10hz"), Some(100_000_000));
        assert_eq!(n(Kind::Rate, "500ms"), Some(500_000_000));
        assert_eq!(n(Kind::Rate, "2d"), Some(172_800_000_000_000));
        assert_eq!(n(Kind::Rate, "0hz"), Some(0));
        assert_eq!(n(Kind::Rate, "3 s"), None);
        assert_eq!(n(Kind::Number, "010"), Some(8));
        assert_eq!(n(Kind::Number, "-1"), None);
        assert_eq!(parse(Kind::Flag, Some("Disabled")), Some(Value::Flag(false)));
        assert_eq!(parse(Kind::Flag, Some("maybe")), None);
        assert_eq!(parse(Kind::Size, None), None);
    }

    #[test]
    fn nearest_is_a_slip_not_a_guess() {
        let names = ["quiet", "bufsize", "strsize", "cpu"];
        assert_eq!(nearest("qiuet", names.into_iter()), Some("quiet"));
        assert_eq!(nearest("bufsiz", names.into_iter()), Some("bufsize"));
        assert_eq!(nearest("cup", names.into_iter()), Some("cpu"));
        assert_eq!(nearest("ring", names.into_iter()), None);
    }
}
