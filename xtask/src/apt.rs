//! Packages: what the machine lacks is installed through its own apt; what it does not carry is unpacked beside it.
//!
//! Mirrors, proxies and certificates are the machine's own: a foreign suite is read through a private apt state whose
//! source line names a mirror that the machine's own apt uses for Debian, or python-apt's description of Debian (`mirror.rs`).

use crate::{mirror, place, sh};
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What building, guests and readers need. A package belongs here only if something here calls it.
const PACKAGES: &[&str] = &[
    "binutils",
    "busybox-static",
    "clang",
    "debian-archive-keyring",
    "e2fsprogs",
    "gcc",
    "gdb",
    "kmod",
    "libc6-dev",
    "libelf-dev",
    "llvm",
    "makedumpfile",
    "make",
    "pkg-config",
    "python-apt-common",
    "python3-venv",
    "util-linux",
    "xz-utils",
    "zlib1g-dev",
    "zstd",
];

/// Installs what is missing. Says so; quiet and quick when nothing is.
pub fn setup() -> Result<()> {
    install(PACKAGES)
}

/// Installs those of `packages` that are missing.
pub fn install(packages: &[&str]) -> Result<()> {
    if sh::which("dpkg-query").is_none() || sh::which("apt-get").is_none() {
        bail!("this machine has no apt: install by hand what offers {}", packages.join(", "));
    }
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: installing {}", missing.join(" "));
    let fresh = fs::read_dir("/var/lib/apt/lists")
        .is_ok_and(|dir| dir.flatten().any(|file| file.file_name().to_string_lossy().contains("_Packages")));
    let wanted = || {
        let mut command = as_root("apt-get");
        command.args(["-qq", "-y", "-o", "DPkg::Lock::Timeout=600", "install", "--no-install-recommends"]);
        command.args(&missing);
        command
    };
    if fresh && sh::read(&mut wanted()).is_ok() {
        return Ok(());
    }
    Archive::system().update()?;
    sh::read(&mut wanted()).map(|_| ()).context("apt could not install what is missing")
}

fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    // dpkg-query ends with 1 when a name is unknown to it; what it knows is printed all the same.
    let out = sh::cmd("dpkg-query")
        .args(["-W", "-f", "${Package} ${db:Status-Status}\n"])
        .args(packages)
        .output()
        .context("cannot start dpkg-query")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let there = |name: &str| text.lines().any(|line| line == format!("{name} installed"));
    Ok(packages.iter().copied().filter(|name| !there(name)).collect())
}

fn as_root(program: &str) -> Command {
    let mut command = if is_root() {
        sh::cmd(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--preserve-env=DEBIAN_FRONTEND", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Whether this process is root.
pub fn is_root() -> bool {
    place::own_uid().is_ok_and(|uid| uid == 0)
}

/// Where packages come from: the machine's own lists, or those of one Debian suite in a private state.
pub struct Archive {
    state: Option<PathBuf>,
}

impl Archive {
    /// The machine's own lists.
    pub fn system() -> Archive {
        Archive { state: None }
    }

    /// One suite of Debian (`trixie-backports`, `sid`, …), whatever the machine itself runs.
    pub fn suite(suite: &str) -> Result<Archive> {
        let state = place::cache()?.join("apt").join(suite);
        place::once(&state, |half| {
            let mut refused: Option<anyhow::Error> = None;
            for mirror in mirror::all(suite.ends_with("-security")) {
                if let Some(why) = refused {
                    eprintln!("xtask: asking {mirror} for {suite}: {why:#}");
                }
                match first_read(half, &mirror, suite) {
                    Ok(()) => return Ok(()),
                    Err(why) => refused = Some(why),
                }
            }
            Err(refused.unwrap_or_else(|| anyhow!("no mirror of Debian is known here: install python-apt-common, or add one to /etc/apt/sources.list.d")))
        })
        .with_context(|| format!("cannot read Debian's {suite}"))?;
        Ok(Archive { state: Some(state) })
    }

    /// Names of packages that begin with `prefix`.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let text = sh::read(self.apt("apt-cache").args(["pkgnames", prefix]))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Downloads packages into `dir`; gives the files.
    pub fn download(&self, packages: &[String], dir: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(dir)?;
        let fetch =
            || sh::read(self.apt("apt-get").args(["-qq", "download"]).args(packages).current_dir(dir));
        if let Err(why) = fetch() {
            // Lists that were read weeks ago name files that the archive has replaced since.
            eprintln!("xtask: apt cannot bring {}, reading its lists again", packages.join(" "));
            let again = self.update().and_then(|()| fetch());
            again.with_context(|| format!("not with fresh lists either; before that: {why}"))?;
        }
        let files = fs::read_dir(dir)?.flatten().map(|file| file.path());
        Ok(files.filter(|file| file.extension().is_some_and(|kind| kind == "deb")).collect())
    }

    /// Reads the lists anew.
    fn update(&self) -> Result<()> {
        let mut command = match self.state {
            Some(_) => self.apt("apt-get"),
            None => as_root("apt-get"),
        };
        command.args(["-qq", "-o", "DPkg::Lock::Timeout=600", "update"]);
        sh::read(&mut command).map(|_| ())
    }

    /// Unpacks packages under `root` without installing them.
    pub fn unpack(&self, packages: &[String], root: &Path) -> Result<()> {
        let run = place::RunDir::new()?;
        for file in self.download(packages, &run.file("deb"))? {
            sh::read(sh::cmd("dpkg-deb").arg("-x").arg(&file).arg(root))?;
        }
        Ok(())
    }

    /// A package and everything that it depends on, as apt would install it on an empty machine.
    pub fn closure(&self, package: &str) -> Result<Vec<String>> {
        let mut command = self.apt("apt-get");
        command.args(["-qq", "-s", "--no-install-recommends", "install", package]);
        let text = sh::read(&mut command)?;
        let inst = text.lines().filter_map(|line| line.strip_prefix("Inst "));
        Ok(inst.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = sh::cmd(program);
        // As root, apt steps down to a user of its own, which may not write where we want the file.
        command.args(["-o", "APT::Sandbox::User="]);
        if let Some(state) = &self.state {
            let settings = [
                format!("Dir::Etc::sourcelist={}", state.join("sources.list").display()),
                "Dir::Etc::sourceparts=/nonexistent".to_owned(),
                format!("Dir::State::lists={}", state.join("lists").display()),
                format!("Dir::State::status={}", state.join("status").display()),
                format!("Dir::Cache={}", state.join("cache").display()),
                // A mirror may be a snapshot, whose indexes expired long ago.
                "Acquire::Check-Valid-Until=false".to_owned(),
                "Acquire::Languages=none".to_owned(),
                // Otherwise a mirror that does not answer is a warning, and the lists stay empty for ever.
                "APT::Update::Error-Mode=any".to_owned(),
            ];
            for setting in settings {
                command.args(["-o", &setting]);
            }
        }
        command
    }
}

/// Makes a private apt state in `state` that knows one suite of one mirror, and reads its lists.
fn first_read(state: &Path, mirror: &str, suite: &str) -> Result<()> {
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let line = format!("deb [arch=amd64 signed-by={keys}] {mirror} {suite} main\n");
    fs::write(state.join("sources.list"), line)?;
    fs::write(state.join("status"), "")?;
    for dir in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(state.join(dir))?;
    }
    Archive { state: Some(state.to_owned()) }.update()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_package_is_missing_and_dpkg_is_not() {
        assert_eq!(missing(&["dpkg", "no-such-package-at-all"]).unwrap(), ["no-such-package-at-all"]);
    }
}
