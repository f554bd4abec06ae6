//! Instructions with labels and map names, until every distance is known.

use crate::insn::*;
use crate::object::{Mark, Reloc};
use std::collections::HashMap;

/// A place to jump to; bound once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label(usize);

#[derive(Debug, Default)]
pub struct Asm {
    insns: Vec<Insn>,
    relocs: Vec<Reloc>,
    marks: Vec<Mark>,
    /// Slot of each label, once bound.
    labels: Vec<Option<usize>>,
    /// Jumps and calls that still miss their distance, stores that miss a slot.
    fixups: Vec<(usize, Label)>,
}

/// What [`Asm::finish`] gives.
#[derive(Debug)]
pub struct Assembled {
    pub insns: Vec<Insn>,
    pub relocs: Vec<Reloc>,
    pub marks: Vec<Mark>,
}

/// A jump's distance does not fit its 16 bits; the number of slots.
#[derive(Debug, PartialEq, Eq)]
pub struct TooFar(pub usize);

impl Asm {
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands before the next instruction.
    pub fn bind(&mut self, label: Label) {
        debug_assert!(self.labels[label.0].is_none(), "a label is bound once");
        self.labels[label.0] = Some(self.insns.len());
    }

    /// Slot of the next instruction.
    pub fn here(&self) -> u32 {
        self.insns.len() as u32
    }

    pub fn push(&mut self, insn: Insn) {
        self.insns.push(insn);
    }

    pub fn mark(&mut self, clause: Option<u32>, what: impl Into<String>) {
        let insn = self.here();
        self.marks.push(Mark { insn, clause, what: what.into() });
    }

    /// `dst = src`
    pub fn mov(&mut self, dst: Reg, src: Reg) {
        if dst != src {
            self.push(Insn::alu_reg(Alu::Mov, true, dst, src));
        }
    }

    /// `dst = value`, by the shortest instruction.
    pub fn int(&mut self, dst: Reg, value: u64) {
        if let Ok(v) = i32::try_from(value as i64) {
            self.push(Insn::alu(Alu::Mov, true, dst, v));
        } else if let Ok(v) = u32::try_from(value) {
            self.push(Insn::alu(Alu::Mov, false, dst, v as i32));
        } else {
            self.push(Insn::new(LD_IMM64, dst, R0, 0, value as u32 as i32));
            self.push(Insn { imm: (value >> 32) as i32, ..Insn::default() });
        }
    }

    /// `dst = dst op imm`, 64 bits wide.
    pub fn alu(&mut self, op: Alu, dst: Reg, imm: i32) {
        self.push(Insn::alu(op, true, dst, imm));
    }

    pub fn alu_reg(&mut self, op: Alu, dst: Reg, src: Reg) {
        self.push(Insn::alu_reg(op, true, dst, src));
    }

    /// `dst = base + off`
    pub fn lea(&mut self, dst: Reg, base: Reg, off: i32) {
        self.mov(dst, base);
        if off != 0 {
            self.alu(Alu::Add, dst, off);
        }
    }

    pub fn load(&mut self, size: Size, dst: Reg, src: Reg, off: i32) {
        self.push(Insn::load(size, dst, src, off as i16));
    }

    pub fn store(&mut self, size: Size, dst: Reg, off: i32, src: Reg) {
        self.push(Insn::store(size, dst, off as i16, src));
    }

    pub fn store_imm(&mut self, size: Size, dst: Reg, off: i32, imm: i32) {
        self.push(Insn::store_imm(size, dst, off as i16, imm));
    }

    /// `dst = the map`
    pub fn map(&mut self, dst: Reg, map: &str) {
        self.reloc(dst, map, None);
    }

    /// `dst = address of byte off in the map's only value`
    pub fn map_value(&mut self, dst: Reg, map: &str, off: u32) {
        self.reloc(dst, map, Some(off));
    }

    fn reloc(&mut self, dst: Reg, map: &str, value: Option<u32>) {
        let insn = self.here();
        self.relocs.push(Reloc { insn, map: map.to_owned(), value });
        let src = if value.is_some() { PSEUDO_MAP_VALUE } else { PSEUDO_MAP_FD };
        self.push(Insn::new(LD_IMM64, dst, Reg(src), 0, 0));
        self.push(Insn::default());
    }

    pub fn call(&mut self, helper: i32) {
        self.push(Insn::new(CALL, R0, R0, 0, helper));
    }

    /// A call of a function of this program.
    pub fn call_label(&mut self, label: Label) {
        self.fixups.push((self.insns.len(), label));
        self.push(Insn::new(CALL, R0, Reg(PSEUDO_CALL), 0, 0));
    }

    pub fn exit(&mut self) {
        self.push(Insn::new(EXIT, R0, R0, 0, 0));
    }

    pub fn goto(&mut self, label: Label) {
        self.fixups.push((self.insns.len(), label));
        self.push(Insn::new(JMP, R0, R0, 0, 0));
    }

    /// `if a cond imm goto label`, over 64 bits or the low 32.
    pub fn jump(&mut self, cond: Cond, wide: bool, a: Reg, imm: i32, label: Label) {
        self.fixups.push((self.insns.len(), label));
        self.push(Insn::new(cond as u8 | if wide { JMP } else { JMP32 }, a, R0, 0, imm));
    }

    pub fn jump_reg(&mut self, cond: Cond, wide: bool, a: Reg, b: Reg, label: Label) {
        self.fixups.push((self.insns.len(), label));
        self.push(Insn::new(cond as u8 | X | if wide { JMP } else { JMP32 }, a, b, 0, 0));
    }

    /// `*(u32 *)(dst + off) = slot of the label`, to say where something happened.
    pub fn store_slot(&mut self, dst: Reg, off: i32, label: Label) {
        self.fixups.push((self.insns.len(), label));
        self.store_imm(Size::B4, dst, off, 0);
    }

    /// Fills the distances in. Code that no path reaches goes away: the verifier refuses a program that has any.
    pub fn finish(mut self) -> Result<Assembled, TooFar> {
        let reached = self.reached();
        // Slot → its slot once the others are gone.
        let mut moved = vec![0u32];
        for &r in &reached {
            moved.push(moved[moved.len() - 1] + u32::from(r));
        }
        let target = |label: &Label| self.labels.get(label.0).copied().flatten().unwrap_or(0);
        let whole = moved[reached.len()] as usize;
        for (from, label) in self.fixups.iter().filter(|(from, _)| reached[*from]) {
            let to = moved[target(label)];
            let by = i64::from(to) - (i64::from(moved[*from]) + 1);
            let insn = &mut self.insns[*from];
            match insn.op {
                CALL => insn.imm = i32::try_from(by).map_err(|_| TooFar(whole))?,
                op if op & 7 == ST => insn.imm = to as i32,
                _ => insn.off = i16::try_from(by).map_err(|_| TooFar(whole))?,
            }
        }
        let keep = |insn: u32| reached.get(insn as usize).copied().unwrap_or(false);
        self.relocs.retain(|r| keep(r.insn));
        for r in &mut self.relocs {
            r.insn = moved[r.insn as usize];
        }
        for m in &mut self.marks {
            m.insn = moved[m.insn as usize];
        }
        // Of marks without code between them, the last one speaks.
        let next: Vec<u32> = self.marks.iter().skip(1).map(|m| m.insn).chain([u32::MAX]).collect();
        let mut next = next.into_iter();
        self.marks.retain(|m| next.next() != Some(m.insn));
        let mut kept = reached.iter();
        self.insns.retain(|_| kept.next().copied().unwrap_or(false));
        Ok(Assembled { insns: self.insns, relocs: self.relocs, marks: self.marks })
    }

    /// Which slots some path from the start reaches.
    fn reached(&self) -> Vec<bool> {
        let jumps: HashMap<usize, usize> = self
            .fixups
            .iter()
            .filter_map(|&(from, label)| Some((from, self.labels.get(label.0).copied().flatten()?)))
            .collect();
        let mut reached = vec![false; self.insns.len()];
        let mut todo = vec![0];
        while let Some(at) = todo.pop() {
            let Some(insn) = self.insns.get(at).filter(|_| !reached[at]) else { continue };
            reached[at] = true;
            let jumps_on = matches!(insn.class(), JMP | JMP32);
            if let Some(&to) = jumps.get(&at).filter(|_| jumps_on) {
                todo.push(to);
            }
            if insn.op == LD_IMM64 {
                reached[at + 1] = true;
                todo.push(at + 2);
            } else if insn.op != EXIT && insn.op != JMP {
                todo.push(at + 1);
            }
        }
        reached
    }
}
