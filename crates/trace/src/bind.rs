//! Which probe runs which clauses, and by what kind of program: patterns of a checked script against the catalogue.

use crate::facts::Facts;
use crate::provider::place;
use crate::ways::Ways;
use lkd_codegen::{Bound, Place, ProbeNames};
use lkd_dlang::program::{
    Action, ActionKind, Builtin, Clause, Expr, ExprKind, LValue, ProbePattern, Program, Stmt,
};
use lkd_dlang::span::Span;
use lkd_kernel::glob::Glob;
use lkd_kernel::probes::{Catalog, Probe, ProbeDesc, ProbeId, Site};
use std::collections::BTreeMap;

/// What came of binding a script.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// One an enabled probe, by number.
    pub bound: Vec<Bound>,
    /// DTrace's "matched N probes": every clause counts every probe that it matches.
    pub matched: u64,
    /// The same by clause and by pattern.
    pub per_pattern: Vec<Vec<u64>>,
    /// Probes that exist but cannot serve what the script wants of them.
    pub cannot: Vec<CannotBind>,
}

/// A probe that cannot run a clause, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotBind {
    pub clause: u32,
    pub span: Span,
    /// `fbt:vmlinux:vfs_read:entry`
    pub probe: String,
    pub why: String,
}

impl std::fmt::Display for CannotBind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot enable {}: {}", self.probe, self.why)
    }
}

/// From so many functions on, one `kprobe.multi` is preferred to a program for each.
const MANY: usize = 100;

/// A pattern of the script as the catalogue wants it.
pub fn desc(pattern: &ProbePattern) -> ProbeDesc {
    match pattern.id {
        Some(id) => ProbeDesc::by_id(ProbeId(id)),
        None => ProbeDesc::new(&pattern.provider, &pattern.module, &pattern.function, &pattern.name),
    }
}

/// The catalogue must have been filled for the script's patterns.
pub fn bind(program: &Program, catalog: &Catalog, facts: &Facts) -> Binding {
    let mut binding = Binding::default();
    let mut enabled: BTreeMap<ProbeId, (Probe<'_>, Vec<u32>)> = BTreeMap::new();
    for (n, clause) in (0u32..).zip(&program.clauses) {
        let mut counts = Vec::new();
        for pattern in &clause.probes {
            let mut count = 0;
            for probe in catalog.matches(&desc(pattern)) {
                count += 1;
                let (_, clauses) = enabled.entry(probe.id).or_insert((probe, Vec::new()));
                // two patterns of one clause may match one probe: it still runs once a firing
                if clauses.last() != Some(&n) {
                    clauses.push(n);
                }
            }
            counts.push(count);
        }
        binding.matched += counts.iter().sum::<u64>();
        binding.per_pattern.push(counts);
    }
    let functions = enabled.values().filter(|(probe, _)| is_function(probe.site)).count();
    let ways = if functions == 0 { Ways::default() } else { Ways { many: functions > MANY, ..facts.ways() } };
    for (id, (probe, clauses)) in enabled {
        let with_lkd = clauses.iter().find(|&&c| program.clauses.get(c as usize).is_some_and(calls_lkd));
        match place(&probe, with_lkd.is_some(), ways) {
            Ok(place) => {
                let names = ProbeNames {
                    provider: probe.provider.to_owned(),
                    module: probe.module.to_owned(),
                    function: probe.function.to_owned(),
                    name: probe.name.to_owned(),
                };
                binding.bound.push(Bound { probe: id.0, names, place, clauses });
            }
            Err(why) => {
                let clause = with_lkd.or(clauses.first()).copied().unwrap_or(0);
                let span = program.clauses.get(clause as usize).map(|c| c.span).unwrap_or_default();
                binding.cannot.push(CannotBind { clause, span, probe: probe.to_string(), why });
            }
        }
    }
    binding
}

fn is_function(site: Site) -> bool {
    matches!(site, Site::FbtEntry { .. } | Site::FbtReturn { .. })
}

fn calls_lkd(clause: &Clause) -> bool {
    clause.stmts.iter().any(|s| matches!(s, Stmt::Action(Action { kind: ActionKind::Lkd(_), .. })))
}

/// The kernel's types of program as far as a tail call tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProgramType {
    /// Raw tracepoints, and programs run by hand (BEGIN, END, tick-).
    RawTp,
    /// One kprobe at a time.
    Kprobe,
    /// Many functions by one link.
    KprobeMulti,
    /// profile-
    PerfEvent,
}

/// The type of program that serves a kind of place; fentry and fexit have none that could make a tail call.
pub fn program_type(place: Place, ways: Ways) -> Option<ProgramType> {
    match place {
        Place::Begin
        | Place::End
        | Place::User
        | Place::SysEnter { .. }
        | Place::SysExit { .. }
        | Place::RawTp { .. } => Some(ProgramType::RawTp),
        Place::Kprobe | Place::Kretprobe if ways.kprobe_multi => Some(ProgramType::KprobeMulti),
        Place::Kprobe | Place::Kretprobe => Some(ProgramType::Kprobe),
        Place::PerfEvent => Some(ProgramType::PerfEvent),
        Place::Fentry { .. } | Place::Fexit { .. } | Place::Error => None,
    }
}

/// The types of program whose lkd() triggers a script needs, each once.
pub fn trigger_kinds(bound: &[Bound], program: &Program, facts: &Facts) -> Vec<ProgramType> {
    let with_lkd =
        |b: &&Bound| b.clauses.iter().any(|&c| program.clauses.get(c as usize).is_some_and(calls_lkd));
    let kprobes = |b: &Bound| matches!(b.place, Place::Kprobe | Place::Kretprobe);
    let ways = if bound.iter().any(kprobes) { facts.ways() } else { Ways::default() };
    let mut kinds: Vec<ProgramType> =
        bound.iter().filter(with_lkd).filter_map(|b| program_type(b.place, ways)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Do the script's programs look into the current task, so that its layout is needed? System calls do, to tell 32-bit tasks apart.
pub fn needs_task(program: &Program) -> bool {
    program.clauses.iter().any(|c| {
        c.probes.iter().any(may_be_syscall) || clause_exprs(c).any(looks_into_task) || takes_stack(c)
    })
}

/// Which frames of a stack are the tracer's own depends on how this kernel calls programs, which its types tell.
fn takes_stack(clause: &Clause) -> bool {
    clause.stmts.iter().any(|s| matches!(s, Stmt::Action(Action { kind: ActionKind::Stack { .. }, .. })))
}

fn may_be_syscall(pattern: &ProbePattern) -> bool {
    let name = Glob::new(&pattern.name);
    pattern.id.is_some()
        || (Glob::new(&pattern.provider).matches("syscall")
            && (name.matches("entry") || name.matches("return")))
}

fn clause_exprs(clause: &Clause) -> impl Iterator<Item = &Expr> {
    let stmts = clause.stmts.iter().flat_map(|s| match s {
        Stmt::Eval(e) | Stmt::SetCond(_, e) => vec![e],
        Stmt::Action(Action { kind, .. }) => match kind {
            ActionKind::Trace(e) | ActionKind::Exit(e) | ActionKind::Lkd(e) | ActionKind::Raise(e) => vec![e],
            ActionKind::Printf { args, .. } => args.iter().collect(),
            ActionKind::Default | ActionKind::Stack { .. } | ActionKind::Stop => Vec::new(),
        },
        Stmt::ClearError => Vec::new(),
    });
    clause.predicate.iter().chain(stmts)
}

fn looks_into_task(e: &Expr) -> bool {
    let target = |t: &LValue| match t {
        LValue::Var(_) => false,
        LValue::Assoc { keys, .. } => keys.iter().any(looks_into_task),
    };
    match &e.kind {
        ExprKind::Builtin(b) => {
            matches!(b, Builtin::Ppid | Builtin::Vtimestamp | Builtin::Caller | Builtin::Stackdepth)
        }
        ExprKind::Int(_) | ExprKind::Str(_) | ExprKind::Arg(_) | ExprKind::Var(_) => false,
        ExprKind::Assoc { keys: es, .. } | ExprKind::Call(_, es) => es.iter().any(looks_into_task),
        ExprKind::Assign { target: t, value } | ExprKind::AssignOp { target: t, value, .. } => {
            target(t) || looks_into_task(value)
        }
        ExprKind::IncDec { target: t, .. } => target(t),
        ExprKind::Neg(a) | ExprKind::BitNot(a) | ExprKind::Not(a) | ExprKind::Convert(a) => {
            looks_into_task(a)
        }
        ExprKind::Load(a) | ExprKind::Mem(a) | ExprKind::StrAt(a) | ExprKind::LoadBits { addr: a, .. } => {
            looks_into_task(a)
        }
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) | ExprKind::StrCompare(_, a, b) => {
            looks_into_task(a) || looks_into_task(b)
        }
        ExprKind::LogAnd(a, b) | ExprKind::LogOr(a, b) | ExprKind::LogXor(a, b) | ExprKind::Comma(a, b) => {
            looks_into_task(a) || looks_into_task(b)
        }
        ExprKind::Ternary(a, b, c) => [a, b, c].into_iter().any(|e| looks_into_task(e)),
    }
}
