//! The checker: a [`Script`] and what is known of the machine in, a [`Program`] and diagnostics out.
//!
//! Items are taken in the order of the text, because D declares by use: a variable has the type of the first value it
//! gets. Within a clause the body comes before the predicate, which may read what the body sets. After an error the next
//! statement is tried; a name whose definition failed stays quiet, so that one mistake makes one message.
//!
//! - `sugar`: clauses, and `if`/`else` cut into clauses
//! - `stmt`: statements and actions; `printf`: formats against arguments
//! - `expr`: expressions by form; `ops`: operators; `access`: memory, members, symbols; `call`: subroutines, `args[]`
//! - `vars`: variables of the four scopes; `decl`: declarations and types; `inline`; `pragma`
//! - `value`: a typed value and its conversions; `fold`: arithmetic on constants

mod access;
mod call;
mod decl;
mod expr;
pub mod fold;
mod inline;
mod ops;
mod pragma;
mod printf;
mod stmt;
mod sugar;
mod value;
mod vars;

use std::collections::{HashMap, HashSet};

use crate::ast::{Item, Script};
use crate::diag::{Diag, Region, Tag};
use crate::facts::Facts;
use crate::options::Options;
use crate::program::{ProbePattern, Program, VarRef};
use crate::source::Sources;
use crate::span::Span;
use crate::types::{TypeId, Types};

use inline::InlineDef;
use value::Val;

/// Expressions inside expressions; the parser has a limit of its own, this one keeps the stack ours.
const MAX_DEPTH: u32 = 160;
/// Operators in a row, `a + b + …`, and the depth of a finished expression.
const MAX_CHAIN: usize = crate::parse::MAX_CHAIN as usize;
/// Nodes that one statement may grow to; only inlines that use inlines get near.
const MAX_NODES: u32 = 1 << 16;
/// Variables of one scope.
const MAX_VARS: usize = 1 << 14;

/// An error has been reported.
#[derive(Debug)]
struct Reported;

type R<T> = Result<T, Reported>;

/// Checks a whole script. With diagnostics there are errors, and the program must not run.
///
/// `options` are those of the command line; the script's pragmas are laid under them.
pub fn check(
    script: &Script,
    sources: &Sources,
    facts: &Facts<'_>,
    options: Options,
) -> (Program, Vec<Diag>) {
    let mut checker = Checker::new(sources, facts, options);
    checker.pragmas(script);
    for item in &script.items {
        checker.item(item);
    }
    (checker.program, checker.diags)
}

/// A global name that the script defined.
#[derive(Clone)]
enum Global {
    Scalar(u32),
    Assoc(u32),
    Inline(std::rc::Rc<InlineDef>),
}

/// A `self->` name.
#[derive(Clone, Copy)]
enum Thread {
    Scalar(u32),
    Assoc(u32),
}

struct Checker<'a> {
    sources: &'a Sources,
    facts: &'a Facts<'a>,
    types: Types,
    program: Program,
    diags: Vec<Diag>,
    globals: HashMap<String, Global>,
    locals: HashMap<String, u32>,
    threads: HashMap<String, Thread>,
    /// C types of the program's variables, by table.
    global_types: Vec<TypeId>,
    local_types: Vec<TypeId>,
    thread_types: Vec<TypeId>,
    assoc_types: Vec<TypeId>,
    assoc_keys: Vec<Vec<TypeId>>,
    /// Names whose definition failed, as written (`x`, `self->x`).
    poisoned: HashSet<String>,
    /// The global that the statement at hand is creating: not readable yet.
    pending: Option<String>,
    /// An action inside the expression at hand; refused when nothing else is wrong.
    nested_action: Option<Diag>,
    /// Inline parameters in force, innermost last.
    params: Vec<HashMap<String, Val>>,
    /// The probes of the clause at hand; empty outside clauses.
    probes: Vec<ProbePattern>,
    /// The part of the clause at hand, for messages about the command line.
    region: Option<Region>,
    /// Written clauses so far.
    written: u32,
    /// The `dtrace:::ERROR` clause of the desugaring has been made.
    has_error_clause: bool,
    depth: u32,
    nodes: u32,
}

impl<'a> Checker<'a> {
    fn new(sources: &'a Sources, facts: &'a Facts<'a>, options: Options) -> Self {
        Checker {
            sources,
            facts,
            types: Types::new(facts.btf.clone()),
            program: Program { options, ..Program::default() },
            diags: Vec::new(),
            globals: HashMap::new(),
            locals: HashMap::new(),
            threads: HashMap::new(),
            global_types: Vec::new(),
            local_types: Vec::new(),
            thread_types: Vec::new(),
            assoc_types: Vec::new(),
            assoc_keys: Vec::new(),
            poisoned: HashSet::new(),
            pending: None,
            nested_action: None,
            params: Vec::new(),
            probes: Vec::new(),
            region: None,
            written: 0,
            has_error_clause: false,
            depth: 0,
            nodes: 0,
        }
    }

    fn item(&mut self, item: &Item) {
        self.nodes = 0;
        // Errors are in the list; the next item is tried.
        let _: R<()> = match item {
            Item::Clause(clause) => {
                self.clause(clause);
                Ok(())
            }
            Item::Decl(decl) => self.declaration(decl),
            Item::Inline(inline) => self.inline(inline),
            Item::Translator(t) => self.unbuilt(t.span, "translators"),
            Item::Provider(p) => self.unbuilt(p.span, "provider declarations"),
            Item::Pragma(_) => Ok(()),
        };
    }

    fn report(&mut self, mut diag: Diag) -> Reported {
        diag.region = diag.region.or(self.region);
        if diag.help.is_none() {
            // What is wrong may well be that an action has no value.
            diag.help = self.nested_action.as_ref().and_then(|action| action.help.clone());
        }
        self.diags.push(diag);
        Reported
    }

    fn err<T>(&mut self, tag: Tag, span: Span, message: impl Into<String>) -> R<T> {
        Err(self.report(Diag::new(tag, span, message)))
    }

    fn unbuilt<T>(&mut self, span: Span, what: &str) -> R<T> {
        self.err(Tag::Unbuilt, span, format!("{what} are understood, but not built in this version"))
    }

    fn var_type(&self, var: VarRef) -> Option<TypeId> {
        match var {
            VarRef::Global(n) => self.global_types.get(n as usize).copied(),
            VarRef::Local(n) => self.local_types.get(n as usize).copied(),
            VarRef::Thread(n) => self.thread_types.get(n as usize).copied(),
        }
    }

    fn line(&self, span: Span) -> u32 {
        self.sources.location(span).map_or(0, |l| l.line)
    }
}
