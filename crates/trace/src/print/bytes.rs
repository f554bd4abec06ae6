//! Values without a number's shape: strings in their column, memory as text if it looks like text, else as a table.

use std::io::Write as _;

/// trace() of a string.
pub fn string(s: &[u8], quiet: bool, out: &mut Vec<u8>) {
    if quiet {
        out.extend_from_slice(s);
    } else {
        out.extend_from_slice(b"  ");
        out.extend_from_slice(s);
        out.resize(out.len() + 33usize.saturating_sub(s.len()), b' ');
    }
}

/// trace() of a struct or an array: a string if every byte up to the first NUL can be shown and only NULs follow.
pub fn memory(b: &[u8], quiet: bool, raw: bool, out: &mut Vec<u8>) {
    let text = b.iter().position(|c| *c == 0).unwrap_or(b.len());
    let (head, tail) = b.split_at(text);
    let shown = |c: &u8| c.is_ascii_graphic() || matches!(c, b' ' | 0x07..=0x0d);
    if !raw && !head.is_empty() && head.iter().all(shown) && tail.iter().all(|c| *c == 0) {
        return string(head, quiet, out);
    }
    table(b, out);
}

/// Sixteen bytes a row, as hexadecimal numbers and as characters.
pub fn table(b: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n           ");
    for digit in "0123456789abcdef".chars() {
        let _ = write!(out, "  {digit}");
    }
    out.extend_from_slice(b"  0123456789abcdef\n");
    for (row, chunk) in b.chunks(16).enumerate() {
        let _ = write!(out, "     {:5x}:", row * 16);
        for byte in chunk {
            let _ = write!(out, " {byte:02x}");
        }
        out.resize(out.len() + 3 * (16 - chunk.len()) + 2, b' ');
        out.extend(chunk.iter().map(|c| if (b' '..=b'~').contains(c) { *c } else { b'.' }));
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(b: &[u8], quiet: bool, raw: bool) -> String {
        let mut out = Vec::new();
        memory(b, quiet, raw, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(shown(b"bash\0\0\0", true, false), "bash");
        assert_eq!(shown(b"bash\0\0\0", false, false), format!("  {:33}", "bash"));
    }

    #[test]
    fn bytes_become_a_table() {
        let want = "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n         0: 00 41 ff                                         .A.\n";
        assert_eq!(shown(b"\0A\xff", false, false), want);
        assert!(shown(b"bash\0", false, true).contains("62 61 73 68 00"));
        assert!(shown(b"a\0b", false, false).contains("61 00 62"));
    }
}
