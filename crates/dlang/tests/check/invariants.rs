//! What `program.rs` promises of every program, asserted.

use lkd_dlang::program::*;

pub fn hold(p: &Program) {
    for clause in &p.clauses {
        for guard in &clause.guards {
            if let Guard::Cond { id, .. } = guard {
                assert!(id.0 < p.conditions, "{guard:?}");
            }
        }
        if let Some(e) = &clause.predicate {
            scalar(e);
            expr(p, e);
        }
        clause.stmts.iter().for_each(|s| stmt(p, s));
    }
}

fn stmt(p: &Program, s: &Stmt) {
    match s {
        Stmt::Eval(e) => expr(p, e),
        Stmt::SetCond(id, e) => {
            assert!(id.0 < p.conditions, "{s:?}");
            scalar(e);
            expr(p, e);
        }
        Stmt::ClearError => {}
        Stmt::Action(a) => match &a.kind {
            ActionKind::Default | ActionKind::Stop => {}
            ActionKind::Stack { frames } => assert!(*frames > 0),
            ActionKind::Trace(e) => {
                assert_ne!(e.ty, Ty::Void, "{e:?}");
                expr(p, e);
            }
            ActionKind::Printf { args, .. } => args.iter().for_each(|e| expr(p, e)),
            ActionKind::Exit(e) | ActionKind::Raise(e) => {
                assert_eq!(e.ty, Ty::Int { size: 4, signed: true }, "{e:?}");
                expr(p, e);
            }
            ActionKind::Lkd(e) => {
                assert_eq!(e.ty, Ty::Int { size: 4, signed: false }, "{e:?}");
                expr(p, e);
            }
        },
    }
}

fn scalar(e: &Expr) {
    assert!(matches!(e.ty, Ty::Int { .. } | Ty::Ptr), "not a scalar: {e:?}");
}

fn integer(e: &Expr) {
    assert!(matches!(e.ty, Ty::Int { .. }), "not an integer: {e:?}");
}

fn string(e: &Expr) {
    assert!(matches!(e.ty, Ty::Str { .. }), "not a string: {e:?}");
}

/// Strings of any two sizes are alike.
fn alike(a: Ty, b: Ty) {
    let strings = matches!((a, b), (Ty::Str { .. }, Ty::Str { .. }));
    assert!(strings || a == b, "{a:?} and {b:?}");
}

fn var(p: &Program, v: VarRef) -> Ty {
    let (table, n) = match v {
        VarRef::Global(n) => (&p.globals, n),
        VarRef::Local(n) => (&p.locals, n),
        VarRef::Thread(n) => (&p.threads, n),
    };
    table.get(n as usize).unwrap_or_else(|| panic!("{v:?} is in no table")).ty
}

fn element(p: &Program, assoc: u32, keys: &[Expr]) -> Ty {
    let a = p.assocs.get(assoc as usize).unwrap_or_else(|| panic!("there is no array {assoc}"));
    assert_eq!(a.keys.len(), keys.len(), "{}", a.name);
    for (want, key) in a.keys.iter().zip(keys) {
        alike(*want, key.ty);
        expr(p, key);
    }
    a.ty
}

fn lvalue(p: &Program, l: &LValue) -> Ty {
    match l {
        LValue::Var(v) => var(p, *v),
        LValue::Assoc { assoc, keys } => element(p, *assoc, keys),
    }
}

fn expr(p: &Program, e: &Expr) {
    let both = |a: &Expr, b: &Expr| {
        expr(p, a);
        expr(p, b);
    };
    match &e.kind {
        ExprKind::Int(n) => {
            scalar(e);
            assert_eq!(lkd_dlang::check::fold::reduce(*n, e.ty), *n, "{e:?}");
        }
        ExprKind::Str(text) => assert_eq!(e.ty, Ty::Str { size: text.len() as u32 + 1 }),
        ExprKind::Builtin(_) => assert_ne!(e.ty, Ty::Void, "{e:?}"),
        ExprKind::Arg(_) => scalar(e),
        ExprKind::Var(v) => assert_eq!(e.ty, var(p, *v), "{e:?}"),
        ExprKind::Assoc { assoc, keys } => assert_eq!(e.ty, element(p, *assoc, keys), "{e:?}"),
        ExprKind::Assign { target, value } => {
            let ty = lvalue(p, target);
            assert_eq!(e.ty, ty, "{e:?}");
            alike(ty, value.ty);
            expr(p, value);
        }
        ExprKind::AssignOp { target, value, .. } => {
            assert_eq!(e.ty, lvalue(p, target), "{e:?}");
            scalar(value);
            expr(p, value);
        }
        ExprKind::IncDec { target, delta, .. } => {
            assert_eq!(e.ty, lvalue(p, target), "{e:?}");
            scalar(e);
            assert_ne!(*delta, 0);
        }
        ExprKind::Neg(x) | ExprKind::BitNot(x) => {
            integer(e);
            assert_eq!(e.ty, x.ty, "{e:?}");
            expr(p, x);
        }
        ExprKind::Not(x) => {
            assert_eq!(e.ty, Ty::Int { size: 4, signed: true });
            scalar(x);
            expr(p, x);
        }
        ExprKind::Binary(BinOp::Shl | BinOp::Shr, a, b) => {
            assert_eq!(e.ty, a.ty, "{e:?}");
            integer(b);
            both(a, b);
        }
        ExprKind::Binary(_, a, b) => {
            scalar(e);
            assert_eq!((e.ty, e.ty), (a.ty, b.ty), "{e:?}");
            both(a, b);
        }
        ExprKind::Compare(_, a, b) => {
            scalar(a);
            assert_eq!(a.ty, b.ty, "{e:?}");
            both(a, b);
        }
        ExprKind::StrCompare(_, a, b) => {
            string(a);
            string(b);
            both(a, b);
        }
        ExprKind::LogAnd(a, b) | ExprKind::LogOr(a, b) | ExprKind::LogXor(a, b) => {
            scalar(a);
            scalar(b);
            both(a, b);
        }
        ExprKind::Ternary(c, a, b) => {
            scalar(c);
            alike(e.ty, a.ty);
            alike(e.ty, b.ty);
            expr(p, c);
            both(a, b);
        }
        ExprKind::Comma(a, b) => {
            assert_eq!(e.ty, b.ty, "{e:?}");
            both(a, b);
        }
        ExprKind::Convert(x) => {
            scalar(e);
            scalar(x);
            expr(p, x);
        }
        ExprKind::Load(a) => {
            scalar(e);
            assert_eq!(a.ty, Ty::Ptr, "{e:?}");
            expr(p, a);
        }
        ExprKind::LoadBits { addr, size, shift, bits } => {
            integer(e);
            assert!(shift + bits <= size * 8 && *bits > 0, "{e:?}");
            assert_eq!(addr.ty, Ty::Ptr);
            expr(p, addr);
        }
        ExprKind::Mem(a) => {
            assert!(matches!(e.ty, Ty::Mem { .. }), "{e:?}");
            assert_eq!(a.ty, Ty::Ptr);
            expr(p, a);
        }
        ExprKind::StrAt(a) => {
            string(e);
            assert_eq!(a.ty, Ty::Ptr);
            expr(p, a);
        }
        ExprKind::Call(subr, args) => {
            match subr {
                Subr::Copyin | Subr::Copyinstr => args.iter().for_each(integer),
                Subr::Strlen | Subr::Strjoin => args.iter().for_each(string),
            }
            args.iter().for_each(|a| expr(p, a));
        }
    }
}
