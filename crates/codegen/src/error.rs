//! Why a script cannot become BPF programs, told in the script's words.

use lkd_dlang::span::Span;
use std::fmt;

/// What cannot be generated, and where in the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodegenError {
    /// Index of the clause and the line of the written clause; `None` when the whole script is at fault.
    pub clause: Option<(u32, u32)>,
    pub span: Option<Span>,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// This kernel's BTF does not tell a field that a builtin needs.
    NoBtf { builtin: &'static str, field: &'static str },
    /// A program of this kind cannot end in a tail call.
    LkdInFentry,
    /// An action that acts on the probing thread, where that is dtrace itself.
    OnDtrace(&'static str),
    /// The expression has more intermediate values than the 512 bytes of BPF stack hold.
    Stack { bytes: u32 },
    /// More temporary strings, copied memory and structures than a scratch slot holds.
    Scratch { bytes: u32, most: u32 },
    /// A record that the ring cannot hold.
    RecordSize { bytes: u32, most: u32 },
    /// More instructions between a jump and its target than a BPF jump reaches.
    TooLong { of: &'static str, insns: usize },
    /// A key of an associative array that the kernel's hash maps cannot hold.
    KeySize { bytes: u32, most: u32 },
    /// The checker lets it pass, but there is no code for it.
    Unsupported(&'static str),
}

impl fmt::Display for CodegenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, line)) = self.clause {
            write!(f, "clause at line {line}: ")?;
        }
        self.what.fmt(f)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::NoBtf { builtin, field } => {
                write!(f, "{builtin} needs the place of {field}, which this kernel's BTF does not tell")
            }
            What::LkdInFentry => {
                f.write_str("lkd() cannot be called from an fentry or fexit program (no tail calls there); the probe must be attached by kprobe")
            }
            What::OnDtrace(action) => {
                write!(f, "{action} in a BEGIN, END or tick probe would act on dtrace itself, whose thread runs these: call it in a probe of the thread that is meant, or in profile-N")
            }
            What::Stack { bytes } => {
                write!(f, "needs {bytes} bytes of BPF stack, the kernel gives 512: split the expression into several assignments")
            }
            What::Scratch { bytes, most } => {
                write!(f, "needs {bytes} bytes of temporary memory at a time (strings, copyin(), structures), at most {most} are possible: lower strsize, copy less or split the clause")
            }
            What::RecordSize { bytes, most } => {
                write!(f, "its record has {bytes} bytes, the buffer takes at most {most}: lower strsize, trace less at a time or raise bufsize")
            }
            What::TooLong { of, insns } => {
                write!(f, "the clauses of {of} become one program of {insns} BPF instructions, and a jump in it reaches 32767: \
                           give {of} fewer or shorter clauses, or split the script in two")
            }
            What::KeySize { bytes, most } => {
                write!(f, "an array's key has {bytes} bytes, at most {most} are possible: lower strsize (each string in a key takes that much), or leave a part out")
            }
            What::Unsupported(what) => write!(f, "{what} cannot be compiled to BPF yet"),
        }
    }
}

impl std::error::Error for CodegenError {}
