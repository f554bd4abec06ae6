//! Strings and blocks of bytes: they are never in registers, so each is evaluated *into* memory.

use super::Result;
use super::func::{Gen, Held, Mem, SCRATCH_PASS};
use super::layout::{COMM, name_part};
use super::storage::size_of;
use super::var::Slot;
use crate::asm::Label;
use crate::insn::*;
use crate::record::{Fault, NamePart};
use lkd_dlang::program::{Builtin, Expr, ExprKind, Subr, Ty};

impl Gen<'_> {
    /// Evaluates a string (at most `cap` bytes, the NUL included) or a block into memory.
    pub fn block_into(&mut self, e: &Expr, dest: Mem, cap: u32) -> Result<()> {
        match &e.kind {
            ExprKind::Str(s) => self.literal(s, dest, cap),
            ExprKind::Var(v) => {
                let slot = self.slot_of(*v)?;
                self.copy_slot(slot, e.ty, dest, cap)
            }
            ExprKind::Assoc { assoc, keys } => {
                let slot = self.slot_of_element(*assoc, keys)?;
                self.copy_slot(slot, e.ty, dest, cap)
            }
            ExprKind::Assign { target, value } => {
                let slot = self.assign_block(target, value)?;
                self.copy_slot(slot, e.ty, dest, cap)
            }
            ExprKind::Builtin(Builtin::Execname) => {
                if cap >= COMM {
                    return self.comm(dest);
                }
                let temp = Mem::At(R10, self.frame(COMM)?);
                self.comm(temp)?;
                self.copy(dest, cap, temp, e.ty)
            }
            ExprKind::Builtin(b) => match name_part(*b) {
                Some(part) => self.name_into(part, dest, cap),
                None => self.unsupported("this builtin as a string"),
            },
            ExprKind::StrAt(_) | ExprKind::Call(Subr::Copyinstr, _) => {
                let r = self.read_str(e, dest, cap)?;
                self.free(r);
                Ok(())
            }
            ExprKind::Mem(addr) => {
                let size = size_of(e.ty).min(cap);
                let a = self.value(addr)?;
                self.move_to(a, R3);
                let was = self.frame(8)?;
                self.asm.store(Size::B8, R10, was, R3);
                self.read_block(helper::PROBE_READ_KERNEL, dest, size, was)
            }
            ExprKind::Call(Subr::Strjoin, args) => self.strjoin(args, dest, cap),
            ExprKind::Ternary(c, a, b) => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.branch(c, false, otherwise)?;
                self.forks();
                self.block_into(a, dest, cap)?;
                self.asm.goto(end);
                self.asm.bind(otherwise);
                self.block_into(b, dest, cap)?;
                self.asm.bind(end);
                Ok(())
            }
            ExprKind::Comma(a, b) => {
                self.discard(a)?;
                self.block_into(b, dest, cap)
            }
            ExprKind::Convert(a) => self.block_into(a, dest, cap),
            _ => self.unsupported("this expression as a string"),
        }
    }

    /// Evaluates a string or block for what it changes, or for its fault.
    pub fn discard_block(&mut self, e: &Expr) -> Result<()> {
        match &e.kind {
            ExprKind::Assign { target, value } => self.assign_block(target, value).map(drop),
            ExprKind::Str(_) | ExprKind::Var(_) | ExprKind::Builtin(_) => Ok(()),
            _ => {
                let size = size_of(e.ty).max(1);
                let temp = self.temp(size)?;
                self.block_into(e, temp, size)
            }
        }
    }

    /// Stores of immediates; the rest of the last word becomes zero where there is room.
    fn literal(&mut self, s: &[u8], dest: Mem, cap: u32) -> Result<()> {
        let keep = s.len().min(cap.saturating_sub(1) as usize);
        let mut bytes = s.get(..keep).unwrap_or(s).to_vec();
        bytes.push(0);
        let padded = bytes.len().next_multiple_of(4);
        if padded <= cap as usize {
            bytes.resize(padded, 0);
        }
        let tmp = self.alloc()?;
        let (base, off) = self.base(dest, tmp);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            let n = chunk(rest.len()).min(4);
            let v = rest.iter().take(n).rev().fold(0u32, |v, &b| (v << 8) | u32::from(b));
            let size = Size::of(n as u32).unwrap_or(Size::B1);
            self.asm.store_imm(size, base, off + at as i32, v as i32);
            at += n;
        }
        self.free(tmp);
        Ok(())
    }

    pub fn comm(&mut self, dest: Mem) -> Result<()> {
        self.address(R1, dest);
        self.asm.int(R2, u64::from(COMM));
        self.call_void(helper::GET_CURRENT_COMM);
        Ok(())
    }

    /// `dest = the string (or block) at src`, which is memory of ours and cannot fault.
    fn copy(&mut self, dest: Mem, cap: u32, src: Mem, ty: Ty) -> Result<()> {
        self.address(R3, src);
        self.copy_r3(dest, cap, ty);
        Ok(())
    }

    fn copy_r3(&mut self, dest: Mem, cap: u32, ty: Ty) {
        self.address(R1, dest);
        self.asm.int(R2, u64::from(cap));
        let by = match ty {
            Ty::Str { .. } => helper::PROBE_READ_KERNEL_STR,
            _ => helper::PROBE_READ_KERNEL,
        };
        self.call_void(by);
    }

    fn copy_slot(&mut self, slot: Slot, ty: Ty, dest: Mem, cap: u32) -> Result<()> {
        let cap = if let Ty::Mem { size } = ty { size.min(cap) } else { cap };
        let Slot::Dynamic(map, key) = slot else {
            let src = self.block_of(slot);
            return self.copy(dest, cap, src, ty);
        };
        let (none, end) = (self.asm.label(), self.asm.label());
        let r = self.lookup(map, key);
        self.asm.jump(Cond::Eq, true, r, 0, none);
        self.free(r);
        self.asm.mov(R3, R0);
        self.copy_r3(dest, cap, ty);
        self.asm.goto(end);
        self.asm.bind(none);
        match ty {
            Ty::Str { .. } => self.literal(b"", dest, cap)?,
            _ => self.zero(dest, cap)?,
        }
        self.asm.bind(end);
        self.forks();
        Ok(())
    }

    fn zero(&mut self, dest: Mem, bytes: u32) -> Result<()> {
        let tmp = self.alloc()?;
        let (base, off) = self.base(dest, tmp);
        for at in (0..bytes as i32).step_by(8) {
            let size = if at + 8 <= bytes as i32 { Size::B8 } else { Size::B1 };
            let last = if size == Size::B8 { at + 1 } else { bytes as i32 };
            for b in (at..last).step_by(size.bytes() as usize) {
                self.asm.store_imm(size, base, off + b, 0);
            }
        }
        self.free(tmp);
        Ok(())
    }

    /// A part of the probe's name: known now, or looked up by the probe's id.
    fn name_into(&mut self, part: NamePart, dest: Mem, cap: u32) -> Result<()> {
        if let Some(text) = self.name_const(part) {
            let text = text.as_bytes().to_vec();
            return self.literal(&text, dest, cap);
        }
        let (none, end) = (self.asm.label(), self.asm.label());
        self.name_lookup(none)?;
        self.asm.lea(R3, R0, self.g.name_slot(part).0 as i32);
        self.copy_r3(dest, cap, Ty::Str { size: cap });
        self.asm.goto(end);
        self.asm.bind(none);
        self.literal(b"", dest, cap)?;
        self.asm.bind(end);
        self.forks();
        Ok(())
    }

    pub fn name_const(&self, part: NamePart) -> Option<&str> {
        if self.f.is_error {
            let names = &self.u.on_error?.names;
            return Some(match part {
                NamePart::Provider => &names.provider,
                NamePart::Module => &names.module,
                NamePart::Function => &names.function,
                NamePart::Name => &names.name,
            });
        }
        self.g.name_part(part)
    }

    /// r0 = the probe's names, or a jump.
    pub fn name_lookup(&mut self, none: Label) -> Result<()> {
        self.effect();
        let mark = self.mark();
        let key = self.frame(8)?;
        self.store_probe(R10, key);
        self.asm.map(R1, &self.g.names_map());
        self.asm.lea(R2, R10, key);
        self.call_void(helper::MAP_LOOKUP_ELEM);
        self.asm.jump(Cond::Eq, true, R0, 0, none);
        self.release(mark);
        Ok(())
    }

    /// A string at an address of the kernel or of the user: r0 = bytes with the NUL. Bad address: a fault.
    pub fn read_str(&mut self, e: &Expr, dest: Mem, cap: u32) -> Result<Reg> {
        let (addr, most, by) = match &e.kind {
            ExprKind::StrAt(a) => (&**a, None, helper::PROBE_READ_KERNEL_STR),
            ExprKind::Call(Subr::Copyinstr, args) => match args.as_slice() {
                [a] => (a, None, helper::PROBE_READ_USER_STR),
                [a, n, ..] => (a, Some(n), helper::PROBE_READ_USER_STR),
                [] => return self.unsupported("copyinstr() without an address"),
            },
            _ => return self.unsupported("this expression as a string at an address"),
        };
        let a = self.value(addr)?;
        let was = self.frame(8)?;
        self.asm.store(Size::B8, R10, was, a);
        self.free(a);
        match most.map(|n| (n, &n.kind)) {
            None => self.asm.int(R2, u64::from(cap)),
            Some((_, ExprKind::Int(n))) => {
                self.asm.int(R2, n.saturating_add(1).clamp(1, u64::from(cap)));
            }
            Some((n, _)) => {
                // size = min(n, cap - 1) + 1
                let fits = self.asm.label();
                let r = self.value(n)?;
                self.move_to(r, R2);
                self.asm.jump(Cond::Le, true, R2, cap as i32 - 1, fits);
                self.asm.int(R2, u64::from(cap) - 1);
                self.asm.bind(fits);
                self.asm.alu(Alu::Add, R2, 1);
                self.forks();
            }
        }
        self.asm.load(Size::B8, R3, R10, was);
        self.address(R1, dest);
        let r = self.call(by);
        self.fault_if(Cond::Slt, r, 0, Fault::BadAddr, Some(Held::Frame(was)));
        Ok(r)
    }

    /// Reads `size` bytes at the address in r3, which the frame holds at `was`.
    fn read_block(&mut self, by: i32, dest: Mem, size: u32, was: i32) -> Result<()> {
        self.free(R3);
        self.asm.int(R2, u64::from(size));
        self.address(R1, dest);
        let r = self.call(by);
        self.fault_if(Cond::Ne, r, 0, Fault::BadAddr, Some(Held::Frame(was)));
        self.free(r);
        Ok(())
    }

    fn strjoin(&mut self, args: &[Expr], dest: Mem, cap: u32) -> Result<()> {
        let [a, b] = args else { return self.unsupported("strjoin() of other than two strings") };
        let (sa, sb) = (size_of(a.ty).max(1), size_of(b.ty).max(1));
        // Two strings may be longer than the result: they are joined in full, then cut.
        let (left, right) = (self.scratch(sa)?, self.scratch(sb)?);
        let joined = self.scratch(sa + sb)?;
        self.block_into(a, Mem::At(R7, left), sa)?;
        self.block_into(b, Mem::At(R7, right), sb)?;
        let str_ty = Ty::Str { size: sa };
        self.copy(Mem::At(R7, joined), sa, Mem::At(R7, left), str_ty)?;
        // r0 bytes with the NUL; the verifier wants to see that they are at most sa.
        let whole = self.asm.label();
        self.asm.alu(Alu::Add, R0, -1);
        self.asm.jump(Cond::Le, true, R0, sa as i32 - 1, whole);
        self.asm.int(R0, 0);
        self.asm.bind(whole);
        self.asm.lea(R1, R7, joined);
        self.asm.alu_reg(Alu::Add, R1, R0);
        self.asm.int(R2, u64::from(sb));
        self.asm.lea(R3, R7, right);
        self.call_void(helper::PROBE_READ_KERNEL_STR);
        self.copy(dest, cap, Mem::At(R7, joined), str_ty)
    }

    pub fn strlen(&mut self, args: &[Expr]) -> Result<Reg> {
        let [e] = args else { return self.unsupported("strlen() of other than one string") };
        if let ExprKind::Str(s) = &e.kind {
            let r = self.alloc()?;
            self.asm.int(r, s.len() as u64);
            return Ok(r);
        }
        let size = size_of(e.ty).max(1);
        let temp = Mem::At(R7, self.scratch(size)?);
        if let ExprKind::StrAt(_) | ExprKind::Call(Subr::Copyinstr, _) = e.kind {
            let r = self.read_str(e, temp, size)?;
            self.asm.alu(Alu::Add, r, -1);
            return Ok(r);
        }
        self.block_into(e, temp, size)?;
        self.copy(temp, size, temp, e.ty)?;
        self.grab(R0);
        self.asm.alu(Alu::Add, R0, -1);
        Ok(R0)
    }

    /// copyin(): user bytes in the scratch slot; the value is their kernel address.
    pub fn copyin(&mut self, args: &[Expr]) -> Result<Reg> {
        let [addr, size] = args else { return self.unsupported("copyin() of other than two arguments") };
        let most = match size.kind {
            ExprKind::Int(n) => u32::try_from(n).unwrap_or(u32::MAX),
            _ => self.u.env.copyin_bytes.max(1),
        };
        let mark = self.mark();
        let buf = self.scratch(most)?;
        let was = self.frame(8)?;
        let a = self.value(addr)?;
        self.asm.store(Size::B8, R10, was, a);
        self.free(a);
        let n = self.value(size)?;
        self.move_to(n, R2);
        if !matches!(size.kind, ExprKind::Int(_)) {
            self.fault_if(Cond::Gt, R2, most as i32, Fault::NoScratch, Some(Held::Reg(R2)));
        }
        self.free(R2);
        self.asm.load(Size::B8, R3, R10, was);
        self.asm.lea(R1, R7, buf);
        let r = self.call(helper::PROBE_READ_USER);
        self.fault_if(Cond::Ne, r, 0, Fault::BadAddr, Some(Held::Frame(was)));
        // Through memory the address becomes a number: scripts calculate with it as with any kernel address.
        self.asm.lea(R0, R7, buf);
        self.asm.store(Size::B8, R7, SCRATCH_PASS, R0);
        self.asm.load(Size::B8, R0, R7, SCRATCH_PASS);
        self.release(mark);
        Ok(r)
    }
}

/// The largest power of two up to 8 that is not larger.
pub(super) fn chunk(n: usize) -> usize {
    match n {
        8.. => 8,
        4..=7 => 4,
        2..=3 => 2,
        _ => 1,
    }
}
