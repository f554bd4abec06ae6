//! Declarations: storage classes and type words in any order, structs, unions, enums.

use super::{Failed, Parse, Parser};
use crate::ast::{DeclScope, Declaration, Declarator, Enumerator, IntWord, TypeName, TypeSpec, TypeSpecKind};
use crate::diag::{Diag, Tag};
use crate::span::Span;
use crate::token::{Key, Punct, Tok};

/// What stands before the declared names.
pub(super) struct Specifiers {
    pub scope: DeclScope,
    pub spec: TypeSpec,
}

/// Can this word begin a declaration?
pub(super) fn starts_declaration(key: Key) -> bool {
    scope(key).is_some() || is_type_key(key)
}

/// Can this word begin a type?
pub(super) fn is_type_key(key: Key) -> bool {
    is_qualifier(key) || word(key).is_some() || matches!(key, Key::Struct | Key::Union | Key::Enum)
}

fn is_qualifier(key: Key) -> bool {
    matches!(key, Key::Const | Key::Volatile | Key::Restrict | Key::Userland)
}

fn scope(key: Key) -> Option<DeclScope> {
    Some(match key {
        Key::This => DeclScope::This,
        Key::SelfKey => DeclScope::SelfVar,
        Key::Typedef => DeclScope::Typedef,
        Key::Extern => DeclScope::Extern,
        Key::Static => DeclScope::Static,
        Key::Register => DeclScope::Register,
        Key::Auto => DeclScope::Auto,
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TypeWord {
    Char,
    Int,
    Void,
    Float,
    Double,
    String,
    Short,
    Long,
    Signed,
    Unsigned,
}

fn word(key: Key) -> Option<TypeWord> {
    Some(match key {
        Key::Char => TypeWord::Char,
        Key::Int => TypeWord::Int,
        Key::Void => TypeWord::Void,
        Key::Float => TypeWord::Float,
        Key::Double => TypeWord::Double,
        Key::String => TypeWord::String,
        Key::Short => TypeWord::Short,
        Key::Long => TypeWord::Long,
        Key::Signed => TypeWord::Signed,
        Key::Unsigned => TypeWord::Unsigned,
        _ => return None,
    })
}

/// The type words of one declaration, before they are folded.
#[derive(Default)]
struct Words {
    base: Option<TypeSpecKind>,
    short: bool,
    long: u8,
    signed: Option<bool>,
}

impl Words {
    fn any(&self) -> bool {
        self.base.is_some() || self.short || self.long > 0 || self.signed.is_some()
    }

    fn fold(self) -> Result<TypeSpecKind, (Tag, &'static str)> {
        let Words { base, short, long, signed } = self;
        let plain = !short && long == 0;
        let int = IntWord::Int;
        match base {
            None | Some(TypeSpecKind::Int { size: IntWord::Int, .. }) => {
                let size = match (short, long) {
                    (true, 0) => IntWord::Short,
                    (false, 0) => int,
                    (false, 1) => IntWord::Long,
                    (false, 2) => IntWord::LongLong,
                    _ => return Err((Tag::DeclCombo, "invalid type combination")),
                };
                Ok(TypeSpecKind::Int { size, signed })
            }
            Some(TypeSpecKind::Int { size, .. }) if plain => Ok(TypeSpecKind::Int { size, signed }),
            Some(TypeSpecKind::Int { .. }) => Err((
                Tag::DeclCharattr,
                "invalid type declaration: short and long may not be used with char type",
            )),
            Some(TypeSpecKind::Void) if !plain || signed.is_some() => Err((
                Tag::DeclVoidattr,
                "invalid type declaration: attributes may not be used with void type",
            )),
            Some(_) if signed.is_some() => Err((
                Tag::DeclSignint,
                "invalid type declaration: signed and unsigned may only be used with integer type",
            )),
            Some(TypeSpecKind::Double) if !short && long == 1 => Ok(TypeSpecKind::LongDouble),
            Some(_) if !plain => Err((
                Tag::DeclLongint,
                "invalid type declaration: long and long long may only be used with integer or floating-point type",
            )),
            Some(other) => Ok(other),
        }
    }
}

impl Parser<'_> {
    /// `specifiers declarator, …;` at the top level.
    pub(super) fn declaration(&mut self) -> Parse<Declaration> {
        let start = self.tok.span;
        let Specifiers { scope, spec } = self.specifiers(true)?;
        let mut names: Vec<Declarator> = Vec::new();
        while !self.at(Punct::Semi) {
            let declared = self.declarator()?;
            let Some((name, name_span)) = declared.name else {
                return Err(self.unexpected("expected a name or `;`"));
            };
            match scope {
                DeclScope::Typedef => self.typedefs.insert(name.clone()),
                DeclScope::This | DeclScope::SelfVar => false,
                _ => self.variables.insert(name.clone()),
            };
            names.push(Declarator { name, name_span, derive: declared.derive, bits: None });
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        let help = self.at(Punct::Assign).then_some(
            "variables start as 0; set this one in BEGIN, or make it a constant: inline TYPE NAME = VALUE;",
        );
        self.end_item("expected `,` or `;`", help)?;
        Ok(Declaration { spec, scope, names, span: self.since(start) })
    }

    /// A type alone, as in casts.
    pub(super) fn type_name(&mut self) -> Parse<TypeName> {
        self.enter()?;
        let start = self.tok.span;
        let Specifiers { spec, .. } = self.specifiers(false)?;
        let derive = self.abstract_declarator()?;
        self.depth -= 1;
        Ok(TypeName { spec, derive, span: self.since(start) })
    }

    /// Storage classes are allowed where `classes` says so; elsewhere they are not consumed.
    pub(super) fn specifiers(&mut self, classes: bool) -> Parse<Specifiers> {
        let start = self.tok.span;
        let mut class: Option<(DeclScope, Span)> = None;
        let mut words = Words::default();
        loop {
            let span = self.tok.span;
            match &self.tok.tok {
                Tok::Key(key) if classes && scope(*key).is_some() => {
                    let new = scope(*key);
                    self.bump();
                    if let Some((_, first)) = class {
                        let message = "only one storage class allowed in a declaration";
                        self.report(Diag::new(Tag::DeclClass, span, message).also(first, "the first one"));
                    } else {
                        class = new.map(|c| (c, span));
                    }
                }
                Tok::Key(key) if is_qualifier(*key) => {
                    self.bump();
                }
                Tok::Key(key @ (Key::Struct | Key::Union | Key::Enum)) => {
                    let key = *key;
                    let kind = if key == Key::Enum { self.enum_type()? } else { self.struct_type(key)? };
                    self.set_base(&mut words, kind, span);
                }
                Tok::Key(key) => {
                    let Some(word) = word(*key) else { break };
                    self.bump();
                    self.type_word(&mut words, word, span);
                }
                Tok::Ident(_) | Tok::Sym { .. } => {
                    if words.any() || !self.names_type(classes) {
                        break;
                    }
                    let kind = match self.bump().tok {
                        Tok::Ident(name) if name == "_Bool" => {
                            TypeSpecKind::Int { size: IntWord::Bool, signed: None }
                        }
                        Tok::Ident(name) => TypeSpecKind::Named { module: None, name },
                        Tok::Sym { module, name } => TypeSpecKind::Named { module, name },
                        _ => return Err(Failed),
                    };
                    self.set_base(&mut words, kind, span);
                }
                _ => break,
            }
        }
        if self.prev_hi <= start.lo {
            return Err(self.unexpected("expected a type"));
        }
        let span = self.since(start);
        let kind = words.fold().unwrap_or_else(|(tag, message)| {
            self.report(Diag::new(tag, span, message));
            TypeSpecKind::Int { size: IntWord::Int, signed: None }
        });
        let scope = class.map_or(DeclScope::Global, |(c, _)| c);
        Ok(Specifiers { scope, spec: TypeSpec { kind, span } })
    }

    fn type_word(&mut self, words: &mut Words, word: TypeWord, span: Span) {
        let base = match word {
            TypeWord::Char => TypeSpecKind::Int { size: IntWord::Char, signed: None },
            TypeWord::Int => TypeSpecKind::Int { size: IntWord::Int, signed: None },
            TypeWord::Void => TypeSpecKind::Void,
            TypeWord::Float => TypeSpecKind::Float,
            TypeWord::Double => TypeSpecKind::Double,
            TypeWord::String => TypeSpecKind::String,
            TypeWord::Short if !words.short && words.long == 0 => {
                words.short = true;
                return;
            }
            TypeWord::Long if words.long < 2 && !words.short => {
                words.long += 1;
                return;
            }
            TypeWord::Signed | TypeWord::Unsigned if words.signed.is_none() => {
                words.signed = Some(word == TypeWord::Signed);
                return;
            }
            _ => {
                self.report(Diag::new(Tag::DeclCombo, span, "invalid type combination"));
                return;
            }
        };
        self.set_base(words, base, span);
    }

    fn set_base(&mut self, words: &mut Words, kind: TypeSpecKind, span: Span) {
        if words.base.is_some() {
            self.report(Diag::new(Tag::DeclCombo, span, "invalid type combination").label("a second type"));
            return;
        }
        words.base = Some(kind);
    }

    /// Is the name at hand the type of a declaration? A known type is; an unknown name is if a name or a star follows it, so that
    /// the checker can say that the type is unknown.
    fn names_type(&mut self, declares: bool) -> bool {
        let (full, module) = match &self.tok.tok {
            Tok::Ident(name) => (name.clone(), false),
            Tok::Sym { module, name } => (format!("{}`{name}", module.as_deref().unwrap_or_default()), true),
            _ => return false,
        };
        if module || full == "_Bool" || self.is_type(&full) {
            return true;
        }
        let [next] = self.ahead();
        // Where no name is declared, only a type can stand.
        !declares || matches!(next, Tok::Ident(_)) || next.is(Punct::Star)
    }

    /// A tag's name; D's own words cannot be tags, typedefs' names can.
    fn tag(&mut self) -> (Option<String>, Option<String>) {
        let (module, tag) = match &self.tok.tok {
            Tok::Ident(name) => (None, name.clone()),
            Tok::Sym { module, name } => (module.clone(), name.clone()),
            _ => return (None, None),
        };
        self.bump();
        (module, Some(tag))
    }

    /// `struct tag`, `struct tag { … }`, `struct { … }`, and unions
    fn struct_type(&mut self, key: Key) -> Parse<TypeSpecKind> {
        self.bump();
        let (module, tag) = self.tag();
        let body = if self.at(Punct::LBrace) {
            Some(self.members()?)
        } else if tag.is_none() {
            return Err(self.unexpected(&format!("expected a name or `{{` after `{}`", key.text())));
        } else {
            None
        };
        Ok(TypeSpecKind::Struct { union: key == Key::Union, module, tag, body })
    }

    fn members(&mut self) -> Parse<Vec<Declaration>> {
        self.enter()?;
        self.bump();
        let mut members = Vec::new();
        if self.at(Punct::RBrace) {
            return Err(self.unexpected("expected a member"));
        }
        while !self.at(Punct::RBrace) && !self.at_end() {
            let depth = self.depth;
            match self.member() {
                Ok(member) => members.push(member),
                Err(Failed) => {
                    self.depth = depth;
                    self.skip_statement();
                }
            }
        }
        self.expect(Punct::RBrace)?;
        self.depth -= 1;
        Ok(members)
    }

    /// `int a, *b[3], c : 4, : 2;`, `struct { int x; };`
    fn member(&mut self) -> Parse<Declaration> {
        let start = self.tok.span;
        let Specifiers { spec, .. } = self.specifiers(false)?;
        let mut names = Vec::new();
        while !self.at(Punct::Semi) {
            let place = self.tok.span;
            let declared = if self.at(Punct::Colon) { Default::default() } else { self.declarator()? };
            let bits = if self.eat(Punct::Colon) { Some(self.conditional()?) } else { None };
            if declared.name.is_none() && bits.is_none() {
                return Err(self.unexpected("expected a member's name"));
            }
            let (name, name_span) = declared.name.unwrap_or((String::new(), place));
            names.push(Declarator { name, name_span, derive: declared.derive, bits });
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        if !self.at(Punct::Semi) {
            return Err(self.unexpected("expected `,` or `;` after a member"));
        }
        self.bump();
        Ok(Declaration { spec, scope: DeclScope::Global, names, span: self.since(start) })
    }

    /// `enum tag`, `enum tag { A, B = 2 }`
    fn enum_type(&mut self) -> Parse<TypeSpecKind> {
        self.bump();
        let (module, tag) = self.tag();
        if !self.at(Punct::LBrace) {
            return match tag {
                Some(_) => Ok(TypeSpecKind::Enum { module, tag, body: None }),
                None => Err(self.unexpected("expected a name or `{` after `enum`")),
            };
        }
        self.enter()?;
        self.bump();
        let mut body = Vec::new();
        while body.is_empty() || !self.at(Punct::RBrace) {
            let start = self.tok.span;
            let Tok::Ident(name) = self.tok.tok.clone() else {
                return Err(self.unexpected("expected an enumerator's name"));
            };
            self.bump();
            let value = if self.eat(Punct::Assign) { Some(self.conditional()?) } else { None };
            body.push(Enumerator { name, value, span: self.since(start) });
            if !self.eat(Punct::Comma) {
                break;
            }
        }
        self.expect(Punct::RBrace)?;
        self.depth -= 1;
        Ok(TypeSpecKind::Enum { module, tag, body: Some(body) })
    }
}
