//! Programs of another release of Debian, unpacked beside the system with everything that they name, and run with their own loader.

use crate::apt::Archive;
use crate::{place, sh};
use anyhow::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package and all that it depends on, below a directory of their own.
pub struct Beside {
    root: PathBuf,
}

impl Beside {
    /// Fetches the package of a suite, unless that has been done.
    pub fn fetch(package: &str, suite: &str) -> Result<Beside> {
        let root = place::cache()?.join(format!("{package}-{suite}"));
        place::once(&root, |half| {
            eprintln!("xtask: fetching {package} of Debian's {suite}");
            let archive = Archive::suite(suite)?;
            archive.unpack(&archive.closure(package)?, half)
        })?;
        Ok(Beside { root })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The words that run a program of it.
    pub fn words(&self, program: &str) -> Result<Vec<OsString>> {
        let loader = ["usr/lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2"];
        let Some(loader) = loader.iter().map(|path| self.root.join(path)).find(|path| path.exists()) else {
            bail!("the packages below {} hold no loader", self.root.display());
        };
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib"];
        let libraries: Vec<String> =
            libraries.iter().map(|dir| self.root.join(dir).display().to_string()).collect();
        Ok(vec![
            loader.into(),
            "--library-path".into(),
            libraries.join(":").into(),
            self.root.join(program).into(),
        ])
    }

    /// A program of it as a command.
    pub fn command(&self, program: &str) -> Result<Command> {
        let words = self.words(program)?;
        let mut words = words.iter();
        let mut command = sh::cmd(words.next().map_or(Path::new(""), Path::new));
        command.args(words);
        Ok(command)
    }
}
