//! One BPF instruction: encode, decode and print.
//!
//! The printed form is the one of the kernel's verifier log, so that a listing and a log can be read side by side.

use std::fmt;

/// A machine register. `R10` is the read-only frame pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(pub u8);

pub const R0: Reg = Reg(0);
pub const R1: Reg = Reg(1);
pub const R2: Reg = Reg(2);
pub const R3: Reg = Reg(3);
pub const R4: Reg = Reg(4);
pub const R5: Reg = Reg(5);
pub const R6: Reg = Reg(6);
pub const R7: Reg = Reg(7);
pub const R8: Reg = Reg(8);
pub const R9: Reg = Reg(9);
pub const R10: Reg = Reg(10);

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

// Instruction classes (low three bits of the opcode).
pub const LD: u8 = 0x00;
pub const LDX: u8 = 0x01;
pub const ST: u8 = 0x02;
pub const STX: u8 = 0x03;
pub const ALU: u8 = 0x04;
pub const JMP: u8 = 0x05;
pub const JMP32: u8 = 0x06;
pub const ALU64: u8 = 0x07;
/// The right operand is the source register, not the immediate.
pub const X: u8 = 0x08;
// Modes of loads and stores.
pub const IMM: u8 = 0x00;
pub const MEM: u8 = 0x60;
pub const ATOMIC: u8 = 0xc0;
/// `BPF_ATOMIC`: give back the old value.
pub const FETCH: i32 = 0x01;
pub const ATOMIC_ADD: i32 = 0x00;
pub const ATOMIC_XCHG: i32 = 0xe0 | FETCH;
pub const ATOMIC_CMPXCHG: i32 = 0xf0 | FETCH;
/// `BPF_LD | BPF_IMM | BPF_DW`, the only instruction of two slots.
pub const LD_IMM64: u8 = 0x18;
/// `BPF_ALU | BPF_END | BPF_TO_BE`: the register's bytes in big-endian order.
pub const TO_BE: u8 = 0xdc;
pub const CALL: u8 = 0x85;
pub const EXIT: u8 = 0x95;
/// Source register of [`LD_IMM64`]: the immediate names a map.
pub const PSEUDO_MAP_FD: u8 = 1;
/// Source register of [`LD_IMM64`]: address in the only value of a map; the second slot's immediate is the offset.
pub const PSEUDO_MAP_VALUE: u8 = 2;
/// Source register of [`CALL`]: the immediate is the distance to a function of this program.
pub const PSEUDO_CALL: u8 = 1;

/// Width of a memory access, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    B1,
    B2,
    B4,
    B8,
}

impl Size {
    pub fn of(bytes: u32) -> Option<Size> {
        match bytes {
            1 => Some(Size::B1),
            2 => Some(Size::B2),
            4 => Some(Size::B4),
            8 => Some(Size::B8),
            _ => None,
        }
    }

    pub fn bytes(self) -> u32 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            Size::B4 => 0x00,
            Size::B2 => 0x08,
            Size::B1 => 0x10,
            Size::B8 => 0x18,
        }
    }

    fn of_code(op: u8) -> Size {
        match op & 0x18 {
            0x00 => Size::B4,
            0x08 => Size::B2,
            0x10 => Size::B1,
            _ => Size::B8,
        }
    }
}

/// Arithmetic. The discriminant is the opcode's high nibble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Alu {
    Add = 0x00,
    Sub = 0x10,
    Mul = 0x20,
    /// Unsigned.
    Div = 0x30,
    Or = 0x40,
    And = 0x50,
    Lsh = 0x60,
    Rsh = 0x70,
    Neg = 0x80,
    /// Unsigned.
    Mod = 0x90,
    Xor = 0xa0,
    Mov = 0xb0,
    Arsh = 0xc0,
}

impl Alu {
    fn of_code(op: u8) -> Option<Alu> {
        Some(match op & 0xf0 {
            0x00 => Alu::Add,
            0x10 => Alu::Sub,
            0x20 => Alu::Mul,
            0x30 => Alu::Div,
            0x40 => Alu::Or,
            0x50 => Alu::And,
            0x60 => Alu::Lsh,
            0x70 => Alu::Rsh,
            0x80 => Alu::Neg,
            0x90 => Alu::Mod,
            0xa0 => Alu::Xor,
            0xb0 => Alu::Mov,
            0xc0 => Alu::Arsh,
            _ => return None,
        })
    }

    fn sign(self) -> &'static str {
        match self {
            Alu::Add => "+=",
            Alu::Sub => "-=",
            Alu::Mul => "*=",
            Alu::Div => "/=",
            Alu::Or => "|=",
            Alu::And => "&=",
            Alu::Lsh => "<<=",
            Alu::Rsh => ">>=",
            Alu::Neg => "= -",
            Alu::Mod => "%=",
            Alu::Xor => "^=",
            Alu::Mov => "=",
            Alu::Arsh => "s>>=",
        }
    }
}

/// Conditions of jumps. The discriminant is the opcode's high nibble; `S…` compare as signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cond {
    Eq = 0x10,
    Gt = 0x20,
    Ge = 0x30,
    /// Any common bit.
    Set = 0x40,
    Ne = 0x50,
    Sgt = 0x60,
    Sge = 0x70,
    Lt = 0xa0,
    Le = 0xb0,
    Slt = 0xc0,
    Sle = 0xd0,
}

impl Cond {
    fn of_code(op: u8) -> Option<Cond> {
        Some(match op & 0xf0 {
            0x10 => Cond::Eq,
            0x20 => Cond::Gt,
            0x30 => Cond::Ge,
            0x40 => Cond::Set,
            0x50 => Cond::Ne,
            0x60 => Cond::Sgt,
            0x70 => Cond::Sge,
            0xa0 => Cond::Lt,
            0xb0 => Cond::Le,
            0xc0 => Cond::Slt,
            0xd0 => Cond::Sle,
            _ => return None,
        })
    }

    fn sign(self) -> &'static str {
        match self {
            Cond::Eq => "==",
            Cond::Gt => ">",
            Cond::Ge => ">=",
            Cond::Set => "&",
            Cond::Ne => "!=",
            Cond::Sgt => "s>",
            Cond::Sge => "s>=",
            Cond::Lt => "<",
            Cond::Le => "<=",
            Cond::Slt => "s<",
            Cond::Sle => "s<=",
        }
    }
}

/// One slot as the kernel takes it. [`LD_IMM64`] needs two: the second has opcode 0 and the upper half of the immediate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Insn {
    pub op: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
}

impl Insn {
    pub fn new(op: u8, dst: Reg, src: Reg, off: i16, imm: i32) -> Insn {
        Insn { op, dst: dst.0, src: src.0, off, imm }
    }

    pub fn alu(op: Alu, wide: bool, dst: Reg, imm: i32) -> Insn {
        Insn::new(op as u8 | if wide { ALU64 } else { ALU }, dst, R0, 0, imm)
    }

    pub fn alu_reg(op: Alu, wide: bool, dst: Reg, src: Reg) -> Insn {
        Insn::new(op as u8 | X | if wide { ALU64 } else { ALU }, dst, src, 0, 0)
    }

    /// `dst = *(size *)(src + off)`, zero-extended.
    pub fn load(size: Size, dst: Reg, src: Reg, off: i16) -> Insn {
        Insn::new(LDX | MEM | size.code(), dst, src, off, 0)
    }

    /// `*(size *)(dst + off) = src`
    pub fn store(size: Size, dst: Reg, off: i16, src: Reg) -> Insn {
        Insn::new(STX | MEM | size.code(), dst, src, off, 0)
    }

    /// `*(size *)(dst + off) = imm`
    pub fn store_imm(size: Size, dst: Reg, off: i16, imm: i32) -> Insn {
        Insn::new(ST | MEM | size.code(), dst, R0, off, imm)
    }

    /// `r = be64 r`
    pub fn big_endian(r: Reg) -> Insn {
        Insn::new(TO_BE, r, R0, 0, 64)
    }

    /// Little endian, as the kernel of this machine reads it.
    pub fn encode(self) -> [u8; 8] {
        let o = self.off.to_le_bytes();
        let i = self.imm.to_le_bytes();
        [self.op, (self.src << 4) | (self.dst & 15), o[0], o[1], i[0], i[1], i[2], i[3]]
    }

    pub fn decode(b: [u8; 8]) -> Insn {
        Insn {
            op: b[0],
            dst: b[1] & 15,
            src: b[1] >> 4,
            off: i16::from_le_bytes([b[2], b[3]]),
            imm: i32::from_le_bytes([b[4], b[5], b[6], b[7]]),
        }
    }

    pub fn class(self) -> u8 {
        self.op & 7
    }

    /// A jump's distance in slots, counted from the slot after it; `None` for everything else.
    pub fn jump(self) -> Option<i32> {
        match self.class() {
            JMP | JMP32 if self.op != CALL && self.op != EXIT => Some(i32::from(self.off)),
            _ => None,
        }
    }
}

/// Without labels and without the second slot's half; [`crate::object::Prog::listing`] adds them.
impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by_reg = self.op & X != 0;
        match self.class() {
            ALU if self.op == TO_BE => write!(f, "r{0} = be{1} r{0}", self.dst, self.imm),
            ALU | ALU64 => {
                let Some(op) = Alu::of_code(self.op) else { return write!(f, "(bad alu {:#04x})", self.op) };
                let r = if self.class() == ALU64 { 'r' } else { 'w' };
                match op {
                    Alu::Neg => write!(f, "{r}{0} = -{r}{0}", self.dst),
                    _ if by_reg => write!(f, "{r}{} {} {r}{}", self.dst, op.sign(), self.src),
                    _ => write!(f, "{r}{} {} {}", self.dst, op.sign(), self.imm),
                }
            }
            JMP | JMP32 => match self.op {
                CALL if self.src == PSEUDO_CALL => write!(f, "call pc{:+}", self.imm),
                CALL => match helper_name(self.imm) {
                    Some(name) => write!(f, "call {name}#{}", self.imm),
                    None => write!(f, "call helper#{}", self.imm),
                },
                EXIT => write!(f, "exit"),
                JMP => write!(f, "goto pc{:+}", self.off),
                _ => {
                    let Some(c) = Cond::of_code(self.op) else {
                        return write!(f, "(bad jump {:#04x})", self.op);
                    };
                    let r = if self.class() == JMP { 'r' } else { 'w' };
                    match by_reg {
                        true => {
                            write!(f, "if {r}{} {} {r}{} goto pc{:+}", self.dst, c.sign(), self.src, self.off)
                        }
                        false => {
                            write!(f, "if {r}{} {} {:#x} goto pc{:+}", self.dst, c.sign(), self.imm, self.off)
                        }
                    }
                }
            },
            LDX if self.op & 0xe0 == MEM => {
                write!(f, "r{} = *({} *)(r{} {:+})", self.dst, ctype(self.op), self.src, self.off)
            }
            STX if self.op & 0xe0 == MEM => {
                write!(f, "*({} *)(r{} {:+}) = r{}", ctype(self.op), self.dst, self.off, self.src)
            }
            STX if self.op & 0xe0 == ATOMIC => {
                let (t, d, o, s) = (ctype(self.op), self.dst, self.off, self.src);
                match self.imm {
                    ATOMIC_ADD => write!(f, "lock *({t} *)(r{d} {o:+}) += r{s}"),
                    ATOMIC_XCHG => write!(f, "r{s} = atomic_xchg(({t} *)(r{d} {o:+}), r{s})"),
                    ATOMIC_CMPXCHG => write!(f, "r0 = atomic_cmpxchg(({t} *)(r{d} {o:+}), r0, r{s})"),
                    other => write!(f, "(bad atomic {other:#x})"),
                }
            }
            ST if self.op & 0xe0 == MEM => {
                write!(f, "*({} *)(r{} {:+}) = {}", ctype(self.op), self.dst, self.off, self.imm)
            }
            LD if self.op == LD_IMM64 => write!(f, "r{} = {:#x} ll", self.dst, self.imm),
            _ => write!(f, "(bad opcode {:#04x})", self.op),
        }
    }
}

fn ctype(op: u8) -> &'static str {
    match Size::of_code(op) {
        Size::B1 => "u8",
        Size::B2 => "u16",
        Size::B4 => "u32",
        Size::B8 => "u64",
    }
}

/// Kernel helpers by their fixed numbers.
pub mod helper {
    pub const MAP_LOOKUP_ELEM: i32 = 1;
    pub const MAP_UPDATE_ELEM: i32 = 2;
    pub const MAP_DELETE_ELEM: i32 = 3;
    pub const KTIME_GET_NS: i32 = 5;
    pub const GET_SMP_PROCESSOR_ID: i32 = 8;
    pub const TAIL_CALL: i32 = 12;
    pub const GET_CURRENT_PID_TGID: i32 = 14;
    pub const GET_CURRENT_UID_GID: i32 = 15;
    pub const GET_CURRENT_COMM: i32 = 16;
    pub const GET_CURRENT_TASK: i32 = 35;
    pub const GET_STACK: i32 = 67;
    pub const SEND_SIGNAL: i32 = 109;
    pub const PROBE_READ_USER: i32 = 112;
    pub const PROBE_READ_KERNEL: i32 = 113;
    pub const PROBE_READ_USER_STR: i32 = 114;
    pub const PROBE_READ_KERNEL_STR: i32 = 115;
    pub const RINGBUF_RESERVE: i32 = 131;
    pub const RINGBUF_SUBMIT: i32 = 132;
    pub const RINGBUF_DISCARD: i32 = 133;
    pub const GET_CURRENT_TASK_BTF: i32 = 158;
    pub const GET_ATTACH_COOKIE: i32 = 174;
    pub const GET_FUNC_ARG: i32 = 183;
    pub const GET_FUNC_RET: i32 = 184;
}

fn helper_name(n: i32) -> Option<&'static str> {
    Some(match n {
        helper::MAP_LOOKUP_ELEM => "bpf_map_lookup_elem",
        helper::MAP_UPDATE_ELEM => "bpf_map_update_elem",
        helper::MAP_DELETE_ELEM => "bpf_map_delete_elem",
        helper::KTIME_GET_NS => "bpf_ktime_get_ns",
        helper::GET_SMP_PROCESSOR_ID => "bpf_get_smp_processor_id",
        helper::TAIL_CALL => "bpf_tail_call",
        helper::GET_CURRENT_PID_TGID => "bpf_get_current_pid_tgid",
        helper::GET_CURRENT_UID_GID => "bpf_get_current_uid_gid",
        helper::GET_CURRENT_COMM => "bpf_get_current_comm",
        helper::GET_CURRENT_TASK => "bpf_get_current_task",
        helper::GET_STACK => "bpf_get_stack",
        helper::SEND_SIGNAL => "bpf_send_signal",
        helper::PROBE_READ_USER => "bpf_probe_read_user",
        helper::PROBE_READ_KERNEL => "bpf_probe_read_kernel",
        helper::PROBE_READ_USER_STR => "bpf_probe_read_user_str",
        helper::PROBE_READ_KERNEL_STR => "bpf_probe_read_kernel_str",
        helper::RINGBUF_RESERVE => "bpf_ringbuf_reserve",
        helper::RINGBUF_SUBMIT => "bpf_ringbuf_submit",
        helper::RINGBUF_DISCARD => "bpf_ringbuf_discard",
        helper::GET_CURRENT_TASK_BTF => "bpf_get_current_task_btf",
        helper::GET_ATTACH_COOKIE => "bpf_get_attach_cookie",
        helper::GET_FUNC_ARG => "bpf_get_func_arg",
        helper::GET_FUNC_RET => "bpf_get_func_ret",
        _ => return None,
    })
}
