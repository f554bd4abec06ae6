//! A stock Debian kernel, fetched once: its image, its modules in loading order, the vmlinux of its -dbg package.

use crate::apt::Archive;
use crate::{place, sh};
use anyhow::{Context, Result, bail};
use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What `uname -r` says in it.
    pub release: String,
    root: PathBuf,
    suite: Option<String>,
}

/// Suites whose kernels may be newer than the machine's own; the first that offers one wins.
const NEWER: &[&str] = &["trixie-backports", "sid"];

impl Kernel {
    /// The kernel that a user calls `6.1`, `6.12` or `newest`, or by its full release. What a short name stands for
    /// is decided at the first call and kept in the cache.
    pub fn get(name: &str) -> Result<Kernel> {
        let dir = place::cache()?.join("kernels");
        fs::create_dir_all(&dir)?;
        let note = dir.join(format!("{name}.release"));
        if let Ok(text) = fs::read_to_string(&note) {
            let mut lines = text.lines().map(str::to_owned);
            if let Some(release) = lines.next() {
                return Kernel::fetch(&release, lines.next());
            }
        }
        // A full release that is there already.
        if dir.join(name).is_dir() {
            return Kernel::fetch(name, None);
        }
        eprintln!("xtask: looking for kernel {name}");
        for (release, suite) in candidates(name)? {
            match Kernel::fetch(&release, suite.clone()) {
                Ok(kernel) => {
                    fs::write(&note, format!("{release}\n{}", suite.unwrap_or_default()))?;
                    return Ok(kernel);
                }
                Err(why) => eprintln!("xtask: {release} cannot be had: {why:#}"),
            }
        }
        bail!("apt on this machine offers no kernel {name}")
    }

    fn fetch(release: &str, suite: Option<String>) -> Result<Kernel> {
        let suite = suite.filter(|name| !name.is_empty());
        let root = place::cache()?.join("kernels").join(release);
        place::once(&root, |half| {
            eprintln!("xtask: fetching kernel {release}");
            let archive = archive(&suite)?;
            let mut packages = vec![format!("linux-image-{release}")];
            // Since 6.19 the image and the modules come in packages of their own, and a suite may have lost one of them.
            let parts = [format!("linux-binary-{release}"), format!("linux-modules-{release}")];
            let there = archive.names("linux-")?;
            let (had, lost): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| there.contains(part));
            if let ([_, ..], [lost, ..]) = (had.as_slice(), lost.as_slice()) {
                bail!("{lost} has left the archive");
            }
            packages.extend(had);
            archive.unpack(&packages, half)?;
            let kernel = Kernel { release: release.to_owned(), root: half.to_owned(), suite: suite.clone() };
            if !kernel.image().is_file() {
                bail!("{} hold no image of the kernel", packages.join(", "));
            }
            let base = kernel.modules_dir().context("the package holds no modules")?;
            let parent = base.ancestors().nth(3).unwrap_or(half);
            sh::read(
                sh::cmd(sh::which("depmod").unwrap_or("depmod".into())).arg("-b").arg(parent).arg(release),
            )?;
            Ok(())
        })?;
        Ok(Kernel { release: release.to_owned(), root, suite })
    }

    /// The image that a boot loader starts: in /boot, since 7.2 beside the modules.
    pub fn image(&self) -> PathBuf {
        let beside = self.modules_dir().map(|dir| dir.join("vmlinuz")).filter(|file| file.is_file());
        beside.unwrap_or_else(|| self.root.join(format!("boot/vmlinuz-{}", self.release)))
    }

    fn modules_dir(&self) -> Option<PathBuf> {
        let places = ["lib/modules", "usr/lib/modules"];
        places.iter().map(|place| self.root.join(place).join(&self.release)).find(|dir| dir.is_dir())
    }

    /// The modules `wanted` and those that they need, each with its unpacked bytes, in an order in which they load.
    /// A name that is no module is built in.
    pub fn modules(&self, wanted: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let dir = self.modules_dir().context("no modules")?;
        let text = fs::read_to_string(dir.join("modules.dep")).context("no modules.dep")?;
        let mut paths: Vec<&str> = Vec::new();
        for name in wanted {
            let Some((own, needs)) = text
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(path, _)| module_name(path) == *name)
            else {
                continue;
            };
            // modules.dep lists the last to load first.
            for path in needs.split_whitespace().rev().chain([own]) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths.into_iter().map(|path| Ok((module_name(path), unpacked(&dir.join(path))?))).collect()
    }

    /// The unstripped kernel with its DWARF, from the -dbg package: hundreds of MB, fetched at the first call.
    pub fn vmlinux(&self) -> Result<PathBuf> {
        let dir = place::cache()?.join("vmlinux").join(&self.release);
        place::once(&dir, |half| {
            eprintln!("xtask: fetching the debug package of {}", self.release);
            let run = place::RunDir::new()?;
            let package = format!("linux-image-{}-dbg", self.release);
            let kept = place::cache()?.join("kernels");
            let files = archive(&self.suite)?.download(&[package], &run.file("deb")).with_context(|| {
                format!(
                    "if the archive has a newer kernel by now, remove {} to take that one",
                    kept.display()
                )
            })?;
            let file = files.first().context("apt brought no file")?;
            let unpack = format!(
                "dpkg-deb --fsys-tarfile {} | tar -x -C {} --wildcards '*/vmlinux*'",
                sh::quote(&file.to_string_lossy()),
                sh::quote(&half.to_string_lossy())
            );
            sh::read(sh::cmd("sh").arg("-c").arg(unpack))?;
            let found = sh::read(sh::cmd("find").arg(half).args(["-type", "f", "-name", "vmlinux*"]))?;
            let vmlinux = found.lines().next().context("the debug package holds no vmlinux")?;
            fs::rename(vmlinux, half.join("vmlinux"))?;
            fs::remove_dir_all(half.join("usr"))?;
            Ok(())
        })?;
        Ok(dir.join("vmlinux"))
    }
}

fn archive(suite: &Option<String>) -> Result<Archive> {
    match suite {
        Some(suite) => Archive::suite(suite),
        None => Ok(Archive::system()),
    }
}

/// Releases that a name may stand for, best first, each with the suite that has it (none: the machine's own lists).
fn candidates(name: &str) -> Result<Vec<(String, Option<String>)>> {
    let ours = releases(&Archive::system(), name)?;
    if name != "newest" && !ours.is_empty() {
        return Ok(ours.into_iter().map(|release| (release, None)).collect());
    }
    let suites: &[&str] = match name {
        "newest" => NEWER,
        // Debian 11's.
        _ if name.starts_with("5.") => &["bullseye-security", "bullseye"],
        _ => &["bookworm-security", "bookworm"],
    };
    let mut all: Vec<(String, Option<String>)> = ours.into_iter().map(|release| (release, None)).collect();
    for suite in suites {
        match Archive::suite(suite).and_then(|archive| releases(&archive, name)) {
            Ok(found) => all.extend(found.into_iter().map(|release| (release, Some((*suite).to_owned())))),
            Err(why) => eprintln!("xtask: {suite}: {why:#}"),
        }
    }
    all.sort_by(|a, b| natural(&b.0, &a.0));
    Ok(all)
}

fn releases(archive: &Archive, name: &str) -> Result<Vec<String>> {
    let prefix = match name {
        "newest" => "linux-image-".to_owned(),
        // 6.1 must not catch 6.12.
        _ => format!("linux-image-{name}."),
    };
    let exact = format!("linux-image-{name}");
    let mut found: Vec<String> = archive
        .names("linux-image-")?
        .into_iter()
        .filter(|package| package.starts_with(&prefix) || *package == exact)
        .filter_map(|package| package.strip_prefix("linux-image-").map(str::to_owned))
        .filter(|release| {
            release.ends_with("-cloud-amd64") && release.starts_with(|c: char| c.is_ascii_digit())
        })
        // Meta-packages (6.12-cloud-amd64) name a series; a release has a dot for its patch level.
        .filter(|release| release.split('-').next().is_some_and(|version| version.matches('.').count() >= 2))
        .collect();
    found.sort_by(|a, b| natural(b, a));
    Ok(found)
}

fn module_name(path: &str) -> String {
    let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().replace('-', "_")
}

fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let tool = match file.extension().and_then(|kind| kind.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(file).with_context(|| format!("cannot read {}", file.display())),
    };
    let out = sh::cmd(tool)
        .args(["-dcq", "--"])
        .arg(file)
        .output()
        .with_context(|| format!("cannot start {tool}"))?;
    if !out.status.success() {
        bail!("{tool} cannot unpack {}", file.display());
    }
    Ok(out.stdout)
}

/// Compares names with their numbers read as numbers.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (x, y) = (digits(a), digits(b));
        let step = if !x.is_empty() && !y.is_empty() {
            let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
            let order = number(x).cmp(&number(y));
            (a, b) = (&a[x.len()..], &b[y.len()..]);
            order
        } else {
            let (mut p, mut q) = (a.chars(), b.chars());
            let (x, y) = (p.next(), q.next());
            (a, b) = (p.as_str(), q.as_str());
            if x.is_none() && y.is_none() {
                return Ordering::Equal;
            }
            x.cmp(&y)
        };
        if step != Ordering::Equal {
            return step;
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_sort_by_number() {
        let mut all = ["6.1.0-9", "6.12.99+deb12", "6.1.0-56", "6.12.117+deb12", "7.3.4+deb13"];
        all.sort_by(|a, b| natural(a, b));
        assert_eq!(all, ["6.1.0-9", "6.1.0-56", "6.12.99+deb12", "6.12.117+deb12", "7.3.4+deb13"]);
    }

    #[test]
    fn a_module_has_one_name() {
        assert_eq!(module_name("kernel/drivers/virtio/virtio-pci.ko.xz"), "virtio_pci");
    }
}
