//! Packages: what the machine lacks is installed through its own apt; what it does not carry is unpacked beside it.
//!
//! Mirrors, proxies and certificates are the machine's own: a foreign suite is read through a private apt state whose
//! source lines name the mirror of the machine's own source lists.

use crate::{place, sh};
use anyhow::{Context, Result, bail};
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
    "python3-venv",
    "qemu-system-x86",
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
    sh::read(as_root("apt-get").args(["-qq", "-o", "DPkg::Lock::Timeout=600", "update"]))?;
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
            let mirror = mirror(suite.ends_with("-security"))?;
            let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
            let line = format!("deb [arch=amd64 signed-by={keys}] {mirror} {suite} main\n");
            fs::write(half.join("sources.list"), line)?;
            fs::write(half.join("status"), "")?;
            for dir in ["lists/partial", "cache/archives/partial"] {
                fs::create_dir_all(half.join(dir))?;
            }
            let half = Archive { state: Some(half.to_owned()) };
            sh::read(half.apt("apt-get").args(["-qq", "update"])).map(|_| ())
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
        sh::read(self.apt("apt-get").args(["-qq", "download"]).args(packages).current_dir(dir))?;
        let files = fs::read_dir(dir)?.flatten().map(|file| file.path());
        Ok(files.filter(|file| file.extension().is_some_and(|kind| kind == "deb")).collect())
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
            ];
            for setting in settings {
                command.args(["-o", &setting]);
            }
        }
        command
    }
}

/// The address of Debian's archive as this machine's own files have it: from its source lists, else from the
/// template of Debian's sources that python-apt carries on other distributions.
fn mirror(security: bool) -> Result<String> {
    let mut texts = Vec::new();
    let lists =
        fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|file| file.path());
    for file in lists.chain([PathBuf::from("/etc/apt/sources.list")]) {
        texts.extend(fs::read_to_string(file));
    }
    let template = fs::read_dir("/usr/share/python-apt/templates").into_iter().flatten().flatten();
    for file in template.filter(|file| file.file_name().to_string_lossy().starts_with("Debian.info")) {
        texts.extend(fs::read_to_string(file.path()));
    }
    pick_mirror(&texts, security).context(
        "no source list of this machine names a mirror of Debian: add one to /etc/apt/sources.list.d, or install python3-apt",
    )
}

fn pick_mirror(texts: &[String], security: bool) -> Option<String> {
    let end = if security { "/debian-security" } else { "/debian" };
    let uncommented =
        texts.iter().flat_map(|text| text.lines()).filter(|line| !line.trim_start().starts_with('#'));
    let words = uncommented.flat_map(str::split_whitespace);
    let plain = words.map(|word| word.trim_end_matches('/')).filter(|word| word.contains("://"));
    plain.filter(|word| word.ends_with(end)).map(str::to_owned).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_machines_own() {
        let deb822 =
            "Types: deb\n# http://old.example/debian\nURIs: http://m.example/debian/\nSuites: bookworm\n";
        let list =
            "deb https://l.example/debian bookworm main\ndeb http://l.example/debian-security x main\n";
        let texts = [deb822.to_owned(), list.to_owned()];
        assert_eq!(pick_mirror(&texts, false).as_deref(), Some("http://m.example/debian"));
        assert_eq!(pick_mirror(&texts, true).as_deref(), Some("http://l.example/debian-security"));
        assert_eq!(pick_mirror(&["deb http://u.example/ubuntu noble main".to_owned()], false), None);
    }

    #[test]
    fn an_unknown_package_is_missing_and_dpkg_is_not() {
        assert_eq!(missing(&["dpkg", "no-such-package-at-all"]).unwrap(), ["no-such-package-at-all"]);
    }
}
