//! The top level of a script: declarations and clauses in any order, control lines between them.

use super::{Failed, Parse, Parser, decl};
use crate::ast::{Inline, Item, Provider, ProviderProbe, Script, Translator, TypeName};
use crate::diag::{Diag, Tag};
use crate::lex::Mode;
use crate::token::{Key, Punct, Tok};

impl Parser<'_> {
    pub(super) fn script(&mut self) -> Script {
        let mut items = Vec::new();
        loop {
            self.pragmas(&mut items);
            if self.at_end() {
                break;
            }
            self.open.clear();
            let before = self.tok.span;
            match self.item() {
                Ok(item) => items.push(item),
                Err(Failed) => self.skip_item(before.lo),
            }
        }
        self.pragmas(&mut items);
        let nothing = items.iter().all(|i| matches!(i, Item::Pragma(_)));
        if nothing && self.diags.is_empty() && self.lex.diags.is_empty() {
            self.report(
                Diag::new(Tag::Empty, self.tok.span, "empty D program translation unit")
                    .help("a program needs a clause: BEGIN { trace(\"hello\"); }"),
            );
        }
        Script { items }
    }

    /// Goes to where the next item may begin: past a `;` or a `}` of the top level.
    fn skip_item(&mut self, start: u32) {
        self.depth = 0;
        self.in_predicate = false;
        if self.mode == Mode::Outer && self.tok.span.lo > start && matches!(self.tok.tok, Tok::Spec(_)) {
            return;
        }
        self.reread(Mode::Inner);
        let mut nested = 0u32;
        loop {
            match &self.tok.tok {
                Tok::Eof => return,
                Tok::Punct(Punct::LBrace) => nested += 1,
                Tok::Punct(Punct::RBrace) if nested <= 1 => break,
                Tok::Punct(Punct::RBrace) => nested -= 1,
                Tok::Punct(Punct::Semi) if nested == 0 => break,
                _ => {}
            }
            self.bump();
        }
        self.bump_into(Mode::Outer);
        if self.at(Punct::Semi) {
            self.bump();
        }
    }

    fn item(&mut self) -> Parse<Item> {
        match &self.tok.tok {
            Tok::Spec(text) => {
                let text = text.clone();
                match self.declaration_key(&text) {
                    Some(key) => self.declaration_item(key),
                    None => Ok(Item::Clause(self.clause()?)),
                }
            }
            Tok::Int { .. } => Ok(Item::Clause(self.clause()?)),
            Tok::Punct(Punct::RBrace) => Err(self.unexpected("there is no `{` that this could close")),
            Tok::Punct(Punct::Semi) => Err(self.unexpected_with(
                "expected a probe description or a declaration",
                Some("a clause ends at its `}`"),
            )),
            _ => {
                let comment = self.at(Punct::Slash) && self.ahead::<1>()[0].is(Punct::Slash);
                let help = comment.then_some("comments are written /* */");
                Err(self.unexpected_with("expected a probe description or a declaration", help))
            }
        }
    }

    /// Is this piece of text the start of a declaration, and if by a reserved word, by which? Then it is read again as such.
    ///
    /// `foo*` may begin `foo *x;` or be a glob; as in DTrace the type wins, unless what follows can only come after a probe.
    fn declaration_key(&mut self, text: &str) -> Option<Option<Key>> {
        if let Some(key) = Key::from_text(text).filter(|k| decl::starts_declaration(*k) || is_definition(*k))
        {
            self.reread(Mode::Inner);
            return Some(Some(key));
        }
        let word = text.split('*').next().unwrap_or_default();
        let is_word = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'`');
        if word.is_empty() || !is_word || text.contains(':') || self.kind != super::SpecKind::Name {
            return None;
        }
        self.reread(Mode::Inner);
        let known = self.is_type(word) || Key::from_text(word).is_some_and(decl::starts_declaration);
        let declares = match self.ahead::<3>() {
            [Tok::Punct(Punct::LBrace | Punct::Slash | Punct::Comma), ..] | [Tok::Eof, ..] => false,
            [
                Tok::Punct(Punct::Star),
                Tok::Punct(Punct::LBrace | Punct::Slash | Punct::Comma) | Tok::Eof,
                _,
            ] => false,
            [Tok::Ident(_), Tok::Punct(Punct::Semi | Punct::LBracket | Punct::Comma | Punct::Assign), _] => {
                true
            }
            [
                Tok::Punct(Punct::Star),
                Tok::Ident(_),
                Tok::Punct(Punct::Semi | Punct::LBracket | Punct::Assign),
            ] => true,
            _ => known,
        };
        if declares {
            return Some(None);
        }
        self.reread(Mode::Outer);
        None
    }

    fn declaration_item(&mut self, key: Option<Key>) -> Parse<Item> {
        match key {
            Some(Key::Inline) => Ok(Item::Inline(self.inline()?)),
            Some(Key::Translator) => Ok(Item::Translator(self.translator()?)),
            Some(Key::Provider) => Ok(Item::Provider(self.provider()?)),
            Some(Key::Import | Key::Counter) => {
                Err(self.unexpected_with("expected a declaration", key.and_then(Key::instead)))
            }
            _ => Ok(Item::Decl(self.declaration()?)),
        }
    }

    /// The `;` that ends a top-level declaration.
    pub(super) fn end_item(&mut self, expected: &str, help: Option<&str>) -> Parse<()> {
        if !self.at(Punct::Semi) {
            return Err(self.unexpected_with(expected, help));
        }
        self.bump_into(Mode::Outer);
        Ok(())
    }

    /// `inline type name = expr;`, `inline type name[type key, …] = expr;`
    fn inline(&mut self) -> Parse<Inline> {
        let start = self.bump().span;
        let ty_start = self.tok.span;
        let specifiers = self.specifiers(true)?;
        let mut declared = self.declarator()?;
        let Some((name, name_span)) = declared.name.take() else {
            return Err(self.unexpected("expected the inline's name"));
        };
        let keyed = matches!(declared.derive.first(), Some(crate::ast::Derive::Keys(_)));
        let params = if keyed { std::mem::take(&mut declared.keys) } else { Vec::new() };
        let derive = declared.derive.into_iter().skip(usize::from(keyed)).collect();
        let ty = TypeName { spec: specifiers.spec, derive, span: self.since(ty_start) };
        if !self.eat(Punct::Assign) {
            return Err(self.unexpected("expected `=` and the inline's value"));
        }
        let value = self.assignment()?;
        self.end_item("expected `;` or an operator", None)?;
        self.variables.insert(name.clone());
        Ok(Inline { ty, name, name_span, params, value, span: self.since(start) })
    }

    /// `translator output < input name > { member = expr; … };`
    fn translator(&mut self) -> Parse<Translator> {
        let start = self.bump().span;
        let output = self.type_name()?;
        self.expect(Punct::Lt)?;
        let input = self.type_name()?;
        let Tok::Ident(input_name) = self.tok.tok.clone() else {
            return Err(self.unexpected("expected a name for the input"));
        };
        self.bump();
        self.expect(Punct::Gt)?;
        self.expect(Punct::LBrace)?;
        let mut members = Vec::new();
        while !self.at(Punct::RBrace) && !self.at_end() {
            let depth = self.depth;
            match self.translator_member() {
                Ok(member) => members.push(member),
                Err(Failed) => {
                    self.depth = depth;
                    self.skip_statement();
                }
            }
        }
        self.expect(Punct::RBrace)?;
        self.end_item("expected `;` after the translator", None)?;
        Ok(Translator { output, input, input_name, members, span: self.since(start) })
    }

    fn translator_member(&mut self) -> Parse<(String, crate::ast::Expr)> {
        let Some((name, _)) = self.member_name() else {
            return Err(self.unexpected("expected a member's name"));
        };
        self.expect(Punct::Assign)?;
        let value = self.assignment()?;
        self.expect(Punct::Semi)?;
        Ok((name, value))
    }

    /// `provider name { probe name(args) : (translated); … };`
    fn provider(&mut self) -> Parse<Provider> {
        let start = self.bump().span;
        let Tok::Ident(name) = self.tok.tok.clone() else {
            return Err(self.unexpected("expected the provider's name"));
        };
        let name_span = self.bump().span;
        if name.ends_with(|c: char| c.is_ascii_digit()) {
            let message = format!("provider name may not end with a digit: {name}");
            self.report(Diag::new(Tag::ProvBadname, name_span, message).label("process ids are put there"));
        }
        self.expect(Punct::LBrace)?;
        let mut probes = Vec::new();
        while !self.at(Punct::RBrace) && !self.at_end() {
            let depth = self.depth;
            match self.provider_probe() {
                Ok(probe) => probes.push(probe),
                Err(Failed) => {
                    self.depth = depth;
                    self.skip_statement();
                }
            }
        }
        self.expect(Punct::RBrace)?;
        self.end_item("expected `;` after the provider", None)?;
        Ok(Provider { name, probes, span: self.since(start) })
    }

    fn provider_probe(&mut self) -> Parse<ProviderProbe> {
        if self.tok.tok != Tok::Key(Key::Probe) {
            return Err(self.unexpected("expected `probe` or `}`"));
        }
        self.bump();
        let Some((name, _)) = self.member_name() else {
            return Err(self.unexpected("expected the probe's name"));
        };
        self.expect(Punct::LParen)?;
        let (params, _) = self.params()?;
        let mut translated = Vec::new();
        if self.eat(Punct::Colon) {
            self.expect(Punct::LParen)?;
            (translated, _) = self.params()?;
        }
        self.expect(Punct::Semi)?;
        Ok(ProviderProbe { name, params, translated })
    }
}

fn is_definition(key: Key) -> bool {
    matches!(key, Key::Inline | Key::Translator | Key::Provider | Key::Import | Key::Counter)
}
