//! The checker against files of cases: D text, `=>`, and the program that it became or what was said about it.
//!
//! A case starts with `== title`; `-Z`, `-x name=value` and `no BTF` in a title set that up. The kernel of the cases is small:
//! the types of `kernel.rs`, a few probes and symbols. Set `BLESS=1` to write what the checker says now, then read the difference.

#[path = "check/kernel.rs"]
mod kernel;

use kernel::Kernel;
use lkd_dlang::check::check;
use lkd_dlang::lex::MacroArgs;
use lkd_dlang::options::{Options, Origin};
use lkd_dlang::parse::{Context, parse_script};
use lkd_dlang::program::Program;
use lkd_dlang::show;
use lkd_dlang::source::{Source, SourceKind, Sources};
use std::path::Path;

fn options(title: &str) -> Options {
    let mut options = Options::default();
    if title.contains("-Z") {
        options.set("zdefs", None, Origin::CommandLine).expect("a flag");
    }
    for part in title.split("-x ").skip(1) {
        let (name, value) = part.split(' ').next().and_then(|o| o.split_once('=')).expect("-x name=value");
        options.set(name, Some(value), Origin::CommandLine).expect("an option of the title");
    }
    options
}

fn compile(title: &str, text: &str) -> Result<Program, String> {
    let kernel = Kernel::new(!title.contains("no BTF"));
    let args = MacroArgs::default();
    let context = Context { args: &args, is_type: &|name: &str| kernel.has_typedef(name) };
    let mut sources = Sources::new();
    let file = sources.add(Source::new("case.d", SourceKind::File, text));
    let parsed = parse_script(&sources, file, &context);
    let shown = |diags: &[lkd_dlang::diag::Diag]| -> String {
        diags.iter().map(|d| format!("{}\n{}", d.line(&sources, true), d.draw(&sources, false))).collect()
    };
    if !parsed.diags.is_empty() {
        return Err(shown(&parsed.diags));
    }
    let (program, diags) = kernel.with_facts(|facts| check(&parsed.script, &sources, facts, options(title)));
    if diags.is_empty() { Ok(program) } else { Err(shown(&diags)) }
}

fn answer(title: &str, text: &str) -> String {
    match compile(title, text) {
        Ok(program) => show::program(&program),
        Err(said) => said,
    }
}

fn run(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check").join(file);
    let data = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut now, mut wrong, mut cases) = (String::new(), Vec::new(), 0);
    for case in format!("\n{data}").split("\n== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap_or((case, ""));
        let (text, want) = rest.split_once("\n=>").unwrap_or((rest, ""));
        let got = answer(title, text);
        if got.trim() != want.trim() {
            wrong.push(format!("== {title}\n{text}\n=> (wanted)\n{}\n=> (got)\n{got}", want.trim()));
        }
        now += &format!("== {title}\n{text}\n=>\n{}\n\n", got.trim_end());
        cases += 1;
    }
    assert!(cases > 0, "{file} has no case");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, now.trim_end().to_owned() + "\n")
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return;
    }
    assert!(wrong.is_empty(), "{} of {cases} cases of {file} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn clauses_and_conditions() {
    run("clauses.txt");
}

#[test]
fn expressions() {
    run("expressions.txt");
}

#[test]
fn types_and_members() {
    run("types.txt");
}

#[test]
fn variables() {
    run("variables.txt");
}

#[test]
fn actions_and_formats() {
    run("actions.txt");
}

#[test]
fn pragmas_and_options() {
    run("pragmas.txt");
}

#[test]
fn the_seed_matches_as_on_windows() {
    let text = include_str!("../../../tests/seed/livedumpstatuscheck.d");
    let program = compile("the seed", text).unwrap_or_else(|said| panic!("{said}"));
    // Windows: 1881 probes = 4 clauses on each of 470 returns, and dtrace:::ERROR once.
    let on = |provider: &str| {
        program.clauses.iter().filter(|c| c.probes.iter().any(|p| p.provider == provider)).count()
    };
    assert_eq!((on("syscall"), on("dtrace"), program.clauses.len()), (4, 1, 5));
    assert!(program.destructive.is_some());
    assert!(program.options.flag(lkd_dlang::options::Opt::Destructive));
}
