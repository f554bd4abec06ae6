//! Commands that fail with their own words: every error names the command line, its status and what it said.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command, ready for more arguments, with no standard input.
pub fn cmd(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Runs a command whose output belongs on the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", words(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", words(command));
    }
    Ok(())
}

/// Runs a command quietly: what it says is shown only when it fails. Gives its standard output.
pub fn read(command: &mut Command) -> Result<String> {
    let out = command.output().with_context(|| format!("cannot start {}", words(command)))?;
    if !out.status.success() {
        let said = [out.stdout, out.stderr].concat();
        bail!("{} ended with {}: {}", words(command), out.status, tail(&String::from_utf8_lossy(&said), 12));
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Whether a program of this name can be found in PATH or where administrators' programs lie.
pub fn which(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|dir| Path::new(dir).join(program)).find(|file| file.is_file())
}

/// The last `lines` lines of a text.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// A word as a shell reads it back unchanged.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn words(command: &Command) -> String {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    all.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_word_survives_a_shell() {
        for word in ["plain", "two words", "it's", "a\"b$c`d\\e", "", "'"] {
            let echoed = read(cmd("sh").arg("-c").arg(format!("printf %s {}", quote(word)))).unwrap();
            assert_eq!(echoed, word);
        }
    }

    #[test]
    fn a_failure_tells_what_was_said() {
        let why = read(cmd("sh").args(["-c", "echo lost it; exit 3"])).unwrap_err().to_string();
        assert!(why.contains("lost it") && why.contains("3"), "{why}");
    }

    #[test]
    fn tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
    }
}
