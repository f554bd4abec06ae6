//! Questions about types that take more than one record: sizes, members in anonymous parts, C spellings.
//!
//! Every walk is bounded, because a hostile BTF can refer in circles.

use super::{Btf, Kind, POINTER_BYTES, TypeId};

/// Steps along typedefs, qualifiers and array elements; the deepest chain in a kernel is below ten.
const MAX_CHAIN: usize = 64;
/// Anonymous structures inside anonymous structures.
const MAX_NESTING: usize = 32;
/// Members looked at for one question; the kernel's largest structure has under a thousand.
const MAX_MEMBERS: usize = 1 << 20;
/// Declarators spelled for one question, parameters of parameters included.
const MAX_DECLARATORS: usize = 256;
/// Bytes of a C spelling, after which it ends in "...".
const MAX_SPELLING: usize = 4096;

/// Where a member lies in its outermost composite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The member's type.
    pub ty: TypeId,
    /// Bits from the start of the outermost composite.
    pub bit_offset: u64,
    /// Bits of a bit-field; `None` for any other member.
    pub bitfield_size: Option<u8>,
}

impl Place {
    /// Bytes from the start of the outermost composite to the byte that holds the first bit.
    pub fn byte_offset(&self) -> u64 {
        self.bit_offset / 8
    }
}

impl Btf {
    /// The type behind typedefs, qualifiers and type tags. [`TypeId::VOID`] when they go round in a circle.
    pub fn resolve(&self, id: TypeId) -> TypeId {
        self.strip(id, true)
    }

    /// The type behind qualifiers and type tags, which may be a typedef.
    pub fn strip_modifiers(&self, id: TypeId) -> TypeId {
        self.strip(id, false)
    }

    fn strip(&self, mut id: TypeId, typedefs: bool) -> TypeId {
        for _ in 0..MAX_CHAIN {
            id = match self.kind(id) {
                Kind::Volatile(of) | Kind::Const(of) | Kind::Restrict(of) | Kind::TypeTag(of) => of,
                Kind::Typedef(of) if typedefs => of,
                _ => return id,
            };
        }
        TypeId::VOID
    }

    /// Bytes of a value of this type; `None` for what has no size (`void`, functions, declared structures) or whose
    /// size does not fit 64 bits.
    pub fn size_of(&self, mut id: TypeId) -> Option<u64> {
        let mut times = 1_u64;
        for _ in 0..MAX_CHAIN {
            let one = match self.kind(id) {
                Kind::Int(int) => u64::from(int.size),
                Kind::Ptr(_) => POINTER_BYTES,
                Kind::Struct(s) | Kind::Union(s) => u64::from(s.size),
                Kind::Enum(e) => u64::from(e.size),
                Kind::Float { size } | Kind::Datasec { size, .. } => u64::from(size),
                Kind::Array { elem, len, .. } => {
                    times = times.checked_mul(u64::from(len))?;
                    id = elem;
                    continue;
                }
                Kind::Typedef(of)
                | Kind::Volatile(of)
                | Kind::Const(of)
                | Kind::Restrict(of)
                | Kind::TypeTag(of)
                | Kind::Var { ty: of, .. } => {
                    id = of;
                    continue;
                }
                Kind::Void
                | Kind::Invalid
                | Kind::Fwd { .. }
                | Kind::DeclTag { .. }
                | Kind::Func { .. }
                | Kind::FuncProto(_) => return None,
            };
            return times.checked_mul(one);
        }
        None
    }

    /// A member of a structure or union, found through anonymous members as C finds it. `composite` may be a typedef.
    pub fn member(&self, composite: TypeId, name: &str) -> Option<Place> {
        if name.is_empty() {
            return None;
        }
        self.member_within(composite, name, 0, MAX_NESTING, &mut { MAX_MEMBERS })
    }

    fn member_within(
        &self,
        of: TypeId,
        name: &str,
        base: u64,
        nesting: usize,
        left: &mut usize,
    ) -> Option<Place> {
        let (Kind::Struct(composite) | Kind::Union(composite)) = self.kind(self.resolve(of)) else {
            return None;
        };
        let nesting = nesting.checked_sub(1)?;
        for member in composite.members() {
            *left = left.checked_sub(1)?;
            let bit_offset = base.checked_add(u64::from(member.bit_offset))?;
            if member.name == name {
                return Some(Place { ty: member.ty, bit_offset, bitfield_size: member.bitfield_size });
            }
            if member.name.is_empty()
                && let Some(found) = self.member_within(member.ty, name, bit_offset, nesting, left)
            {
                return Some(found);
            }
        }
        None
    }

    /// A member of a member, such as `se.vruntime`: only composites on the way, no pointers.
    pub fn member_path(&self, composite: TypeId, path: &str) -> Option<Place> {
        let mut place = Place { ty: composite, bit_offset: 0, bitfield_size: None };
        for name in path.split('.') {
            let step = self.member(place.ty, name)?;
            place = Place { bit_offset: place.bit_offset.checked_add(step.bit_offset)?, ..step };
        }
        Some(place)
    }

    /// The type as C writes it, without a name: `struct task_struct *`, `char [16]`.
    pub fn c_name(&self, id: TypeId) -> String {
        self.c_decl(id, "")
    }

    /// A declaration of `name` with this type as C writes it: `char comm[16]`, `int (*fn)(void *)`.
    pub fn c_decl(&self, id: TypeId, name: &str) -> String {
        self.declare(id, name.to_owned(), &mut { MAX_DECLARATORS })
    }

    /// C's declarators read from the inside out, so the spelling grows around the name while the type is taken apart.
    fn declare(&self, mut id: TypeId, mut inner: String, left: &mut usize) -> String {
        let mut prefix = String::new();
        let Some(rest) = left.checked_sub(1) else { return "...".to_owned() };
        *left = rest;
        for _ in 0..MAX_CHAIN {
            if inner.len() > MAX_SPELLING {
                break;
            }
            let own = self.name(id);
            let base = match self.kind(id) {
                Kind::Ptr(to) => {
                    // A qualifier met on the way to this pointer is the pointer's: `int *const p`.
                    inner = format!("*{prefix}{inner}");
                    prefix.clear();
                    if matches!(self.kind(self.strip_modifiers(to)), Kind::Array { .. } | Kind::FuncProto(_))
                    {
                        inner = format!("({inner})");
                    }
                    id = to;
                    continue;
                }
                Kind::Array { elem, len, .. } => {
                    let gap = if inner.is_empty() { " " } else { "" };
                    inner = format!("{}[{len}]", if prefix.is_empty() { inner + gap } else { inner });
                    id = elem;
                    continue;
                }
                Kind::FuncProto(proto) => {
                    let mut params: Vec<String> = proto
                        .params()
                        .take(64)
                        .map(|p| self.declare(p.ty, p.name.to_owned(), left))
                        .collect();
                    match (proto.variadic(), params.is_empty()) {
                        (true, _) => params.push("...".to_owned()),
                        (false, true) => params.push("void".to_owned()),
                        (false, false) => {}
                    }
                    inner = format!("{inner}({})", params.join(", "));
                    id = proto.ret;
                    continue;
                }
                Kind::Const(of) => {
                    prefix.push_str("const ");
                    id = of;
                    continue;
                }
                Kind::Volatile(of) => {
                    prefix.push_str("volatile ");
                    id = of;
                    continue;
                }
                Kind::Restrict(of) => {
                    prefix.push_str("restrict ");
                    id = of;
                    continue;
                }
                // `__user` and friends say nothing that D or C would repeat.
                Kind::TypeTag(of) => {
                    id = of;
                    continue;
                }
                Kind::Var { ty, .. } | Kind::DeclTag { of: ty, .. } => {
                    id = ty;
                    continue;
                }
                Kind::Func { proto, .. } => {
                    if inner.is_empty() {
                        inner = own.to_owned();
                    }
                    id = proto;
                    continue;
                }
                Kind::Struct(_) | Kind::Fwd { union: false } => tagged("struct", own),
                Kind::Union(_) | Kind::Fwd { union: true } => tagged("union", own),
                Kind::Enum(_) => tagged("enum", own),
                Kind::Void => "void".to_owned(),
                Kind::Invalid => format!("<type {}>", id.0),
                Kind::Int(_) | Kind::Typedef(_) | Kind::Float { .. } | Kind::Datasec { .. } => own.to_owned(),
            };
            let gap = if inner.is_empty() || inner.starts_with(' ') { "" } else { " " };
            return format!("{prefix}{base}{gap}{inner}");
        }
        format!("{prefix}... {inner}")
    }
}

fn tagged(keyword: &str, tag: &str) -> String {
    if tag.is_empty() { format!("{keyword} {{...}}") } else { format!("{keyword} {tag}") }
}
