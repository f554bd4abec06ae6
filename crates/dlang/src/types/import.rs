//! The kernel's types, brought into the arena when a script first names them. A struct comes in as a reference to its BTF
//! record; its members are read there one by one.

use std::rc::Rc;
use std::sync::Arc;

use lkd_kernel::btf::{Btf, Kind as B, TypeId as BtfId};

use super::{Body, Composite, EnumType, Enumerator, IntType, Kind, Rank, Source, TypeId, Types};

/// Pointers to pointers, arrays of arrays, typedefs of typedefs: a kernel has below ten; a hostile BTF goes in circles.
const MAX_CHAIN: u32 = 64;

impl Types {
    pub fn has_btf(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Makes a BTF's types reachable; the number names it in [`Types::import`].
    pub fn add_source(&mut self, module: &str, btf: Arc<Btf>) -> u16 {
        if let Some(at) = self.source_of(module) {
            return at;
        }
        self.sources.push(Source { module: module.to_owned(), btf });
        (self.sources.len() - 1) as u16
    }

    pub fn source_of(&self, module: &str) -> Option<u16> {
        self.sources.iter().position(|s| s.module == module).and_then(|i| u16::try_from(i).ok())
    }

    pub fn btf(&self, source: u16) -> Option<Arc<Btf>> {
        self.sources.get(source as usize).map(|s| Arc::clone(&s.btf))
    }

    /// A type of one BTF, as a type of this arena.
    pub fn import(&mut self, source: u16, id: BtfId) -> TypeId {
        match self.btf(source) {
            Some(btf) => self.import_at(source, &btf, id, MAX_CHAIN),
            None => self.void(),
        }
    }

    fn import_at(&mut self, source: u16, btf: &Arc<Btf>, id: BtfId, depth: u32) -> TypeId {
        // A module's BTF continues the kernel's: those types are the kernel's.
        if let Some(base) = btf.base().filter(|base| id.0 < base.len()).cloned()
            && let Some(at) = self.sources.iter().position(|s| Arc::ptr_eq(&s.btf, &base))
        {
            return self.import_at(at as u16, &base, id, depth);
        }
        if let Some(&known) = self.imported.get(&(source, id)) {
            return known;
        }
        let Some(depth) = depth.checked_sub(1) else { return self.void() };
        let ty = match btf.kind(id) {
            B::Int(i) => self.import_int(btf.name(id), i.size, i.signed),
            B::Float { size } => self.float(size as u8),
            B::Ptr(to) => {
                let to = self.import_at(source, btf, to, depth);
                self.ptr(to)
            }
            B::Array { elem, len, .. } => {
                let elem = self.import_at(source, btf, elem, depth);
                self.array(elem, Some(len))
            }
            B::Struct(_) => self.import_composite(false, btf.name(id), Body::Btf { source, id }),
            B::Union(_) => self.import_composite(true, btf.name(id), Body::Btf { source, id }),
            B::Fwd { union } => self.import_forward(source, btf, union, btf.name(id), depth),
            B::Enum(e) => {
                let values: Rc<[Enumerator]> =
                    e.values().map(|v| (Rc::from(v.name), v.value.as_i128())).collect();
                let n = self.enums.len() as u32;
                self.enums.push(EnumType {
                    tag: btf.name(id).into(),
                    size: e.size.clamp(1, 8) as u8,
                    signed: e.signed,
                    values: Some(values),
                });
                self.add(Kind::Enum(n))
            }
            B::Typedef(to) => {
                let to = self.import_at(source, btf, to, depth);
                self.add(Kind::Typedef { name: btf.name(id).into(), to })
            }
            B::Volatile(of) | B::Const(of) | B::Restrict(of) | B::TypeTag(of) => {
                self.import_at(source, btf, of, depth)
            }
            B::Func { .. } => self.func(btf.name(id)),
            B::FuncProto(_) => self.func(&btf.c_name(id)),
            B::Var { ty, .. } => self.import_at(source, btf, ty, depth),
            _ => self.void(),
        };
        self.imported.insert((source, id), ty);
        ty
    }

    fn import_composite(&mut self, union: bool, tag: &str, body: Body) -> TypeId {
        let n = self.composites.len() as u32;
        self.composites.push(Composite { union, tag: tag.into(), body });
        self.add(Kind::Composite(n))
    }

    /// A struct that this BTF only names may be defined elsewhere in it.
    fn import_forward(&mut self, source: u16, btf: &Arc<Btf>, union: bool, tag: &str, depth: u32) -> TypeId {
        let found = if union { btf.find_union(tag) } else { btf.find_struct(tag) };
        match found {
            Some(full) => self.import_at(source, btf, full, depth),
            None => self.import_composite(union, tag, Body::Forward),
        }
    }

    /// BTF's integers have names in the compiler's word order; size and sign say what they are.
    fn import_int(&mut self, name: &str, size: u32, signed: bool) -> TypeId {
        let rank = match (name, size) {
            ("_Bool", 1) => Rank::Bool,
            (_, 1) => Rank::Char,
            (_, 2) => Rank::Short,
            (_, 4) => Rank::Int,
            (_, 8) if name.contains("long long") => Rank::LongLong,
            (_, 8) => Rank::Long,
            _ => return self.add(Kind::Opaque { name: name.into(), size }),
        };
        // A plain char is text whatever its sign in this kernel (unsigned since 6.2).
        let plain = name == "char";
        self.int(IntType { rank, signed: (signed || plain) && rank != Rank::Bool, plain })
    }

    /// `typedef` of that name: D's own first, then `module`'s BTF or, without one, the kernel's.
    pub fn find_typedef(&mut self, source: Option<u16>, name: &str) -> Option<TypeId> {
        if let Some(own) = self.own_typedef(name).filter(|_| source.is_none()) {
            return Some(own);
        }
        let at = source.unwrap_or(0);
        let id = self.btf(at)?.find_typedef(name)?;
        Some(self.import(at, id))
    }

    /// The struct or union of that tag in a BTF (the kernel's without a number).
    pub fn find_kernel_tag(&mut self, source: Option<u16>, union: bool, tag: &str) -> Option<TypeId> {
        let at = source.unwrap_or(0);
        let btf = self.btf(at)?;
        let id = if union { btf.find_union(tag)? } else { btf.find_struct(tag)? };
        Some(self.import(at, id))
    }

    pub fn find_kernel_enum(&mut self, source: Option<u16>, tag: &str) -> Option<TypeId> {
        let at = source.unwrap_or(0);
        let id = self.btf(at)?.find_enum(tag)?;
        Some(self.import(at, id))
    }

    /// An enumerator: D's own, else the kernel's.
    pub fn find_enumerator(&mut self, name: &str) -> Option<(TypeId, i128)> {
        if let Some(own) = self.own_enumerator(name) {
            return Some(own);
        }
        let btf = self.btf(0)?;
        let (of, value) = btf.enumerator(name).map(|e| (e.of, e.value.as_i128()))?;
        Some((self.import(0, of), value))
    }
}
