//! printf's format string, taken apart once by the checker and walked by the consumer.

/// The pieces in order. [`Piece::Conv`]s consume the action's arguments from left to right: first its `*` width, then its `*`
/// precision, then the value, as C does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Format {
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(Vec<u8>),
    Conv(Conv),
}

/// `%[flags][width][.precision][length]letter`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conv {
    pub minus: bool,
    pub plus: bool,
    pub space: bool,
    pub alt: bool,
    pub zero: bool,
    /// `'`: thousands are grouped.
    pub group: bool,
    /// `@`: an aggregation's value (printa).
    pub agg: bool,
    pub width: Option<Count>,
    pub precision: Option<Count>,
    /// The length prefix as written (`l`, `ll`, `h`, …): allowed, without meaning, as in DTrace.
    pub length: String,
    /// The conversion: `d i o u x X c C s S p e E f g G a A k Y T b n m w S` … DTrace's table.
    pub letter: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Number(u32),
    /// `*`: taken from the arguments.
    Star,
}

/// A format string that is none. `conversion` counts from 1, as DTrace's messages do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormatError {
    TwoStars {
        conversion: usize,
    },
    TwoDots {
        conversion: usize,
    },
    /// `%1$d`
    Positional {
        conversion: usize,
    },
    /// `%5%`
    FlagsOnPercent {
        conversion: usize,
    },
    /// The string ends within a conversion.
    Unfinished {
        conversion: usize,
    },
    /// The length and letter do not make a conversion.
    Undefined {
        conversion: usize,
        name: String,
    },
    /// A width or precision above [`MAX_COUNT`].
    TooWide {
        conversion: usize,
    },
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FormatError::TwoStars { conversion: n } => {
                write!(f, "format conversion #{n} has more than one '*' specified")
            }
            FormatError::TwoDots { conversion: n } => {
                write!(f, "format conversion #{n} has more than one '.' specified")
            }
            FormatError::Positional { conversion: n } => {
                write!(f, "format conversion #{n} uses unsupported positional format (%n$)")
            }
            FormatError::FlagsOnPercent { conversion: n } => {
                write!(f, "format conversion #{n} cannot be combined with other format flags: %%")
            }
            FormatError::Unfinished { conversion: n } => {
                write!(f, "format conversion #{n} name expected before end of format string")
            }
            FormatError::Undefined { conversion: n, name } => {
                write!(f, "format conversion #{n} is undefined: %{name}")
            }
            FormatError::TooWide { conversion: n } => {
                write!(f, "format conversion #{n} has a width or precision above {MAX_COUNT}")
            }
        }
    }
}

impl std::error::Error for FormatError {}

/// Columns of one conversion; more is a slip of the keyboard.
pub const MAX_COUNT: u32 = 65_535;

/// The lengths that go with each letter; "" is always allowed.
const LETTERS: &[(&[u8], &[&str])] = &[
    (b"diouxX", &["h", "l", "ll"]),
    (b"c", &["l", "w"]),
    (b"s", &["l", "w"]),
    (b"eEfgG", &["L"]),
    (b"aACIkpPSTY", &[]),
];

impl Format {
    /// Takes a format string apart. Neighbouring text, `%%` included, is one piece.
    ///
    /// # Errors
    /// The first conversion that is none.
    pub fn parse(text: &[u8]) -> Result<Format, FormatError> {
        let mut pieces = Vec::new();
        let mut plain: Vec<u8> = Vec::new();
        let mut rest = text;
        let mut conversion = 0;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            if byte != b'%' {
                plain.push(byte);
                continue;
            }
            conversion += 1;
            if let Some(tail) = rest.strip_prefix(b"%") {
                plain.push(b'%');
                rest = tail;
                continue;
            }
            let (conv, tail) = parse_conv(rest, conversion)?;
            rest = tail;
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Conv(conv));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Format { pieces })
    }
}

/// What follows a `%`, and the rest of the string.
fn parse_conv(mut rest: &[u8], conversion: usize) -> Result<(Conv, &[u8]), FormatError> {
    let mut conv = Conv::default();
    let mut dot = false;
    loop {
        let Some((&byte, tail)) = rest.split_first() else {
            return Err(FormatError::Unfinished { conversion });
        };
        match byte {
            b'0' if !dot && conv.width.is_none() => {
                conv.zero = !conv.minus;
                rest = tail;
            }
            b'0'..=b'9' => {
                let (n, tail) = digits(rest).ok_or(FormatError::TooWide { conversion })?;
                *if dot { &mut conv.precision } else { &mut conv.width } = Some(Count::Number(n));
                rest = tail;
            }
            b'*' => {
                let count = if dot { &mut conv.precision } else { &mut conv.width };
                if *count == Some(Count::Star) {
                    return Err(FormatError::TwoStars { conversion });
                }
                *count = Some(Count::Star);
                rest = tail;
            }
            b'.' if dot => return Err(FormatError::TwoDots { conversion }),
            b'.' => {
                dot = true;
                // A bare dot is a precision of 0, as in C.
                conv.precision = Some(Count::Number(0));
                rest = tail;
            }
            b'?' => {
                // As wide as an address in hexadecimal.
                conv.width = Some(Count::Number(16));
                rest = tail;
            }
            b'-' => {
                conv.minus = true;
                conv.zero = false;
                rest = tail;
            }
            b'#' | b'+' | b' ' | b'\'' | b'@' => {
                let flag = match byte {
                    b'#' => &mut conv.alt,
                    b'+' => &mut conv.plus,
                    b' ' => &mut conv.space,
                    b'@' => &mut conv.agg,
                    _ => &mut conv.group,
                };
                *flag = true;
                rest = tail;
            }
            b'$' => return Err(FormatError::Positional { conversion }),
            b'%' => return Err(FormatError::FlagsOnPercent { conversion }),
            b'h' | b'l' | b'L' | b'w' => {
                if conv.length.len() < 4 {
                    conv.length.push(char::from(byte));
                }
                rest = tail;
            }
            letter => {
                conv.letter = letter;
                let known = LETTERS.iter().find(|(letters, _)| letters.contains(&letter));
                if !known.is_some_and(|(_, lengths)| {
                    conv.length.is_empty() || lengths.contains(&conv.length.as_str())
                }) {
                    return Err(FormatError::Undefined { conversion, name: conv.name() });
                }
                return Ok((conv, tail));
            }
        }
    }
}

fn digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    let n = number.iter().try_fold(0u32, |n, d| n.checked_mul(10)?.checked_add(u32::from(d - b'0')))?;
    (n <= MAX_COUNT).then_some((n, rest))
}

impl Conv {
    /// Length and letter: `lld`, `s`. What no terminal should get is shown escaped.
    pub fn name(&self) -> String {
        format!("{}{}", self.length, self.letter.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conv(text: &str) -> Conv {
        match Format::parse(text.as_bytes()).expect("a format").pieces.as_slice() {
            [Piece::Conv(c)] => c.clone(),
            other => panic!("{text} is {other:?}"),
        }
    }

    #[test]
    fn conversions_are_taken_apart() {
        let d = Conv { letter: b'd', ..Conv::default() };
        assert_eq!(conv("%d"), d);
        assert_eq!(
            conv("%-8.3d"),
            Conv {
                minus: true,
                width: Some(Count::Number(8)),
                precision: Some(Count::Number(3)),
                ..d.clone()
            }
        );
        assert_eq!(conv("%08d"), Conv { zero: true, width: Some(Count::Number(8)), ..d.clone() });
        assert_eq!(
            conv("%*.*lld"),
            Conv { width: Some(Count::Star), precision: Some(Count::Star), length: "ll".into(), ..d.clone() }
        );
        assert_eq!(conv("%?p"), Conv { width: Some(Count::Number(16)), letter: b'p', ..Conv::default() });
        assert_eq!(conv("%#'+ d"), Conv { alt: true, group: true, plus: true, space: true, ..d.clone() });
        assert_eq!(conv("%.d").precision, Some(Count::Number(0)));
        assert_eq!(conv("%10d").width, Some(Count::Number(10)));
    }

    #[test]
    fn text_and_percent_signs_join() {
        let f = Format::parse(b"100%% of %d\n").expect("a format");
        assert_eq!(f.pieces.len(), 3);
        assert_eq!(f.pieces.first(), Some(&Piece::Text(b"100% of ".to_vec())));
        assert!(Format::parse(b"").expect("a format").pieces.is_empty());
    }

    #[test]
    fn errors_count_conversions_from_one() {
        let error = |t: &str| Format::parse(t.as_bytes()).expect_err("no format").to_string();
        assert_eq!(error("%d %q"), "format conversion #2 is undefined: %q");
        assert_eq!(error("%hs"), "format conversion #1 is undefined: %hs");
        assert_eq!(error("%"), "format conversion #1 name expected before end of format string");
        assert_eq!(error("%..d"), "format conversion #1 has more than one '.' specified");
        assert_eq!(error("%1$d"), "format conversion #1 uses unsupported positional format (%n$)");
        assert_eq!(error("%5%"), "format conversion #1 cannot be combined with other format flags: %%");
        assert!(error("%99999999999d").contains("width"));
    }
}
