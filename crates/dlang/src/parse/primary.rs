//! The smallest expressions: constants, names, what stands in parentheses, and the words that look like functions.

use super::expr::unary_op;
use super::{Failed, Parse, Parser};
use crate::ast::{Designator, Expr, ExprKind};
use crate::diag::{Diag, Tag};
use crate::token::{Key, Punct, Tok, Token};

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parse<Expr> {
        let start = self.tok.span;
        let kind = match &mut self.tok.tok {
            Tok::Ident(name) => ExprKind::Ident(std::mem::take(name)),
            Tok::Sym { module, name } => {
                ExprKind::KernelSym { module: module.take(), name: std::mem::take(name) }
            }
            Tok::Char(value) => ExprKind::Char(*value),
            Tok::Int { lit, sign } => {
                let value = ExprKind::Int(*lit);
                let sign = sign.and_then(unary_op);
                match sign {
                    Some(op) => ExprKind::Unary(op, Box::new(Expr { kind: value, span: start })),
                    None => value,
                }
            }
            Tok::Str(_) => return Ok(self.string()),
            Tok::Agg(_) => return self.aggregation(),
            Tok::Key(key @ (Key::SelfKey | Key::This)) => {
                let key = *key;
                return self.scoped(key);
            }
            Tok::Key(Key::Offsetof) => return self.offsetof(),
            Tok::Key(Key::Xlate) => return self.xlate(),
            Tok::Key(key) => {
                let help = key.instead();
                return Err(self.unexpected_with("expected an expression", help));
            }
            _ => return Err(self.no_operand()),
        };
        self.bump();
        Ok(Expr { kind, span: start })
    }

    fn no_operand(&mut self) -> Failed {
        match (&self.tok.tok, self.open.last()) {
            (Tok::Punct(Punct::Slash), Some(_)) if self.in_predicate => {
                // Reports itself if this is the predicate's end.
                let _ = self.slash_ends_predicate().map(|_| self.unexpected("expected an expression"));
                Failed
            }
            _ => self.unfinished("expected an expression", None),
        }
    }

    /// Something else is at hand than may follow; if it is a bracket that closes nothing, DTrace says so.
    pub(super) fn unfinished(&mut self, expected: &str, help: Option<&str>) -> Failed {
        match self.tok.tok {
            Tok::Punct(close @ (Punct::RParen | Punct::RBracket)) if !self.open.contains(&close) => {
                let message = format!("extra {} in input stream", close.text());
                self.report(Diag::new(Tag::Syntax, self.tok.span, message));
                Failed
            }
            _ => self.unexpected_with(expected, help),
        }
    }

    pub(super) fn parens(&mut self) -> Parse<Expr> {
        let start = self.bump().span;
        self.open.push(Punct::RParen);
        let mut expr = self.expr()?;
        if !self.eat(Punct::RParen) {
            let plain_name = matches!(expr.kind, ExprKind::Ident(_));
            let help = plain_name.then_some("if this is a cast, the kernel's BTF does not know the type");
            return Err(self.unfinished("expected `)` or an operator", help));
        }
        self.open.pop();
        expr.span = self.since(start);
        Ok(expr)
    }

    /// Neighbouring literals are one, as in C.
    fn string(&mut self) -> Expr {
        let start = self.tok.span;
        let mut bytes = Vec::new();
        while let Tok::Str(more) = &mut self.tok.tok {
            bytes.append(more);
            self.bump();
        }
        Expr { kind: ExprKind::Str(bytes), span: self.since(start) }
    }

    fn aggregation(&mut self) -> Parse<Expr> {
        let Token { tok: Tok::Agg(name), span } = self.bump() else { return Err(Failed) };
        let keys = if self.at(Punct::LBracket) { Some(self.keys()?) } else { None };
        Ok(Expr { kind: ExprKind::Agg { name, keys }, span: self.since(span) })
    }

    /// `self->name`, `this->name`
    fn scoped(&mut self, key: Key) -> Parse<Expr> {
        let start = self.bump().span;
        if !self.eat(Punct::Arrow) {
            return Err(self.unexpected(&format!("expected `->` after `{}`", key.text())));
        }
        let Some((name, _)) = self.member_name() else {
            return Err(self.unexpected("expected a variable's name"));
        };
        let kind = if key == Key::This { ExprKind::This(name) } else { ExprKind::SelfVar(name) };
        Ok(Expr { kind, span: self.since(start) })
    }

    /// `offsetof(type, a.b[2].c)`
    fn offsetof(&mut self) -> Parse<Expr> {
        self.enter()?;
        let start = self.bump().span;
        self.expect(Punct::LParen)?;
        let ty = self.type_name()?;
        self.expect(Punct::Comma)?;
        let mut path = Vec::new();
        loop {
            let Some((name, _)) = self.member_name() else {
                return Err(self.unexpected("expected a member's name"));
            };
            path.push(Designator::Member(name));
            while self.eat(Punct::LBracket) {
                self.open.push(Punct::RBracket);
                path.push(Designator::Index(self.conditional()?));
                self.open.pop();
                self.expect(Punct::RBracket)?;
            }
            if !self.eat(Punct::Dot) {
                break;
            }
        }
        self.expect(Punct::RParen)?;
        self.depth -= 1;
        Ok(Expr { kind: ExprKind::Offsetof(Box::new(ty), path), span: self.since(start) })
    }

    /// `xlate <type>(expr)`
    fn xlate(&mut self) -> Parse<Expr> {
        let start = self.bump().span;
        self.expect(Punct::Lt)?;
        let ty = self.type_name()?;
        self.expect(Punct::Gt)?;
        if !self.at(Punct::LParen) {
            return Err(self.unexpected("expected `(` and what to translate"));
        }
        let input = Box::new(self.parens()?);
        Ok(Expr { kind: ExprKind::Xlate(Box::new(ty), input), span: self.since(start) })
    }
}
