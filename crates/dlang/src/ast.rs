//! What was written: the tree that the parser makes and only the checker reads.
//!
//! Nothing here is resolved: a name is a name, a type is as it was spelt. Macro arguments (`$1`, `$target`) are gone:
//! the lexer has put their text in place.

use crate::span::Span;

/// A whole script, in the order of the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Clause(Clause),
    /// `int x; self int y; this string z; struct s { … }; typedef …;`
    Decl(Declaration),
    Inline(Inline),
    Translator(Translator),
    /// `provider p { probe n(args); };`
    Provider(Provider),
    Pragma(Pragma),
}

/// `probes /predicate/ { body }`
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub probes: Vec<ProbeSpec>,
    pub predicate: Option<Expr>,
    /// Empty for `{ }`, and for a description of the command line that has no braces at all.
    pub body: Vec<Stmt>,
    pub span: Span,
    /// From `{` to `}`.
    pub body_span: Span,
}

/// `provider:module:function:name`, each a glob; an empty field matches all. `-i`'s and D's bare number is `Id`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeSpec {
    pub kind: ProbeSpecKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ProbeSpecKind {
    Tuple { provider: String, module: String, function: String, name: String },
    Id(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// `;` alone.
    Empty(Span),
    Expr(Expr),
    If {
        cond: Expr,
        then: Vec<Stmt>,
        els: Vec<Stmt>,
        span: Span,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    Int(IntLit),
    /// A character constant; multi-character constants are folded as C does on this machine; type `int`.
    Char(i64),
    /// Escapes decoded, adjacent literals joined, no trailing NUL.
    Str(Vec<u8>),
    Ident(String),
    /// `` `name `` or `` module`name ``
    KernelSym {
        module: Option<String>,
        name: String,
    },
    /// `this->name`
    This(String),
    /// `self->name`
    SelfVar(String),
    /// `@name`, `@name[keys]`, `@` alone has an empty name.
    Agg {
        name: String,
        keys: Option<Vec<Expr>>,
    },
    Unary(UnaryOp, Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `=` is `op: None`, `+=` is `op: Some(Add)`.
    Assign {
        op: Option<BinaryOp>,
        target: Box<Expr>,
        value: Box<Expr>,
    },
    IncDec {
        inc: bool,
        prefix: bool,
        target: Box<Expr>,
    },
    Ternary {
        cond: Box<Expr>,
        then: Box<Expr>,
        els: Box<Expr>,
    },
    Comma(Box<Expr>, Box<Expr>),
    Cast(Box<TypeName>, Box<Expr>),
    SizeofType(Box<TypeName>),
    SizeofExpr(Box<Expr>),
    /// `offsetof(type, a.b[2].c)`
    Offsetof(Box<TypeName>, Vec<Designator>),
    /// `stringof expr` and `stringof(expr)`
    Stringof(Box<Expr>),
    /// `xlate <type>(expr)`
    Xlate(Box<TypeName>, Box<Expr>),
    Call {
        name: String,
        name_span: Span,
        args: Vec<Expr>,
    },
    /// `base[index, …]`: an array, a pointer, or an associative array (then base is a name).
    Index {
        base: Box<Expr>,
        index: Vec<Expr>,
    },
    /// `base.name`
    Member {
        base: Box<Expr>,
        name: String,
        name_span: Span,
    },
    /// `base->name`
    Arrow {
        base: Box<Expr>,
        name: String,
        name_span: Span,
    },
    /// Stands where an expression could not be read; a diagnostic has been given.
    Bad,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Designator {
    Member(String),
    Index(Expr),
}

/// An integer constant as C types it: `long_` counts the l's (0, 1, 2), `decimal` decides whether unsigned types are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntLit {
    pub value: u64,
    pub unsigned: bool,
    pub long: u8,
    pub decimal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    Plus,
    Neg,
    BitNot,
    Not,
    Deref,
    AddrOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    Mul,
    Div,
    Mod,
    Add,
    Sub,
    Shl,
    Shr,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    BitAnd,
    BitXor,
    BitOr,
    LogAnd,
    LogXor,
    LogOr,
}

/// A declaration: specifiers and the declared names (none for `struct s { … };`).
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    pub spec: TypeSpec,
    pub scope: DeclScope,
    pub names: Vec<Declarator>,
    pub span: Span,
}

/// Where a declared D variable lives; `Typedef` and `Extern` are storage classes that C has too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeclScope {
    Global,
    This,
    SelfVar,
    Typedef,
    Extern,
    Static,
    Register,
    Auto,
}

/// `int *x[3]` is name `x`, type "array of 3 pointers to int": `derive` is read from the name outwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Declarator {
    pub name: String,
    pub name_span: Span,
    pub derive: Vec<Derive>,
    /// The width of a bit-field.
    pub bits: Option<Expr>,
}

/// One step of a C declarator, nearest the name first.
#[derive(Clone, Debug, PartialEq)]
pub enum Derive {
    Pointer,
    /// `[n]` or `[]`.
    Array(Option<Expr>),
    /// `name[type, …]`: an associative array's key types.
    Keys(Vec<TypeName>),
    Function {
        params: Vec<Param>,
        variadic: bool,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub ty: TypeName,
    pub name: Option<String>,
}

/// A type without a name: of casts, `sizeof`, key lists.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeName {
    pub spec: TypeSpec,
    pub derive: Vec<Derive>,
    pub span: Span,
}

/// The part before the declarators. `const`, `volatile`, `restrict`, `userland` change nothing that D computes and are dropped
/// after parsing.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeSpec {
    pub kind: TypeSpecKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TypeSpecKind {
    /// The C words in any order, folded: `unsigned long int` is `Int { size: Long, signed: Some(false) }`.
    Int {
        size: IntWord,
        signed: Option<bool>,
    },
    Void,
    Float,
    Double,
    LongDouble,
    String,
    /// A typedef's name, maybe of a module: `` zfs`zio_t ``.
    Named {
        module: Option<String>,
        name: String,
    },
    /// `struct tag`, `` struct module`tag ``, `struct tag { … }`
    Struct {
        union: bool,
        module: Option<String>,
        tag: Option<String>,
        body: Option<Vec<Declaration>>,
    },
    Enum {
        module: Option<String>,
        tag: Option<String>,
        body: Option<Vec<Enumerator>>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntWord {
    Bool,
    Char,
    Short,
    Int,
    Long,
    LongLong,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Enumerator {
    pub name: String,
    pub value: Option<Expr>,
    pub span: Span,
}

/// `inline type name = expr;` or with keys: `inline type name[type k, …] = expr;`
#[derive(Clone, Debug, PartialEq)]
pub struct Inline {
    pub ty: TypeName,
    pub name: String,
    pub name_span: Span,
    pub params: Vec<Param>,
    pub value: Expr,
    pub span: Span,
}

/// `translator out < in name > { member = expr; … };`
#[derive(Clone, Debug, PartialEq)]
pub struct Translator {
    pub output: TypeName,
    pub input: TypeName,
    pub input_name: String,
    pub members: Vec<(String, Expr)>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    pub name: String,
    pub probes: Vec<ProviderProbe>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProviderProbe {
    pub name: String,
    pub params: Vec<Param>,
    pub translated: Vec<Param>,
}

/// `#pragma D option quiet`, `#pragma D option bufsize=4m`, `#pragma D depends_on …`, `#pragma error …`, `#line …`
#[derive(Clone, Debug, PartialEq)]
pub struct Pragma {
    /// The words after `#pragma` (without the leading `D`), as written.
    pub words: Vec<String>,
    /// Was it `#pragma D …`?
    pub d: bool,
    pub span: Span,
}
