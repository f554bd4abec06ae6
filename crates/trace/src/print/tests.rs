//! Conversions and default forms, data-driven: what DTrace's own printf gives for the same argument.

use super::convert::{Spec, convert};
use super::*;
use lkd_dlang::format::{Conv, Count};

const INT: Ty = Ty::Int { size: 4, signed: true };
const UINT: Ty = Ty::Int { size: 4, signed: false };
const LONG: Ty = Ty::Int { size: 8, signed: true };
const ULONG: Ty = Ty::Int { size: 8, signed: false };
const I8: Ty = Ty::Int { size: 1, signed: true };
const U8: Ty = Ty::Int { size: 1, signed: false };
const U16: Ty = Ty::Int { size: 2, signed: false };
const STR: Ty = Ty::Str { size: 256 };

/// `%-08.3ld` taken apart, as the checker does it.
fn conv(text: &str) -> Conv {
    let mut c = Conv::default();
    let mut rest = text.strip_prefix('%').expect("a conversion");
    loop {
        match rest.chars().next() {
            Some('-') => c.minus = true,
            Some('+') => c.plus = true,
            Some(' ') => c.space = true,
            Some('#') => c.alt = true,
            Some('0') => c.zero = true,
            Some('\'') => c.group = true,
            _ => break,
        }
        rest = &rest[1..];
    }
    let number = |rest: &mut &str| {
        let end = rest.find(|d: char| !d.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        *rest = after;
        digits.parse().ok().map(Count::Number)
    };
    c.width = number(&mut rest);
    if let Some(after) = rest.strip_prefix('.') {
        rest = after;
        c.precision = number(&mut rest);
    }
    let (length, letter) = rest.split_at(rest.len() - 1);
    c.length = length.to_owned();
    c.letter = letter.as_bytes()[0];
    c
}

fn show(format: &str, ty: Ty, value: Value<'_>) -> String {
    let mut out = Vec::new();
    convert(&Spec::new(&conv(format)), value, ty, &Facts::new(), &mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn integers() {
    let table = [
        ("%d", INT, -1, "-1"),
        // DTrace turns %d of an unsigned argument into %u
        ("%d", UINT, 0xc000_0001, "3221225473"),
        ("%i", UINT, 0xc000_0001, "-1073741823"),
        ("%u", UINT, 0xc000_0001, "3221225473"),
        ("%u", INT, -1, "4294967295"),
        ("%x", UINT, 0xc000_0001, "c0000001"),
        ("%x", INT, -1, "ffffffff"),
        ("%lx", INT, -1, "ffffffff"),
        ("%X", LONG, -1, "FFFFFFFFFFFFFFFF"),
        ("%x", I8, -1, "ff"),
        ("%o", U8, 255, "377"),
        ("%d", U8, 255, "255"),
        ("%i", U8, 255, "-1"),
        ("%d", U16, 65535, "65535"),
        ("%p", Ty::Ptr, 0xffff_8880_0000_1000u64 as i64, "ffff888000001000"),
        ("%#p", Ty::Ptr, 0x1000, "0x1000"),
        ("%d", LONG, i64::MIN, "-9223372036854775808"),
        ("%d", ULONG, -1, "18446744073709551615"),
        ("%x", LONG, 0, "0"),
        ("%#x", LONG, 0, "0"),
        ("%c", INT, 'A' as i64, "A"),
        ("%3c", INT, 'A' as i64, "  A"),
        ("%C", INT, '\n' as i64, "\\n"),
        ("%C", INT, 200, "\\310"),
        ("%wc", INT, 0x20ac, "€"),
        ("%a", Ty::Ptr, 0x10, "0x10"),
        ("%A", Ty::Ptr, 0x1000, "0x1000"),
        ("%P", U16, 1, "tcpmux"),
        ("%P", U16, 65000, "65000"),
    ];
    for (format, ty, value, want) in table {
        if format == "%P" && crate::sys::names::service(1).is_none() && value == 1 {
            continue; // no list of services on this machine
        }
        assert_eq!(show(format, ty, Value::Int(value as u64)), want, "{format} of {value}");
    }
}

#[test]
fn flags_as_in_c() {
    let table = [
        ("%4d", 7, "   7"),
        ("%-4d", 7, "7   "),
        ("%04d", 7, "0007"),
        ("%04d", -7, "-007"),
        ("%-04d", 7, "7   "),
        ("%04.2d", 7, "  07"),
        ("%.3d", -7, "-007"),
        ("%+ d", 7, "+7"),
        ("% d", 7, " 7"),
        ("%+u", 7, "7"),
        ("%#x", 7, "0x7"),
        ("%#X", 255, "0XFF"),
        ("%#06x", 7, "0x0007"),
        ("%#6x", 7, "   0x7"),
        ("%#o", 7, "07"),
        ("%#o", 0, "0"),
        ("%'d", 1_234_567, "1,234,567"),
        ("%'d", -999, "-999"),
        ("%'12d", 1_234_567, "   1,234,567"),
        // a precision of 0 is none at all in DTrace
        ("%.0d", 0, "0"),
    ];
    for (format, value, want) in table {
        assert_eq!(show(format, INT, Value::Int(value as i64 as u64)), want, "{format} of {value}");
    }
}

#[test]
fn strings() {
    let table: [(&str, Value<'_>, &str); 9] = [
        ("%s", Value::Str(b"abc"), "abc"),
        ("%6s", Value::Str(b"abc"), "   abc"),
        ("%-6s", Value::Str(b"abc"), "abc   "),
        ("%.2s", Value::Str(b"abc"), "ab"),
        ("%s", Value::Str(b""), ""),
        ("%S", Value::Str(b"a\x1b\"b\\\n\0"), "a\\033\\\"b\\\\\\n\\0"),
        ("%s", Value::Mem(b"comm\0\0\0"), "comm"),
        ("%ws", Value::Mem(b"h\0\0\0\xac\x20\0\0\0\0\0\0z\0\0\0"), "h€"),
        ("%I", Value::Str(b"not an address"), "not an address"),
    ];
    for (format, value, want) in table {
        assert_eq!(show(format, STR, value), want, "{format} of {value:?}");
    }
}

#[test]
fn floats_as_in_c() {
    let table = [
        ("%f", 1.5, "1.500000"),
        ("%.2e", 12345.678, "1.23e+04"),
        ("%g", 0.0001, "0.0001"),
        ("%8.1f", -2.25, "    -2.2"),
    ];
    for (format, value, want) in table {
        assert_eq!(show(format, ULONG, Value::Int(f64::to_bits(value))), want, "{format} of {value}");
    }
    assert_eq!(show("%f", UINT, Value::Int(u64::from(1.5f32.to_bits()))), "1.500000");
}

#[test]
fn times_have_dtraces_two_forms() {
    let ns = Value::Int(86_400_000_000_000 * 20_000 + 3_723_000_000_000);
    let (y, t) = (show("%Y", LONG, ns), show("%T", LONG, ns));
    // the zone is the machine's: shape and year are the same everywhere
    assert_eq!((y.len(), &y[..9]), (20, "2024 Oct "), "{y}");
    assert!(t.contains(" Oct 2024 ") && t.contains(", "), "{t}");
}

#[test]
fn stars_take_numbers_and_keep_within_bounds() {
    let spec = Spec::new(&conv("%s"));
    let text = |w, p| {
        let mut out = Vec::new();
        convert(&spec.with(Some(w), Some(p)), Value::Str(b"abc"), STR, &Facts::new(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    assert_eq!(text(6, 2), "    ab");
    assert_eq!(text(-6, 0), "abc   ");
    assert_eq!(text(0, -1), "abc");
    assert_eq!(text(i32::MAX, 0).len(), 4096);
    assert_eq!(text(i32::MIN, 0).len(), 4096);
}

#[test]
fn trace_shows_by_size() {
    let loud = Style::default();
    let quiet = Style { quiet: true, ..loud };
    let shown = |ty, v: i64, style| {
        let mut out = Vec::new();
        trace(Value::Int(v as u64), ty, style, &mut out);
        String::from_utf8(out).expect("ASCII")
    };
    for (ty, value, want, want_quiet) in [
        (LONG, -5, "               -5", "-5"),
        (UINT, 0xffff_fffe, "       -2", "-2"),
        (U16, 65535, " 65535", "65535"),
        (I8, -1, " 255", "255"),
        (Ty::Ptr, 4096, "             4096", "4096"),
    ] {
        assert_eq!(shown(ty, value, loud), want);
        assert_eq!(shown(ty, value, quiet), want_quiet);
    }
}

#[test]
fn bytes_are_text_or_a_table() {
    let shown = |bytes: &[u8], style| {
        let mut out = Vec::new();
        trace(Value::Mem(bytes), Ty::Mem { size: bytes.len() as u32 }, style, &mut out);
        String::from_utf8(out).expect("ASCII")
    };
    let loud = Style::default();
    assert_eq!(shown(b"swapper\0\0", loud), format!("  {:<33}", "swapper"));
    assert_eq!(shown(&[1, 0, 0, 0], loud), "        1", "four bytes are an int");
    let table = "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n     \
                 \x20   0: 41 00 42                                         A.B\n";
    assert_eq!(shown(b"A\0B", loud), table);
    assert_eq!(
        shown(b"ABC", Style { rawbytes: true, ..loud }).lines().nth(2),
        Some("         0: 41 42 43                                         ABC")
    );
}

mod any {
    use super::*;
    use proptest::prelude::*;

    fn any_conv() -> impl Strategy<Value = Conv> {
        let count =
            || proptest::option::of(prop_oneof![any::<u32>().prop_map(Count::Number), Just(Count::Star)]);
        let flags = any::<[bool; 6]>();
        (flags, count(), count(), prop_oneof!["", "l", "ll", "h", "w"], any::<u8>()).prop_map(
            |([minus, plus, space, alt, zero, group], width, precision, length, letter)| Conv {
                minus,
                plus,
                space,
                alt,
                zero,
                group,
                agg: false,
                width,
                precision,
                length,
                // half of them real ones
                letter: *b"diouxXcCsSpeEfgGaAkYTPI".get(usize::from(letter)).unwrap_or(&letter),
            },
        )
    }

    fn any_ty() -> impl Strategy<Value = Ty> {
        prop_oneof![
            (any::<u8>(), any::<bool>()).prop_map(|(size, signed)| Ty::Int { size, signed }),
            Just(Ty::Ptr),
            Just(Ty::Void),
            Just(STR),
        ]
    }

    proptest! {
        /// Whatever the format and the value: an answer, and not a flood.
        #[test]
        fn no_conversion_panics_or_fills_the_memory(
            c in any_conv(), ty in any_ty(), n in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 0..64),
            star in any::<(Option<i32>, Option<i32>)>(),
        ) {
            // a host's name may be asked of a server: not here
            prop_assume!(c.letter != b'I');
            let facts = Facts::new();
            for value in [Value::Int(n), Value::Str(&bytes), Value::Mem(&bytes), Value::Stack(&[])] {
                let mut out = Vec::new();
                convert(&Spec::new(&c).with(star.0, star.1), value, ty, &facts, &mut out);
                prop_assert!(out.len() < 20_000, "{} bytes", out.len());
            }
        }

        /// `%d`, `%x`, `%o` read back give the number.
        #[test]
        fn numbers_read_back(n in any::<u64>()) {
            prop_assert_eq!(show("%d", ULONG, Value::Int(n)).parse::<u64>(), Ok(n));
            prop_assert_eq!(show("%d", LONG, Value::Int(n)).parse::<i64>(), Ok(n as i64));
            prop_assert_eq!(u64::from_str_radix(&show("%x", ULONG, Value::Int(n)), 16), Ok(n));
            prop_assert_eq!(u64::from_str_radix(&show("%o", ULONG, Value::Int(n)), 8), Ok(n));
        }
    }
}
