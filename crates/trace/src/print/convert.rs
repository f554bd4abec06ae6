//! One printf conversion: DTrace's table, C's rules.
//!
//! | letter | value | prints |
//! |---|---|---|
//! | `d i u o x X` | integer | as C; `d` follows the argument's signedness |
//! | `c`, `C` | integer | a byte; `C` escapes it |
//! | `s`, `S` | string or char array | as C; `S` escapes |
//! | `p` | address | hexadecimal, no 0x unless `#` |
//! | `a`, `A` | address | ``module`symbol+0x12``; user addresses as 0x… |
//! | `k` | stack | its frames |
//! | `Y`, `T` | ns since 1970 | `2026 Nov 22 20:15:01`; RFC 822 |
//! | `P`, `I` | port, address text | the service's or host's name, if there is one |
//! | `e E f g G` | float | as C |
//! | `ws`, `ls` | array of 4-byte characters | UTF-8 |

use super::number::{digits, pad_left, pad_right};
use super::stack;
use crate::facts::Facts;
use crate::sys::names;
use lkd_codegen::record::Value;
use lkd_dlang::format::{Conv, Count};
use lkd_dlang::program::Ty;

/// A conversion ready for use: numbers in place of `*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    pub minus: bool,
    pub plus: bool,
    pub space: bool,
    pub alt: bool,
    pub zero: bool,
    pub group: bool,
    pub width: usize,
    /// DTrace takes `.0` as no precision at all.
    pub precision: Option<usize>,
    /// `ws`, `wc`, `ls`, `lc`
    pub wide: bool,
    pub letter: u8,
}

/// No field is wider; a wrong `*` must not fill the memory.
const WIDEST: usize = 4096;

impl Spec {
    pub fn new(conv: &Conv) -> Spec {
        let number = |count| match count {
            Some(Count::Number(n)) => (n as usize).min(WIDEST),
            _ => 0,
        };
        Spec {
            minus: conv.minus,
            plus: conv.plus,
            space: conv.space,
            alt: conv.alt,
            zero: conv.zero,
            group: conv.group,
            width: number(conv.width),
            precision: Some(number(conv.precision)).filter(|&p| p > 0),
            wide: matches!(conv.length.as_str(), "w" | "l") && matches!(conv.letter, b's' | b'c'),
            letter: conv.letter,
        }
    }

    /// With what the arguments gave for `*`; a negative width means left-aligned.
    pub fn with(&self, width: Option<i32>, precision: Option<i32>) -> Spec {
        let mut spec = *self;
        if let Some(w) = width {
            spec.width = (w.unsigned_abs() as usize).min(WIDEST);
            spec.minus |= w < 0;
        }
        if let Some(p) = precision {
            spec.precision = usize::try_from(p).ok().filter(|&p| p > 0).map(|p| p.min(WIDEST));
        }
        spec
    }

    /// Pads to the width with spaces.
    fn pad(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.minus { pad_right(text, self.width, out) } else { pad_left(text, self.width, b' ', out) }
    }

    /// A string: cut at the precision, then padded.
    fn string(&self, text: &[u8], out: &mut Vec<u8>) {
        let cut = self.precision.and_then(|p| text.get(..p)).unwrap_or(text);
        self.pad(cut, out);
    }
}

pub fn convert(spec: &Spec, value: Value<'_>, ty: Ty, facts: &Facts, out: &mut Vec<u8>) {
    match (spec.letter, value) {
        (b'k', Value::Stack(pcs)) => {
            // as in DTrace, a left-aligned width is the indentation, and any other leaves none
            let indent = if spec.minus { spec.width as u32 } else { 0 };
            stack::print(pcs, u32::MAX, indent, facts, out);
        }
        (b's' | b'S' | b'I', Value::Str(s)) => string(spec, s, out),
        (b's' | b'S' | b'I', Value::Mem(bytes)) if !spec.wide => {
            string(spec, bytes.split(|&c| c == 0).next().unwrap_or(bytes), out)
        }
        (b's', Value::Mem(bytes)) => {
            let chars =
                bytes.chunks_exact(4).map(|c| c.iter().rev().fold(0u32, |v, &b| v << 8 | u32::from(b)));
            let text: String = chars
                .take_while(|&c| c != 0)
                .map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect();
            spec.string(text.as_bytes(), out);
        }
        (b'e' | b'E' | b'f' | b'g' | b'G', value) => float(spec, value, ty, out),
        (_, Value::Int(n)) => integer(spec, n, ty, facts, out),
        // a string where a number is wanted (or the reverse) is the checker's to refuse; here it is shown as what it is
        (_, Value::Str(s)) | (_, Value::Mem(s)) => spec.string(s, out),
        (_, Value::Stack(_) | Value::Name(_)) => {}
    }
}

fn string(spec: &Spec, s: &[u8], out: &mut Vec<u8>) {
    match spec.letter {
        b'S' => spec.string(&escaped(s), out),
        b'I' => match std::str::from_utf8(s).ok().and_then(names::host) {
            Some(name) => spec.string(name.as_bytes(), out),
            None => spec.string(s, out),
        },
        _ => spec.string(s, out),
    }
}

fn integer(spec: &Spec, n: u64, ty: Ty, facts: &Facts, out: &mut Vec<u8>) {
    let (bits, signed) = match ty {
        Ty::Int { size, signed } => (u32::from(size.clamp(1, 8)) * 8, signed),
        _ => (64, false),
    };
    let narrow = n & (u64::MAX >> (64 - bits));
    match spec.letter {
        b'd' if !signed => number(spec, narrow, false, 10, out),
        b'd' | b'i' => {
            let wide = ((n << (64 - bits)) as i64) >> (64 - bits);
            number(spec, wide.unsigned_abs(), wide < 0, 10, out);
        }
        b'u' => number(spec, narrow, false, 10, out),
        b'o' => number(spec, narrow, false, 8, out),
        b'x' | b'X' | b'p' => number(spec, narrow, false, 16, out),
        b'c' if spec.wide => {
            let c = char::from_u32(narrow as u32).unwrap_or(char::REPLACEMENT_CHARACTER);
            spec.pad(c.encode_utf8(&mut [0; 4]).as_bytes(), out);
        }
        b'c' => spec.pad(&[n as u8], out),
        b'C' => spec.pad(&escaped(&[n as u8]), out),
        b'a' => spec.string(stack::name(n, facts).as_bytes(), out),
        b'A' => spec.string(format!("{n:#x}").as_bytes(), out),
        b'Y' => spec.string(names::calendar(n, false).as_bytes(), out),
        b'T' => spec.string(names::calendar(n, true).as_bytes(), out),
        b'P' => match names::service(narrow as u16) {
            Some(name) => spec.string(name.as_bytes(), out),
            None => spec.string((narrow as u16).to_string().as_bytes(), out),
        },
        // a number under a string's letter: shown as one
        _ => number(spec, narrow, false, 10, out),
    }
}

/// C's integer conversion: precision is the least number of digits, and switches the flag 0 off.
fn number(spec: &Spec, magnitude: u64, negative: bool, base: u64, out: &mut Vec<u8>) {
    let mut room = [0u8; 22];
    let text = digits(magnitude, base, spec.letter == b'X', &mut room);
    if spec.width == 0 && spec.precision.is_none() && !(spec.plus || spec.space || spec.alt || spec.group) {
        // the common case
        out.extend(negative.then_some(b'-'));
        out.extend_from_slice(text);
        return;
    }
    let signed = matches!(spec.letter, b'd' | b'i');
    let sign: &[u8] = match (negative, signed && spec.plus, signed && spec.space) {
        (true, ..) => b"-",
        (_, true, _) => b"+",
        (_, _, true) => b" ",
        _ => b"",
    };
    let prefix: &[u8] = match (spec.alt && magnitude != 0, base, spec.letter) {
        (true, 16, b'X') => b"0X",
        (true, 16, _) => b"0x",
        (true, 8, _) => b"0",
        _ => b"",
    };
    let mut body = Vec::with_capacity(32);
    let least = spec.precision.unwrap_or(1);
    pad_left(
        text,
        if base == 8 && !prefix.is_empty() { least.saturating_sub(1) } else { least },
        b'0',
        &mut body,
    );
    if spec.group && base == 10 {
        body = grouped(&body);
    }
    let used = sign.len() + prefix.len() + body.len();
    let room = spec.width.saturating_sub(used);
    let zeros = spec.zero && !spec.minus && spec.precision.is_none();
    if !spec.minus && !zeros {
        out.extend(std::iter::repeat_n(b' ', room));
    }
    out.extend_from_slice(sign);
    out.extend_from_slice(prefix);
    if zeros {
        out.extend(std::iter::repeat_n(b'0', room));
    }
    out.extend_from_slice(&body);
    if spec.minus {
        out.extend(std::iter::repeat_n(b' ', room));
    }
}

fn grouped(digits: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(digits.len() * 4 / 3 + 1);
    for (left, digit) in (0..digits.len()).rev().zip(digits) {
        out.push(*digit);
        if left > 0 && left % 3 == 0 {
            out.push(b',');
        }
    }
    out
}

/// A float of 4 or 8 bytes; other sizes have no value that this machine could print.
fn float(spec: &Spec, value: Value<'_>, ty: Ty, out: &mut Vec<u8>) {
    let number = match (value, ty) {
        (Value::Int(n), Ty::Int { size: 4, .. }) => Some(f64::from(f32::from_bits(n as u32))),
        (Value::Int(n), _) => Some(f64::from_bits(n)),
        (Value::Mem(&[a, b, c, d]), _) => Some(f64::from(f32::from_le_bytes([a, b, c, d]))),
        (Value::Mem(&[a, b, c, d, e, f, g, h]), _) => Some(f64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    };
    let Some(number) = number else { return };
    let mut format = String::from("%");
    for (set, flag) in
        [(spec.alt, '#'), (spec.zero, '0'), (spec.minus, '-'), (spec.plus, '+'), (spec.space, ' ')]
    {
        format.extend(set.then_some(flag));
    }
    if spec.width > 0 {
        format += &spec.width.to_string();
    }
    if let Some(p) = spec.precision {
        format += &format!(".{p}");
    }
    format.push(char::from(spec.letter));
    out.extend_from_slice(&names::c_double(&format, number));
}

/// As C would write it inside quotes: `\n`, `\t`, `\0`, octal for the rest.
fn escaped(s: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(s.len());
    for &c in s {
        let letter = match c {
            0 => Some(b'0'),
            7 => Some(b'a'),
            8 => Some(b'b'),
            b'\t' => Some(b't'),
            b'\n' => Some(b'n'),
            11 => Some(b'v'),
            12 => Some(b'f'),
            b'\r' => Some(b'r'),
            b'"' => Some(b'"'),
            b'\\' => Some(b'\\'),
            _ => None,
        };
        match letter {
            Some(l) => out.extend_from_slice(&[b'\\', l]),
            None if (b' '..=b'~').contains(&c) => out.push(c),
            None => out.extend_from_slice(format!("\\{c:03o}").as_bytes()),
        }
    }
    out
}
