//! Clause → the layout of its record.

use super::Result;
use crate::env::Env;
use crate::error::{CodegenError, What};
use crate::record::{ActionLayout, ClauseLayout, Field, HEADER, NamePart, Source};
use lkd_dlang::program::{ActionKind, Builtin, Clause, Expr, ExprKind, Program, Stmt, Ty};

/// Bytes of a thread's name, the NUL included (`TASK_COMM_LEN`).
pub(super) const COMM: u32 = 16;
/// The kernel's default limit of frames (`perf_event_max_stack`).
pub(super) const FRAMES_MAX: u32 = 127;
/// Room in a record for the frames of the tracing itself.
const OWN_FRAMES_MAX: u32 = 8;

pub(super) fn layouts(program: &Program, env: &Env) -> Result<Vec<ClauseLayout>> {
    program.clauses.iter().enumerate().map(|(c, clause)| layout(c as u32, clause, env)).collect()
}

fn layout(index: u32, clause: &Clause, env: &Env) -> Result<ClauseLayout> {
    let mut out = ClauseLayout::default();
    if !clause.records() {
        return Ok(out);
    }
    let mut at = HEADER;
    for (stmt, s) in clause.stmts.iter().enumerate() {
        let Stmt::Action(action) = s else { continue };
        let fields = match &action.kind {
            ActionKind::Default => vec![],
            ActionKind::Trace(e) | ActionKind::Exit(e) => vec![field(e, &mut at)],
            ActionKind::Printf { args, .. } => args.iter().map(|e| field(e, &mut at)).collect(),
            ActionKind::Stack { frames } => {
                // The first ones may be the tracing's own: whoever prints knows them by name and leaves them out.
                let frames = frames.saturating_add(OWN_FRAMES_MAX).clamp(1, FRAMES_MAX);
                let offset = take(&mut at, 8 + 8 * frames, 8);
                vec![Field { ty: Ty::Void, source: Source::Stack { offset, frames } }]
            }
            ActionKind::Lkd(_) | ActionKind::Raise(_) | ActionKind::Stop => continue,
        };
        out.actions.push(ActionLayout { stmt: stmt as u32, fields });
    }
    out.size = at.next_multiple_of(8);
    // The ring keeps a page of its own and 8 bytes per record; one record must leave room for others.
    let most = env.ring_bytes / 2;
    if out.size > most {
        let what = What::RecordSize { bytes: out.size, most };
        return Err(CodegenError { clause: Some((index, clause.line)), span: Some(clause.span), what });
    }
    Ok(out)
}

fn take(at: &mut u32, size: u32, align: u32) -> u32 {
    let offset = at.next_multiple_of(align);
    *at = offset.saturating_add(size);
    offset
}

/// What is known when compiling, or by the probe's id, is not stored.
fn field(e: &Expr, at: &mut u32) -> Field {
    let source = match (&e.kind, e.ty) {
        (ExprKind::Int(v), Ty::Int { .. } | Ty::Ptr) => Source::Int(*v),
        (ExprKind::Str(s), _) => Source::Text(s.clone()),
        (ExprKind::Builtin(b), _) if name_part(*b).is_some() => {
            name_part(*b).map_or(Source::Int(0), Source::Name)
        }
        (ExprKind::Builtin(Builtin::Execname), _) => Source::Bytes { offset: take(at, COMM, 8), len: COMM },
        (_, Ty::Int { size, .. }) => {
            let len = u32::from(size).max(1);
            Source::Bytes { offset: take(at, len, len), len }
        }
        (_, Ty::Ptr) => Source::Bytes { offset: take(at, 8, 8), len: 8 },
        (_, Ty::Str { size }) => Source::Bytes { offset: take(at, size.max(1), 8), len: size.max(1) },
        (_, Ty::Mem { size }) => Source::Bytes { offset: take(at, size, 8), len: size },
        (_, Ty::Void) => Source::Int(0),
    };
    Field { ty: e.ty, source }
}

pub(super) fn name_part(b: Builtin) -> Option<NamePart> {
    Some(match b {
        Builtin::Probeprov => NamePart::Provider,
        Builtin::Probemod => NamePart::Module,
        Builtin::Probefunc => NamePart::Function,
        Builtin::Probename => NamePart::Name,
        _ => return None,
    })
}
