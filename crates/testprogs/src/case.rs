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
    /// One guest is enough: another kernel would show nothing else.
    pub once: bool,
    pub needs: Vec<String>,
    /// The command line for `sh -c`.
    pub command: String,
    pub triggers: Vec<String>,
    pub exit: i32,
    /// What stderr must hold somewhere: the tag of an `err.TAG.…` test, in its brackets.
    pub tag: Option<String>,
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
        let (refusal, tag) = (is_refusal(&file), refused_with(&file));
        let mut case = Case {
            name,
            file,
            host: true,
            guest: true,
            once: refusal,
            needs: Vec::new(),
            command: String::new(),
            triggers: Vec::new(),
            exit: i32::from(refusal),
            tag,
            timeout: None,
        };
        let (mut args, mut more) = (String::new(), String::new());
        if case.tag.is_some() {
            args += "-xerrtags";
        }
        for line in head(text, is_d) {
            let Some((word, value)) = line.split_once(':') else { bail!("'@{line}' lacks its colon") };
            let value = value.trim();
            match word.trim() {
                "where" => {
                    case.host = value.split_whitespace().any(|place| place == "host");
                    case.guest = value.split_whitespace().any(|place| place == "guest");
                    case.once |= value.split_whitespace().any(|place| place == "once");
                    if !case.host && !case.guest {
                        bail!("@where: {value}: neither host nor guest");
                    }
                }
                "needs" => case.needs.extend(value.split_whitespace().map(str::to_owned)),
                "args" => args = format!("{args} {value}").trim_start().to_owned(),
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

/// Whether a D script or one of the shell is a test: by its name, `tst.…` or `err.…`, or by a word in its head.
fn is_test(file: &Path, text: &str) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let is_d = name.ends_with(".d");
    let named = name.starts_with("tst.") || name.starts_with("err.");
    (is_d || name.ends_with(".sh")) && (named || !head(text, is_d).is_empty())
}

fn is_refusal(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("err."))
}

/// The tag in the name of an `err.D_TAG.…` test; refusals that have no tag have another name.
fn refused_with(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let tag = name.strip_prefix("err.")?.split('.').next()?;
    tag.starts_with("D_").then(|| format!("[{tag}]"))
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

/// Every test below `root`, by name; `root` may be one test.
///
/// # Errors
/// A directory that cannot be read, or a test whose head says nonsense.
pub fn all(root: &Path) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    if root.is_file() {
        let area = root.parent().and_then(Path::parent).unwrap_or(root);
        return Ok(vec![Case::read(area, root)?]);
    }
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if is_test(&path, &text) {
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
    fn a_name_says_what_is_expected() {
        let case = parse("err.D_PROTO_LEN.lkd.d", "/* @args: -w */").unwrap();
        assert_eq!((case.exit, case.tag.as_deref()), (1, Some("[D_PROTO_LEN]")));
        assert_eq!(case.command, "exec dtrace -xerrtags -w -s \"$FILE\"");
        let untagged = parse("err.no_root.sh", "").unwrap();
        assert_eq!((untagged.exit, untagged.tag), (1, None));
        for (name, test) in [("tst.a.d", true), ("err.D_X.a.d", true), ("tst.a.sh", true), ("a.d", false)] {
            assert_eq!(is_test(Path::new(name), "BEGIN { }"), test, "{name}");
        }
        assert!(is_test(Path::new("a.d"), "/*\n * @needs: root\n */"));
        assert!(!is_test(Path::new("tst.a.out"), "/* @needs: root */"));
    }

    #[test]
    fn one_guest_is_enough_for_refusals_and_for_who_says_so() {
        assert!(parse("tst.x.sh", "# @where: guest once\n").unwrap().once);
        assert!(parse("err.x.d", "").unwrap().once);
        assert!(!parse("tst.x.sh", "# @where: guest\n").unwrap().once);
    }

    #[test]
    fn nonsense_is_refused() {
        for head in ["@wher: host", "@where: moon", "@exit: maybe", "@exit"] {
            assert!(parse("x.d", &format!("/* {head} */")).is_err(), "{head}");
        }
    }
}
