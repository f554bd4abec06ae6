//! The checker against a second opinion: constants are folded as C says, and whatever it accepts keeps the program's invariants.

#[path = "check/invariants.rs"]
mod invariants;
#[path = "check/kernel.rs"]
mod kernel;

use kernel::Kernel;
use lkd_dlang::check::check;
use lkd_dlang::diag::{Diag, Tag};
use lkd_dlang::lex::MacroArgs;
use lkd_dlang::options::Options;
use lkd_dlang::parse::{Context, parse_script};
use lkd_dlang::program::{Action, ActionKind, ExprKind, Program, Stmt, Ty};
use lkd_dlang::source::{Source, SourceKind, Sources};
use proptest::prelude::*;

/// `Err` holds the parser's mistakes, or else the checker's.
fn compile(text: &str) -> Result<Program, Vec<Diag>> {
    let kernel = Kernel::new(true);
    let args = MacroArgs::default();
    let context = Context { args: &args, is_type: &|name: &str| kernel.has_typedef(name) };
    let mut sources = Sources::new();
    let file = sources.add(Source::new("case.d", SourceKind::File, text));
    let parsed = parse_script(&sources, file, &context);
    if !parsed.diags.is_empty() {
        return Err(parsed.diags);
    }
    let (program, diags) =
        kernel.with_facts(|facts| check(&parsed.script, &sources, facts, Options::default()));
    if diags.is_empty() { Ok(program) } else { Err(diags) }
}

/// C's integer types on LP64: spelling, rank, bits, signed.
const TYPES: [(&str, u32, u32, bool); 10] = [
    ("signed char", 1, 8, true),
    ("unsigned char", 1, 8, false),
    ("short", 2, 16, true),
    ("unsigned short", 2, 16, false),
    ("int", 3, 32, true),
    ("unsigned", 3, 32, false),
    ("long", 4, 64, true),
    ("unsigned long", 4, 64, false),
    ("long long", 5, 64, true),
    ("unsigned long long", 5, 64, false),
];
const INT: usize = 4;

#[derive(Clone, Debug)]
enum Tree {
    /// A number below 2^31 and one of int, unsigned, long, unsigned long.
    Number(u32, usize),
    Cast(usize, Box<Tree>),
    Unary(&'static str, Box<Tree>),
    Binary(&'static str, Box<Tree>, Box<Tree>),
    Ternary(Box<Tree>, Box<Tree>, Box<Tree>),
}

impl Tree {
    fn text(&self) -> String {
        match self {
            Tree::Number(n, t) => format!("{n}{}", ["", "U", "L", "UL"][*t]),
            Tree::Cast(t, a) => format!("(({}){})", TYPES[*t].0, a.text()),
            Tree::Unary(op, a) => format!("({op} {})", a.text()),
            Tree::Binary(op, a, b) => format!("({} {op} {})", a.text(), b.text()),
            Tree::Ternary(c, a, b) => format!("({} ? {} : {})", c.text(), a.text(), b.text()),
        }
    }

    /// The value as a mathematical number and its type, by C's rules; `None`: somewhere a division by zero.
    fn value(&self) -> Option<(i128, usize)> {
        Some(match self {
            Tree::Number(n, t) => (i128::from(*n), INT + t),
            Tree::Cast(t, a) => (wrap(a.value()?.0, *t), *t),
            Tree::Unary("!", a) => (i128::from(a.value()?.0 == 0), INT),
            Tree::Unary(op, a) => {
                let (x, t) = a.value()?;
                let t = promote(t);
                (wrap(if *op == "-" { -x } else { -x - 1 }, t), t)
            }
            Tree::Binary(op, a, b) => {
                let ((x, s), (y, t)) = (a.value()?, b.value()?);
                binary(op, x, s, y, t)?
            }
            Tree::Ternary(c, a, b) => {
                let ((c, _), (x, s), (y, t)) = (c.value()?, a.value()?, b.value()?);
                let common = if s == t { s } else { common(s, t) };
                (wrap(if c != 0 { x } else { y }, common), common)
            }
        })
    }
}

fn binary(op: &str, x: i128, s: usize, y: i128, t: usize) -> Option<(i128, usize)> {
    let both = common(s, t);
    let (a, b) = (wrap(x, both), wrap(y, both));
    let yes = |b: bool| (i128::from(b), INT);
    Some(match op {
        "&&" => yes(x != 0 && y != 0),
        "||" => yes(x != 0 || y != 0),
        "^^" => yes((x != 0) != (y != 0)),
        "<" => yes(a < b),
        "<=" => yes(a <= b),
        ">" => yes(a > b),
        ">=" => yes(a >= b),
        "==" => yes(a == b),
        "!=" => yes(a != b),
        "<<" | ">>" => {
            let left = promote(s);
            // Open in C; here the count is taken modulo the width.
            let by = wrap(y, promote(t)).rem_euclid(i128::from(TYPES[left].2)) as u32;
            let x = wrap(x, left);
            (wrap(if op == "<<" { x << by } else { x >> by }, left), left)
        }
        "/" | "%" if b == 0 => return None,
        _ => {
            let z = match op {
                "+" => a + b,
                "-" => a - b,
                // two 64-bit unsigned numbers may have a product of 128 bits; only its low 64 are looked at
                "*" => a.wrapping_mul(b),
                "/" => a / b,
                "%" => a % b,
                "&" => a & b,
                "|" => a | b,
                _ => a ^ b,
            };
            (wrap(z, both), both)
        }
    })
}

fn wrap(x: i128, t: usize) -> i128 {
    let (_, _, bits, signed) = TYPES[t];
    let cut = x.rem_euclid(1 << bits);
    if signed && cut >= 1 << (bits - 1) { cut - (1 << bits) } else { cut }
}

fn promote(t: usize) -> usize {
    t.max(INT)
}

fn common(s: usize, t: usize) -> usize {
    let (s, t) = (promote(s), promote(t));
    let (high, low) = if TYPES[s].1 >= TYPES[t].1 { (s, t) } else { (t, s) };
    let ((_, rank, bits, signed), (_, low_rank, low_bits, low_signed)) = (TYPES[high], TYPES[low]);
    if signed == low_signed || !signed {
        return high;
    }
    // The unsigned one ranks no higher: it wins unless the signed one holds all its values.
    if rank == low_rank || bits == low_bits { high + 1 } else { high }
}

fn tree() -> impl Strategy<Value = Tree> {
    let number = prop_oneof![0..5u32, 0..=0x7fff_ffffu32, Just(0x7fff_ffff)];
    let leaf = (number, 0..4usize).prop_map(|(n, t)| Tree::Number(n, t));
    leaf.prop_recursive(5, 40, 3, |inner| {
        let ops = [
            "+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||",
            "^^",
        ];
        prop_oneof![
            3 => (prop::sample::select(ops.to_vec()), inner.clone(), inner.clone())
                .prop_map(|(op, a, b)| Tree::Binary(op, Box::new(a), Box::new(b))),
            1 => (prop::sample::select(vec!["-", "~", "!"]), inner.clone())
                .prop_map(|(op, a)| Tree::Unary(op, Box::new(a))),
            1 => (0..TYPES.len(), inner.clone()).prop_map(|(t, a)| Tree::Cast(t, Box::new(a))),
            1 => (inner.clone(), inner.clone(), inner)
                .prop_map(|(c, a, b)| Tree::Ternary(Box::new(c), Box::new(a), Box::new(b))),
        ]
    })
}

fn words() -> impl Strategy<Value = String> {
    let words = [
        "BEGIN",
        "syscall::read:entry",
        "fbt::vfs_read:entry",
        "{",
        "}",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ";",
        ";",
        ",",
        "/",
        "if",
        "else",
        "inline",
        "int",
        "string",
        "struct",
        "s",
        "typedef",
        "enum",
        "self int",
        "this string",
        "x",
        "y",
        "this->x",
        "self->x",
        "self->a",
        "a",
        "@a",
        "args",
        "arg0",
        "pid",
        "execname",
        "curthread",
        "->",
        ".",
        "pid",
        "comm",
        "policy",
        "1",
        "0",
        "0xffffffffUL",
        "\"s\"",
        "'c'",
        "+",
        "-",
        "*",
        "/",
        "%",
        "<<",
        "==",
        "&&",
        "?",
        ":",
        "=",
        "+=",
        "<<=",
        "++",
        "!",
        "~",
        "&",
        "`jiffies",
        "&`linux_banner",
        "sizeof",
        "stringof",
        "trace(",
        "printf(\"%d %s\",",
        "printf(\"%*d\"",
        "exit(0)",
        "lkd(",
        "stack()",
        "copyinstr(",
        "strlen(",
        "(int *)",
        "(struct task_struct *)",
        "offsetof(struct task_struct, comm)",
        "#pragma D option quiet\n",
        "x = 1;",
        "a[1] = 2;",
        "TASK_DEAD",
        "translator",
        "provider",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|w| w.join(" "))
}

/// A clause that parses, of statements that are often right.
fn statements() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(vec![
        "1",
        "2UL",
        "-3",
        "pid",
        "uid",
        "arg0",
        "timestamp",
        "x",
        "this->l",
        "self->t",
        "a[pid]",
        "execname",
        "\"s\"",
        "curthread",
        "curthread->pid",
        "curthread->comm",
        "curthread->policy",
        "p",
        "*p",
        "p[1]",
        "&curthread->flags",
        "args[0]",
        "args[2]",
        "TASK_DEAD",
        "`jiffies",
        "(uint8_t)arg0",
        "strlen(execname)",
        "sizeof (x)",
        "twice[3]",
    ]);
    let op = prop::sample::select(vec![
        "+", "-", "*", "/", "%", "<<", ">>", "&", "|", "<", "==", "!=", "&&", "||", ",",
    ]);
    let expr = (operand.clone(), op, operand.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})"));
    let expr = prop_oneof![
        expr.clone(),
        operand.prop_map(str::to_owned),
        (expr.clone(), expr).prop_map(|(a, b)| format!("({a} ? {b} : {b})"))
    ];
    let stmt = (expr, 0..9u8).prop_map(|(e, kind)| match kind {
        0 => format!("trace({e});"),
        1 => format!("x = {e};"),
        2 => format!("x += {e};"),
        3 => format!("self->n = {e};"),
        4 => format!("a[{e}]++;"),
        5 => format!("if ({e}) {{ trace({e}); }} else {{ y = 1; }}"),
        6 => format!("printf(\"%d\", {e});"),
        7 => format!("lkd({e});"),
        _ => format!("{e};"),
    });
    prop::collection::vec(stmt, 1..6).prop_map(|s| {
        let before = "inline int twice[int n] = n + n; int x; int a[int]; this long l; self int t; int *p;";
        format!("{before} fbt::vfs_read:entry {{ {} }}", s.join(" "))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn constants_are_folded_as_c_does(tree in tree()) {
        let text = format!("BEGIN {{ trace({}); }}", tree.text());
        match (compile(&text), tree.value()) {
            (Ok(program), Some((value, t))) => {
                let traced = program.clauses.first().and_then(|c| c.stmts.first());
                let Some(Stmt::Action(Action { kind: ActionKind::Trace(e), .. })) = traced else {
                    panic!("{text} is {traced:?}");
                };
                let (_, _, bits, signed) = TYPES[t];
                prop_assert_eq!(e.ty, Ty::Int { size: (bits / 8) as u8, signed }, "{}", text);
                let ExprKind::Int(n) = e.kind else { panic!("{text} is not folded: {e:?}") };
                let got = if signed { i128::from(n as i64) } else { i128::from(n) };
                prop_assert_eq!(got, value, "{}", text);
            }
            (Err(diags), None) => prop_assert!(diags.iter().all(|d| d.tag == Tag::DivZero), "{} {:?}", text, diags),
            (got, want) => panic!("{text}: {want:?} became {got:?}"),
        }
    }

    #[test]
    fn words_in_any_order_are_answered(text in words()) {
        if let Ok(program) = compile(&text) {
            invariants::hold(&program);
        }
    }

    #[test]
    fn what_is_accepted_keeps_the_invariants(text in statements()) {
        match compile(&text) {
            Ok(program) => invariants::hold(&program),
            Err(diags) => prop_assert!(diags.iter().all(|d| d.tag != Tag::Unknown && d.tag != Tag::Syntax), "{} {:?}", text, diags),
        }
    }
}

/// Found by the property above: an array behind a comma is a pointer too.
#[test]
fn an_array_behind_a_comma_decays() {
    let text = "fbt::vfs_read:entry { trace(pid ? (1, curthread->comm) : (2, curthread->comm)); }";
    invariants::hold(&compile(text).expect("pointers meet"));
}

#[test]
fn deep_and_long_expressions_end() {
    let nested = format!("BEGIN {{ trace({}1{}); }}", "-(".repeat(2000), ")".repeat(2000));
    assert!(compile(&nested).is_err());
    // As deep as the parser lets it be, on a test's small stack.
    let deepest = (1..200).rev().find_map(|n| {
        let ternaries = format!("BEGIN {{ trace({}1{}); }}", "pid ? 2 : (".repeat(n), ")".repeat(n));
        compile(&ternaries).ok()
    });
    invariants::hold(&deepest.expect("a few levels are not too deep"));
    let long = format!("BEGIN {{ trace({}1); }}", "pid + ".repeat(100));
    invariants::hold(&compile(&long).expect("a hundred terms are few"));
    for op in ["+", "||", "&&", "-"] {
        let longest = format!("BEGIN {{ trace({}1); }}", format!("pid {op} ").repeat(800));
        invariants::hold(&compile(&longest).expect("a generated chain"));
        let longer = format!("BEGIN {{ trace({}1); }}", format!("pid {op} ").repeat(801));
        assert!(compile(&longer).expect_err("too long").iter().all(|d| d.tag == Tag::Nest));
    }
    // Chains inside chains, a few hundred each, may not add up to a tree that the stack cannot hold.
    let nested = format!(
        "BEGIN {{ trace({}1{}); }}",
        "strlen((".repeat(60),
        format!("{})", "+ pid".repeat(700)).repeat(60)
    );
    assert!(compile(&nested).is_err());
    // Each inline doubles the one before it: 2^40 terms, if anything built them.
    let mut doubling = String::from("inline int a0 = pid;\n");
    for i in 1..=40 {
        doubling += &format!("inline int a{i} = a{} + a{};\n", i - 1, i - 1);
    }
    let diags = compile(&(doubling + "BEGIN { trace(a40); }")).expect_err("the limit ends it");
    assert!(diags.iter().any(|d| d.tag == Tag::Limit), "{diags:?}");
}
