//! One test, run: its triggers beside it, its deadline over it, its streams compared.

use crate::case::Case;
use crate::expect;
use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How a test ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// The status by which a script says that it cannot run here.
const SKIP: i32 = 77;

/// Runs a test in an empty directory below `scratch`.
///
/// # Errors
/// Only what keeps the runner itself from working: no scratch directory, no shell.
pub fn run(case: &Case, scratch: &Path, timeout: Duration, bless: bool) -> Result<Outcome> {
    let dir = scratch.join(case.name.replace('/', "-"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let (out, err) = (scratch.join("stdout"), scratch.join("stderr"));
    let mut triggers = Vec::new();
    for trigger in &case.triggers {
        let sink = File::create(scratch.join("trigger.log"))?;
        // The shell may hold a trigger's place; the group is what gets ended.
        triggers.push(shell(case, &dir, trigger).stdout(sink.try_clone()?).stderr(sink).spawn()?);
    }
    let mut command = shell(case, &dir, &case.command);
    command.stdout(File::create(&out)?).stderr(File::create(&err)?);
    let mut child = command.spawn().context("cannot start sh")?;
    let deadline = Instant::now() + case.timeout.map_or(timeout, Duration::from_secs);
    let mut late = false;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            late = true;
            end(&mut child);
        }
        thread::sleep(Duration::from_millis(5));
    };
    for mut trigger in triggers {
        end(&mut trigger);
    }
    let (out, err) = (text(&out)?, text(&err)?);
    let _ = fs::remove_dir_all(&dir);
    let exit = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    if exit == SKIP && case.exit != SKIP {
        return Ok(Outcome::Skipped(err.lines().last().unwrap_or("it gave no reason").to_owned()));
    }
    let mut faults = Vec::new();
    if late {
        faults.push("it was still running at its deadline".to_owned());
    } else if exit != case.exit {
        faults.push(format!("exit status {exit}, not {}", case.exit));
    }
    if let Some(tag) = case.tag.as_ref().filter(|tag| !err.contains(tag.as_str())) {
        faults.push(format!("no {tag} on its stderr"));
    }
    for (kind, actual) in [("out", &out), ("err", &err)] {
        faults.extend(compare(&case.expected(kind), kind, actual, bless)?);
    }
    if faults.is_empty() {
        return Ok(Outcome::Passed);
    }
    if !case.expected("err").exists() && !err.trim().is_empty() {
        faults.push(format!("its stderr:\n  {}", last(&err, 20).replace('\n', "\n  ")));
    }
    if !case.expected("out").exists() && !out.trim().is_empty() {
        faults.push(format!("its stdout:\n  {}", last(&out, 20).replace('\n', "\n  ")));
    }
    Ok(Outcome::Failed(faults.join("\n")))
}

fn compare(file: &Path, kind: &str, actual: &str, bless: bool) -> Result<Option<String>> {
    if bless && (file.exists() || !actual.is_empty()) {
        fs::write(file, actual).with_context(|| format!("cannot write {}", file.display()))?;
        return Ok(None);
    }
    if !file.exists() {
        return Ok(None);
    }
    let difference = expect::difference(&text(file)?, actual);
    Ok(difference.map(|text| format!("std{kind}, {text}")))
}

fn shell(case: &Case, dir: &Path, line: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).current_dir(dir).stdin(Stdio::null()).process_group(0);
    command.env("FILE", &case.file).env("T", dir);
    command.env("DIR", case.file.parent().unwrap_or(Path::new(".")));
    command
}

/// Ends a command and everything in its group.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

fn text(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn last(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}

/// A directory for scratch files of this process.
///
/// # Errors
/// When it cannot be made.
pub fn scratch() -> Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("lkd-testrun-{}", std::process::id()));
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, script: &str, out: Option<&str>) -> Outcome {
        let scratch = scratch().unwrap().join(format!("unit-{name}"));
        let area = scratch.join("area");
        fs::create_dir_all(&area).unwrap();
        let file = area.join(format!("tst.{name}.sh"));
        fs::write(&file, script).unwrap();
        if let Some(text) = out {
            fs::write(file.with_extension("out"), text).unwrap();
        }
        let case = Case::read(&scratch, &file).unwrap();
        let outcome = run(&case, &scratch, Duration::from_secs(20), false).unwrap();
        fs::remove_dir_all(&scratch).unwrap();
        outcome
    }

    #[test]
    fn status_and_streams_decide() {
        assert_eq!(outcome("right", "echo 12", Some("{{\\d+}}\n")), Outcome::Passed);
        assert!(
            matches!(outcome("wrong", "echo x", Some("y\n")), Outcome::Failed(why) if why.contains("came:     x"))
        );
        assert!(
            matches!(outcome("status", "exit 3", None), Outcome::Failed(why) if why.contains("status 3"))
        );
        assert_eq!(outcome("wanted", "# @exit: 3\nexit 3", None), Outcome::Passed);
        assert_eq!(outcome("skip", "echo no moon >&2; exit 77", None), Outcome::Skipped("no moon".into()));
    }

    #[test]
    fn the_deadline_ends_everything_in_the_group() {
        let started = Instant::now();
        let late = outcome("late", "# @timeout: 1\nsleep 50 & sleep 50", None);
        assert!(matches!(late, Outcome::Failed(why) if why.contains("deadline")));
        assert!(started.elapsed() < Duration::from_secs(45));
    }

    #[test]
    fn a_trigger_runs_beside_the_test_and_ends_with_it() {
        let script = "# @trigger: while :; do touch ticked; sleep 0.05; done\nwhile [ ! -e ticked ]; do sleep 0.05; done";
        assert_eq!(outcome("trigger", script, None), Outcome::Passed);
    }
}
