//! Clauses: `probes /predicate/ { statements }`.

use super::{Failed, Parse, Parser};
use crate::ast::{Clause, Expr, ExprKind, Stmt};
use crate::diag::{Diag, Tag};
use crate::lex::Mode;
use crate::span::Span;
use crate::token::{Key, Punct, Tok};

impl Parser<'_> {
    pub(super) fn clause(&mut self) -> Parse<Clause> {
        let start = self.tok.span;
        let probes = self.probe_specs()?;
        let specs = self.since(start);
        let predicate = if self.at(Punct::Slash) { Some(self.predicate()?) } else { None };
        let mut body = Vec::new();
        let mut body_span = Span { lo: self.prev_hi, hi: self.prev_hi, ..start };
        if self.at(Punct::LBrace) {
            body_span = self.tok.span;
            self.bump_into(Mode::Inner);
            body = self.block(body_span, Mode::Outer)?;
            body_span = self.since(body_span);
        } else if predicate.is_some() {
            let message = "expected actions { } following probe description and predicate";
            self.report(
                Diag::new(Tag::Syntax, self.since(start), message).help("{ } records that the probe fired"),
            );
            return Err(Failed);
        } else if self.need_body && matches!(self.tok.tok, Tok::Eof | Tok::Spec(_) | Tok::Int { .. }) {
            let message = "expected predicate and/or actions following probe description";
            self.report(Diag::new(Tag::Syntax, specs, message).help("{ } records that the probe fired"));
            return Ok(Clause { probes, predicate, body, span: specs, body_span });
        } else if self.need_body || !matches!(self.tok.tok, Tok::Eof | Tok::Spec(_) | Tok::Int { .. }) {
            return Err(self.unexpected("expected `,`, `/` or `{` after a probe description"));
        }
        Ok(Clause { probes, predicate, body, span: self.since(start), body_span })
    }

    /// `/ expression /`
    fn predicate(&mut self) -> Parse<Expr> {
        self.bump_into(Mode::Inner);
        if self.at(Punct::Slash) {
            return Err(self.unexpected_with(
                "a predicate holds an expression",
                Some("leave both slashes out for none; comments are written /* */"),
            ));
        }
        self.in_predicate = true;
        self.open.clear();
        let expr = self.expr();
        self.in_predicate = false;
        let expr = expr?;
        if !self.at(Punct::Slash) {
            return Err(self.unexpected("expected an operator, or `/` and `{` after the predicate"));
        }
        self.bump_into(Mode::Outer);
        Ok(expr)
    }

    /// Statements up to the `}` that matches the consumed `open`; what follows it is read in mode `after`.
    fn block(&mut self, open: Span, after: Mode) -> Parse<Vec<Stmt>> {
        let mut stmts = Vec::new();
        loop {
            match &self.tok.tok {
                Tok::Punct(Punct::RBrace) => {
                    self.bump_into(after);
                    return Ok(stmts);
                }
                Tok::Eof => {
                    let near = "syntax error near end of input";
                    let diag = Diag::new(Tag::Syntax, self.tok.span, near).label("expected `}`");
                    self.report(diag.also(open, "to close this"));
                    return Err(Failed);
                }
                _ => {}
            }
            let (depth, start) = (self.depth, self.tok.span);
            self.open.clear();
            match self.statement() {
                Ok(stmt) => stmts.push(stmt),
                Err(Failed) => {
                    self.depth = depth;
                    self.skip_statement();
                    stmts.push(bad(self.since(start)));
                }
            }
        }
    }

    fn statement(&mut self) -> Parse<Stmt> {
        let start = self.tok.span;
        match &self.tok.tok {
            Tok::Punct(Punct::Semi) => Ok(Stmt::Empty(self.bump().span)),
            Tok::Key(Key::If) => self.if_statement(),
            Tok::Key(Key::Else) => Err(self.unexpected("there is no `if` that this `else` could belong to")),
            Tok::Key(key) if key.instead().is_some() => {
                let help = key.instead();
                let failed = self.unexpected_with("expected a statement", help);
                self.skip_foreign().then(|| bad(self.since(start))).ok_or(failed)
            }
            Tok::Punct(Punct::LBrace) => {
                Err(self
                    .unexpected_with("expected a statement", Some("a block belongs to an `if` or an `else`")))
            }
            _ => {
                if self.at_declaration() {
                    let help = "variables are declared outside clauses, or by assigning to them";
                    return Err(self.unexpected_with("expected a statement", Some(help)));
                }
                let expr = self.expr()?;
                if !self.at(Punct::RBrace) && !self.eat(Punct::Semi) {
                    return Err(self.unfinished("expected `;` or an operator", None));
                }
                Ok(Stmt::Expr(expr))
            }
        }
    }

    /// Past another language's `word (…) {…}`; false if it does not look like one.
    fn skip_foreign(&mut self) -> bool {
        self.bump();
        let mut nested = 0u32;
        while nested > 0 || self.at(Punct::LParen) {
            match self.tok.tok {
                Tok::Punct(Punct::LParen) => nested += 1,
                Tok::Punct(Punct::RParen) => nested -= 1,
                Tok::Punct(Punct::LBrace | Punct::RBrace) | Tok::Eof => return false,
                _ => {}
            }
            self.bump();
        }
        if !self.at(Punct::LBrace) {
            return false;
        }
        self.bump();
        while !self.at(Punct::RBrace) && !self.at_end() {
            self.skip_statement();
        }
        self.eat(Punct::RBrace)
    }

    fn if_statement(&mut self) -> Parse<Stmt> {
        self.enter()?;
        let start = self.bump().span;
        self.expect(Punct::LParen)?;
        self.open.push(Punct::RParen);
        let cond = self.expr()?;
        self.open.pop();
        self.expect(Punct::RParen)?;
        let then = self.statement_or_block()?;
        let els = if self.tok.tok == Tok::Key(Key::Else) {
            self.bump();
            self.statement_or_block()?
        } else {
            Vec::new()
        };
        self.depth -= 1;
        Ok(Stmt::If { cond, then, els, span: self.since(start) })
    }

    fn statement_or_block(&mut self) -> Parse<Vec<Stmt>> {
        if self.at(Punct::LBrace) {
            let open = self.bump().span;
            return self.block(open, Mode::Inner);
        }
        Ok(vec![self.statement()?])
    }

    /// Does the token at hand begin a declaration? `foo_t x` does, `foo_t = 1` does not.
    fn at_declaration(&mut self) -> bool {
        match &self.tok.tok {
            Tok::Key(Key::SelfKey | Key::This) => matches!(self.ahead::<1>(), [Tok::Key(_) | Tok::Ident(_)]),
            Tok::Key(key) => super::decl::starts_declaration(*key),
            Tok::Ident(name) if self.is_type(name) => matches!(self.ahead::<1>(), [Tok::Ident(_)]),
            _ => false,
        }
    }
}

/// Stands for a statement that could not be read.
fn bad(span: Span) -> Stmt {
    Stmt::Expr(Expr { kind: ExprKind::Bad, span })
}
