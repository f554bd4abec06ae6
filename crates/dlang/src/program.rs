//! What a script means: names resolved, types laid out, `if`/`else` gone, ready for the code generator and the consumer.
//!
//! Invariants, kept by the checker, its only maker:
//! 1. Every expression has a [`Ty`]; the operands of an arithmetic node already have the node's type (conversions are nodes).
//! 2. Every variable reference indexes the table that it names.
//! 3. `if`/`else` are clauses with [`Guard`]s, cut exactly as DTrace's desugaring cuts them, so that "matched N probes" and the
//!    records agree with DTrace's.
//! 4. A clause that changes the system is marked; whether that is allowed is the caller's to ask ([`Program::destructive`]).
//! 5. Aggregates are by address; only scalars, strings and byte blocks are values.

use crate::format::Format;
use crate::options::Options;
use crate::span::Span;

/// The arguments of `lkd()` that mean something: 0 the kernel, 1 users too, 2 a minidump, 4 virtual machines too, 5 all.
pub const LKD_FLAGS: [u32; 5] = [0, 1, 2, 4, 5];

#[derive(Clone, Debug, Default)]
pub struct Program {
    /// In the order in which they run; the index is the clause's id everywhere (records, shots, listings).
    pub clauses: Vec<Clause>,
    pub globals: Vec<Var>,
    /// `this->` variables: alive for one firing of a probe, across its clauses.
    pub locals: Vec<Var>,
    /// `self->` variables: one value per thread.
    pub threads: Vec<Var>,
    pub assocs: Vec<Assoc>,
    /// How many condition flags ([`CondId`]) the desugared clauses use.
    pub conditions: u32,
    /// Pragmas of the script, command-line options already laid over them.
    pub options: Options,
    /// The first destructive action, if any.
    pub destructive: Option<Span>,
}

#[derive(Clone, Debug)]
pub struct Clause {
    pub probes: Vec<ProbePattern>,
    /// Conditions that the compiler made (`if`, `else`, "no error so far"); all must hold before the predicate is looked at.
    pub guards: Vec<Guard>,
    pub predicate: Option<Expr>,
    pub stmts: Vec<Stmt>,
    /// The written clause this one was cut from (0, 1, … in the order of the text); all cuts of one share it.
    pub written: u32,
    /// First line of the written clause, from 1.
    pub line: u32,
    pub span: Span,
}

/// One probe description. All fields are globs; `id` is set for a description by number and then the rest is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbePattern {
    pub provider: String,
    pub module: String,
    pub function: String,
    pub name: String,
    pub id: Option<u32>,
    pub span: Span,
}

/// A flag of one firing, set by [`Stmt::SetCond`], false at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CondId(pub u32);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// No fault since the last [`Stmt::ClearError`] of this firing.
    NoError,
    Cond {
        id: CondId,
        want: bool,
    },
}

#[derive(Clone, Debug)]
pub enum Stmt {
    /// For what it changes; leaves no record.
    Eval(Expr),
    SetCond(CondId, Expr),
    ClearError,
    Action(Action),
}

#[derive(Clone, Debug)]
pub struct Action {
    pub kind: ActionKind,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ActionKind {
    /// The record of a clause with an empty body: header only.
    Default,
    Trace(Expr),
    Printf {
        format: Format,
        args: Vec<Expr>,
    },
    /// Status, an int.
    Exit(Expr),
    /// Kernel stack of at most so many frames.
    Stack {
        frames: u32,
    },
    /// Live dump; the expression is the flags (`uint32_t`); a constant one has been checked.
    Lkd(Expr),
    /// Signal number.
    Raise(Expr),
    Stop,
}

/// The shape of a value at run time. Pointers to kernel or D memory are `Int` of 8 unsigned bytes with `Ptr` for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    Void,
    /// `size` in bytes: 1, 2, 4, 8.
    Int {
        size: u8,
        signed: bool,
    },
    /// An address, 8 bytes.
    Ptr,
    /// A NUL-terminated string of at most `size` bytes, the NUL included.
    Str {
        size: u32,
    },
    /// A struct, union or array of `size` bytes, held by its address.
    Mem {
        size: u32,
    },
}

#[derive(Clone, Debug)]
pub struct Var {
    /// Without `this->` or `self->`.
    pub name: String,
    pub ty: Ty,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Assoc {
    pub name: String,
    /// `self->a[…]`: the thread is a hidden first key.
    pub per_thread: bool,
    pub keys: Vec<Ty>,
    pub ty: Ty,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VarRef {
    Global(u32),
    Local(u32),
    Thread(u32),
}

#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: ExprKind,
    pub ty: Ty,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum ExprKind {
    /// Already reduced to `ty`: sign- or zero-extended to 64 bits.
    Int(u64),
    /// Without the NUL; `ty` is `Str { size: len + 1 }`.
    Str(Vec<u8>),
    Builtin(Builtin),
    /// `argN` and, after [`ExprKind::Convert`], `args[N]`: the probe's N-th argument as 64 bits.
    Arg(u8),
    Var(VarRef),
    /// An associative array's element; 0 or "" when it was never set.
    Assoc {
        assoc: u32,
        keys: Vec<Expr>,
    },
    /// Yields the new value. `value` has the target's type.
    Assign {
        target: Box<LValue>,
        value: Box<Expr>,
    },
    /// `target op= value`, a pointer moved by bytes: read, convert to `value.ty`, operate, convert to the target's type, store; yields the new value.
    AssignOp {
        op: BinOp,
        target: Box<LValue>,
        value: Box<Expr>,
    },
    /// `delta` is ±1 or ± the size pointed to; yields the new value when `prefix`, else the old one.
    IncDec {
        target: Box<LValue>,
        delta: i64,
        prefix: bool,
    },
    Neg(Box<Expr>),
    BitNot(Box<Expr>),
    /// Yields int 0 or 1.
    Not(Box<Expr>),
    /// Operands and result have `ty` (a pointer's are `Ptr`, counted in bytes); a shift's right side is any integer, taken
    /// modulo the width.
    Binary(BinOp, Box<Expr>, Box<Expr>),
    /// Operands have one common type, whose signedness decides; yields int 0 or 1.
    Compare(CmpOp, Box<Expr>, Box<Expr>),
    /// As `strcmp` would say; yields int 0 or 1.
    StrCompare(CmpOp, Box<Expr>, Box<Expr>),
    LogAnd(Box<Expr>, Box<Expr>),
    LogOr(Box<Expr>, Box<Expr>),
    LogXor(Box<Expr>, Box<Expr>),
    Ternary(Box<Expr>, Box<Expr>, Box<Expr>),
    Comma(Box<Expr>, Box<Expr>),
    /// Integer or pointer to `ty`. Every value is held extended by its own type, so: cut to `ty`'s width, extend by `ty`'s sign;
    /// what gets wider has then been extended by the *source's* sign, as C wants.
    Convert(Box<Expr>),
    /// A scalar of `ty` at a kernel (or D scratch) address. Faults: bad address.
    Load(Box<Expr>),
    /// A bit-field: the `size`-byte word at `addr` shifted right by `shift`, `bits` wide, extended by `ty`'s signedness.
    LoadBits {
        addr: Box<Expr>,
        size: u8,
        shift: u8,
        bits: u8,
    },
    /// A struct, union or array at a kernel address; `ty` is `Mem`.
    Mem(Box<Expr>),
    /// The string at a kernel (or D scratch) address, `ty` is `Str`.
    StrAt(Box<Expr>),
    /// A subroutine's value.
    Call(Subr, Vec<Expr>),
}

#[derive(Clone, Debug)]
pub enum LValue {
    Var(VarRef),
    Assoc { assoc: u32, keys: Vec<Expr> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Shl,
    Shr,
    And,
    Or,
    Xor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CmpOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Built-in variables other than the arguments. The type is in the expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Builtin {
    Pid,
    Tid,
    Ppid,
    Uid,
    Gid,
    Execname,
    Curthread,
    Cpu,
    Timestamp,
    Vtimestamp,
    Walltimestamp,
    Probeprov,
    Probemod,
    Probefunc,
    Probename,
    Errno,
    /// The probe's id.
    Id,
    Epid,
    Caller,
    Stackdepth,
}

/// Subroutines: they yield a value and may fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subr {
    /// (user address [, max bytes]) → Str
    Copyinstr,
    /// (user address, size) → Ptr to D scratch that lives until the clause ends
    Copyin,
    /// (Str) → u64 bytes before the NUL
    Strlen,
    /// (Str, Str) → Str
    Strjoin,
}

impl Clause {
    /// Does this clause leave a record? DTrace: an empty body does, a body whose actions all store nothing does not.
    pub fn records(&self) -> bool {
        self.stmts.iter().any(|s| {
            matches!(
                s,
                Stmt::Action(Action {
                    kind: ActionKind::Default
                        | ActionKind::Trace(_)
                        | ActionKind::Printf { .. }
                        | ActionKind::Exit(_)
                        | ActionKind::Stack { .. },
                    ..
                })
            )
        })
    }
}
