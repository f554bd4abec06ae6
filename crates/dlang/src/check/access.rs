//! Memory: dereference, members, indices, addresses, and the kernel's symbols.

use lkd_kernel::btf::{Kind as B, Tag as BtfTag};

use crate::ast::{self, BinaryOp};
use crate::diag::{Diag, Tag};
use crate::options::nearest;
use crate::program::{BinOp, Builtin, Expr, ExprKind, Ty};
use crate::span::Span;
use crate::types::{Body, Field, Kind, TypeId};

use super::value::{Place, U64, Val, convert, expr, int_const, offset};
use super::{Checker, R};

/// What a symbol turned out to be.
struct Symbol {
    address: u64,
    /// `None`: the kernel gives no type.
    t: Option<TypeId>,
    /// Its address is an offset into each CPU's area.
    per_cpu: bool,
}

impl Checker<'_> {
    /// The value of type `t` at an address.
    pub(super) fn load(&mut self, address: Expr, t: TypeId, span: Span) -> R<Val> {
        let ty = self.shape(t);
        let kind = match self.types.base(t) {
            Kind::Int(_) | Kind::Enum(_) | Kind::Ptr(_) => ExprKind::Load(Box::new(address)),
            Kind::Array { .. } | Kind::Composite(_) | Kind::Opaque { .. } | Kind::Float { .. } => {
                self.complete(t, span)?;
                ExprKind::Mem(Box::new(address))
            }
            Kind::Func { .. } => {
                return Ok(Val { e: Expr { ty: Ty::Ptr, ..address }, t, place: Place::Memory });
            }
            Kind::Str | Kind::Void | Kind::Typedef { .. } => {
                return self.err(Tag::DerefVoid, span, "cannot dereference pointer to void");
            }
        };
        Ok(Val { e: expr(kind, ty, span), t, place: Place::Memory })
    }

    fn complete(&mut self, t: TypeId, span: Span) -> R<()> {
        if !matches!(self.types.composite(t).map(|c| &c.body), Some(Body::Forward)) {
            return Ok(());
        }
        let text = format!("{} is declared, but no definition of it is available", self.types.name(t));
        self.err(Tag::OpIncomplete, span, text)
    }

    pub(super) fn deref(&mut self, v: Val, span: Span) -> R<Val> {
        let v = self.decay(v);
        let Kind::Ptr(to) = *self.types.base(v.t) else {
            let diag = Diag::new(Tag::DerefNonptr, span, "cannot dereference non-pointer type")
                .label(format!("this is of type {}", self.name_of(&v)));
            return Err(self.report(diag));
        };
        match self.types.base(to) {
            Kind::Void => {
                let diag = Diag::new(Tag::DerefVoid, span, "cannot dereference pointer to void")
                    .help("cast it to what it points to: *(int *)");
                Err(self.report(diag))
            }
            Kind::Func { .. } => self.err(Tag::DerefFunc, span, "cannot dereference pointer to function"),
            _ => self.load(convert(v.e, Ty::Ptr), to, span),
        }
    }

    pub(super) fn address_of(&mut self, v: Val, span: Span) -> R<Val> {
        match (v.place, v.e.kind) {
            (Place::Bits(_), _) => self.err(Tag::AddrofBitfield, span, "cannot take address of bit-field"),
            (Place::Var, _) => self.err(Tag::AddrofVar, span, "cannot take address of dynamic variable"),
            (Place::Memory, ExprKind::Load(address) | ExprKind::Mem(address)) => {
                let t = self.types.ptr(v.t);
                Ok(Val { e: *address, t, place: Place::None })
            }
            (Place::Memory, kind) if matches!(self.types.base(v.t), Kind::Func { .. }) => {
                let t = self.types.ptr(v.t);
                Ok(Val { e: expr(kind, Ty::Ptr, span), t, place: Place::None })
            }
            _ => self.err(Tag::AddrofLval, span, "unacceptable operand for unary & operator"),
        }
    }

    /// `base.name` and `base->name`
    pub(super) fn member(&mut self, base: &ast::Expr, name: &str, name_span: Span, arrow: bool) -> R<Val> {
        let span = base.span.to(name_span);
        let v = self.expr(base)?;
        let op = if arrow { "->" } else { "." };
        let (address, composite) = if arrow {
            let v = self.decay(v);
            let Kind::Ptr(to) = *self.types.base(v.t) else {
                let diag = Diag::new(Tag::OpPtr, span, "operator -> must be applied to a pointer")
                    .note(format!("here it is applied to {}", self.name_of(&v)));
                return Err(self.report(diag));
            };
            (convert(v.e, Ty::Ptr), to)
        } else {
            let t = v.t;
            match v.e.kind {
                ExprKind::Mem(address) => (*address, t),
                _ => return self.not_composite(op, t, base.span),
            }
        };
        match self.types.composite(composite).map(|c| &c.body) {
            None => return self.not_composite(op, composite, base.span),
            Some(Body::Forward) => {
                let text = format!(
                    "operator {op} cannot be applied to a forward declaration: no {} definition is available",
                    self.types.name(composite)
                );
                return self.err(Tag::OpIncomplete, span, text);
            }
            Some(_) => {}
        }
        let field = self.find_member(composite, name, name_span)?;
        self.load_field(address, &field, span)
    }

    fn not_composite<T>(&mut self, op: &str, t: TypeId, span: Span) -> R<T> {
        let ty = self.types.name(t);
        let text = match op {
            "->" => format!(
                "operator -> cannot be applied to pointer to type \"{ty}\"; must be applied to a struct or union pointer"
            ),
            _ => format!(
                "operator {op} cannot be applied to type \"{ty}\"; must be applied to a struct or union"
            ),
        };
        let diag = Diag::new(Tag::OpSou, span, text);
        let diag = match self.types.target(t).filter(|_| op == ".") {
            Some(to) if self.types.composite(to).is_some() => diag.help("it is a pointer: use ->"),
            _ if matches!(self.types.base(t), Kind::Void) && !self.types.has_btf() => diag.note(
                "no BTF of this kernel could be read (see lkd doctor), so its structures are not known",
            ),
            _ => diag,
        };
        Err(self.report(diag))
    }

    pub(super) fn find_member(&mut self, composite: TypeId, name: &str, span: Span) -> R<Field> {
        if let Some(field) = self.types.member(composite, name) {
            return Ok(field);
        }
        if self.types.composite(composite).is_none() {
            return self.not_composite(".", composite, span);
        }
        let names = self.types.member_names(composite);
        let text = format!("{name} is not a member of {}", self.types.name(composite));
        let diag = Diag::new(Tag::TypeMember, span, text);
        let diag = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => diag.help(format!("there is {near}")),
            None => diag,
        };
        Err(self.report(diag))
    }

    fn load_field(&mut self, base: Expr, field: &Field, span: Span) -> R<Val> {
        let Some(width) = field.bits else {
            let address = offset(base, field.bit_offset / 8, span);
            return self.load(address, field.ty, span);
        };
        let ty = self.shape(field.ty);
        let own = match ty {
            Ty::Int { size, .. } => u64::from(size),
            _ => return self.err(Tag::DeclBftype, span, "bit-field is not of an integer type"),
        };
        // The word of the field's own type that holds it, or, where a packed field crosses two, one from its first byte.
        let unit = own * 8;
        let (at, size, shift) = match field.bit_offset % unit + u64::from(width) <= unit {
            true => (field.bit_offset / unit * own, own, field.bit_offset % unit),
            false => (field.bit_offset / 8, 8, field.bit_offset % 8),
        };
        if width == 0 || shift + u64::from(width) > size * 8 {
            return self.err(Tag::TypeErr, span, "bit-field does not lie in one 64-bit word");
        }
        let addr = Box::new(offset(base, at, span));
        let kind = ExprKind::LoadBits { addr, size: size as u8, shift: shift as u8, bits: width };
        Ok(Val { e: expr(kind, ty, span), t: field.ty, place: Place::Bits(width) })
    }

    /// `base[index]`: `args[]`, an associative array, or memory.
    pub(super) fn index(
        &mut self,
        base: &ast::Expr,
        index: &[ast::Expr],
        span: Span,
        create: bool,
    ) -> R<Val> {
        if let ast::ExprKind::Ident(name) = &base.kind {
            if let Some(super::Global::Inline(def)) = self.globals.get(name).cloned() {
                return self.use_inline(&def, name, index, span);
            }
            let shadowed = self.params.last().is_some_and(|p| p.contains_key(name));
            if name == "args" && !shadowed {
                return self.args(index, span);
            }
        }
        if let Some((scope, name)) = self.assoc_name(base) {
            return self.read_element(scope, name, index, span, create);
        }
        let v = self.expr(base)?;
        let v = self.decay(v);
        if self.types.is_string(v.t) {
            return self.unbuilt(span, "single characters of strings");
        }
        let ([n], true) = (index, self.is_pointer(&v)) else {
            let ty = self.name_of(&v);
            let text = if index.len() == 1 {
                format!("cannot index a value of type {ty}")
            } else {
                format!("cannot access a value of type {ty} as an associative array")
            };
            return self.err(Tag::ArrBadref, span, text);
        };
        let n = self.expr(n)?;
        if self.promoted(&n).is_none() {
            let ty = self.name_of(&n);
            return self.err(
                Tag::OpInt,
                n.e.span,
                format!("operator [] requires an index of integral type, not {ty}"),
            );
        }
        let at = self.pointer_plus(BinaryOp::Add, v, n, span)?;
        self.deref(at, span)
    }

    /// `` `name ``: the object's value.
    pub(super) fn kernel_symbol(&mut self, module: Option<&str>, name: &str, span: Span) -> R<Val> {
        let symbol = self.find_symbol(module, name, span)?;
        let Some(t) = symbol.t else {
            let quoted = quoted(module, name);
            let text = format!("no symbolic type information is available for {quoted}");
            let diag = Diag::new(Tag::SymNotypes, span, text)
                .note("the kernel's BTF has types of functions and per-CPU variables, not of other data")
                .help(format!("say its type: *(int *)&{quoted}"));
            return Err(self.report(diag));
        };
        let address = self.symbol_place(&symbol, span)?;
        self.load(address, t, span)
    }

    /// `` &`name ``: its address, whether or not its type is known.
    pub(super) fn symbol_address(&mut self, module: Option<&str>, name: &str, span: Span) -> R<Val> {
        let symbol = self.find_symbol(module, name, span)?;
        let to = match symbol.t {
            Some(t) => t,
            None => self.types.void(),
        };
        let t = self.types.ptr(to);
        let e = self.symbol_place(&symbol, span)?;
        Ok(Val { e, t, place: Place::None })
    }

    fn symbol_place(&mut self, symbol: &Symbol, span: Span) -> R<Expr> {
        let address = int_const(symbol.address, Ty::Ptr, span);
        if !symbol.per_cpu {
            return Ok(address);
        }
        // This CPU's copy: the kernel keeps the areas' starts in an array.
        let Some(starts) = (self.facts.symbol_addr)(None, "__per_cpu_offset") else {
            let text = "per-CPU variables cannot be found: the kernel does not show __per_cpu_offset";
            return self.err(Tag::SymBadref, span, text);
        };
        let cpu = expr(ExprKind::Builtin(Builtin::Cpu), super::value::INT, span);
        let scaled = expr(
            ExprKind::Binary(
                BinOp::Mul,
                Box::new(convert(cpu, Ty::Ptr)),
                Box::new(int_const(8, Ty::Ptr, span)),
            ),
            Ty::Ptr,
            span,
        );
        let slot = expr(
            ExprKind::Binary(BinOp::Add, Box::new(int_const(starts, Ty::Ptr, span)), Box::new(scaled)),
            Ty::Ptr,
            span,
        );
        let area = convert(expr(ExprKind::Load(Box::new(slot)), U64, span), Ty::Ptr);
        Ok(expr(ExprKind::Binary(BinOp::Add, Box::new(area), Box::new(address)), Ty::Ptr, span))
    }

    fn find_symbol(&mut self, module: Option<&str>, name: &str, span: Span) -> R<Symbol> {
        let written = module;
        let module = module.filter(|m| *m != "vmlinux" && *m != "genunix" && *m != "unix");
        let Some(address) = (self.facts.symbol_addr)(module, name) else {
            let text = format!("failed to resolve {}: Unknown symbol name", quoted(written, name));
            let diag = Diag::new(Tag::IdentUndef, span, text).note(
                "kernel symbols are those of /proc/kallsyms; data is there with CONFIG_KALLSYMS_ALL only",
            );
            return Err(self.report(diag));
        };
        let unknown = Symbol { address, t: None, per_cpu: false };
        let Some(source) = self.source(module) else { return Ok(unknown) };
        let Some(btf) = self.types.btf(source) else { return Ok(unknown) };
        if let Some(var) = btf.find_var(name) {
            let t = Some(self.types.import(source, var));
            let per_cpu =
                btf.find(BtfTag::Datasec, ".data..percpu").is_some_and(|section| match btf.kind(section) {
                    B::Datasec { vars, .. } => vars.iter().any(|v| v.ty == var),
                    _ => false,
                });
            return Ok(Symbol { address, t, per_cpu });
        }
        let t = btf.find_func(name).map(|f| self.types.import(source, f));
        Ok(Symbol { t, ..unknown })
    }

    /// The number of a module's BTF in the arena, fetched at its first use; `None`: it has none.
    pub(super) fn source(&mut self, module: Option<&str>) -> Option<u16> {
        let Some(module) = module else { return self.types.has_btf().then_some(0) };
        if let Some(at) = self.types.source_of(module) {
            return Some(at);
        }
        let btf = (self.facts.module_btf)(module)?;
        Some(self.types.add_source(module, btf))
    }
}

fn quoted(module: Option<&str>, name: &str) -> String {
    format!("{}`{name}", module.unwrap_or_default())
}
