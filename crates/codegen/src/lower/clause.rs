//! One firing: prologue, the clauses in order, the match, the end.

use super::Result;
use super::func::{Cold, ColdKind, Gen, Mem, SCRATCH, SCRATCH_SLOTS, State, Tri};
use super::group::Dispatch;
use crate::abi::{self, Counter, State as Activity};
use crate::asm::Label;
use crate::env::Place;
use crate::error::What;
use crate::insn::*;
use lkd_dlang::program::{Clause, Guard, Stmt};

/// `pt_regs.orig_ax`, where the number of the system call stays until its return.
const REGS_ORIG_AX: i32 = 120;
/// Bit of `thread_info.status`: the thread is in a 32-bit system call.
const TS_COMPAT: i32 = 2;

impl Gen<'_> {
    /// The program proper.
    pub fn firing(&mut self) -> Result<()> {
        self.asm.mark(None, format!("{}: prologue", self.g.name));
        self.asm.mov(R6, R1);
        if self.g.words() > 0 {
            self.f.mask = self.frame(4 * self.g.words())?;
        }
        self.prologue()?;
        if !self.g.lazy() {
            self.asm.mark(None, "which probe is it?");
            self.ensure_match()?;
        }
        for c in self.g.clauses.clone() {
            self.clause(c)?;
        }
        self.asm.mark(None, "end of the firing");
        let out = self.f.out;
        self.asm.bind(out);
        self.unclaim();
        if self.has_lkd() {
            self.lkd_end()?;
        }
        self.asm.int(R0, 0);
        self.asm.exit();
        self.cold()
    }

    /// Zeros what may be read before it is written. r6 is set.
    pub fn prologue(&mut self) -> Result<()> {
        self.place_locals()?;
        let known = self.known().clone();
        if !known.scratch.is_empty() {
            self.asm.int(R7, 0);
        }
        if known.asks_match {
            self.asm.int(R9, 0);
        }
        for n in known.zero {
            if let Some(Some(Mem::At(R10, off))) = self.f.locals.get(n as usize).copied() {
                self.asm.store_imm(Size::B8, R10, off, 0);
            }
        }
        if known.conds > 0 {
            self.f.conds = self.frame(known.conds)?;
            for word in 0..known.conds.div_ceil(8) as i32 {
                let at = self.f.conds + 8 * word;
                self.asm.store_imm(Size::B8, R10, at, 0);
            }
        }
        if known.err_flag {
            self.f.err_flag = self.frame(8)?;
            let at = self.f.err_flag;
            self.asm.store_imm(Size::B8, R10, at, 0);
        }
        if known.lkd || (self.f.is_error && self.has_lkd()) {
            self.f.lkd = self.frame(8)?;
            let at = self.f.lkd;
            self.asm.store_imm(Size::B8, R10, at, 0);
        }
        self.f.fault = self.frame(24)?;
        Ok(())
    }

    /// One clause: enabled? guards, predicate, body. Every way out leads to `next`.
    pub fn clause(&mut self, index: u32) -> Result<()> {
        let program = self.u.program;
        let Some(clause) = program.clauses.get(index as usize) else { return Ok(()) };
        (self.clause, self.action) = (index, 0);
        let next = self.asm.label();
        let mark = self.mark();
        self.f.leaves = None;
        self.asm.mark(Some(index), format!("clause {index}, line {}", clause.line));
        if let Some(bit) = if self.f.is_error { None } else { self.g.bit(index) } {
            let at = self.f.mask + 4 * (bit / 32) as i32;
            self.asm.load(Size::B4, R1, R10, at);
            let enabled = self.asm.label();
            self.asm.jump(Cond::Set, false, R1, (1u32 << (bit % 32)) as i32, enabled);
            self.asm.goto(next);
            self.asm.bind(enabled);
            self.leaves(self.f.state);
            self.forks();
        }
        for guard in &clause.guards {
            match guard {
                Guard::NoError => {
                    self.learn().err_flag = true;
                    let at = self.f.err_flag;
                    self.asm.load(Size::B8, R1, R10, at);
                    self.asm.jump(Cond::Ne, true, R1, 0, next);
                }
                Guard::Cond { id, want } => {
                    let at = self.cond_at(id.0);
                    self.asm.load(Size::B1, R1, R10, at);
                    let unmet = if *want { Cond::Eq } else { Cond::Ne };
                    self.asm.jump(unmet, true, R1, 0, next);
                }
            }
            self.leaves(self.f.state);
            self.forks();
        }
        if let Some(predicate) = &clause.predicate {
            self.asm.mark(Some(index), format!("clause {index}: predicate"));
            self.ready()?;
            self.leaves(self.f.state);
            self.branch(predicate, false, next)?;
            self.forks();
        }
        self.body(index, clause, next)?;
        self.leaves(self.f.state);
        self.f.state = self.f.leaves.unwrap_or(self.f.state);
        self.give_up_to(next);
        self.asm.bind(next);
        self.release_all(mark);
        Ok(())
    }

    fn body(&mut self, index: u32, clause: &Clause, next: Label) -> Result<()> {
        let known = self.known();
        if known.scratch.iter().any(|&(c, a)| c == index && a > 0) {
            self.ensure_scratch()?;
        }
        let size = self.u.layouts.get(index as usize).map_or(0, |l| l.size);
        if size > 0 {
            self.ensure_match()?;
            self.asm.mark(Some(index), format!("clause {index}: record"));
            self.begin_record(size, next)?;
        }
        self.statements(index, clause)?;
        if size > 0 {
            self.asm.mark(Some(index), format!("clause {index}: done"));
            self.end_record(clause)?;
        }
        Ok(())
    }

    pub fn statements(&mut self, index: u32, clause: &Clause) -> Result<()> {
        for (n, stmt) in clause.stmts.iter().enumerate() {
            self.action = n as u32 + 1;
            let mark = self.mark();
            self.asm.mark(Some(index), format!("clause {index}: statement {}", self.action));
            self.ready()?;
            match stmt {
                Stmt::Eval(e) => self.discard(e)?,
                Stmt::SetCond(id, e) => {
                    let no = self.asm.label();
                    self.branch(e, false, no)?;
                    let at = self.cond_at(id.0);
                    self.asm.store_imm(Size::B1, R10, at, 1);
                    self.asm.bind(no);
                    self.forks();
                }
                Stmt::ClearError => {
                    if self.known().err_flag {
                        let at = self.f.err_flag;
                        self.asm.store_imm(Size::B8, R10, at, 0);
                    }
                }
                Stmt::Action(a) => self.action(n as u32, a)?,
            }
            debug_assert!(self.settled(), "a statement leaves no value behind");
            self.release(mark);
        }
        Ok(())
    }

    /// A jump leads from here to the next clause: what is known there.
    pub fn leaves(&mut self, state: State) {
        self.f.leaves = Some(self.f.leaves.map_or(state, |s| s.join(state)));
    }

    fn cond_at(&mut self, id: u32) -> i32 {
        let facts = self.learn();
        facts.conds = facts.conds.max(id + 1);
        self.f.conds + id as i32
    }

    /// What the statement under way needs before it starts: a scratch slot, the match.
    fn ready(&mut self) -> Result<()> {
        let here = (self.clause, self.action);
        let (scratch, effects) = (self.known().scratch.contains(&here), self.known().effects.contains(&here));
        if scratch {
            self.ensure_scratch()?;
        }
        if effects {
            self.ensure_match()?;
        }
        Ok(())
    }

    /// From here on the firing is matched; one that is not ends.
    pub fn ensure_match(&mut self) -> Result<()> {
        let done = self.asm.label();
        match self.f.state.matched {
            Tri::Yes => return Ok(()),
            Tri::Maybe => {
                self.learn().asks_match = true;
                self.asm.jump(Cond::Ne, true, R9, 0, done);
            }
            Tri::No => {}
        }
        let out = self.f.out;
        let mark = self.mark();
        match self.g.dispatch() {
            // r9 is only asked for when matching is put off, which is when there is a table.
            Dispatch::Const(_) => {}
            Dispatch::Cookie => {
                self.asm.mov(R1, R6);
                self.asm.call(helper::GET_ATTACH_COOKIE);
                self.asm.mov(R9, R0);
            }
            Dispatch::Table => {
                self.match_call(out)?;
            }
        }
        // if (ctl.state != ACTIVE) return;
        let unless = match self.g.place {
            Place::End => None,
            Place::Begin => Some((Cond::Gt, Activity::Active)),
            _ => Some((Cond::Ne, Activity::Active)),
        };
        if let Some((cond, state)) = unless {
            self.asm.map_value(R1, abi::CTL, abi::CTL_STATE);
            self.asm.load(Size::B4, R1, R1, 0);
            self.asm.jump(cond, true, R1, state as i32, out);
        }
        if self.g.dispatch() == Dispatch::Table {
            self.native_call(out)?;
        }
        self.asm.bind(done);
        self.release(mark);
        self.f.state.matched = Tri::Yes;
        Ok(())
    }

    /// r9 = the table's probe for this system call; none: the firing ends.
    fn match_call(&mut self, out: Label) -> Result<()> {
        if let Place::SysExit { .. } = self.g.place {
            // nr = ((struct pt_regs *)ctx[0])->orig_ax
            let nr = self.frame(8)?;
            self.asm.load(Size::B8, R3, R6, 0);
            self.asm.alu(Alu::Add, R3, REGS_ORIG_AX);
            self.asm.int(R2, 8);
            self.asm.lea(R1, R10, nr);
            self.asm.call(helper::PROBE_READ_KERNEL);
            self.asm.jump(Cond::Ne, true, R0, 0, out);
            self.asm.load(Size::B8, R1, R10, nr);
        } else {
            self.asm.load(Size::B8, R1, R6, 8);
        }
        // if (nr >= entries || !(probe = table[nr].probe)) return;
        self.asm.jump(Cond::Gt, true, R1, self.g.entries() as i32 - 1, out);
        match self.g.stride() {
            4 => self.asm.alu(Alu::Lsh, R1, 2),
            8 => self.asm.alu(Alu::Lsh, R1, 3),
            stride => self.asm.alu(Alu::Mul, R1, stride as i32),
        }
        self.asm.map_value(R2, &self.g.table(), 0);
        self.asm.alu_reg(Alu::Add, R2, R1);
        self.asm.load(Size::B4, R9, R2, 0);
        self.asm.jump(Cond::Eq, true, R9, 0, out);
        for word in 0..self.g.words() as i32 {
            let at = self.f.mask + 4 * word;
            self.asm.load(Size::B4, R1, R2, 4 + 4 * word);
            self.asm.store(Size::B4, R10, at, R1);
        }
        Ok(())
    }

    /// A 32-bit task's numbers are those of another table: its calls are none of ours.
    fn native_call(&mut self, out: Label) -> Result<()> {
        let Some(status) = self.u.env.task.thread_status else {
            let field = "task_struct.thread_info.status";
            return Err(self.fail(What::NoBtf { builtin: "syscall", field }));
        };
        self.asm.call(helper::GET_CURRENT_TASK_BTF);
        self.asm.load(Size::B4, R1, R0, status as i32);
        self.asm.jump(Cond::Set, true, R1, TS_COMPAT, out);
        Ok(())
    }

    /// From here on r7 is a scratch slot of this firing's own.
    pub fn ensure_scratch(&mut self) -> Result<()> {
        let have = self.asm.label();
        match self.f.state.claimed {
            Tri::Yes => return Ok(()),
            Tri::Maybe => self.asm.jump(Cond::Ne, true, R7, 0, have),
            Tri::No => {}
        }
        self.forks();
        let (again, none, got) = (self.asm.label(), self.asm.label(), self.asm.label());
        let mark = self.mark();
        let key = self.frame(8)?;
        // for (slot = 0; slot < SLOTS; slot++)
        //     if (!xchg(&scratch[slot].busy, 1)) goto got;
        self.asm.int(R7, 0);
        self.asm.bind(again);
        self.asm.store(Size::B4, R10, key, R7);
        self.asm.map(R1, SCRATCH);
        self.asm.lea(R2, R10, key);
        self.asm.call(helper::MAP_LOOKUP_ELEM);
        self.asm.jump(Cond::Eq, true, R0, 0, none);
        self.asm.int(R1, 1);
        self.asm.push(Insn::new(STX | ATOMIC | 0x18, R0, R1, 0, ATOMIC_XCHG));
        self.asm.jump(Cond::Eq, true, R1, 0, got);
        self.asm.alu(Alu::Add, R7, 1);
        self.asm.jump(Cond::Lt, true, R7, SCRATCH_SLOTS as i32, again);
        self.asm.goto(none);
        let (state, clause, action) = (self.f.state, self.clause, self.action);
        let kind = ColdKind::NoScratch;
        self.f.cold.push(Cold { label: none, kind, clause, action, state, next: None });
        self.asm.bind(got);
        self.asm.mov(R7, R0);
        for mem in self.f.locals.clone() {
            if let Some(Mem::At(R7, off)) = mem {
                self.asm.store_imm(Size::B8, R7, off, 0);
            }
        }
        self.asm.bind(have);
        self.release(mark);
        self.f.state.claimed = Tri::Yes;
        Ok(())
    }

    /// Gives the scratch slot back, if there is one.
    pub fn unclaim(&mut self) {
        if self.known().scratch.is_empty() {
            return;
        }
        let none = self.asm.label();
        self.asm.jump(Cond::Eq, true, R7, 0, none);
        self.asm.store_imm(Size::B8, R7, 0, 0);
        self.asm.bind(none);
    }

    /// Adds `by` to this CPU's counters; takes r0–r2.
    pub fn count(&mut self, counters: &[(Counter, i32)]) {
        self.asm.call(helper::GET_SMP_PROCESSOR_ID);
        self.count_on(R0, counters);
    }

    /// The same when the CPU's number is in a register, which is spent.
    pub fn count_on(&mut self, cpu: Reg, counters: &[(Counter, i32)]) {
        let skip = self.asm.label();
        let (line, by) = if cpu == R1 { (R2, R3) } else { (R1, R2) };
        self.asm.jump(Cond::Gt, true, cpu, self.u.env.cpus.max(1) as i32 - 1, skip);
        self.asm.alu(Alu::Lsh, cpu, abi::COUNTER_LINE.trailing_zeros() as i32);
        self.asm.map_value(line, abi::COUNTERS, 0);
        self.asm.alu_reg(Alu::Add, line, cpu);
        for &(counter, n) in counters {
            self.asm.int(by, n as i64 as u64);
            let at = 8 * counter as i16;
            self.asm.push(Insn::new(STX | ATOMIC | 0x18, line, by, at, ATOMIC_ADD));
        }
        self.asm.bind(skip);
    }

    /// `*(u32 *)(base + off) = id of the probe that fires`
    pub fn store_probe(&mut self, base: Reg, off: i32) {
        match self.probe_const() {
            Some(id) => self.asm.store_imm(Size::B4, base, off, id as i32),
            None => self.asm.store(Size::B4, base, off, R9),
        }
    }

    /// `dst = id of the probe that fires`
    pub fn probe_id(&mut self, dst: Reg) {
        match self.probe_const() {
            Some(id) => self.asm.int(dst, u64::from(id)),
            None => self.asm.mov(dst, R9),
        }
    }

    /// The probe's id when it is known now.
    pub fn probe_const(&self) -> Option<u32> {
        match (self.f.is_error, self.g.dispatch()) {
            (true, _) => self.u.on_error.map(|b| b.probe),
            (false, Dispatch::Const(id)) => Some(id),
            _ => None,
        }
    }
}
