//! Shapes of the records in the ring: the emitter and the decoder read this page.
//!
//! ```text
//! 0           4           8         12         16
//! +-----------+-----------+---------+----------+------------------------------------------------
//! | clause u32| probe u32 | cpu u32 | kind u32 | the clause's fields, each aligned to its size …
//! +-----------+-----------+---------+----------+------------------------------------------------
//!
//! kind 1, data:  the fields of ClauseLayout; the length is ClauseLayout::size, a multiple of 8
//! kind 2, error: 16 action u32 | 20 fault u32 | 24 value u64 | 32 insn u32 | 36 epid u32
//! ```
//!
//! Little endian. A string has a slot of its size limit; bytes after its NUL mean nothing. A stack is the number of bytes
//! stored (`i64`, negative: the kernel's error) and then room for all its frames. Records lie in the ring in the order in which
//! they were made.

use lkd_dlang::program::Ty;

pub const HEADER: u32 = 16;
pub const H_CLAUSE: u32 = 0;
pub const H_PROBE: u32 = 4;
pub const H_CPU: u32 = 8;
pub const H_KIND: u32 = 12;
pub const KIND_DATA: u32 = 1;
pub const KIND_ERROR: u32 = 2;
pub const E_ACTION: u32 = 16;
pub const E_FAULT: u32 = 20;
pub const E_VALUE: u32 = 24;
pub const E_INSN: u32 = 32;
pub const E_EPID: u32 = 36;
pub const ERROR_SIZE: u32 = 40;

/// How one clause's record is laid out. A clause that leaves no record has size 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClauseLayout {
    /// Bytes, header included.
    pub size: u32,
    /// Those of the clause's actions that show something, in order.
    pub actions: Vec<ActionLayout>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionLayout {
    /// Index into [`Clause::stmts`](lkd_dlang::program::Clause).
    pub stmt: u32,
    /// printf: one per argument; trace, exit, stack: one; default action: none.
    pub fields: Vec<Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub ty: Ty,
    pub source: Source,
}

/// Where a field's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In the record.
    Bytes { offset: u32, len: u32 },
    /// In the record: an `i64` count of bytes, then the frames.
    Stack { offset: u32, frames: u32 },
    /// Known when compiling: extended to 64 bits.
    Int(u64),
    /// Known when compiling: without the NUL.
    Text(Vec<u8>),
    /// Part of the probe's name: the record's probe id says it.
    Name(NamePart),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamePart {
    Provider,
    Module,
    Function,
    Name,
}

/// DTrace's fault codes (`DTRACEFLT_…`), as `arg4` of dtrace:::ERROR has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    BadAddr = 1,
    IllOp = 3,
    DivZero = 4,
    NoScratch = 5,
    BadStack = 9,
}

/// A record as it lies in the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    Data(Data<'a>),
    Error(ErrorRecord),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    pub clause: u32,
    pub probe: u32,
    pub cpu: u32,
    bytes: &'a [u8],
}

/// A clause that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRecord {
    pub clause: u32,
    pub probe: u32,
    pub cpu: u32,
    /// Which statement of the clause, from 1; 0 is the predicate.
    pub action: u32,
    /// [`Fault`] or another of DTrace's codes.
    pub fault: u32,
    /// The address, or what else was illegal.
    pub value: u64,
    /// Slot of the program where it happened.
    pub insn: u32,
    pub epid: u32,
}

/// A field's value, borrowed from the record or from the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Extended to 64 bits as its type says.
    Int(u64),
    /// Up to its NUL.
    Str(&'a [u8]),
    Mem(&'a [u8]),
    /// Return addresses, innermost first: 8 bytes each.
    Stack(&'a [u8]),
    Name(NamePart),
}

/// The bytes are no record, or not one of this clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRecord;

impl std::fmt::Display for BadRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a record in the ring is shorter than its clause's layout or of an unknown kind")
    }
}

impl std::error::Error for BadRecord {}

impl<'a> Record<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, BadRecord> {
        let (clause, probe, cpu) = (u32_at(bytes, H_CLAUSE)?, u32_at(bytes, H_PROBE)?, u32_at(bytes, H_CPU)?);
        match u32_at(bytes, H_KIND)? {
            KIND_DATA => Ok(Record::Data(Data { clause, probe, cpu, bytes })),
            KIND_ERROR => Ok(Record::Error(ErrorRecord {
                clause,
                probe,
                cpu,
                action: u32_at(bytes, E_ACTION)?,
                fault: u32_at(bytes, E_FAULT)?,
                value: u64_at(bytes, E_VALUE)?,
                insn: u32_at(bytes, E_INSN)?,
                epid: u32_at(bytes, E_EPID)?,
            })),
            _ => Err(BadRecord),
        }
    }
}

impl<'a> Data<'a> {
    /// The whole record, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The value of one of the clause's fields.
    pub fn value<'l: 'a>(&self, field: &'l Field) -> Result<Value<'a>, BadRecord> {
        Ok(match &field.source {
            Source::Int(v) => Value::Int(*v),
            Source::Text(t) => Value::Str(t),
            Source::Name(part) => Value::Name(*part),
            Source::Bytes { offset, len } => {
                let b = slice(self.bytes, *offset, *len)?;
                match field.ty {
                    Ty::Str { .. } => Value::Str(b.split(|&c| c == 0).next().unwrap_or(b)),
                    Ty::Mem { .. } | Ty::Void => Value::Mem(b),
                    Ty::Ptr => Value::Int(extend(b, false)),
                    Ty::Int { signed, .. } => Value::Int(extend(b, signed)),
                }
            }
            Source::Stack { offset, frames } => {
                let stored = u64_at(self.bytes, *offset)? as i64;
                let stored = u32::try_from(stored.max(0)).unwrap_or(0).min(frames * 8);
                Value::Stack(slice(self.bytes, offset + 8, stored)?)
            }
        })
    }
}

fn slice(b: &[u8], offset: u32, len: u32) -> Result<&[u8], BadRecord> {
    let from = offset as usize;
    b.get(from..from.checked_add(len as usize).ok_or(BadRecord)?).ok_or(BadRecord)
}

fn u32_at(b: &[u8], offset: u32) -> Result<u32, BadRecord> {
    Ok(extend(slice(b, offset, 4)?, false) as u32)
}

fn u64_at(b: &[u8], offset: u32) -> Result<u64, BadRecord> {
    Ok(extend(slice(b, offset, 8)?, false))
}

/// Little-endian bytes to 64 bits.
fn extend(b: &[u8], signed: bool) -> u64 {
    let v = b.iter().take(8).rev().fold(0u64, |v, &c| (v << 8) | u64::from(c));
    let unused = 64 - 8 * b.len().clamp(1, 8) as u32;
    if signed { (((v << unused) as i64) >> unused) as u64 } else { v }
}
