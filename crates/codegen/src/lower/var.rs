//! Variables: finding, reading, writing them, whatever memory they live in.

use super::func::{Gen, Held, Mem};
use super::look::FRAME_TEMP;
use super::storage::{assoc_map, key_part, key_size, size_of, thread_map};
use super::{Result, func};
use crate::abi::Counter;
use crate::insn::*;
use lkd_dlang::program::{Expr, LValue, Ty, VarRef};

/// Where a variable was found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    /// `this->`: integers take 8 bytes there.
    Local(u32, Mem),
    Global(u32),
    /// In a hash map, by the key in memory.
    Dynamic(Dynamic, Mem),
}

/// `-ENOENT`
const NO_ENTRY: i32 = -2;

#[derive(Clone, Copy, Debug)]
pub(super) enum Dynamic {
    Thread(u32),
    Assoc(u32),
}

impl Dynamic {
    pub fn map(self) -> String {
        match self {
            Dynamic::Thread(n) => thread_map(n),
            Dynamic::Assoc(n) => assoc_map(n),
        }
    }
}

impl Slot {
    pub fn is_dynamic(self) -> bool {
        matches!(self, Slot::Dynamic(..))
    }

    fn width(self, ty: Ty) -> Size {
        match self {
            Slot::Local(..) => Size::B8,
            _ => Size::of(size_of(ty)).unwrap_or(Size::B8),
        }
    }
}

impl Gen<'_> {
    /// A variable to be written, perhaps read; an element's keys are evaluated.
    pub fn slot(&mut self, target: &LValue) -> Result<Slot> {
        match target {
            LValue::Var(v) => self.slot_of(*v),
            LValue::Assoc { assoc, keys } => self.slot_of_element(*assoc, keys),
        }
    }

    pub fn slot_of(&mut self, var: VarRef) -> Result<Slot> {
        Ok(match var {
            VarRef::Local(n) => Slot::Local(n, self.local(n)?),
            VarRef::Global(n) => match self.u.storage.globals.get(n as usize) {
                Some(&off) => Slot::Global(off),
                None => return self.unsupported("a variable that the script does not have"),
            },
            VarRef::Thread(n) => {
                let key = Mem::At(R10, self.frame(8)?);
                self.thread_key(key, 0);
                Slot::Dynamic(Dynamic::Thread(n), key)
            }
        })
    }

    pub fn slot_of_element(&mut self, assoc: u32, keys: &[Expr]) -> Result<Slot> {
        let program = self.u.program;
        let Some(a) = program.assocs.get(assoc as usize) else {
            return self.unsupported("an array that the script does not have");
        };
        let bytes = key_size(a).max(8);
        let key = if bytes <= FRAME_TEMP {
            Mem::At(R10, self.frame(bytes)?)
        } else {
            Mem::At(R7, self.scratch(bytes)?)
        };
        let Mem::At(base, start) = key else { return self.unsupported("this key") };
        let mut at = start;
        if a.per_thread {
            self.thread_key(key, 0);
            at += 8;
        }
        for (k, &ty) in keys.iter().zip(&a.keys) {
            match ty {
                Ty::Str { size } | Ty::Mem { size } => {
                    // Equal strings must be equal bytes up to the key's end.
                    for word in 0..key_part(ty) as i32 / 8 {
                        self.asm.store_imm(Size::B8, base, at + 8 * word, 0);
                    }
                    self.block_into(k, Mem::At(base, at), size.max(1))?;
                }
                _ => {
                    let r = self.value(k)?;
                    self.asm.store(Size::B8, base, at, r);
                    self.free(r);
                }
            }
            at += key_part(ty) as i32;
        }
        Ok(Slot::Dynamic(Dynamic::Assoc(assoc), key))
    }

    /// The thread's id; an idle thread (id 0, one per CPU) is told by its CPU instead.
    fn thread_key(&mut self, key: Mem, off: i32) {
        let Mem::At(base, start) = key else { return };
        let real = self.asm.label();
        self.call_void(helper::GET_CURRENT_PID_TGID);
        self.asm.push(Insn::alu_reg(Alu::Mov, false, R0, R0));
        self.asm.jump(Cond::Ne, true, R0, 0, real);
        self.call_void(helper::GET_SMP_PROCESSOR_ID);
        self.asm.int(R1, 1 << 32);
        self.asm.alu_reg(Alu::Or, R0, R1);
        self.asm.bind(real);
        self.forks();
        self.asm.store(Size::B8, base, start + off, R0);
    }

    /// A variable's integer. One that was never set is 0.
    pub fn read(&mut self, slot: Slot, ty: Ty) -> Result<Reg> {
        let width = slot.width(ty);
        match slot {
            Slot::Local(n, mem) => {
                if !self.f.set.contains(&n) {
                    self.learn().zero.insert(n);
                }
                let r = self.alloc()?;
                let (base, off) = self.base(mem, r);
                self.asm.load(width, r, base, off);
                Ok(r)
            }
            Slot::Global(off) => {
                let r = self.alloc()?;
                self.asm.map_value(r, super::storage::GLOBALS, off);
                self.asm.load(width, r, r, 0);
                self.sign(r, ty);
                Ok(r)
            }
            Slot::Dynamic(map, key) => {
                let none = self.asm.label();
                let r = self.lookup(map, key);
                self.asm.jump(Cond::Eq, true, r, 0, none);
                self.asm.load(width, r, r, 0);
                self.sign(r, ty);
                self.asm.bind(none);
                self.forks();
                Ok(r)
            }
        }
    }

    /// A load leaves zeros above; signed types want their sign there.
    fn sign(&mut self, r: Reg, ty: Ty) {
        if let Ty::Int { signed: true, .. } = ty {
            self.reduce(r, ty);
        }
    }

    /// r0 = the element's address or 0.
    pub fn lookup(&mut self, map: Dynamic, key: Mem) -> Reg {
        self.asm.map(R1, &map.map());
        self.address(R2, key);
        self.call(helper::MAP_LOOKUP_ELEM)
    }

    /// Writes an integer and gives it back. Zero takes a dynamic variable away.
    pub fn write(&mut self, slot: Slot, value: Held, ty: Ty, known: Option<i32>) -> Result<Reg> {
        let width = slot.width(ty);
        match slot {
            Slot::Local(_, mem) => {
                let r = self.take(value)?;
                let tmp = self.alloc()?;
                let (base, off) = self.base(mem, tmp);
                self.asm.store(width, base, off, r);
                self.free(tmp);
                Ok(r)
            }
            Slot::Global(off) => {
                self.effect();
                let r = self.take(value)?;
                let tmp = self.alloc()?;
                self.asm.map_value(tmp, super::storage::GLOBALS, off);
                self.asm.store(width, tmp, 0, r);
                self.free(tmp);
                Ok(r)
            }
            Slot::Dynamic(map, key) => {
                self.effect();
                let off = match value {
                    Held::Frame(off) => off,
                    Held::Reg(r) => {
                        let off = self.frame(8)?;
                        self.asm.store(Size::B8, R10, off, r);
                        self.free(r);
                        off
                    }
                };
                self.write_dynamic(map, key, off, width, known);
                self.forks();
                self.take(Held::Frame(off))
            }
        }
    }

    fn write_dynamic(&mut self, map: Dynamic, key: Mem, value: i32, width: Size, known: Option<i32>) {
        let (insert, delete, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        if known != Some(0) {
            if known.is_none() {
                self.asm.load(Size::B8, R1, R10, value);
                self.asm.jump(Cond::Eq, true, R1, 0, delete);
            }
            let r = self.lookup(map, key);
            self.asm.jump(Cond::Eq, true, r, 0, insert);
            self.asm.load(Size::B8, R1, R10, value);
            self.asm.store(width, r, 0, R1);
            self.free(r);
            self.asm.goto(end);
            self.asm.bind(insert);
            self.update(map, key, Mem::At(R10, value));
        }
        if known.is_none() {
            self.asm.goto(end);
        }
        self.asm.bind(delete);
        if known.is_none() || known == Some(0) {
            self.delete(map, key);
        }
        self.asm.bind(end);
    }

    /// map[key] = the bytes at `value`; no room: counted.
    pub fn update(&mut self, map: Dynamic, key: Mem, value: Mem) {
        let stored = self.asm.label();
        self.asm.map(R1, &map.map());
        self.address(R2, key);
        self.address(R3, value);
        self.asm.int(R4, 0);
        self.call_void(helper::MAP_UPDATE_ELEM);
        self.asm.jump(Cond::Eq, true, R0, 0, stored);
        self.count(&[(Counter::DynvarDrops, 1)]);
        self.asm.bind(stored);
    }

    /// Takes map[key] away. One that is not there is as good; one that the kernel cannot reach just now (we interrupted who holds
    /// its bucket) stays, and is counted like an assignment without room.
    pub fn delete(&mut self, map: Dynamic, key: Mem) {
        let gone = self.asm.label();
        self.asm.map(R1, &map.map());
        self.address(R2, key);
        self.call_void(helper::MAP_DELETE_ELEM);
        self.asm.jump(Cond::Eq, true, R0, 0, gone);
        self.asm.jump(Cond::Eq, true, R0, NO_ENTRY, gone);
        self.count(&[(Counter::DynvarDrops, 1)]);
        self.asm.bind(gone);
    }

    /// `global += delta` whose value nobody wants: one atomic instruction, exact on all CPUs. Done?
    pub fn add_in_place(&mut self, target: &LValue, delta: i64, ty: Ty) -> Result<bool> {
        let (LValue::Var(VarRef::Global(n)), Ty::Int { size: 4 | 8, .. } | Ty::Ptr) = (target, ty) else {
            return Ok(false);
        };
        let Some(&off) = self.u.storage.globals.get(*n as usize) else { return Ok(false) };
        self.effect();
        let width = Size::of(size_of(ty)).unwrap_or(Size::B8);
        let (at, by) = (self.alloc()?, self.alloc()?);
        self.asm.map_value(at, super::storage::GLOBALS, off);
        self.asm.int(by, delta as u64);
        self.asm.push(Insn::new(STX | ATOMIC | width.code(), at, by, 0, ATOMIC_ADD));
        self.free(at);
        self.free(by);
        Ok(true)
    }

    /// Assigns a string or a block; gives the variable for who wants to read it back.
    pub fn assign_block(&mut self, target: &LValue, value: &Expr) -> Result<Slot> {
        let size = size_of(value.ty).max(1);
        let slot;
        match target {
            LValue::Var(VarRef::Local(_) | VarRef::Global(_)) => {
                slot = self.slot(target)?;
                let ty = self.target_ty(target).unwrap_or(value.ty);
                let mem = self.block_of(slot);
                self.block_into(value, mem, size_of(ty).max(1))?;
                if !matches!(slot, Slot::Local(..)) {
                    self.effect();
                }
            }
            _ => {
                self.effect();
                let ty = self.target_ty(target).unwrap_or(value.ty);
                let temp = Mem::At(R7, self.scratch(size_of(ty).max(size))?);
                self.block_into(value, temp, size_of(ty).max(1))?;
                slot = self.slot(target)?;
                let Slot::Dynamic(map, key) = slot else { return Ok(slot) };
                if let Ty::Str { .. } = ty {
                    // The empty string is a string's zero.
                    let (keep, end) = (self.asm.label(), self.asm.label());
                    let (base, off) = self.base(temp, R1);
                    self.asm.load(Size::B1, R1, base, off);
                    self.asm.jump(Cond::Ne, true, R1, 0, keep);
                    self.delete(map, key);
                    self.asm.goto(end);
                    self.asm.bind(keep);
                    self.update(map, key, temp);
                    self.asm.bind(end);
                    self.forks();
                } else {
                    self.update(map, key, temp);
                }
            }
        }
        Ok(slot)
    }

    fn target_ty(&self, target: &LValue) -> Option<Ty> {
        let p = self.u.program;
        Some(match target {
            LValue::Var(VarRef::Global(n)) => p.globals.get(*n as usize)?.ty,
            LValue::Var(VarRef::Local(n)) => p.locals.get(*n as usize)?.ty,
            LValue::Var(VarRef::Thread(n)) => p.threads.get(*n as usize)?.ty,
            LValue::Assoc { assoc, .. } => p.assocs.get(*assoc as usize)?.ty,
        })
    }

    /// The memory of a variable that is not dynamic.
    pub fn block_of(&mut self, slot: Slot) -> Mem {
        match slot {
            Slot::Local(_, mem) => mem,
            Slot::Global(off) => Mem::Global(off),
            Slot::Dynamic(_, key) => key,
        }
    }
}

// The head of a scratch slot is not a variable's.
const _: () = assert!(func::SCRATCH_PASS == 8);
