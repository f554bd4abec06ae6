//! A program as text, for tests and `-xtree`: one line per clause, condition and statement, every value with its shape.
//!
//! The words are near C's; `:u4` is an unsigned value of four bytes, `:ptr` an address, `:str256` a string, `:mem24` bytes.

use std::fmt::Write;

use crate::format::{Conv, Count, Piece};
use crate::program::{
    ActionKind, BinOp, Builtin, Clause, CmpOp, Expr, ExprKind, Guard, LValue, ProbePattern, Program, Stmt,
    Subr, Ty, VarRef,
};

/// The whole program, each line ended.
pub fn program(p: &Program) -> String {
    let mut out = String::new();
    let tables =
        [("global", "", &p.globals), ("local", "this->", &p.locals), ("thread", "self->", &p.threads)];
    for (word, prefix, vars) in tables {
        for var in vars {
            line(&mut out, format_args!("{word} {prefix}{}{}", var.name, shape(var.ty)));
        }
    }
    for a in &p.assocs {
        let keys: Vec<String> = a.keys.iter().map(|k| shape(*k)).collect();
        let prefix = if a.per_thread { "self->" } else { "" };
        line(&mut out, format_args!("assoc {prefix}{}[{}]{}", a.name, keys.join(", "), shape(a.ty)));
    }
    for (id, c) in p.clauses.iter().enumerate() {
        clause(&mut out, p, id, c);
    }
    if p.destructive.is_some() {
        out.push_str("destructive\n");
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
    out.push('\n');
}

fn clause(out: &mut String, p: &Program, id: usize, c: &Clause) {
    let probes: Vec<String> = c.probes.iter().map(pattern).collect();
    line(out, format_args!("clause {id} of {} line {}: {}", c.written, c.line, probes.join(", ")));
    for guard in &c.guards {
        match guard {
            Guard::NoError => line(out, format_args!("  if no error")),
            Guard::Cond { id, want: true } => line(out, format_args!("  if c{}", id.0)),
            Guard::Cond { id, want: false } => line(out, format_args!("  if not c{}", id.0)),
        }
    }
    if let Some(predicate) = &c.predicate {
        line(out, format_args!("  / {} /", expr(p, predicate)));
    }
    for stmt in &c.stmts {
        line(out, format_args!("  {}", self::stmt(p, stmt)));
    }
}

fn pattern(p: &ProbePattern) -> String {
    match p.id {
        Some(id) => id.to_string(),
        None => format!("{}:{}:{}:{}", p.provider, p.module, p.function, p.name),
    }
}

fn stmt(p: &Program, s: &Stmt) -> String {
    match s {
        Stmt::Eval(e) => expr(p, e),
        Stmt::SetCond(id, e) => format!("c{} = {}", id.0, expr(p, e)),
        Stmt::ClearError => "clear error".into(),
        Stmt::Action(a) => action(p, &a.kind),
    }
}

fn action(p: &Program, kind: &ActionKind) -> String {
    match kind {
        ActionKind::Default => "default".into(),
        ActionKind::Trace(e) => format!("trace({})", expr(p, e)),
        ActionKind::Printf { format, args } => {
            let text: String = format.pieces.iter().map(piece).collect();
            let args: String = args.iter().map(|a| format!(", {}", expr(p, a))).collect();
            format!("printf(\"{text}\"{args})")
        }
        ActionKind::Exit(e) => format!("exit({})", expr(p, e)),
        ActionKind::Stack { frames } => format!("stack({frames})"),
        ActionKind::Lkd(e) => format!("lkd({})", expr(p, e)),
        ActionKind::Raise(e) => format!("raise({})", expr(p, e)),
        ActionKind::Stop => "stop()".into(),
    }
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Text(t) => t.escape_ascii().to_string().replace('%', "%%"),
        Piece::Conv(c) => conv(c),
    }
}

/// The conversion as it would be written.
pub fn conv(c: &Conv) -> String {
    let mut out = String::from("%");
    let flags = [
        (c.minus, '-'),
        (c.plus, '+'),
        (c.space, ' '),
        (c.alt, '#'),
        (c.zero, '0'),
        (c.group, '\''),
        (c.agg, '@'),
    ];
    out.extend(flags.iter().filter(|(on, _)| *on).map(|(_, flag)| *flag));
    let count = |c: Count| match c {
        Count::Number(n) => n.to_string(),
        Count::Star => "*".into(),
    };
    out.extend(c.width.map(count));
    out.extend(c.precision.map(|p| format!(".{}", count(p))));
    out + &c.name()
}

fn shape(ty: Ty) -> String {
    match ty {
        Ty::Void => ":void".into(),
        Ty::Int { size, signed } => format!(":{}{size}", if signed { 'i' } else { 'u' }),
        Ty::Ptr => ":ptr".into(),
        Ty::Str { size } => format!(":str{size}"),
        Ty::Mem { size } => format!(":mem{size}"),
    }
}

fn variable(p: &Program, var: VarRef) -> String {
    let (prefix, table, n) = match var {
        VarRef::Global(n) => ("", &p.globals, n),
        VarRef::Local(n) => ("this->", &p.locals, n),
        VarRef::Thread(n) => ("self->", &p.threads, n),
    };
    format!("{prefix}{}", table.get(n as usize).map_or("?", |v| v.name.as_str()))
}

fn element(p: &Program, assoc: u32, keys: &[Expr]) -> String {
    let keys: Vec<String> = keys.iter().map(|k| expr(p, k)).collect();
    let a = p.assocs.get(assoc as usize);
    let prefix = if a.is_some_and(|a| a.per_thread) { "self->" } else { "" };
    format!("{prefix}{}[{}]", a.map_or("?", |a| a.name.as_str()), keys.join(", "))
}

fn lvalue(p: &Program, l: &LValue) -> String {
    match l {
        LValue::Var(var) => variable(p, *var),
        LValue::Assoc { assoc, keys } => element(p, *assoc, keys),
    }
}

/// One expression.
pub fn expr(p: &Program, e: &Expr) -> String {
    let s = |x: &Expr| expr(p, x);
    let text = match &e.kind {
        ExprKind::Int(n) => return constant(*n, e.ty),
        ExprKind::Str(t) => return format!("\"{}\"", t.escape_ascii()),
        ExprKind::Builtin(b) => builtin(*b),
        ExprKind::Arg(n) => format!("arg{n}"),
        ExprKind::Var(var) => variable(p, *var),
        ExprKind::Assoc { assoc, keys } => element(p, *assoc, keys),
        ExprKind::Assign { target, value } => format!("({} = {})", lvalue(p, target), s(value)),
        ExprKind::AssignOp { op, target, value } => {
            format!("({} {}= {})", lvalue(p, target), bin(*op), s(value))
        }
        ExprKind::IncDec { target, delta, prefix: true } => format!("(pre {} += {delta})", lvalue(p, target)),
        ExprKind::IncDec { target, delta, prefix: false } => {
            format!("(post {} += {delta})", lvalue(p, target))
        }
        ExprKind::Neg(x) => format!("-{}", s(x)),
        ExprKind::BitNot(x) => format!("~{}", s(x)),
        ExprKind::Not(x) => format!("!{}", s(x)),
        ExprKind::Binary(op, a, b) => format!("({} {} {})", s(a), bin(*op), s(b)),
        ExprKind::Compare(op, a, b) => format!("({} {} {})", s(a), cmp(*op), s(b)),
        ExprKind::StrCompare(op, a, b) => format!("strcmp({} {} {})", s(a), cmp(*op), s(b)),
        ExprKind::LogAnd(a, b) => format!("({} && {})", s(a), s(b)),
        ExprKind::LogOr(a, b) => format!("({} || {})", s(a), s(b)),
        ExprKind::LogXor(a, b) => format!("({} ^^ {})", s(a), s(b)),
        ExprKind::Ternary(c, a, b) => format!("({} ? {} : {})", s(c), s(a), s(b)),
        ExprKind::Comma(a, b) => format!("({}, {})", s(a), s(b)),
        ExprKind::Convert(x) => format!("convert({})", s(x)),
        ExprKind::Load(a) => format!("load({})", s(a)),
        ExprKind::LoadBits { addr, size, shift, bits } => {
            format!("bits({}, {size}, {shift}, {bits})", s(addr))
        }
        ExprKind::Mem(a) => format!("mem({})", s(a)),
        ExprKind::StrAt(a) => format!("string({})", s(a)),
        ExprKind::Call(subr, args) => {
            let args: Vec<String> = args.iter().map(s).collect();
            format!("{}({})", subroutine(*subr), args.join(", "))
        }
    };
    text + &shape(e.ty)
}

fn constant(n: u64, ty: Ty) -> String {
    match ty {
        Ty::Int { size: 4, signed: true } => (n as i64).to_string(),
        Ty::Int { signed: true, .. } => format!("{}{}", n as i64, shape(ty)),
        Ty::Ptr => format!("{n:#x}{}", shape(ty)),
        _ => format!("{n}{}", shape(ty)),
    }
}

fn builtin(b: Builtin) -> String {
    format!("{b:?}").to_ascii_lowercase()
}

fn subroutine(s: Subr) -> String {
    format!("{s:?}").to_ascii_lowercase()
}

fn bin(op: BinOp) -> &'static str {
    match op {
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::Div => "/",
        BinOp::Mod => "%",
        BinOp::Shl => "<<",
        BinOp::Shr => ">>",
        BinOp::And => "&",
        BinOp::Or => "|",
        BinOp::Xor => "^",
    }
}

fn cmp(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "==",
        CmpOp::Ne => "!=",
        CmpOp::Lt => "<",
        CmpOp::Le => "<=",
        CmpOp::Gt => ">",
        CmpOp::Ge => ">=",
    }
}
