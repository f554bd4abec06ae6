//! A report's name: who took it, when, and which one of that second.

use std::fmt;

/// `COMPONENT-YYYYMMDD-HHMMSS`, and `-2` and up where one second had several. In order: by time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// `YYYYMMDD-HHMMSS`, UTC.
    pub stamp: String,
    /// From 1.
    pub n: u32,
    /// Who took it: DTRACE, CAPTURE …
    pub component: String,
}

/// The longest name of a component.
const LONGEST: usize = 64;

/// Whether a component may be called so: it becomes the name of a directory.
pub fn is_component(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    first && name.len() <= LONGEST && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl Name {
    /// Understands a directory's name; `None`: it is no report's.
    pub fn parse(text: &str) -> Option<Name> {
        let (component, rest) = text.split_once('-')?;
        let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
        let mut parts = rest.split('-');
        let (day, second, n) = (parts.next()?, parts.next()?, parts.next());
        let n = match n {
            None => 1,
            Some(n) if !n.starts_with(['0', '+']) => n.parse().ok().filter(|n| *n > 1)?,
            Some(_) => return None,
        };
        let whole = parts.next().is_none() && digits(day, 8) && digits(second, 6) && is_component(component);
        whole.then(|| Name { stamp: format!("{day}-{second}"), n, component: component.to_owned() })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.component, self.stamp)?;
        if self.n > 1 { write!(f, "-{}", self.n) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_theirs_alone() {
        for good in ["DTRACE-20261122-153012", "A_1-20261122-153012-12"] {
            assert_eq!(Name::parse(good).map(|name| name.to_string()).as_deref(), Some(good));
        }
        for bad in [
            "",
            "DTRACE",
            "-20261122-153012",
            "..-20261122-153012",
            "D/E-20261122-153012",
            "DTRACE-20261122-15301",
            "DTRACE-20261122-153012-1",
            "DTRACE-20261122-153012-02",
            "DTRACE-20261122-153012-+2",
            "DTRACE-20261122-153012-2-3",
            "DTRACE-20261122-153012\n",
            "D\x1b[31m-20261122-153012",
        ] {
            assert_eq!(Name::parse(bad), None, "{bad:?}");
        }
        let order = |a: &str, b: &str| Name::parse(a).expect("a name") < Name::parse(b).expect("a name");
        assert!(order("Z-20261122-153012", "A-20261122-153013"));
        assert!(order("A-20261122-153012-2", "A-20261122-153012-10"));
    }

    proptest! {
        #[test]
        fn what_is_understood_is_written_so(text in "[A-Z_.\\-0-9/]{0,40}") {
            if let Some(name) = Name::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
