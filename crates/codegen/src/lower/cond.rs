//! Conditions: expression → a jump, without making a 0 or 1 of it first.

use super::Result;
use super::expr::{imm, shape};
use super::func::Gen;
use crate::asm::Label;
use crate::insn::*;
use lkd_dlang::program::{CmpOp, Expr, ExprKind};

/// The jump that compares so.
pub(super) fn cond_of(op: CmpOp, signed: bool) -> Cond {
    match (op, signed) {
        (CmpOp::Eq, _) => Cond::Eq,
        (CmpOp::Ne, _) => Cond::Ne,
        (CmpOp::Lt, false) => Cond::Lt,
        (CmpOp::Le, false) => Cond::Le,
        (CmpOp::Gt, false) => Cond::Gt,
        (CmpOp::Ge, false) => Cond::Ge,
        (CmpOp::Lt, true) => Cond::Slt,
        (CmpOp::Le, true) => Cond::Sle,
        (CmpOp::Gt, true) => Cond::Sgt,
        (CmpOp::Ge, true) => Cond::Sge,
    }
}

pub(super) fn opposite(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::Lt => CmpOp::Ge,
        CmpOp::Le => CmpOp::Gt,
        CmpOp::Gt => CmpOp::Le,
        CmpOp::Ge => CmpOp::Lt,
    }
}

impl Gen<'_> {
    /// Jumps to `to` if the expression's truth is `want`, else falls through.
    pub fn branch(&mut self, e: &Expr, want: bool, to: Label) -> Result<()> {
        match &e.kind {
            ExprKind::Int(v) => {
                if (*v != 0) == want {
                    self.asm.goto(to);
                    self.forks();
                }
                Ok(())
            }
            ExprKind::Not(a) => self.branch(a, !want, to),
            ExprKind::LogAnd(a, b) => self.both(a, b, true, want, to),
            ExprKind::LogOr(a, b) => self.both(a, b, false, want, to),
            ExprKind::Compare(op, a, b) => self.compare(if want { *op } else { opposite(*op) }, a, b, to),
            ExprKind::StrCompare(op, a, b) => {
                self.forks();
                self.str_compare(if want { *op } else { opposite(*op) }, a, b, to)
            }
            ExprKind::Comma(a, b) => {
                self.discard(a)?;
                self.branch(b, want, to)
            }
            ExprKind::LogXor(a, b) => {
                // a ? !b == want : b == want
                let (no, end) = (self.asm.label(), self.asm.label());
                self.branch(a, false, no)?;
                self.forks();
                self.branch(b, !want, to)?;
                self.asm.goto(end);
                self.asm.bind(no);
                self.branch(b, want, to)?;
                self.asm.bind(end);
                Ok(())
            }
            _ => {
                let r = self.value(e)?;
                self.asm.jump(if want { Cond::Ne } else { Cond::Eq }, true, r, 0, to);
                self.free(r);
                self.forks();
                Ok(())
            }
        }
    }

    /// `a && b` when `and`, else `a || b`.
    fn both(&mut self, a: &Expr, b: &Expr, and: bool, want: bool, to: Label) -> Result<()> {
        if and != want {
            // One of them decides: either may jump.
            self.branch(a, want, to)?;
            self.forks();
            return self.branch(b, want, to);
        }
        let skip = self.asm.label();
        self.branch(a, !want, skip)?;
        self.forks();
        self.branch(b, want, to)?;
        self.asm.bind(skip);
        Ok(())
    }

    fn compare(&mut self, op: CmpOp, a: &Expr, b: &Expr, to: Label) -> Result<()> {
        let mark = self.mark();
        let (bits, signed) = shape(a.ty);
        let cond = cond_of(op, signed);
        let left = self.value(a)?;
        match (imm(b), &b.kind) {
            (Some(right), _) => self.asm.jump(cond, true, left, right, to),
            // A 32-bit constant that would not survive sign extension.
            (None, ExprKind::Int(v)) if bits == 32 => {
                self.asm.jump(cond, false, left, *v as u32 as i32, to);
            }
            _ => {
                let (l, right) = self.second(left, b)?;
                self.asm.jump_reg(cond, true, l, right, to);
                self.free(right);
                self.free(l);
                self.release(mark);
                self.forks();
                return Ok(());
            }
        }
        self.free(left);
        self.release(mark);
        self.forks();
        Ok(())
    }
}
