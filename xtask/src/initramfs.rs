//! A newc archive: directories, files, links and device nodes, and programs together with the libraries they name.

use crate::sh;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const DIRECTORY: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHAR_DEVICE: u32 = 0o020_000;

/// An archive that the kernel unpacks into its root at boot. Parents are made as needed; a path is written once.
#[derive(Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    seen: BTreeSet<String>,
}

impl Initramfs {
    /// A file with these bytes. `path` is absolute, `mode` holds the permission bits.
    pub fn file(&mut self, path: &str, mode: u32, data: &[u8]) {
        self.parents(path);
        self.entry(path, REGULAR | mode, (0, 0), data);
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.parents(path);
        self.entry(path, SYMLINK | 0o777, (0, 0), to.as_bytes());
    }

    /// An empty directory.
    pub fn dir(&mut self, path: &str) {
        self.parents(&format!("{path}/x"));
    }

    /// A character device.
    pub fn device(&mut self, path: &str, mode: u32, major: u32, minor: u32) {
        self.parents(path);
        self.entry(path, CHAR_DEVICE | mode, (major, minor), &[]);
    }

    /// A program of this machine under `path`, without its debug information, and each library that it names under
    /// the library's own path.
    pub fn program(&mut self, path: &str, from: &Path) -> Result<()> {
        let data = without_debug_info(from)?;
        self.file(path, 0o755, &data);
        for library in libraries(from)? {
            let name = library.to_string_lossy().into_owned();
            if !self.seen.contains(&name) {
                let data = fs::read(&library).with_context(|| format!("cannot read {name}"))?;
                self.file(&name, 0o755, &data);
            }
        }
        Ok(())
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.seen.clear();
        self.entry("/TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        let mut at = 1;
        while let Some(slash) = path[at..].find('/') {
            let parent = &path[..at + slash];
            if !self.seen.contains(parent) {
                self.entry(parent, DIRECTORY | 0o755, (0, 0), &[]);
            }
            at += slash + 1;
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), data: &[u8]) {
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let name = path.trim_start_matches('/');
        let inode = self.seen.len() as u32;
        let links = if mode & DIRECTORY != 0 { 2 } else { 1 };
        let fields = [
            inode,
            mode,
            0,
            0,
            links,
            0,
            data.len() as u32,
            0,
            0,
            device.0,
            device.1,
            name.len() as u32 + 1,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
    }
}

/// The shared objects that the dynamic loader would open for a program, the loader included; none for a static one.
pub fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let out = sh::cmd("ldd").arg(program).output().context("cannot start ldd")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let file = match (words.next(), words.next(), words.next()) {
            (Some(_), Some("=>"), Some("not")) => bail!("{}: {}", program.display(), line.trim()),
            (Some(_), Some("=>"), Some(path)) => path,
            (Some(path), ..) if path.starts_with('/') => path,
            _ => continue,
        };
        found.push(PathBuf::from(file));
    }
    Ok(found)
}

fn without_debug_info(program: &Path) -> Result<Vec<u8>> {
    let whole = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    if !whole.starts_with(b"\x7fELF") || sh::which("strip").is_none() {
        return Ok(whole);
    }
    let run = crate::place::RunDir::new()?;
    let small = run.file("stripped");
    match sh::read(sh::cmd("strip").arg("-g").arg("-o").arg(&small).arg(program)) {
        Ok(_) => Ok(fs::read(&small)?),
        Err(_) => Ok(whole),
    }
}

/// Writes an archive to a file.
pub fn write(archive: Initramfs, to: &Path) -> Result<()> {
    let mut file = fs::File::create(to).with_context(|| format!("cannot make {}", to.display()))?;
    file.write_all(&archive.finish()).with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::RunDir;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn cpio_unpacks_what_was_put_in() {
        let run = RunDir::new().unwrap();
        let mut archive = Initramfs::default();
        archive.file("/a/b/odd", 0o640, b"12345");
        archive.file("/a/even", 0o755, b"1234");
        archive.link("/a/link", "b/odd");
        archive.dir("/empty");
        archive.file("/a/even", 0o755, b"a path is written once");
        write(archive, &run.file("x.cpio")).unwrap();
        let out = run.file("out");
        fs::create_dir(&out).unwrap();
        let Some(busybox) = sh::which("busybox") else { return };
        let unpack = format!("cd {} && {} cpio -id < ../x.cpio", out.display(), busybox.display());
        sh::read(sh::cmd("sh").arg("-c").arg(unpack)).unwrap();
        assert_eq!(fs::read(out.join("a/b/odd")).unwrap(), b"12345");
        assert_eq!(fs::read(out.join("a/link")).unwrap(), b"12345");
        assert_eq!(fs::read(out.join("a/even")).unwrap(), b"1234");
        assert_eq!(fs::metadata(out.join("a/b/odd")).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(out.join("empty").is_dir());
    }

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let all = libraries(Path::new("/bin/sh")).unwrap();
        assert!(all.iter().any(|file| file.to_string_lossy().contains("ld-linux")), "{all:?}");
    }
}
