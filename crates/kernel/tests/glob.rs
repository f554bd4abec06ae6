//! Patterns: each form by example, and agreement with a matcher that tries everything.

use lkd_kernel::glob::{Glob, is_glob};
use proptest::prelude::*;
use std::time::Instant;

#[test]
fn each_form() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("", &["", "read", "a:b"], &[]),
        ("*", &["", "read"], &[]),
        ("read", &["read"], &["", "rea", "readv", "pread"]),
        ("read*", &["read", "readv", "readlink"], &["pread", "rea"]),
        ("*read", &["read", "pread"], &["readv", "preadv"]),
        ("p*ad*", &["pread64", "pad"], &["read", "paed"]),
        ("r?ad", &["read", "road"], &["rad", "reead"]),
        ("?", &["a", "é"], &["", "ab"]),
        ("sys_[rw]*", &["sys_read", "sys_write"], &["sys_open"]),
        ("[a-c]x", &["ax", "bx", "cx"], &["dx", "-x", "x"]),
        ("[!a-c]x", &["dx", "-x"], &["ax", "x"]),
        ("[a-]", &["a", "-"], &["b"]),
        ("[-a]", &["a", "-"], &["b"]),
        ("[]a]", &["]", "a"], &["b", "[]a]"]),
        ("[!]a]", &["b"], &["]", "a"]),
        (r"[\]x]", &["]", "x"], &["\\"]),
        (r"a\*b", &["a*b"], &["aab", r"a\*b"]),
        (r"a\?*", &["a?", "a?b"], &["ab"]),
        ("a\\", &["a\\"], &["a"]),
        ("a[b", &[], &["a[b", "ab"]),
        ("[", &[], &["["]),
        ("[z-a]", &[], &["a", "m", "z", "-"]),
        ("a**b", &["ab", "axb"], &["a"]),
        ("profile-*", &["profile-997"], &["tick-1s"]),
    ];
    for (pattern, yes, no) in cases {
        let glob = Glob::new(pattern);
        for text in *yes {
            assert!(glob.matches(text), "{pattern:?} matches {text:?}");
        }
        for text in *no {
            assert!(!glob.matches(text), "{pattern:?} does not match {text:?}");
        }
    }
}

#[test]
fn what_can_only_be_one_name_is_known() {
    assert_eq!(Glob::new("read").literal(), Some("read"));
    assert_eq!(Glob::new(r"a\*").literal(), Some("a*"));
    assert_eq!(Glob::new("re*").literal(), None);
    assert!(Glob::new("").is_any() && Glob::new("***").is_any() && !Glob::new("?").is_any());
    assert!(is_glob("a*") && is_glob("[a]") && is_glob(r"\a") && !is_glob("a-b!c]"));
}

/// `a*a*a*...b` against `aaaa...` takes exponential time in a matcher that reconsiders every star. This one would not
/// come back within the age of the machine.
#[test]
fn stars_do_not_multiply() {
    let start = Instant::now();
    let glob = Glob::new(&("a*".repeat(100) + "b"));
    assert!(!glob.matches(&"a".repeat(10_000)));
    eprintln!("100 stars over 10,000 letters: {:?}", start.elapsed());
}

/// Patterns as trees, matched by trying everything: the meaning, with nothing to get wrong.
#[derive(Clone, Debug)]
enum Piece {
    Char(char),
    One,
    Many,
    Class(bool, Vec<(char, char)>),
}

fn naive(pattern: &[Piece], text: &[char]) -> bool {
    let Some((first, more)) = pattern.split_first() else { return text.is_empty() };
    if let Piece::Many = first {
        return (0..=text.len()).any(|n| naive(more, &text[n..]));
    }
    let Some((&c, left)) = text.split_first() else { return false };
    let takes = match first {
        Piece::Char(own) => *own == c,
        Piece::One => true,
        Piece::Many => false,
        Piece::Class(not, ranges) => ranges.iter().any(|&(a, b)| a <= c && c <= b) != *not,
    };
    takes && naive(more, left)
}

fn spell(pattern: &[Piece]) -> String {
    let plain = |c: char| if "*?[]\\!-".contains(c) { format!("\\{c}") } else { c.to_string() };
    pattern
        .iter()
        .map(|piece| match piece {
            Piece::Char(c) => plain(*c),
            Piece::One => "?".to_owned(),
            Piece::Many => "*".to_owned(),
            Piece::Class(not, ranges) => {
                let inside: String =
                    ranges.iter().map(|&(a, b)| format!("{}-{}", plain(a), plain(b))).collect();
                format!("[{}{inside}]", if *not { "!" } else { "" })
            }
        })
        .collect()
}

fn letter() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['a', 'b', 'c', '_', '*', '?', '[', ']', '\\', '!', '-', 'é'])
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        letter().prop_map(Piece::Char),
        Just(Piece::One),
        Just(Piece::Many),
        (any::<bool>(), prop::collection::vec((letter(), letter()), 1..3))
            .prop_map(|(not, r)| Piece::Class(not, r)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn agrees_with_trying_everything(
        pattern in prop::collection::vec(piece(), 0..8),
        text in prop::collection::vec(letter(), 0..10),
    ) {
        let (spelled, name): (String, String) = (spell(&pattern), text.iter().collect());
        // The empty pattern is the empty field of a description, which means anything.
        let expected = pattern.is_empty() || naive(&pattern, &text);
        prop_assert_eq!(Glob::new(&spelled).matches(&name), expected, "{:?} against {:?}", spelled, name);
    }

    #[test]
    fn any_text_is_a_pattern(pattern in any::<String>(), text in any::<String>()) {
        let glob = Glob::new(&pattern);
        if let Some(only) = glob.literal() {
            prop_assert!(glob.matches(only));
            prop_assert_eq!(glob.matches(&text), only == text);
        }
        let _ = glob.matches(&text);
    }
}
