//! Actions: filling a clause's record, exit(), lkd(), signals.

use super::Result;
use super::expr::imm;
use super::func::{Cold, ColdKind, Gen, Held, Mem};
use crate::abi::{self, Counter, State as Activity};
use crate::asm::Label;
use crate::env::Place;
use crate::error::What;
use crate::insn::*;
use crate::record::*;
use lkd_dlang::program::{Action, ActionKind, Clause, Expr, LKD_FLAGS, Stmt, Ty};

/// `BPF_RB_NO_WAKEUP`: the consumer polls.
const NO_WAKEUP: u64 = 1;
/// `BPF_RB_FORCE_WAKEUP`: it should look at once.
const FORCE_WAKEUP: u64 = 2;
const SIGSTOP: u64 = 19;

impl Gen<'_> {
    /// r8 = room for the clause's record, header filled; no room: the clause does not run.
    pub fn begin_record(&mut self, size: u32, next: Label) -> Result<()> {
        self.asm.map(R1, abi::RING);
        self.asm.int(R2, u64::from(size));
        self.asm.int(R3, 0);
        self.asm.call(helper::RINGBUF_RESERVE);
        let full = self.asm.label();
        self.asm.jump(Cond::Eq, true, R0, 0, full);
        let (state, clause, action) = (self.f.state, self.clause, self.action);
        self.leaves(state);
        let kind = ColdKind::NoRoom;
        self.f.cold.push(Cold { label: full, kind, clause, action, state, next: Some(next) });
        self.forks();
        self.asm.mov(R8, R0);
        self.asm.store_imm(Size::B4, R8, H_CLAUSE as i32, clause as i32);
        self.store_probe(R8, H_PROBE as i32);
        self.asm.store_imm(Size::B4, R8, H_KIND as i32, KIND_DATA as i32);
        self.asm.call(helper::GET_SMP_PROCESSOR_ID);
        self.asm.store(Size::B4, R8, H_CPU as i32, R0);
        self.count_on(R0, &[(Counter::Made, 1)]);
        self.f.record = true;
        Ok(())
    }

    pub fn end_record(&mut self, clause: &Clause) -> Result<()> {
        let urgent = clause.stmts.iter().any(|s| {
            matches!(s, Stmt::Action(Action { kind: ActionKind::Exit(_) | ActionKind::Lkd(_), .. }))
        });
        self.asm.mov(R1, R8);
        self.asm.int(R2, if urgent { FORCE_WAKEUP } else { NO_WAKEUP });
        self.asm.call(helper::RINGBUF_SUBMIT);
        self.f.record = false;
        Ok(())
    }

    /// Takes the record under way back.
    pub fn discard_record(&mut self) {
        self.asm.mov(R1, R8);
        self.asm.int(R2, NO_WAKEUP);
        self.asm.call(helper::RINGBUF_DISCARD);
        self.count(&[(Counter::Made, -1)]);
    }

    pub fn action(&mut self, stmt: u32, action: &Action) -> Result<()> {
        let layouts = self.u;
        let fields = layouts
            .layouts
            .get(self.clause as usize)
            .and_then(|l| l.actions.iter().find(|a| a.stmt == stmt))
            .map_or(&[][..], |a| &a.fields);
        match &action.kind {
            ActionKind::Default => Ok(()),
            ActionKind::Trace(e) => self.fields(fields, std::slice::from_ref(e)),
            ActionKind::Printf { args, .. } => self.fields(fields, args),
            ActionKind::Stack { .. } => {
                if let Some(Source::Stack { offset, frames }) = fields.first().map(|f| &f.source)
                    && self.f.record
                {
                    let at = *offset as i32;
                    self.get_stack(R8, at + 8, 8 * frames, 0);
                    self.asm.store(Size::B8, R8, at, R0);
                }
                Ok(())
            }
            ActionKind::Exit(e) => self.exit_action(fields.first(), e),
            ActionKind::Lkd(e) => self.lkd(e),
            ActionKind::Raise(e) => {
                self.not_to_ourselves("raise()")?;
                self.effect();
                let r = self.value(e)?;
                self.move_to(r, R1);
                self.send_signal();
                Ok(())
            }
            ActionKind::Stop => {
                self.not_to_ourselves("stop()")?;
                self.effect();
                self.asm.int(R1, SIGSTOP);
                self.send_signal();
                Ok(())
            }
        }
    }

    /// Sends the signal in r1; one that the kernel refuses (no such signal, a thread that takes none) is an illegal operation.
    fn send_signal(&mut self) {
        let r = self.call(helper::SEND_SIGNAL);
        self.fault_if(Cond::Ne, r, 0, Fault::IllOp, Some(Held::Reg(r)));
        self.free(r);
    }

    /// The programs of BEGIN, END and tick probes are run by dtrace's own thread.
    fn not_to_ourselves(&self, action: &'static str) -> Result<()> {
        match self.g.place {
            Place::Begin | Place::End | Place::User => Err(self.fail(What::OnDtrace(action))),
            _ => Ok(()),
        }
    }

    fn fields(&mut self, fields: &[Field], args: &[Expr]) -> Result<()> {
        for (field, e) in fields.iter().zip(args) {
            let mark = self.mark();
            match (&field.source, e.ty) {
                (Source::Bytes { offset, len }, Ty::Str { .. } | Ty::Mem { .. }) if self.f.record => {
                    self.block_into(e, Mem::At(R8, *offset as i32), *len)?;
                }
                (Source::Bytes { offset, len }, _) if self.f.record => {
                    let size = Size::of(*len).unwrap_or(Size::B8);
                    if let Some(v) = imm(e) {
                        self.asm.store_imm(size, R8, *offset as i32, v);
                    } else {
                        let r = self.value(e)?;
                        self.asm.store(size, R8, *offset as i32, r);
                        self.free(r);
                    }
                }
                // Known without the record, or there is no record: only what it changes matters.
                _ => self.discard(e)?,
            }
            self.release(mark);
        }
        Ok(())
    }

    /// The session's end: the status into the record and into `ctl`, then no probe records any more.
    fn exit_action(&mut self, field: Option<&Field>, e: &Expr) -> Result<()> {
        self.effect();
        let r = self.value(e)?;
        if let (Some(Source::Bytes { offset, .. }), true) = (field.map(|f| &f.source), self.f.record) {
            self.asm.store(Size::B4, R8, *offset as i32, r);
        }
        let ctl = self.alloc()?;
        self.asm.map_value(ctl, abi::CTL, 0);
        self.asm.store(Size::B4, ctl, abi::CTL_STATUS as i32, r);
        self.asm.store_imm(Size::B4, ctl, abi::CTL_STATE as i32, Activity::Draining as i32);
        self.free(ctl);
        self.free(r);
        Ok(())
    }

    /// Remembers the request: the capture comes at the end of the firing. The first one wins, the others are counted.
    /// The frame's word: `clause << 32 | flags << 1 | 1`, 0 for none.
    fn lkd(&mut self, e: &Expr) -> Result<()> {
        if let Place::Fentry { .. } | Place::Fexit { .. } = self.g.place {
            return Err(self.fail(What::LkdInFentry));
        }
        self.effect();
        self.learn_lkd();
        let (again, end) = (self.asm.label(), self.asm.label());
        let at = self.f.lkd;
        // Nothing jumps back, and only dtrace:::ERROR calls from elsewhere.
        let first = !self.f.lkd_before && !self.error_calls_lkd();
        self.f.lkd_before = true;
        if !first {
            self.asm.load(Size::B8, R1, R10, at);
            self.asm.jump(Cond::Ne, true, R1, 0, again);
        }
        self.forks();
        let word = u64::from(self.clause) << 32 | 1;
        match imm(e) {
            Some(flags) => {
                self.asm.int(R1, word | (flags as u64) << 1);
                self.asm.store(Size::B8, R10, at, R1);
                if !first {
                    self.asm.goto(end);
                }
            }
            None => {
                let r = self.value(e)?;
                let (good, bad) = (self.asm.label(), self.asm.label());
                for flags in LKD_FLAGS {
                    self.asm.jump(Cond::Eq, false, r, flags as i32, good);
                }
                self.asm.goto(bad);
                self.asm.bind(good);
                self.asm.push(Insn::alu_reg(Alu::Mov, false, r, r));
                self.asm.alu(Alu::Lsh, r, 1);
                let with = self.alloc()?;
                self.asm.int(with, word);
                self.asm.alu_reg(Alu::Or, r, with);
                self.asm.store(Size::B8, R10, at, r);
                self.free(with);
                self.free(r);
                self.asm.goto(end);
                self.asm.bind(bad);
                self.count(&[(Counter::LkdBadFlags, 1)]);
                if !first {
                    self.asm.goto(end);
                }
            }
        }
        if !first {
            self.asm.bind(again);
            self.count(&[(Counter::LkdAgain, 1)]);
        }
        self.asm.bind(end);
        Ok(())
    }

    /// Whether a clause of dtrace:::ERROR has a call of lkd().
    fn error_calls_lkd(&self) -> bool {
        let clauses = self.u.on_error.iter().flat_map(|bound| &bound.clauses);
        let mut stmts =
            clauses.filter_map(|c| self.u.program.clauses.get(*c as usize)).flat_map(|c| &c.stmts);
        stmts.any(|s| matches!(s, Stmt::Action(Action { kind: ActionKind::Lkd(_), .. })))
    }

    /// At the end of the firing: if lkd() was called, write the request and go over into the capture trigger.
    pub fn lkd_end(&mut self) -> Result<()> {
        let none = self.asm.label();
        let at = self.f.lkd;
        let mark = self.mark();
        let key = self.frame(8)?;
        self.asm.mark(None, "lkd()");
        self.asm.load(Size::B8, R1, R10, at);
        self.asm.jump(Cond::Eq, true, R1, 0, none);
        self.asm.store_imm(Size::B4, R10, key, 0);
        self.asm.map(R1, abi::LKD_REQUEST);
        self.asm.lea(R2, R10, key);
        self.call_void(helper::MAP_LOOKUP_ELEM);
        self.asm.jump(Cond::Eq, true, R0, 0, none);
        self.asm.mov(R8, R0);
        self.asm.load(Size::B8, R1, R10, at);
        self.asm.mov(R2, R1);
        self.asm.alu(Alu::Rsh, R2, 32);
        self.asm.store(Size::B4, R8, abi::REQUEST_CLAUSE as i32, R2);
        self.asm.push(Insn::alu_reg(Alu::Mov, false, R1, R1));
        self.asm.alu(Alu::Rsh, R1, 1);
        self.asm.store(Size::B4, R8, abi::REQUEST_FLAGS as i32, R1);
        self.store_probe(R8, abi::REQUEST_PROBE as i32);
        let site = match self.g.place {
            Place::SysEnter { .. } | Place::SysExit { .. } => abi::site::RAW_TP_REGS,
            Place::RawTp { .. } => abi::site::RAW_TP,
            Place::PerfEvent => abi::site::PERF_EVENT,
            Place::Begin | Place::End | Place::User => abi::site::USER,
            _ => abi::site::KPROBE,
        };
        self.asm.store_imm(Size::B4, R8, abi::REQUEST_SITE as i32, site as i32);
        for n in 0..abi::REQUEST_NARGS {
            let mark = self.mark();
            let r = self.arg(n as u8)?;
            self.asm.store(Size::B8, R8, (abi::REQUEST_ARGS + 8 * n) as i32, r);
            self.free(r);
            self.release(mark);
        }
        self.asm.mov(R1, R6);
        self.asm.map(R2, abi::LKD_PROGS);
        self.asm.int(R3, 0);
        self.call_void(helper::TAIL_CALL);
        // Still here: nobody is armed.
        self.count(&[(Counter::LkdUnarmed, 1)]);
        self.asm.bind(none);
        self.release(mark);
        Ok(())
    }

    /// No room for a record: the clause does not run, but what ends or captures the session still does.
    pub fn without_record(&mut self) -> Result<()> {
        let program = self.u.program;
        let Some(clause) = program.clauses.get(self.clause as usize) else { return Ok(()) };
        let must = clause.stmts.iter().any(|s| {
            matches!(s, Stmt::Action(Action { kind: ActionKind::Exit(_) | ActionKind::Lkd(_), .. }))
        });
        if must { self.statements(self.clause, clause) } else { Ok(()) }
    }
}
