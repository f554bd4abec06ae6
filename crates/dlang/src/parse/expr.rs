//! Expressions, by D's precedence: C's, with `^^` between `&&` and `||`.

use super::{Failed, Parse, Parser};
use crate::ast::{BinaryOp, Expr, ExprKind, UnaryOp};
use crate::diag::{Diag, Tag};
use crate::span::Span;
use crate::token::{Key, Punct, Tok, Token};

/// How tightly a binary operator binds; all are left-associative.
fn binary_op(punct: Punct) -> Option<(BinaryOp, u8)> {
    Some(match punct {
        Punct::LogOr => (BinaryOp::LogOr, 1),
        Punct::LogXor => (BinaryOp::LogXor, 2),
        Punct::LogAnd => (BinaryOp::LogAnd, 3),
        Punct::Or => (BinaryOp::BitOr, 4),
        Punct::Xor => (BinaryOp::BitXor, 5),
        Punct::And => (BinaryOp::BitAnd, 6),
        Punct::Eq => (BinaryOp::Eq, 7),
        Punct::Ne => (BinaryOp::Ne, 7),
        Punct::Lt => (BinaryOp::Lt, 8),
        Punct::Le => (BinaryOp::Le, 8),
        Punct::Gt => (BinaryOp::Gt, 8),
        Punct::Ge => (BinaryOp::Ge, 8),
        Punct::Shl => (BinaryOp::Shl, 9),
        Punct::Shr => (BinaryOp::Shr, 9),
        Punct::Add => (BinaryOp::Add, 10),
        Punct::Sub => (BinaryOp::Sub, 10),
        Punct::Star => (BinaryOp::Mul, 11),
        Punct::Slash => (BinaryOp::Div, 11),
        Punct::Mod => (BinaryOp::Mod, 11),
        _ => return None,
    })
}

/// `None`: no assignment; `Some(None)`: `=`.
fn assign_op(punct: Punct) -> Option<Option<BinaryOp>> {
    Some(match punct {
        Punct::Assign => None,
        Punct::AddEq => Some(BinaryOp::Add),
        Punct::SubEq => Some(BinaryOp::Sub),
        Punct::MulEq => Some(BinaryOp::Mul),
        Punct::DivEq => Some(BinaryOp::Div),
        Punct::ModEq => Some(BinaryOp::Mod),
        Punct::AndEq => Some(BinaryOp::BitAnd),
        Punct::XorEq => Some(BinaryOp::BitXor),
        Punct::OrEq => Some(BinaryOp::BitOr),
        Punct::ShlEq => Some(BinaryOp::Shl),
        Punct::ShrEq => Some(BinaryOp::Shr),
        _ => return None,
    })
}

pub(super) fn unary_op(punct: Punct) -> Option<UnaryOp> {
    Some(match punct {
        Punct::Add => UnaryOp::Plus,
        Punct::Sub => UnaryOp::Neg,
        Punct::BitNot => UnaryOp::BitNot,
        Punct::Not => UnaryOp::Not,
        Punct::Star => UnaryOp::Deref,
        Punct::And => UnaryOp::AddrOf,
        _ => return None,
    })
}

impl Parser<'_> {
    /// With commas.
    pub(super) fn expr(&mut self) -> Parse<Expr> {
        self.enter()?;
        let mut expr = self.assignment()?;
        if self.at(Punct::Comma) {
            expr = self.comma_after(expr)?;
        }
        self.depth -= 1;
        Ok(expr)
    }

    fn comma_after(&mut self, mut left: Expr) -> Parse<Expr> {
        let depth = self.depth;
        while self.eat(Punct::Comma) {
            self.enter()?;
            let right = self.assignment()?;
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Comma(Box::new(left), Box::new(right)), span };
        }
        self.depth = depth;
        Ok(left)
    }

    pub(super) fn assignment(&mut self) -> Parse<Expr> {
        let target = self.conditional()?;
        match self.tok.tok {
            Tok::Punct(punct) => match assign_op(punct) {
                Some(op) => self.assign_to(target, op),
                None => Ok(target),
            },
            _ => Ok(target),
        }
    }

    fn assign_to(&mut self, target: Expr, op: Option<BinaryOp>) -> Parse<Expr> {
        self.enter()?;
        if let (None, ExprKind::Ident(name)) = (op, &target.kind) {
            let name = name.clone();
            self.variables.insert(name);
        }
        self.bump();
        let value = Box::new(self.assignment()?);
        self.depth -= 1;
        let span = target.span.to(value.span);
        Ok(Expr { kind: ExprKind::Assign { op, target: Box::new(target), value }, span })
    }

    /// Without assignment and comma: what C calls a constant expression.
    pub(super) fn conditional(&mut self) -> Parse<Expr> {
        let cond = self.binary(1)?;
        if self.at(Punct::Question) { self.choose(cond) } else { Ok(cond) }
    }

    fn choose(&mut self, cond: Expr) -> Parse<Expr> {
        self.enter()?;
        self.bump();
        let then = Box::new(self.expr()?);
        if !self.eat(Punct::Colon) {
            return Err(self.unexpected("expected `:` and the value for false"));
        }
        let els = Box::new(self.conditional()?);
        self.depth -= 1;
        let span = cond.span.to(els.span);
        Ok(Expr { kind: ExprKind::Ternary { cond: Box::new(cond), then, els }, span })
    }

    /// `height` meanwhile is that of the chain at hand; what came before it beside it is put back.
    fn binary(&mut self, min: u8) -> Parse<Expr> {
        let beside = std::mem::take(&mut self.height);
        let left = self.cast()?;
        let all = match self.tok.tok {
            Tok::Punct(punct) if binary_op(punct).is_some() => self.binary_after(left, min)?,
            _ => left,
        };
        self.height = self.height.max(beside);
        Ok(all)
    }

    fn binary_after(&mut self, mut left: Expr, min: u8) -> Parse<Expr> {
        while let Tok::Punct(punct) = self.tok.tok {
            let Some((op, tightness)) = binary_op(punct).filter(|(_, t)| *t >= min) else { break };
            if op == BinaryOp::Div && self.slash_ends_predicate()? {
                break;
            }
            self.bump();
            self.enter()?;
            let right = self.binary(tightness + 1)?;
            self.depth -= 1;
            self.longer()?;
            let span = left.span.to(right.span);
            left = Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), span };
        }
        Ok(left)
    }

    /// D tells a division from a predicate's end by what follows the `/`.
    pub(super) fn slash_ends_predicate(&mut self) -> Parse<bool> {
        if !self.in_predicate {
            return Ok(false);
        }
        self.lex.seek(self.tok.span.hi);
        if !self.lex.slash_closes() {
            return Ok(false);
        }
        let Some(close) = self.open.last() else { return Ok(true) };
        let message = format!("closing {} expected in predicate before /", close.text());
        self.report(Diag::new(Tag::Syntax, self.tok.span, message));
        Err(Failed)
    }

    /// A cast, a prefix operator, or what they are applied to.
    fn cast(&mut self) -> Parse<Expr> {
        if self.at(Punct::LParen) && self.type_in_parens(true) {
            return self.cast_to_type();
        }
        self.unary()
    }

    fn cast_to_type(&mut self) -> Parse<Expr> {
        self.enter()?;
        let start = self.bump().span;
        let ty = Box::new(self.type_name()?);
        self.expect(Punct::RParen)?;
        let operand = Box::new(self.cast()?);
        self.depth -= 1;
        let span = start.to(operand.span);
        Ok(Expr { kind: ExprKind::Cast(ty, operand), span })
    }

    fn prefix(&mut self) -> Parse<Expr> {
        self.enter()?;
        let Token { tok: Tok::Punct(punct), span: start } = self.bump() else { return Err(Failed) };
        let operand = Box::new(self.cast()?);
        self.depth -= 1;
        let span = start.to(operand.span);
        let Some(op) = unary_op(punct) else { return Err(Failed) };
        Ok(Expr { kind: ExprKind::Unary(op, operand), span })
    }

    /// What `sizeof`, `++` and their like take: no cast.
    fn unary(&mut self) -> Parse<Expr> {
        match self.tok.tok {
            Tok::Punct(Punct::Inc | Punct::Dec) => self.inc_dec(),
            Tok::Punct(punct) if unary_op(punct).is_some() => self.prefix(),
            Tok::Key(key @ (Key::Sizeof | Key::Stringof)) => self.sizeof_or_stringof(key),
            _ => self.postfix(),
        }
    }

    fn inc_dec(&mut self) -> Parse<Expr> {
        self.enter()?;
        let token = self.bump();
        let target = Box::new(self.unary()?);
        self.depth -= 1;
        let span = token.span.to(target.span);
        Ok(Expr { kind: ExprKind::IncDec { inc: token.tok.is(Punct::Inc), prefix: true, target }, span })
    }

    /// At a `(`: does a type follow? A name is one if it is known as such, or if nothing else would make sense: `(x *)p`, `(x)p`.
    fn type_in_parens(&mut self, for_cast: bool) -> bool {
        let [first, second, third] = self.ahead();
        let known = match &first {
            Tok::Key(key) => return super::decl::is_type_key(*key),
            Tok::Ident(name) => self.is_type(name),
            Tok::Sym { module, name } => {
                self.is_type(&format!("{}`{name}", module.as_deref().unwrap_or_default()))
            }
            _ => return false,
        };
        match second {
            Tok::Punct(Punct::RParen) if !for_cast => known,
            Tok::Punct(Punct::RParen) if known => begins_operand(&third),
            Tok::Punct(Punct::RParen) => begins_operand(&third) && !matches!(third, Tok::Punct(_)),
            // `(foo_t *)`, `(foo_t **)`, `(foo_t *const)`, `(foo_t *[2])`, and not `(a * b)`, `(a * *p)`.
            Tok::Punct(Punct::Star) => match third {
                Tok::Punct(Punct::RParen) | Tok::Key(Key::Const | Key::Volatile | Key::Restrict) => true,
                Tok::Punct(Punct::Star) => self.stars_end_in_paren(),
                Tok::Punct(Punct::LBracket) => known,
                Tok::Punct(Punct::LParen) => known && self.declarator_in_parens(3),
                _ => false,
            },
            Tok::Punct(Punct::LParen) => known && third.is(Punct::Star),
            Tok::Key(Key::Const | Key::Volatile | Key::Restrict) => true,
            _ => false,
        }
    }

    fn stars_end_in_paren(&mut self) -> bool {
        const STARS: usize = 8;
        let tokens = self.ahead::<{ STARS + 2 }>();
        let mut rest = tokens.iter().skip(1).skip_while(|t| t.is(Punct::Star));
        rest.next().is_some_and(|t| t.is(Punct::RParen))
    }

    /// Does the token after the first `skip` ones begin `*…`, as in `int (*)(void)`?
    fn declarator_in_parens(&mut self, skip: usize) -> bool {
        self.ahead::<4>().get(skip).is_some_and(|t| t.is(Punct::Star))
    }

    fn sizeof_or_stringof(&mut self, key: Key) -> Parse<Expr> {
        self.enter()?;
        let start = self.bump().span;
        let kind = if key == Key::Stringof {
            ExprKind::Stringof(Box::new(self.unary()?))
        } else if self.at(Punct::LParen) && self.type_in_parens(false) {
            self.bump();
            let ty = self.type_name()?;
            self.expect(Punct::RParen)?;
            ExprKind::SizeofType(Box::new(ty))
        } else {
            ExprKind::SizeofExpr(Box::new(self.unary()?))
        };
        self.depth -= 1;
        Ok(Expr { kind, span: self.since(start) })
    }

    fn postfix(&mut self) -> Parse<Expr> {
        let expr = if self.at(Punct::LParen) { self.parens()? } else { self.primary()? };
        match self.tok.tok {
            Tok::Punct(punct) if is_postfix(punct) => self.postfix_after(expr),
            _ => Ok(expr),
        }
    }

    fn postfix_after(&mut self, mut base: Expr) -> Parse<Expr> {
        let depth = self.depth;
        while let Tok::Punct(punct) = self.tok.tok {
            if !is_postfix(punct) {
                break;
            }
            self.enter()?;
            let start = base.span;
            let kind = self.postfix_step(base, punct)?;
            base = Expr { kind, span: self.since(start) };
        }
        self.depth = depth;
        Ok(base)
    }

    fn postfix_step(&mut self, base: Expr, punct: Punct) -> Parse<ExprKind> {
        match punct {
            Punct::LBracket => {
                let base = Box::new(base);
                Ok(ExprKind::Index { base, index: self.keys()? })
            }
            Punct::LParen => self.call(base),
            Punct::Inc | Punct::Dec => {
                self.bump();
                Ok(ExprKind::IncDec { inc: punct == Punct::Inc, prefix: false, target: Box::new(base) })
            }
            _ => {
                self.bump();
                let Some((name, name_span)) = self.member_name() else {
                    return Err(self.unexpected("expected a member's name"));
                };
                let base = Box::new(base);
                Ok(match punct {
                    Punct::Dot => ExprKind::Member { base, name, name_span },
                    _ => ExprKind::Arrow { base, name, name_span },
                })
            }
        }
    }

    fn call(&mut self, callee: Expr) -> Parse<ExprKind> {
        self.bump();
        let args = if self.at(Punct::RParen) { Vec::new() } else { self.list(Punct::RParen)? };
        self.expect(Punct::RParen)?;
        let name = match callee.kind {
            ExprKind::Ident(name) => name,
            ExprKind::KernelSym { module, name } => format!("{}`{name}", module.unwrap_or_default()),
            _ => {
                let message = "function designator is not of function type";
                self.report(
                    Diag::new(Tag::FuncIdent, callee.span, message).label("only a name can be called"),
                );
                return Ok(ExprKind::Bad);
            }
        };
        Ok(ExprKind::Call { name, name_span: callee.span, args })
    }

    /// `[expr, …]`
    pub(super) fn keys(&mut self) -> Parse<Vec<Expr>> {
        self.bump();
        let keys = self.list(Punct::RBracket)?;
        self.expect(Punct::RBracket)?;
        Ok(keys)
    }

    /// Expressions between commas, at least one, inside brackets.
    fn list(&mut self, close: Punct) -> Parse<Vec<Expr>> {
        self.open.push(close);
        let mut list = Vec::new();
        loop {
            let depth = self.depth;
            self.enter()?;
            list.push(self.assignment()?);
            self.depth = depth;
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        if !self.at(close) {
            return Err(self.unfinished(&format!("expected `,`, `{}` or an operator", close.text()), None));
        }
        self.open.pop();
        Ok(list)
    }

    /// A name after `.`, `->` or in a list of members: D's own words may be the kernel's members.
    pub(super) fn member_name(&mut self) -> Option<(String, Span)> {
        let name = match &self.tok.tok {
            Tok::Ident(name) => name.clone(),
            Tok::Key(key) => key.text().to_owned(),
            _ => return None,
        };
        Some((name, self.bump().span))
    }
}

fn is_postfix(punct: Punct) -> bool {
    matches!(punct, Punct::LBracket | Punct::LParen | Punct::Dot | Punct::Arrow | Punct::Inc | Punct::Dec)
}

/// Can this token begin what a cast is applied to?
fn begins_operand(tok: &Tok) -> bool {
    match tok {
        Tok::Ident(_) | Tok::Sym { .. } | Tok::Int { .. } | Tok::Char(_) | Tok::Str(_) | Tok::Agg(_) => true,
        Tok::Key(key) => {
            matches!(key, Key::SelfKey | Key::This | Key::Sizeof | Key::Stringof | Key::Offsetof | Key::Xlate)
        }
        Tok::Punct(Punct::LParen | Punct::Inc | Punct::Dec) => true,
        Tok::Punct(punct) => unary_op(*punct).is_some(),
        _ => false,
    }
}
