//! The readers that judge our dumps: crash and drgn at their newest, gdb and makedumpfile as this machine has them.

use crate::beside::Beside;
use crate::{place, sh};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest crash that Debian has.
pub fn crash() -> Result<Command> {
    // Debian 12's crash 8 loses the tasks of its own 6.1 kernel.
    let mut command = Beside::fetch("crash", "sid")?.command("usr/bin/crash")?;
    // crash's gdb looks here for the names of terminals.
    command.env("TERMINFO_DIRS", "/lib/terminfo:/usr/share/terminfo");
    Ok(command)
}

/// The python of a virtual environment with the newest drgn.
pub fn drgn() -> Result<PathBuf> {
    let venv = place::cache()?.join("drgn");
    let python = venv.join("bin/python3");
    // An environment knows its own path, so it is made where it stays; its mark comes last.
    let mark = venv.join("whole");
    if !mark.exists() {
        eprintln!("xtask: fetching drgn");
        let _ = std::fs::remove_dir_all(&venv);
        sh::read(sh::cmd("python3").args(["-m", "venv"]).arg(&venv))
            .context("cannot make an environment for drgn")?;
        sh::read(sh::cmd(&python).args(["-m", "pip", "install", "--quiet", "drgn"]))
            .context("pip cannot install drgn")?;
        std::fs::write(&mark, "")?;
    }
    Ok(python)
}

/// Runs a drgn script on a dump: `python script.py vmlinux dump ARGS`.
pub fn drgn_script(script: &Path, vmlinux: &Path, dump: &Path, args: &[&str]) -> Result<Command> {
    let mut command = sh::cmd(drgn()?);
    command.arg(script).arg(vmlinux).arg(dump).args(args);
    // Scripts that share code would leave what Python made of it beside them.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}
