//! The options of a command: long names, values after a space or `=`, and everything behind `--` untouched.

use anyhow::{Context, Result, bail};
use std::str::FromStr;

/// What was written behind a command's name. Each option is taken once; [`Args::done`] refuses what is left.
pub struct Args {
    words: Vec<String>,
    /// The words behind `--`.
    pub behind: Vec<String>,
}

impl Args {
    /// Splits at the first `--`.
    pub fn new(mut words: Vec<String>) -> Args {
        let behind = match words.iter().position(|word| word == "--") {
            Some(at) => {
                let behind = words.split_off(at + 1);
                words.pop();
                behind
            }
            None => Vec::new(),
        };
        Args { words, behind }
    }

    /// Whether the option `name` (with its dashes) was given.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() != before
    }

    /// Every value given for `name`, in order.
    pub fn all(&mut self, name: &str) -> Result<Vec<String>> {
        let mut values = Vec::new();
        let mut at = 0;
        while at < self.words.len() {
            if self.words[at] == name {
                if at + 1 == self.words.len() {
                    bail!("{name} wants a value");
                }
                self.words.remove(at);
                values.push(self.words.remove(at));
            } else if let Some(value) = self.words[at].strip_prefix(name).and_then(|w| w.strip_prefix('=')) {
                values.push(value.to_owned());
                self.words.remove(at);
            } else {
                at += 1;
            }
        }
        Ok(values)
    }

    /// The last value given for `name`.
    pub fn value(&mut self, name: &str) -> Result<Option<String>> {
        Ok(self.all(name)?.pop())
    }

    /// The last value given for `name` as a number or another thing that a word can say.
    pub fn parse<T: FromStr>(&mut self, name: &str, default: T) -> Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        match self.value(name)? {
            None => Ok(default),
            Some(word) => word.parse().with_context(|| format!("{name} cannot be '{word}'")),
        }
    }

    /// The words that are no options, once all options have been taken.
    pub fn rest(&mut self) -> Result<Vec<String>> {
        if let Some(option) = self.words.iter().find(|word| word.starts_with('-')) {
            bail!("no option {option}");
        }
        Ok(std::mem::take(&mut self.words))
    }

    /// Refuses whatever nobody took.
    pub fn done(&mut self) -> Result<()> {
        match self.rest()?.first() {
            Some(word) => bail!("what is '{word}' for?"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Args {
        Args::new(text.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn options_are_taken_and_the_rest_is_refused() {
        let mut a = args("--mem 512 --bin a --bin=b --quick -- --mem x --");
        assert_eq!(a.parse("--mem", 1024u32).unwrap(), 512);
        assert_eq!(a.all("--bin").unwrap(), ["a", "b"]);
        assert!(a.flag("--quick"));
        assert!(!a.flag("--quick"));
        a.done().unwrap();
        assert_eq!(a.behind, ["--mem", "x", "--"]);
    }

    #[test]
    fn errors_name_the_word() {
        assert!(args("--mem").value("--mem").unwrap_err().to_string().contains("--mem"));
        let why = format!("{:#}", args("--mem many").parse("--mem", 0u32).unwrap_err());
        assert!(why.contains("many"), "{why}");
        assert!(args("--nonsense").done().unwrap_err().to_string().contains("--nonsense"));
        assert!(args("stray").done().unwrap_err().to_string().contains("stray"));
    }
}
