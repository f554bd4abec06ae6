//! Statements: an expression for what it changes, or an action.

use crate::ast::{self, ExprKind as A};
use crate::diag::{Diag, Tag};
use crate::names::{Act, Row, Unbuilt, What};
use crate::options::Opt;
use crate::program::{Action, ActionKind, Expr, LKD_FLAGS, Stmt};
use crate::span::Span;
use crate::types::Kind;

use super::value::{Val, const_of, int_const};
use super::{Checker, R};

/// Most frames of a stack, as in the kernel's own `PERF_MAX_STACK_DEPTH`.
const MAX_FRAMES: u64 = 127;

impl Checker<'_> {
    pub(super) fn statement(&mut self, e: &ast::Expr) -> R<Stmt> {
        match &e.kind {
            A::Call { name, name_span, args } => {
                let row = self.function(name, *name_span)?;
                match row.what {
                    What::Action(act) => {
                        let checked = self.action(act, row, args, e.span);
                        self.finish(checked)
                    }
                    What::Unbuilt(Unbuilt::Action | Unbuilt::Aggregating) => {
                        self.unbuilt_call(row, *name_span)
                    }
                    _ => self.evaluate(e),
                }
            }
            A::Assign { target, .. } if matches!(target.kind, A::Agg { .. }) => {
                let diag = Diag::new(
                    Tag::Unbuilt,
                    e.span,
                    "aggregations are understood, but not built in this version",
                )
                .help("count in a global variable: n++");
                Err(self.report(diag))
            }
            _ => self.evaluate(e),
        }
    }

    fn evaluate(&mut self, e: &ast::Expr) -> R<Stmt> {
        let checked = self.expr(e);
        Ok(Stmt::Eval(self.finish(checked)?.e))
    }

    pub(super) fn action(&mut self, act: Act, row: &Row, args: &[ast::Expr], span: Span) -> R<Stmt> {
        let kind = match act {
            Act::Trace => self.trace(row, args, span)?,
            Act::Printf => self.printf(row, args, span)?,
            Act::Exit => ActionKind::Exit(self.one(row, args, span)?),
            Act::Stack => self.stack(row, args, span)?,
            Act::Lkd => self.lkd(row, args, span)?,
            Act::Raise => {
                let signal = self.one(row, args, span)?;
                if const_of(&signal).is_some_and(|n| !(1..=64).contains(&n)) {
                    let text = "raise( ) argument #1 is no signal: they are numbered 1 to 64";
                    return self.err(Tag::ProtoArg, span, text);
                }
                ActionKind::Raise(signal)
            }
            Act::Stop => {
                self.arguments(row, args, span)?;
                ActionKind::Stop
            }
            Act::Panic => {
                let diag =
                    Diag::new(Tag::Unbuilt, span, "panic( ) is refused: lkd never takes the machine down")
                        .note("a crash dump by panic() would end every process on this machine")
                        .help(
                            "lkd() writes a dump of the running kernel at this very point and lets it run on",
                        );
                return Err(self.report(diag));
            }
        };
        if matches!(act, Act::Lkd | Act::Raise | Act::Stop) {
            self.program.destructive.get_or_insert(span);
        }
        Ok(Stmt::Action(Action { kind, span }))
    }

    /// The single argument, converted to the prototype's type.
    fn one(&mut self, row: &Row, args: &[ast::Expr], span: Span) -> R<Expr> {
        let mut args = self.arguments(row, args, span)?;
        args.pop().map(|v| v.e).ok_or(super::Reported)
    }

    fn trace(&mut self, row: &Row, args: &[ast::Expr], span: Span) -> R<ActionKind> {
        if let [ast::Expr { kind: A::Agg { .. }, span, .. }] = args {
            return self.err(Tag::TraceAgg, *span, "trace( ) may not be applied to an aggregation");
        }
        let v = self.arguments(row, args, span)?.pop().ok_or(super::Reported)?;
        let v = if matches!(self.types.base(v.t), Kind::Func { .. }) { self.decay(v) } else { v };
        match self.types.base(v.t) {
            Kind::Void => {
                let text = "trace( ) may not be applied to a void expression";
                self.err(Tag::TraceVoid, v.e.span, text)
            }
            Kind::Float { .. } => {
                let ty = self.name_of(&v);
                self.err(
                    Tag::TraceDyn,
                    v.e.span,
                    format!("trace( ) may not be applied to a value of type {ty}"),
                )
            }
            _ => Ok(ActionKind::Trace(v.e)),
        }
    }

    fn stack(&mut self, row: &Row, args: &[ast::Expr], span: Span) -> R<ActionKind> {
        let default = self.program.options.number(Opt::Stackframes).unwrap_or(20).clamp(1, MAX_FRAMES);
        let frames = match self.arguments(row, args, span)?.pop() {
            None => default,
            Some(v) => match const_of(&v.e).map(|n| n as i64) {
                Some(n) if n > 0 => (n as u64).min(MAX_FRAMES),
                _ => {
                    let text = "stack( ) size must be a non-zero positive integral constant expression";
                    return self.err(Tag::StackSize, v.e.span, text);
                }
            },
        };
        Ok(ActionKind::Stack { frames: frames as u32 })
    }

    fn lkd(&mut self, row: &Row, args: &[ast::Expr], span: Span) -> R<ActionKind> {
        let flags: Option<Val> = self.arguments(row, args, span)?.pop();
        let Some(flags) = flags else {
            return Ok(ActionKind::Lkd(int_const(0, super::value::ty_of_int(self.u32_type()), span)));
        };
        if let Some(n) = const_of(&flags.e).filter(|n| !LKD_FLAGS.iter().any(|known| u64::from(*known) == *n))
        {
            let text = format!("lkd( ) has no flags {n:#x}: they are 0, 1, 2, 4 or 5");
            let diag = Diag::new(Tag::LkdFlags, flags.e.span, text).note(
                "0: kernel memory; 1: user memory too; 2: a small dump; 4: the hypervisor's too; 5: 1 and 4",
            );
            return Err(self.report(diag));
        }
        Ok(ActionKind::Lkd(flags.e))
    }

    fn u32_type(&self) -> crate::types::IntType {
        crate::types::IntType { rank: crate::types::Rank::Int, signed: false, plain: false }
    }

    /// A record's value must have a fixed shape.
    pub(super) fn recordable(&mut self, v: &Val, span: Span) -> R<()> {
        if matches!(self.types.base(v.t), Kind::Void) {
            return self.err(Tag::CgDyn, span, "a void expression has no value to record");
        }
        Ok(())
    }
}
