//! ext4 images without mounting: a directory becomes an image, an image becomes a directory.

use crate::sh;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// An image at `image` with the contents of `dir`, and room for little more.
pub fn from_dir(dir: &Path, image: &Path) -> Result<()> {
    let listing = sh::read(sh::cmd("du").args(["-s", "--apparent-size", "-B1M", "--"]).arg(dir))?;
    let mib: u64 = listing.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0);
    sh::read(mke2fs().arg("-d").arg(dir).arg(image).arg(format!("{}M", mib + mib / 8 + 32)))?;
    Ok(())
}

/// An empty image; sparse, so its size costs nothing until it is used.
pub fn blank(image: &Path, mib: u64) -> Result<()> {
    sh::read(mke2fs().args(["-m", "0"]).arg(image).arg(format!("{mib}M")))?;
    Ok(())
}

/// Makes an image readable again that a guest left in the middle of its work: what was whole before stays.
pub fn mend(image: &Path) -> Result<()> {
    let mut command = sh::cmd(sh::which("e2fsck").unwrap_or("e2fsck".into()));
    let out = command.args(["-f", "-y"]).arg(image).output().context("cannot start e2fsck")?;
    match out.status.code() {
        // clean; mended; mended, and a system that had it mounted should boot again
        Some(0..=2) => Ok(()),
        _ => anyhow::bail!("e2fsck cannot mend {}: {}", image.display(), out.status),
    }
}

/// Everything in an image, copied into `dir`; what is there already stays, unless the image has a file of the same name. debugfs
/// refuses a directory that exists, so the copy arrives beside the others first: a guest that was lost has left its own before.
pub fn to_dir(image: &Path, dir: &Path) -> Result<()> {
    let arriving = dir.join(".arriving");
    let _ = fs::remove_dir_all(&arriving);
    let copied = copy_out(image, &arriving).and_then(|()| merge(&arriving, dir));
    let _ = fs::remove_dir_all(&arriving);
    copied
}

/// Moves the entries of `from` into `to`.
fn merge(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() && target.is_dir() {
            merge(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), &target).with_context(|| format!("cannot put {}", target.display()))?;
        }
    }
    Ok(())
}

fn copy_out(image: &Path, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let request = format!("rdump / \"{}\"", dir.display());
    // debugfs tells trouble on stderr and ends with 0; running without root it cannot give files away, which is fine.
    let out = debugfs().args(["-R", &request]).arg(image).output().context("cannot start debugfs")?;
    let said = String::from_utf8_lossy(&out.stderr);
    let trouble = said.lines().skip(1).find(|line| !line.contains("changing ownership") && !line.is_empty());
    if let Some(line) = trouble {
        anyhow::bail!("debugfs cannot copy from {}: {line}", image.display());
    }
    let _ = fs::remove_dir(dir.join("lost+found"));
    Ok(())
}

fn mke2fs() -> Command {
    let mut command = sh::cmd(sh::which("mke2fs").unwrap_or("mke2fs".into()));
    command.args(["-q", "-F", "-t", "ext4", "-O", "^has_journal"]);
    command
}

fn debugfs() -> Command {
    sh::cmd(sh::which("debugfs").unwrap_or("debugfs".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::RunDir;

    #[test]
    fn a_directory_goes_in_and_comes_out() {
        if sh::which("mke2fs").is_none() {
            return;
        }
        let run = RunDir::new().unwrap();
        fs::create_dir_all(run.file("in/sub")).unwrap();
        fs::write(run.file("in/sub/f"), vec![7u8; 300_000]).unwrap();
        from_dir(&run.file("in"), &run.file("image")).unwrap();
        to_dir(&run.file("image"), &run.file("out")).unwrap();
        assert_eq!(fs::read(run.file("out/sub/f")).unwrap(), vec![7u8; 300_000]);
        assert!(!run.file("out/lost+found").exists());
        // a second guest's disk joins what the first one left
        fs::write(run.file("out/sub/before"), "kept").unwrap();
        to_dir(&run.file("image"), &run.file("out")).unwrap();
        assert_eq!(fs::read(run.file("out/sub/before")).unwrap(), b"kept");
        assert!(!run.file("out/.arriving").exists());
    }

    #[test]
    fn an_image_that_a_lost_guest_left_is_mended() {
        if sh::which("mke2fs").is_none() {
            return;
        }
        let run = RunDir::new().unwrap();
        fs::create_dir_all(run.file("in")).unwrap();
        fs::write(run.file("in/f"), vec![7u8; 300_000]).unwrap();
        from_dir(&run.file("in"), &run.file("image")).unwrap();
        // The block bitmap and its checksum (the first group's descriptor, 0x18) are of different moments, as where a guest was cut off.
        let mut image = fs::read(run.file("image")).unwrap();
        let block = 1024usize << image[1024 + 0x18];
        image[block.max(2048) + 0x18] ^= 0xff;
        fs::write(run.file("image"), &image).unwrap();
        assert!(to_dir(&run.file("image"), &run.file("before")).is_err());
        mend(&run.file("image")).unwrap();
        to_dir(&run.file("image"), &run.file("out")).unwrap();
        assert_eq!(fs::read(run.file("out/f")).unwrap(), vec![7u8; 300_000]);
    }
}
