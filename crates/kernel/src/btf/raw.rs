//! The bytes of a BTF: header, the two sections, and where each type record starts.
//!
//! ```text
//! header   magic u16 = 0xeb9f, version u8 = 1, flags u8, hdr_len u32,
//!          type_off u32, type_len u32, str_off u32, str_len u32      (offsets count from hdr_len)
//! record   name_off u32, info u32, size_or_type u32, tail
//! info     bits 0-15 vlen, 24-28 kind, 31 kind_flag
//! ```

use thiserror::Error;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 24;
/// Bytes of a record before its tail.
pub(super) const RECORD_BYTES: usize = 12;

/// Kind numbers as they stand in a record.
pub(super) mod code {
    pub const INT: u8 = 1;
    pub const PTR: u8 = 2;
    pub const ARRAY: u8 = 3;
    pub const STRUCT: u8 = 4;
    pub const UNION: u8 = 5;
    pub const ENUM: u8 = 6;
    pub const FWD: u8 = 7;
    pub const TYPEDEF: u8 = 8;
    pub const VOLATILE: u8 = 9;
    pub const CONST: u8 = 10;
    pub const RESTRICT: u8 = 11;
    pub const FUNC: u8 = 12;
    pub const FUNC_PROTO: u8 = 13;
    pub const VAR: u8 = 14;
    pub const DATASEC: u8 = 15;
    pub const FLOAT: u8 = 16;
    pub const DECL_TAG: u8 = 17;
    pub const TYPE_TAG: u8 = 18;
    pub const ENUM64: u8 = 19;
}

/// Why bytes are not a BTF that we can read. Offsets count from the first byte given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BtfError {
    /// Something starts inside the bytes and ends outside.
    #[error("BTF is cut short: {what} at offset {at:#x} needs {wanted} bytes, {had} are there")]
    Short {
        /// What was being read.
        what: &'static str,
        /// Where it starts.
        at: usize,
        /// Bytes it needs.
        wanted: usize,
        /// Bytes there are.
        had: usize,
    },
    /// The first two bytes are not BTF's.
    #[error("not BTF: magic number is {found:#06x}, expected 0xeb9f")]
    Magic {
        /// What stands there.
        found: u16,
    },
    /// BTF of a big-endian machine.
    #[error("BTF of a big-endian kernel, which is not supported")]
    BigEndian,
    /// A version that does not exist yet.
    #[error("BTF version {found} is not known, expected 1")]
    Version {
        /// What stands there.
        found: u8,
    },
    /// Sections overlap, or are not aligned.
    #[error("BTF {what} section at offset {at:#x} is misplaced")]
    Misplaced {
        /// "type" or "string".
        what: &'static str,
        /// Where the header says it is.
        at: usize,
    },
    /// A record of a kind whose length cannot be known.
    #[error("BTF type {id} at offset {at:#x} has unknown kind {kind}")]
    Kind {
        /// Its number, counted from 1 in its own section.
        id: u32,
        /// Where it starts.
        at: usize,
        /// The kind number.
        kind: u8,
    },
    /// The string section does not begin or end as it must, or is not text.
    #[error("BTF string section at offset {at:#x} {problem}")]
    Strings {
        /// Where the problem is.
        at: usize,
        /// What it is.
        problem: &'static str,
    },
}

/// The sections of one BTF, checked: every record lies inside `bytes`.
pub(super) struct Sections {
    /// From the header to the end of the type section.
    bytes: Vec<u8>,
    /// Where each record starts in `bytes`.
    starts: Vec<u32>,
    /// How many of them are functions.
    functions: u32,
    strings: String,
}

/// One record: its three words, and the tail of its kind.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub name: u32,
    pub kind: u8,
    /// How many entries the tail has; a function's linkage.
    pub vlen: u32,
    pub flag: bool,
    /// Size in bytes or number of the referred type, by kind.
    pub word: u32,
    /// Exactly the tail that the kind and count ask for.
    pub tail: &'a [u8],
}

/// The little-endian word at a byte offset; 0 outside, which a checked record never asks for.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

/// Bytes after the three words of a record.
fn tail_len(kind: u8, vlen: usize) -> Option<usize> {
    Some(match kind {
        code::INT | code::VAR | code::DECL_TAG => 4,
        code::ARRAY => 12,
        code::STRUCT | code::UNION | code::DATASEC | code::ENUM64 => vlen * 12,
        code::ENUM | code::FUNC_PROTO => vlen * 8,
        code::PTR
        | code::FWD
        | code::TYPEDEF
        | code::VOLATILE
        | code::CONST
        | code::RESTRICT
        | code::FUNC
        | code::FLOAT
        | code::TYPE_TAG => 0,
        _ => return None,
    })
}

/// Splits the second word of a record: kind, count, flag.
fn info(word: u32) -> (u8, usize, bool) {
    ((word >> 24 & 0x1f) as u8, (word & 0xffff) as usize, word >> 31 == 1)
}

impl Sections {
    /// Checks header and records. `whole` tells that this BTF has no base, so that its strings begin with the empty one.
    pub(super) fn parse(mut bytes: Vec<u8>, whole: bool) -> Result<Sections, BtfError> {
        if bytes.len() < HEADER_BYTES {
            return Err(BtfError::Short { what: "header", at: 0, wanted: HEADER_BYTES, had: bytes.len() });
        }
        let magic = word(&bytes, 0) as u16;
        if magic == MAGIC.swap_bytes() {
            return Err(BtfError::BigEndian);
        }
        if magic != MAGIC {
            return Err(BtfError::Magic { found: magic });
        }
        let version = (word(&bytes, 0) >> 16) as u8;
        if version != VERSION {
            return Err(BtfError::Version { found: version });
        }
        let header = word(&bytes, 4) as usize;
        if header < HEADER_BYTES {
            return Err(BtfError::Short { what: "header", at: 0, wanted: HEADER_BYTES, had: header });
        }
        let (types, types_end) = span(&bytes, header, 8, "type section")?;
        let (strings, strings_end) = span(&bytes, header, 16, "string section")?;
        if types % 4 != 0 {
            return Err(BtfError::Misplaced { what: "type", at: types });
        }
        if strings < types_end {
            return Err(BtfError::Misplaced { what: "string", at: strings });
        }
        bytes.truncate(strings_end);
        let text = take_strings(bytes.split_off(strings), strings, whole)?;
        bytes.truncate(types_end);
        let (starts, functions) = record_starts(&bytes, types)?;
        Ok(Sections { bytes, starts, functions, strings: text })
    }

    pub(super) fn len(&self) -> u32 {
        // A section is below 4 GiB and a record at least 12 bytes, so the count fits.
        self.starts.len() as u32
    }

    /// How many records are functions.
    pub(super) fn functions(&self) -> u32 {
        self.functions
    }

    pub(super) fn strings_len(&self) -> u32 {
        self.strings.len() as u32
    }

    /// The string that starts at an offset of this section, up to its NUL.
    pub(super) fn text(&self, offset: u32) -> &str {
        let rest = self.strings.get(offset as usize..).unwrap_or("");
        rest.find('\0').and_then(|end| rest.get(..end)).unwrap_or("")
    }

    /// A record by its place in this section, counted from 0.
    pub(super) fn record(&self, nth: u32) -> Option<Record<'_>> {
        let start = *self.starts.get(nth as usize)? as usize;
        let record = self.bytes.get(start..)?;
        let (kind, vlen, flag) = info(word(record, 4));
        let tail = record.get(RECORD_BYTES..RECORD_BYTES + tail_len(kind, vlen)?)?;
        Some(Record { name: word(record, 0), kind, vlen: vlen as u32, flag, word: word(record, 8), tail })
    }
}

/// Where a section named in the header starts and ends.
fn span(bytes: &[u8], header: usize, field: usize, what: &'static str) -> Result<(usize, usize), BtfError> {
    let at = header.saturating_add(word(bytes, field) as usize);
    let wanted = word(bytes, field + 4) as usize;
    match at.checked_add(wanted) {
        Some(end) if end <= bytes.len() => Ok((at, end)),
        _ => Err(BtfError::Short { what, at, wanted, had: bytes.len().saturating_sub(at) }),
    }
}

/// Checks the string section: an empty string first unless another BTF comes before, a NUL last, text throughout.
fn take_strings(bytes: Vec<u8>, at: usize, whole: bool) -> Result<String, BtfError> {
    if whole && bytes.first() != Some(&0) {
        return Err(BtfError::Strings { at, problem: "does not begin with the empty string" });
    }
    if bytes.last().is_some_and(|&last| last != 0) {
        return Err(BtfError::Strings { at: at + bytes.len() - 1, problem: "does not end with a NUL" });
    }
    String::from_utf8(bytes).map_err(|e| BtfError::Strings {
        at: at + e.utf8_error().valid_up_to(),
        problem: "holds a byte that is not text",
    })
}

/// Walks the type section: where each record starts, every one of them whole, and how many are functions.
fn record_starts(bytes: &[u8], types: usize) -> Result<(Vec<u32>, u32), BtfError> {
    // A kernel's records are 23 bytes on average, with their tails 35.
    let mut starts = Vec::with_capacity((bytes.len() - types) / 28);
    let mut functions = 0;
    let mut at = types;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let id = starts.len() as u32 + 1;
        let short = |wanted| BtfError::Short { what: "type record", at, wanted, had: rest.len() };
        let head = rest.first_chunk::<RECORD_BYTES>().ok_or_else(|| short(RECORD_BYTES))?;
        let (kind, vlen, _) = info(word(head, 4));
        let tail = tail_len(kind, vlen).ok_or(BtfError::Kind { id, at, kind })?;
        let len = RECORD_BYTES + tail;
        if rest.len() < len {
            return Err(short(len));
        }
        functions += u32::from(kind == code::FUNC);
        starts.push(at as u32);
        at += len;
    }
    Ok((starts, functions))
}
