//! What came out, held against what was expected.

use regex_lite::Regex;

/// Compares a stream with its expectation; none when they agree, else a text that shows the first difference.
#[must_use]
pub fn difference(expected: &str, actual: &str) -> Option<String> {
    let patterns: Vec<Line> = match expected.lines().map(Line::read).collect() {
        Ok(patterns) => patterns,
        Err(why) => return Some(why),
    };
    let lines: Vec<&str> = actual.lines().collect();
    let reach = furthest(&patterns, &lines);
    if reach.whole {
        return None;
    }
    let want = expected.lines().nth(reach.pattern).unwrap_or("(the end)");
    let have = lines.get(reach.line).copied().unwrap_or("(the end)");
    let mut text =
        format!("line {}:\n  expected: {want}\n  came:     {have}\n  all that came:\n", reach.line + 1);
    for line in lines.iter().take(60) {
        text += &format!("  | {line}\n");
    }
    if lines.len() > 60 {
        text += &format!("  | ({} lines more)\n", lines.len() - 60);
    }
    Some(text)
}

enum Line {
    Any,
    Literal(String),
    Holes(Regex),
}

impl Line {
    fn read(text: &str) -> Result<Line, String> {
        if text == "{{...}}" {
            return Ok(Line::Any);
        }
        if !text.contains("{{") {
            return Ok(Line::Literal(text.to_owned()));
        }
        let mut pattern = "^".to_owned();
        let mut rest = text;
        while let Some((before, hole)) = rest.split_once("{{") {
            let Some((inside, after)) = hole.split_once("}}") else {
                return Err(format!("the expected line '{text}' opens {{{{ and never closes it"));
            };
            pattern += &regex_lite::escape(before);
            pattern += &format!("(?:{inside})");
            rest = after;
        }
        pattern += &regex_lite::escape(rest);
        pattern += "$";
        Regex::new(&pattern).map(Line::Holes).map_err(|why| format!("the expected line '{text}': {why}"))
    }

    fn matches(&self, line: &str) -> bool {
        match self {
            Line::Any => true,
            Line::Literal(text) => text == line,
            Line::Holes(pattern) => pattern.is_match(line),
        }
    }
}

/// How far a match got: all of it, or up to this pattern and this line.
struct Reach {
    whole: bool,
    pattern: usize,
    line: usize,
}

/// Glob matching with one way back: to the last `{{...}}`, which takes one line more.
fn furthest(patterns: &[Line], lines: &[&str]) -> Reach {
    let (mut p, mut l) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    let mut best = Reach { whole: false, pattern: 0, line: 0 };
    loop {
        if l + p >= best.line + best.pattern {
            best = Reach { whole: false, pattern: p, line: l };
        }
        match (patterns.get(p), lines.get(l)) {
            (None, None) => return Reach { whole: true, pattern: p, line: l },
            (Some(Line::Any), _) => {
                back = Some((p, l));
                p += 1;
            }
            (Some(pattern), Some(line)) if pattern.matches(line) => {
                p += 1;
                l += 1;
            }
            _ => match back {
                Some((any, from)) if from < lines.len() => {
                    back = Some((any, from + 1));
                    p = any + 1;
                    l = from + 1;
                }
                _ => return best,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_lines_and_holes() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb", "a\nb\n"), None);
        assert_eq!(difference("", ""), None);
        assert_eq!(difference("  {{\\d+}}  {{ *\\d+}} x(y):z", "  1    203 x(y):z"), None);
        assert!(difference("  {{\\d+}} x", "  12 y").is_some());
        assert!(difference("a ", "a").is_some());
        assert!(difference("a", "a\nb").is_some());
        assert!(difference("a\nb", "a").is_some());
        assert!(difference("a.c", "abc").is_some());
    }

    #[test]
    fn any_number_of_lines() {
        assert_eq!(difference("a\n{{...}}\nz", "a\nz"), None);
        assert_eq!(difference("a\n{{...}}\nz", "a\nb\nz\nz"), None);
        assert_eq!(difference("{{...}}", ""), None);
        assert_eq!(difference("{{...}}\nx\n{{...}}\nx\ny", "x\nx\nx\ny"), None);
        assert!(difference("{{...}}\nx\n{{...}}\ny", "a\nx\nb").is_some());
    }

    #[test]
    fn the_difference_shows_both_sides() {
        let text = difference("a\nb\nc", "a\nX\nc").unwrap();
        assert!(
            text.contains("line 2") && text.contains("expected: b") && text.contains("came:     X"),
            "{text}"
        );
        assert!(difference("{{(}}", "x").unwrap().contains("expected line"));
        assert!(difference("{{x", "x").unwrap().contains("never closes"));
    }
}
