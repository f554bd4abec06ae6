//! C types of one compilation: an arena in which equal types have equal handles, filled from D's declarations and, on
//! demand, from the kernel's BTF.
//!
//! [`TypeId`] is a handle into one [`Types`]; never compare handles of two arenas. The layout is LP64's. `layout` has
//! sizes, members and D's own structs; `import` brings types in from BTF; `show` prints them as C does.

mod import;
mod layout;
mod show;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use lkd_kernel::btf::{Btf, TypeId as BtfId};

pub use layout::{Field, FieldError};

/// A type of one arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(u32);

/// C's integer types, in the order of their rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rank {
    Bool,
    Char,
    Short,
    Int,
    Long,
    LongLong,
}

/// An integer type. `char`, `signed char` and `unsigned char` are three types, as in C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IntType {
    pub rank: Rank,
    pub signed: bool,
    /// `char` without `signed` or `unsigned`.
    pub plain: bool,
}

impl IntType {
    pub const INT: IntType = IntType { rank: Rank::Int, signed: true, plain: false };

    /// Bytes.
    pub fn size(self) -> u8 {
        match self.rank {
            Rank::Bool | Rank::Char => 1,
            Rank::Short => 2,
            Rank::Int => 4,
            Rank::Long | Rank::LongLong => 8,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Void,
    Int(IntType),
    Float {
        size: u8,
    },
    /// D's `string`.
    Str,
    Ptr(TypeId),
    Array {
        elem: TypeId,
        len: Option<u32>,
    },
    /// Index into the arena's structs and unions.
    Composite(u32),
    /// Index into the arena's enums.
    Enum(u32),
    Typedef {
        name: Rc<str>,
        to: TypeId,
    },
    /// A function: it has an address, and nothing in D can call it.
    Func {
        name: Rc<str>,
    },
    /// What BTF has and D cannot compute with (`__int128`).
    Opaque {
        name: Rc<str>,
        size: u32,
    },
}

/// A struct or union.
#[derive(Clone, Debug)]
pub struct Composite {
    pub union: bool,
    /// Empty when it has none.
    pub tag: Rc<str>,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub enum Body {
    /// Named, never defined.
    Forward,
    /// Declared in D.
    Own { fields: Rc<[Field]>, size: u64, align: u64 },
    /// In the kernel's BTF; members are looked up there.
    Btf { source: u16, id: BtfId },
}

/// A name and its value.
pub type Enumerator = (Rc<str>, i128);

#[derive(Clone, Debug)]
pub struct EnumType {
    pub tag: Rc<str>,
    /// Bytes.
    pub size: u8,
    pub signed: bool,
    /// `None`: named, never defined.
    pub values: Option<Rc<[Enumerator]>>,
}

/// One BTF that types came from; number 0 is vmlinux when there is one.
struct Source {
    module: String,
    btf: Arc<Btf>,
}

/// The arena.
pub struct Types {
    kinds: Vec<Kind>,
    seen: HashMap<Kind, TypeId>,
    composites: Vec<Composite>,
    enums: Vec<EnumType>,
    sources: Vec<Source>,
    imported: HashMap<(u16, BtfId), TypeId>,
    /// D's own typedefs, DTrace's first.
    typedefs: HashMap<String, TypeId>,
    /// D's own tags: struct and union, and enum.
    tags: HashMap<String, TypeId>,
    enum_tags: HashMap<String, TypeId>,
    /// D's own enumerators.
    enumerators: HashMap<String, (TypeId, i128)>,
}

/// DTrace's typedefs for LP64, which exist with and without BTF.
const TYPEDEFS: &[(&str, Rank, bool)] = &[
    ("int8_t", Rank::Char, true),
    ("int16_t", Rank::Short, true),
    ("int32_t", Rank::Int, true),
    ("int64_t", Rank::Long, true),
    ("intptr_t", Rank::Long, true),
    ("ssize_t", Rank::Long, true),
    ("ptrdiff_t", Rank::Long, true),
    ("hrtime_t", Rank::LongLong, true),
    ("longlong_t", Rank::LongLong, true),
    ("uint8_t", Rank::Char, false),
    ("uint16_t", Rank::Short, false),
    ("uint32_t", Rank::Int, false),
    ("uint64_t", Rank::Long, false),
    ("uchar_t", Rank::Char, false),
    ("ushort_t", Rank::Short, false),
    ("uint_t", Rank::Int, false),
    ("ulong_t", Rank::Long, false),
    ("u_longlong_t", Rank::LongLong, false),
    ("uintptr_t", Rank::Long, false),
    ("size_t", Rank::Long, false),
    ("id_t", Rank::Int, true),
    ("pid_t", Rank::Int, true),
    ("uid_t", Rank::Int, false),
    ("gid_t", Rank::Int, false),
    ("processorid_t", Rank::Int, true),
];

/// Is this one of DTrace's own typedefs, known without any BTF? The parser needs it: `(hrtime_t)-1` is a cast.
pub fn is_builtin_typedef(name: &str) -> bool {
    TYPEDEFS.iter().any(|(known, ..)| *known == name)
}

impl Types {
    /// An arena with C's and D's built-in types, and the kernel's behind `vmlinux`.
    pub fn new(vmlinux: Option<Arc<Btf>>) -> Types {
        let mut types = Types {
            kinds: Vec::new(),
            seen: HashMap::new(),
            composites: Vec::new(),
            enums: Vec::new(),
            sources: Vec::new(),
            imported: HashMap::new(),
            typedefs: HashMap::new(),
            tags: HashMap::new(),
            enum_tags: HashMap::new(),
            enumerators: HashMap::new(),
        };
        if let Some(btf) = vmlinux {
            types.sources.push(Source { module: "vmlinux".into(), btf });
        }
        for &(name, rank, signed) in TYPEDEFS {
            // DTrace's int8_t is a plain char there; here it is signed char, as in C's own header.
            let to = types.int(IntType { rank, signed, plain: false });
            let id = types.add(Kind::Typedef { name: name.into(), to });
            types.typedefs.insert(name.to_owned(), id);
        }
        types
    }

    fn add(&mut self, kind: Kind) -> TypeId {
        if let Some(&id) = self.seen.get(&kind) {
            return id;
        }
        let id = TypeId(u32::try_from(self.kinds.len()).unwrap_or(u32::MAX));
        self.kinds.push(kind.clone());
        self.seen.insert(kind, id);
        id
    }

    pub fn kind(&self, id: TypeId) -> &Kind {
        self.kinds.get(id.0 as usize).unwrap_or(&Kind::Void)
    }

    /// Without typedefs.
    pub fn resolve(&self, id: TypeId) -> TypeId {
        let mut at = id;
        // Handles only point backwards, so this ends.
        while let Kind::Typedef { to, .. } = self.kind(at) {
            at = *to;
        }
        at
    }

    /// The kind behind all typedefs.
    pub fn base(&self, id: TypeId) -> &Kind {
        self.kind(self.resolve(id))
    }

    pub fn void(&mut self) -> TypeId {
        self.add(Kind::Void)
    }

    pub fn int(&mut self, int: IntType) -> TypeId {
        self.add(Kind::Int(int))
    }

    pub fn c_int(&mut self) -> TypeId {
        self.int(IntType::INT)
    }

    pub fn string(&mut self) -> TypeId {
        self.add(Kind::Str)
    }

    pub fn float(&mut self, size: u8) -> TypeId {
        self.add(Kind::Float { size })
    }

    pub fn ptr(&mut self, to: TypeId) -> TypeId {
        self.add(Kind::Ptr(to))
    }

    pub fn array(&mut self, elem: TypeId, len: Option<u32>) -> TypeId {
        self.add(Kind::Array { elem, len })
    }

    pub fn func(&mut self, name: &str) -> TypeId {
        self.add(Kind::Func { name: name.into() })
    }

    /// One of [`TYPEDEFS`] or of D's own; void when unknown.
    pub fn builtin(&mut self, name: &str) -> TypeId {
        match self.typedefs.get(name) {
            Some(&id) => id,
            None => self.void(),
        }
    }

    pub fn composite(&self, id: TypeId) -> Option<&Composite> {
        match self.base(id) {
            Kind::Composite(n) => self.composites.get(*n as usize),
            _ => None,
        }
    }

    pub fn enum_type(&self, id: TypeId) -> Option<&EnumType> {
        match self.base(id) {
            Kind::Enum(n) => self.enums.get(*n as usize),
            _ => None,
        }
    }

    /// The integer type that a value of this type is in arithmetic; enums count.
    pub fn as_int(&self, id: TypeId) -> Option<IntType> {
        match self.base(id) {
            Kind::Int(i) => Some(*i),
            Kind::Enum(n) => {
                let e = self.enums.get(*n as usize)?;
                let rank = if e.size > 4 { Rank::Long } else { Rank::Int };
                Some(IntType { rank, signed: e.signed, plain: false })
            }
            _ => None,
        }
    }

    pub fn is_string(&self, id: TypeId) -> bool {
        matches!(self.base(id), Kind::Str)
    }

    /// What a pointer or an array points to.
    pub fn target(&self, id: TypeId) -> Option<TypeId> {
        match self.base(id) {
            Kind::Ptr(to) | Kind::Array { elem: to, .. } => Some(*to),
            _ => None,
        }
    }

    pub fn is_char(&self, id: TypeId) -> bool {
        matches!(self.base(id), Kind::Int(IntType { rank: Rank::Char, plain, signed }) if *plain || *signed)
    }

    /// A string, or what D promotes to one: `char *` and `char []`.
    pub fn is_string_like(&self, id: TypeId) -> bool {
        self.is_string(id) || self.target(id).is_some_and(|t| self.is_char(t))
    }

    /// Integer, enum or pointer.
    pub fn is_scalar(&self, id: TypeId) -> bool {
        self.as_int(id).is_some() || matches!(self.base(id), Kind::Ptr(_))
    }

    /// Two types between which C needs no conversion: the same, or structs and unions of one name.
    pub fn same(&self, a: TypeId, b: TypeId) -> bool {
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return true;
        }
        match (self.kind(a), self.kind(b)) {
            (Kind::Int(x), Kind::Int(y)) => x.size() == y.size() && x.signed == y.signed,
            (Kind::Ptr(x), Kind::Ptr(y)) => self.same(*x, *y),
            (Kind::Array { elem: x, len: m }, Kind::Array { elem: y, len: n }) => m == n && self.same(*x, *y),
            (Kind::Composite(x), Kind::Composite(y)) => {
                match (self.composites.get(*x as usize), self.composites.get(*y as usize)) {
                    (Some(x), Some(y)) => x.union == y.union && !x.tag.is_empty() && x.tag == y.tag,
                    _ => false,
                }
            }
            (Kind::Enum(x), Kind::Enum(y)) => {
                match (self.enums.get(*x as usize), self.enums.get(*y as usize)) {
                    (Some(x), Some(y)) => !x.tag.is_empty() && x.tag == y.tag,
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// C's integer promotion: what is narrower than `int` becomes `int`.
    pub fn promote(i: IntType) -> IntType {
        if i.rank < Rank::Int { IntType::INT } else { IntType { plain: false, ..i } }
    }

    /// C's usual arithmetic conversions: the type in which `a op b` is computed.
    pub fn common(a: IntType, b: IntType) -> IntType {
        let (a, b) = (Types::promote(a), Types::promote(b));
        let rank = a.rank.max(b.rank);
        if a.signed == b.signed {
            return IntType { rank, ..a };
        }
        let (s, u) = if a.signed { (a, b) } else { (b, a) };
        // The signed type wins only where it can hold every value of the unsigned one.
        let signed = s.rank > u.rank && s.size() > u.size();
        IntType { rank, signed, plain: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_arithmetic_conversions_are_lp64s() {
        let t = |rank, signed| IntType { rank, signed, plain: false };
        for (a, b, want) in [
            (t(Rank::Char, true), t(Rank::Short, false), t(Rank::Int, true)),
            (t(Rank::Int, true), t(Rank::Int, false), t(Rank::Int, false)),
            (t(Rank::Long, true), t(Rank::Int, false), t(Rank::Long, true)),
            (t(Rank::LongLong, true), t(Rank::Long, false), t(Rank::LongLong, false)),
            (t(Rank::Long, false), t(Rank::Int, true), t(Rank::Long, false)),
            (t(Rank::Bool, false), t(Rank::Bool, false), t(Rank::Int, true)),
        ] {
            assert_eq!(Types::common(a, b), want, "{a:?} {b:?}");
            assert_eq!(Types::common(b, a), want, "{b:?} {a:?}");
        }
    }

    #[test]
    fn equal_types_share_a_handle() {
        let mut t = Types::new(None);
        let int = t.c_int();
        let (a, b) = (t.ptr(int), t.ptr(int));
        assert_eq!(a, b);
        let pid = t.builtin("pid_t");
        assert_ne!(pid, int);
        assert_eq!(t.resolve(pid), int);
    }
}
