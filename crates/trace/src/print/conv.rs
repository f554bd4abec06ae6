//! printf's conversions, one value each, as DTrace's table has them.
//!
//! Differences from C that DTrace has and users rely on: the size of an integer is its argument's, length prefixes change
//! nothing; a precision of 0 is no precision; `%d` of an unsigned type below 4 bytes is unsigned; `%p` writes no `0x`; `%a` is a
//! kernel address as a symbol; `%Y` and `%T` are times; `%S` and `%C` escape what cannot be shown.

use super::{stack, time};
use crate::facts::Facts;
use lkd_codegen::record::Value;
use lkd_dlang::format::{Conv, Count, Format, Piece};
use lkd_dlang::program::Ty;
use std::io::Write as _;

/// Writes `format` with its arguments taken from `next`, in order. Arguments that are missing end it: the caller has seen to it
/// that there are enough, and finds out through `next` if there were not.
pub fn printf<'v>(
    format: &Format,
    next: &mut dyn FnMut() -> Option<(Ty, Value<'v>)>,
    facts: &Facts,
    out: &mut Vec<u8>,
) {
    for piece in &format.pieces {
        match piece {
            Piece::Text(text) => out.extend_from_slice(text),
            Piece::Conv(Conv { letter: b'%', .. }) => out.push(b'%'),
            Piece::Conv(conv) => {
                let Some(layout) = Layout::of(conv, next) else { return };
                let Some((ty, value)) = next() else { return };
                convert(conv, layout, ty, value, facts, out);
            }
        }
    }
}

/// Width and precision after `*` was filled in.
#[derive(Clone, Copy, Debug, Default)]
struct Layout {
    left: bool,
    width: usize,
    precision: Option<usize>,
}

/// No field is wider: a width comes from data, and a record must not become a gigabyte.
const WIDEST: usize = 4096;

impl Layout {
    fn of<'v>(conv: &Conv, next: &mut dyn FnMut() -> Option<(Ty, Value<'v>)>) -> Option<Layout> {
        let mut count = |c: &Option<Count>| match c {
            None => Some(0),
            Some(Count::Number(n)) => Some(i64::from(*n)),
            Some(Count::Star) => next().map(|(ty, v)| match v {
                Value::Int(v) => i64::from(signed(v, ty) as i32),
                _ => 0,
            }),
        };
        let width = count(&conv.width)?;
        let precision = count(&conv.precision)?;
        Some(Layout {
            left: conv.minus || width < 0,
            width: (width.unsigned_abs() as usize).min(WIDEST),
            precision: (precision > 0).then_some((precision as usize).min(WIDEST)),
        })
    }
}

fn convert(conv: &Conv, at: Layout, ty: Ty, value: Value<'_>, facts: &Facts, out: &mut Vec<u8>) {
    match (conv.letter, value) {
        (b'd', Value::Int(v)) if plain(conv, at) => write_signed(display_d(v, ty), out),
        (b'd', Value::Int(v)) => integer(conv, at, Number::signed(display_d(v, ty)), out),
        (b'c', Value::Int(v)) => field(&[v as u8], at, out),
        (b'C', Value::Int(v)) => text(&escaped(&[v as u8]), at, out),
        (b'i', Value::Int(v)) => integer(conv, at, Number::signed(signed(v, ty)), out),
        (b'u', Value::Int(v)) => integer(conv, at, Number::unsigned(unsigned(v, ty).to_string(), ""), out),
        (b'o', Value::Int(v)) => integer(conv, at, Number::unsigned(format!("{:o}", unsigned(v, ty)), "0"), out),
        (b'x', Value::Int(v)) if plain(conv, at) && !conv.alt => write_hex(unsigned(v, ty), out),
        (b'x' | b'p', Value::Int(v)) => {
            let prefix = if unsigned(v, ty) == 0 { "" } else { "0x" };
            integer(conv, at, Number::unsigned(format!("{:x}", unsigned(v, ty)), prefix), out);
        }
        (b'X', Value::Int(v)) => {
            let prefix = if unsigned(v, ty) == 0 { "" } else { "0X" };
            integer(conv, at, Number::unsigned(format!("{:X}", unsigned(v, ty)), prefix), out);
        }
        (b'a', Value::Int(v)) => text(stack::address(v, facts).as_bytes(), at, out),
        (b'A', Value::Int(v)) => text(format!("{v:#x}").as_bytes(), at, out),
        (b'Y', Value::Int(v)) => text(time::year_first(v).as_bytes(), at, out),
        (b'T', Value::Int(v)) => text(time::rfc822(v).as_bytes(), at, out),
        (b'P', Value::Int(v)) => text(port(v as u16).as_bytes(), at, out),
        // a number where text was promised: the checker allows it nowhere, so it is shown plainly
        (_, Value::Int(v)) => write_signed(display_d(v, ty), out),
        (b'S', Value::Str(s)) => text(&escaped(s), at, out),
        (b's', Value::Mem(b)) => text(until_nul(b), at, out),
        (b'S', Value::Mem(b)) => text(&escaped(until_nul(b)), at, out),
        (_, Value::Str(s)) => text(s, at, out),
        (_, Value::Mem(b)) => super::bytes::table(b, out),
        (_, Value::Stack(frames)) => stack::print(frames, facts, if at.left { at.width } else { 0 }, out),
        (_, Value::Name(_)) => {}
    }
}

/// Nothing but the letter: the case that must be quick.
fn plain(conv: &Conv, at: Layout) -> bool {
    at.width == 0 && at.precision.is_none() && !(conv.plus || conv.space || conv.group)
}

fn size(ty: Ty) -> u32 {
    match ty {
        Ty::Int { size, .. } => u32::from(size).clamp(1, 8),
        _ => 8,
    }
}

/// The value's bytes as a signed integer of its own size.
fn signed(v: u64, ty: Ty) -> i64 {
    let unused = 64 - 8 * size(ty);
    ((v << unused) as i64) >> unused
}

fn unsigned(v: u64, ty: Ty) -> u64 {
    let unused = 64 - 8 * size(ty);
    (v << unused) >> unused
}

/// What `%d` shows: C passes a small unsigned integer as an int, and reads a large one as signed.
fn display_d(v: u64, ty: Ty) -> i64 {
    match ty {
        Ty::Int { size: 1 | 2, signed: false } => unsigned(v, ty) as i64,
        _ => signed(v, ty),
    }
}

struct Number {
    negative: bool,
    /// May a sign be shown?
    has_sign: bool,
    digits: String,
    /// What `#` puts in front.
    alt: &'static str,
}

impl Number {
    fn signed(v: i64) -> Number {
        Number { negative: v < 0, has_sign: true, digits: v.unsigned_abs().to_string(), alt: "" }
    }

    fn unsigned(digits: String, alt: &'static str) -> Number {
        Number { negative: false, has_sign: false, digits, alt }
    }
}

fn integer(conv: &Conv, at: Layout, number: Number, out: &mut Vec<u8>) {
    let mut digits = number.digits;
    if let Some(least) = at.precision {
        digits = format!("{digits:0>least$}");
    }
    if conv.group && number.has_sign {
        digits = grouped(&digits);
    }
    let sign = match (number.negative, number.has_sign) {
        (true, _) => "-",
        (false, true) if conv.plus => "+",
        (false, true) if conv.space => " ",
        _ => "",
    };
    let prefix = if conv.alt { number.alt } else { "" };
    let used = sign.len() + prefix.len() + digits.len();
    let fill = at.width.saturating_sub(used);
    // as in C: `-` and a precision each switch `0` off
    let zeros = conv.zero && !at.left && at.precision.is_none();
    if !at.left && !zeros {
        out.resize(out.len() + fill, b' ');
    }
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(prefix.as_bytes());
    if zeros {
        out.resize(out.len() + fill, b'0');
    }
    out.extend_from_slice(digits.as_bytes());
    if at.left {
        out.resize(out.len() + fill, b' ');
    }
}

/// Thousands apart, `1,234,567`: what `'` does where the locale has a separator.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (i, d) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(d);
    }
    text
}

fn until_nul(b: &[u8]) -> &[u8] {
    b.split(|c| *c == 0).next().unwrap_or(b)
}

/// A string in its field, cut by the precision.
fn text(s: &[u8], at: Layout, out: &mut Vec<u8>) {
    let most = at.precision.unwrap_or(s.len());
    field(s.get(..most).unwrap_or(s), at, out);
}

fn field(s: &[u8], at: Layout, out: &mut Vec<u8>) {
    let fill = at.width.saturating_sub(s.len());
    if !at.left {
        out.resize(out.len() + fill, b' ');
    }
    out.extend_from_slice(s);
    if at.left {
        out.resize(out.len() + fill, b' ');
    }
}

/// C's escapes for what cannot be shown.
fn escaped(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for c in s {
        let letter = match c {
            0 => b'0',
            7 => b'a',
            8 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0b => b'v',
            0x0c => b'f',
            b'\r' => b'r',
            b'"' => b'"',
            b'\\' => b'\\',
            b' '..=b'~' => {
                out.push(*c);
                continue;
            }
            _ => {
                let _ = write!(out, "\\{c:03o}");
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out
}

/// `%P`: a port in host order. DTrace looks the service's name up; a lookup may wait for a network, so lkd shows the number,
/// which is also what DTrace shows for a port without a name.
fn port(number: u16) -> String {
    number.to_string()
}

/// Decimal, right-aligned in `width`.
pub(super) fn pad_int(v: u64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let text = decimal(v, &mut digits);
    out.resize(out.len() + width.saturating_sub(text.len()), b' ');
    out.extend_from_slice(text);
}

fn write_signed(v: i64, out: &mut Vec<u8>) {
    if v < 0 {
        out.push(b'-');
    }
    let mut digits = [0u8; 20];
    out.extend_from_slice(decimal(v.unsigned_abs(), &mut digits));
}

/// The formatting machinery of the standard library costs several times what these loops do, and most of a flood of records
/// is numbers.
fn decimal(mut v: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    for (i, d) in digits.iter_mut().enumerate().rev() {
        *d = b'0' + (v % 10) as u8;
        v /= 10;
        first = i;
        if v == 0 {
            break;
        }
    }
    &digits[first..]
}

fn write_hex(v: u64, out: &mut Vec<u8>) {
    let nibbles = (16 - v.leading_zeros() / 4).max(1);
    for n in (0..nibbles).rev() {
        let d = (v >> (4 * n) & 15) as u8;
        out.push(if d < 10 { b'0' + d } else { b'a' + d - 10 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INT: Ty = Ty::Int { size: 4, signed: true };
    const UINT: Ty = Ty::Int { size: 4, signed: false };
    const LONG: Ty = Ty::Int { size: 8, signed: true };
    const U8: Ty = Ty::Int { size: 1, signed: false };
    const STR: Ty = Ty::Str { size: 256 };

    fn conv(letter: u8, change: impl FnOnce(&mut Conv)) -> Conv {
        let mut c = Conv { letter, ..Conv::default() };
        change(&mut c);
        c
    }

    fn show(c: Conv, args: &[(Ty, Value<'_>)]) -> String {
        let format = Format { pieces: vec![Piece::Text(b"<".to_vec()), Piece::Conv(c), Piece::Text(b">".to_vec())] };
        let mut args = args.iter().copied();
        let mut out = Vec::new();
        printf(&format, &mut || args.next(), &Facts::new(), &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    fn int(letter: u8, ty: Ty, v: i64) -> String {
        show(conv(letter, |_| ()), &[(ty, Value::Int(v as u64))])
    }

    #[test]
    fn integers_have_their_arguments_size() {
        assert_eq!(int(b'd', INT, -1), "<-1>");
        assert_eq!(int(b'd', UINT, 0xc000_0001), "<-1073741823>");
        assert_eq!(int(b'u', UINT, 0xc000_0001), "<3221225473>");
        assert_eq!(int(b'x', UINT, 0xc000_0001), "<c0000001>");
        assert_eq!(int(b'x', INT, -1), "<ffffffff>");
        assert_eq!(int(b'X', LONG, -1), "<FFFFFFFFFFFFFFFF>");
        assert_eq!(int(b'o', U8, 255), "<377>");
        assert_eq!(int(b'd', U8, 255), "<255>");
        assert_eq!(int(b'i', U8, 255), "<-1>");
        assert_eq!(int(b'p', Ty::Ptr, 0xffff_8880_0000_1000u64 as i64), "<ffff888000001000>");
        assert_eq!(int(b'd', LONG, i64::MIN), "<-9223372036854775808>");
        assert_eq!(int(b'x', LONG, 0), "<0>");
        assert_eq!(int(b'c', INT, 'A' as i64), "<A>");
        assert_eq!(int(b'C', INT, '\n' as i64), "<\\n>");
    }

    #[test]
    fn flags_as_in_c() {
        let seven = |c| show(c, &[(INT, Value::Int(7))]);
        let width = |n| Some(Count::Number(n));
        assert_eq!(seven(conv(b'd', |c| c.width = width(4))), "<   7>");
        assert_eq!(seven(conv(b'd', |c| (c.width, c.minus) = (width(4), true))), "<7   >");
        assert_eq!(seven(conv(b'd', |c| (c.width, c.zero) = (width(4), true))), "<0007>");
        assert_eq!(seven(conv(b'd', |c| (c.width, c.zero, c.precision) = (width(4), true, width(2)))), "<  07>");
        assert_eq!(seven(conv(b'd', |c| (c.plus, c.space) = (true, true))), "<+7>");
        assert_eq!(seven(conv(b'd', |c| c.space = true)), "< 7>");
        assert_eq!(seven(conv(b'x', |c| (c.alt, c.width, c.zero) = (true, width(6), true))), "<0x0007>");
        assert_eq!(seven(conv(b'o', |c| c.alt = true)), "<07>");
        let million = show(conv(b'd', |c| c.group = true), &[(INT, Value::Int(1_234_567))]);
        assert_eq!(million, "<1,234,567>");
    }

    #[test]
    fn stars_take_arguments() {
        let c = conv(b's', |c| (c.width, c.precision) = (Some(Count::Star), Some(Count::Star)));
        let args = [(INT, Value::Int(6)), (INT, Value::Int(2)), (STR, Value::Str(b"abc"))];
        assert_eq!(show(c.clone(), &args), "<    ab>");
        let left = [(INT, Value::Int((-6i64) as u64)), (INT, Value::Int(0)), (STR, Value::Str(b"abc"))];
        assert_eq!(show(c.clone(), &left), "<abc   >");
        let huge = [(INT, Value::Int(i32::MAX as u64)), (INT, Value::Int(0)), (STR, Value::Str(b"a"))];
        assert_eq!(show(c, &huge).len(), WIDEST + 2);
    }

    #[test]
    fn strings_and_their_escapes() {
        let s = |letter, v| show(conv(letter, |_| ()), &[(STR, v)]);
        assert_eq!(s(b's', Value::Str(b"a\x1bb")), "<a\x1bb>");
        assert_eq!(s(b'S', Value::Str(b"a\x1b\"b\\\n")), "<a\\033\\\"b\\\\\\n>");
        assert_eq!(s(b's', Value::Mem(b"comm\0\0")), "<comm>");
    }

    #[test]
    fn what_is_missing_ends_the_text() {
        assert_eq!(show(conv(b'd', |_| ()), &[]), "<");
        assert_eq!(show(conv(b'%', |_| ()), &[]), "<%>");
    }
}
