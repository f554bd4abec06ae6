//! Declarations: types as they are spelt, D's own structs, unions, enums and typedefs, declared variables.

use crate::ast::{
    self, DeclScope, Declaration, Declarator, Derive, IntWord, TypeName, TypeSpec, TypeSpecKind,
};
use crate::diag::{Diag, Tag};
use crate::names;
use crate::program::VarRef;
use crate::span::Span;
use crate::types::{Body, FieldError, IntType, Kind, Rank, TypeId};

use super::value::{Place, Val};
use super::vars::Scope;
use super::{Checker, Global, R, Thread};

/// Elements of a declared array.
const MAX_ARRAY: i128 = 1 << 28;

impl Checker<'_> {
    pub(super) fn type_name(&mut self, ty: &TypeName) -> R<TypeId> {
        let base = self.spec(&ty.spec)?;
        self.derive(base, &ty.derive, ty.span)
    }

    /// Applies a declarator: its steps are written from the name outwards, so the last one is nearest the base type.
    fn derive(&mut self, base: TypeId, steps: &[Derive], span: Span) -> R<TypeId> {
        let mut t = base;
        for step in steps.iter().rev() {
            t = match step {
                Derive::Pointer => self.types.ptr(t),
                Derive::Array(None) => self.types.array(t, None),
                Derive::Array(Some(size)) => {
                    let text = "positive integral constant expression or tuple signature expected as array declaration subscript";
                    let n = self.constant(size, Tag::DeclArrsub, text)?;
                    match u32::try_from(n) {
                        Ok(len) if n <= MAX_ARRAY => self.types.array(t, Some(len)),
                        _ if n < 0 => return self.err(Tag::DeclArrsub, size.span, text),
                        _ => {
                            return self.err(
                                Tag::DeclArrbig,
                                size.span,
                                "array declaration subscript is too large",
                            );
                        }
                    }
                }
                Derive::Keys(_) => {
                    let text = "an associative array may not be part of another type";
                    return self.err(Tag::DeclDynobj, span, text);
                }
                Derive::Function { params, .. } => {
                    self.prototype(params)?;
                    let text = format!("{} (*)()", self.types.name(t));
                    self.types.func(&text)
                }
            };
        }
        Ok(t)
    }

    /// The parameters of a function's declaration: D calls no C functions, but what is declared must make sense.
    fn prototype(&mut self, params: &[ast::Param]) -> R<()> {
        for param in params {
            let at = param.ty.span;
            if let Some(Derive::Keys(_)) = param.ty.derive.first() {
                return self.err(
                    Tag::DeclProtoType,
                    at,
                    "a function parameter may not be an associative array",
                );
            }
            let t = self.type_name(&param.ty)?;
            if !matches!(self.types.base(t), Kind::Void) {
                continue;
            }
            if params.len() > 1 {
                return self.err(
                    Tag::DeclProtoVoid,
                    at,
                    "void must be the sole parameter in a function declaration",
                );
            }
            if param.name.is_some() {
                return self.err(Tag::DeclProtoName, at, "void parameter may not have a name");
            }
        }
        Ok(())
    }

    fn spec(&mut self, spec: &TypeSpec) -> R<TypeId> {
        let span = spec.span;
        Ok(match &spec.kind {
            TypeSpecKind::Void => self.types.void(),
            TypeSpecKind::String => self.types.string(),
            TypeSpecKind::Float => self.types.float(4),
            TypeSpecKind::Double => self.types.float(8),
            TypeSpecKind::LongDouble => self.types.float(16),
            TypeSpecKind::Int { size, signed } => {
                let rank = match size {
                    IntWord::Bool => Rank::Bool,
                    IntWord::Char => Rank::Char,
                    IntWord::Short => Rank::Short,
                    IntWord::Int => Rank::Int,
                    IntWord::Long => Rank::Long,
                    IntWord::LongLong => Rank::LongLong,
                };
                let plain = rank == Rank::Char && signed.is_none();
                self.types.int(IntType { rank, signed: signed.unwrap_or(rank != Rank::Bool), plain })
            }
            TypeSpecKind::Named { module, name } => return self.named(module.as_deref(), name, span),
            TypeSpecKind::Struct { union, module, tag, body: None } => {
                return self.tagged(*union, module.as_deref(), tag.as_deref().unwrap_or_default(), span);
            }
            TypeSpecKind::Struct { union, tag, body: Some(body), .. } => {
                return self.define(*union, tag.as_deref().unwrap_or_default(), body, span);
            }
            TypeSpecKind::Enum { module, tag, body: None } => {
                return self.enum_tag(module.as_deref(), tag.as_deref().unwrap_or_default(), span);
            }
            TypeSpecKind::Enum { tag, body: Some(body), .. } => {
                return self.define_enum(tag.as_deref().unwrap_or_default(), body, span);
            }
        })
    }

    /// The BTF that a back-quoted type names.
    fn scope_source(&mut self, module: Option<&str>, name: &str, span: Span) -> R<Option<u16>> {
        // `C` and `D` are the scopes of C's own and the script's types.
        let module = module.filter(|m| !matches!(*m, "vmlinux" | "unix" | "genunix" | "C" | "D"));
        match module {
            None => Ok(None),
            Some(m) => match self.source(Some(m)) {
                Some(at) => Ok(Some(at)),
                None => self.err(
                    Tag::TypeErr,
                    span,
                    format!("failed to resolve type {m}`{name}: no BTF of module {m}"),
                ),
            },
        }
    }

    fn named(&mut self, module: Option<&str>, name: &str, span: Span) -> R<TypeId> {
        let source = self.scope_source(module, name, span)?;
        if let Some(t) = self.types.find_typedef(source, name) {
            return Ok(t);
        }
        self.unknown_type(name, span)
    }

    fn unknown_type<T>(&mut self, name: &str, span: Span) -> R<T> {
        let diag = Diag::new(Tag::TypeErr, span, format!("failed to resolve type {name}: Unknown type name"));
        let diag = if self.types.has_btf() {
            diag
        } else {
            diag.note("no BTF of this kernel could be read (see lkd doctor), so only C's and the script's own types are known")
        };
        Err(self.report(diag))
    }

    fn tagged(&mut self, union: bool, module: Option<&str>, tag: &str, span: Span) -> R<TypeId> {
        let source = self.scope_source(module, tag, span)?;
        let own = if source.is_none() { self.types.own_tag(tag) } else { None };
        if let Some(t) = own {
            if self.types.composite(t).is_some_and(|c| c.union == union) {
                return Ok(t);
            }
            let text = format!("{} is not a {}", self.types.name(t), if union { "union" } else { "struct" });
            return self.err(Tag::TypeErr, span, text);
        }
        if let Some(t) = self.types.find_kernel_tag(source, union, tag) {
            return Ok(t);
        }
        // As in C: a pointer to it may be kept; what needs its members will say that it is incomplete.
        Ok(self.types.declare_composite(union, tag))
    }

    fn define(&mut self, union: bool, tag: &str, body: &[Declaration], span: Span) -> R<TypeId> {
        let t = match self.types.own_tag(tag).filter(|_| !tag.is_empty()) {
            Some(t) => {
                let forward = matches!(self.types.composite(t).map(|c| &c.body), Some(Body::Forward));
                if !forward {
                    let word = if union { "union" } else { "struct" };
                    return self.err(Tag::DeclTypered, span, format!("type redeclared: {word} {tag}"));
                }
                t
            }
            None => self.types.declare_composite(union, tag),
        };
        let mut members: Vec<(String, TypeId, Option<u8>)> = Vec::new();
        let mut spans = Vec::new();
        for decl in body {
            let base = self.spec(&decl.spec)?;
            if decl.names.is_empty() {
                if self.types.composite(base).is_none() {
                    return self.err(Tag::DeclMname, decl.span, "member declaration requires a name");
                }
                members.push((String::new(), base, None));
                spans.push(decl.span);
            }
            for name in &decl.names {
                let ty = self.derive(base, &name.derive, name.name_span)?;
                let bits = match &name.bits {
                    None => None,
                    Some(width) => Some(self.bit_width(width)?),
                };
                let taken = !name.name.is_empty() && members.iter().any(|(n, ..)| *n == name.name);
                if taken {
                    let text = format!("member {} is declared twice", name.name);
                    return self.err(Tag::DeclIdred, name.name_span, text);
                }
                members.push((name.name.clone(), ty, bits));
                spans.push(name.name_span);
            }
        }
        let kinds: Vec<TypeId> = members.iter().map(|(_, ty, _)| *ty).collect();
        let Err((at, error)) = self.types.define_composite(t, members) else { return Ok(t) };
        let place = spans.get(at).copied().unwrap_or(span);
        let void = kinds.get(at).is_some_and(|ty| matches!(self.types.base(*ty), Kind::Void));
        let (tag, text) = match error {
            FieldError::Incomplete if void => (Tag::DeclVoidobj, "cannot have void member"),
            FieldError::Incomplete => (Tag::DeclIncomplete, "member is of an incomplete type"),
            FieldError::BitType => (Tag::DeclBftype, "invalid type for bit-field: it must be an integer"),
            FieldError::BitWidth => (Tag::DeclBfsize, "bit-field too big for type"),
            FieldError::TooBig => (Tag::DeclArrbig, "struct is too large"),
        };
        self.err(tag, place, text)
    }

    fn bit_width(&mut self, width: &ast::Expr) -> R<u8> {
        let n = self.constant(
            width,
            Tag::DeclBfconst,
            "positive integral constant expression expected as bit-field size",
        )?;
        match u8::try_from(n) {
            _ if n < 0 => {
                let text = "positive integral constant expression expected as bit-field size";
                self.err(Tag::DeclBfconst, width.span, text)
            }
            Ok(n) if n <= 64 => Ok(n),
            _ => self.err(Tag::DeclBfsize, width.span, "bit-field too big for type"),
        }
    }

    fn enum_tag(&mut self, module: Option<&str>, tag: &str, span: Span) -> R<TypeId> {
        let source = self.scope_source(module, tag, span)?;
        if let Some(t) = self.types.own_enum_tag(tag).filter(|_| source.is_none()) {
            return Ok(t);
        }
        match self.types.find_kernel_enum(source, tag) {
            Some(t) => Ok(t),
            None => self.unknown_type(&format!("enum {tag}"), span),
        }
    }

    fn define_enum(&mut self, tag: &str, body: &[ast::Enumerator], span: Span) -> R<TypeId> {
        if !tag.is_empty() && self.types.own_enum_tag(tag).is_some() {
            return self.err(Tag::DeclTypered, span, format!("type redeclared: enum {tag}"));
        }
        // An enumerator may use those before it.
        self.params.push(std::collections::HashMap::new());
        let values = self.enumerators(body);
        self.params.pop();
        let values = values?;
        Ok(self.types.declare_enum(tag, Some(values)))
    }

    fn enumerators(&mut self, body: &[ast::Enumerator]) -> R<Vec<(String, i128)>> {
        let mut values: Vec<(String, i128)> = Vec::with_capacity(body.len());
        let mut next: i128 = 0;
        for item in body {
            if let Some(value) = &item.value {
                let text = "enumerator value must be an integral constant expression";
                next = self.constant(value, Tag::DeclEnconst, text)?;
            }
            if i32::try_from(next).is_err() {
                let text = format!("enumerator {} value overflows INT_MAX", item.name);
                return self.err(Tag::DeclEnoflow, item.span, text);
            }
            let before = self.params.last().is_some_and(|p| p.contains_key(&item.name));
            if before || self.types.own_enumerator(&item.name).is_some() {
                return self.err(Tag::DeclIdred, item.span, format!("enumerator redeclared: {}", item.name));
            }
            values.push((item.name.clone(), next));
            let t = self.types.c_int();
            let e = super::value::int_const(next as u64, super::value::INT, item.span);
            if let Some(known) = self.params.last_mut() {
                known.insert(item.name.clone(), Val { e, t, place: Place::None });
            }
            next += 1;
        }
        Ok(values)
    }

    /// A declaration at the top of the script.
    pub(super) fn declaration(&mut self, decl: &Declaration) -> R<()> {
        let base = self.spec(&decl.spec)?;
        if decl.names.is_empty() {
            let types = matches!(
                &decl.spec.kind,
                TypeSpecKind::Struct { .. } | TypeSpecKind::Enum { body: Some(_), .. }
            );
            if types {
                return Ok(());
            }
            return self.err(Tag::DeclUseless, decl.span, "useless declaration");
        }
        for name in &decl.names {
            // Each declarator by itself: one that fails is poisoned and quiet from then on.
            if self.declarator(decl.scope, base, name).is_err() {
                let scope = match decl.scope {
                    DeclScope::This => Scope::This,
                    DeclScope::SelfVar => Scope::SelfVar,
                    _ => Scope::Global,
                };
                self.poisoned.insert(scope.shown(&name.name));
            }
        }
        Ok(())
    }

    fn declarator(&mut self, scope: DeclScope, base: TypeId, d: &Declarator) -> R<()> {
        let span = d.name_span;
        match scope {
            DeclScope::Typedef => {
                let t = self.derive(base, &d.derive, span)?;
                if self.types.own_typedef(&d.name).is_some_and(|old| !self.types.same(old, t)) {
                    return self.err(Tag::DeclIdred, span, format!("typedef redeclared: {}", d.name));
                }
                self.types.declare_typedef(&d.name, t);
                Ok(())
            }
            // A symbol of the kernel or of another language; D has nothing to do for it.
            DeclScope::Extern => Ok(()),
            DeclScope::Static | DeclScope::Register | DeclScope::Auto => {
                self.err(Tag::DeclBadclass, span, "specified storage class not appropriate in D")
            }
            DeclScope::Global => self.variable(Scope::Global, base, d),
            DeclScope::This => self.variable(Scope::This, base, d),
            DeclScope::SelfVar => self.variable(Scope::SelfVar, base, d),
        }
    }

    fn variable(&mut self, scope: Scope, base: TypeId, d: &Declarator) -> R<()> {
        let span = d.name_span;
        if scope == Scope::Global && names::find(&d.name).is_some() {
            return self.err(Tag::DeclIdred, span, format!("built-in identifier redeclared: {}", d.name));
        }
        if let Some((Derive::Keys(keys), rest)) = d.derive.split_first() {
            return self.assoc_variable(scope, base, keys, rest, d);
        }
        let t = self.derive(base, &d.derive, span)?;
        let shown = scope.shown(&d.name);
        match self.types.base(t) {
            Kind::Void => {
                return self.err(Tag::DeclVoidobj, span, format!("cannot have void object: {shown}"));
            }
            Kind::Array { len: None, .. } => {
                let text = format!("array declaration requires array dimension or tuple signature: {shown}");
                return self.err(Tag::DeclArrnull, span, text);
            }
            Kind::Composite(_) if matches!(self.types.composite(t).map(|c| &c.body), Some(Body::Forward)) => {
                let text = format!("incomplete struct/union/enum {}: {shown}", self.types.name(t));
                return self.err(Tag::DeclIncomplete, span, text);
            }
            Kind::Composite(_) | Kind::Array { .. } => {
                return self.unbuilt(span, "variables that hold a struct, union or array by value");
            }
            Kind::Float { .. } => return self.unbuilt(span, "floating-point variables"),
            // A function's declaration makes nothing.
            Kind::Func { .. } => return Ok(()),
            Kind::Opaque { .. } => {
                let text = format!("cannot have an object of type {}: {shown}", self.types.name(t));
                return self.err(Tag::DeclDynobj, span, text);
            }
            _ => {}
        }
        let known = match scope {
            Scope::Global => match self.globals.get(&d.name) {
                Some(Global::Scalar(n)) => Some(VarRef::Global(*n)),
                Some(_) => return self.redeclared(&shown, span),
                None => None,
            },
            Scope::This => self.locals.get(&d.name).map(|n| VarRef::Local(*n)),
            Scope::SelfVar => match self.threads.get(&d.name) {
                Some(Thread::Scalar(n)) => Some(VarRef::Thread(*n)),
                Some(Thread::Assoc(_)) => return self.redeclared(&shown, span),
                None => None,
            },
        };
        match known.and_then(|var| self.var_type(var)) {
            Some(old) if self.types.same(old, t) => Ok(()),
            Some(_) => self.redeclared(&shown, span),
            None => self.create(scope, &d.name, t, span).map(|_| ()),
        }
    }

    fn redeclared<T>(&mut self, shown: &str, span: Span) -> R<T> {
        self.err(Tag::DeclIdred, span, format!("identifier redeclared: {shown}"))
    }

    fn assoc_variable(
        &mut self,
        scope: Scope,
        base: TypeId,
        keys: &[TypeName],
        rest: &[Derive],
        d: &Declarator,
    ) -> R<()> {
        let span = d.name_span;
        let shown = scope.shown(&d.name);
        if scope == Scope::This {
            let text = format!("associative arrays may not be declared as local variables: {shown}");
            return self.err(Tag::DeclLocassc, span, text);
        }
        let t = self.derive(base, rest, span)?;
        if !self.types.is_scalar(t) && !self.types.is_string(t) {
            return match self.types.base(t) {
                Kind::Void => self.err(Tag::DeclVoidobj, span, format!("cannot have void object: {shown}")),
                _ => self.unbuilt(span, "associative arrays of structs, unions or arrays"),
            };
        }
        let mut key_types = Vec::with_capacity(keys.len());
        for key in keys {
            let k = self.type_name(key)?;
            if matches!(self.types.base(k), Kind::Void) {
                return self.err(Tag::DeclProtoType, key.span, "void may not be used as an array key");
            }
            if !self.types.is_scalar(k) && !self.types.is_string(k) {
                let text = format!("{} may not be used as a key of {shown}", self.types.name(k));
                return self.err(Tag::KeyType, key.span, text);
            }
            key_types.push(k);
        }
        let taken = match scope {
            Scope::SelfVar => self.threads.contains_key(&d.name),
            _ => self.globals.contains_key(&d.name),
        };
        if taken {
            return self.redeclared(&shown, span);
        }
        self.create_assoc(scope, &d.name, key_types, t, span).map(|_| ())
    }
}
