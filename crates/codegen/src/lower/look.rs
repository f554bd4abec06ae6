//! Questions about an expression before code is made for it.

use crate::env::Place;
use lkd_dlang::program::{Builtin, Expr, ExprKind, LValue, VarRef};

/// Temporaries up to this many bytes live in the frame.
pub(super) const FRAME_TEMP: u32 = 64;

/// May evaluating it call a helper, or take all of r0–r5? Then no value may wait in a register.
pub(super) fn clobbers(e: &Expr, place: Place) -> bool {
    let c = |e: &Expr| clobbers(e, place);
    match &e.kind {
        ExprKind::Int(_) | ExprKind::Str(_) => false,
        ExprKind::Builtin(b) => !matches!(b, Builtin::Id | Builtin::Errno),
        ExprKind::Arg(n) => match place {
            Place::SysEnter { .. } | Place::Fentry { .. } | Place::Fexit { .. } => true,
            Place::Kprobe => *n > 5,
            _ => false,
        },
        ExprKind::Var(v) => matches!(v, VarRef::Thread(_)),
        ExprKind::Neg(a) | ExprKind::BitNot(a) | ExprKind::Not(a) | ExprKind::Convert(a) => c(a),
        ExprKind::Binary(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::LogAnd(a, b)
        | ExprKind::LogOr(a, b)
        | ExprKind::LogXor(a, b)
        | ExprKind::Comma(a, b) => c(a) || c(b),
        ExprKind::Ternary(a, b, d) => c(a) || c(b) || c(d),
        ExprKind::Assign { target, value } | ExprKind::AssignOp { target, value, .. } => {
            dynamic(target) || c(value)
        }
        ExprKind::IncDec { target, .. } => dynamic(target),
        ExprKind::Mem(a) => c(a),
        ExprKind::Assoc { .. }
        | ExprKind::StrCompare(..)
        | ExprKind::Load(_)
        | ExprKind::LoadBits { .. }
        | ExprKind::StrAt(_)
        | ExprKind::Call(..) => true,
    }
}

/// Is the variable an element of a hash map?
pub(super) fn dynamic(target: &LValue) -> bool {
    matches!(target, LValue::Assoc { .. } | LValue::Var(VarRef::Thread(_)))
}

/// Does evaluating it change anything?
pub(super) fn pure_(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Builtin(_) | ExprKind::Arg(_) | ExprKind::Var(_) => {
            true
        }
        ExprKind::Neg(a)
        | ExprKind::BitNot(a)
        | ExprKind::Not(a)
        | ExprKind::Convert(a)
        | ExprKind::Load(a)
        | ExprKind::LoadBits { addr: a, .. }
        | ExprKind::Mem(a)
        | ExprKind::StrAt(a) => pure_(a),
        ExprKind::Binary(_, a, b)
        | ExprKind::Compare(_, a, b)
        | ExprKind::StrCompare(_, a, b)
        | ExprKind::LogAnd(a, b)
        | ExprKind::LogOr(a, b)
        | ExprKind::LogXor(a, b)
        | ExprKind::Comma(a, b) => pure_(a) && pure_(b),
        ExprKind::Ternary(a, b, c) => pure_(a) && pure_(b) && pure_(c),
        ExprKind::Assoc { keys, .. } | ExprKind::Call(_, keys) => keys.iter().all(pure_),
        ExprKind::Assign { .. } | ExprKind::AssignOp { .. } | ExprKind::IncDec { .. } => false,
    }
}
