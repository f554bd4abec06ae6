//! The function under way: which registers are free, what the frame holds, what is known at this point of the code.
//!
//! A program is generated until nothing new is learnt: the first round finds out which variables must start at zero and whether
//! scratch memory is needed, the next one knows it when it writes the prologue.

use super::group::Group;
use super::storage::size_of;
use super::{Result, Unit};
use crate::asm::{Asm, Label, TooFar};
use crate::error::{CodegenError, What};
use crate::insn::*;
use crate::object::Prog;
use lkd_dlang::program::Ty;
use std::collections::BTreeSet;

/// Per-CPU array of scratch slots. An interrupt's firing on top of another one takes the next slot.
pub(super) const SCRATCH: &str = "scratch";
/// Task, softirq, hardirq, NMI.
pub(super) const SCRATCH_SLOTS: u32 = 4;
/// A slot begins with its busy word and a word to pass an address through memory.
const SCRATCH_HEAD: u32 = 16;
pub(super) const SCRATCH_PASS: i32 = 8;
/// All frames of a call chain together.
const STACK_MAX: u32 = 512;
/// `this->` integers beyond these live in the scratch slot.
const STACK_LOCALS: usize = 20;

/// What one round of generating learns for the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub main: FuncFacts,
    pub error: FuncFacts,
    /// Something can fault, so there is an error function.
    pub faults: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FuncFacts {
    /// Statements (clause, number from 1, 0: the predicate) that need a scratch slot.
    pub scratch: BTreeSet<(u32, u32)>,
    /// Statements that have an effect, or ask which probe fires: the firing must be matched before.
    pub effects: BTreeSet<(u32, u32)>,
    /// `this->` integers that may be read before they are written.
    pub zero: BTreeSet<u32>,
    /// `this->` variables that the function names.
    pub locals: BTreeSet<u32>,
    /// How many condition flags are in use.
    pub conds: u32,
    /// The "a fault happened" flag is read.
    pub err_flag: bool,
    pub lkd: bool,
    /// r9 is asked whether the firing is matched.
    pub asks_match: bool,
}

/// Known at this point of the code?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tri {
    No,
    Maybe,
    Yes,
}

impl Tri {
    pub fn join(self, other: Tri) -> Tri {
        if self == other { self } else { Tri::Maybe }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub matched: Tri,
    pub claimed: Tri,
}

impl State {
    pub fn join(self, other: State) -> State {
        State { matched: self.matched.join(other.matched), claimed: self.claimed.join(other.claimed) }
    }
}

/// A place in memory that a program may read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mem {
    /// Byte `off` from r7, r8 or r10.
    At(Reg, i32),
    /// Byte `off` of the globals.
    Global(u32),
}

/// A value that must outlive the next evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    Reg(Reg),
    Frame(i32),
}

/// Code for an unlikely case, put behind the function.
pub(super) struct Cold {
    pub label: Label,
    pub kind: ColdKind,
    pub clause: u32,
    pub action: u32,
    /// What was known where the jump stands.
    pub state: State,
    /// Where it goes on: known at the end of the clause.
    pub next: Option<Label>,
}

pub(super) enum ColdKind {
    /// A fault's code, the illegal value, the jump's slot, whether a record is open.
    Fault { code: u32, value: Option<Held>, insn: Label, record: bool },
    /// Every scratch slot is taken.
    NoScratch,
    /// The ring has no room for the clause's record.
    NoRoom,
}

pub(super) struct Func {
    pub is_error: bool,
    /// Bit n: r`n` is free.
    free: u8,
    frame: u32,
    frame_max: u32,
    scratch: u32,
    scratch_max: u32,
    pub state: State,
    /// What is known at the end of the clause under way, of the jumps so far.
    pub leaves: Option<State>,
    /// Where a firing ends.
    pub out: Label,
    pub locals: Vec<Option<Mem>>,
    /// Offsets in the frame.
    pub conds: i32,
    pub err_flag: i32,
    pub lkd: i32,
    /// Code before this may have called lkd().
    pub lkd_before: bool,
    pub mask: i32,
    pub fault: i32,
    /// The error function's arguments.
    pub args: i32,
    /// A record is being filled.
    pub record: bool,
    pub cold: Vec<Cold>,
    /// No jump yet but to the end: what is written here is written in every firing.
    pub straight: bool,
    /// `this->` variables that surely have been written.
    pub set: BTreeSet<u32>,
}

pub(super) struct Gen<'a> {
    pub u: &'a Unit<'a>,
    pub g: &'a Group<'a>,
    pub asm: Asm,
    pub f: Func,
    /// From the round before.
    known: Facts,
    /// From this round.
    learnt: Facts,
    pub clause: u32,
    /// Statement of the clause, from 1; 0 is the predicate.
    pub action: u32,
    /// The function that leaves error records.
    pub error_record: Label,
    /// The function that a fault calls: the one above, or the one that then runs dtrace:::ERROR's clauses.
    pub error: Label,
}

const ALL_FREE: u8 = 0b11_1111;

impl<'a> Gen<'a> {
    /// The group's program and the size of scratch slot that it needs.
    pub fn program(u: &'a Unit<'a>, g: &'a Group<'a>) -> Result<(Prog, u32)> {
        let mut known = Facts::default();
        loop {
            let mut asm = Asm::default();
            let (error_record, error) = (asm.label(), asm.label());
            let f = Func::new(&mut asm, false);
            let learnt = Facts::default();
            let mut gen_ =
                Gen { u, g, asm, f, known: known.clone(), learnt, clause: 0, action: 0, error_record, error };
            let (stack, scratch) = gen_.whole()?;
            if gen_.learnt == known {
                return gen_.finish(stack).map(|prog| (prog, scratch));
            }
            known = gen_.learnt;
        }
    }

    /// All functions of the program: stack bytes of each, scratch bytes.
    fn whole(&mut self) -> Result<(Vec<u32>, u32)> {
        self.firing()?;
        let mut stack = vec![self.f.frame_max];
        let mut scratch = self.f.scratch_max;
        if self.known.faults {
            let f = Func::new(&mut self.asm, true);
            self.f = f;
            stack.extend(self.error_functions()?);
            scratch = scratch.max(self.f.scratch_max);
        }
        let bytes = stack.iter().sum::<u32>();
        if bytes > STACK_MAX {
            return Err(self.fail(What::Stack { bytes }));
        }
        Ok((stack, scratch))
    }

    fn finish(self, stack: Vec<u32>) -> Result<Prog> {
        let done = self.asm.finish();
        let done = done.map_err(|TooFar(insns)| CodegenError {
            clause: None,
            span: None,
            what: What::TooLong { of: self.g.spoken(), insns },
        })?;
        Ok(Prog {
            name: self.g.name.clone(),
            kind: self.g.kind(),
            place: self.g.place,
            probes: self.g.bounds.iter().map(|b| b.probe).collect(),
            cookie: self.g.cookie(),
            lkd: self.known.main.lkd,
            insns: done.insns,
            relocs: done.relocs,
            marks: done.marks,
            stack,
        })
    }

    pub fn fail(&self, what: What) -> CodegenError {
        let clause = self.u.program.clauses.get(self.clause as usize);
        CodegenError { clause: clause.map(|c| (self.clause, c.line)), span: clause.map(|c| c.span), what }
    }

    pub fn unsupported<T>(&self, what: &'static str) -> Result<T> {
        Err(self.fail(What::Unsupported(what)))
    }

    /// What the round before learnt about this function.
    pub fn known(&self) -> &FuncFacts {
        if self.f.is_error { &self.known.error } else { &self.known.main }
    }

    pub fn learn(&mut self) -> &mut FuncFacts {
        if self.f.is_error { &mut self.learnt.error } else { &mut self.learnt.main }
    }

    fn learn_scratch(&mut self) {
        let here = (self.clause, self.action);
        self.learn().scratch.insert(here);
    }

    /// What follows changes something, or asks which probe fires.
    pub fn effect(&mut self) {
        let here = (self.clause, self.action);
        self.learn().effects.insert(here);
    }

    /// lkd() is called: by the program or by its error function, the program ends with it.
    pub fn learn_lkd(&mut self) {
        self.learnt.main.lkd = true;
    }

    pub fn learn_faults(&mut self) {
        self.learnt.faults = true;
    }

    /// Does the program have what lkd() needs at its end? (Of both functions: dtrace:::ERROR may call lkd() too.)
    pub fn has_lkd(&self) -> bool {
        self.known.main.lkd
    }

    // Registers.

    pub fn alloc(&mut self) -> Result<Reg> {
        for n in [1, 2, 3, 4, 5, 0] {
            if self.f.free & (1 << n) != 0 {
                self.f.free &= !(1 << n);
                return Ok(Reg(n));
            }
        }
        Err(self.fail(What::Unsupported("an expression with this many values at a time")))
    }

    /// Takes a register that must be free.
    pub fn grab(&mut self, r: Reg) -> Reg {
        debug_assert!(self.f.free & (1 << r.0) != 0, "r{} is in use", r.0);
        self.f.free &= !(1 << r.0);
        r
    }

    pub fn free(&mut self, r: Reg) {
        if r.0 < 6 {
            self.f.free |= 1 << r.0;
        }
    }

    /// Keeps a value over the evaluation of something that may call a helper or need many registers.
    pub fn hold(&mut self, r: Reg, over_call: bool) -> Result<Held> {
        if !over_call && self.f.free.count_ones() > 3 {
            return Ok(Held::Reg(r));
        }
        let off = self.frame(8)?;
        self.asm.store(Size::B8, R10, off, r);
        self.free(r);
        Ok(Held::Frame(off))
    }

    pub fn take(&mut self, held: Held) -> Result<Reg> {
        match held {
            Held::Reg(r) => Ok(r),
            Held::Frame(off) => {
                let r = self.alloc()?;
                self.asm.load(Size::B8, r, R10, off);
                Ok(r)
            }
        }
    }

    /// Moves a value to a given register that is free or its own.
    pub fn move_to(&mut self, r: Reg, to: Reg) {
        if r != to {
            self.free(r);
            self.grab(to);
            self.asm.mov(to, r);
        }
    }

    /// A helper call: every value is in memory, the result is in r0.
    pub fn call(&mut self, helper: i32) -> Reg {
        for n in 1..6 {
            self.free(Reg(n));
        }
        self.free(R0);
        self.asm.call(helper);
        self.grab(R0)
    }

    /// A helper call whose result nobody wants.
    pub fn call_void(&mut self, helper: i32) {
        let r = self.call(helper);
        self.free(r);
    }

    /// Nothing lives in r0–r5.
    pub fn settled(&self) -> bool {
        self.f.free == ALL_FREE
    }

    // Frame and scratch.

    /// Room in the frame, as an offset from r10; given back by [`Gen::release`].
    pub fn frame(&mut self, bytes: u32) -> Result<i32> {
        self.f.frame += bytes.next_multiple_of(8);
        self.f.frame_max = self.f.frame_max.max(self.f.frame);
        if self.f.frame > STACK_MAX {
            return Err(self.fail(What::Stack { bytes: self.f.frame }));
        }
        Ok(-(self.f.frame as i32))
    }

    /// Room in the scratch slot, as an offset from r7.
    pub fn scratch(&mut self, bytes: u32) -> Result<i32> {
        self.learn_scratch();
        let off = self.f.scratch;
        self.f.scratch = off.saturating_add(bytes.next_multiple_of(8));
        self.f.scratch_max = self.f.scratch_max.max(self.f.scratch);
        if self.f.scratch > super::PERCPU_VALUE_MAX {
            let what = What::Scratch { bytes: self.f.scratch, most: super::PERCPU_VALUE_MAX };
            return Err(self.fail(what));
        }
        Ok(off as i32)
    }

    /// Room for a temporary: in the frame when it is small.
    pub fn temp(&mut self, bytes: u32) -> Result<Mem> {
        if bytes <= super::look::FRAME_TEMP {
            return Ok(Mem::At(R10, self.frame(bytes)?));
        }
        Ok(Mem::At(R7, self.scratch(bytes)?))
    }

    pub fn mark(&self) -> (u32, u32) {
        (self.f.frame, self.f.scratch)
    }

    /// Gives back the frame's room since the mark. Scratch memory stays: copyin()'s bytes live until the clause ends.
    pub fn release(&mut self, mark: (u32, u32)) {
        self.f.frame = mark.0;
    }

    /// At the end of a clause.
    pub fn release_all(&mut self, mark: (u32, u32)) {
        (self.f.frame, self.f.scratch) = mark;
    }

    /// The place of a `this->` variable.
    pub fn local(&mut self, n: u32) -> Result<Mem> {
        self.learn().locals.insert(n);
        // Before the first round has seen it, any place will do.
        let mem = self.f.locals.get(n as usize).copied().flatten().unwrap_or(Mem::At(R10, -8));
        if matches!(mem, Mem::At(R7, _)) {
            self.learn_scratch();
        }
        Ok(mem)
    }

    /// Gives every `this->` variable that the function names its place.
    pub fn place_locals(&mut self) -> Result<()> {
        let used: Vec<u32> = self.known().locals.iter().copied().collect();
        self.f.locals = vec![None; self.u.program.locals.len()];
        let mut on_stack = 0;
        for n in used {
            let Some(var) = self.u.program.locals.get(n as usize) else { continue };
            let mem = match var.ty {
                Ty::Int { .. } | Ty::Ptr if on_stack < STACK_LOCALS => {
                    on_stack += 1;
                    Mem::At(R10, self.frame(8)?)
                }
                ty => Mem::At(R7, self.scratch(size_of(ty).max(8))?),
            };
            self.f.locals[n as usize] = Some(mem);
        }
        Ok(())
    }

    /// `dst = address`
    pub fn address(&mut self, dst: Reg, mem: Mem) {
        match mem {
            Mem::At(base, off) => self.asm.lea(dst, base, off),
            Mem::Global(off) => self.asm.map_value(dst, super::storage::GLOBALS, off),
        }
    }

    /// A base register and offset for direct access; `tmp` is used when there is none yet.
    pub fn base(&mut self, mem: Mem, tmp: Reg) -> (Reg, i32) {
        match mem {
            Mem::At(base, off) => (base, off),
            _ => {
                self.address(tmp, mem);
                (tmp, 0)
            }
        }
    }

    /// A jump that some firings take: from here on, nothing is written in all of them.
    pub fn forks(&mut self) {
        self.f.straight = false;
    }
}

impl Func {
    pub fn new(asm: &mut Asm, is_error: bool) -> Func {
        Func {
            is_error,
            free: ALL_FREE,
            frame: 0,
            frame_max: 0,
            scratch: SCRATCH_HEAD,
            scratch_max: 0,
            state: State { matched: Tri::No, claimed: Tri::No },
            leaves: None,
            out: asm.label(),
            locals: Vec::new(),
            conds: 0,
            err_flag: 0,
            lkd: 0,
            lkd_before: false,
            mask: 0,
            fault: 0,
            args: 0,
            record: false,
            cold: Vec::new(),
            straight: true,
            set: BTreeSet::new(),
        }
    }

    pub fn frame_max(&self) -> u32 {
        self.frame_max
    }
}
