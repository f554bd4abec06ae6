//! Unary and binary operators: C's rules for types, then DTrace's words for what breaks them.

use crate::ast::{self, BinaryOp, ExprKind as A, UnaryOp};
use crate::diag::{Diag, Tag};
use crate::program::{BinOp, CmpOp, Expr, ExprKind, Ty};
use crate::span::Span;
use crate::types::{Kind, TypeId, Types};

use super::fold;
use super::value::{
    I64, INT, Place, Val, bin_op, binary, cmp_op, const_of, convert, expr, int_const, offset, spelling,
    truth, ty_of_int,
};
use super::vars::Scope;
use super::{Checker, MAX_CHAIN, R};

impl Checker<'_> {
    /// The operand of a unary operator: a `self->` or `this->` name or an array element that is new here becomes an
    /// `int64_t`, as in DTrace.
    pub(super) fn operand(&mut self, e: &ast::Expr) -> R<Val> {
        let int64 = self.types.builtin("int64_t");
        match &e.kind {
            A::SelfVar(n)
                if !self.threads.contains_key(n) && !self.poisoned.contains(&Scope::SelfVar.shown(n)) =>
            {
                let var = self.create(Scope::SelfVar, n, int64, e.span)?;
                Ok(self.var_val(var, e.span))
            }
            A::This(n) if !self.locals.contains_key(n) && !self.poisoned.contains(&Scope::This.shown(n)) => {
                let var = self.create(Scope::This, n, int64, e.span)?;
                Ok(self.var_val(var, e.span))
            }
            A::Index { base, index } => self.index(base, index, e.span, true),
            _ => self.expr(e),
        }
    }

    pub(super) fn unary(&mut self, op: UnaryOp, operand: &ast::Expr, span: Span) -> R<Val> {
        if let (UnaryOp::AddrOf, A::KernelSym { module, name }) = (op, &operand.kind) {
            return self.symbol_address(module.as_deref(), name, span);
        }
        let v = self.operand(operand)?;
        match op {
            UnaryOp::AddrOf => self.address_of(v, span),
            UnaryOp::Deref => self.deref(v, span),
            UnaryOp::Not => {
                let v = self.decay(v);
                if !self.types.is_scalar(v.t) {
                    return self.wants(Tag::OpScalar, "!", "an operand", "scalar", &v, span);
                }
                let e = match const_of(&v.e) {
                    Some(n) => int_const(u64::from(n == 0), INT, span),
                    None => expr(ExprKind::Not(Box::new(v.e)), INT, span),
                };
                Ok(self.int_val(e))
            }
            UnaryOp::Plus | UnaryOp::Neg | UnaryOp::BitNot => self.unary_int(op, v, span),
        }
    }

    fn unary_int(&mut self, op: UnaryOp, v: Val, span: Span) -> R<Val> {
        let Some(i) = self.promoted(&v) else {
            return match op {
                UnaryOp::BitNot => self.wants(Tag::OpInt, "~", "an operand", "integral", &v, span),
                UnaryOp::Plus => self.wants(Tag::OpArith, "+", "an operand", "arithmetic", &v, span),
                _ => self.wants(Tag::OpArith, "-", "an operand", "arithmetic", &v, span),
            };
        };
        let (t, ty) = (self.types.int(i), ty_of_int(i));
        let e = convert(v.e, ty);
        let e = match (op, const_of(&e)) {
            (UnaryOp::Plus, _) => e,
            (UnaryOp::BitNot, Some(n)) => int_const(!n, ty, span),
            (UnaryOp::BitNot, None) => expr(ExprKind::BitNot(Box::new(e)), ty, span),
            (_, Some(n)) => int_const(n.wrapping_neg(), ty, span),
            (_, None) => expr(ExprKind::Neg(Box::new(e)), ty, span),
        };
        Ok(Val { e, t, place: Place::None })
    }

    fn wants<T>(&mut self, tag: Tag, op: &str, what: &str, kind: &str, v: &Val, span: Span) -> R<T> {
        let text = format!("operator {op} requires {what} of {kind} type");
        let diag = Diag::new(tag, span, text).note(format!("here it is of type {}", self.name_of(v)));
        Err(self.report(diag))
    }

    /// `a op b op c …`: the left spine is walked in a loop, so that long sums need no deep stack.
    pub(super) fn chain(&mut self, e: &ast::Expr) -> R<Val> {
        let mut spine = Vec::new();
        let mut at = e;
        while let A::Binary(op, left, right) = &at.kind {
            spine.push((*op, right.as_ref(), at.span, left.as_ref()));
            if spine.len() > MAX_CHAIN {
                return self.err(
                    Tag::Nest,
                    e.span,
                    format!("expression has more than {MAX_CHAIN} operators in a row"),
                );
            }
            at = left;
        }
        let mut left = self.expr(at)?;
        while let Some((op, right, span, _)) = spine.pop() {
            self.count_node(span)?;
            let r = match self.enum_right(&left, op, right)? {
                Some(v) => v,
                None => self.expr(right)?,
            };
            left = self.binary(op, left, r, span)?;
            left.e.span = span;
        }
        Ok(left)
    }

    /// Right of an enum, a name may be one of its enumerators, even one that is unknown elsewhere.
    fn enum_right(&mut self, left: &Val, op: BinaryOp, right: &ast::Expr) -> R<Option<Val>> {
        let A::Ident(name) = &right.kind else { return Ok(None) };
        if cmp_op(op).is_none() {
            return Ok(None);
        }
        let Some(e) = self.types.enum_type(left.t) else { return Ok(None) };
        let Some(value) =
            e.values.as_ref().and_then(|v| v.iter().find(|(n, _)| **n == **name)).map(|(_, v)| *v)
        else {
            return Ok(None);
        };
        if self.globals.contains_key(name) {
            let (ty, op) = (self.types.name(left.t), spelling(op));
            let text = format!(
                "ambiguous use of operator {op}: {name} is both a {ty} enum tag and a global variable"
            );
            return self.err(Tag::IdentAmbig, right.span, text);
        }
        let ty = self.shape(left.t);
        Ok(Some(Val { e: int_const(value as u64, ty, right.span), t: left.t, place: Place::None }))
    }

    fn binary(&mut self, op: BinaryOp, a: Val, b: Val, span: Span) -> R<Val> {
        match op {
            BinaryOp::LogAnd | BinaryOp::LogOr | BinaryOp::LogXor => self.logic(op, a, b, span),
            BinaryOp::Shl | BinaryOp::Shr => self.shift(op, a, b, span),
            BinaryOp::Add | BinaryOp::Sub => self.additive(op, a, b, span),
            _ => match cmp_op(op) {
                Some(cmp) => self.compare(op, cmp, a, b, span),
                None => self.arithmetic(op, a, b, span),
            },
        }
    }

    fn incompatible<T>(&mut self, op: BinaryOp, a: &Val, b: &Val, span: Span) -> R<T> {
        let (x, y) = (self.name_of(a), self.name_of(b));
        let text = format!("operands have incompatible types: \"{x}\" {} \"{y}\"", spelling(op));
        self.err(Tag::OpIncompat, span, text)
    }

    fn arithmetic(&mut self, op: BinaryOp, a: Val, b: Val, span: Span) -> R<Val> {
        let (tag, kind) = match op {
            BinaryOp::Mul | BinaryOp::Div => (Tag::OpArith, "arithmetic"),
            _ => (Tag::OpInt, "integral"),
        };
        let (Some(x), Some(y)) = (self.promoted(&a), self.promoted(&b)) else {
            let wrong = if self.promoted(&a).is_none() { &a } else { &b };
            return self.wants(tag, spelling(op), "operands", kind, wrong, span);
        };
        let i = Types::common(x, y);
        let (t, ty) = (self.types.int(i), ty_of_int(i));
        let (a, b) = (convert(a.e, ty), convert(b.e, ty));
        self.made(op, a, b, ty, t, span)
    }

    fn made(&mut self, op: BinaryOp, a: Expr, b: Expr, ty: Ty, t: TypeId, span: Span) -> R<Val> {
        let made = bin_op(op).and_then(|op| binary(op, a, b, ty, span));
        match made {
            Some(e) => Ok(Val { e, t, place: Place::None }),
            None => self.err(Tag::DivZero, span, "expression contains division by zero"),
        }
    }

    fn shift(&mut self, op: BinaryOp, a: Val, b: Val, span: Span) -> R<Val> {
        let (Some(x), Some(y)) = (self.promoted(&a), self.promoted(&b)) else {
            let wrong = if self.promoted(&a).is_none() { &a } else { &b };
            return self.wants(Tag::OpInt, spelling(op), "operands", "integral", wrong, span);
        };
        let (t, ty) = (self.types.int(x), ty_of_int(x));
        let (a, b) = (convert(a.e, ty), convert(b.e, ty_of_int(y)));
        self.made(op, a, b, ty, t, span)
    }

    fn additive(&mut self, op: BinaryOp, a: Val, b: Val, span: Span) -> R<Val> {
        let (a, b) = (self.decay(a), self.decay(b));
        let (pa, pb) = (self.is_pointer(&a), self.is_pointer(&b));
        let (ia, ib) = (self.promoted(&a).is_some(), self.promoted(&b).is_some());
        let pointer = if pa { &a } else { &b };
        let to = self.types.target(pointer.t);
        if to.is_some_and(|t| matches!(self.types.base(t), Kind::Void | Kind::Func { .. })) {
            let (x, y) = (self.name_of(&a), self.name_of(&b));
            let text = format!("operands have incompatible types: \"{x}\" {} \"{y}\"", spelling(op));
            let diag =
                Diag::new(Tag::OpIncompat, span, text).help("cast the pointer first: (char *) counts bytes");
            return Err(self.report(diag));
        }
        if (self.types.is_string(a.t) && ib) || (ia && self.types.is_string(b.t)) {
            return self.unbuilt(span, "strings moved like pointers");
        }
        match op {
            _ if ia && ib => self.arithmetic(op, a, b, span),
            _ if pa && ib => self.pointer_plus(op, a, b, span),
            BinaryOp::Add if ia && pb => self.pointer_plus(op, b, a, span),
            BinaryOp::Sub if pa && pb && self.pointers_meet(&a, &b) => {
                let size = self.pointed_size(a.t, "-", span)?;
                let t = self.types.builtin("ptrdiff_t");
                let (x, y) = (convert(a.e, I64), convert(b.e, I64));
                let diff = binary(BinOp::Sub, x, y, I64, span).ok_or(super::Reported)?;
                self.made(BinaryOp::Div, diff, int_const(size, I64, span), I64, t, span)
            }
            _ => self.incompatible(op, &a, &b, span),
        }
    }

    /// A pointer moved by a number of elements.
    pub(super) fn pointer_plus(&mut self, op: BinaryOp, p: Val, n: Val, span: Span) -> R<Val> {
        let size = self.pointed_size(p.t, spelling(op), span)?;
        let t = p.t;
        let n = convert(convert(n.e, I64), Ty::Ptr);
        let base = convert(p.e, Ty::Ptr);
        let e = match const_of(&n) {
            Some(n) => {
                let bytes = n.wrapping_mul(size);
                offset(base, if op == BinaryOp::Sub { bytes.wrapping_neg() } else { bytes }, span)
            }
            None => {
                let by = if size == 1 {
                    n
                } else {
                    binary(BinOp::Mul, n, int_const(size, Ty::Ptr, span), Ty::Ptr, span)
                        .ok_or(super::Reported)?
                };
                let op = if op == BinaryOp::Sub { BinOp::Sub } else { BinOp::Add };
                binary(op, base, by, Ty::Ptr, span).ok_or(super::Reported)?
            }
        };
        Ok(Val { e, t, place: Place::None })
    }

    /// Bytes of what a pointer points to; a void pointer has no such thing.
    pub(super) fn pointed_size(&mut self, t: TypeId, op: &str, span: Span) -> R<u64> {
        match self.types.target(t).and_then(|to| self.types.size_of(to)).filter(|n| *n > 0) {
            Some(n) => Ok(n),
            None => {
                let text = format!("operator {op} requires a pointer to a type of known size");
                let diag = Diag::new(Tag::OpVfptr, span, text)
                    .label(format!("this is {}", self.types.name(t)))
                    .help("cast it first: (char *) counts bytes");
                Err(self.report(diag))
            }
        }
    }

    fn compare(&mut self, op: BinaryOp, cmp: CmpOp, a: Val, b: Val, span: Span) -> R<Val> {
        if let (Some(x), Some(y)) = (self.promoted(&a), self.promoted(&b)) {
            let ty = ty_of_int(Types::common(x, y));
            return Ok(self.compared(cmp, convert(a.e, ty), convert(b.e, ty), span));
        }
        let strings = self.types.is_string(a.t) || self.types.is_string(b.t);
        if strings && self.types.is_string_like(a.t) && self.types.is_string_like(b.t) {
            let (Some(x), Some(y)) = (self.as_string(a.clone()), self.as_string(b.clone())) else {
                return self.incompatible(op, &a, &b, span);
            };
            let e = match (&x.e.kind, &y.e.kind) {
                (ExprKind::Str(l), ExprKind::Str(r)) => {
                    int_const(u64::from(fold::holds(cmp, l.cmp(r))), INT, span)
                }
                _ => expr(ExprKind::StrCompare(cmp, Box::new(x.e), Box::new(y.e)), INT, span),
            };
            return Ok(self.int_val(e));
        }
        // An unset string is empty, so comparing with NULL asks whether it is set.
        if strings && matches!(cmp, CmpOp::Eq | CmpOp::Ne) && (self.is_null(&a) || self.is_null(&b)) {
            let s = if self.is_null(&a) { b } else { a };
            let empty = expr(ExprKind::Str(Vec::new()), Ty::Str { size: 1 }, span);
            let e = expr(ExprKind::StrCompare(cmp, Box::new(s.e), Box::new(empty)), INT, span);
            return Ok(self.int_val(e));
        }
        if !strings {
            let (a, b) = (self.decay(a.clone()), self.decay(b.clone()));
            let func = |v: &Val| matches!(self.types.base(v.t), Kind::Func { .. });
            if self.pointers_meet(&a, &b) || (func(&a) && (func(&b) || self.is_pointer(&b))) {
                return Ok(self.compared(cmp, convert(a.e, Ty::Ptr), convert(b.e, Ty::Ptr), span));
            }
        }
        self.incompatible(op, &a, &b, span)
    }

    fn compared(&mut self, cmp: CmpOp, a: Expr, b: Expr, span: Span) -> Val {
        let e = match (const_of(&a), const_of(&b)) {
            (Some(x), Some(y)) => int_const(u64::from(fold::compare(cmp, x, y, a.ty)), INT, span),
            _ => expr(ExprKind::Compare(cmp, Box::new(a), Box::new(b)), INT, span),
        };
        self.int_val(e)
    }

    fn logic(&mut self, op: BinaryOp, a: Val, b: Val, span: Span) -> R<Val> {
        let (a, b) = (self.decay(a), self.decay(b));
        for v in [&a, &b] {
            if !self.types.is_scalar(v.t) {
                return self.wants(Tag::OpScalar, spelling(op), "operands", "scalar", v, span);
            }
        }
        let (x, y) = (const_of(&a.e).map(|n| n != 0), const_of(&b.e).map(|n| n != 0));
        let fixed = |yes: bool| int_const(u64::from(yes), INT, span);
        let e = match (op, x, y) {
            (BinaryOp::LogAnd, Some(false), _) => fixed(false),
            (BinaryOp::LogOr, Some(true), _) => fixed(true),
            // The left side is known and leaves the choice to the right one.
            (BinaryOp::LogAnd | BinaryOp::LogOr, Some(_), _) => truth(b.e),
            (BinaryOp::LogXor, Some(p), Some(q)) => fixed(p != q),
            (BinaryOp::LogAnd, ..) => expr(ExprKind::LogAnd(Box::new(a.e), Box::new(b.e)), INT, span),
            (BinaryOp::LogOr, ..) => expr(ExprKind::LogOr(Box::new(a.e), Box::new(b.e)), INT, span),
            _ => expr(ExprKind::LogXor(Box::new(a.e), Box::new(b.e)), INT, span),
        };
        Ok(self.int_val(e))
    }
}
