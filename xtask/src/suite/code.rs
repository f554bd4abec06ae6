//! Suites about the code itself: format, lints, licences, unit and property tests.

use super::{Ask, Tally};
use crate::{place, sh};
use anyhow::{Context, Result};
use std::fs;
use std::process::{Command, Stdio};

fn cargo(args: &[&str]) -> Command {
    let mut command = sh::cmd(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(place::workspace()).args(args);
    command
}

fn one(what: &str, command: &mut Command, tally: &mut Tally) {
    match sh::read(command) {
        Ok(_) => tally.pass(),
        Err(why) => tally.fail(what, &why.to_string()),
    }
}

/// Whether the toolchain has `cargo NAME`. rustup's minimal profile comes without; a failure says what to do.
fn has(name: &str, component: &str, tally: &mut Tally) -> bool {
    let there = sh::read(&mut cargo(&[name, "--version"])).is_ok();
    if !there {
        let what = format!("cargo {name}");
        tally.fail(&what, &format!("this toolchain has none: rustup component add {component}"));
    }
    there
}

/// rustfmt has nothing to change.
pub fn fmt(_: &Ask, tally: &mut Tally) -> Result<()> {
    if has("fmt", "rustfmt", tally) {
        one("cargo fmt", &mut cargo(&["fmt", "--all", "--check"]), tally);
    }
    Ok(())
}

/// No warning in any target, with the committed lock file.
pub fn clippy(_: &Ask, tally: &mut Tally) -> Result<()> {
    let args = ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    if has("clippy", "clippy", tally) {
        one("cargo clippy", &mut cargo(&args), tally);
    }
    Ok(())
}

/// Licences and sources of what we depend on, by deny.toml: judged by cargo-deny where it is installed, and in any case by
/// cargo's own words on every package that ends up in a binary.
pub fn deny(_: &Ask, tally: &mut Tally) -> Result<()> {
    let rules = fs::read_to_string(place::workspace().join("deny.toml")).context("cannot read deny.toml")?;
    let allowed = allowed(&rules)?;
    let args = ["--workspace", "--locked", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"];
    let target = ["--target", "x86_64-unknown-linux-gnu", "--format", "{p}|{l}"];
    let packages = sh::read(cargo(&["tree"]).args(args).args(target))?;
    let wrong = refused(&packages, &allowed);
    if wrong.is_empty() {
        tally.pass();
    } else {
        tally.fail("licences", &format!("deny.toml does not allow\n{}", wrong.join("\n")));
    }
    let lock = fs::read_to_string(place::workspace().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    match lock.lines().find(|line| line.starts_with("source = ") && *line != CRATES_IO) {
        Some(line) => tally.fail("sources", &format!("Cargo.lock has a package from elsewhere: {line}")),
        None => tally.pass(),
    }
    if sh::read(&mut cargo(&["deny", "--version"])).is_ok() {
        one("cargo deny", &mut cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]), tally);
    } else {
        println!(
            "without cargo-deny, which is not installed: its rule against wildcard versions was not asked"
        );
    }
    Ok(())
}

const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// The licences that deny.toml allows.
fn allowed(rules: &str) -> Result<Vec<spdx::Licensee>> {
    let rules: toml::Table = rules.parse().context("deny.toml")?;
    let list = rules.get("licenses").and_then(|l| l.get("allow")).and_then(toml::Value::as_array);
    let list = list.context("deny.toml has no [licenses] allow")?;
    let one = |name: &toml::Value| {
        let name = name.as_str().context("deny.toml: [licenses] allow is a list of names")?;
        spdx::Licensee::parse(name).with_context(|| format!("deny.toml: {name} is no SPDX licence"))
    };
    list.iter().map(one).collect()
}

/// The `package|licence` lines whose licence leaves no allowed choice.
fn refused<'a>(packages: &'a str, allowed: &[spdx::Licensee]) -> Vec<&'a str> {
    let ok = |line: &str| {
        let licence = line.rsplit_once('|').map_or("", |(_, licence)| licence);
        // lax: cargo still takes '/' for OR and the old names of the GPL
        let Ok(licence) = spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX) else { return false };
        licence.evaluate(|asked| allowed.iter().any(|have| have.satisfies(asked)))
    };
    let mut wrong: Vec<&str> = packages.lines().filter(|line| !line.is_empty() && !ok(line)).collect();
    wrong.sort_unstable();
    wrong.dedup();
    wrong
}

/// The tests of all crates.
pub fn unit(_: &Ask, tally: &mut Tally) -> Result<()> {
    let mut command = cargo(&["test", "--quiet", "--workspace", "--no-fail-fast"]);
    // Compiler messages belong on the terminal; what the tests say is counted first.
    let out = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let counted = results(&text);
    tally.passed += counted.passed;
    tally.failed += counted.failed;
    let skips = reasons(&text);
    for (test, why) in &skips {
        tally.skip(test, why);
    }
    let silent = counted.skipped.saturating_sub(skips.len() as u32);
    if silent > 0 {
        tally.fail(
            "unit tests",
            &format!("{silent} are marked #[ignore]: a test that cannot run says so itself, and why"),
        );
    }
    if counted.failed > 0 {
        println!("{text}");
        let names =
            text.lines().filter_map(|line| line.strip_prefix("    ")).filter(|name| !name.contains(' '));
        tally.failures += &format!("FAILED unit tests: {}\n", names.collect::<Vec<_>>().join(", "));
    }
    if !out.status.success() && counted.failed == 0 {
        tally.fail("cargo test", &format!("{}\n{}", out.status, sh::tail(&text, 30)));
    }
    Ok(())
}

/// The tests that told why they did not run: `test NAME ... ignored, WHY`.
fn reasons(text: &str) -> Vec<(&str, &str)> {
    let skips = text.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... ignored, "));
    skips.collect()
}

/// Sums the `test result:` lines of every test program.
fn results(text: &str) -> Tally {
    let mut sum = Tally::default();
    for line in text.lines().filter(|line| line.starts_with("test result:")) {
        let number = |word: &str| -> u32 {
            let before = line.split(word).next().unwrap_or_default().trim_end();
            before.rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        sum.passed += number(" passed");
        sum.failed += number(" failed");
        sum.skipped += number(" ignored");
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_must_leave_an_allowed_choice() {
        let rules = "[licenses]\nallow = [\"MIT\", \"Apache-2.0\", \"Apache-2.0 WITH LLVM-exception\"]\n";
        let allowed = allowed(rules).unwrap();
        let packages = "a v1|MIT/Apache-2.0\n\nb v1|GPL-2.0 OR MIT\nc v1|GPL-2.0 AND MIT\nd v1|\n\
                        e v1|Apache-2.0 WITH LLVM-exception\nc v1|GPL-2.0 AND MIT\n";
        assert_eq!(refused(packages, &allowed), ["c v1|GPL-2.0 AND MIT", "d v1|"]);
    }

    #[test]
    fn a_skipped_test_tells_why() {
        let text = "test a ... ok\ntest b ... ignored, not root\n\ntest result: ok. 1 passed; 0 failed; 1 ignored; 0 measured\n";
        assert_eq!(reasons(text), [("b", "not root")]);
        assert_eq!(results(text), Tally { passed: 1, skipped: 1, ..Tally::default() });
    }

    #[test]
    fn results_of_all_programs_are_summed() {
        let text = "\nrunning 2 tests\n..\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
                    finished in 0.00s\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(results(text), Tally { passed: 13, failed: 2, skipped: 1, ..Tally::default() });
    }
}
