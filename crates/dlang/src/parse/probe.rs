//! Probe descriptions: `provider:module:function:name`, fields left out from the left, macros put in.

use super::{Parse, Parser};
use crate::ast::{ProbeSpec, ProbeSpecKind};
use crate::diag::{Diag, Tag};
use crate::span::Span;
use crate::token::{Punct, Tok};

/// Which field a description ends in: `-P`, `-m`, `-f`, `-n` and scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpecKind {
    Provider,
    Module,
    Function,
    Name,
}

impl SpecKind {
    fn fields(self) -> usize {
        match self {
            SpecKind::Provider => 1,
            SpecKind::Module => 2,
            SpecKind::Function => 3,
            SpecKind::Name => 4,
        }
    }

    fn plural(self) -> &'static str {
        match self {
            SpecKind::Provider => "providers",
            SpecKind::Module => "modules",
            SpecKind::Function => "functions",
            SpecKind::Name => "names",
        }
    }
}

impl Parser<'_> {
    /// `spec, spec, …`; the token at hand begins the first. Stops before `/`, `{` or whatever follows.
    pub(super) fn probe_specs(&mut self) -> Parse<Vec<ProbeSpec>> {
        let mut specs = Vec::new();
        loop {
            let span = self.tok.span;
            let kind = match &self.tok.tok {
                Tok::Spec(text) => {
                    let text = text.clone();
                    self.probe_fields(&text, span)
                }
                Tok::Int { lit, .. } => {
                    let id = lit.value;
                    self.probe_id(id, span)
                }
                _ => return Err(self.unexpected("expected a probe description")),
            };
            self.bump();
            specs.extend(kind.map(|kind| ProbeSpec { kind, span }));
            if !self.eat(Punct::Comma) {
                return Ok(specs);
            }
        }
    }

    fn probe_id(&mut self, id: u64, span: Span) -> Option<ProbeSpecKind> {
        if self.kind != SpecKind::Name {
            let what = self.kind.plural();
            let message = format!("probe identifier {id} not permitted when specifying {what}");
            self.report(Diag::new(Tag::PdescInval, span, message).help("probe numbers go with -i or -n"));
            return None;
        }
        match u32::try_from(id) {
            Ok(id) => Some(ProbeSpecKind::Id(id)),
            Err(_) => {
                let message = format!("identifier {id} exceeds maximum probe id");
                self.report(Diag::new(Tag::PdescInval, span, message));
                None
            }
        }
    }

    fn probe_fields(&mut self, text: &str, span: Span) -> Option<ProbeSpecKind> {
        let written: Vec<&str> = text.split(':').collect();
        let room = self.kind.fields();
        if written.len() > room {
            let message = format!("invalid probe description \"{text}\": Overspecified probe description");
            let form = match self.kind {
                SpecKind::Provider => "provider",
                SpecKind::Module => "provider:module",
                SpecKind::Function => "provider:module:function",
                SpecKind::Name => "provider:module:function:name",
            };
            let label = format!("{} fields, the form is {form}", written.len());
            self.report(Diag::new(Tag::PdescInval, span, message).label(label));
            return None;
        }
        let mut fields: [String; 4] = Default::default();
        for (field, part) in fields.iter_mut().skip(room - written.len()).zip(written) {
            match self.substituted(part) {
                Some(text) => *field = text,
                None => {
                    let message = format!(
                        "invalid probe description \"{text}\": Undefined macro variable in probe description"
                    );
                    let mut diag = Diag::new(Tag::PdescInval, span, message);
                    if part.contains("$target") {
                        diag = diag.help("name a process with -p PID or -c COMMAND");
                    }
                    self.report(diag);
                    return None;
                }
            }
        }
        let [provider, module, function, name] = fields;
        Some(ProbeSpecKind::Tuple { provider, module, function, name })
    }

    /// A field with its macro put in; `None` if that has no value. One macro to a field: a name reaches to the field's end, a
    /// number to its last digit.
    fn substituted(&mut self, field: &str) -> Option<String> {
        let Some((before, after)) = field.split_once('$') else { return Some(field.to_owned()) };
        let reference = after.strip_prefix('$').unwrap_or(after);
        let digits = reference.find(|c: char| !c.is_ascii_digit()).unwrap_or(reference.len());
        let (value, rest) = match digits {
            0 => (self.context.args.variable(reference)?.to_string(), ""),
            _ => {
                let index: usize = reference.get(..digits)?.parse().ok()?;
                if let Some(used) = self.lex.used.get_mut(index) {
                    *used = true;
                }
                (self.context.args.arg(index)?.to_owned(), reference.get(digits..)?)
            }
        };
        Some(format!("{before}{value}{rest}"))
    }
}
