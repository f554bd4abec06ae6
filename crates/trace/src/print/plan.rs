//! A clause's actions with their formats taken apart: made once, walked for every record.

use super::convert::Spec;
use lkd_codegen::record::{ActionLayout, ClauseLayout, Field};
use lkd_dlang::format::{Count, Piece};
use lkd_dlang::program::{Action, ActionKind, Clause, Stmt};

pub struct Plan<'a> {
    pub steps: Vec<Step<'a>>,
}

pub enum Step<'a> {
    Text(&'a [u8]),
    Trace(&'a Field),
    Stack { field: &'a Field, frames: u32 },
    Convert { spec: Spec, width: Option<&'a Field>, precision: Option<&'a Field>, field: &'a Field },
}

impl<'a> Plan<'a> {
    /// A clause without actions that show something has an empty plan: its row is all.
    pub fn new(clause: Option<&'a Clause>, layout: &'a ClauseLayout) -> Plan<'a> {
        let mut steps = Vec::new();
        for action in &layout.actions {
            let stmt = clause.and_then(|c| c.stmts.get(action.stmt as usize));
            if let Some(Stmt::Action(Action { kind, .. })) = stmt {
                add(kind, action, &mut steps);
            }
        }
        Plan { steps }
    }
}

fn add<'a>(kind: &'a ActionKind, layout: &'a ActionLayout, steps: &mut Vec<Step<'a>>) {
    let first = layout.fields.first();
    match (kind, first) {
        (ActionKind::Trace(_), Some(field)) => steps.push(Step::Trace(field)),
        (ActionKind::Stack { frames }, Some(field)) => steps.push(Step::Stack { field, frames: *frames }),
        (ActionKind::Printf { format, .. }, _) => {
            let mut fields = layout.fields.iter();
            for piece in &format.pieces {
                match piece {
                    Piece::Text(text) => steps.push(Step::Text(text)),
                    Piece::Conv(conv) => {
                        let star = |count, fields: &mut std::slice::Iter<'a, Field>| match count {
                            Some(Count::Star) => fields.next(),
                            _ => None,
                        };
                        let width = star(conv.width, &mut fields);
                        let precision = star(conv.precision, &mut fields);
                        // the checker has counted the arguments: a conversion without one cannot come here
                        if let Some(field) = fields.next() {
                            steps.push(Step::Convert { spec: Spec::new(conv), width, precision, field });
                        }
                    }
                }
            }
        }
        _ => {}
    }
}
