//! Clauses, and `if`/`else` cut into clauses.
//!
//! The cuts are DTrace's, because "matched N probes" counts clauses and the records' clause ids show them. A clause without
//! `if` stays whole. One with `if` becomes: a clause that forgets earlier errors; one per condition (the predicate is the
//! first), which sets that condition's flag; one per run of statements between the `if`s, guarded by its flag. The first
//! such clause of a script is preceded by one on `dtrace:::ERROR`, which in DTrace notes errors; here the machine notes
//! them by itself ([`Guard::NoError`]) and the clause is only there to be counted.

use crate::ast;
use crate::diag::{Diag, Region, Tag};
use crate::options::Opt;
use crate::program::{Action, ActionKind, Clause, CondId, Expr, Guard, ProbePattern, Stmt};
use crate::span::Span;

use super::value::{INT, int_const};
use super::{Checker, MAX_DEPTH, R};

/// The written clause that is being cut, and the clauses it has become so far.
struct Cut<'c> {
    clause: &'c ast::Clause,
    probes: Vec<ProbePattern>,
    written: u32,
    line: u32,
    out: Vec<Clause>,
    conditions: u32,
}

/// What must hold for a run of statements.
type Under = Option<CondId>;

impl Checker<'_> {
    pub(super) fn clause(&mut self, clause: &ast::Clause) {
        let probes: Vec<ProbePattern> = clause.probes.iter().map(pattern).collect();
        for probe in &probes {
            self.probe_exists(probe);
        }
        self.locals_begin(&probes);
        let line = self.line(clause.span);
        let mut cut = Cut { clause, probes, written: self.written, line, out: Vec::new(), conditions: 0 };
        self.written += 1;
        if has_if(&clause.body) {
            self.cut_clause(&mut cut);
        } else {
            self.whole_clause(&mut cut);
        }
        self.probes.clear();
        self.region = None;
        let cuts = cut.out.len();
        if cuts > 1 && !self.has_error_clause {
            self.has_error_clause = true;
            self.program.clauses.push(error_clause(&cut));
        }
        self.program.clauses.append(&mut cut.out);
    }

    fn locals_begin(&mut self, probes: &[ProbePattern]) {
        self.probes = probes.to_vec();
        self.nodes = 0;
    }

    /// No `if`: the body first, since the predicate may read what the body declares.
    fn whole_clause(&mut self, cut: &mut Cut<'_>) {
        let (said, poisoned) = (self.diags.len(), self.poisoned.clone());
        let mut stmts = self.block(cut.clause.body.iter());
        // But the body may read what the predicate assigns; then the other way round.
        let undefined = |d: &Diag| matches!(d.tag, Tag::IdentUndef | Tag::VarUndef);
        let again = cut.clause.predicate.is_some()
            && self.diags.len() > said
            && self.diags.iter().skip(said).all(undefined);
        if again {
            self.diags.truncate(said);
            self.poisoned = poisoned;
        }
        let predicate = cut.clause.predicate.as_ref().and_then(|p| self.predicate(p).ok());
        if again {
            stmts = self.block(cut.clause.body.iter());
        }
        cut.push(Vec::new(), predicate, stmts, cut.clause.span);
    }

    fn cut_clause(&mut self, cut: &mut Cut<'_>) {
        let mut under = None;
        cut.push(Vec::new(), None, vec![Stmt::ClearError], cut.clause.span);
        if let Some(predicate) = &cut.clause.predicate {
            under = self.set_condition(cut, predicate, None);
        }
        self.cut_stmts(cut, &cut.clause.body, under, 0);
    }

    fn cut_stmts(&mut self, cut: &mut Cut<'_>, stmts: &[ast::Stmt], under: Under, depth: u32) {
        if depth > MAX_DEPTH / 4 {
            let span = cut.clause.span;
            let _: R<()> = self.err(Tag::Nest, span, "if statements are nested too deeply");
            return;
        }
        let mut run: Vec<&ast::Stmt> = Vec::new();
        for stmt in stmts {
            match stmt {
                ast::Stmt::Empty(_) => {}
                ast::Stmt::Expr(_) => run.push(stmt),
                ast::Stmt::If { cond, then, els, .. } => {
                    self.flush(cut, &mut run, under);
                    let taken = self.set_condition(cut, cond, under);
                    self.cut_stmts(cut, then, taken, depth + 1);
                    if els.iter().any(|s| !matches!(s, ast::Stmt::Empty(_))) {
                        let other = self.set_opposite(cut, cond.span, taken, under);
                        self.cut_stmts(cut, els, other, depth + 1);
                    }
                }
            }
        }
        self.flush(cut, &mut run, under);
    }

    /// The statements gathered since the last `if`, as one clause.
    fn flush(&mut self, cut: &mut Cut<'_>, run: &mut Vec<&ast::Stmt>, under: Under) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return };
        let span = stmt_span(first).to(stmt_span(last));
        let stmts = self.block(run.drain(..));
        // As in DTrace: what stands before the first condition does not ask for errors.
        let guards = if cut.conditions == 0 { Vec::new() } else { guards(under) };
        cut.push(guards, None, stmts, span);
    }

    fn set_condition(&mut self, cut: &mut Cut<'_>, cond: &ast::Expr, under: Under) -> Under {
        let id = self.new_condition(cut);
        // A wrong condition still makes its clause, so that later ones are checked under it.
        let value = self.predicate(cond).unwrap_or_else(|_| int_const(0, INT, cond.span));
        cut.push(guards(under), None, vec![Stmt::SetCond(id, value)], cond.span);
        Some(id)
    }

    /// `else`: a flag of its own, set where the `if`'s is not.
    fn set_opposite(&mut self, cut: &mut Cut<'_>, span: Span, taken: Under, under: Under) -> Under {
        let id = self.new_condition(cut);
        let mut guards = guards(under);
        guards.extend(taken.map(|id| Guard::Cond { id, want: false }));
        cut.push(guards, None, vec![Stmt::SetCond(id, int_const(1, INT, span))], span);
        Some(id)
    }

    fn new_condition(&mut self, cut: &mut Cut<'_>) -> CondId {
        cut.conditions += 1;
        let id = CondId(self.program.conditions);
        self.program.conditions += 1;
        id
    }

    fn predicate(&mut self, cond: &ast::Expr) -> R<Expr> {
        self.region = Some(Region::Predicate);
        self.nodes = 0;
        let checked = self.expr(cond);
        let checked = self.finish(checked).and_then(|v| {
            if self.types.is_scalar(v.t) {
                return Ok(v.e);
            }
            let diag = Diag::new(Tag::PredScalar, cond.span, "predicate result must be of scalar type")
                .label(format!("this is of type {}", self.name_of(&v)));
            Err(self.report(diag))
        });
        self.region = None;
        checked
    }

    fn block<'s>(&mut self, stmts: impl Iterator<Item = &'s ast::Stmt>) -> Vec<Stmt> {
        self.region = Some(Region::ActionList);
        let (mut out, mut empty) = (Vec::new(), true);
        for stmt in stmts {
            if let ast::Stmt::Expr(e) = stmt {
                empty = false;
                self.nodes = 0;
                // The error is in the list; the next statement is tried.
                if let Ok(stmt) = self.statement(e) {
                    out.push(stmt);
                }
            }
        }
        self.region = None;
        if empty {
            let span = self.probes.first().map_or(Span::default(), |p| p.span);
            out.push(Stmt::Action(Action { kind: ActionKind::Default, span }));
        }
        out
    }

    fn probe_exists(&mut self, probe: &ProbePattern) {
        if self.facts.probes.count(probe) > 0 || self.program.options.flag(Opt::Zdefs) {
            return;
        }
        let diag = match probe.id {
            Some(id) => Diag::new(
                Tag::PdescInval,
                probe.span,
                format!("invalid probe identifier {id}: Unknown probe identifier"),
            )
            .help("dtrace -l lists the probes with their numbers"),
            None => {
                let text = format!("probe description {} does not match any probes", describe(probe));
                let near = self.facts.probes.nearest(probe);
                let diag = Diag::new(Tag::PdescZero, probe.span, text);
                if near.is_empty() { diag } else { diag.help(format!("there is {}", near.join(", "))) }
            }
        };
        self.report(diag);
    }
}

impl Cut<'_> {
    fn push(&mut self, guards: Vec<Guard>, predicate: Option<Expr>, stmts: Vec<Stmt>, span: Span) {
        self.out.push(Clause {
            probes: self.probes.clone(),
            guards,
            predicate,
            stmts,
            written: self.written,
            line: self.line,
            span,
        });
    }
}

fn guards(under: Under) -> Vec<Guard> {
    let mut guards = vec![Guard::NoError];
    guards.extend(under.map(|id| Guard::Cond { id, want: true }));
    guards
}

fn error_clause(cut: &Cut<'_>) -> Clause {
    let span = cut.clause.span;
    Clause {
        probes: vec![ProbePattern {
            provider: "dtrace".into(),
            module: String::new(),
            function: String::new(),
            name: "ERROR".into(),
            id: None,
            span,
        }],
        guards: Vec::new(),
        predicate: None,
        stmts: Vec::new(),
        written: cut.written,
        line: cut.line,
        span,
    }
}

fn has_if(stmts: &[ast::Stmt]) -> bool {
    stmts.iter().any(|s| matches!(s, ast::Stmt::If { .. }))
}

fn stmt_span(stmt: &ast::Stmt) -> Span {
    match stmt {
        ast::Stmt::Empty(span) | ast::Stmt::If { span, .. } => *span,
        ast::Stmt::Expr(e) => e.span,
    }
}

fn pattern(spec: &ast::ProbeSpec) -> ProbePattern {
    let (provider, module, function, name, id) = match &spec.kind {
        ast::ProbeSpecKind::Tuple { provider, module, function, name } => {
            (provider.clone(), module.clone(), function.clone(), name.clone(), None)
        }
        ast::ProbeSpecKind::Id(id) => (String::new(), String::new(), String::new(), String::new(), Some(*id)),
    };
    ProbePattern { provider, module, function, name, id, span: spec.span }
}

pub(super) fn describe(p: &ProbePattern) -> String {
    match p.id {
        Some(id) => id.to_string(),
        None => format!("{}:{}:{}:{}", p.provider, p.module, p.function, p.name),
    }
}
