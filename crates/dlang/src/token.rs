//! The smallest pieces of a D text and the words that are reserved.

use crate::ast::IntLit;
use crate::span::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub tok: Tok,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Tok {
    Eof,
    Ident(String),
    /// A name with a back-quote: `` `x `` has no module, `` m`x `` has one.
    Sym {
        module: Option<String>,
        name: String,
    },
    Key(Key),
    /// A constant; `sign` is there when a macro argument brought one (`$1` given as `-5`).
    Int {
        lit: IntLit,
        sign: Option<Punct>,
    },
    Char(i64),
    /// Escapes decoded, cut at the first NUL as D's strings are.
    Str(Vec<u8>),
    /// Without the `@`; `@` alone is empty.
    Agg(String),
    /// A probe description, as written; only where one may stand.
    Spec(String),
    Punct(Punct),
    /// A byte that starts no token.
    Other,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($variant,)*
        }

        impl $name {
            pub const ALL: &[$name] = &[$($name::$variant),*];

            pub fn text(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)*
                }
            }
        }
    };
}

words! {
    /// The reserved words, those without a meaning in D (`for`, `while`, …) included.
    Key {
        Auto "auto", Break "break", Case "case", Char "char", Const "const", Continue "continue", Counter "counter",
        Default "default", Do "do", Double "double", Else "else", Enum "enum", Extern "extern", Float "float",
        For "for", Goto "goto", If "if", Import "import", Inline "inline", Int "int", Long "long",
        Offsetof "offsetof", Probe "probe", Provider "provider", Register "register", Restrict "restrict",
        Return "return", SelfKey "self", Short "short", Signed "signed", Sizeof "sizeof", Static "static",
        String "string", Stringof "stringof", Struct "struct", Switch "switch", This "this",
        Translator "translator", Typedef "typedef", Union "union", Unsigned "unsigned", Userland "userland",
        Void "void", Volatile "volatile", While "while", Xlate "xlate",
    }
}

words! {
    /// Longer ones stand before their prefixes: the lexer takes the first that fits.
    Punct {
        ShlEq "<<=", ShrEq ">>=", Ellipsis "...",
        LogAnd "&&", LogXor "^^", LogOr "||", Eq "==", Ne "!=", Le "<=", Ge ">=", Shl "<<", Shr ">>", Arrow "->",
        AddEq "+=", SubEq "-=", MulEq "*=", DivEq "/=", ModEq "%=", AndEq "&=", XorEq "^=", OrEq "|=",
        Inc "++", Dec "--",
        LParen "(", RParen ")", LBracket "[", RBracket "]", LBrace "{", RBrace "}",
        Or "|", Xor "^", And "&", Lt "<", Gt ">", Add "+", Sub "-", Star "*", Slash "/", Mod "%", BitNot "~", Not "!",
        Question "?", Colon ":", Dot ".", Assign "=", Comma ",", Semi ";",
    }
}

impl Key {
    pub fn from_text(text: &str) -> Option<Key> {
        Key::ALL.iter().copied().find(|k| k.text() == text)
    }

    /// Reserved by C and meaningless in D; the text says what D has instead.
    pub fn instead(self) -> Option<&'static str> {
        Some(match self {
            Key::For | Key::While | Key::Do | Key::Break | Key::Continue => {
                "D has no loops; a clause runs once each time its probe fires"
            }
            Key::Goto => "D has no goto",
            Key::Return => "a clause returns nothing; leave work out with a predicate or an if",
            Key::Switch | Key::Case | Key::Default => "D has no switch; use if and else",
            Key::Import | Key::Counter => "this word is reserved and has no meaning in D",
            _ => return None,
        })
    }
}

impl Tok {
    pub fn is(&self, punct: Punct) -> bool {
        *self == Tok::Punct(punct)
    }
}
