//! Records to bytes, as DTrace prints them to the column. Pure but for names of addresses and the clock's zone, which it asks.
//!
//! - [`number`], [`convert`]: printf's conversions, one value each
//! - [`plan`]: a clause's actions with their formats taken apart, made once per script
//! - [`stack`]: frames as ``module`symbol+0x12``
//! - [`flow`]: `-F`'s indentation
//! - [`messages`]: errors and drops in DTrace's words

pub mod convert;
pub mod flow;
pub mod messages;
pub mod number;
mod plan;
pub mod stack;

use crate::facts::Facts;
use flow::Flow;
use lkd_codegen::record::{BadRecord, ClauseLayout, Data, NamePart, Value};
use lkd_dlang::program::{Program, Ty};
use lkd_kernel::probes::{Catalog, Probe, ProbeId};
use number::pad_left;
use plan::{Plan, Step};
use std::collections::HashMap;

/// How the whole output looks; from the options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// `-q`: only what actions print.
    pub quiet: bool,
    /// `-F`: indented by function entry and return.
    pub flow: bool,
    /// `-x rawbytes`: bytes are always a hex dump.
    pub rawbytes: bool,
    /// `-x stackindent`: columns before a frame; DTrace's default is 14.
    pub stackindent: Option<u32>,
}

/// What a probe's rows begin with, made at its first record.
struct Names {
    provider: Vec<u8>,
    module: Vec<u8>,
    function: Vec<u8>,
    name: Vec<u8>,
    /// `    203                     lseek:return `
    row: Vec<u8>,
}

impl Names {
    fn new(id: u32, probe: Option<Probe<'_>>) -> Names {
        let text = |t: Option<&str>| t.unwrap_or("").as_bytes().to_vec();
        let (function, name) = (probe.map_or("", |p| p.function), probe.map_or("", |p| p.name));
        let both = format!("{function}:{name}");
        Names {
            provider: text(probe.map(|p| p.provider)),
            module: text(probe.map(|p| p.module)),
            function: text(Some(function)),
            name: text(Some(name)),
            row: format!(" {id:>6} {both:>32} ").into_bytes(),
        }
    }

    fn part(&self, part: NamePart) -> &[u8] {
        match part {
            NamePart::Provider => &self.provider,
            NamePart::Module => &self.module,
            NamePart::Function => &self.function,
            NamePart::Name => &self.name,
        }
    }
}

/// Prints the records of one script.
pub struct Printer<'a> {
    catalog: &'a Catalog,
    facts: &'a Facts,
    style: Style,
    plans: Vec<Plan<'a>>,
    names: Vec<Names>,
    /// Places in `names` by probe.
    places: HashMap<u32, usize>,
    /// The last record's probe and its place: floods come from one.
    last: (u32, usize),
    flow: Flow,
    headed: bool,
}

impl<'a> Printer<'a> {
    pub fn new(
        program: &'a Program,
        layouts: &'a [ClauseLayout],
        catalog: &'a Catalog,
        facts: &'a Facts,
        style: Style,
    ) -> Printer<'a> {
        let plans =
            layouts.iter().enumerate().map(|(n, layout)| Plan::new(program.clauses.get(n), layout)).collect();
        Printer {
            catalog,
            facts,
            style,
            plans,
            names: Vec::new(),
            places: HashMap::new(),
            last: (0, 0),
            flow: Flow::default(),
            headed: false,
        }
    }

    /// One firing's record of one clause: its row, what its actions print, and the newline.
    pub fn record(&mut self, data: &Data<'_>, out: &mut Vec<u8>) -> Result<(), BadRecord> {
        if self.last.0 != data.probe || self.names.is_empty() {
            let place = *self.places.entry(data.probe).or_insert_with(|| {
                self.names.push(Names::new(data.probe, self.catalog.probe(ProbeId(data.probe))));
                self.names.len() - 1
            });
            self.last = (data.probe, place);
        }
        let names = self.names.get(self.last.1).ok_or(BadRecord)?;
        let plan = self.plans.get(data.clause as usize).ok_or(BadRecord)?;
        if !self.headed {
            self.headed = true;
            if self.style.flow {
                out.extend_from_slice(format!("{:>3} {:<41}\n", "CPU", "FUNCTION").as_bytes());
            } else if !self.style.quiet {
                out.extend_from_slice(
                    format!("{:>3} {:>6} {:>32}\n", "CPU", "ID", "FUNCTION:NAME").as_bytes(),
                );
            }
        }
        if self.style.flow {
            let mut body = Vec::new();
            show(plan, data, names, self.style, self.facts, &mut body)?;
            let fired = flow::Fired {
                cpu: data.cpu,
                probe: data.probe,
                clause: data.clause,
                provider: &names.provider,
                function: &names.function,
                name: &names.name,
            };
            self.flow.take(fired, &body, out);
            return Ok(());
        }
        if !self.style.quiet {
            let mut digits = [0; 20];
            pad_left(number::digits(u64::from(data.cpu), 10, false, &mut digits), 3, b' ', out);
            out.extend_from_slice(&names.row);
        }
        show(plan, data, names, self.style, self.facts, out)
    }

    /// Nothing more has come for now. With `-F`, a return is held back until it is known to be the last of its firing.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        self.flow.pause(out);
    }

    /// Nothing more will come: writes what [`Printer::record`] still holds back.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.flow.flush(out);
    }
}

/// What the actions print, and the newline that ends a row.
fn show(
    plan: &Plan<'_>,
    data: &Data<'_>,
    names: &Names,
    style: Style,
    facts: &Facts,
    out: &mut Vec<u8>,
) -> Result<(), BadRecord> {
    let text = |value| match value {
        Value::Name(part) => Value::Str(names.part(part)),
        other => other,
    };
    for step in &plan.steps {
        match step {
            Step::Text(bytes) => out.extend_from_slice(bytes),
            Step::Trace(field) => trace(text(data.value(field)?), field.ty, style, out),
            Step::Stack { field, frames } => {
                if let Value::Stack(pcs) = data.value(field)? {
                    stack::print(pcs, *frames, style.stackindent.unwrap_or(stack::INDENT), facts, out);
                }
            }
            Step::Convert { spec, width, precision, field } => {
                let count = |field: Option<&lkd_codegen::record::Field>| match field {
                    Some(f) => data.value(f).map(|v| match v {
                        Value::Int(n) => Some(n as i32),
                        _ => None,
                    }),
                    None => Ok(None),
                };
                let spec = spec.with(count(*width)?, count(*precision)?);
                convert::convert(&spec, text(data.value(field)?), field.ty, facts, out);
            }
        }
    }
    if !style.quiet {
        out.push(b'\n');
    }
    Ok(())
}

/// trace()'s default forms: integers right-aligned by their size, strings left-aligned, bytes as text or as a hex dump.
fn trace(value: Value<'_>, ty: Ty, style: Style, out: &mut Vec<u8>) {
    match value {
        Value::Int(n) => {
            let (n, width) = match ty {
                // DTrace shows the smallest two as unsigned, the others as signed
                Ty::Int { size: 1, .. } => (i64::from(n as u8), 3),
                Ty::Int { size: 2, .. } => (i64::from(n as u16), 5),
                Ty::Int { size: 4, .. } => (i64::from(n as i32), 8),
                _ => (n as i64, 16),
            };
            let mut digits = [0; 20];
            let (text, negative) = (number::digits(n.unsigned_abs(), 10, false, &mut digits), n < 0);
            let mut signed = Vec::with_capacity(21);
            signed.extend(negative.then_some(b'-'));
            signed.extend_from_slice(text);
            if style.quiet {
                out.extend_from_slice(&signed);
            } else {
                out.push(b' ');
                pad_left(&signed, width, b' ', out);
            }
        }
        Value::Str(s) => text(s, style, out),
        Value::Mem(bytes) => match (bytes, style.rawbytes) {
            ([a], _) => trace(Value::Int(u64::from(*a)), Ty::Int { size: 1, signed: false }, style, out),
            ([a, b], _) => trace(
                Value::Int(u64::from(u16::from_le_bytes([*a, *b]))),
                Ty::Int { size: 2, signed: false },
                style,
                out,
            ),
            ([a, b, c, d], _) => {
                trace(
                    Value::Int(u64::from(u32::from_le_bytes([*a, *b, *c, *d]))),
                    Ty::Int { size: 4, signed: false },
                    style,
                    out,
                );
            }
            ([a, b, c, d, e, f, g, h], _) => {
                trace(Value::Int(u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h])), Ty::Ptr, style, out)
            }
            (bytes, false) => match as_text(bytes) {
                Some(s) => text(s, style, out),
                None => hex_dump(bytes, out),
            },
            (bytes, true) => hex_dump(bytes, out),
        },
        Value::Stack(_) | Value::Name(_) => {}
    }
}

fn text(s: &[u8], style: Style, out: &mut Vec<u8>) {
    if style.quiet {
        out.extend_from_slice(s);
    } else {
        out.extend_from_slice(b"  ");
        number::pad_right(s, 33, out);
    }
}

/// Bytes that are printable up to a NUL and zero after it (or printable to the end) are text.
fn as_text(bytes: &[u8]) -> Option<&[u8]> {
    let printable = |&c: &u8| (b' '..=b'~').contains(&c) || (7..=13).contains(&c);
    let end = bytes.iter().position(|&c| c == 0).unwrap_or(bytes.len());
    let (s, rest) = bytes.split_at_checked(end)?;
    (end > 0 && s.iter().all(printable) && rest.iter().all(|&c| c == 0)).then_some(s)
}

fn hex_dump(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n           ");
    for i in b"0123456789abcdef" {
        out.extend_from_slice(&[b' ', b' ', *i]);
    }
    out.extend_from_slice(b"  0123456789abcdef\n");
    for (row, line) in bytes.chunks(16).enumerate() {
        out.extend_from_slice(format!("     {:5x}:", row * 16).as_bytes());
        for byte in line {
            out.extend_from_slice(format!(" {byte:02x}").as_bytes());
        }
        out.extend(std::iter::repeat_n(b' ', 3 * (16 - line.len()) + 2));
        out.extend(line.iter().map(|&c| if (b' '..=b'~').contains(&c) { c } else { b'.' }));
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
