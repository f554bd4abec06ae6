//! Suites about the code itself: format, lints, licences, unit and property tests.

use super::{Ask, Tally};
use crate::{place, sh};
use anyhow::{Context, Result};
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

/// rustfmt has nothing to change.
pub fn fmt(_: &Ask, tally: &mut Tally) -> Result<()> {
    one("cargo fmt", &mut cargo(&["fmt", "--all", "--check"]), tally);
    Ok(())
}

/// No warning in any target, with the committed lock file.
pub fn clippy(_: &Ask, tally: &mut Tally) -> Result<()> {
    let args = ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    one("cargo clippy", &mut cargo(&args), tally);
    Ok(())
}

/// Licences and sources of what we depend on, by deny.toml.
pub fn deny(_: &Ask, tally: &mut Tally) -> Result<()> {
    if sh::read(&mut cargo(&["deny", "--version"])).is_err() {
        tally.skip("cargo deny", "cargo-deny is not installed (cargo install cargo-deny --locked)");
        return Ok(());
    }
    one("cargo deny", &mut cargo(&["deny", "--offline", "check", "licenses", "bans", "sources"]), tally);
    Ok(())
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
    tally.skipped += counted.skipped;
    if counted.skipped > 0 {
        println!("{} tests are marked #[ignore]; their attributes say why", counted.skipped);
    }
    if counted.failed > 0 {
        println!("{text}");
    }
    if !out.status.success() && counted.failed == 0 {
        tally.fail("cargo test", &format!("{}\n{}", out.status, sh::tail(&text, 30)));
    }
    Ok(())
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
    fn results_of_all_programs_are_summed() {
        let text = "\nrunning 2 tests\n..\ntest result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; \
                    finished in 0.00s\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(results(text), Tally { passed: 13, failed: 2, skipped: 1 });
    }
}
