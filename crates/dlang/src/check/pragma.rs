//! `#pragma D …`: options first of all, because they decide sizes; the rest is checked and, where it only rates stability, dropped.

use crate::ast::{Item, Pragma, Script};
use crate::diag::{Diag, Tag};
use crate::options::Origin;
use crate::program::ProbePattern;

use super::{Checker, R};

impl Checker<'_> {
    /// All pragmas of a script.
    pub(super) fn pragmas(&mut self, script: &Script) {
        for item in &script.items {
            if let Item::Pragma(pragma) = item {
                // Errors are in the list; the next pragma is tried.
                let _: R<()> = self.pragma(pragma);
            }
        }
    }

    fn pragma(&mut self, pragma: &Pragma) -> R<()> {
        let words: Vec<&str> = pragma.words.iter().map(String::as_str).collect();
        match (words.split_first(), pragma.d) {
            (Some((&"option", rest)), true) => self.option(pragma, rest),
            (Some((&"depends_on", rest)), true) => self.depends_on(pragma, rest),
            (Some((&"attributes", rest)), true) => self.stability(pragma, "attributes", rest),
            (Some((&"binding", rest)), true) => self.stability(pragma, "binding", rest),
            (Some((&"error", rest)), _) => {
                self.err(Tag::Pragerr, pragma.span, format!("#error: {}", rest.join(" ")))
            }
            (Some((&("line" | "ident"), _)), _) => Ok(()),
            (Some((word, _)), true) => {
                let text = format!("invalid #pragma D directive: {word}");
                let diag = Diag::new(Tag::PragmaInval, pragma.span, text)
                    .help("there are attributes, binding, depends_on, error, ident, line and option");
                Err(self.report(diag))
            }
            (None, true) => {
                self.err(Tag::PragmaMalform, pragma.span, "malformed #pragma D: a directive is missing")
            }
            // Other compilers' pragmas are none of ours.
            (_, false) => Ok(()),
        }
    }

    fn option(&mut self, pragma: &Pragma, rest: &[&str]) -> R<()> {
        // `bufsize=4m` may have been cut at its `=`.
        let joined = rest.concat();
        let spaced = rest.len() > 1 && !rest.iter().any(|w| w.contains('='));
        if joined.is_empty() {
            return self.err(Tag::PragmaMalform, pragma.span, "malformed #pragma option <option>=<val>");
        }
        if spaced {
            let text = "superfluous arguments specified for #pragma option";
            return self.err(Tag::PragmaMalform, pragma.span, text);
        }
        let (name, value) = match joined.split_once('=') {
            Some((name, value)) => (name, Some(value.trim_matches('"'))),
            None => (joined.as_str(), None),
        };
        let Err(error) = self.program.options.set(name, value, Origin::Script) else { return Ok(()) };
        let text = match value {
            Some(value) => format!("failed to set option '{name}' to '{value}': {error}"),
            None => format!("failed to set option '{name}': {error}"),
        };
        let diag = Diag::new(Tag::PragmaOptset, pragma.span, text);
        let diag = match error.help() {
            Some(help) => diag.help(help),
            None => diag,
        };
        Err(self.report(diag))
    }

    fn depends_on(&mut self, pragma: &Pragma, rest: &[&str]) -> R<()> {
        let [class, name] = rest else {
            return self.err(Tag::PragmaMalform, pragma.span, "malformed #pragma depends_on <class> <name>");
        };
        let met = match *class {
            "provider" => {
                let pattern = ProbePattern {
                    provider: (*name).to_owned(),
                    module: String::new(),
                    function: String::new(),
                    name: String::new(),
                    id: None,
                    span: pragma.span,
                };
                self.facts.probes.count(&pattern) > 0
            }
            "module" if matches!(*name, "vmlinux" | "unix" | "genunix") => true,
            "module" => self.source(Some(name)).is_some(),
            "library" => {
                let text = "main program may not explicitly depend on a library";
                return self.err(Tag::PragmaDepend, pragma.span, text);
            }
            _ => {
                let text = format!("invalid class {class} specified by #pragma depends_on");
                return self.err(Tag::PragmaInval, pragma.span, text);
            }
        };
        if met {
            return Ok(());
        }
        self.err(Tag::PragmaDepend, pragma.span, format!("program requires {class} {name}"))
    }

    /// `attributes A/B/C name` and `binding "version" name` rate a name's stability, which nothing here depends on.
    fn stability(&mut self, pragma: &Pragma, what: &str, rest: &[&str]) -> R<()> {
        if rest.len() >= 2 {
            return Ok(());
        }
        let form = if what == "binding" { "\"version\" <ident>" } else { "<attributes> <ident>" };
        self.err(Tag::PragmaMalform, pragma.span, format!("malformed #pragma {what} {form}"))
    }
}
