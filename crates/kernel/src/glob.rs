//! The patterns of probe descriptions: `*`, `?`, `[a-z]`, `[!x]`, `\x`.
//!
//! A pattern matches a whole name. Matching takes at most (length of the name × length of the pattern) steps, whatever
//! the pattern: after a `*` only that star's share of the name is ever reconsidered.

/// A pattern, made ready to be matched against many names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Glob {
    shape: Shape,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Shape {
    Any,
    Literal(String),
    Tokens(Vec<Token>),
    /// A `[` that is never closed.
    Nothing,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Char(char),
    One,
    Many,
    Class { not: bool, ranges: Vec<(char, char)> },
}

/// Whether a text holds any character that is special in patterns.
pub fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

impl Glob {
    /// Reads a pattern. The empty pattern matches every name, as an empty field of a probe description does. A `[`
    /// without its `]` matches no name.
    pub fn new(pattern: &str) -> Glob {
        let shape = if pattern.is_empty() {
            Shape::Any
        } else if !is_glob(pattern) {
            Shape::Literal(pattern.to_owned())
        } else {
            match tokens(pattern) {
                None => Shape::Nothing,
                Some(tokens) if tokens.iter().all(|token| *token == Token::Many) => Shape::Any,
                Some(tokens) => match tokens.iter().map(Token::literal).collect::<Option<String>>() {
                    Some(text) => Shape::Literal(text),
                    None => Shape::Tokens(tokens),
                },
            }
        };
        Glob { shape }
    }

    /// Whether the whole of `text` is matched.
    pub fn matches(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Any => true,
            Shape::Literal(literal) => literal == text,
            Shape::Tokens(tokens) => matches(tokens, text),
            Shape::Nothing => false,
        }
    }

    /// The only name that is matched, if there is only one.
    pub fn literal(&self) -> Option<&str> {
        match &self.shape {
            Shape::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    /// Whether every name is matched.
    pub fn is_any(&self) -> bool {
        self.shape == Shape::Any
    }
}

impl Token {
    fn literal(&self) -> Option<char> {
        match self {
            Token::Char(c) => Some(*c),
            _ => None,
        }
    }

    /// Whether this token, which is no star, takes the character.
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Char(own) => *own == c,
            Token::One => true,
            Token::Many => false,
            Token::Class { not, ranges } => ranges.iter().any(|&(from, to)| (from..=to).contains(&c)) != *not,
        }
    }
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => Token::Char(rest.next().unwrap_or('\\')),
            '[' => class(&mut rest)?,
            c => Token::Char(c),
        });
    }
    Some(tokens)
}

/// The inside of `[...]`. A `]` that comes first, and a `-` that comes first or last, stand for themselves.
fn class(rest: &mut std::str::Chars<'_>) -> Option<Token> {
    let mut ranges = Vec::new();
    let mut ahead = rest.clone();
    let not = ahead.next() == Some('!');
    if not {
        *rest = ahead;
    }
    loop {
        let from = match rest.next()? {
            ']' if !ranges.is_empty() => return Some(Token::Class { not, ranges }),
            '\\' => rest.next()?,
            c => c,
        };
        let mut ahead = rest.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                *rest = ahead;
                if to == '\\' { rest.next()? } else { to }
            }
            _ => from,
        };
        ranges.push((from, to));
    }
}

fn matches(tokens: &[Token], text: &str) -> bool {
    let mut rest = text.chars();
    let mut at = 0;
    // The last star met: the token after it, and what it has not yet swallowed of the text.
    let mut star: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match tokens.get(at) {
            Some(Token::Many) => {
                at += 1;
                star = Some((at, rest.clone()));
                continue;
            }
            Some(token) => {
                let mut ahead = rest.clone();
                if ahead.next().is_some_and(|c| token.takes(c)) {
                    rest = ahead;
                    at += 1;
                    continue;
                }
            }
            None if rest.as_str().is_empty() => return true,
            None => {}
        }
        // No way on from here: let the last star swallow one character more.
        let Some((after, from)) = &mut star else { return false };
        if from.next().is_none() {
            return false;
        }
        at = *after;
        rest = from.clone();
    }
}
