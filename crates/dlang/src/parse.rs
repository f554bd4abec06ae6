//! The grammar of D by recursive descent: a text in, the tree and what was wrong out. It never fails and never hangs.
//!
//! A production that cannot go on reports why and returns [`Failed`]; only loops over items, statements and members catch it,
//! skip to where their next element may begin, and so find the next mistake. Four things bound the work: nesting of everything
//! ends at [`MAX_DEPTH`], chains of operators at [`MAX_CHAIN`] (trees can be walked and dropped on a small stack), the text is
//! abandoned after [`MAX_ERRORS`], and every loop consumes a token or ends.
//!
//! The files: `outer` what stands at a script's top level, `probe` the descriptions, `clause` predicates and statements,
//! `expr` operators, `primary` what they are applied to, `decl` declarations, `declarator` what C puts around a name, `pragma`
//! control lines.

mod clause;
mod decl;
mod declarator;
mod expr;
mod outer;
mod pragma;
mod primary;
mod probe;

pub use probe::SpecKind;

use crate::ast::Script;
use crate::diag::{Diag, Tag};
use crate::lex::{Lexer, MacroArgs, Mode};
use crate::source::{Source, Sources};
use crate::span::Span;
use crate::token::{Punct, Tok, Token};
use std::collections::HashSet;

/// Constructs inside constructs.
pub const MAX_DEPTH: u32 = 160;
/// Operators of the same kind in a row, `a + b + …`, which is a tree as high; those of chains inside chains are added up.
pub const MAX_CHAIN: u32 = 800;
/// After so many mistakes a text is not D, and more of them help nobody.
pub const MAX_ERRORS: usize = 20;

/// What a text means depends on.
pub struct Context<'a> {
    pub args: &'a MacroArgs,
    /// Is this name (`` module`name `` too) a typedef that the kernel's BTF knows, and not a D variable or function? It decides
    /// whether `(x) - 1` is a cast.
    pub is_type: &'a dyn Fn(&str) -> bool,
}

/// A tree and its mistakes; without mistakes the tree holds no [`Bad`](crate::ast::ExprKind::Bad).
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    pub script: Script,
    pub diags: Vec<Diag>,
    /// Which of `$0`, `$1`, … the text named.
    pub used_args: Vec<bool>,
}

/// A whole program: `-s FILE`. Every probe description needs a predicate or a body.
pub fn parse_script(sources: &Sources, file: u16, context: &Context<'_>) -> Parsed {
    run(sources, file, context, SpecKind::Name, true)
}

/// The argument of `-n`, `-P`, `-m`, `-f` or `-i`: a program whose probe descriptions end in the field that `kind` says and need
/// no body. `-i` is [`SpecKind::Name`].
pub fn parse_probe_desc(sources: &Sources, file: u16, kind: SpecKind, context: &Context<'_>) -> Parsed {
    run(sources, file, context, kind, false)
}

fn run(sources: &Sources, file: u16, context: &Context<'_>, kind: SpecKind, need_body: bool) -> Parsed {
    let mut lex = Lexer::new(file, sources.get(file).map(Source::text).unwrap_or_default(), context.args);
    let tok = lex.next(Mode::Outer);
    let mut parser = Parser {
        lex,
        mode: Mode::Outer,
        tok,
        prev_hi: 0,
        context,
        kind,
        need_body,
        depth: 0,
        height: 0,
        open: Vec::new(),
        in_predicate: false,
        stopped: false,
        variables: HashSet::new(),
        typedefs: HashSet::new(),
        diags: Vec::new(),
    };
    let script = parser.script();
    let mut diags = parser.lex.diags;
    diags.append(&mut parser.diags);
    diags.sort_by_key(|d| (d.span.lo, d.span.hi));
    diags.truncate(MAX_ERRORS);
    Parsed { script, diags, used_args: parser.lex.used }
}

/// DTrace refuses a program that does not name its last argument. `used` joins what the run's texts named.
pub fn unused_argument(args: &MacroArgs, used: &[bool], place: Span) -> Option<Diag> {
    let last = args.argv.len();
    let named = used.get(last).copied().unwrap_or(false);
    if last == 0 || named || args.default_args {
        return None;
    }
    let text = args.arg(last).unwrap_or_default();
    let message = format!("extraneous argument '{text}' (${last} is not referenced)");
    Some(
        Diag::new(Tag::MacroUnused, place, message).help("-x defaultargs allows arguments that are not used"),
    )
}

/// The mistake has been reported; the nearest loop recovers.
#[derive(Clone, Copy, Debug)]
struct Failed;

type Parse<T> = Result<T, Failed>;

struct Parser<'a> {
    lex: Lexer<'a>,
    mode: Mode,
    /// The token at hand, not yet consumed.
    tok: Token,
    /// Where the last consumed token ended.
    prev_hi: u32,
    context: &'a Context<'a>,
    kind: SpecKind,
    need_body: bool,
    depth: u32,
    /// Operators on the longest way down what has been parsed of the chain at hand.
    height: u32,
    /// The brackets that are open in the expression at hand, as what closes them.
    open: Vec<Punct>,
    in_predicate: bool,
    /// Nothing more is reported: the rest of the text was abandoned.
    stopped: bool,
    /// Names that hide types: declared or assigned earlier in this text.
    variables: HashSet<String>,
    typedefs: HashSet<String>,
    diags: Vec<Diag>,
}

impl Parser<'_> {
    fn bump(&mut self) -> Token {
        let next = self.lex.next(self.mode);
        let token = std::mem::replace(&mut self.tok, next);
        self.prev_hi = token.span.hi;
        token
    }

    /// Consumes the token at hand; what follows is read in another mode.
    fn bump_into(&mut self, mode: Mode) -> Token {
        self.mode = mode;
        self.lex.seek(self.tok.span.hi);
        self.bump()
    }

    /// Reads the token at hand again in another mode.
    fn reread(&mut self, mode: Mode) {
        self.mode = mode;
        self.lex.seek(self.tok.span.lo);
        self.tok = self.lex.next(mode);
    }

    /// The `n` tokens after the one at hand, as inside a clause.
    fn ahead<const N: usize>(&mut self) -> [Tok; N] {
        let pos = self.lex.pos();
        let tokens = std::array::from_fn(|_| self.lex.next(Mode::Inner).tok);
        self.lex.seek(pos);
        tokens
    }

    fn at(&self, punct: Punct) -> bool {
        self.tok.tok.is(punct)
    }

    fn at_end(&self) -> bool {
        self.tok.tok == Tok::Eof
    }

    fn eat(&mut self, punct: Punct) -> bool {
        let there = self.at(punct);
        if there {
            self.bump();
        }
        there
    }

    fn expect(&mut self, punct: Punct) -> Parse<Span> {
        match self.at(punct) {
            true => Ok(self.bump().span),
            false => Err(self.unexpected(&format!("expected `{}`", punct.text()))),
        }
    }

    /// From `lo` to the end of the last consumed token.
    fn since(&self, start: Span) -> Span {
        Span { hi: self.prev_hi.max(start.lo), ..start }
    }

    /// DTrace's message for the token at hand, with what would have been right.
    fn unexpected(&mut self, expected: &str) -> Failed {
        self.unexpected_with(expected, None)
    }

    fn unexpected_with(&mut self, expected: &str, help: Option<&str>) -> Failed {
        let near = match &self.tok.tok {
            Tok::Eof => "syntax error near end of input".to_owned(),
            _ => format!("syntax error near \"{}\"", String::from_utf8_lossy(self.lex.word(self.tok.span))),
        };
        let mut diag = Diag::new(Tag::Syntax, self.tok.span, near).label(expected);
        diag.help = help.map(str::to_owned);
        self.report(diag);
        Failed
    }

    fn report(&mut self, diag: Diag) {
        if self.stopped {
            return;
        }
        self.diags.push(diag);
        if self.diags.len() + self.lex.diags.len() >= MAX_ERRORS {
            self.stop();
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.lex.seek_end();
        self.tok = self.lex.next(self.mode);
    }

    /// One level deeper. The loops that catch [`Failed`] put `depth` back, all others decrement it.
    fn enter(&mut self) -> Parse<()> {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            return Ok(());
        }
        self.too_much(format!("nested more than {MAX_DEPTH} levels deep"))
    }

    /// One operator more in a chain.
    fn longer(&mut self) -> Parse<()> {
        self.height += 1;
        if self.height <= MAX_CHAIN {
            return Ok(());
        }
        self.too_much(format!("expression has more than {MAX_CHAIN} operators in a row"))
    }

    fn too_much(&mut self, message: String) -> Parse<()> {
        self.report(Diag::new(Tag::Nest, self.tok.span, message).label("the text is read to here"));
        self.stop();
        Err(Failed)
    }

    fn is_type(&self, name: &str) -> bool {
        let known = || crate::types::is_builtin_typedef(name) || (self.context.is_type)(name);
        !self.variables.contains(name) && (self.typedefs.contains(name) || known())
    }

    /// Skips past the next `;` or to the next `}` that belong to this level, or to the end.
    fn skip_statement(&mut self) {
        let mut nested = 0u32;
        loop {
            match &self.tok.tok {
                Tok::Eof => return,
                Tok::Punct(Punct::LBrace) => nested += 1,
                Tok::Punct(Punct::RBrace) if nested == 0 => return,
                Tok::Punct(Punct::RBrace) => nested -= 1,
                Tok::Punct(Punct::Semi) if nested == 0 => {
                    self.bump();
                    return;
                }
                _ => {}
            }
            self.bump();
        }
    }
}
