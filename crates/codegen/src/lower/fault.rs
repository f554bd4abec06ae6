//! What happens when a clause cannot go on: it is given up, an error record is left, dtrace:::ERROR runs, the next clause follows.
//!
//! Two functions stand behind a program that can fault: `error_record(ctx, where, what, value, probe)` leaves the record;
//! `error(…)` calls it and then runs dtrace:::ERROR's clauses. `where` is `clause | action << 32`, `what` is
//! `fault | slot << 32`. The second gives back lkd()'s word, 0 for none.

use super::Result;
use super::builtin::{ERR_BYTES, ERR_PROBE, ERR_VALUE, ERR_WHAT, ERR_WHERE};
use super::func::{Cold, ColdKind, Func, Gen, Held, State, Tri};
use crate::abi::{self, Counter};
use crate::asm::Label;
use crate::insn::*;
use crate::record::*;
use std::collections::BTreeMap;

/// `BPF_RB_FORCE_WAKEUP`
const FORCE_WAKEUP: u64 = 2;

/// Clause, matched?, scratch slot claimed?, record open?
type Common = (u32, Tri, Tri, bool);

impl Gen<'_> {
    /// Gives the clause up if `r cond imm`.
    pub fn fault_if(&mut self, cond: Cond, r: Reg, imm: i32, fault: Fault, value: Option<Held>) {
        let label = self.asm.label();
        let insn = self.asm.label();
        self.asm.bind(insn);
        self.asm.jump(cond, true, r, imm, label);
        self.forks();
        self.learn_faults();
        let state = self.f.state;
        self.leaves(State { matched: Tri::Yes, ..state });
        let (code, record) = (fault as u32, self.f.record);
        let kind = ColdKind::Fault { code, value, insn, record };
        self.f.cold.push(Cold { label, kind, clause: self.clause, action: self.action, state, next: None });
    }

    /// The clause under way ends here: what it gave up goes on at `next`.
    pub fn give_up_to(&mut self, next: Label) {
        for cold in &mut self.f.cold {
            cold.next.get_or_insert(next);
        }
    }

    /// The code for the unlikely cases of the function's clauses.
    pub fn cold(&mut self) -> Result<()> {
        // What clauses have in common once their fault is noted: by clause, by what was known, by whether a record is open.
        let mut common = BTreeMap::<Common, (Label, State, Label)>::new();
        while !self.f.cold.is_empty() {
            for cold in std::mem::take(&mut self.f.cold) {
                let next = cold.next.unwrap_or(self.f.out);
                (self.clause, self.action, self.f.state) = (cold.clause, cold.action, cold.state);
                self.asm.bind(cold.label);
                match cold.kind {
                    ColdKind::Fault { code, value, insn, record } => {
                        let key = (cold.clause, cold.state.matched, cold.state.claimed, record);
                        let fresh = self.asm.label();
                        let to = common.entry(key).or_insert((fresh, cold.state, next)).0;
                        self.note_fault(code, value, insn);
                        self.asm.goto(to);
                    }
                    ColdKind::NoScratch => {
                        self.asm.mark(Some(cold.clause), "no scratch slot is free");
                        self.asm.int(R7, 0);
                        self.ensure_match()?;
                        self.count(&[(Counter::ScratchDrops, 1)]);
                        let out = self.f.out;
                        self.asm.goto(out);
                    }
                    ColdKind::NoRoom => {
                        self.asm.mark(Some(cold.clause), format!("clause {}: no room", cold.clause));
                        self.count(&[(Counter::Made, 1), (Counter::RecordDrops, 1)]);
                        self.without_record()?;
                        self.give_up_to(next);
                        self.asm.goto(next);
                    }
                }
            }
            for ((clause, _, _, record), (label, state, next)) in std::mem::take(&mut common) {
                (self.clause, self.f.state) = (clause, state);
                self.asm.bind(label);
                self.give_up(clause, record, next)?;
            }
        }
        Ok(())
    }

    /// The fault's particulars into the frame.
    fn note_fault(&mut self, code: u32, value: Option<Held>, insn: Label) {
        let at = self.f.fault;
        self.asm.mark(Some(self.clause), format!("clause {}: fault", self.clause));
        match value {
            Some(Held::Reg(r)) => self.asm.store(Size::B8, R10, at + ERR_VALUE, r),
            Some(Held::Frame(off)) => {
                self.asm.load(Size::B8, R1, R10, off);
                self.asm.store(Size::B8, R10, at + ERR_VALUE, R1);
            }
            None => self.asm.store_imm(Size::B8, R10, at + ERR_VALUE, 0),
        }
        self.asm.store_imm(Size::B4, R10, at + ERR_WHERE + 4, self.action as i32);
        self.asm.store_imm(Size::B4, R10, at + ERR_WHAT, code as i32);
        self.asm.store_slot(R10, at + ERR_WHAT + 4, insn);
    }

    fn give_up(&mut self, clause: u32, record: bool, next: Label) -> Result<()> {
        self.asm.mark(Some(clause), format!("clause {clause}: given up"));
        let at = self.f.fault;
        self.asm.store_imm(Size::B4, R10, at + ERR_WHERE, clause as i32);
        if record {
            self.discard_record();
        }
        self.ensure_match()?;
        self.asm.mov(R1, R6);
        self.asm.load(Size::B8, R2, R10, at + ERR_WHERE);
        self.asm.load(Size::B8, R3, R10, at + ERR_WHAT);
        self.asm.load(Size::B8, R4, R10, at + ERR_VALUE);
        self.probe_id(R5);
        let error = if self.f.is_error { self.error_record } else { self.error };
        self.asm.call_label(error);
        if self.known().err_flag {
            let flag = self.f.err_flag;
            self.asm.store_imm(Size::B8, R10, flag, 1);
        }
        if self.has_lkd() && !self.f.is_error {
            let (at, again, none) = (self.f.lkd, self.asm.label(), self.asm.label());
            self.asm.jump(Cond::Eq, true, R0, 0, none);
            self.asm.load(Size::B8, R1, R10, at);
            self.asm.jump(Cond::Ne, true, R1, 0, again);
            self.asm.store(Size::B8, R10, at, R0);
            self.asm.goto(none);
            self.asm.bind(again);
            self.count(&[(Counter::LkdAgain, 1)]);
            self.asm.bind(none);
        }
        self.asm.goto(next);
        Ok(())
    }

    /// The functions behind the program; the stack bytes of each.
    pub fn error_functions(&mut self) -> Result<Vec<u32>> {
        let Some(bound) = self.u.on_error else {
            let (a, b) = (self.error, self.error_record);
            self.asm.bind(a);
            self.asm.bind(b);
            return Ok(vec![self.error_record_function()?]);
        };
        let label = self.error;
        self.asm.bind(label);
        self.asm.mark(None, "error(ctx, where, what, value, probe)");
        self.f.state = State { matched: Tri::Yes, claimed: Tri::No };
        self.asm.mov(R6, R1);
        self.f.args = self.frame(ERR_BYTES)?;
        let at = self.f.args;
        for (r, off) in [(R2, ERR_WHERE), (R3, ERR_WHAT), (R4, ERR_VALUE), (R5, ERR_PROBE)] {
            self.asm.store(Size::B8, R10, at + off, r);
        }
        let record = self.error_record;
        self.asm.call_label(record);
        self.prologue()?;
        for &c in &bound.clauses {
            self.clause(c)?;
        }
        let out = self.f.out;
        self.asm.bind(out);
        self.unclaim();
        match self.has_lkd() {
            true => {
                let at = self.f.lkd;
                self.asm.load(Size::B8, R0, R10, at);
            }
            false => self.asm.int(R0, 0),
        }
        self.asm.exit();
        self.cold()?;
        let own = self.f.frame_max();
        self.asm.bind(record);
        let f = Func::new(&mut self.asm, true);
        let scratch = std::mem::replace(&mut self.f, f);
        let stack = self.error_record_function()?;
        self.f = scratch;
        Ok(vec![own, stack])
    }

    /// Leaves the error record; a full ring is counted.
    fn error_record_function(&mut self) -> Result<u32> {
        self.asm.mark(None, "error_record(ctx, where, what, value, probe)");
        let args = self.frame(ERR_BYTES)?;
        for (r, off) in [(R2, ERR_WHERE), (R3, ERR_WHAT), (R4, ERR_VALUE), (R5, ERR_PROBE)] {
            self.asm.store(Size::B8, R10, args + off, r);
        }
        let full = self.asm.label();
        self.asm.map(R1, abi::RING);
        self.asm.int(R2, u64::from(ERROR_SIZE));
        self.asm.int(R3, 0);
        self.asm.call(helper::RINGBUF_RESERVE);
        self.asm.jump(Cond::Eq, true, R0, 0, full);
        self.asm.mov(R8, R0);
        for (from, to) in [
            (ERR_WHERE, H_CLAUSE),
            (ERR_PROBE, H_PROBE),
            (ERR_WHERE + 4, E_ACTION),
            (ERR_WHAT, E_FAULT),
            (ERR_WHAT + 4, E_INSN),
        ] {
            self.asm.load(Size::B4, R1, R10, args + from);
            self.asm.store(Size::B4, R8, to as i32, R1);
        }
        self.asm.load(Size::B8, R1, R10, args + ERR_VALUE);
        self.asm.store(Size::B8, R8, E_VALUE as i32, R1);
        self.asm.store_imm(Size::B4, R8, H_KIND as i32, KIND_ERROR as i32);
        // epid = probe * clauses + clause + 1
        self.asm.load(Size::B4, R1, R10, args + ERR_PROBE);
        self.asm.alu(Alu::Mul, R1, self.u.program.clauses.len() as i32);
        self.asm.load(Size::B4, R2, R10, args + ERR_WHERE);
        self.asm.alu_reg(Alu::Add, R1, R2);
        self.asm.alu(Alu::Add, R1, 1);
        self.asm.store(Size::B4, R8, E_EPID as i32, R1);
        self.asm.call(helper::GET_SMP_PROCESSOR_ID);
        self.asm.store(Size::B4, R8, H_CPU as i32, R0);
        self.count_on(R0, &[(Counter::Made, 1)]);
        self.asm.mov(R1, R8);
        self.asm.int(R2, FORCE_WAKEUP);
        self.asm.call(helper::RINGBUF_SUBMIT);
        self.asm.int(R0, 0);
        self.asm.exit();
        self.asm.bind(full);
        self.count(&[(Counter::Made, 1), (Counter::ErrorDrops, 1)]);
        self.asm.int(R0, 0);
        self.asm.exit();
        Ok(self.f.frame_max())
    }
}
