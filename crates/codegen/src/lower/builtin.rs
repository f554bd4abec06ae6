//! Built-in variables and probe arguments.

use super::Result;
use super::func::Gen;
use super::layout::FRAMES_MAX;
use crate::abi;
use crate::env::Place;
use crate::error::What;
use crate::insn::*;
use lkd_dlang::program::{Builtin, Ty};

/// x86-64 `struct pt_regs`: where a function finds its first six arguments.
const FUNCTION_ARGS: [i32; 6] = [112, 104, 96, 88, 72, 64];
/// Where a system call finds them: r10 instead of rcx.
const SYSCALL_ARGS: [i32; 6] = [112, 104, 96, 56, 72, 64];
const REGS_AX: i32 = 80;
const REGS_IP: i32 = 128;
const REGS_CS: i32 = 136;
const REGS_SP: i32 = 152;
/// Ring of the code segment: 3 is the user's.
const CS_RING: i32 = 3;
/// Numbers that a system call returns instead of a value: `-errno`.
const ERRNO_MAX: i32 = 4095;

// Where the arguments of dtrace:::ERROR's function are kept, from its frame's slot on.
pub(super) const ERR_WHERE: i32 = 0;
pub(super) const ERR_WHAT: i32 = 8;
pub(super) const ERR_VALUE: i32 = 16;
pub(super) const ERR_PROBE: i32 = 24;
pub(super) const ERR_BYTES: u32 = 32;

impl Gen<'_> {
    pub fn place(&self) -> Place {
        if self.f.is_error { Place::Error } else { self.g.place }
    }

    pub fn builtin(&mut self, b: Builtin, ty: Ty) -> Result<Reg> {
        match b {
            Builtin::Pid => {
                let r = self.call(helper::GET_CURRENT_PID_TGID);
                self.asm.alu(Alu::Rsh, r, 32);
                Ok(r)
            }
            Builtin::Tid => {
                let r = self.call(helper::GET_CURRENT_PID_TGID);
                self.asm.push(Insn::alu_reg(Alu::Mov, false, r, r));
                Ok(r)
            }
            Builtin::Uid => {
                let r = self.call(helper::GET_CURRENT_UID_GID);
                self.asm.push(Insn::alu_reg(Alu::Mov, false, r, r));
                self.reduce(r, ty);
                Ok(r)
            }
            Builtin::Gid => {
                let r = self.call(helper::GET_CURRENT_UID_GID);
                self.asm.alu(Alu::Rsh, r, 32);
                self.reduce(r, ty);
                Ok(r)
            }
            Builtin::Ppid => {
                let task = self.u.env.task;
                let parent = self.need(task.real_parent, "ppid", "task_struct.real_parent")?;
                let tgid = self.need(task.tgid, "ppid", "task_struct.tgid")?;
                let r = self.call(helper::GET_CURRENT_TASK_BTF);
                self.asm.load(Size::B8, r, r, parent);
                self.asm.load(Size::B4, r, r, tgid);
                Ok(r)
            }
            Builtin::Vtimestamp => {
                let at = self.u.env.task.sum_exec_runtime;
                let at = self.need(at, "vtimestamp", "task_struct.se.sum_exec_runtime")?;
                let r = self.call(helper::GET_CURRENT_TASK_BTF);
                self.asm.load(Size::B8, r, r, at);
                Ok(r)
            }
            Builtin::Curthread => Ok(self.call(helper::GET_CURRENT_TASK)),
            Builtin::Cpu => Ok(self.call(helper::GET_SMP_PROCESSOR_ID)),
            Builtin::Timestamp => Ok(self.call(helper::KTIME_GET_NS)),
            Builtin::Walltimestamp => {
                let r = self.call(helper::KTIME_GET_NS);
                self.asm.map_value(R1, abi::CTL, abi::CTL_REALTIME);
                self.asm.load(Size::B8, R1, R1, 0);
                self.asm.alu_reg(Alu::Add, r, R1);
                Ok(r)
            }
            Builtin::Id => {
                self.effect();
                let r = self.alloc()?;
                self.probe_id(r);
                Ok(r)
            }
            Builtin::Epid => {
                self.effect();
                let r = self.alloc()?;
                self.probe_id(r);
                self.epid(r);
                Ok(r)
            }
            Builtin::Errno => self.errno(),
            Builtin::Caller => {
                // The frame behind the probe's own function, which has left the stack when a kretprobe fires.
                let here = if self.g.place == Place::Kretprobe { 0 } else { 1 };
                let skip = self.own_frames() + here;
                // No such frame: the helper fails and clears the buffer.
                let buf = self.frame(8)?;
                self.get_stack(R10, buf, 8, skip);
                self.frame_word(buf)
            }
            Builtin::Stackdepth => {
                let bytes = 8 * FRAMES_MAX;
                let buf = self.scratch(bytes)?;
                let skip = self.own_frames();
                self.get_stack(R7, buf, bytes, skip);
                let (r, some) = (self.grab(R0), self.asm.label());
                self.asm.jump(Cond::Sge, true, r, 0, some);
                self.asm.int(r, 0);
                self.asm.bind(some);
                self.asm.alu(Alu::Rsh, r, 3);
                self.forks();
                Ok(r)
            }
            Builtin::Execname
            | Builtin::Probeprov
            | Builtin::Probemod
            | Builtin::Probefunc
            | Builtin::Probename => self.unsupported("a string builtin where a number is wanted"),
        }
    }

    fn need(&self, offset: Option<u32>, builtin: &'static str, field: &'static str) -> Result<i32> {
        offset.map(|o| o as i32).ok_or_else(|| self.fail(What::NoBtf { builtin, field }))
    }

    /// `r = probe id → id of this clause enabled for this probe`
    pub fn epid(&mut self, r: Reg) {
        self.asm.alu(Alu::Mul, r, self.u.program.clauses.len() as i32);
        self.asm.alu(Alu::Add, r, self.clause as i32 + 1);
    }

    /// Frames of the program and of what called it, on top of the probed place's (measured on 6.1, 6.12 and 6.18).
    fn own_frames(&self) -> u32 {
        match self.g.place {
            Place::SysEnter { .. } | Place::SysExit { .. } if self.u.env.task.faultable_calls => 3,
            Place::Kprobe | Place::Kretprobe | Place::PerfEvent => 0,
            _ => 2,
        }
    }

    /// r0 = bytes of return addresses stored at base + off without the first `skip`, or negative.
    pub fn get_stack(&mut self, base: Reg, off: i32, bytes: u32, skip: u32) {
        self.asm.mov(R1, R6);
        self.asm.lea(R2, base, off);
        self.asm.int(R3, u64::from(bytes));
        self.asm.int(R4, u64::from(skip));
        self.call_void(helper::GET_STACK);
    }

    /// -ret if the system call returns `-4095 … -1`, else 0; at other places 0.
    fn errno(&mut self) -> Result<Reg> {
        let r = self.alloc()?;
        if !matches!(self.place(), Place::SysExit { .. }) {
            self.asm.int(r, 0);
            return Ok(r);
        }
        // An error is an unsigned number of at most 4095 once negated; 0 is both.
        let error = self.asm.label();
        self.asm.load(Size::B8, r, R6, 8);
        self.asm.alu(Alu::Neg, r, 0);
        self.asm.jump(Cond::Le, true, r, ERRNO_MAX, error);
        self.asm.int(r, 0);
        self.asm.bind(error);
        self.forks();
        Ok(r)
    }

    /// The probe's n-th argument.
    pub fn arg(&mut self, n: u8) -> Result<Reg> {
        let n = i32::from(n);
        match self.place() {
            Place::SysEnter { .. } => match SYSCALL_ARGS.get(n as usize) {
                // ((struct pt_regs *)ctx[0])->di …
                Some(&at) => {
                    self.asm.load(Size::B8, R3, R6, 0);
                    self.asm.alu(Alu::Add, R3, at);
                    self.read_word()
                }
                None => self.zero_arg(),
            },
            Place::SysExit { .. } if n < 2 => self.ctx_word(8),
            Place::RawTp { nargs } if n < i32::from(nargs) => self.ctx_word(8 * n),
            Place::Fentry { nargs } if n < i32::from(nargs) => {
                // Loaded from the context, a pointer argument would not be a number to the verifier.
                let to = self.frame(8)?;
                self.asm.store_imm(Size::B8, R10, to, 0);
                self.asm.mov(R1, R6);
                self.asm.int(R2, n as u64);
                self.asm.lea(R3, R10, to);
                self.call_void(helper::GET_FUNC_ARG);
                self.frame_word(to)
            }
            Place::Fexit { .. } if n == 1 => {
                let to = self.frame(8)?;
                self.asm.store_imm(Size::B8, R10, to, 0);
                self.asm.mov(R1, R6);
                self.asm.lea(R2, R10, to);
                self.call_void(helper::GET_FUNC_RET);
                self.frame_word(to)
            }
            Place::Kretprobe if n == 1 => self.ctx_word(REGS_AX),
            Place::Kprobe => match FUNCTION_ARGS.get(n as usize) {
                Some(&at) => self.ctx_word(at),
                // Above the return address.
                None => {
                    self.asm.load(Size::B8, R3, R6, REGS_SP);
                    self.asm.alu(Alu::Add, R3, 8 * (n - 5));
                    self.read_word()
                }
            },
            Place::PerfEvent if n < 2 => {
                let (user, end) = (self.asm.label(), self.asm.label());
                let r = self.alloc()?;
                self.asm.load(Size::B8, r, R6, REGS_CS);
                self.asm.jump(Cond::Set, true, r, CS_RING, user);
                let pc = |gen_: &mut Self, here: bool| match here {
                    true => gen_.asm.load(Size::B8, r, R6, REGS_IP),
                    false => gen_.asm.int(r, 0),
                };
                pc(self, n == 0);
                self.asm.goto(end);
                self.asm.bind(user);
                pc(self, n == 1);
                self.asm.bind(end);
                self.forks();
                Ok(r)
            }
            Place::Error => self.error_arg(n),
            _ => self.zero_arg(),
        }
    }

    fn zero_arg(&mut self) -> Result<Reg> {
        let r = self.alloc()?;
        self.asm.int(r, 0);
        Ok(r)
    }

    fn ctx_word(&mut self, off: i32) -> Result<Reg> {
        let r = self.alloc()?;
        self.asm.load(Size::B8, r, R6, off);
        Ok(r)
    }

    fn frame_word(&mut self, off: i32) -> Result<Reg> {
        let r = self.alloc()?;
        self.asm.load(Size::B8, r, R10, off);
        Ok(r)
    }

    /// The kernel word at r3; 0 where there is none (the helper clears the buffer).
    fn read_word(&mut self) -> Result<Reg> {
        let to = self.frame(8)?;
        self.asm.int(R2, 8);
        self.asm.lea(R1, R10, to);
        self.call_void(helper::PROBE_READ_KERNEL);
        self.frame_word(to)
    }

    /// dtrace:::ERROR: arg1 epid, arg2 action, arg3 instruction, arg4 fault, arg5 illegal value.
    fn error_arg(&mut self, n: i32) -> Result<Reg> {
        let at = self.f.args;
        match n {
            1 => {
                let (r, c) = (self.alloc()?, self.alloc()?);
                self.asm.load(Size::B4, r, R10, at + ERR_PROBE);
                self.asm.alu(Alu::Mul, r, self.u.program.clauses.len() as i32);
                self.asm.load(Size::B4, c, R10, at + ERR_WHERE);
                self.asm.alu_reg(Alu::Add, r, c);
                self.asm.alu(Alu::Add, r, 1);
                self.free(c);
                Ok(r)
            }
            2..=5 => {
                let (off, size) = match n {
                    2 => (ERR_WHERE + 4, Size::B4),
                    3 => (ERR_WHAT + 4, Size::B4),
                    4 => (ERR_WHAT, Size::B4),
                    _ => (ERR_VALUE, Size::B8),
                };
                let r = self.alloc()?;
                self.asm.load(size, r, R10, at + off);
                Ok(r)
            }
            _ => self.zero_arg(),
        }
    }
}
