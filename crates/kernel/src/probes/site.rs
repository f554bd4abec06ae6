//! Where a probe fires, and where its arguments lie when the program starts.

use crate::btf::TypeId;
use crate::x86_64::PtRegs;

/// Where a probe fires: what a loader needs to attach to it, and what tells the places of its arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Site {
    /// Once, before all others.
    Begin,
    /// Once, after all others.
    End,
    /// Whenever a clause faults.
    Error,
    /// A system call by a 64-bit program is about to run.
    SyscallEntry {
        /// Its number.
        nr: u32,
        /// How many arguments it takes.
        nargs: u8,
    },
    /// A system call by a 64-bit program has run.
    SyscallReturn {
        /// Its number.
        nr: u32,
    },
    /// A kernel function is entered.
    FbtEntry {
        /// Its number in the BTF of the probe's module; `None` when it has none, and only a kprobe can serve.
        func: Option<TypeId>,
        /// How many argument registers it takes, as far as they are known.
        nargs: u8,
    },
    /// A kernel function returns.
    FbtReturn {
        /// As at entry.
        func: Option<TypeId>,
        /// As at entry: with fexit, the arguments come first and the returned value after them.
        nargs: u8,
    },
    /// A kernel tracepoint, hit raw.
    RawTp {
        /// The function type of its `btf_trace_NAME`. Its first parameter is the tracepoint's own `void *`.
        proto: Option<TypeId>,
        /// How many arguments it has, without that first.
        nargs: u8,
    },
    /// A timer on every CPU.
    Profile {
        /// Nanoseconds from one firing to the next.
        period_ns: u64,
    },
    /// A timer on one CPU.
    Tick {
        /// Nanoseconds from one firing to the next.
        period_ns: u64,
    },
}

/// How the program of a probe is called, where there is a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// With the arguments as an array of words: fentry, fexit, raw tracepoints.
    Btf,
    /// With the registers: kprobe, kretprobe.
    Kprobe,
}

/// Where one argument lies when the program starts with its context pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgPlace {
    /// The word at this offset of the context.
    Ctx {
        /// Bytes.
        offset: u16,
    },
    /// A register that the kernel saved: the context's word at `regs_at` points to a `struct pt_regs`, whose word at
    /// `offset` it is. To be read as kernel memory.
    PtRegs {
        /// Bytes into the context.
        regs_at: u16,
        /// Bytes into the registers.
        offset: u16,
    },
    /// Where a timer interrupted: the program counter if that was in the wanted mode, else 0.
    Pc {
        /// The user's program counter, not the kernel's.
        user: bool,
    },
}

/// What `errno` is at a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errno {
    /// Nothing has failed: 0.
    None,
    /// A value of -4095 to -1 in arg0 is an error with the sign changed; else 0.
    FromReturn,
}

/// Bytes of a word of the context.
const WORD: u16 = 8;

impl Site {
    /// Where `argN` lies; `None` where D gives 0 because there is no such argument.
    pub fn arg(self, n: u8, via: Via) -> Option<ArgPlace> {
        let word = |n: u8| ArgPlace::Ctx { offset: u16::from(n) * WORD };
        match (self, via) {
            (Site::Begin | Site::End | Site::Error, _) => None,
            // sys_enter(struct pt_regs *regs, long id)
            (Site::SyscallEntry { nargs, .. }, _) => {
                let offset = *PtRegs::SYSCALL_ARGS.get(usize::from(n)).filter(|_| n < nargs)?;
                Some(ArgPlace::PtRegs { regs_at: 0, offset })
            }
            // sys_exit(struct pt_regs *regs, long ret); arg0 and arg1 are the same, as DTrace has it.
            (Site::SyscallReturn { .. }, _) => (n < 2).then(|| word(1)),
            (Site::FbtEntry { nargs, .. }, Via::Btf) => (n < nargs).then(|| word(n)),
            (Site::FbtEntry { nargs, .. }, Via::Kprobe) => {
                let offset = *PtRegs::FUNCTION_ARGS.get(usize::from(n)).filter(|_| n < nargs)?;
                Some(ArgPlace::Ctx { offset })
            }
            // arg0 is the place of the return in the function, which Linux does not tell; arg1 the value.
            (Site::FbtReturn { nargs, .. }, Via::Btf) => (n == 1).then(|| word(nargs)),
            (Site::FbtReturn { .. }, Via::Kprobe) => (n == 1).then_some(ArgPlace::Ctx { offset: PtRegs::AX }),
            (Site::RawTp { nargs, .. }, _) => (n < nargs).then(|| word(n)),
            (Site::Profile { .. } | Site::Tick { .. }, _) => match n {
                0 => Some(ArgPlace::Pc { user: false }),
                1 => Some(ArgPlace::Pc { user: true }),
                _ => None,
            },
        }
    }

    /// How many arguments `arg0`, `arg1`, ... there are.
    pub fn nargs(self) -> u8 {
        match self {
            Site::Begin | Site::End | Site::Error => 0,
            Site::SyscallEntry { nargs, .. } | Site::FbtEntry { nargs, .. } | Site::RawTp { nargs, .. } => {
                nargs
            }
            Site::SyscallReturn { .. } | Site::FbtReturn { .. } => 2,
            Site::Profile { .. } | Site::Tick { .. } => 2,
        }
    }

    /// What `errno` is here.
    pub fn errno(self) -> Errno {
        match self {
            Site::SyscallReturn { .. } => Errno::FromReturn,
            _ => Errno::None,
        }
    }
}
