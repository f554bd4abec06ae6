//! A typed value: the program's expression, its C type, and whether it has a place; and C's conversions of it.

use crate::ast::BinaryOp;
use crate::diag::Tag;
use crate::program::{BinOp, CmpOp, Expr, ExprKind, Ty};
use crate::span::Span;
use crate::types::{IntType, Kind, Rank, TypeId, Types};

use super::fold;
use super::{Checker, MAX_NODES, R};

#[derive(Clone, Debug)]
pub(super) struct Val {
    pub e: Expr,
    pub t: TypeId,
    pub place: Place,
}

/// Where a value was read from.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// It was computed.
    None,
    /// A D variable: it can be written.
    Var,
    /// Kernel memory: it has an address.
    Memory,
    /// A bit-field of that width: it has neither.
    Bits(u8),
}

pub(super) const INT: Ty = Ty::Int { size: 4, signed: true };
pub(super) const U64: Ty = Ty::Int { size: 8, signed: false };
pub(super) const I64: Ty = Ty::Int { size: 8, signed: true };

pub(super) fn expr(kind: ExprKind, ty: Ty, span: Span) -> Expr {
    Expr { kind, ty, span }
}

pub(super) fn int_const(value: u64, ty: Ty, span: Span) -> Expr {
    expr(ExprKind::Int(fold::reduce(value, ty)), ty, span)
}

pub(super) fn const_of(e: &Expr) -> Option<u64> {
    match e.kind {
        ExprKind::Int(n) => Some(n),
        _ => None,
    }
}

pub(super) fn ty_of_int(i: IntType) -> Ty {
    Ty::Int { size: i.size(), signed: i.signed }
}

/// Truncates and extends; constants at once.
pub(super) fn convert(e: Expr, to: Ty) -> Expr {
    if e.ty == to {
        return e;
    }
    let span = e.span;
    match const_of(&e) {
        Some(n) => int_const(n, to, span),
        None => expr(ExprKind::Convert(Box::new(e)), to, span),
    }
}

/// `a op b`, both of `ty` (a shift's `b` of any integer type). `None`: a constant division by zero.
pub(super) fn binary(op: BinOp, a: Expr, b: Expr, ty: Ty, span: Span) -> Option<Expr> {
    if matches!(op, BinOp::Div | BinOp::Mod) && const_of(&b) == Some(0) {
        return None;
    }
    if let (Some(x), Some(y)) = (const_of(&a), const_of(&b)) {
        return fold::binary(op, x, y, ty).map(|n| int_const(n, ty, span));
    }
    Some(expr(ExprKind::Binary(op, Box::new(a), Box::new(b)), ty, span))
}

/// `p + bytes`, constant parts gathered: `(p + 8) + 16` is `p + 24`.
pub(super) fn offset(p: Expr, bytes: u64, span: Span) -> Expr {
    if bytes == 0 {
        return Expr { ty: Ty::Ptr, ..p };
    }
    let (base, bytes) = match p.kind {
        ExprKind::Binary(BinOp::Add, base, by) if const_of(&by).is_some() => {
            (*base, bytes.wrapping_add(const_of(&by).unwrap_or(0)))
        }
        kind => (Expr { kind, ..p }, bytes),
    };
    match const_of(&base) {
        Some(n) => int_const(n.wrapping_add(bytes), Ty::Ptr, span),
        None => {
            let by = int_const(bytes, Ty::Ptr, span);
            expr(ExprKind::Binary(BinOp::Add, Box::new(base), Box::new(by)), Ty::Ptr, span)
        }
    }
}

/// `e != 0` as an int.
pub(super) fn truth(e: Expr) -> Expr {
    let (ty, span) = (e.ty, e.span);
    match const_of(&e) {
        Some(n) => int_const(u64::from(n != 0), INT, span),
        None => expr(ExprKind::Compare(CmpOp::Ne, Box::new(e), Box::new(int_const(0, ty, span))), INT, span),
    }
}

impl Checker<'_> {
    /// How a value of that type is held at run time.
    pub(super) fn shape(&self, t: TypeId) -> Ty {
        if let Some(i) = self.types.as_int(t) {
            return match self.types.enum_type(t) {
                Some(e) => Ty::Int { size: e.size, signed: e.signed },
                None => ty_of_int(i),
            };
        }
        match self.types.base(t) {
            Kind::Ptr(_) | Kind::Func { .. } => Ty::Ptr,
            Kind::Str => Ty::Str { size: self.program.options.strsize() },
            Kind::Composite(_) | Kind::Array { .. } | Kind::Opaque { .. } | Kind::Float { .. } => {
                let size = self.types.size_of(t).unwrap_or(0);
                Ty::Mem { size: u32::try_from(size).unwrap_or(u32::MAX) }
            }
            Kind::Void | Kind::Int(_) | Kind::Enum(_) | Kind::Typedef { .. } => Ty::Void,
        }
    }

    pub(super) fn val(&mut self, kind: ExprKind, t: TypeId, span: Span) -> Val {
        let ty = self.shape(t);
        Val { e: expr(kind, ty, span), t, place: Place::None }
    }

    pub(super) fn int_val(&mut self, e: Expr) -> Val {
        let t = self.types.c_int();
        Val { e: convert(e, INT), t, place: Place::None }
    }

    pub(super) fn name_of(&self, v: &Val) -> String {
        self.types.name(v.t)
    }

    /// Counts a node against the statement's limit.
    pub(super) fn count_node(&mut self, span: Span) -> R<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let text =
                format!("expression is too large: over {MAX_NODES} operations once its inlines are put in");
            return self.err(Tag::Limit, span, text);
        }
        Ok(())
    }

    /// The integer type that C promotes the value to; `None` for what is no integer.
    pub(super) fn promoted(&self, v: &Val) -> Option<IntType> {
        let i = self.types.as_int(v.t)?;
        match v.place {
            // A bit-field that fits an int is one.
            Place::Bits(w) if u32::from(w) < 32 || (w == 32 && i.signed && i.rank <= Rank::Int) => {
                Some(IntType::INT)
            }
            _ => Some(Types::promote(i)),
        }
    }

    /// The value as `t`, for types between which C converts without a word.
    pub(super) fn convert_to(&mut self, v: Val, t: TypeId) -> Val {
        let ty = self.shape(t);
        let bool_ = matches!(self.types.base(t), Kind::Int(IntType { rank: Rank::Bool, .. }));
        let e = if bool_ && v.e.ty != ty { truth(v.e) } else { v.e };
        Val { e: convert(e, ty), t, place: Place::None }
    }

    /// An array as the pointer to its first element, a function as the pointer to it; everything else as it is.
    pub(super) fn decay(&mut self, v: Val) -> Val {
        if matches!(self.types.base(v.t), Kind::Func { .. }) {
            let t = self.types.ptr(v.t);
            return Val { t, place: Place::None, ..v };
        }
        let Kind::Array { elem, .. } = *self.types.base(v.t) else { return v };
        match v.e.kind {
            ExprKind::Mem(address) => Val { e: *address, t: self.types.ptr(elem), place: Place::None },
            ExprKind::Comma(first, second) => {
                let second = self.decay(Val { e: *second, t: v.t, place: Place::None });
                let (ty, t, span) = (second.e.ty, second.t, v.e.span);
                let kind = ExprKind::Comma(first, Box::new(second.e));
                Val { e: expr(kind, ty, span), t, place: Place::None }
            }
            _ => v,
        }
    }

    pub(super) fn is_pointer(&self, v: &Val) -> bool {
        matches!(self.types.base(v.t), Kind::Ptr(_) | Kind::Array { .. })
    }

    /// C's null pointer constants: 0 and `(void *)0`.
    pub(super) fn is_null(&self, v: &Val) -> bool {
        let void = self.types.target(v.t).is_some_and(|t| matches!(self.types.base(t), Kind::Void));
        const_of(&v.e) == Some(0) && (void || self.types.as_int(v.t).is_some())
    }

    /// Do two values meet as pointers: to one type, or one to void, or one the constant 0?
    pub(super) fn pointers_meet(&self, a: &Val, b: &Val) -> bool {
        let (pa, pb) = (self.types.target(a.t), self.types.target(b.t));
        match (pa, pb) {
            (Some(x), Some(y)) => {
                matches!(self.types.base(x), Kind::Void)
                    || matches!(self.types.base(y), Kind::Void)
                    || self.types.same(x, y)
            }
            (Some(_), None) => self.is_null(b),
            (None, Some(_)) => self.is_null(a),
            (None, None) => false,
        }
    }

    /// A string: a D string as it is, `char *` and `char []` read from memory. `None`: not string-like.
    pub(super) fn as_string(&mut self, v: Val) -> Option<Val> {
        if self.types.is_string(v.t) {
            return Some(v);
        }
        if !self.types.is_string_like(v.t) {
            return None;
        }
        Some(self.string_at(v))
    }

    /// The string at the address that the value is (or, for an array, has).
    pub(super) fn string_at(&mut self, v: Val) -> Val {
        let strsize = self.program.options.strsize();
        let span = v.e.span;
        let size = match *self.types.base(v.t) {
            // Room for a NUL that the array may lack.
            Kind::Array { len: Some(n), .. } if n > 0 => n.saturating_add(1).min(strsize),
            _ => strsize,
        };
        let v = self.decay(v);
        let t = self.types.string();
        Val {
            e: expr(ExprKind::StrAt(Box::new(convert(v.e, Ty::Ptr))), Ty::Str { size }, span),
            t,
            place: Place::None,
        }
    }

    /// Assignment and argument passing: may a value of `v`'s kind become a `t`, and as what? `None`: the types do not
    /// go together.
    pub(super) fn coerce(&mut self, v: Val, t: TypeId) -> Option<Val> {
        let to_int = self.types.as_int(t).is_some();
        if to_int && self.types.as_int(v.t).is_some() {
            return Some(self.convert_to(v, t));
        }
        if self.types.is_string(t) {
            if self.is_null(&v) {
                let span = v.e.span;
                return Some(Val {
                    e: expr(ExprKind::Str(Vec::new()), Ty::Str { size: 1 }, span),
                    t,
                    place: Place::None,
                });
            }
            return self.as_string(v);
        }
        if matches!(self.types.base(t), Kind::Ptr(_)) {
            let fits = self.is_null(&v) || {
                let like = Val { t, ..v.clone() };
                self.pointers_meet(&like, &v)
            };
            if fits && (self.is_null(&v) || self.is_pointer(&v)) {
                let v = self.decay(v);
                return Some(Val { e: convert(v.e, Ty::Ptr), t, place: Place::None });
            }
        }
        None
    }
}

/// D's arithmetic operators as the program has them; `None` for comparisons and logic.
pub(super) fn bin_op(op: BinaryOp) -> Option<BinOp> {
    Some(match op {
        BinaryOp::Mul => BinOp::Mul,
        BinaryOp::Div => BinOp::Div,
        BinaryOp::Mod => BinOp::Mod,
        BinaryOp::Add => BinOp::Add,
        BinaryOp::Sub => BinOp::Sub,
        BinaryOp::Shl => BinOp::Shl,
        BinaryOp::Shr => BinOp::Shr,
        BinaryOp::BitAnd => BinOp::And,
        BinaryOp::BitXor => BinOp::Xor,
        BinaryOp::BitOr => BinOp::Or,
        _ => return None,
    })
}

pub(super) fn cmp_op(op: BinaryOp) -> Option<CmpOp> {
    Some(match op {
        BinaryOp::Lt => CmpOp::Lt,
        BinaryOp::Le => CmpOp::Le,
        BinaryOp::Gt => CmpOp::Gt,
        BinaryOp::Ge => CmpOp::Ge,
        BinaryOp::Eq => CmpOp::Eq,
        BinaryOp::Ne => CmpOp::Ne,
        _ => return None,
    })
}

/// As the operator is written: told once, by the printer of trees.
pub(super) use crate::unparse::binary_op as spelling;
