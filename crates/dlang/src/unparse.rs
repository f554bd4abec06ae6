//! The tree written back as D: every operator in its parentheses, every probe with its four fields.
//!
//! Parsing the result gives the same tree, places aside; the tests hold the parser to that, and a reader of a tree sees how the
//! text was understood.

mod types;

use crate::ast::{
    BinaryOp, Clause, Designator, Expr, ExprKind, IntLit, Item, Pragma, ProbeSpecKind, Provider, Script,
    Stmt, Translator, UnaryOp,
};
use std::fmt::Write;
use types::{declaration, inline_declarator, param_list, type_name};

/// One item to a line.
pub fn script(script: &Script) -> String {
    script.items.iter().map(|item| item_text(item) + "\n").collect()
}

fn item_text(item: &Item) -> String {
    match item {
        Item::Clause(clause) => clause_text(clause),
        Item::Decl(decl) => declaration(decl),
        Item::Inline(inline) => format!("inline {} = {};", inline_declarator(inline), expr(&inline.value)),
        Item::Translator(translator) => translator_text(translator),
        Item::Provider(provider) => provider_text(provider),
        Item::Pragma(pragma) => pragma_text(pragma),
    }
}

fn clause_text(clause: &Clause) -> String {
    let specs: Vec<String> = clause
        .probes
        .iter()
        .map(|spec| match &spec.kind {
            ProbeSpecKind::Tuple { provider, module, function, name } => {
                format!("{provider}:{module}:{function}:{name}")
            }
            ProbeSpecKind::Id(id) => id.to_string(),
        })
        .collect();
    let predicate = clause.predicate.as_ref().map(|p| format!(" /{}/", expr(p))).unwrap_or_default();
    format!("{}{predicate} {}", specs.join(", "), block(&clause.body))
}

fn block(stmts: &[Stmt]) -> String {
    let inner: String = stmts.iter().map(|s| format!("{} ", statement(s))).collect();
    format!("{{ {inner}}}")
}

fn statement(stmt: &Stmt) -> String {
    match stmt {
        Stmt::Empty(_) => ";".into(),
        Stmt::Expr(e) => format!("{};", expr(e)),
        Stmt::If { cond, then, els, .. } if els.is_empty() => format!("if ({}) {}", expr(cond), block(then)),
        Stmt::If { cond, then, els, .. } => {
            format!("if ({}) {} else {}", expr(cond), block(then), block(els))
        }
    }
}

fn translator_text(t: &Translator) -> String {
    let members: String =
        t.members.iter().map(|(name, value)| format!("{name} = {}; ", operand(value))).collect();
    let (output, input) = (type_name(&t.output), type_name(&t.input));
    format!("translator {output} < {input} {} > {{ {members}}};", t.input_name)
}

fn provider_text(p: &Provider) -> String {
    let mut probes = String::new();
    for probe in &p.probes {
        let _ = write!(probes, "probe {}({})", probe.name, param_list(&probe.params));
        if !probe.translated.is_empty() {
            let _ = write!(probes, " : ({})", param_list(&probe.translated));
        }
        probes.push_str("; ");
    }
    format!("provider {} {{ {probes}}};", p.name)
}

fn pragma_text(p: &Pragma) -> String {
    let word = |w: &String| match w.is_empty() || w.contains(|c: char| c.is_ascii_whitespace() || c == '"') {
        true => string(w.as_bytes()),
        false => w.clone(),
    };
    let words: Vec<String> = p.words.iter().map(word).collect();
    format!("#pragma {}{}", if p.d { "D " } else { "" }, words.join(" "))
}

/// Without parentheses of its own.
pub fn expr(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Unary(op, inner) => format!("{}{}", unary_op(*op), operand(inner)),
        ExprKind::Binary(op, left, right) => {
            format!("{} {} {}", operand(left), binary_op(*op), operand(right))
        }
        ExprKind::Assign { op, target, value } => {
            let op = op.map(binary_op).unwrap_or_default();
            format!("{} {op}= {}", operand(target), operand(value))
        }
        ExprKind::IncDec { inc, prefix, target } => {
            let op = if *inc { "++" } else { "--" };
            match prefix {
                true => format!("{op}{}", operand(target)),
                false => format!("{}{op}", base(target)),
            }
        }
        ExprKind::Ternary { cond, then, els } => {
            format!("{} ? {} : {}", operand(cond), operand(then), operand(els))
        }
        ExprKind::Comma(left, right) => format!("{}, {}", operand(left), operand(right)),
        ExprKind::Cast(ty, inner) => format!("({}){}", type_name(ty), operand(inner)),
        _ => operand(e),
    }
}

/// In parentheses if an operator is outermost.
fn operand(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Int(lit) => int(*lit),
        ExprKind::Char(value) => character(*value),
        ExprKind::Str(bytes) => string(bytes),
        ExprKind::Ident(name) => name.clone(),
        ExprKind::KernelSym { module, name } => format!("{}`{name}", module.as_deref().unwrap_or_default()),
        ExprKind::This(name) => format!("this->{name}"),
        ExprKind::SelfVar(name) => format!("self->{name}"),
        ExprKind::Agg { name, keys } => {
            format!("@{name}{}", keys.as_ref().map(|k| format!("[{}]", list(k))).unwrap_or_default())
        }
        ExprKind::SizeofType(ty) => format!("sizeof ({})", type_name(ty)),
        ExprKind::SizeofExpr(inner) => format!("sizeof {}", operand(inner)),
        ExprKind::Stringof(inner) => format!("stringof {}", operand(inner)),
        ExprKind::Offsetof(ty, path) => format!("offsetof({}, {})", type_name(ty), designators(path)),
        ExprKind::Xlate(ty, inner) => format!("xlate <{}>({})", type_name(ty), expr(inner)),
        ExprKind::Call { name, args, .. } => format!("{name}({})", list(args)),
        ExprKind::Index { base: b, index } => format!("{}[{}]", base(b), list(index)),
        ExprKind::Member { base: b, name, .. } => format!("{}.{name}", base(b)),
        ExprKind::Arrow { base: b, name, .. } => format!("{}->{name}", base(b)),
        ExprKind::Bad => "<bad>".into(),
        _ => format!("({})", expr(e)),
    }
}

/// What a postfix operator is applied to.
fn base(e: &Expr) -> String {
    match &e.kind {
        ExprKind::SizeofType(_) | ExprKind::SizeofExpr(_) | ExprKind::Stringof(_) => {
            format!("({})", operand(e))
        }
        _ => operand(e),
    }
}

fn list(exprs: &[Expr]) -> String {
    exprs.iter().map(operand).collect::<Vec<_>>().join(", ")
}

fn designators(path: &[Designator]) -> String {
    let mut text = String::new();
    for step in path {
        let _ = match step {
            Designator::Member(name) if text.is_empty() => write!(text, "{name}"),
            Designator::Member(name) => write!(text, ".{name}"),
            Designator::Index(e) => write!(text, "[{}]", operand(e)),
        };
    }
    text
}

fn int(lit: IntLit) -> String {
    let suffix = format!("{}{}", if lit.unsigned { "u" } else { "" }, "l".repeat(lit.long.into()));
    match lit.decimal || lit.value == 0 {
        true => format!("{}{suffix}", lit.value),
        false => format!("{:#x}{suffix}", lit.value),
    }
}

fn character(value: i64) -> String {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().position(|b| *b != 0).unwrap_or(7);
    format!("'{}'", escape(bytes.get(skip..).unwrap_or_default(), b'\''))
}

pub(crate) fn string(bytes: &[u8]) -> String {
    format!("\"{}\"", escape(bytes, b'"'))
}

fn escape(bytes: &[u8], quote: u8) -> String {
    let mut text = String::new();
    for b in bytes {
        let _ = match b {
            b'\n' => write!(text, "\\n"),
            b'\t' => write!(text, "\\t"),
            b'\\' => write!(text, "\\\\"),
            b if *b == quote => write!(text, "\\{}", quote as char),
            b' '..=b'~' => write!(text, "{}", *b as char),
            b => write!(text, "\\{b:03o}"),
        };
    }
    text
}

fn unary_op(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Plus => "+",
        UnaryOp::Neg => "-",
        UnaryOp::BitNot => "~",
        UnaryOp::Not => "!",
        UnaryOp::Deref => "*",
        UnaryOp::AddrOf => "&",
    }
}

pub(crate) fn binary_op(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Mul => "*",
        BinaryOp::Div => "/",
        BinaryOp::Mod => "%",
        BinaryOp::Add => "+",
        BinaryOp::Sub => "-",
        BinaryOp::Shl => "<<",
        BinaryOp::Shr => ">>",
        BinaryOp::Lt => "<",
        BinaryOp::Le => "<=",
        BinaryOp::Gt => ">",
        BinaryOp::Ge => ">=",
        BinaryOp::Eq => "==",
        BinaryOp::Ne => "!=",
        BinaryOp::BitAnd => "&",
        BinaryOp::BitXor => "^",
        BinaryOp::BitOr => "|",
        BinaryOp::LogAnd => "&&",
        BinaryOp::LogXor => "^^",
        BinaryOp::LogOr => "||",
    }
}
