//! Sizes, alignments and members; structs, unions and enums declared in D, laid out as C does on LP64.

use std::rc::Rc;

use super::{Body, Composite, EnumType, Enumerator, IntType, Kind, Rank, TypeId, Types};

/// Anonymous members inside anonymous members, and arrays of arrays; a hostile type stops here.
const MAX_DEPTH: u32 = 32;

/// A member: of D's own struct, or as found in one (then from the outermost struct's start).
#[derive(Clone, Debug)]
pub struct Field {
    /// Empty for an anonymous struct or union.
    pub name: Rc<str>,
    pub ty: TypeId,
    pub bit_offset: u64,
    /// Width of a bit-field.
    pub bits: Option<u8>,
}

/// Why a member cannot be laid out; the caller has the place and the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// Its type has no size.
    Incomplete,
    /// A bit-field of something that is no integer.
    BitType,
    /// A bit-field wider than its type.
    BitWidth,
    /// The struct outgrows 2 GiB.
    TooBig,
}

const MAX_BYTES: u64 = 1 << 31;

impl Types {
    /// Bytes; `None` for void, functions and types that are only declared.
    pub fn size_of(&self, id: TypeId) -> Option<u64> {
        self.measure(id, MAX_DEPTH).map(|(size, _)| size)
    }

    /// Size and alignment.
    fn measure(&self, id: TypeId, depth: u32) -> Option<(u64, u64)> {
        let depth = depth.checked_sub(1)?;
        let both = |n: u64| Some((n, n));
        match self.base(id) {
            Kind::Int(i) => both(i.size().into()),
            Kind::Float { size } => both((*size).into()),
            Kind::Ptr(_) => both(8),
            Kind::Array { elem, len } => {
                let (size, align) = self.measure(*elem, depth)?;
                Some((size.checked_mul((*len)?.into())?, align))
            }
            Kind::Composite(n) => match &self.composites.get(*n as usize)?.body {
                Body::Forward => None,
                Body::Own { size, align, .. } => Some((*size, *align)),
                Body::Btf { source, id } => {
                    let size = self.sources.get(*source as usize)?.btf.size_of(*id)?;
                    // BTF has no alignment. The size is a multiple of it, which is near enough to embed one in D.
                    Some((size, 1 << size.trailing_zeros().min(3)))
                }
            },
            Kind::Enum(n) => {
                let e = self.enums.get(*n as usize)?;
                e.values.as_ref()?;
                both(e.size.into())
            }
            Kind::Opaque { size, .. } => both((*size).into()),
            Kind::Void | Kind::Str | Kind::Typedef { .. } | Kind::Func { .. } => None,
        }
    }

    /// The member of that name, anonymous members looked through; offsets from the start of `composite`.
    pub fn member(&mut self, composite: TypeId, name: &str) -> Option<Field> {
        self.member_at(composite, name, 0, MAX_DEPTH)
    }

    fn member_at(&mut self, composite: TypeId, name: &str, base: u64, depth: u32) -> Option<Field> {
        let depth = depth.checked_sub(1)?;
        let body = self.composite(composite)?.body.clone();
        match body {
            Body::Forward => None,
            Body::Btf { source, id } => {
                let place = self.sources.get(source as usize)?.btf.member(id, name)?;
                let bit_offset = base.checked_add(place.bit_offset)?;
                Some(Field {
                    name: name.into(),
                    ty: self.import(source, place.ty),
                    bit_offset,
                    bits: place.bitfield_size,
                })
            }
            Body::Own { fields, .. } => {
                if let Some(f) = fields.iter().find(|f| &*f.name == name) {
                    return Some(Field { bit_offset: base.checked_add(f.bit_offset)?, ..f.clone() });
                }
                fields
                    .iter()
                    .filter(|f| f.name.is_empty() && f.bits.is_none())
                    .find_map(|f| self.member_at(f.ty, name, base.checked_add(f.bit_offset)?, depth))
            }
        }
    }

    /// The names of the direct members, for suggestions.
    pub fn member_names(&self, composite: TypeId) -> Vec<String> {
        use lkd_kernel::btf::Kind as B;
        match self.composite(composite).map(|c| &c.body) {
            Some(Body::Own { fields, .. }) => fields.iter().map(|f| f.name.to_string()).collect(),
            Some(Body::Btf { source, id }) => {
                match self.sources.get(*source as usize).map(|s| s.btf.kind(*id)) {
                    Some(B::Struct(c) | B::Union(c)) => c.members().map(|m| m.name.to_owned()).collect(),
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// The struct, union or enum of that tag as D knows it, not looking into the kernel.
    pub fn own_tag(&self, tag: &str) -> Option<TypeId> {
        self.tags.get(tag).copied()
    }

    pub fn own_enum_tag(&self, tag: &str) -> Option<TypeId> {
        self.enum_tags.get(tag).copied()
    }

    pub fn own_typedef(&self, name: &str) -> Option<TypeId> {
        self.typedefs.get(name).copied()
    }

    pub fn own_enumerator(&self, name: &str) -> Option<(TypeId, i128)> {
        self.enumerators.get(name).copied()
    }

    /// A struct or union that is named and not (yet) defined.
    pub fn declare_composite(&mut self, union: bool, tag: &str) -> TypeId {
        let n = self.composites.len() as u32;
        self.composites.push(Composite { union, tag: tag.into(), body: Body::Forward });
        let id = self.add(Kind::Composite(n));
        if !tag.is_empty() {
            self.tags.insert(tag.to_owned(), id);
        }
        id
    }

    /// Gives a declared struct or union its members, laid out in order; each is (name, type, bit-field width).
    ///
    /// # Errors
    /// The index of the member that has no place, and why.
    pub fn define_composite(
        &mut self,
        id: TypeId,
        members: Vec<(String, TypeId, Option<u8>)>,
    ) -> Result<(), (usize, FieldError)> {
        let union = self.composite(id).is_some_and(|c| c.union);
        let mut fields = Vec::with_capacity(members.len());
        let (mut end, mut widest, mut align_all) = (0u64, 0u64, 1u64);
        for (i, (name, ty, bits)) in members.into_iter().enumerate() {
            let (size, align) = self.measure(ty, MAX_DEPTH).ok_or((i, FieldError::Incomplete))?;
            let start = if union { 0 } else { end };
            let (at, width, shown) = match bits {
                None => {
                    (round_up(start, align * 8), size.checked_mul(8).ok_or((i, FieldError::TooBig))?, true)
                }
                Some(w) => {
                    self.as_int(ty).ok_or((i, FieldError::BitType))?;
                    if u64::from(w) > size * 8 {
                        return Err((i, FieldError::BitWidth));
                    }
                    // A bit-field may not cross a boundary of its type; one of width 0 closes the unit.
                    let crosses = w == 0 || start % (size * 8) + u64::from(w) > size * 8;
                    (
                        if crosses { round_up(start, size * 8) } else { start },
                        w.into(),
                        w != 0 && !name.is_empty(),
                    )
                }
            };
            // An unnamed bit-field pads; it does not raise the struct's alignment.
            if bits.is_none() || shown {
                align_all = align_all.max(align);
            }
            end = at.checked_add(width).filter(|e| *e / 8 <= MAX_BYTES).ok_or((i, FieldError::TooBig))?;
            widest = widest.max(end);
            if shown {
                fields.push(Field { name: name.into(), ty, bit_offset: at, bits });
            }
        }
        let size = round_up(widest, align_all * 8) / 8;
        let n = match self.base(id) {
            Kind::Composite(n) => *n as usize,
            _ => return Ok(()),
        };
        if let Some(c) = self.composites.get_mut(n) {
            c.body = Body::Own { fields: fields.into(), size, align: align_all };
        }
        Ok(())
    }

    /// An enum declared in D: four bytes, unsigned unless a value is negative, as compilers do.
    pub fn declare_enum(&mut self, tag: &str, values: Option<Vec<(String, i128)>>) -> TypeId {
        let n = self.enums.len() as u32;
        let values: Option<Vec<Enumerator>> =
            values.map(|v| v.into_iter().map(|(n, x)| (Rc::from(n), x)).collect());
        let signed = values.as_ref().is_some_and(|v| v.iter().any(|(_, x)| *x < 0));
        self.enums.push(EnumType { tag: tag.into(), size: 4, signed, values: values.clone().map(Rc::from) });
        let id = self.add(Kind::Enum(n));
        if !tag.is_empty() {
            self.enum_tags.insert(tag.to_owned(), id);
        }
        for (name, value) in values.unwrap_or_default() {
            self.enumerators.insert(name.to_string(), (id, value));
        }
        id
    }

    /// `typedef`; the later one wins.
    pub fn declare_typedef(&mut self, name: &str, to: TypeId) -> TypeId {
        let id = self.add(Kind::Typedef { name: name.into(), to });
        self.typedefs.insert(name.to_owned(), id);
        id
    }

    /// The type in which an integer constant stands: the first of C's list that holds it.
    pub fn literal(value: u64, unsigned: bool, long: u8, decimal: bool) -> Option<IntType> {
        let first = match long {
            0 => Rank::Int,
            1 => Rank::Long,
            _ => Rank::LongLong,
        };
        for rank in [Rank::Int, Rank::Long, Rank::LongLong].into_iter().filter(|r| *r >= first) {
            let t = IntType { rank, signed: true, plain: false };
            let bits = u32::from(t.size()) * 8;
            let fits_signed = value >> (bits - 1) == 0;
            let fits_unsigned = bits == 64 || value >> bits == 0;
            if !unsigned && fits_signed {
                return Some(t);
            }
            // C tries the unsigned types of a decimal constant only when it says `u`; DTrace takes them at the end.
            if fits_unsigned && (unsigned || !decimal || rank == Rank::LongLong) {
                return Some(IntType { signed: false, ..t });
            }
        }
        None
    }
}

fn round_up(n: u64, to: u64) -> u64 {
    if to == 0 { n } else { n.div_ceil(to).saturating_mul(to) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(rank: Rank, signed: bool) -> IntType {
        IntType { rank, signed, plain: false }
    }

    #[test]
    fn literals_are_typed_as_in_c() {
        for (value, u, l, dec, want) in [
            (1, false, 0, true, int(Rank::Int, true)),
            (0x7fff_ffff, false, 0, false, int(Rank::Int, true)),
            (0x8000_0000, false, 0, false, int(Rank::Int, false)),
            (0x8000_0000, false, 0, true, int(Rank::Long, true)),
            (0xc000_0001, true, 1, false, int(Rank::Long, false)),
            (u64::MAX, false, 0, false, int(Rank::Long, false)),
            (u64::MAX, false, 0, true, int(Rank::LongLong, false)),
            (5, true, 2, true, int(Rank::LongLong, false)),
        ] {
            assert_eq!(Types::literal(value, u, l, dec), Some(want), "{value:#x}");
        }
    }

    #[test]
    fn structs_are_laid_out_as_c_does() {
        let mut t = Types::new(None);
        let c = t.int(IntType { rank: Rank::Char, signed: true, plain: true });
        let i = t.c_int();
        let l = t.builtin("int64_t");
        let s = t.declare_composite(false, "s");
        let fields = vec![
            ("a".into(), c, None),
            ("b".into(), i, Some(3)),
            ("c".into(), i, Some(30)),
            ("d".into(), c, None),
            ("e".into(), l, None),
        ];
        t.define_composite(s, fields).expect("all members have a size");
        // gcc: a at 0, b in bits 8..11, c in a new int at byte 4, d at 8, e at 16.
        let at = |t: &mut Types, n: &str| t.member(s, n).map(|f| f.bit_offset);
        assert_eq!(at(&mut t, "a"), Some(0));
        assert_eq!(at(&mut t, "b"), Some(8));
        assert_eq!(at(&mut t, "c"), Some(32));
        assert_eq!(at(&mut t, "d"), Some(64));
        assert_eq!(at(&mut t, "e"), Some(128));
        assert_eq!(t.measure(s, MAX_DEPTH), Some((24, 8)));
    }

    #[test]
    fn anonymous_members_are_looked_through() {
        let mut t = Types::new(None);
        let i = t.c_int();
        let inner = t.declare_composite(true, "");
        t.define_composite(inner, vec![("x".into(), i, None), ("y".into(), i, None)])
            .expect("ints have sizes");
        let s = t.declare_composite(false, "s");
        t.define_composite(s, vec![("a".into(), i, None), (String::new(), inner, None)])
            .expect("inner is defined");
        assert_eq!(t.member(s, "y").map(|f| f.bit_offset), Some(32));
        assert!(t.member(s, "z").is_none());
        let v = t.void();
        assert_eq!(t.define_composite(s, vec![("v".into(), v, None)]), Err((0, FieldError::Incomplete)));
    }
}
