//! Integers and pointers: expression → register, always extended to 64 bits as its type says.

use super::Result;
use super::func::{Gen, Held};
use super::look::{clobbers, dynamic, pure_};
use crate::insn::*;
use crate::record::Fault;
use lkd_dlang::program::{BinOp, Expr, ExprKind, LValue, Subr, Ty, VarRef};

/// Bits and signedness of an integer type; pointers are unsigned words.
pub(super) fn shape(ty: Ty) -> (u32, bool) {
    match ty {
        Ty::Int { size, signed } => (8 * u32::from(size), signed),
        _ => (64, false),
    }
}

/// The constant as an immediate that is sign-extended to 64 bits.
pub(super) fn imm(e: &Expr) -> Option<i32> {
    match e.kind {
        ExprKind::Int(v) => i32::try_from(v as i64).ok(),
        _ => None,
    }
}

impl Gen<'_> {
    /// Evaluates into a register, which is the caller's to free.
    pub fn value(&mut self, e: &Expr) -> Result<Reg> {
        match &e.kind {
            ExprKind::Int(v) => {
                let r = self.alloc()?;
                self.asm.int(r, *v);
                Ok(r)
            }
            ExprKind::Builtin(b) => self.builtin(*b, e.ty),
            ExprKind::Arg(n) => self.arg(*n),
            ExprKind::Var(v) => {
                let slot = self.slot_of(*v)?;
                self.read(slot, e.ty)
            }
            ExprKind::Assoc { assoc, keys } => {
                let slot = self.slot_of_element(*assoc, keys)?;
                self.read(slot, e.ty)
            }
            ExprKind::Assign { target, value } => self.assign(target, value, e.ty),
            ExprKind::AssignOp { op, target, value } => self.assign_op(*op, target, value, e.ty),
            ExprKind::IncDec { target, delta, prefix } => self.inc_dec(target, *delta, *prefix, e.ty),
            ExprKind::Neg(a) => {
                let r = self.value(a)?;
                self.asm.alu(Alu::Neg, r, 0);
                self.reduce(r, e.ty);
                Ok(r)
            }
            ExprKind::BitNot(a) => {
                let r = self.value(a)?;
                self.asm.alu(Alu::Xor, r, -1);
                self.reduce(r, e.ty);
                Ok(r)
            }
            ExprKind::Not(_)
            | ExprKind::Compare(..)
            | ExprKind::StrCompare(..)
            | ExprKind::LogAnd(..)
            | ExprKind::LogOr(..)
            | ExprKind::LogXor(..) => self.truth(e),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e.ty),
            ExprKind::Ternary(c, a, b) => self.ternary(c, a, b),
            ExprKind::Comma(a, b) => {
                self.discard(a)?;
                self.value(b)
            }
            ExprKind::Convert(a) => {
                let r = self.value(a)?;
                self.convert(r, a.ty, e.ty);
                Ok(r)
            }
            ExprKind::Load(addr) => self.load_at(addr, e.ty),
            ExprKind::LoadBits { addr, size, shift, bits } => {
                let word = Ty::Int { size: *size, signed: false };
                let r = self.load_at(addr, word)?;
                let bits = i32::from(*bits).clamp(1, 64);
                let up = (64 - bits - i32::from(*shift)).max(0);
                self.asm.alu(Alu::Lsh, r, up);
                let down = if shape(e.ty).1 { Alu::Arsh } else { Alu::Rsh };
                self.asm.alu(down, r, 64 - bits);
                Ok(r)
            }
            ExprKind::Mem(addr) => self.value(addr),
            ExprKind::Call(Subr::Strlen, args) => self.strlen(args),
            ExprKind::Call(Subr::Copyin, args) => self.copyin(args),
            ExprKind::Str(_) | ExprKind::StrAt(_) | ExprKind::Call(..) => {
                self.unsupported("a string where a number is wanted")
            }
        }
    }

    /// Evaluates for what it changes.
    pub fn discard(&mut self, e: &Expr) -> Result<()> {
        match &e.kind {
            ExprKind::Comma(a, b) => {
                self.discard(a)?;
                return self.discard(b);
            }
            ExprKind::Convert(a) => return self.discard(a),
            ExprKind::IncDec { target: t, delta, .. } if self.add_in_place(t, *delta, e.ty)? => return Ok(()),
            ExprKind::Var(_) | ExprKind::Int(_) | ExprKind::Str(_) => return Ok(()),
            _ => {}
        }
        match e.ty {
            Ty::Str { .. } | Ty::Mem { .. } => self.discard_block(e),
            Ty::Void => self.discard_void(e),
            _ => {
                let r = self.value(e)?;
                self.free(r);
                Ok(())
            }
        }
    }

    fn discard_void(&mut self, e: &Expr) -> Result<()> {
        match &e.kind {
            ExprKind::Ternary(c, a, b) => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.branch(c, false, otherwise)?;
                self.discard(a)?;
                self.asm.goto(end);
                self.asm.bind(otherwise);
                self.discard(b)?;
                self.asm.bind(end);
                Ok(())
            }
            _ if pure_(e) => Ok(()),
            _ => self.unsupported("this expression without a value"),
        }
    }

    /// A kernel pointer's scalar. Bad address: a fault.
    fn load_at(&mut self, addr: &Expr, ty: Ty) -> Result<Reg> {
        let (bits, signed) = shape(ty);
        let size = Size::of(bits / 8).unwrap_or(Size::B8);
        let mark = self.mark();
        let a = self.value(addr)?;
        self.move_to(a, R3);
        let (was, buf) = (self.frame(8)?, self.frame(8)?);
        self.asm.store(Size::B8, R10, was, R3);
        self.asm.int(R2, u64::from(size.bytes()));
        self.asm.lea(R1, R10, buf);
        let r0 = self.call(helper::PROBE_READ_KERNEL);
        self.fault_if(Cond::Ne, r0, 0, Fault::BadAddr, Some(Held::Frame(was)));
        self.free(r0);
        let r = self.alloc()?;
        self.asm.load(size, r, R10, buf);
        if signed {
            self.reduce(r, ty);
        }
        self.release(mark);
        Ok(r)
    }

    fn ternary(&mut self, c: &Expr, a: &Expr, b: &Expr) -> Result<Reg> {
        let (otherwise, end) = (self.asm.label(), self.asm.label());
        self.branch(c, false, otherwise)?;
        self.forks();
        let r = self.value(a)?;
        self.asm.goto(end);
        self.asm.bind(otherwise);
        self.free(r);
        let other = self.value(b)?;
        self.move_to(other, r);
        self.asm.bind(end);
        Ok(r)
    }

    /// 1 or 0.
    fn truth(&mut self, e: &Expr) -> Result<Reg> {
        let (no, end) = (self.asm.label(), self.asm.label());
        self.branch(e, false, no)?;
        self.forks();
        let r = self.alloc()?;
        self.asm.int(r, 1);
        self.asm.goto(end);
        self.asm.bind(no);
        self.asm.int(r, 0);
        self.asm.bind(end);
        Ok(r)
    }

    fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr, ty: Ty) -> Result<Reg> {
        let mark = self.mark();
        let left = self.value(a)?;
        if let Some(right) = imm(b) {
            self.operate_imm(op, left, right, ty)?;
            return Ok(left);
        }
        let (left, right) = self.second(left, b)?;
        self.operate(op, left, right, ty)?;
        self.free(right);
        self.release(mark);
        Ok(left)
    }

    /// Evaluates the right operand while the left one waits.
    pub fn second(&mut self, left: Reg, b: &Expr) -> Result<(Reg, Reg)> {
        let held = self.hold(left, clobbers(b, self.place()))?;
        let right = self.value(b)?;
        let left = self.take(held)?;
        Ok((left, right))
    }

    /// `a = a op b` in the type; b is spent.
    pub fn operate(&mut self, op: BinOp, a: Reg, b: Reg, ty: Ty) -> Result<()> {
        let (bits, signed) = shape(ty);
        let wide = bits == 64;
        match op {
            BinOp::Add => self.asm.push(Insn::alu_reg(Alu::Add, wide, a, b)),
            BinOp::Sub => self.asm.push(Insn::alu_reg(Alu::Sub, wide, a, b)),
            BinOp::Mul => self.asm.push(Insn::alu_reg(Alu::Mul, wide, a, b)),
            BinOp::And => self.asm.alu_reg(Alu::And, a, b),
            BinOp::Or => self.asm.alu_reg(Alu::Or, a, b),
            BinOp::Xor => self.asm.alu_reg(Alu::Xor, a, b),
            // The count is taken modulo the width, as the machine does.
            BinOp::Shl => self.asm.push(Insn::alu_reg(Alu::Lsh, wide, a, b)),
            BinOp::Shr => {
                let op = if signed { Alu::Arsh } else { Alu::Rsh };
                self.asm.push(Insn::alu_reg(op, wide, a, b));
            }
            BinOp::Div | BinOp::Mod => {
                self.fault_if(Cond::Eq, b, 0, Fault::DivZero, None);
                self.divide(op == BinOp::Div, a, b, signed)?;
            }
        }
        self.reduce_after(op, a, ty);
        Ok(())
    }

    pub fn operate_imm(&mut self, op: BinOp, a: Reg, b: i32, ty: Ty) -> Result<()> {
        let (bits, signed) = shape(ty);
        let wide = bits == 64;
        let count = b & if wide { 63 } else { 31 };
        match op {
            BinOp::Add => self.asm.push(Insn::alu(Alu::Add, wide, a, b)),
            BinOp::Sub => self.asm.push(Insn::alu(Alu::Sub, wide, a, b)),
            BinOp::Mul => self.asm.push(Insn::alu(Alu::Mul, wide, a, b)),
            BinOp::And => self.asm.alu(Alu::And, a, b),
            BinOp::Or => self.asm.alu(Alu::Or, a, b),
            BinOp::Xor => self.asm.alu(Alu::Xor, a, b),
            BinOp::Shl => self.asm.push(Insn::alu(Alu::Lsh, wide, a, count)),
            BinOp::Shr => {
                let op = if signed { Alu::Arsh } else { Alu::Rsh };
                self.asm.push(Insn::alu(op, wide, a, count));
            }
            BinOp::Div if b > 0 && !signed => self.asm.alu(Alu::Div, a, b),
            BinOp::Mod if b > 0 && !signed => self.asm.alu(Alu::Mod, a, b),
            BinOp::Div | BinOp::Mod => {
                let r = self.alloc()?;
                self.asm.int(r, i64::from(b) as u64);
                if b == 0 {
                    self.fault_if(Cond::Eq, r, 0, Fault::DivZero, None);
                }
                self.divide(op == BinOp::Div, a, r, signed)?;
                self.free(r);
            }
        }
        self.reduce_after(op, a, ty);
        Ok(())
    }

    /// `a = a / b` or `a % b`; b is not 0, and spent. The machine's division is unsigned: take signs off, put the sign back.
    fn divide(&mut self, quotient: bool, a: Reg, b: Reg, signed: bool) -> Result<()> {
        let op = if quotient { Alu::Div } else { Alu::Mod };
        if !signed {
            self.asm.alu_reg(op, a, b);
            return Ok(());
        }
        let sign = self.alloc()?;
        self.asm.mov(sign, a);
        if quotient {
            self.asm.alu_reg(Alu::Xor, sign, b);
        }
        for r in [a, b] {
            self.negate_if_negative(r, r);
        }
        self.asm.alu_reg(op, a, b);
        self.negate_if_negative(sign, a);
        self.free(sign);
        Ok(())
    }

    fn negate_if_negative(&mut self, sign: Reg, r: Reg) {
        let done = self.asm.label();
        self.asm.jump(Cond::Sge, true, sign, 0, done);
        self.asm.alu(Alu::Neg, r, 0);
        self.asm.bind(done);
    }

    /// Bitwise operations, remainders and unsigned divisions of extended operands are extended already.
    fn reduce_after(&mut self, op: BinOp, r: Reg, ty: Ty) {
        let (bits, signed) = shape(ty);
        let grows = match op {
            BinOp::And | BinOp::Or | BinOp::Xor | BinOp::Mod => false,
            BinOp::Div => signed,
            // 32-bit instructions leave zeros above.
            BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::Shl => bits < 32 || signed,
            BinOp::Shr => signed,
        };
        if grows {
            self.reduce(r, ty);
        }
    }

    /// Cuts a register to its type and extends it again.
    pub fn reduce(&mut self, r: Reg, ty: Ty) {
        let (bits, signed) = shape(ty);
        match (bits, signed) {
            (64, _) => {}
            (32, false) => self.asm.push(Insn::alu_reg(Alu::Mov, false, r, r)),
            (bits, false) => self.asm.alu(Alu::And, r, ((1u32 << bits) - 1) as i32),
            (bits, true) => {
                self.asm.alu(Alu::Lsh, r, 64 - bits as i32);
                self.asm.alu(Alu::Arsh, r, 64 - bits as i32);
            }
        }
    }

    /// C's conversion: the value cut to the target's width, extended by the target's signedness.
    pub fn convert(&mut self, r: Reg, from: Ty, to: Ty) {
        let ((from_bits, from_signed), (bits, signed)) = (shape(from), shape(to));
        let fits = match (from_signed, signed) {
            (true, true) | (false, false) => from_bits <= bits,
            (false, true) => from_bits < bits,
            (true, false) => bits == 64,
        };
        if !fits {
            self.reduce(r, to);
        }
    }

    fn assign(&mut self, target: &LValue, value: &Expr, ty: Ty) -> Result<Reg> {
        if let Ty::Mem { .. } | Ty::Str { .. } = ty {
            return self.unsupported("a block where a number is wanted");
        }
        let r = self.value(value)?;
        let mark = self.mark();
        let held = self.hold(r, dynamic(target))?;
        let slot = self.slot(target)?;
        let r = self.write(slot, held, ty, imm(value))?;
        if let LValue::Var(VarRef::Local(n)) = target
            && self.f.straight
        {
            self.f.set.insert(*n);
        }
        self.release(mark);
        Ok(r)
    }

    fn assign_op(&mut self, op: BinOp, target: &LValue, value: &Expr, ty: Ty) -> Result<Reg> {
        let mark = self.mark();
        let slot = self.slot(target)?;
        let old = self.read(slot, ty)?;
        self.convert(old, ty, value.ty);
        let new = if let Some(b) = imm(value) {
            self.operate_imm(op, old, b, value.ty)?;
            old
        } else {
            let (left, right) = self.second(old, value)?;
            self.operate(op, left, right, value.ty)?;
            self.free(right);
            left
        };
        self.convert(new, value.ty, ty);
        let held = self.hold(new, slot.is_dynamic())?;
        let r = self.write(slot, held, ty, None)?;
        self.release(mark);
        Ok(r)
    }

    fn inc_dec(&mut self, target: &LValue, delta: i64, prefix: bool, ty: Ty) -> Result<Reg> {
        let mark = self.mark();
        let slot = self.slot(target)?;
        let r = self.read(slot, ty)?;
        let before = if prefix { None } else { Some(self.frame(8)?) };
        if let Some(off) = before {
            self.asm.store(Size::B8, R10, off, r);
        }
        match i32::try_from(delta) {
            Ok(d) => self.asm.alu(Alu::Add, r, d),
            Err(_) => {
                let d = self.alloc()?;
                self.asm.int(d, delta as u64);
                self.asm.alu_reg(Alu::Add, r, d);
                self.free(d);
            }
        }
        self.reduce(r, ty);
        let held = self.hold(r, slot.is_dynamic())?;
        let r = self.write(slot, held, ty, None)?;
        if let Some(off) = before {
            self.asm.load(Size::B8, r, R10, off);
        }
        self.release(mark);
        Ok(r)
    }
}
