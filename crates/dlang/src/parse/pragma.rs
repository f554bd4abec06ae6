//! Control lines: `#pragma D …` for the checker, `#error`, and what is no D.
//!
//! Line marks (`# 12 "file"`, `#line 12`) are [`Source`](crate::source::Source)'s and pass in silence here, as empty `#` lines do.

use super::Parser;
use crate::ast::{Item, Pragma};
use crate::diag::{Diag, Tag};
use crate::lex::Control;

/// The words that D knows after `#pragma D`.
const D_PRAGMAS: [&str; 4] = ["attributes", "binding", "depends_on", "option"];

impl Parser<'_> {
    /// The control lines that the lexer has met since the last call.
    pub(super) fn pragmas(&mut self, items: &mut Vec<Item>) {
        for control in std::mem::take(&mut self.lex.controls) {
            items.extend(self.control(control).map(Item::Pragma));
        }
    }

    fn control(&mut self, control: Control) -> Option<Pragma> {
        let span = control.span;
        let quoted = control.words.first().is_some_and(|w| w.quoted);
        let words: Vec<String> = control.words.into_iter().map(|w| w.text).collect();
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        match texts.as_slice() {
            [] | ["pragma"] | ["line" | "ident", ..] | ["pragma", "line" | "ident", ..] => None,
            [number, ..] if number.bytes().all(|b| b.is_ascii_digit()) => None,
            ["error", text @ ..] | ["pragma", "error", text @ ..] => {
                let message = format!("#error: {}", text.join(" "));
                self.report(Diag::new(Tag::Pragerr, span, message));
                None
            }
            ["pragma", "D"] => {
                self.report(Diag::new(Tag::PragmaInval, span, "invalid D pragma: <none>"));
                None
            }
            ["pragma", "D", "error", text @ ..] => {
                let message = format!("#error: {}", text.join(" "));
                self.report(Diag::new(Tag::Pragerr, span, message));
                None
            }
            ["pragma", "D", "line" | "ident", ..] => None,
            ["pragma", "D", "option"] => {
                let diag = Diag::new(Tag::PragmaMalform, span, "malformed #pragma option <option>=<val>");
                self.report(diag.help("for example: #pragma D option quiet"));
                None
            }
            ["pragma", "D", "option", _, _, ..] => {
                let message = "superfluous arguments specified for #pragma option";
                let help = "one option to a line, and no space around its `=`";
                self.report(Diag::new(Tag::PragmaMalform, span, message).help(help));
                None
            }
            ["pragma", "D", name, rest @ ..] if D_PRAGMAS.contains(name) => {
                let words = std::iter::once(name).chain(rest).map(|w| (*w).to_owned()).collect();
                Some(Pragma { words, d: true, span })
            }
            ["pragma", "D", name, ..] => {
                let message = format!("invalid D pragma: {name}");
                let help = format!("D's pragmas are {}", D_PRAGMAS.join(", "));
                self.report(Diag::new(Tag::PragmaInval, span, message).help(help));
                None
            }
            // Another compiler's pragma: D, like C, leaves it alone.
            ["pragma", rest @ ..] => {
                let words = rest.iter().map(|w| (*w).to_owned()).collect();
                Some(Pragma { words, d: false, span })
            }
            [name, ..] => {
                let message = match quoted {
                    true => "invalid control directive".to_owned(),
                    false => format!("invalid control directive: #{name}"),
                };
                let mut diag = Diag::new(Tag::PragctlInval, span, message);
                if ["include", "define", "undef", "if", "ifdef", "ifndef", "else", "elif", "endif"]
                    .contains(name)
                {
                    diag = diag.help("-C runs the C preprocessor first");
                }
                self.report(diag);
                None
            }
        }
    }
}
