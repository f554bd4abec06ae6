//! Calls that yield a value, and `args[]`.

use crate::ast;
use crate::diag::{Diag, Tag};
use crate::facts::ArgTypes;
use crate::names::{self, Row, Unbuilt, What};
use crate::options::nearest;
use crate::program::{ExprKind, ProbePattern, Subr, Ty};
use crate::span::Span;
use crate::types::{Kind, TypeId};

use super::sugar::describe;
use super::value::{Place, U64, Val, const_of, convert, expr};
use super::{Checker, Global, R};

/// More arguments than any kernel function that can be probed has.
const MAX_ARGS: usize = 32;

impl Checker<'_> {
    /// A call inside an expression: a subroutine, or an error that says what else it is.
    pub(super) fn call(&mut self, name: &str, name_span: Span, args: &[ast::Expr], span: Span) -> R<Val> {
        let row = self.function(name, name_span)?;
        match row.what {
            What::Subr(subr) => self.subroutine(subr, row, args, span),
            What::Action(act) => {
                // Its own mistakes first, then those of what wants its value; D_CG_EXPR is for what nothing else minds.
                self.action(act, row, args, span)?;
                let text =
                    format!("{name}( ) may not be called from a D expression (D program context required)");
                let diag = Diag::new(Tag::CgExpr, span, text)
                    .help(format!("{name}() is an action: a statement of its own"));
                self.nested_action.get_or_insert(diag);
                let t = self.types.void();
                Ok(Val { e: expr(ExprKind::Int(0), Ty::Void, span), t, place: Place::None })
            }
            _ => self.unbuilt_call(row, name_span),
        }
    }

    /// Is this the nothing that an action yields?
    pub(super) fn is_action(&self, v: &Val) -> bool {
        self.nested_action.is_some() && v.e.ty == Ty::Void
    }

    /// Ends an expression: an action in it that no operator has refused is refused now.
    pub(super) fn finish<T>(&mut self, checked: R<T>) -> R<T> {
        match (checked, self.nested_action.take()) {
            (Ok(_), Some(diag)) => Err(self.report(diag)),
            (checked, _) => checked,
        }
    }

    /// The row of a name that is called.
    pub(super) fn function(&mut self, name: &str, span: Span) -> R<&'static Row> {
        match names::find(name) {
            Some(row) if names::is_function(row.what) => Ok(row),
            Some(row) => {
                let kind = if row.what == What::Args { "array" } else { "scalar" };
                self.err(
                    Tag::FuncIdkind,
                    span,
                    format!("{kind} '{name}' may not be referenced as a function"),
                )
            }
            None if self.globals.contains_key(name) => {
                let kind = match self.globals.get(name) {
                    Some(Global::Assoc(_)) => "associative array",
                    _ => "scalar",
                };
                self.err(
                    Tag::FuncIdkind,
                    span,
                    format!("{kind} '{name}' may not be referenced as a function"),
                )
            }
            None => {
                let diag = Diag::new(Tag::FuncUndef, span, format!("undefined function name: {name}"));
                let functions = names::TABLE.iter().filter(|r| names::is_function(r.what)).map(|r| r.name);
                let diag = match nearest(name, functions) {
                    Some(near) => diag.help(format!("did you mean `{near}`?")),
                    None => diag,
                };
                Err(self.report(diag))
            }
        }
    }

    pub(super) fn unbuilt_call<T>(&mut self, row: &Row, span: Span) -> R<T> {
        let what = match row.what {
            What::Unbuilt(Unbuilt::Aggregating) => "aggregating function",
            What::Unbuilt(Unbuilt::Action) => "action",
            _ => "subroutine",
        };
        let text = format!("{what} {}( ) is understood, but not built in this version", row.name);
        self.err(Tag::Unbuilt, span, text)
    }

    /// The arguments, checked against the row's prototype and converted to it; `@` stays as it is.
    pub(super) fn arguments(&mut self, row: &Row, args: &[ast::Expr], span: Span) -> R<Vec<Val>> {
        let sig = row.signature();
        self.argument_count(row, args.len(), span)?;
        let mut out = Vec::with_capacity(args.len());
        for (i, arg) in args.iter().enumerate() {
            let v = self.expr(arg)?;
            let Some(want) = sig.args.get(i).filter(|w| **w != "@") else {
                out.push(v);
                continue;
            };
            let shown = self.name_of(&v);
            match self.argument(v, want) {
                Some(v) => out.push(v),
                None => {
                    let text = format!("{}( ) argument #{} is incompatible with prototype", row.name, i + 1);
                    let diag =
                        Diag::new(Tag::ProtoArg, arg.span, text).label(format!("this is {shown}")).note(
                            format!("prototype: {}", row.proto.replacen('(', &format!(" {}(", row.name), 1)),
                        );
                    return Err(self.report(diag));
                }
            }
        }
        Ok(out)
    }

    fn argument_count(&mut self, row: &Row, got: usize, span: Span) -> R<()> {
        let sig = row.signature();
        let most = if sig.variadic { usize::MAX } else { sig.args.len() };
        if (sig.needed..=most).contains(&got) {
            return Ok(());
        }
        let s = if got == 1 { "" } else { "s" };
        let least = if sig.variadic || most != sig.needed { "at least " } else { "" };
        let (bound, expected) = if got > most { ("", most) } else { (least, sig.needed) };
        let bound = if got > most && most != sig.needed { "at most " } else { bound };
        let text =
            format!("{}( ) prototype mismatch: {got} arg{s} passed, {bound}{expected} expected", row.name);
        self.err(Tag::ProtoLen, span, text)
    }

    fn argument(&mut self, v: Val, want: &str) -> Option<Val> {
        if want == "const char *" {
            // A null pointer is a string that faults when it is read.
            return if self.is_null(&v) { Some(self.string_at(v)) } else { self.as_string(v) };
        }
        let t = self.prototype_type(want);
        // A pointer is a user address as good as an integer: `copyinstr(args[0])`.
        if want == "uintptr_t" && self.is_pointer(&v) {
            let v = self.decay(v);
            return Some(Val { e: convert(v.e, U64), t, place: Place::None });
        }
        self.coerce(v, t)
    }

    fn subroutine(&mut self, subr: Subr, row: &Row, args: &[ast::Expr], span: Span) -> R<Val> {
        let args = self.arguments(row, args, span)?;
        let t = self.prototype_type(row.signature().result);
        let args = args.into_iter().map(|a| a.e).collect();
        Ok(self.val(ExprKind::Call(subr, args), t, span))
    }

    /// `args[n]`: the probe's argument with the type that BTF gives it.
    pub(super) fn args(&mut self, index: &[ast::Expr], span: Span) -> R<Val> {
        let [index] = index else {
            let text = format!("args[ ] prototype mismatch: {} args passed, 1 expected", index.len());
            return self.err(Tag::ProtoLen, span, text);
        };
        let v = self.expr(index)?;
        let Some(n) = const_of(&v.e).filter(|_| self.types.as_int(v.t).is_some()) else {
            let text = "args[ ] argument #1 is incompatible with prototype: integer constant expected";
            return self.err(Tag::ProtoArg, index.span, text);
        };
        if self.probes.is_empty() {
            return self.err(Tag::ArgsNone, span, "args[ ] may not be referenced outside of a probe clause");
        }
        let t = self.arg_type(n, span)?;
        let raw = expr(ExprKind::Arg(u8::try_from(n).unwrap_or(u8::MAX)), U64, span);
        let ty = self.shape(t);
        match self.types.base(t) {
            Kind::Int(_) | Kind::Enum(_) | Kind::Ptr(_) => {
                Ok(Val { e: convert(raw, ty), t, place: Place::None })
            }
            _ => {
                let text =
                    format!("args[{n}] is a {} passed by value, which is not built", self.types.name(t));
                self.err(Tag::Unbuilt, span, text)
            }
        }
    }

    /// The type on which all probe descriptions of the clause agree.
    fn arg_type(&mut self, n: u64, span: Span) -> R<TypeId> {
        let mut agreed: Option<TypeId> = None;
        for probe in self.probes.clone() {
            let t = self.arg_type_of(&probe, n, span)?;
            if agreed.is_some_and(|a| !self.types.same(a, t)) {
                return self.unstable(&probe, span);
            }
            agreed = Some(t);
        }
        match agreed {
            Some(t) => Ok(t),
            None => self.err(Tag::ArgsNone, span, "args[ ] may not be referenced outside of a probe clause"),
        }
    }

    fn unstable<T>(&mut self, probe: &ProbePattern, span: Span) -> R<T> {
        let text = format!(
            "args[ ] may not be referenced because probe description {} matches an unstable set of probes",
            describe(probe)
        );
        let diag = Diag::new(Tag::ArgsMulti, span, text)
            .also(probe.span, "these probes differ in their arguments' types")
            .help("name one probe, or use arg0, arg1, … and casts");
        Err(self.report(diag))
    }

    fn arg_type_of(&mut self, probe: &ProbePattern, n: u64, span: Span) -> R<TypeId> {
        let (module, types) = match self.facts.probes.arg_types(probe) {
            ArgTypes::Known { module, args } => (module, args),
            ArgTypes::Mixed => return self.unstable(probe, span),
            ArgTypes::Unknown(why) => {
                let text = format!("args[ ] of {} have no types: {why}", describe(probe));
                let help = format!("use arg{} and a cast", n.min(9));
                let diag = Diag::new(Tag::ArgsNone, span, text).also(probe.span, "this probe").help(help);
                return Err(self.report(diag));
            }
        };
        let at = usize::try_from(n).unwrap_or(usize::MAX);
        let Some(&id) = types.get(at).filter(|_| at < MAX_ARGS) else {
            let text = format!("index {} is out of range for {} args[ ]", n as i64, describe(probe));
            let count = types.len();
            let diag = Diag::new(Tag::ArgsIdx, span, text).note(format!("the probe has {count} arguments"));
            return Err(self.report(diag));
        };
        let module = (module != "vmlinux").then_some(module.as_str());
        match self.source(module) {
            Some(source) => Ok(self.types.import(source, id)),
            None => {
                let text = format!(
                    "failed to resolve native type for args[{n}]: no BTF of module {}",
                    module.unwrap_or("vmlinux")
                );
                self.err(Tag::ArgsType, span, text)
            }
        }
    }
}
