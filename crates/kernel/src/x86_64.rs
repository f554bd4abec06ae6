//! What is so only on x86-64: where registers are saved, and the numbers of the system calls.

pub mod ia32;
pub mod syscalls;

/// Byte offsets into `struct pt_regs`, which are the kernel's interface to user space (ptrace) and so never change.
pub struct PtRegs;

impl PtRegs {
    /// r15, the first.
    pub const R15: u16 = 0;
    /// r14.
    pub const R14: u16 = 8;
    /// r13.
    pub const R13: u16 = 16;
    /// r12.
    pub const R12: u16 = 24;
    /// rbp.
    pub const BP: u16 = 32;
    /// rbx.
    pub const BX: u16 = 40;
    /// r11.
    pub const R11: u16 = 48;
    /// r10.
    pub const R10: u16 = 56;
    /// r9.
    pub const R9: u16 = 64;
    /// r8.
    pub const R8: u16 = 72;
    /// rax: what a function returns.
    pub const AX: u16 = 80;
    /// rcx.
    pub const CX: u16 = 88;
    /// rdx.
    pub const DX: u16 = 96;
    /// rsi.
    pub const SI: u16 = 104;
    /// rdi.
    pub const DI: u16 = 112;
    /// The number of the system call, or -1.
    pub const ORIG_AX: u16 = 120;
    /// rip.
    pub const IP: u16 = 128;
    /// cs; its two lowest bits are 3 in user mode, 0 in the kernel.
    pub const CS: u16 = 136;
    /// rflags.
    pub const FLAGS: u16 = 144;
    /// rsp.
    pub const SP: u16 = 152;
    /// ss.
    pub const SS: u16 = 160;
    /// Bytes of the whole.
    pub const BYTES: u16 = 168;

    /// The registers of a system call's arguments, in order.
    pub const SYSCALL_ARGS: [u16; 6] = [Self::DI, Self::SI, Self::DX, Self::R10, Self::R8, Self::R9];
    /// The registers of a function's arguments, in order.
    pub const FUNCTION_ARGS: [u16; 6] = [Self::DI, Self::SI, Self::DX, Self::CX, Self::R8, Self::R9];
}

/// `TS_COMPAT` in `thread_info.status`: the task runs a 32-bit system call, whose number is one of [`ia32`]'s.
pub const TS_COMPAT: u32 = 2;
