//! One test as its file describes it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// A test: its file and what the `@` lines of its first comment say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `area/name`.
    pub name: String,
    pub file: PathBuf,
    /// Runs on the machine's own kernel.
    pub host: bool,
    /// Runs in guests.
    pub guest: bool,
    pub needs: Vec<String>,
    /// The command line for `sh -c`.
    pub command: String,
    pub triggers: Vec<String>,
    pub exit: i32,
    /// Seconds; none: the runner's default.
    pub timeout: Option<u64>,
}

impl Case {
    /// Reads a test's head. `root` is the directory of all areas.
    ///
    /// # Errors
    /// An unreadable file, a word that is none, a value that says nothing.
    pub fn read(root: &Path, file: &Path) -> Result<Case> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned();
        Case::parse(name, file.to_owned(), &text).with_context(|| file.display().to_string())
    }

    fn parse(name: String, file: PathBuf, text: &str) -> Result<Case> {
        let is_d = file.extension().is_some_and(|kind| kind == "d");
        let mut case = Case {
            name,
            file,
            host: true,
            guest: true,
            needs: Vec::new(),
            command: String::new(),
            triggers: Vec::new(),
            exit: 0,
            timeout: None,
        };
        let (mut args, mut more) = (String::new(), String::new());
        for line in head(text, is_d) {
            let Some((word, value)) = line.split_once(':') else { bail!("'@{line}' lacks its colon") };
            let value = value.trim();
            match word.trim() {
                "where" => {
                    case.host = value.split_whitespace().any(|place| place == "host");
                    case.guest = value.split_whitespace().any(|place| place == "guest");
                    if !case.host && !case.guest {
                        bail!("@where: {value}: neither host nor guest");
                    }
                }
                "needs" => case.needs.extend(value.split_whitespace().map(str::to_owned)),
                "args" => args = value.to_owned(),
                "more" => more = value.to_owned(),
                "run" => case.command = value.to_owned(),
                "trigger" => case.triggers.push(value.to_owned()),
                "exit" => case.exit = value.parse().with_context(|| format!("@exit: {value}"))?,
                "timeout" => {
                    case.timeout = Some(value.parse().with_context(|| format!("@timeout: {value}"))?)
                }
                other => bail!("no word '@{other}'"),
            }
        }
        if case.command.is_empty() {
            case.command = match is_d {
                true => format!("exec dtrace {args} -s \"$FILE\" {more}").trim_end().replace("  ", " "),
                false => "exec sh \"$FILE\"".to_owned(),
            };
        }
        Ok(case)
    }

    /// The file of expected output beside the test: `kind` is `out` or `err`.
    #[must_use]
    pub fn expected(&self, kind: &str) -> PathBuf {
        self.file.with_extension(kind)
    }
}

/// The `@` lines of the first comment: `/* … */` in D, leading `#` lines in a shell script.
fn head(text: &str, is_d: bool) -> Vec<&str> {
    let comment: Vec<&str> = match is_d {
        true => {
            match text.split_once("/*").and_then(|(before, rest)| before.trim().is_empty().then_some(rest)) {
                Some(rest) => rest.split("*/").next().unwrap_or_default().lines().collect(),
                None => Vec::new(),
            }
        }
        false => text.lines().take_while(|line| line.starts_with('#')).collect(),
    };
    let bare = comment.into_iter().map(|line| line.trim_start_matches([' ', '\t', '*', '#']));
    bare.filter_map(|line| line.strip_prefix('@')).map(str::trim_end).collect()
}

/// Every test below `root`, by name.
///
/// # Errors
/// A directory that cannot be read, or a test whose head says nonsense.
pub fn all(root: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|kind| kind == "d" || kind == "sh") {
                cases.push(Case::read(root, &path)?);
            }
        }
    }
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str, text: &str) -> Result<Case> {
        Case::parse(file.to_owned(), PathBuf::from(file), text)
    }

    #[test]
    fn a_script_without_a_head_runs_everywhere() {
        let case = parse("x.d", "BEGIN { exit(0); }\n").unwrap();
        assert!(case.host && case.guest && case.needs.is_empty());
        assert_eq!((case.command.as_str(), case.exit), ("exec dtrace -s \"$FILE\"", 0));
    }

    #[test]
    fn the_head_directs() {
        let text = "/*\n * A sentence.\n *\n * @where: guest\n * @needs: root fbt\n * @args: -q\n * @more: 7\n * \
                    @trigger: seeker\n * @exit: 1\n * @timeout: 9\n */\nBEGIN { }\n/* @exit: 5 */";
        let case = parse("x.d", text).unwrap();
        assert_eq!((case.host, case.guest, case.exit, case.timeout), (false, true, 1, Some(9)));
        assert_eq!(case.command, "exec dtrace -q -s \"$FILE\" 7");
        assert_eq!(case.needs, ["root", "fbt"]);
        assert_eq!(case.triggers, ["seeker"]);
    }

    #[test]
    fn shell_scripts_have_their_head_in_hashes() {
        let case = parse("x.sh", "#!/bin/sh\n# @where: host\n\n# @exit: 3\n").unwrap();
        assert_eq!((case.host, case.guest, case.exit), (true, false, 0));
        assert_eq!(case.command, "exec sh \"$FILE\"");
    }

    #[test]
    fn nonsense_is_refused() {
        for head in ["@wher: host", "@where: moon", "@exit: maybe", "@exit"] {
            assert!(parse("x.d", &format!("/* {head} */")).is_err(), "{head}");
        }
    }
}
