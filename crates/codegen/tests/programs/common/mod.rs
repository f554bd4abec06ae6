//! Programs built by hand, without the front end.

pub mod alu;
pub mod interp;
pub mod script;

use lkd_codegen::{Bound, Env, Place, ProbeNames, TaskOffsets};
use lkd_dlang::program::*;
use lkd_dlang::span::Span;

pub const I32: Ty = Ty::Int { size: 4, signed: true };
pub const U32: Ty = Ty::Int { size: 4, signed: false };
pub const I64: Ty = Ty::Int { size: 8, signed: true };
pub const U64: Ty = Ty::Int { size: 8, signed: false };

pub fn expr(kind: ExprKind, ty: Ty) -> Expr {
    Expr { kind, ty, span: Span::default() }
}

pub fn int(v: u64, ty: Ty) -> Expr {
    expr(ExprKind::Int(v), ty)
}

pub fn arg(n: u8) -> Expr {
    expr(ExprKind::Arg(n), I64)
}

pub fn convert(e: Expr, ty: Ty) -> Expr {
    expr(ExprKind::Convert(Box::new(e)), ty)
}

pub fn var(v: VarRef, ty: Ty) -> Expr {
    expr(ExprKind::Var(v), ty)
}

pub fn assign(v: VarRef, value: Expr) -> Expr {
    let ty = value.ty;
    expr(ExprKind::Assign { target: Box::new(LValue::Var(v)), value: Box::new(value) }, ty)
}

pub fn compare(op: CmpOp, a: Expr, b: Expr) -> Expr {
    expr(ExprKind::Compare(op, Box::new(a), Box::new(b)), I32)
}

pub fn action(kind: ActionKind) -> Stmt {
    Stmt::Action(Action { kind, span: Span::default() })
}

pub fn clause(predicate: Option<Expr>, stmts: Vec<Stmt>) -> Clause {
    Clause { probes: vec![], guards: vec![], predicate, stmts, written: 0, line: 1, span: Span::default() }
}

pub fn names(provider: &str, function: &str, name: &str) -> ProbeNames {
    ProbeNames {
        provider: provider.into(),
        module: "vmlinux".into(),
        function: function.into(),
        name: name.into(),
    }
}

pub fn bound(probe: u32, place: Place, clauses: &[u32]) -> Bound {
    Bound { probe, names: names("p", &format!("f{probe}"), "n"), place, clauses: clauses.to_vec() }
}

pub fn env() -> Env {
    Env {
        cpus: 2,
        task: TaskOffsets {
            thread_status: Some(16),
            tgid: Some(100),
            real_parent: Some(200),
            sum_exec_runtime: Some(300),
            faultable_calls: true,
        },
        ..Env::default()
    }
}
