//! What C writes around a declared name: stars before it, brackets and parentheses after it, parentheses to group.

use super::{MAX_DEPTH, Parse, Parser};
use crate::ast::{Derive, Param, TypeName};
use crate::diag::{Diag, Tag};
use crate::span::Span;
use crate::token::{Key, Punct, Tok};

/// A declarator taken apart; an abstract one has no name.
#[derive(Default)]
pub(super) struct Declared {
    pub name: Option<(String, Span)>,
    /// Nearest the name first.
    pub derive: Vec<Derive>,
    /// The keys of an associative array with the names that an inline gives them.
    pub keys: Vec<Param>,
}

/// May a name stand in the middle?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Allowed,
    /// `translator a < struct b *name >`: the name after the stars is not the type's.
    Never,
}

impl Parser<'_> {
    /// A parameter's declarator may lack a name; the other callers look.
    pub(super) fn declarator(&mut self) -> Parse<Declared> {
        self.declarator_as(Naming::Allowed)
    }

    pub(super) fn abstract_declarator(&mut self) -> Parse<Vec<Derive>> {
        Ok(self.declarator_as(Naming::Never)?.derive)
    }

    fn declarator_as(&mut self, naming: Naming) -> Parse<Declared> {
        self.enter()?;
        let depth = self.depth;
        let mut stars = 0;
        while matches!(
            self.tok.tok,
            Tok::Punct(Punct::Star) | Tok::Key(Key::Const | Key::Volatile | Key::Restrict | Key::Userland)
        ) {
            if self.at(Punct::Star) {
                stars += 1;
                self.enter()?;
            }
            self.bump();
        }
        let mut declared = self.direct_declarator(naming)?;
        declared.derive.extend((0..stars).map(|_| Derive::Pointer));
        if declared.derive.len() > MAX_DEPTH as usize {
            // `x[1][1][1]…`: a type as high as this is as hard to walk as a tree.
            self.depth = MAX_DEPTH;
            self.enter()?;
        }
        self.depth = depth - 1;
        Ok(declared)
    }

    /// A name, a group or nothing, then brackets and parameter lists.
    fn direct_declarator(&mut self, naming: Naming) -> Parse<Declared> {
        let span = self.tok.span;
        let mut declared = Declared::default();
        let groups = self.at(Punct::LParen) && self.groups(naming);
        match &self.tok.tok {
            Tok::Ident(name) if naming == Naming::Allowed => {
                declared.name = Some((name.clone(), span));
                self.bump();
            }
            Tok::Sym { module, name } if naming == Naming::Allowed => {
                let text = format!("{}`{name}", module.as_deref().unwrap_or_default());
                let message = format!("D scoping operator may not be used in a declaration name ({text})");
                declared.name = Some((name.clone(), span));
                self.report(Diag::new(Tag::DeclScope, span, message));
                self.bump();
            }
            _ if groups => {
                self.bump();
                declared = self.declarator_as(naming)?;
                self.expect(Punct::RParen)?;
            }
            _ => {}
        }
        loop {
            if self.eat(Punct::LBracket) {
                self.array(&mut declared)?;
            } else if self.eat(Punct::LParen) {
                let (params, variadic) = self.params()?;
                declared.derive.push(Derive::Function { params, variadic });
            } else {
                return Ok(declared);
            }
        }
    }

    /// At a `(`: does it group (`(*f)`), or does it open the parameters of a function without a name (`(int)`)?
    fn groups(&mut self, naming: Naming) -> bool {
        let [next] = self.ahead();
        match next {
            Tok::Punct(Punct::Star | Punct::LParen | Punct::LBracket) => true,
            Tok::Ident(name) => naming == Naming::Allowed && !self.is_type(&name),
            _ => false,
        }
    }

    /// After `[`: nothing, a constant, or the types of an associative array's keys.
    fn array(&mut self, declared: &mut Declared) -> Parse<()> {
        if self.eat(Punct::RBracket) {
            declared.derive.push(Derive::Array(None));
            return Ok(());
        }
        if !self.at_type() && !self.at(Punct::Ellipsis) {
            self.open.push(Punct::RBracket);
            let size = self.conditional()?;
            self.open.pop();
            declared.derive.push(Derive::Array(Some(size)));
            self.expect(Punct::RBracket)?;
            return Ok(());
        }
        let keys = if self.at(Punct::Ellipsis) { Vec::new() } else { self.param_list()? };
        if self.at(Punct::Ellipsis) {
            let message = "array prototype may not use a variable-length argument list";
            self.report(Diag::new(Tag::DeclProtoVarargs, self.tok.span, message));
            self.bump();
        }
        self.expect(Punct::RBracket)?;
        declared.derive.push(Derive::Keys(keys.iter().map(|p| p.ty.clone()).collect()));
        declared.keys = keys;
        Ok(())
    }

    /// In brackets: is it a type, and not a constant? An unknown name is one where no constant could go on so.
    fn at_type(&mut self) -> bool {
        match &self.tok.tok {
            Tok::Key(key) => super::decl::is_type_key(*key),
            Tok::Ident(name) if name == "_Bool" || self.is_type(name) => true,
            Tok::Ident(_) => {
                let [second, third] = self.ahead();
                let ends = |t: &Tok| t.is(Punct::RBracket) || t.is(Punct::Comma) || t.is(Punct::Star);
                second.is(Punct::Comma) || second.is(Punct::Star) && ends(&third)
            }
            Tok::Sym { module, name } => {
                self.is_type(&format!("{}`{name}", module.as_deref().unwrap_or_default()))
            }
            _ => false,
        }
    }

    /// After `(`: parameters and the `)`. `(void)` is no parameters.
    pub(super) fn params(&mut self) -> Parse<(Vec<Param>, bool)> {
        if self.eat(Punct::RParen) {
            return Ok((Vec::new(), false));
        }
        if self.tok.tok == Tok::Key(Key::Void) && self.ahead::<1>()[0].is(Punct::RParen) {
            self.bump();
            self.bump();
            return Ok((Vec::new(), false));
        }
        let params = if self.at(Punct::Ellipsis) { Vec::new() } else { self.param_list()? };
        let variadic = self.eat(Punct::Ellipsis);
        self.expect(Punct::RParen)?;
        Ok((params, variadic))
    }

    /// At least one; stops before what is no parameter, `...` for one.
    fn param_list(&mut self) -> Parse<Vec<Param>> {
        let mut params = Vec::new();
        loop {
            self.enter()?;
            let start = self.tok.span;
            if let Tok::Key(
                key @ (Key::Auto | Key::Static | Key::Extern | Key::Typedef | Key::SelfKey | Key::This),
            ) = self.tok.tok
            {
                let message = "inappropriate storage class for function or associative array parameter";
                self.report(Diag::new(Tag::DeclParmclass, start, message).label(format!("`{}`", key.text())));
                self.bump();
            } else if self.tok.tok == Tok::Key(Key::Register) {
                self.bump();
            }
            let spec = self.specifiers(false)?.spec;
            let declared = self.declarator()?;
            let ty = TypeName { spec, derive: declared.derive, span: self.since(start) };
            params.push(Param { ty, name: declared.name.map(|(name, _)| name) });
            self.depth -= 1;
            if !self.eat(Punct::Comma) || self.at(Punct::Ellipsis) {
                return Ok(params);
            }
        }
    }
}
