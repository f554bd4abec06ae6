//! Our own programs, built by the cargo that runs us.

use crate::{place, sh};
use anyhow::{Result, bail};
use std::path::PathBuf;

/// The programs under test.
pub const OURS: &[&str] = &["dtrace", "lkd"];
/// Programs that tests need: the runner and its triggers.
pub const HELPERS: &[&str] =
    &["lkd-testrun", "seeker", "load", "getppid", "storm", "owner", "vmrun", "pauser"];

/// Builds packages with the release profile and gives the directory of their programs. Guests are emulated: there an
/// unoptimised program is slow twice over.
pub fn release(packages: &[&str]) -> Result<PathBuf> {
    let mut cargo = sh::cmd(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.current_dir(place::workspace()).args(["build", "--release", "--quiet"]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    sh::run(&mut cargo)?;
    Ok(place::target().join("release"))
}

/// The built programs `names` in `dir`; all must be there.
pub fn programs(dir: &std::path::Path, names: &[&str]) -> Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(file) => bail!("the build left no {}", file.display()),
        None => Ok(files),
    }
}
