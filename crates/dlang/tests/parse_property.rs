//! Nothing that anyone can type makes the parser panic, hang or overflow the stack, and what it understood it can say again.

use lkd_dlang::lex::MacroArgs;
use lkd_dlang::parse::{Context, MAX_ERRORS, Parsed, SpecKind, parse_probe_desc, parse_script};
use lkd_dlang::source::{Source, SourceKind, Sources};
use lkd_dlang::tag::Tag;
use lkd_dlang::unparse;
use proptest::prelude::*;

fn parse(text: &[u8], kind: Option<SpecKind>) -> (Sources, Parsed) {
    let args =
        MacroArgs { script: "x.d".into(), argv: vec!["7".into(), "name".into()], ..MacroArgs::default() };
    let context = Context { args: &args, is_type: &|name: &str| name.ends_with("_t") };
    let mut sources = Sources::new();
    let file = sources.add(Source::new("x.d", SourceKind::File, text));
    let parsed = match kind {
        Some(kind) => parse_probe_desc(&sources, file, kind, &context),
        None => parse_script(&sources, file, &context),
    };
    (sources, parsed)
}

/// A tree as text without its places, which differ after writing it anew.
fn shape(parsed: &Parsed) -> String {
    let text = format!("{:?}", parsed.script);
    let mut pieces = text.split("Span {");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + piece.split_once('}').map_or(piece, |(_, rest)| rest))
}

/// Every message can be shown, and there are not too many of them.
fn check_messages(sources: &Sources, parsed: &Parsed) {
    assert!(parsed.diags.len() <= MAX_ERRORS);
    for diag in &parsed.diags {
        assert!(!diag.line(sources, true).contains('\x1b'));
        assert!(!diag.draw(sources, false).contains('\x1b'));
    }
}

fn check_round_trip(parsed: &Parsed) {
    let written = unparse::script(&parsed.script);
    let (sources, again) = parse(written.as_bytes(), None);
    let said: Vec<String> = again.diags.iter().map(|d| d.line(&sources, true)).collect();
    assert!(said.is_empty(), "{written}\n{said:?}");
    assert_eq!(unparse::script(&again.script), written);
    assert_eq!(shape(&again), shape(parsed), "{written}");
}

const KINDS: [Option<SpecKind>; 5] =
    [None, Some(SpecKind::Name), Some(SpecKind::Function), Some(SpecKind::Module), Some(SpecKind::Provider)];

/// Pieces of D, good and bad.
const WORDS: &[&str] = &[
    "BEGIN",
    "END",
    "syscall::read*:entry",
    ":::",
    "tick-1s",
    "{",
    "}",
    "{",
    "}",
    "(",
    ")",
    "(",
    ")",
    "[",
    "]",
    ";",
    ";",
    ",",
    "/",
    "/pid == 1/",
    "a",
    "b",
    "x",
    "foo_t",
    "bar_t",
    "f(",
    "int",
    "char",
    "unsigned",
    "long",
    "string",
    "void",
    "struct",
    "struct s",
    "union",
    "enum",
    "enum e",
    "typedef",
    "inline",
    "translator",
    "provider",
    "probe",
    "self",
    "this",
    "self->a",
    "this->b",
    "@",
    "@a",
    "@a[1]",
    "`k",
    "m`k",
    "0",
    "1",
    "42u",
    "0x1fLL",
    "09",
    "1.5",
    "'a'",
    "'\\n'",
    "''",
    "\"s\"",
    "\"open",
    "$1",
    "$$1",
    "$2",
    "$9",
    "$pid",
    "$target",
    "sizeof",
    "stringof",
    "offsetof(",
    "xlate <",
    "if",
    "if (a)",
    "else",
    "for",
    "return",
    "const",
    "static",
    "+",
    "-",
    "*",
    "&",
    "&&",
    "||",
    "^^",
    "^",
    "|",
    "!",
    "~",
    "<",
    ">",
    "<=",
    ">>",
    "<<",
    "==",
    "!=",
    "=",
    "+=",
    "<<=",
    "++",
    "--",
    "->",
    ".",
    "?",
    ":",
    "...",
    "#",
    "\n#pragma D option quiet\n",
    "\n# 7 \"f\"\n",
    "\n#!x\n",
    "/* c */",
    "/*",
    "\\\n",
    "\n",
    "\x1b[1m",
    "é",
    "\u{202e}",
];

/// Pieces that make D more often than not.
const GOOD: &[&str] = &[
    "a",
    "b",
    "17",
    "0x2a",
    "'c'",
    "\"s\"",
    "self->t",
    "this->l",
    "@g",
    "`k",
    "g[a, 1]",
    "f(a)",
    "f()",
    "(a)",
    "p->m",
    "p->m.n",
    "sizeof (int)",
    "sizeof a",
    "stringof a",
    "(int)a",
    "(foo_t *)p",
    "xlate <foo_t>(a)",
    "offsetof(foo_t, m)",
    "-a",
    "!b",
    "*p",
    "&a",
    "a++",
    "--b",
    "$1",
];
const INFIX: &[&str] = &[
    " + ", " - ", " * ", " / ", " % ", " << ", " >> ", " < ", " <= ", " == ", " != ", " & ", " ^ ", " | ",
    " && ", " ^^ ", " || ", " = ", " += ", " ? a : ", ", ", "; ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kind in KINDS {
            let (sources, parsed) = parse(&bytes, kind);
            check_messages(&sources, &parsed);
        }
    }

    #[test]
    fn any_bytes_in_a_clause(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let text = [b"BEGIN { ".as_slice(), &bytes, b" }"].concat();
        let (sources, parsed) = parse(&text, None);
        check_messages(&sources, &parsed);
    }

    #[test]
    fn token_soup(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..120), tight: bool) {
        let text = words.join(if tight { "" } else { " " });
        for kind in KINDS {
            let (sources, parsed) = parse(text.as_bytes(), kind);
            check_messages(&sources, &parsed);
            if parsed.diags.is_empty() && kind.is_none() {
                check_round_trip(&parsed);
            }
        }
    }

    #[test]
    fn expressions_are_said_again(
        first in proptest::sample::select(GOOD),
        rest in proptest::collection::vec((proptest::sample::select(INFIX), proptest::sample::select(GOOD)), 0..24),
    ) {
        let body: String = rest.iter().map(|(op, operand)| format!("{op}{operand}")).collect();
        let text = format!("BEGIN {{ {first}{body}; }}");
        let (sources, parsed) = parse(text.as_bytes(), None);
        let said: Vec<String> = parsed.diags.iter().map(|d| d.line(&sources, true)).collect();
        prop_assert!(said.is_empty(), "{}\n{:?}", text, said);
        check_round_trip(&parsed);
    }
}

/// 64 KB of one thing, alone and inside a clause. Each must end in a message, not in a dead process.
#[test]
fn deep_and_long_input() {
    const PIECES: &[&str] = &[
        "(",
        "{",
        "[",
        "!",
        "-",
        "*",
        "&",
        "~",
        "++",
        "if(",
        "if(1)",
        "if(1){",
        "if(1);else ",
        "a[",
        "f(",
        "a?",
        "a?b:",
        "a=",
        "a,",
        "a->",
        "a->b",
        ".b",
        "[1]",
        "+a",
        "||a",
        "/a",
        "/",
        "sizeof ",
        "sizeof(",
        "stringof ",
        "(int)",
        "(int*)",
        "(foo_t)",
        "(a*",
        "(a**",
        "xlate<int>(",
        "offsetof(int,",
        "struct{",
        "struct s{int x;",
        "int(",
        "int x[",
        "int(*",
        "int *",
        "enum{",
        "@a[",
        "$1",
        "/*",
        "\"a\"",
        "'a'",
        "`",
        "a`",
        "a.",
        "a.b`",
        "#\n",
        "\n#pragma D option x\n",
        "typedef ",
        "translator a<",
        "provider p{",
        "inline int x=",
        "BEGIN{",
        "BEGIN,",
        "BEGIN/",
        "}",
        ")",
        "]",
        ";",
        ",",
        "\\\n",
        " ",
        "\n",
        "1",
        "0x1",
        "1.",
        "'",
        "\"",
        "$",
        "$$",
    ];
    for piece in PIECES {
        let long = piece.repeat(65536 / piece.len() + 1);
        for text in
            [long.clone(), format!("BEGIN {{ x = {long}"), format!("BEGIN /{long}"), format!("int x[{long}")]
        {
            let (sources, parsed) = parse(text.as_bytes(), None);
            assert!(parsed.diags.len() <= MAX_ERRORS);
            // Drawing twenty messages takes longer than parsing; the first shows that a long line can be drawn.
            let drawn = parsed.diags.first().map(|d| d.draw(&sources, false)).unwrap_or_default();
            assert!(drawn.len() < 4096, "{}", drawn.len());
            let blank = piece.trim().is_empty() && text.len() == long.len();
            assert!(
                !parsed.diags.is_empty() || blank || piece.contains('#') || fine(piece),
                "{piece:?} passed"
            );
        }
    }
}

/// These are D however often they are repeated.
fn fine(piece: &str) -> bool {
    matches!(piece, "struct s{int x;" | "1" | ";")
}

#[test]
fn nesting_ends_with_a_message_of_its_own() {
    for (open, close) in [
        ("(", ")"),
        ("-", ""),
        ("f(", ")"),
        ("a[", "]"),
        ("(int)", ""),
        ("1 + (", ")"),
        ("!", ""),
        ("a ? ", ": b"),
    ] {
        let deep = |n: usize| format!("BEGIN {{ x = {}1{}; }}", open.repeat(n), close.repeat(n));
        let tags =
            |n: usize| parse(deep(n).as_bytes(), None).1.diags.iter().map(|d| d.tag).collect::<Vec<_>>();
        assert_eq!(tags(50), [], "{open}");
        assert_eq!(tags(5000), [Tag::Nest], "{open}");
    }
    for chain in ["+ 1 ", "|| a ", "->b", "[1]", ", 1"] {
        let long = |n: usize| format!("BEGIN {{ a {}; }}", chain.repeat(n));
        assert_eq!(parse(long(100).as_bytes(), None).1.diags, [], "{chain}");
        let tags: Vec<Tag> = parse(long(5000).as_bytes(), None).1.diags.iter().map(|d| d.tag).collect();
        assert_eq!(tags, [Tag::Nest], "{chain}");
    }
}
