//! `inline`: a name, maybe with parameters, that stands for an expression.

use std::collections::HashMap;
use std::rc::Rc;

use crate::ast;
use crate::diag::{Diag, Tag};
use crate::names;
use crate::span::Span;
use crate::types::{Body, Kind, TypeId};

use super::value::{Place, Val, expr};
use super::{Checker, Global, R, Reported};

/// A checked inline; its expression is checked again at every use, where `args[]` and the parameters are known.
pub(super) struct InlineDef {
    t: TypeId,
    params: Vec<(String, TypeId)>,
    value: ast::Expr,
}

impl Checker<'_> {
    pub(super) fn inline(&mut self, inline: &ast::Inline) -> R<()> {
        let checked = self.define_inline(inline);
        match checked {
            Ok(def) => {
                self.globals.insert(inline.name.clone(), Global::Inline(Rc::new(def)));
                Ok(())
            }
            Err(reported) => {
                self.poisoned.insert(inline.name.clone());
                Err(reported)
            }
        }
    }

    fn define_inline(&mut self, inline: &ast::Inline) -> R<InlineDef> {
        if self.globals.contains_key(&inline.name) || names::find(&inline.name).is_some() {
            let text = format!("identifier redefined: {}", inline.name);
            return self.err(Tag::DeclIdred, inline.name_span, text);
        }
        let t = self.type_name(&inline.ty)?;
        match self.types.base(t) {
            Kind::Void => {
                let text = format!("cannot declare void inline: {}", inline.name);
                return self.err(Tag::DeclVoidobj, inline.name_span, text);
            }
            Kind::Composite(_) if matches!(self.types.composite(t).map(|c| &c.body), Some(Body::Forward)) => {
                let text = format!("incomplete struct/union/enum {}: {}", self.types.name(t), inline.name);
                return self.err(Tag::DeclIncomplete, inline.name_span, text);
            }
            Kind::Array { .. } => {
                let text = format!("inline declaration cannot be of scalar array type: {}", inline.name);
                return self.err(Tag::DeclArrnull, inline.name_span, text);
            }
            _ => {}
        }
        let mut params = Vec::with_capacity(inline.params.len());
        for (i, param) in inline.params.iter().enumerate() {
            let t = self.type_name(&param.ty)?;
            params.push((param.name.clone().unwrap_or_else(|| format!("%{i}")), t));
        }
        let def = InlineDef { t, params, value: inline.value.clone() };
        // A trial use with parameters of unknown value finds the errors once, here.
        let trial = def
            .params
            .iter()
            .map(|(name, t)| {
                let ty = self.shape(*t);
                let e = expr(crate::program::ExprKind::Arg(0), ty, inline.span);
                (name.clone(), Val { e, t: *t, place: Place::None })
            })
            .collect();
        self.expand(&def, trial, &inline.name, inline.value.span)?;
        Ok(def)
    }

    /// `name` or `name[args]`.
    pub(super) fn use_inline(
        &mut self,
        def: &Rc<InlineDef>,
        name: &str,
        args: &[ast::Expr],
        span: Span,
    ) -> R<Val> {
        if def.params.len() != args.len() {
            let (got, s) = (args.len(), if args.len() == 1 { "" } else { "s" });
            let text =
                format!("{name}[ ] prototype mismatch: {got} arg{s} passed, {} expected", def.params.len());
            return self.err(Tag::ProtoLen, span, text);
        }
        let mut bound = HashMap::new();
        for (i, (arg, (param, t))) in args.iter().zip(&def.params).enumerate() {
            let v = self.expr(arg)?;
            let shown = self.name_of(&v);
            let Some(v) = self.coerce(v, *t) else {
                let text = format!("{name}[ ] argument #{} is incompatible with prototype", i + 1);
                let diag = Diag::new(Tag::ProtoArg, arg.span, text)
                    .label(format!("this is {shown}"))
                    .note(format!("prototype: {}", self.types.name(*t)));
                return Err(self.report(diag));
            };
            bound.insert(param.clone(), v);
        }
        let v = self.expand(def, bound, name, span)?;
        Ok(Val { e: crate::program::Expr { span, ..v.e }, ..v })
    }

    fn expand(&mut self, def: &InlineDef, params: HashMap<String, Val>, name: &str, span: Span) -> R<Val> {
        // What an argument brings in counts each time it is used.
        self.params.push(params);
        let checked = self.expr(&def.value);
        self.params.pop();
        let v = checked?;
        let shown = self.name_of(&v);
        match self.coerce(v, def.t) {
            Some(v) => Ok(v),
            None => {
                let text = format!(
                    "inline {name} definition uses incompatible types: \"{}\" = \"{shown}\"",
                    self.types.name(def.t)
                );
                let _: R<()> = self.err(Tag::OpIncompat, span, text);
                Err(Reported)
            }
        }
    }
}
