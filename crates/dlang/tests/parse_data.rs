//! The parser against files of cases: D text, `=>`, and how it was understood or what was said about it.
//!
//! A case starts with `== title`; a title that begins with `-n ` is read as that option's argument, `-P`, `-m` and `-f` likewise.
//! Set `BLESS=1` to write what the parser says now, then read the difference.

use lkd_dlang::lex::{Ids, MacroArgs};
use lkd_dlang::parse::{Context, Parsed, SpecKind, parse_probe_desc, parse_script, unused_argument};
use lkd_dlang::source::{Source, SourceKind, Sources};
use lkd_dlang::span::Span;
use lkd_dlang::unparse;
use std::path::Path;

fn args(title: &str) -> MacroArgs {
    let given = ["17", "lseek", "/etc/passwd", "-5", "99999999999999999999"];
    let count = if title.contains("no arguments") { 0 } else { given.len() };
    MacroArgs {
        script: "case.d".into(),
        argv: given.iter().take(count).map(|a| (*a).to_owned()).collect(),
        target: (!title.contains("no target")).then_some(4711),
        ids: Ids { pid: 100, uid: 1000, ..Ids::default() },
        default_args: title.contains("defaultargs"),
    }
}

fn kind(title: &str) -> Option<SpecKind> {
    Some(match title.split(' ').next()? {
        "-n" => SpecKind::Name,
        "-P" => SpecKind::Provider,
        "-m" => SpecKind::Module,
        "-f" => SpecKind::Function,
        _ => return None,
    })
}

/// What a person would see: the tree if nothing was wrong, else the messages.
fn answer(title: &str, text: &str) -> String {
    let args = args(title);
    let context = Context { args: &args, is_type: &|name: &str| name.ends_with("_t") };
    let mut sources = Sources::new();
    let parsed: Parsed = match kind(title) {
        Some(kind) => {
            let file = sources.add(Source::new(text, SourceKind::CommandLine, text));
            parse_probe_desc(&sources, file, kind, &context)
        }
        None => {
            let file = sources.add(Source::new("case.d", SourceKind::File, text));
            parse_script(&sources, file, &context)
        }
    };
    let mut diags = parsed.diags;
    if title.contains("unused") {
        diags.extend(unused_argument(&args, &parsed.used_args, Span::new(0, 0, 0)));
    }
    if diags.is_empty() {
        return unparse::script(&parsed.script);
    }
    diags.iter().map(|d| format!("{}\n{}", d.line(&sources, true), d.draw(&sources, false))).collect()
}

fn run(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parse").join(file);
    let text = std::fs::read_to_string(&path).expect("the case file is readable");
    let mut blessed = String::new();
    let mut wrong = Vec::new();
    let mut cases = text.split("\n== ");
    blessed.push_str(cases.next().unwrap_or_default());
    let mut count = 0;
    for case in cases {
        count += 1;
        let (title, rest) = case.split_once('\n').unwrap_or((case, ""));
        let (input, want) = rest.split_once("\n=>\n").unwrap_or((rest, ""));
        let got = answer(title, input);
        if got.trim_end() != want.trim_end() {
            wrong.push(format!("== {title}\n{input}\n=> (wanted)\n{want}\n=> (got)\n{got}"));
        }
        blessed.push_str(&format!("\n== {title}\n{input}\n=>\n{}\n", got.trim_end()));
    }
    assert!(count > 0, "{file} holds no case");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, blessed).expect("the case file is writable");
    } else {
        assert!(wrong.is_empty(), "{} of {count} cases of {file} differ:\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[test]
fn trees() {
    run("trees.txt");
}

#[test]
fn errors() {
    run("errors.txt");
}
