//! DTrace's output, to the column: records become the bytes that a reader of DTrace output expects.
//!
//! [`Printer::record`] writes the row's head (CPU, ID, FUNCTION:NAME) and then each action's values: [`conv`] does printf's
//! conversions, [`bytes`] untyped memory and strings, [`stack`] return addresses, [`messages`] what goes to standard error.

pub mod bytes;
pub mod conv;
mod flow;
pub mod messages;
pub mod stack;
pub mod time;

use crate::facts::Facts;
use flow::{Flow, Indent};
use lkd_codegen::record::{BadRecord, ClauseLayout, Data, ErrorRecord, Field, NamePart, Record, Value};
use lkd_dlang::program::{Action, ActionKind, Program, Stmt, Ty};
use lkd_kernel::probes::{Catalog, ProbeId};
use std::collections::HashMap;

/// How the user wants it: `-q`, `-F`, `-x rawbytes`, `-x stackindent=N`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    pub quiet: bool,
    pub flow: bool,
    pub rawbytes: bool,
    /// Columns before a stack frame; 14 if not said.
    pub stackindent: Option<u32>,
}

/// Turns records into text. It keeps what spans records: whether the header was shown, and `-F`'s indentation.
pub struct Printer<'a> {
    program: &'a Program,
    layouts: &'a [ClauseLayout],
    catalog: &'a Catalog,
    facts: &'a Facts,
    style: Style,
    headed: bool,
    /// Rows' heads by probe, `    ID                    FUNCTION:NAME `: most records come from few probes.
    heads: HashMap<u32, Vec<u8>>,
    indents: HashMap<u32, Indent>,
}

impl<'a> Printer<'a> {
    pub fn new(
        program: &'a Program,
        layouts: &'a [ClauseLayout],
        catalog: &'a Catalog,
        facts: &'a Facts,
        style: Style,
    ) -> Printer<'a> {
        Printer {
            program,
            layouts,
            catalog,
            facts,
            style,
            headed: false,
            heads: HashMap::new(),
            indents: HashMap::new(),
        }
    }

    /// The text of one record, appended to `out`. Under `-F` the text may come with a later record of the same CPU, or with
    /// [`Printer::flush`].
    ///
    /// # Errors
    /// The record is not one of its clause; nothing has been written.
    pub fn record(&mut self, data: &Data<'_>, out: &mut Vec<u8>) -> Result<(), BadRecord> {
        let mark = out.len();
        let done = if self.style.flow { self.held(data, out) } else { self.row(data, None, out) };
        if done.is_err() {
            out.truncate(mark);
        }
        done
    }

    /// What `-F` holds back, so that nothing waits longer than one poll.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        let mut cpus: Vec<u32> = self.indents.keys().copied().collect();
        cpus.sort_unstable();
        for cpu in cpus {
            // a record that was held had been parsed when it came; it cannot go bad here
            let _ = self.release(cpu, None, out);
        }
    }

    /// `error on enabled probe ID 3 (ID 203: syscall:vmlinux:lseek:return): invalid address (0x0) in action #2`
    pub fn error(&self, e: &ErrorRecord) -> String {
        messages::error_line(e, self.catalog)
    }

    fn held(&mut self, data: &Data<'_>, out: &mut Vec<u8>) -> Result<(), BadRecord> {
        let layout = self.layouts.get(data.clause as usize).ok_or(BadRecord)?;
        let bytes = data.bytes().get(..layout.size as usize).ok_or(BadRecord)?.to_vec();
        self.release(data.cpu, Some((data.probe, data.clause)), out)?;
        self.indents.entry(data.cpu).or_default().held = Some((data.probe, data.clause, bytes));
        Ok(())
    }

    /// Prints what `cpu` holds, now that its next record is known.
    fn release(&mut self, cpu: u32, next: Option<(u32, u32)>, out: &mut Vec<u8>) -> Result<(), BadRecord> {
        let Some(mut indent) = self.indents.remove(&cpu) else { return Ok(()) };
        let mut done = Ok(());
        if let Some((probe, clause, bytes)) = indent.held.take() {
            let flow = match self.catalog.probe(ProbeId(probe)) {
                Some(p) => indent.step(p.provider, p.name, (probe, clause), next),
                None => Flow::none(indent.depth),
            };
            done = match Record::parse(&bytes)? {
                Record::Data(data) => self.row(&data, Some(flow), out),
                Record::Error(_) => Err(BadRecord),
            };
            indent.after(&flow);
        }
        self.indents.insert(cpu, indent);
        done
    }

    fn row(&mut self, data: &Data<'_>, flow: Option<Flow>, out: &mut Vec<u8>) -> Result<(), BadRecord> {
        let layout = self.layouts.get(data.clause as usize).ok_or(BadRecord)?;
        let clause = self.program.clauses.get(data.clause as usize).ok_or(BadRecord)?;
        self.head(data, flow, out);
        for action in &layout.actions {
            let Some(Stmt::Action(Action { kind, .. })) = clause.stmts.get(action.stmt as usize) else {
                return Err(BadRecord);
            };
            self.action(kind, &action.fields, data, out)?;
        }
        if !self.style.quiet {
            out.push(b'\n');
        }
        Ok(())
    }

    fn head(&mut self, data: &Data<'_>, flow: Option<Flow>, out: &mut Vec<u8>) {
        if let Some(flow) = flow {
            if !std::mem::replace(&mut self.headed, true) {
                out.extend_from_slice(format!("{:>3} {:<41}\n", "CPU", "FUNCTION").as_bytes());
            }
            let name = self.catalog.probe(ProbeId(data.probe)).map(|p| flow.label(p.function, p.name));
            out.extend_from_slice(format!("{:3} {:<41} ", data.cpu, name.unwrap_or_default()).as_bytes());
        } else if !self.style.quiet {
            if !std::mem::replace(&mut self.headed, true) {
                out.extend_from_slice(format!("{:>3} {:>6} {:>32}\n", "CPU", "ID", "FUNCTION:NAME").as_bytes());
            }
            let catalog = self.catalog;
            let head = self.heads.entry(data.probe).or_insert_with(|| {
                let name = catalog
                    .probe(ProbeId(data.probe))
                    .map(|p| format!("{}:{}", p.function, p.name))
                    .unwrap_or_default();
                format!(" {:6} {name:>32} ", data.probe).into_bytes()
            });
            conv::pad_int(u64::from(data.cpu), 3, out);
            out.extend_from_slice(head);
        }
    }

    fn action(
        &self,
        kind: &ActionKind,
        fields: &[Field],
        data: &Data<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), BadRecord> {
        match kind {
            ActionKind::Printf { format, .. } => {
                let mut args = fields.iter().map(|f| data.value(f).map(|v| (f.ty, self.named(v, data.probe))));
                let mut failed = false;
                let mut next = || match args.next() {
                    Some(Ok(arg)) => Some(arg),
                    Some(Err(_)) | None => {
                        failed = true;
                        None
                    }
                };
                conv::printf(format, &mut next, self.facts, out);
                if failed { Err(BadRecord) } else { Ok(()) }
            }
            ActionKind::Trace(_) => {
                for f in fields {
                    let value = self.named(data.value(f)?, data.probe);
                    self.trace(f.ty, value, out);
                }
                Ok(())
            }
            ActionKind::Stack { .. } => {
                for f in fields {
                    if let Value::Stack(frames) = data.value(f)? {
                        let indent = self.style.stackindent.unwrap_or(stack::INDENT);
                        stack::print(frames, self.facts, indent as usize, out);
                    }
                }
                Ok(())
            }
            // exit() has a record so that its row is shown, and nothing to say in it
            ActionKind::Default | ActionKind::Exit(_) | ActionKind::Lkd(_) | ActionKind::Raise(_) | ActionKind::Stop => Ok(()),
        }
    }

    /// A part of the probe's name becomes a string.
    fn named<'v>(&self, value: Value<'v>, probe: u32) -> Value<'v>
    where
        'a: 'v,
    {
        let Value::Name(part) = value else { return value };
        let text = self.catalog.probe(ProbeId(probe)).map(|p| match part {
            NamePart::Provider => p.provider,
            NamePart::Module => p.module,
            NamePart::Function => p.function,
            NamePart::Name => p.name,
        });
        Value::Str(text.unwrap_or_default().as_bytes())
    }

    /// trace(): integers in a column by their size, strings in one of 33, all else as a table of bytes.
    fn trace(&self, ty: Ty, value: Value<'_>, out: &mut Vec<u8>) {
        match value {
            Value::Int(v) => {
                let (size, signed) = match ty {
                    Ty::Int { size, signed } => (size, signed),
                    _ => (8, false),
                };
                // DTrace shows 4 and 8 bytes as signed and 1 and 2 bytes as unsigned, whatever the type says
                let (shown, width) = match size {
                    1 => (i64::from(v as u8), 3),
                    2 => (i64::from(v as u16), 5),
                    4 => (i64::from(v as i32), 8),
                    _ => (v as i64, 16),
                };
                let _ = signed;
                if self.style.quiet {
                    out.extend_from_slice(shown.to_string().as_bytes());
                } else {
                    out.extend_from_slice(format!(" {shown:width$}").as_bytes());
                }
            }
            Value::Str(s) => bytes::string(s, self.style.quiet, out),
            Value::Mem(b) => bytes::memory(b, self.style.quiet, self.style.rawbytes, out),
            Value::Stack(frames) => {
                let indent = self.style.stackindent.unwrap_or(stack::INDENT);
                stack::print(frames, self.facts, indent as usize, out);
            }
            Value::Name(_) => {}
        }
    }
}
