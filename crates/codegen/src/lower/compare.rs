//! Comparing strings: with a literal by words against immediates, with each other byte by byte.

use super::Result;
use super::func::{Gen, Mem};
use super::layout::{COMM, name_part};
use super::look::FRAME_TEMP;
use super::storage::size_of;
use super::string::chunk;
use super::var::Slot;
use crate::asm::Label;
use crate::insn::*;
use crate::record::NamePart;
use lkd_dlang::program::{Builtin, CmpOp, Expr, ExprKind, Subr, VarRef};

impl Gen<'_> {
    /// Jumps to `to` when `a op b` holds for strings.
    pub fn str_compare(&mut self, op: CmpOp, a: &Expr, b: &Expr, to: Label) -> Result<()> {
        let mark = self.mark();
        match (op, &a.kind, &b.kind) {
            (CmpOp::Eq | CmpOp::Ne, _, ExprKind::Str(s)) => {
                self.literal_compare(op == CmpOp::Eq, a, s, to)?
            }
            (CmpOp::Eq | CmpOp::Ne, ExprKind::Str(s), _) => {
                self.literal_compare(op == CmpOp::Eq, b, s, to)?
            }
            _ => {
                let left = self.in_memory(a)?;
                let right = self.in_memory(b)?;
                let most = size_of(a.ty).min(size_of(b.ty)).max(1);
                self.address(R1, left);
                self.address(R2, right);
                self.bytes_compare(op, most, to)?;
            }
        }
        self.release(mark);
        Ok(())
    }

    /// The string's memory: its own when it is a variable that stays where it is.
    fn in_memory(&mut self, e: &Expr) -> Result<Mem> {
        if let ExprKind::Var(v @ (VarRef::Global(_) | VarRef::Local(_))) = e.kind {
            let slot = self.slot_of(v)?;
            return Ok(self.block_of(slot));
        }
        let size = size_of(e.ty).max(1);
        let temp = Mem::At(R7, self.scratch(size)?);
        self.block_into(e, temp, size)?;
        Ok(temp)
    }

    /// A word at a time: few jumps, since the verifier follows each of them in every round.
    ///
    /// ```text
    /// do {
    ///     x = *a++; y = *b++;
    ///     nul = (x - 0x0101…) & ~x & 0x8080…;      lowest bit: that of x's first NUL
    /// } while (x == y && !nul && --words);
    /// keep = ((nul & -nul) << 1) - 1;              the bytes up to the NUL; all without one
    /// if (be64(x & keep) op be64(y & keep)) goto to;
    /// ```
    fn bytes_compare(&mut self, op: CmpOp, most: u32, to: Label) -> Result<()> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        let (again, last) = (self.asm.label(), self.asm.label());
        let mark = self.mark();
        let round = self.frame(8)?;
        self.asm.int(R3, 0);
        self.asm.bind(again);
        self.asm.store(Size::B8, R10, round, R3);
        self.asm.load(Size::B8, R4, R1, 0);
        self.asm.load(Size::B8, R5, R2, 0);
        self.asm.int(R0, ONES.wrapping_neg());
        self.asm.alu_reg(Alu::Add, R0, R4);
        self.asm.mov(R3, R4);
        self.asm.alu(Alu::Xor, R3, -1);
        self.asm.alu_reg(Alu::And, R0, R3);
        self.asm.int(R3, ONES << 7);
        self.asm.alu_reg(Alu::And, R0, R3);
        self.asm.jump_reg(Cond::Ne, true, R4, R5, last);
        self.asm.jump(Cond::Ne, true, R0, 0, last);
        self.asm.alu(Alu::Add, R1, 8);
        self.asm.alu(Alu::Add, R2, 8);
        self.asm.load(Size::B8, R3, R10, round);
        self.asm.alu(Alu::Add, R3, 1);
        self.asm.jump(Cond::Lt, true, R3, most.div_ceil(8) as i32, again);
        self.asm.bind(last);
        self.asm.mov(R3, R0);
        self.asm.alu(Alu::Neg, R3, 0);
        self.asm.alu_reg(Alu::And, R0, R3);
        self.asm.alu(Alu::Lsh, R0, 1);
        self.asm.alu(Alu::Add, R0, -1);
        for word in [R4, R5] {
            self.asm.alu_reg(Alu::And, word, R0);
            if !matches!(op, CmpOp::Eq | CmpOp::Ne) {
                self.asm.push(Insn::big_endian(word));
            }
        }
        self.asm.jump_reg(super::cond::cond_of(op, false), true, R4, R5, to);
        self.release(mark);
        self.forks();
        Ok(())
    }

    /// Jumps to `to` when `(e == s) == want`: the bytes of s and its NUL against immediates, a word at a time.
    fn literal_compare(&mut self, want: bool, e: &Expr, s: &[u8], to: Label) -> Result<()> {
        let n = s.len() as u32 + 1;
        let constant = match &e.kind {
            ExprKind::Str(t) => Some(t == s),
            ExprKind::Builtin(b) => name_part(*b).and_then(|p| self.name_const(p)).map(|t| t.as_bytes() == s),
            _ => None,
        };
        let size = match e.kind {
            ExprKind::Builtin(Builtin::Execname) => COMM,
            _ => size_of(e.ty),
        };
        if n > size || constant.is_some() {
            self.discard(e)?;
            if constant.unwrap_or(false) == want {
                self.asm.goto(to);
            }
            return Ok(());
        }
        let (skip, none) = (self.asm.label(), self.asm.label());
        let unequal = if want { skip } else { to };
        let mut absent = None;
        let (base, off) = match &e.kind {
            ExprKind::Var(v @ (VarRef::Global(_) | VarRef::Local(_))) => {
                let slot = self.slot_of(*v)?;
                let mem = self.block_of(slot);
                self.base(mem, R2)
            }
            ExprKind::Builtin(Builtin::Execname) => {
                let temp = self.frame(COMM)?;
                self.comm(Mem::At(R10, temp))?;
                (R10, temp)
            }
            ExprKind::Builtin(b) if name_part(*b).is_some() => {
                let part = name_part(*b).unwrap_or(NamePart::Name);
                let (at, size) = self.g.name_slot(part);
                self.name_lookup(unequal)?;
                if n > size {
                    self.asm.goto(unequal);
                    self.asm.bind(skip);
                    return Ok(());
                }
                (R0, at as i32)
            }
            ExprKind::Var(_) | ExprKind::Assoc { .. } => {
                let slot = match &e.kind {
                    ExprKind::Var(v) => self.slot_of(*v)?,
                    ExprKind::Assoc { assoc, keys } => self.slot_of_element(*assoc, keys)?,
                    _ => return self.unsupported("this comparison"),
                };
                let Slot::Dynamic(map, key) = slot else { return self.unsupported("this comparison") };
                let r = self.lookup(map, key);
                self.free(r);
                absent = Some(none);
                self.asm.jump(Cond::Eq, true, R0, 0, none);
                (R0, 0)
            }
            ExprKind::StrAt(_) | ExprKind::Call(Subr::Copyinstr, _) => {
                // One byte more than the literal's tells a longer string.
                let bytes = (n + 1).min(size.max(n));
                let temp = self.temp(bytes)?;
                let r = self.read_str(e, temp, bytes)?;
                self.free(r);
                self.base(temp, R2)
            }
            _ => {
                let temp = if size <= FRAME_TEMP {
                    Mem::At(R10, self.frame(size)?)
                } else {
                    Mem::At(R7, self.scratch(size)?)
                };
                self.block_into(e, temp, size)?;
                self.base(temp, R2)
            }
        };
        self.words_compare(s, base, off, unequal);
        if want {
            self.asm.goto(to);
        }
        if absent.is_some() {
            // Never set: the empty string.
            if !want {
                self.asm.goto(skip);
            }
            self.asm.bind(none);
            if s.is_empty() == want {
                self.asm.goto(to);
            }
        }
        self.asm.bind(skip);
        self.forks();
        Ok(())
    }

    fn words_compare(&mut self, s: &[u8], base: Reg, off: i32, unequal: Label) {
        let mut bytes = s.to_vec();
        bytes.push(0);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            let n = chunk(rest.len());
            let v = rest.iter().take(n).rev().fold(0u64, |v, &b| (v << 8) | u64::from(b));
            self.asm.load(Size::of(n as u32).unwrap_or(Size::B1), R1, base, off + at as i32);
            if n == 8 {
                self.asm.int(R3, v);
                self.asm.jump_reg(Cond::Ne, true, R1, R3, unequal);
            } else {
                self.asm.jump(Cond::Ne, false, R1, v as u32 as i32, unequal);
            }
            at += n;
        }
    }
}
