//! One type record as a value: what kind it is, and views over its members, values or parameters.

use super::raw::{Record, code, word};
use super::{Btf, TypeId};
use std::slice::ChunksExact;

/// What a type is. Lists (members, values, parameters) are views that decode as they are walked.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind<'a> {
    /// No type: number 0.
    Void,
    /// A number that this BTF does not describe.
    Invalid,
    /// An integer.
    Int(Int),
    /// A pointer to the given type.
    Ptr(TypeId),
    /// `elem name[len]`.
    Array {
        /// Type of one element.
        elem: TypeId,
        /// Type of the subscript, an integer.
        index: TypeId,
        /// Number of elements; 0 for a flexible array member.
        len: u32,
    },
    /// A structure.
    Struct(Composite<'a>),
    /// A union.
    Union(Composite<'a>),
    /// An enumeration, of values up to 32 or up to 64 bits.
    Enum(Enum<'a>),
    /// A structure or union that is only declared.
    Fwd {
        /// A union, not a structure.
        union: bool,
    },
    /// Another name for the given type.
    Typedef(TypeId),
    /// `volatile`.
    Volatile(TypeId),
    /// `const`.
    Const(TypeId),
    /// `restrict`.
    Restrict(TypeId),
    /// An attribute of a type, such as `__user`; the tag's text is the record's name.
    TypeTag(TypeId),
    /// An attribute of a declaration; the tag's text is the record's name.
    DeclTag {
        /// What is tagged.
        of: TypeId,
        /// Which member or parameter of it; `None` for the whole.
        component: Option<u32>,
    },
    /// A function.
    Func {
        /// Its type, a [`Kind::FuncProto`].
        proto: TypeId,
        /// Who can call it.
        linkage: Linkage,
    },
    /// The type of a function.
    FuncProto(Proto<'a>),
    /// A variable.
    Var {
        /// Its type.
        ty: TypeId,
        /// Who can see it.
        linkage: Linkage,
    },
    /// A section of variables; the section's name is the record's name.
    Datasec {
        /// Bytes.
        size: u32,
        /// The variables in it.
        vars: Vars<'a>,
    },
    /// A floating-point number.
    Float {
        /// Bytes.
        size: u32,
    },
}

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Int {
    /// Bytes that it occupies.
    pub size: u32,
    /// Bits that carry the value.
    pub bits: u8,
    /// First of those bits.
    pub bit_offset: u8,
    /// Has a sign.
    pub signed: bool,
    /// Marked as a character. Compilers seldom set it: Linux's `char` is not marked.
    pub char: bool,
    /// Is `_Bool`.
    pub bool: bool,
}

/// Who can reach a function or variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Linkage {
    /// `static`.
    Static,
    /// Defined here, visible outside.
    Global,
    /// Defined elsewhere.
    Extern,
    /// A number that BTF does not define.
    Other(u16),
}

impl Linkage {
    fn from_code(code: u32) -> Linkage {
        match code {
            0 => Linkage::Static,
            1 => Linkage::Global,
            2 => Linkage::Extern,
            other => Linkage::Other(other.min(0xffff) as u16),
        }
    }

    pub(super) fn code(self) -> u16 {
        match self {
            Linkage::Static => 0,
            Linkage::Global => 1,
            Linkage::Extern => 2,
            Linkage::Other(other) => other,
        }
    }
}

/// A structure or union: its size and members.
#[derive(Clone, Copy, Debug)]
pub struct Composite<'a> {
    /// Bytes.
    pub size: u32,
    btf: &'a Btf,
    tail: &'a [u8],
    flag: bool,
}

impl<'a> Composite<'a> {
    /// The members in order.
    pub fn members(&self) -> Members<'a> {
        Members { btf: self.btf, rest: self.tail.chunks_exact(12), flag: self.flag }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.tail.len() / 12
    }

    /// True for `struct {}`.
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty()
    }
}

/// One member of a structure or union.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member<'a> {
    /// "" for an anonymous structure or union.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Bits from the start of the composite.
    pub bit_offset: u32,
    /// Bits of a bit-field; `None` for any other member.
    pub bitfield_size: Option<u8>,
}

/// Iterates over the members of a composite.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    btf: &'a Btf,
    rest: ChunksExact<'a, u8>,
    flag: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let entry = self.rest.next()?;
        let ty = TypeId(word(entry, 4));
        let place = word(entry, 8);
        // With kind_flag the upper byte is the width of a bit-field. Without it, which is how a structure without
        // bit-fields is still written, a bit-field can only be an integer of odd width (compilers before 2018).
        let (bit_offset, bitfield_size) = if self.flag {
            let width = (place >> 24) as u8;
            (place & 0xff_ffff, (width != 0).then_some(width))
        } else {
            match self.btf.kind(self.btf.resolve(ty)) {
                Kind::Int(int) if u32::from(int.bits) != int.size.saturating_mul(8) => {
                    (place.saturating_add(u32::from(int.bit_offset)), Some(int.bits))
                }
                _ => (place, None),
            }
        };
        Some(Member { name: self.btf.text(word(entry, 0)), ty, bit_offset, bitfield_size })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Members<'_> {}

/// An enumeration.
#[derive(Clone, Copy, Debug)]
pub struct Enum<'a> {
    /// Bytes.
    pub size: u32,
    /// Its values have a sign.
    pub signed: bool,
    btf: &'a Btf,
    tail: &'a [u8],
    wide: bool,
}

impl<'a> Enum<'a> {
    /// The enumerators in order.
    pub fn values(&self) -> Enums<'a> {
        let step = if self.wide { 12 } else { 8 };
        Enums { btf: self.btf, rest: self.tail.chunks_exact(step), signed: self.signed, wide: self.wide }
    }

    /// How many enumerators there are.
    pub fn len(&self) -> usize {
        self.tail.len() / if self.wide { 12 } else { 8 }
    }

    /// True for an enumeration without enumerators.
    pub fn is_empty(&self) -> bool {
        self.tail.is_empty()
    }
}

/// The value of an enumerator: 64 bits and how to read them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnumValue {
    /// The value, sign-extended when it has a sign.
    pub bits: u64,
    /// Has a sign.
    pub signed: bool,
}

impl EnumValue {
    /// The value as a signed 64-bit number.
    pub fn as_i64(self) -> i64 {
        self.bits as i64
    }

    /// The value's bits as an unsigned number.
    pub fn as_u64(self) -> u64 {
        self.bits
    }

    /// The value as it is in mathematics.
    pub fn as_i128(self) -> i128 {
        if self.signed { i128::from(self.bits as i64) } else { i128::from(self.bits) }
    }
}

/// One enumerator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: EnumValue,
}

/// Iterates over the enumerators of an enumeration.
#[derive(Clone, Debug)]
pub struct Enums<'a> {
    btf: &'a Btf,
    rest: ChunksExact<'a, u8>,
    signed: bool,
    wide: bool,
}

impl<'a> Iterator for Enums<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let entry = self.rest.next()?;
        let low = word(entry, 4);
        let bits = match (self.wide, self.signed) {
            (true, _) => u64::from(low) | u64::from(word(entry, 8)) << 32,
            (false, true) => i64::from(low as i32) as u64,
            (false, false) => u64::from(low),
        };
        Some(Value { name: self.btf.text(word(entry, 0)), value: EnumValue { bits, signed: self.signed } })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Enums<'_> {}

/// The type of a function: what it returns and takes.
#[derive(Clone, Copy, Debug)]
pub struct Proto<'a> {
    /// Type of the result; [`TypeId::VOID`] for none.
    pub ret: TypeId,
    btf: &'a Btf,
    tail: &'a [u8],
    variadic: bool,
}

impl<'a> Proto<'a> {
    /// The named parameters in order, without the `...`.
    pub fn params(&self) -> Params<'a> {
        let fixed = self.tail.get(..self.len() * 8).unwrap_or(self.tail);
        Params { btf: self.btf, rest: fixed.chunks_exact(8) }
    }

    /// How many parameters there are, without the `...`.
    pub fn len(&self) -> usize {
        self.tail.len() / 8 - usize::from(self.variadic)
    }

    /// True when it takes none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends in `...`.
    pub fn variadic(&self) -> bool {
        self.variadic
    }
}

/// One parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// "" when BTF gives none.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
}

/// Iterates over the parameters of a function type.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    btf: &'a Btf,
    rest: ChunksExact<'a, u8>,
}

impl<'a> Iterator for Params<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        let entry = self.rest.next()?;
        Some(Param { name: self.btf.text(word(entry, 0)), ty: TypeId(word(entry, 4)) })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Params<'_> {}

/// A variable's place in its section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecVar {
    /// The variable, a [`Kind::Var`].
    pub ty: TypeId,
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// The variables of a section.
#[derive(Clone, Copy, Debug)]
pub struct Vars<'a> {
    tail: &'a [u8],
}

impl<'a> Vars<'a> {
    /// The variables in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SecVar> + use<'a> {
        let var = |entry: &[u8]| SecVar {
            ty: TypeId(word(entry, 0)),
            offset: word(entry, 4),
            size: word(entry, 8),
        };
        self.tail.chunks_exact(12).map(var)
    }
}

/// One function, as [`Btf::funcs`] lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Func<'a> {
    /// Its number, which fentry and fexit attach by.
    pub id: TypeId,
    /// Its name.
    pub name: &'a str,
    /// Its type, a [`Kind::FuncProto`].
    pub proto: TypeId,
    /// Who can call it.
    pub linkage: Linkage,
}

impl Btf {
    /// What a type is. [`Kind::Invalid`] for a number that is not described.
    pub fn kind(&self, id: TypeId) -> Kind<'_> {
        if id == TypeId::VOID {
            return Kind::Void;
        }
        self.record(id).map_or(Kind::Invalid, |record| self.decode(record))
    }

    /// The name of a type; "" when it has none, or is not described.
    pub fn name(&self, id: TypeId) -> &str {
        self.record(id).map_or("", |record| self.text(record.name))
    }

    /// Every function that this BTF itself describes, in order of number.
    pub fn funcs(&self) -> impl Iterator<Item = Func<'_>> {
        self.ids().filter_map(|id| {
            let record = self.record(id).filter(|record| record.kind == code::FUNC)?;
            match self.decode(record) {
                Kind::Func { proto, linkage } => {
                    Some(Func { id, name: self.text(record.name), proto, linkage })
                }
                _ => None,
            }
        })
    }

    fn decode<'a>(&'a self, record: Record<'a>) -> Kind<'a> {
        let Record { flag, tail, word: value, .. } = record;
        let of = TypeId(value);
        match record.kind {
            code::INT => Kind::Int(int(value, word(tail, 0))),
            code::PTR => Kind::Ptr(of),
            code::ARRAY => {
                Kind::Array { elem: TypeId(word(tail, 0)), index: TypeId(word(tail, 4)), len: word(tail, 8) }
            }
            code::STRUCT => Kind::Struct(Composite { size: value, btf: self, tail, flag }),
            code::UNION => Kind::Union(Composite { size: value, btf: self, tail, flag }),
            code::ENUM | code::ENUM64 => {
                // The flag says "signed" since Linux v6.0. Older BTF says nothing, and its negative values read as
                // large ones.
                let wide = record.kind == code::ENUM64;
                Kind::Enum(Enum { size: value, signed: flag, btf: self, tail, wide })
            }
            code::FWD => Kind::Fwd { union: flag },
            code::TYPEDEF => Kind::Typedef(of),
            code::VOLATILE => Kind::Volatile(of),
            code::CONST => Kind::Const(of),
            code::RESTRICT => Kind::Restrict(of),
            code::TYPE_TAG => Kind::TypeTag(of),
            code::DECL_TAG => {
                let component = word(tail, 0);
                Kind::DeclTag { of, component: (component != u32::MAX).then_some(component) }
            }
            code::FUNC => Kind::Func { proto: of, linkage: Linkage::from_code(record.vlen) },
            code::FUNC_PROTO => {
                // `...` is a last parameter without name and type.
                let variadic = tail.len() >= 8 && tail.iter().rev().take(8).all(|&byte| byte == 0);
                Kind::FuncProto(Proto { ret: of, btf: self, tail, variadic })
            }
            code::VAR => Kind::Var { ty: of, linkage: Linkage::from_code(word(tail, 0)) },
            code::DATASEC => Kind::Datasec { size: value, vars: Vars { tail } },
            code::FLOAT => Kind::Float { size: value },
            _ => Kind::Invalid,
        }
    }
}

fn int(size: u32, encoding: u32) -> Int {
    Int {
        size,
        bits: encoding as u8,
        bit_offset: (encoding >> 16) as u8,
        signed: encoding >> 24 & 1 != 0,
        char: encoding >> 24 & 2 != 0,
        bool: encoding >> 24 & 4 != 0,
    }
}
