//! Expressions, form by form: constants, names, casts, `sizeof`, `offsetof`, `?:`.

use crate::ast::{self, Designator, ExprKind as A, TypeName};
use crate::constants;
use crate::diag::{Diag, Tag};
use crate::names::{self, What};
use crate::options::nearest;
use crate::program::{Builtin, ExprKind, Ty};
use crate::span::Span;
use crate::types::{Body, IntType, Kind, TypeId, Types};

use super::value::{Place, Val, const_of, convert, int_const, truth, ty_of_int};
use super::vars::Scope;
use super::{Checker, Global, MAX_DEPTH, R, Reported};

/// TASK_COMM_LEN: what the kernel keeps of a program's name.
const COMM_BYTES: u32 = 16;

impl Checker<'_> {
    pub(super) fn expr(&mut self, e: &ast::Expr) -> R<Val> {
        self.count_node(e.span)?;
        if self.depth >= MAX_DEPTH {
            return self.err(Tag::Nest, e.span, "expression is nested too deeply");
        }
        self.depth += 1;
        let checked = self.form(e);
        self.depth -= 1;
        checked.map(|mut v| {
            v.e.span = e.span;
            v
        })
    }

    fn form(&mut self, e: &ast::Expr) -> R<Val> {
        let span = e.span;
        match &e.kind {
            A::Int(lit) => self.int_literal(*lit, span),
            A::Char(c) => {
                let t = self.types.c_int();
                Ok(Val { e: int_const(*c as u64, super::value::INT, span), t, place: Place::None })
            }
            A::Str(bytes) => Ok(self.string_literal(bytes, span)),
            A::Ident(name) => self.name(name, span),
            A::KernelSym { module, name } => self.kernel_symbol(module.as_deref(), name, span),
            A::This(name) => self.read_scalar(Scope::This, name, span),
            A::SelfVar(name) => self.read_scalar(Scope::SelfVar, name, span),
            A::Agg { .. } => self.unbuilt(span, "aggregations"),
            A::Unary(op, operand) => self.unary(*op, operand, span),
            A::Binary(..) => self.chain(e),
            A::Assign { op: None, target, value } => self.assign(target, value, span),
            A::Assign { op: Some(op), target, value } => self.assign_op(*op, target, value, span),
            A::IncDec { inc, prefix, target } => self.inc_dec(*inc, *prefix, target, span),
            A::Ternary { cond, then, els } => self.ternary(cond, then, els, span),
            A::Comma(first, second) => self.comma(first, second, span),
            A::Cast(ty, operand) => self.cast(ty, operand, span),
            A::SizeofType(ty) => {
                let t = self.type_name(ty)?;
                self.sizeof(t, span)
            }
            A::SizeofExpr(operand) => self.sizeof_expr(operand, span),
            A::Offsetof(ty, path) => self.offsetof(ty, path, span),
            A::Stringof(operand) => self.stringof(operand, span),
            A::Xlate(..) => self.unbuilt(span, "translators"),
            A::Call { name, name_span, args } => self.call(name, *name_span, args, span),
            A::Index { base, index } => self.index(base, index, span, false),
            A::Member { base, name, name_span } => self.member(base, name, *name_span, false),
            A::Arrow { base, name, name_span } => self.member(base, name, *name_span, true),
            A::Bad => Err(Reported),
        }
    }

    fn int_literal(&mut self, lit: ast::IntLit, span: Span) -> R<Val> {
        match Types::literal(lit.value, lit.unsigned, lit.long, lit.decimal) {
            Some(i) => {
                let t = self.types.int(i);
                Ok(Val { e: int_const(lit.value, ty_of_int(i), span), t, place: Place::None })
            }
            None => {
                let text = format!(
                    "integer constant {:#x} cannot be represented in any built-in integral type",
                    lit.value
                );
                self.err(Tag::IntOflow, span, text)
            }
        }
    }

    fn string_literal(&mut self, bytes: &[u8], span: Span) -> Val {
        // A D string ends at its first NUL, as in C.
        let text: Vec<u8> = bytes.iter().copied().take_while(|b| *b != 0).collect();
        let size = u32::try_from(text.len() + 1).unwrap_or(u32::MAX);
        let t = self.types.string();
        Val { e: super::value::expr(ExprKind::Str(text), Ty::Str { size }, span), t, place: Place::None }
    }

    /// A bare name: inline parameter, global, built-in variable, enumerator, in this order.
    fn name(&mut self, name: &str, span: Span) -> R<Val> {
        if let Some(v) = self.params.last().and_then(|p| p.get(name)) {
            return Ok(v.clone());
        }
        if self.pending.as_deref() == Some(name) && !self.globals.contains_key(name) {
            let text = format!("{name} has not yet been declared or assigned");
            return self.err(Tag::VarUndef, span, text);
        }
        match self.globals.get(name).cloned() {
            Some(Global::Scalar(n)) => return Ok(self.var_val(crate::program::VarRef::Global(n), span)),
            Some(Global::Assoc(_)) => {
                let text = format!("associative array '{name}' may not be referenced as scalar");
                return self.err(Tag::IdentBadref, span, text);
            }
            Some(Global::Inline(def)) => return self.use_inline(&def, name, &[], span),
            None => {}
        }
        if let Some(row) = names::find(name) {
            return self.builtin(row, span);
        }
        if let Some(value) = constants::find(name) {
            let t = self.types.c_int();
            return Ok(Val { e: int_const(value as u64, super::value::INT, span), t, place: Place::None });
        }
        if let Some((t, value)) = self.types.find_enumerator(name) {
            // In C an enumerator is an int wherever it fits one, whatever the enum's own type.
            let t = if i32::try_from(value).is_ok() { self.types.c_int() } else { t };
            let ty = self.shape(t);
            return Ok(Val { e: int_const(value as u64, ty, span), t, place: Place::None });
        }
        self.unknown_name(name, span)
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> R<Val> {
        if self.poisoned.contains(name) {
            return Err(Reported);
        }
        let diag =
            Diag::new(Tag::IdentUndef, span, format!("failed to resolve {name}: Unknown variable name"));
        let known = names::TABLE.iter().filter(|r| !names::is_function(r.what)).map(|r| r.name);
        let known = known.chain(constants::names()).map(|name| -> &str { name });
        let near = nearest(name, known.chain(self.globals.keys().map(String::as_str))).map(str::to_owned);
        let diag = match near {
            Some(near) => diag.help(format!("did you mean `{near}`?")),
            None if self.locals.contains_key(name) => diag.help(format!("did you mean `this->{name}`?")),
            None if self.threads.contains_key(name) => diag.help(format!("did you mean `self->{name}`?")),
            None => diag,
        };
        Err(self.report(diag))
    }

    fn builtin(&mut self, row: &'static names::Row, span: Span) -> R<Val> {
        match row.what {
            What::Var(Builtin::Curthread) => {
                let task = match self.types.find_kernel_tag(None, false, "task_struct") {
                    Some(t) => t,
                    None => self.types.void(),
                };
                let t = self.types.ptr(task);
                Ok(self.val(ExprKind::Builtin(Builtin::Curthread), t, span))
            }
            What::Var(b) => {
                let t = self.prototype_type(row.proto);
                let mut v = self.val(ExprKind::Builtin(b), t, span);
                if b == Builtin::Execname {
                    v.e.ty = Ty::Str { size: COMM_BYTES };
                }
                Ok(v)
            }
            What::Arg(n) => {
                let t = self.types.builtin("int64_t");
                Ok(self.val(ExprKind::Arg(n), t, span))
            }
            What::Args => {
                let diag = Diag::new(Tag::IdentBadref, span, "array 'args' may not be referenced as scalar")
                    .help("args[0] is the first argument");
                Err(self.report(diag))
            }
            What::Unbuilt(names::Unbuilt::Var) => {
                let text = format!("variable {} is understood, but not built in this version", row.name);
                self.err(Tag::Unbuilt, span, text)
            }
            What::Subr(_) | What::Action(_) | What::Unbuilt(_) => {
                let text = format!("function '{}' may not be referenced as scalar", row.name);
                let diag = Diag::new(Tag::IdentBadref, span, text).help(format!("call it: {}()", row.name));
                Err(self.report(diag))
            }
        }
    }

    /// A type as the name table spells it.
    pub(super) fn prototype_type(&mut self, text: &str) -> TypeId {
        let text = text.trim().trim_start_matches("const ").trim();
        if let Some(to) = text.strip_suffix('*') {
            let to = self.prototype_type(to);
            return self.types.ptr(to);
        }
        match text {
            "string" => self.types.string(),
            "int" => self.types.c_int(),
            "char" => self.types.int(IntType { rank: crate::types::Rank::Char, signed: true, plain: true }),
            "void" => self.types.void(),
            name => self.types.builtin(name),
        }
    }

    fn comma(&mut self, first: &ast::Expr, second: &ast::Expr, span: Span) -> R<Val> {
        let a = self.expr(first)?;
        let b = self.expr(second)?;
        if self.is_action(&a) || self.is_action(&b) {
            return self.err(Tag::OpAct, span, "operator , operands cannot be actions");
        }
        let ty = b.e.ty;
        let kind = ExprKind::Comma(Box::new(a.e), Box::new(b.e));
        Ok(Val { e: super::value::expr(kind, ty, span), t: b.t, place: Place::None })
    }

    fn ternary(&mut self, cond: &ast::Expr, then: &ast::Expr, els: &ast::Expr, span: Span) -> R<Val> {
        let c = self.expr(cond)?;
        let a = self.expr(then)?;
        let b = self.expr(els)?;
        if !self.types.is_scalar(c.t) {
            return self.err(Tag::OpScalar, cond.span, "operator ?: expression must be of scalar type");
        }
        if self.is_action(&a) || self.is_action(&b) {
            let diag = Diag::new(Tag::OpAct, span, "action cannot be used in a conditional context")
                .help("if (…) { … } else { … } chooses between actions");
            return Err(self.report(diag));
        }
        let (a, b, ty, t) = self.ternary_type(a, b, span)?;
        if let Some(n) = const_of(&c.e) {
            let chosen = if n != 0 { a } else { b };
            return Ok(Val { e: chosen.e, t, place: Place::None });
        }
        let kind = ExprKind::Ternary(Box::new(c.e), Box::new(a.e), Box::new(b.e));
        Ok(Val { e: super::value::expr(kind, ty, span), t, place: Place::None })
    }

    fn ternary_type(&mut self, a: Val, b: Val, span: Span) -> R<(Val, Val, Ty, TypeId)> {
        let (a, b) = if self.types.is_string(a.t) || self.types.is_string(b.t) {
            (a, b)
        } else {
            (self.decay(a), self.decay(b))
        };
        if let (Some(x), Some(y)) = (self.promoted(&a), self.promoted(&b)) {
            let t = if self.types.same(a.t, b.t) { a.t } else { self.types.int(Types::common(x, y)) };
            let (a, b) = (self.convert_to(a, t), self.convert_to(b, t));
            let ty = a.e.ty;
            return Ok((a, b, ty, t));
        }
        if self.types.is_string(a.t) || self.types.is_string(b.t) {
            if let (Some(x), Some(y)) = (self.as_string(a.clone()), self.as_string(b.clone())) {
                let size = str_size(x.e.ty).max(str_size(y.e.ty));
                let t = x.t;
                return Ok((x, y, Ty::Str { size }, t));
            }
        } else if self.pointers_meet(&a, &b) {
            let a_void = self.types.target(a.t).is_none_or(|t| matches!(self.types.base(t), Kind::Void));
            let t = if a_void && self.is_pointer(&b) { b.t } else { a.t };
            let cast = |v: Val| Val { e: convert(v.e, Ty::Ptr), t, place: Place::None };
            return Ok((cast(a), cast(b), Ty::Ptr, t));
        }
        let (x, y) = (self.name_of(&a), self.name_of(&b));
        let diag = Diag::new(Tag::OpIncompat, span, "operator ?: operands must have compatible types")
            .note(format!("one is {x}, the other {y}"));
        Err(self.report(diag))
    }

    fn cast(&mut self, ty: &TypeName, operand: &ast::Expr, span: Span) -> R<Val> {
        let t = self.type_name(ty)?;
        let v = self.expr(operand)?;
        let from = self.name_of(&v);
        match self.types.base(t) {
            Kind::Void => return Ok(Val { t, place: Place::None, ..v }),
            Kind::Str if self.types.is_string(v.t) => return Ok(Val { place: Place::None, ..v }),
            Kind::Str if self.types.is_scalar(v.t) || self.types.is_string_like(v.t) => {
                return Ok(self.string_at(v));
            }
            Kind::Int(i) => {
                let bool_ = i.rank == crate::types::Rank::Bool;
                let v = self.decay(v);
                if self.types.is_scalar(v.t) {
                    let ty = self.shape(t);
                    let e = if bool_ { truth(v.e) } else { v.e };
                    return Ok(Val { e: convert(e, ty), t, place: Place::None });
                }
            }
            Kind::Enum(_) | Kind::Ptr(_) => {
                let v = self.decay(v);
                if self.types.is_scalar(v.t) || matches!(self.types.base(v.t), Kind::Func { .. }) {
                    let ty = self.shape(t);
                    return Ok(Val { e: convert(v.e, ty), t, place: Place::None });
                }
            }
            _ if self.types.same(t, v.t) => return Ok(Val { t, ..v }),
            Kind::Float { .. } => return self.unbuilt(span, "floating-point values"),
            _ => {}
        }
        let text = format!("invalid cast expression: \"{from}\" to \"{}\"", self.types.name(t));
        self.err(Tag::CastInval, span, text)
    }

    fn sizeof(&mut self, t: TypeId, span: Span) -> R<Val> {
        let size = match self.types.base(t) {
            Kind::Str => Some(u64::from(self.program.options.strsize())),
            _ => self.types.size_of(t),
        };
        match size {
            Some(n) => {
                let t = self.types.builtin("size_t");
                Ok(Val { e: int_const(n, super::value::U64, span), t, place: Place::None })
            }
            None => {
                let diag =
                    Diag::new(Tag::SizeofType, span, "cannot apply sizeof to an operand of unknown size")
                        .label(format!("{} has no size", self.types.name(t)));
                Err(self.report(diag))
            }
        }
    }

    fn sizeof_expr(&mut self, operand: &ast::Expr, span: Span) -> R<Val> {
        let v = self.operand(operand)?;
        if matches!(v.place, Place::Bits(_)) {
            return self.err(Tag::SizeofBitfield, span, "cannot apply sizeof to a bit-field");
        }
        self.sizeof(v.t, span)
    }

    fn offsetof(&mut self, ty: &TypeName, path: &[Designator], span: Span) -> R<Val> {
        let outer = self.type_name(ty)?;
        if matches!(self.types.composite(outer).map(|c| &c.body), None | Some(Body::Forward)) {
            return self.err(Tag::OffsetofType, ty.span, "offsetof operand must be a struct or union type");
        }
        let (mut at, mut bits, mut bit_field) = (outer, 0u64, false);
        for step in path {
            match step {
                Designator::Member(name) => {
                    let field = self.find_member(at, name, span)?;
                    bits = bits.wrapping_add(field.bit_offset);
                    bit_field = field.bits.is_some();
                    at = field.ty;
                }
                Designator::Index(index) => {
                    let Kind::Array { elem, .. } = *self.types.base(at) else {
                        let text = format!("{} is not an array", self.types.name(at));
                        return self.err(Tag::OffsetofType, index.span, text);
                    };
                    let n = self.constant(
                        index,
                        Tag::OffsetofType,
                        "an index in offsetof must be an integer constant",
                    )?;
                    let size = self.types.size_of(elem).unwrap_or(0);
                    bits = bits.wrapping_add((n as u64).wrapping_mul(size).wrapping_mul(8));
                    at = elem;
                }
            }
        }
        if bit_field {
            return self.err(Tag::OffsetofBitfield, span, "cannot take offset of a bit-field");
        }
        let t = self.types.builtin("size_t");
        Ok(Val { e: int_const(bits / 8, super::value::U64, span), t, place: Place::None })
    }

    fn stringof(&mut self, operand: &ast::Expr, span: Span) -> R<Val> {
        let v = self.expr(operand)?;
        if self.types.is_string(v.t) {
            return Ok(Val { place: Place::None, ..v });
        }
        if self.types.is_scalar(v.t) || self.types.is_string_like(v.t) {
            return Ok(self.string_at(v));
        }
        let text = format!("cannot apply stringof to a value of type {}", self.name_of(&v));
        self.err(Tag::StringofType, span, text)
    }

    /// An integer constant expression.
    pub(super) fn constant(&mut self, e: &ast::Expr, tag: Tag, message: &str) -> R<i128> {
        let v = self.expr(e)?;
        match (const_of(&v.e), v.e.ty) {
            (Some(n), Ty::Int { signed: true, .. }) => Ok(i128::from(n as i64)),
            (Some(n), Ty::Int { .. }) => Ok(i128::from(n)),
            _ => self.err(tag, e.span, message),
        }
    }
}

pub(super) fn str_size(ty: Ty) -> u32 {
    match ty {
        Ty::Str { size } => size,
        _ => 0,
    }
}
