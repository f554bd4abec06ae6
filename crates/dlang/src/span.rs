//! Where a thing stands in the D text.

/// A half-open byte range in one [`Source`](crate::source::Source); `file` is the index of the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub file: u16,
    pub lo: u32,
    pub hi: u32,
}

impl Span {
    pub fn new(file: u16, lo: u32, hi: u32) -> Self {
        Span { file, lo, hi }
    }

    /// The smallest span that covers both; the file is the first one's.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }
}
