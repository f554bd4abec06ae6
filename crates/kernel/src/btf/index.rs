//! Names to numbers: three hash tables of numbers, built by the first question that needs them.
//!
//! A table holds no names, only entry numbers; the names stay in the string section and are compared there. Entries
//! that share a name keep their order, so the first one in the BTF is found.

use super::raw::code;
use super::{Btf, EnumValue, Kind, TypeId};
use std::sync::OnceLock;

/// Which kind of type a name is looked up among: C keeps `struct x`, `enum x`, a type `x` and a function `x` apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Tag {
    /// Integers.
    Int,
    /// Structures.
    Struct,
    /// Unions.
    Union,
    /// Enumerations of either width.
    Enum,
    /// Declared structures and unions.
    Fwd,
    /// Type names.
    Typedef,
    /// Functions.
    Func,
    /// Variables.
    Var,
    /// Sections.
    Datasec,
    /// Floating-point numbers.
    Float,
}

impl Tag {
    fn of(kind: u8) -> Option<Tag> {
        Some(match kind {
            code::INT => Tag::Int,
            code::STRUCT => Tag::Struct,
            code::UNION => Tag::Union,
            code::ENUM | code::ENUM64 => Tag::Enum,
            code::FWD => Tag::Fwd,
            code::TYPEDEF => Tag::Typedef,
            code::FUNC => Tag::Func,
            code::VAR => Tag::Var,
            code::DATASEC => Tag::Datasec,
            code::FLOAT => Tag::Float,
            _ => return None,
        })
    }
}

/// A named constant of some enumeration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Enumerator<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: EnumValue,
    /// The enumeration that declares it.
    pub of: TypeId,
}

/// Open addressing over entry numbers; 0 marks a free slot, so entry N is kept as N + 1.
pub(crate) struct Table {
    slots: Vec<u32>,
    mask: usize,
}

/// Eight letters at a time, multiplied and folded as FxHash does: names are short, and there are 100,000 of them.
fn hash(name: &str) -> usize {
    const K: u64 = 0x517c_c1b7_2722_0a95;
    let (chunks, rest) = name.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut hash = name.len() as u64;
    for chunk in chunks.iter().chain([&last]) {
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*chunk)).wrapping_mul(K);
    }
    // The product's upper bits depend on every letter, its lower ones do not.
    (hash >> 32) as usize
}

impl Table {
    /// A table for up to `entries` entries, at most half full.
    pub(crate) fn new(entries: usize) -> Table {
        let len = (entries.max(4) * 2).next_power_of_two();
        Table { slots: vec![0; len], mask: len - 1 }
    }

    /// Adds an entry, after those of the same name.
    pub(crate) fn insert(&mut self, name: &str, entry: u32) {
        let mut at = hash(name) & self.mask;
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 {
                *slot = entry + 1;
                return;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// Entries that may carry this name, in the order they were added: those whose name hashes to the same run of slots.
    pub(crate) fn candidates(&self, name: &str) -> impl Iterator<Item = u32> + '_ {
        let mut at = hash(name) & self.mask;
        std::iter::from_fn(move || {
            let entry = self.slots.get(at)?.checked_sub(1)?;
            at = (at + 1) & self.mask;
            Some(entry)
        })
    }
}

/// Names of a BTF's own types; an entry is a type number. Functions have a table of their own: they are most of the
/// names, and who asks for a structure need not wait for them.
#[derive(Default)]
pub(super) struct NameTables {
    functions: OnceLock<Table>,
    others: OnceLock<Table>,
}

/// Names of a BTF's own enumerators; an entry is a place in the list.
pub(super) struct EnumeratorTable {
    table: Table,
    places: Vec<(TypeId, u32)>,
}

impl Btf {
    /// The first type of this kind and name; this BTF's own first, then its base's.
    pub fn find(&self, tag: Tag, name: &str) -> Option<TypeId> {
        let table = match tag {
            Tag::Func => self.names.functions.get_or_init(|| self.index_names(true)),
            _ => self.names.others.get_or_init(|| self.index_names(false)),
        };
        let own = table.candidates(name).map(TypeId).find(|&id| {
            self.record(id).is_some_and(|r| Tag::of(r.kind) == Some(tag) && self.text(r.name) == name)
        });
        own.or_else(|| self.base()?.find(tag, name))
    }

    /// A structure by its tag.
    pub fn find_struct(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Struct, name)
    }

    /// A union by its tag.
    pub fn find_union(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Union, name)
    }

    /// A structure, else a union, by its tag.
    pub fn find_composite(&self, name: &str) -> Option<TypeId> {
        self.find_struct(name).or_else(|| self.find_union(name))
    }

    /// An enumeration by its tag.
    pub fn find_enum(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Enum, name)
    }

    /// A type name.
    pub fn find_typedef(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Typedef, name)
    }

    /// A function.
    pub fn find_func(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Func, name)
    }

    /// A variable. Kernels describe their per-CPU ones, seldom others.
    pub fn find_var(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Var, name)
    }

    /// An integer type by its name in BTF, such as `unsigned int`.
    pub fn find_int(&self, name: &str) -> Option<TypeId> {
        self.find(Tag::Int, name)
    }

    /// A constant of any enumeration, by name; this BTF's own first, then its base's.
    pub fn enumerator(&self, name: &str) -> Option<Enumerator<'_>> {
        let index = self.enumerators.get_or_init(|| self.index_enumerators());
        let own = index.table.candidates(name).find_map(|entry| {
            let &(of, nth) = index.places.get(entry as usize)?;
            let Kind::Enum(kind) = self.kind(of) else { return None };
            let found = kind.values().nth(nth as usize)?;
            (found.name == name).then_some(Enumerator { name: found.name, value: found.value, of })
        });
        own.or_else(|| self.base()?.enumerator(name))
    }

    fn index_names(&self, functions: bool) -> Table {
        let all = self.sections.functions();
        let most = if functions { all } else { self.sections.len() - all };
        let mut table = Table::new(most as usize);
        for id in self.ids() {
            let Some(record) = self.record(id).filter(|record| record.name != 0) else { continue };
            if Tag::of(record.kind).is_some_and(|tag| (tag == Tag::Func) == functions) {
                table.insert(self.text(record.name), id.0);
            }
        }
        table
    }

    fn index_enumerators(&self) -> EnumeratorTable {
        let mut places = Vec::new();
        for id in self.ids() {
            if let Kind::Enum(kind) = self.kind(id) {
                places.extend((0..kind.len() as u32).map(|nth| (id, nth)));
            }
        }
        let mut table = Table::new(places.len());
        let mut entry = 0;
        for id in self.ids() {
            if let Kind::Enum(kind) = self.kind(id) {
                for value in kind.values() {
                    table.insert(value.name, entry);
                    entry += 1;
                }
            }
        }
        EnumeratorTable { table, places }
    }
}
