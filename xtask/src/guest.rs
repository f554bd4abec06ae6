//! `cargo xtask guest`: a stock kernel, our programs and one command, whose output and status come back as its own.

use crate::args::Args;
use crate::initramfs::{self, Initramfs};
use crate::kernels::Kernel;
use crate::place::RunDir;
use crate::qemu::{Ending, Machine, Sinks, Tcg};
use crate::{apt, build, disk, sh};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const USAGE: &str = "\
usage: cargo xtask guest [OPTIONS] -- CMD...

Boots a stock Debian kernel in QEMU (no KVM needed) and runs CMD in it as root. CMD's output is this command's
output, its exit status this command's; a guest that dies first gives status 128 and the console's last words.
One word of CMD is a shell command line (busybox sh), several are a program and its arguments.
In PATH: busybox, dtrace, lkd, seeker, load, getppid, storm, owner, vmrun, pauser.

  --kernel NAME    6.1, 6.12, newest or a full release (default 6.12)
  --mem MB         default 1024
  --smp N          CPUs (default 2)
  --tcg KIND       multi (default): a thread for each CPU; single: the CPUs run in turns, and one that waits for another
                   keeps it from running
  --share DIR      a copy of DIR, read-only at /share
  --out DIR        what CMD leaves in /out comes back into DIR; /var/lib/lkd lies there as /out/lkd
  --out-size MB    room in /out (default 8192, sparse)
  --bin FILE       also put this program of the machine, with its libraries, in /usr/bin (any number)
  --no-ours        leave our own programs out, and do not build them
  --module NAME    also load this kernel module (any number)
  --append WORDS   more words for the kernel's command line
  --cpu MODEL      QEMU's CPU model (default max,la57=off,-erms,-fsrm)
  --timeout S      give the guest up after S seconds (default 900)
  --patience S     wait so long for what CMD left running with its output open (default 120)
  --console FILE   keep the kernel's console there; that of a boot that never came up is in FILE.unborn
  --qmp SOCKET     let QEMU's monitor protocol listen there; the guest's pauser pauses the machine
";

/// Everything that a guest can be asked for.
pub struct Guest {
    pub kernel: String,
    /// MiB.
    pub mem: u64,
    pub smp: u32,
    pub tcg: Tcg,
    /// 5-level page tables (la57) would only cost time, and so would strings by the byte (erms, fsrm): TCG does one byte a turn, and
    /// kernels that have them clear and copy pages so.
    pub cpu: String,
    pub append: String,
    pub share: Option<PathBuf>,
    pub out: Option<PathBuf>,
    /// MiB.
    pub out_size: u64,
    /// Programs of this machine for the guest's /usr/bin.
    pub programs: Vec<PathBuf>,
    pub modules: Vec<String>,
    pub timeout: Duration,
    pub patience: Duration,
    pub console: Option<PathBuf>,
    pub qmp: Option<PathBuf>,
}

impl Default for Guest {
    fn default() -> Guest {
        Guest {
            kernel: "6.12".into(),
            mem: 1024,
            smp: 2,
            tcg: Tcg::Multi,
            cpu: "max,la57=off,-erms,-fsrm".into(),
            append: String::new(),
            share: None,
            out: None,
            out_size: 8192,
            programs: Vec::new(),
            modules: Vec::new(),
            timeout: Duration::from_secs(900),
            patience: Duration::from_secs(120),
            console: None,
            qmp: None,
        }
    }
}

/// What the guest needs to reach us: its disks and its ports, and QEMU's firmware door for reference dumps.
const MODULES: &[&str] = &["virtio_pci", "virtio_console", "virtio_blk", "ext4", "qemu_fw_cfg"];

/// The command line's entry. Gives the status for this process to end with.
pub fn main(words: Vec<String>) -> Result<u8> {
    let mut args = Args::new(words);
    if args.flag("--help") || args.flag("-h") {
        print!("{USAGE}");
        return Ok(0);
    }
    let default = Guest::default();
    let ours = !args.flag("--no-ours");
    let mut guest = Guest {
        kernel: args.parse("--kernel", default.kernel)?,
        mem: args.parse("--mem", default.mem)?,
        smp: args.parse("--smp", default.smp)?,
        tcg: args.parse("--tcg", default.tcg)?,
        cpu: args.parse("--cpu", default.cpu)?,
        append: args.parse("--append", default.append)?,
        share: args.value("--share")?.map(PathBuf::from),
        out: args.value("--out")?.map(PathBuf::from),
        out_size: args.parse("--out-size", default.out_size)?,
        programs: args.all("--bin")?.into_iter().map(PathBuf::from).collect(),
        modules: args.all("--module")?,
        timeout: Duration::from_secs(args.parse("--timeout", 900)?),
        patience: Duration::from_secs(args.parse("--patience", 120)?),
        console: args.value("--console")?.map(PathBuf::from),
        qmp: args.value("--qmp")?.map(PathBuf::from),
    };
    args.done()?;
    if args.behind.is_empty() {
        bail!("no command: cargo xtask guest [OPTIONS] -- CMD...");
    }
    apt::setup()?;
    if ours {
        guest.add_ours()?;
    }
    match guest.run(&args.behind, &Sinks::terminal())? {
        Ending::Exit(status) => Ok(status),
        Ending::Lost(why) | Ending::Unborn(why) => {
            eprintln!("xtask: guest lost: {why}");
            Ok(128)
        }
    }
}

impl Guest {
    /// Builds our programs and puts them into the guest.
    pub fn add_ours(&mut self) -> Result<()> {
        let dir = build::release(&["lkd-cli", "lkd-testprogs"])?;
        self.programs.extend(build::programs(&dir, build::OURS)?);
        self.programs.extend(build::programs(&dir, build::HELPERS)?);
        Ok(())
    }

    /// Boots, runs `command`, brings /out back whatever happened.
    pub fn run(&self, command: &[String], sinks: &Sinks) -> Result<Ending> {
        let kernel = Kernel::get(&self.kernel)?;
        let run = RunDir::new()?;
        initramfs::write(self.initramfs(&kernel, command)?, &run.file("initramfs"))?;
        let mut disks = Vec::new();
        if let Some(dir) = &self.share {
            if !dir.is_dir() {
                bail!("--share {}: no such directory", dir.display());
            }
            disk::from_dir(dir, &run.file("share.img")).context("cannot make the disk for /share")?;
            disks.push(("share", run.file("share.img"), false));
        }
        if self.out.is_some() {
            disk::blank(&run.file("out.img"), self.out_size).context("cannot make the disk for /out")?;
            disks.push(("out", run.file("out.img"), true));
        }
        let machine = Machine {
            kernel: kernel.image(),
            initramfs: run.file("initramfs"),
            mem: self.mem,
            smp: self.smp,
            tcg: self.tcg,
            cpu: self.cpu.clone(),
            append: self.append.clone(),
            disks,
            timeout: self.timeout,
            qmp: self.qmp.clone(),
        };
        let mut ending = machine.run(&run, sinks)?;
        if let Ending::Unborn(why) = &ending {
            // On a loaded host an emulated boot sometimes trips over its own timers; the command has not run yet.
            eprintln!("xtask: {}; once more", why.lines().next().unwrap_or_default());
            self.keep_console(&run, ".unborn")?;
            ending = machine.run(&run, sinks)?;
        }
        self.keep_console(&run, "")?;
        if let Some(dir) = &self.out {
            let image = run.file("out.img");
            if !matches!(ending, Ending::Exit(_)) {
                disk::mend(&image)?;
            }
            disk::to_dir(&image, dir)?;
        }
        Ok(ending)
    }

    /// Copies the console to where it was asked for, with `end` behind the name: each boot has its own.
    fn keep_console(&self, run: &RunDir, end: &str) -> Result<()> {
        if let Some(file) = &self.console {
            let mut name = file.clone().into_os_string();
            name.push(end);
            fs::copy(run.file("console.log"), &name)
                .with_context(|| format!("cannot keep the console in {}", file.display()))?;
        }
        Ok(())
    }

    fn initramfs(&self, kernel: &Kernel, command: &[String]) -> Result<Initramfs> {
        let mut archive = Initramfs::default();
        for dir in
            ["/proc", "/sys", "/dev", "/tmp", "/run", "/root", "/var/lib", "/mnt", "/usr/sbin", "/sbin"]
        {
            archive.dir(dir);
        }
        // Before init mounts anything it speaks to the console.
        archive.device("/dev/console", 0o600, 5, 1);
        archive.device("/dev/null", 0o666, 1, 3);
        let busybox = sh::which("busybox").context("no busybox in PATH")?;
        archive.file("/bin/busybox", 0o755, &fs::read(&busybox)?);
        for applet in sh::read(sh::cmd(&busybox).arg("--list"))?.lines() {
            archive.link(&format!("/bin/{applet}"), "/bin/busybox");
        }
        archive.file("/init", 0o755, include_bytes!("../guest/init.sh"));
        archive.file(
            "/etc/passwd",
            0o644,
            b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n",
        );
        archive.file("/etc/group", 0o644, b"root:x:0:\nnogroup:x:65534:\n");
        let wanted: Vec<&str> =
            MODULES.iter().copied().chain(self.modules.iter().map(String::as_str)).collect();
        let mut order = String::new();
        for (name, bytes) in kernel.modules(&wanted)? {
            archive.file(&format!("/lkd/module/{name}.ko"), 0o644, &bytes);
            order += &name;
            order.push('\n');
        }
        archive.file("/lkd/modules", 0o644, order.as_bytes());
        archive.file("/lkd/cmd", 0o644, script(command).as_bytes());
        let tenths = self.patience.as_millis() / 100;
        archive.file("/lkd/patience", 0o644, format!("{tenths}\n").as_bytes());
        for program in &self.programs {
            let program = found(program)?;
            let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
            archive.program(&format!("/usr/bin/{name}"), &program)?;
        }
        Ok(archive)
    }
}

/// A program by its path or its name.
fn found(program: &Path) -> Result<PathBuf> {
    if program.is_file() {
        return Ok(program.to_owned());
    }
    sh::which(&program.to_string_lossy()).with_context(|| format!("no program {}", program.display()))
}

/// One word is a command line, several are a program and its arguments.
fn script(command: &[String]) -> String {
    match command {
        [line] => format!("{line}\n"),
        words => {
            let words: Vec<String> = words.iter().map(|word| sh::quote(word)).collect();
            format!("exec {}\n", words.join(" "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words() {
        assert_eq!(script(&["echo $HOME".into()]), "echo $HOME\n");
        assert_eq!(script(&["echo".into(), "it's $HOME".into()]), "exec 'echo' 'it'\\''s $HOME'\n");
    }
}
