//! BTF, the kernel's own description of its C types: bytes in, types by number and by name out.
//!
//! A BTF blob is a header, a *type section* and a *string section*. Types have no index: each record is
//! twelve bytes (name, kind and count, size or referred type) followed by a kind-specific tail, and type
//! number N is simply the N-th record, counted from 1; number 0 is `void`. [`Btf::parse`] therefore walks
//! the section once, checks that every record lies inside it, and keeps only where each record starts:
//! about 4 ms for the 126,000 types of a kernel. Everything else is decoded when it is asked for, and the
//! name indices are built by the first question that needs them.
//!
//! A module's BTF is *split*: its numbers and string offsets continue those of the kernel's
//! ([`Btf::parse_split`]).
//!
//! The bytes may come from a dump, so they are not trusted: a record that does not fit is an error of
//! `parse`; a reference to a type that does not exist reads as [`Kind::Invalid`]; a circle of typedefs, or a
//! structure inside itself, ends at a limit.
//!
//! - `raw`: header, sections, where each record starts
//! - `kind`: one record as a value
//! - `index`: names to numbers
//! - `query`: sizes, members, C spellings
//! - `build`: the writer, for the programs that we generate

pub mod build;
mod index;
mod kind;
mod query;
mod raw;

use std::fmt;
use std::sync::{Arc, OnceLock};

pub(crate) use index::Table;
pub use index::{Enumerator, Tag};
pub use kind::{
    Composite, Enum, EnumValue, Enums, Func, Int, Kind, Linkage, Member, Members, Param, Params, Proto,
    SecVar, Value, Vars,
};
pub use query::Place;
pub use raw::BtfError;

/// Bytes of a pointer. BTF does not record it; every kernel we read is a 64-bit one.
pub const POINTER_BYTES: u64 = 8;

/// The number of a type in one BTF (a module's numbers continue the kernel's).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`: number 0, which has no record.
    pub const VOID: TypeId = TypeId(0);
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// Parsed BTF: owns its bytes, immutable, shared between threads as `Arc<Btf>`.
pub struct Btf {
    base: Option<Arc<Btf>>,
    sections: raw::Sections,
    names: index::NameTables,
    enumerators: OnceLock<index::EnumeratorTable>,
}

impl Btf {
    /// Reads a whole BTF, such as the bytes of `/sys/kernel/btf/vmlinux`.
    ///
    /// # Errors
    /// The bytes are no BTF of version 1 in little-endian order, or a section or record does not lie within them.
    pub fn parse(bytes: impl Into<Vec<u8>>) -> Result<Btf, BtfError> {
        Ok(Self::over(raw::Sections::parse(bytes.into(), true)?, None))
    }

    /// Reads a module's BTF, whose type numbers and names continue those of `base`.
    ///
    /// # Errors
    /// As [`Btf::parse`].
    pub fn parse_split(bytes: impl Into<Vec<u8>>, base: Arc<Btf>) -> Result<Btf, BtfError> {
        Ok(Self::over(raw::Sections::parse(bytes.into(), false)?, Some(base)))
    }

    fn over(sections: raw::Sections, base: Option<Arc<Btf>>) -> Btf {
        Btf { base, sections, names: index::NameTables::default(), enumerators: OnceLock::new() }
    }

    /// The BTF that this one continues, for a module's.
    pub fn base(&self) -> Option<&Arc<Btf>> {
        self.base.as_ref()
    }

    /// How many type numbers are in use, `void` and the base's included: numbers are `0..len`.
    pub fn len(&self) -> u32 {
        self.first_own().saturating_add(self.sections.len())
    }

    /// True when not even one type is described.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// The types that this BTF itself describes, in order; a module's leaves out its base's.
    pub fn ids(&self) -> impl Iterator<Item = TypeId> + use<> {
        (self.first_own()..self.len()).map(TypeId)
    }

    /// The number of the first record in this BTF's own type section.
    fn first_own(&self) -> u32 {
        self.base.as_ref().map_or(1, |base| base.len())
    }

    /// The bytes of string offsets that belong to the base.
    fn base_strings(&self) -> u32 {
        self.base.as_ref().map_or(0, |base| base.strings_end())
    }

    fn strings_end(&self) -> u32 {
        self.base_strings().saturating_add(self.sections.strings_len())
    }

    /// The name at a string offset; "" for offset 0 and for one that is outside the section.
    fn text(&self, offset: u32) -> &str {
        let mut btf = self;
        loop {
            match &btf.base {
                Some(base) if offset < btf.base_strings() => btf = base,
                _ => return btf.sections.text(offset.saturating_sub(btf.base_strings())),
            }
        }
    }

    /// The record of a type, and the BTF whose section holds it. `None` for `void` and unknown numbers.
    fn record(&self, id: TypeId) -> Option<raw::Record<'_>> {
        let mut btf = self;
        loop {
            match &btf.base {
                Some(base) if id.0 < btf.first_own() => btf = base,
                _ => return btf.sections.record(id.0.checked_sub(btf.first_own())?),
            }
        }
    }
}

impl fmt::Debug for Btf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Btf").field("types", &self.len()).field("split", &self.base.is_some()).finish()
    }
}
