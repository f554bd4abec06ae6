//! The readers that judge our dumps: crash and drgn at their newest, gdb and makedumpfile as this machine has them.

use crate::apt::Archive;
use crate::{place, sh};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of another release of Debian, unpacked beside the system with everything that it names, and run with
/// its own loader: Debian 12's crash 8 loses the tasks of its own 6.1 kernel.
fn beside(package: &str, suite: &str, program: &str) -> Result<Command> {
    let root = place::cache()?.join(format!("{package}-{suite}"));
    place::once(&root, |half| {
        eprintln!("xtask: fetching {package} of Debian's {suite}");
        let archive = Archive::suite(suite)?;
        archive.unpack(&archive.closure(package)?, half)
    })?;
    let loader = ["usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"];
    let Some(loader) = loader.iter().map(|path| root.join(path)).find(|path| path.exists()) else {
        bail!("the packages below {} hold no loader", root.display());
    };
    let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib"];
    let libraries: Vec<String> = libraries.iter().map(|dir| root.join(dir).display().to_string()).collect();
    let mut command = sh::cmd(loader);
    command.arg("--library-path").arg(libraries.join(":")).arg(root.join(program));
    // crash's gdb looks here for the names of terminals.
    command.env("TERMINFO_DIRS", "/lib/terminfo:/usr/share/terminfo");
    Ok(command)
}

/// The newest crash that Debian has.
pub fn crash() -> Result<Command> {
    beside("crash", "sid", "usr/bin/crash")
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
    Ok(command)
}
