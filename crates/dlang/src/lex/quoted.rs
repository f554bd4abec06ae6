//! Strings and character constants: where they end and what their escapes mean.

/// The end of a quoted text that starts at `text[0]`: past the closing quote, or before the newline that interrupts it.
pub(super) enum End {
    Closed(usize),
    Newline(usize),
}

pub(super) fn end(text: &[u8]) -> End {
    let quote = text.first();
    let mut at = 1;
    loop {
        match text.get(at) {
            None | Some(b'\n') => return End::Newline(at),
            Some(b'\\') if !matches!(text.get(at + 1), None | Some(b'\n')) => at += 2,
            b if b == quote => return End::Closed(at + 1),
            Some(_) => at += 1,
        }
    }
}

/// C's escapes. An unknown one stays as it is written, backslash included, as in DTrace.
pub(super) fn decode(mut text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    while let [b, rest @ ..] = text {
        text = rest;
        if *b != b'\\' {
            out.push(*b);
            continue;
        }
        let [escape, rest @ ..] = text else {
            out.push(b'\\');
            break;
        };
        text = rest;
        match escape {
            b'0'..=b'7' => {
                let mut value = escape - b'0';
                for _ in 0..2 {
                    let [d @ b'0'..=b'7', rest @ ..] = text else { break };
                    value = value.wrapping_mul(8).wrapping_add(d - b'0');
                    text = rest;
                }
                out.push(value);
            }
            b'x' => {
                let mut value = 0u8;
                while let Some(d) = text.first().and_then(|d| (*d as char).to_digit(16)) {
                    value = value.wrapping_mul(16).wrapping_add(d as u8);
                    text = text.get(1..).unwrap_or_default();
                }
                out.push(value);
            }
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'"' | b'\\' | b'\'' | b'?' => out.push(*escape),
            other => out.extend([b'\\', *other]),
        }
    }
    out
}

/// The value of a character constant: the first byte is the most significant; `None` if it has more than eight.
pub(super) fn fold(bytes: &[u8]) -> Option<i64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0u64, |v, b| (v << 8) | u64::from(*b)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(decode(br"a\tb\n\\\"), b"a\tb\n\\\\");
        assert_eq!(decode(br"\0\1012\x41g\x"), b"\0A2Ag\0");
        assert_eq!(decode(br#"\"\'\?\q\377"#), b"\"'?\\q\xff");
    }

    #[test]
    fn ends() {
        let closed = |t: &str| match end(t.as_bytes()) {
            End::Closed(n) => Some(n),
            End::Newline(_) => None,
        };
        assert_eq!(closed(r#""a\"b" c"#), Some(6));
        assert_eq!(closed(r#""a\\" c"#), Some(5));
        assert_eq!(closed("\"a\n\""), None);
        assert_eq!(closed("\"a\\\n\""), None);
        assert_eq!(closed("\"a\\"), None);
        assert_eq!(closed("'\\''"), Some(4));
    }

    #[test]
    fn characters_fold_most_significant_first() {
        assert_eq!(fold(b"a"), Some(97));
        assert_eq!(fold(b"ab"), Some(0x6162));
        assert_eq!(fold(b"\xff"), Some(255));
        assert_eq!(fold(b"12345678"), Some(0x3132_3334_3536_3738));
        assert_eq!(fold(b"123456789"), None);
    }
}
