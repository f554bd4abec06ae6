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
