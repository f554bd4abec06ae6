//! Variables of the four scopes: found, read, created by their first assignment, written.

use crate::ast::{self, BinaryOp};
use crate::diag::{Diag, Tag};
use crate::names;
use crate::program::{Assoc, ExprKind, LValue, Ty, Var, VarRef};
use crate::span::Span;
use crate::types::{Kind, TypeId};

use super::value::{I64, Place, Val, bin_op, binary, const_of, convert, spelling, ty_of_int};
use super::{Checker, Global, MAX_VARS, R, Thread};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Global,
    This,
    SelfVar,
}

impl Scope {
    pub(super) fn shown(self, name: &str) -> String {
        match self {
            Scope::Global => name.to_owned(),
            Scope::This => format!("this->{name}"),
            Scope::SelfVar => format!("self->{name}"),
        }
    }
}

/// What stands left of an assignment.
pub(super) enum Target {
    Scalar { scope: Scope, name: String, known: Option<VarRef> },
    Element { scope: Scope, name: String, keys: Vec<Val>, known: Option<u32> },
}

impl Target {
    fn shown(&self) -> String {
        match self {
            Target::Scalar { scope, name, .. } | Target::Element { scope, name, .. } => scope.shown(name),
        }
    }
}

impl Checker<'_> {
    /// The written place of an assignment by `op`.
    pub(super) fn target(&mut self, e: &ast::Expr, op: &str) -> R<Target> {
        match &e.kind {
            ast::ExprKind::Ident(name) => self.global_target(name, e.span, op),
            ast::ExprKind::This(name) => {
                let known = self.locals.get(name).map(|n| VarRef::Local(*n));
                Ok(Target::Scalar { scope: Scope::This, name: name.clone(), known })
            }
            ast::ExprKind::SelfVar(name) => match self.threads.get(name) {
                Some(Thread::Assoc(_)) => self.not_a_scalar(&Scope::SelfVar.shown(name), e.span),
                Some(Thread::Scalar(n)) => {
                    let known = Some(VarRef::Thread(*n));
                    Ok(Target::Scalar { scope: Scope::SelfVar, name: name.clone(), known })
                }
                None => Ok(Target::Scalar { scope: Scope::SelfVar, name: name.clone(), known: None }),
            },
            ast::ExprKind::Index { base, index } => {
                if let Some((scope, name)) = self.assoc_name(base) {
                    return self.element(scope, name, index, e.span);
                }
                self.unwritable(e, op)
            }
            ast::ExprKind::Agg { .. } => self.unbuilt(e.span, "aggregations"),
            _ => self.unwritable(e, op),
        }
    }

    fn global_target(&mut self, name: &str, span: Span, op: &str) -> R<Target> {
        let in_inline = self.params.last().is_some_and(|p| p.contains_key(name));
        let known = match self.globals.get(name) {
            Some(Global::Scalar(n)) if !in_inline => Some(VarRef::Global(*n)),
            Some(Global::Assoc(_)) => return self.not_a_scalar(name, span),
            None if !in_inline && names::find(name).is_none() => None,
            _ => {
                let text = format!("operator {op} can only be applied to a writable variable");
                let diag = Diag::new(Tag::OpWrite, span, text).label(format!("{name} cannot be changed"));
                return Err(self.report(diag));
            }
        };
        Ok(Target::Scalar { scope: Scope::Global, name: name.to_owned(), known })
    }

    fn not_a_scalar<T>(&mut self, name: &str, span: Span) -> R<T> {
        self.err(
            Tag::IdentBadref,
            span,
            format!("associative array '{name}' may not be referenced as scalar"),
        )
    }

    fn unwritable<T>(&mut self, e: &ast::Expr, op: &str) -> R<T> {
        let v = self.expr(e)?;
        match v.place {
            Place::Memory | Place::Bits(_) => {
                let text = format!("operator {op} can only be applied to a writable variable");
                let diag = Diag::new(Tag::OpWrite, e.span, text)
                    .note("D reads the kernel's memory, it never writes it");
                Err(self.report(diag))
            }
            _ => self.err(
                Tag::OpLval,
                e.span,
                format!("operator {op} requires modifiable lvalue as an operand"),
            ),
        }
    }

    /// The array that `base[…]` names: an associative one, or a name that nothing defines yet. `None`: index memory.
    pub(super) fn assoc_name(&self, base: &ast::Expr) -> Option<(Scope, String)> {
        match &base.kind {
            ast::ExprKind::Ident(name) => {
                if self.params.last().is_some_and(|p| p.contains_key(name)) {
                    return None;
                }
                let assoc = match self.globals.get(name) {
                    Some(Global::Assoc(_)) => true,
                    Some(_) => false,
                    None => names::find(name).is_none(),
                };
                assoc.then(|| (Scope::Global, name.clone()))
            }
            ast::ExprKind::SelfVar(name) => match self.threads.get(name) {
                Some(Thread::Scalar(_)) => None,
                _ => Some((Scope::SelfVar, name.clone())),
            },
            ast::ExprKind::This(name) => {
                (!self.locals.contains_key(name)).then(|| (Scope::This, name.clone()))
            }
            _ => None,
        }
    }

    fn element(&mut self, scope: Scope, name: String, index: &[ast::Expr], span: Span) -> R<Target> {
        if scope == Scope::This {
            return self.err(
                Tag::ArrLocal,
                span,
                format!("local variables may not be used as associative arrays: {name}"),
            );
        }
        let known = match scope {
            Scope::Global => match self.globals.get(&name) {
                Some(Global::Assoc(n)) => Some(*n),
                _ => None,
            },
            _ => match self.threads.get(&name) {
                Some(Thread::Assoc(n)) => Some(*n),
                _ => None,
            },
        };
        let mut keys = Vec::with_capacity(index.len());
        for (i, key) in index.iter().enumerate() {
            let v = self.expr(key)?;
            let v = self.decay(v);
            if !self.types.is_scalar(v.t) && !self.types.is_string(v.t) {
                let (ty, n) = (self.name_of(&v), i + 1);
                let text = format!("{ty} expression may not be used as array index: key #{n}");
                return self.err(Tag::KeyType, key.span, text);
            }
            keys.push(v);
        }
        if let Some(n) = known {
            keys = self.match_keys(n, &scope.shown(&name), keys, span)?;
        }
        Ok(Target::Element { scope, name, keys, known })
    }

    fn match_keys(&mut self, assoc: u32, name: &str, keys: Vec<Val>, span: Span) -> R<Vec<Val>> {
        let want = self.assoc_keys.get(assoc as usize).cloned().unwrap_or_default();
        if want.len() != keys.len() {
            let (got, s) = (keys.len(), if keys.len() == 1 { "" } else { "s" });
            let text = format!("{name}[ ] prototype mismatch: {got} key{s} passed, {} expected", want.len());
            return self.err(Tag::ProtoLen, span, text);
        }
        let mut out = Vec::with_capacity(keys.len());
        for (i, (key, t)) in keys.into_iter().zip(want).enumerate() {
            let (at, shown) = (key.e.span, self.name_of(&key));
            match self.coerce_key(key, t) {
                Some(v) => out.push(v),
                None => {
                    let text = format!("{name}[ ] key #{} is incompatible with prototype", i + 1);
                    let diag = Diag::new(Tag::ProtoArg, at, text)
                        .label(format!("this is {shown}"))
                        .note(format!("prototype: {}", self.types.name(t)));
                    return Err(self.report(diag));
                }
            }
        }
        Ok(out)
    }

    /// Keys of any integer type go together, so they are kept whole: 64 bits, extended by their own sign.
    fn coerce_key(&mut self, v: Val, t: TypeId) -> Option<Val> {
        if self.types.as_int(t).is_some() {
            self.types.as_int(v.t)?;
            let ty = self.key_shape(t);
            return Some(Val { e: convert(v.e, ty), t, place: Place::None });
        }
        self.coerce(v, t)
    }

    fn key_shape(&self, t: TypeId) -> Ty {
        match self.shape(t) {
            Ty::Int { signed, .. } => Ty::Int { size: 8, signed },
            other => other,
        }
    }

    /// Reads a scalar variable.
    pub(super) fn read_scalar(&mut self, scope: Scope, name: &str, span: Span) -> R<Val> {
        let known = match scope {
            Scope::Global => None,
            Scope::This => self.locals.get(name).map(|n| VarRef::Local(*n)),
            Scope::SelfVar => match self.threads.get(name) {
                Some(Thread::Scalar(n)) => Some(VarRef::Thread(*n)),
                Some(Thread::Assoc(_)) => return self.not_a_scalar(&scope.shown(name), span),
                None => None,
            },
        };
        match known {
            Some(var) => Ok(self.var_val(var, span)),
            None => self.undefined(&scope.shown(name), span),
        }
    }

    pub(super) fn var_val(&mut self, var: VarRef, span: Span) -> Val {
        let t = match self.var_type(var) {
            Some(t) => t,
            None => self.types.void(),
        };
        let v = self.val(ExprKind::Var(var), t, span);
        Val { place: Place::Var, ..v }
    }

    fn undefined<T>(&mut self, shown: &str, span: Span) -> R<T> {
        if self.poisoned.contains(shown) {
            return Err(super::Reported);
        }
        let diag = Diag::new(Tag::VarUndef, span, format!("{shown} has not yet been declared or assigned"))
            .help("assign it in an earlier clause, or declare it before the first clause");
        Err(self.report(diag))
    }

    /// Reads `name[keys]`. A unary operator may be its first use: it is an `int64_t` then, as in DTrace.
    pub(super) fn read_element(
        &mut self,
        scope: Scope,
        name: String,
        index: &[ast::Expr],
        span: Span,
        create: bool,
    ) -> R<Val> {
        let target = self.element(scope, name, index, span)?;
        let Target::Element { known, .. } = &target else { return Err(super::Reported) };
        if known.is_none() && !create {
            return self.undefined(&target.shown(), span);
        }
        let t = self.types.builtin("int64_t");
        let (lvalue, t) = self.place(target, t, span)?;
        let kind = match &lvalue {
            LValue::Assoc { assoc, keys } => ExprKind::Assoc { assoc: *assoc, keys: keys.clone() },
            LValue::Var(var) => ExprKind::Var(*var),
        };
        let v = self.val(kind, t, span);
        Ok(Val { place: Place::Var, ..v })
    }

    /// Makes the target a place of type `t`, or of the type that it has already.
    pub(super) fn place(&mut self, target: Target, t: TypeId, span: Span) -> R<(LValue, TypeId)> {
        match target {
            Target::Scalar { known: Some(var), .. } => {
                Ok((LValue::Var(var), self.var_type(var).unwrap_or(t)))
            }
            Target::Scalar { scope, name, known: None } => {
                Ok((LValue::Var(self.create(scope, &name, t, span)?), t))
            }
            Target::Element { known: Some(n), keys, .. } => {
                let t = self.assoc_types.get(n as usize).copied().unwrap_or(t);
                Ok((LValue::Assoc { assoc: n, keys: keys.into_iter().map(|k| k.e).collect() }, t))
            }
            Target::Element { scope, name, keys, known: None } => {
                let key_types: Vec<TypeId> = keys.iter().map(|k| k.t).collect();
                let n = self.create_assoc(scope, &name, key_types, t, span)?;
                let keys = self.match_keys(n, &scope.shown(&name), keys, span)?;
                Ok((LValue::Assoc { assoc: n, keys: keys.into_iter().map(|k| k.e).collect() }, t))
            }
        }
    }

    pub(super) fn create(&mut self, scope: Scope, name: &str, t: TypeId, span: Span) -> R<VarRef> {
        let var = Var { name: name.to_owned(), ty: self.shape(t), span };
        let (vars, types) = match scope {
            Scope::Global => (&mut self.program.globals, &mut self.global_types),
            Scope::This => (&mut self.program.locals, &mut self.local_types),
            Scope::SelfVar => (&mut self.program.threads, &mut self.thread_types),
        };
        let n = vars.len() as u32;
        if vars.len() >= MAX_VARS {
            let text = format!("cannot create {name}: limit on number of variables exceeded");
            return self.err(Tag::IdOflow, span, text);
        }
        vars.push(var);
        types.push(t);
        Ok(match scope {
            Scope::Global => {
                self.globals.insert(name.to_owned(), Global::Scalar(n));
                VarRef::Global(n)
            }
            Scope::This => {
                self.locals.insert(name.to_owned(), n);
                VarRef::Local(n)
            }
            Scope::SelfVar => {
                self.threads.insert(name.to_owned(), Thread::Scalar(n));
                VarRef::Thread(n)
            }
        })
    }

    pub(super) fn create_assoc(
        &mut self,
        scope: Scope,
        name: &str,
        keys: Vec<TypeId>,
        t: TypeId,
        span: Span,
    ) -> R<u32> {
        let n = self.program.assocs.len() as u32;
        if self.program.assocs.len() >= MAX_VARS {
            let text = format!("cannot create {name}: limit on number of variables exceeded");
            return self.err(Tag::IdOflow, span, text);
        }
        let per_thread = scope == Scope::SelfVar;
        let shapes = keys.iter().map(|k| self.key_shape(*k)).collect();
        self.program.assocs.push(Assoc {
            name: name.to_owned(),
            per_thread,
            keys: shapes,
            ty: self.shape(t),
            span,
        });
        self.assoc_types.push(t);
        self.assoc_keys.push(keys);
        match scope {
            Scope::SelfVar => self.threads.insert(name.to_owned(), Thread::Assoc(n)).map(|_| ()),
            _ => self.globals.insert(name.to_owned(), Global::Assoc(n)).map(|_| ()),
        };
        Ok(n)
    }

    /// `target = value`
    pub(super) fn assign(&mut self, target: &ast::Expr, value: &ast::Expr, span: Span) -> R<Val> {
        let place = self.target(target, "=")?;
        let shown = place.shown();
        let virgin =
            matches!(&place, Target::Scalar { known: None, .. } | Target::Element { known: None, .. });
        let outer = self.pending.take();
        self.pending = virgin.then(|| shown.clone());
        let checked = self.assign_value(place, value, span);
        self.pending = outer;
        if checked.is_err() && virgin {
            self.poisoned.insert(shown);
        }
        checked
    }

    fn assign_value(&mut self, place: Target, value: &ast::Expr, span: Span) -> R<Val> {
        let v = self.expr(value)?;
        if self.is_action(&v) {
            return self.finish(Ok(v));
        }
        let v = if matches!(self.types.base(v.t), Kind::Func { .. }) { self.decay(v) } else { v };
        let known = match &place {
            Target::Scalar { known, .. } => known.and_then(|k| self.var_type(k)),
            Target::Element { known, .. } => known.and_then(|k| self.assoc_types.get(k as usize).copied()),
        };
        let t = match known {
            Some(t) => t,
            None => self.storable(&v, span)?,
        };
        let shown = self.name_of(&v);
        let Some(v) = self.coerce(v, t) else {
            let text = format!("operands have incompatible types: \"{}\" = \"{shown}\"", self.types.name(t));
            return self.err(Tag::OpIncompat, span, text);
        };
        let (target, t) = self.place(place, t, span)?;
        Ok(self.val(ExprKind::Assign { target: Box::new(target), value: Box::new(v.e) }, t, span))
    }

    /// The type that a new variable gets from its first value.
    fn storable(&mut self, v: &Val, span: Span) -> R<TypeId> {
        match self.types.base(v.t) {
            Kind::Int(_) | Kind::Enum(_) | Kind::Ptr(_) | Kind::Str => Ok(v.t),
            Kind::Array { .. } => {
                let ty = self.name_of(v);
                let text = format!("operator = may not be applied to operand of type \"{ty}\"");
                let diag = Diag::new(Tag::OpArrfun, span, text);
                let diag = if self.types.is_string_like(v.t) {
                    diag.help("stringof() makes a string of it")
                } else {
                    diag.help("keep its address: &")
                };
                Err(self.report(diag))
            }
            Kind::Composite(_) => self.unbuilt(
                span,
                "variables that hold a struct or union by value (a pointer to it can be kept)",
            ),
            _ => {
                let ty = self.name_of(v);
                self.err(Tag::OpIncompat, span, format!("a variable cannot hold a value of type \"{ty}\""))
            }
        }
    }

    /// `target op= value`
    pub(super) fn assign_op(
        &mut self,
        op: BinaryOp,
        target: &ast::Expr,
        value: &ast::Expr,
        span: Span,
    ) -> R<Val> {
        let text = format!("{}=", spelling(op));
        let Some(bin) = bin_op(op) else { return self.err(Tag::Syntax, span, format!("no operator {text}")) };
        let place = self.target(target, &text)?;
        if matches!(&place, Target::Scalar { known: None, .. } | Target::Element { known: None, .. }) {
            return self.undefined(&place.shown(), target.span);
        }
        let v = self.expr(value)?;
        let int64 = self.types.builtin("int64_t");
        let (target, t) = self.place(place, int64, span)?;
        let value = match (self.types.as_int(t), self.promoted(&v)) {
            (Some(left), Some(right)) => {
                let common = match op {
                    BinaryOp::Shl | BinaryOp::Shr => crate::types::Types::promote(left),
                    _ => crate::types::Types::common(left, right),
                };
                convert(v.e, ty_of_int(common))
            }
            (None, Some(_)) if matches!(op, BinaryOp::Add | BinaryOp::Sub) && !self.types.is_string(t) => {
                let size = self.pointed_size(t, &text, span)?;
                let wide = convert(convert(v.e, I64), Ty::Ptr);
                let by = super::value::int_const(size, Ty::Ptr, span);
                binary(crate::program::BinOp::Mul, wide, by, Ty::Ptr, span).ok_or(super::Reported)?
            }
            _ => {
                let (l, r) = (self.types.name(t), self.name_of(&v));
                let text = format!("operands have incompatible types: \"{l}\" {text} \"{r}\"");
                return self.err(Tag::OpIncompat, span, text);
            }
        };
        if matches!(op, BinaryOp::Div | BinaryOp::Mod) && const_of(&value) == Some(0) {
            return self.err(Tag::DivZero, span, "expression contains division by zero");
        }
        let kind = ExprKind::AssignOp { op: bin, target: Box::new(target), value: Box::new(value) };
        Ok(self.val(kind, t, span))
    }

    /// `++` and `--`; the first use of a name makes it an `int64_t`.
    pub(super) fn inc_dec(&mut self, inc: bool, prefix: bool, target: &ast::Expr, span: Span) -> R<Val> {
        let text = if inc { "++" } else { "--" };
        let place = self.target(target, text)?;
        let int64 = self.types.builtin("int64_t");
        let (target, t) = self.place(place, int64, span)?;
        let step = match self.types.base(t) {
            Kind::Ptr(_) => self.pointed_size(t, text, span)? as i64,
            _ if self.types.as_int(t).is_some() => 1,
            _ => {
                return self.err(
                    Tag::OpScalar,
                    span,
                    format!("operator {text} requires operand of scalar type"),
                );
            }
        };
        let delta = if inc { step } else { step.wrapping_neg() };
        Ok(self.val(ExprKind::IncDec { target: Box::new(target), delta, prefix }, t, span))
    }
}
