//! One virtual machine: started, listened to on its three ports, ended with its command, its panic or its time.

use crate::beside::Beside;
use crate::place::{RunDir, SocketDir};
use crate::sh;
use anyhow::{Context, Result};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a machine is made of.
pub struct Machine {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// MiB.
    pub mem: u64,
    pub smp: u32,
    pub tcg: Tcg,
    pub cpu: String,
    /// Words for the kernel's command line behind our own.
    pub append: String,
    /// ext4 images: the serial number by which the guest knows the disk, the file, whether the guest may write.
    pub disks: Vec<(&'static str, PathBuf, bool)>,
    /// Seconds from power-on until the machine is given up.
    pub timeout: Duration,
    /// Where QEMU's monitor protocol listens, when someone wants to talk to it.
    pub qmp: Option<PathBuf>,
}

/// Whose QEMU emulates. Debian 12's, 7.2, may keep the translation of an INT3 that the kernel's text patching has already taken
/// away on another CPU (tracepoints are attached and detached so): a CPU then loops in asm_exc_int3 for ever, although memory
/// holds the patched instruction. tests/soak/attach.sh provokes that in 20 rounds; 10.0 and 11.1 have not shown it.
const EMULATOR_SUITE: &str = "trixie";

/// How QEMU emulates more than one CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tcg {
    /// All CPUs in turns on one thread.
    Single,
    /// A thread for each CPU, as CPUs that wait for each other need it.
    Multi,
}

impl Tcg {
    fn accelerator(self) -> &'static str {
        match self {
            Tcg::Single => "tcg,thread=single",
            Tcg::Multi => "tcg,thread=multi",
        }
    }
}

impl std::str::FromStr for Tcg {
    type Err = std::io::Error;

    fn from_str(word: &str) -> std::io::Result<Tcg> {
        match word {
            "single" => Ok(Tcg::Single),
            "multi" => Ok(Tcg::Multi),
            _ => Err(std::io::Error::other("it is single or multi")),
        }
    }
}

/// Where the command's two streams go.
pub struct Sinks {
    stdout: Sink,
    stderr: Sink,
}

type Sink = Arc<Mutex<dyn Write + Send>>;

impl Sinks {
    /// Two places to write to.
    pub fn new(stdout: impl Write + Send + 'static, stderr: impl Write + Send + 'static) -> Sinks {
        Sinks { stdout: Arc::new(Mutex::new(stdout)), stderr: Arc::new(Mutex::new(stderr)) }
    }

    /// This process' own streams.
    pub fn terminal() -> Sinks {
        Sinks::new(std::io::stdout(), std::io::stderr())
    }
}

/// How a machine ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// The command ended with this status.
    Exit(u8),
    /// The machine ended before its command did: a panic, a hang, a QEMU that died. The text says which.
    Lost(String),
    /// The machine ended before its command could start.
    Unborn(String),
}

impl Machine {
    /// Runs the machine to its end. The kernel's console is left in `console.log` of `run`.
    pub fn run(&self, run: &RunDir, sinks: &Sinks) -> Result<Ending> {
        let sockets = SocketDir::new()?;
        let stdout = Port::listen(&sockets, "stdout", sinks.stdout.clone())?;
        let stderr = Port::listen(&sockets, "stderr", sinks.stderr.clone())?;
        let said = Shared::default();
        let control = Port::listen(&sockets, "control", Arc::new(Mutex::new(said.clone())))?;
        let console = run.file("console.log");
        let mut child = self.start(run, &sockets, &console)?;
        let started = Instant::now();
        let mut lost = None;
        let mut ticks = 0u64;
        let status = loop {
            if let Some(status) = child.try_wait().context("cannot wait for QEMU")? {
                break status;
            }
            if started.elapsed() > self.timeout {
                lost = Some(format!("no end after {} s", self.timeout.as_secs()));
                child.kill().context("cannot end QEMU")?;
            }
            if lost.is_none() && ticks % 500 == 499 {
                let text = fs::read(&console).unwrap_or_default();
                if let Some(line) = hang(&String::from_utf8_lossy(&text)) {
                    lost = Some(format!("it hung: {line}"));
                    child.kill().context("cannot end QEMU")?;
                }
            }
            ticks += 1;
            thread::sleep(Duration::from_millis(10));
        };
        for port in [stdout, stderr, control] {
            port.close();
        }
        if let Some(code) = said.text().lines().find_map(|line| line.strip_prefix("exit ")?.parse().ok()) {
            return Ok(Ending::Exit(code));
        }
        let mut why = lost.unwrap_or_else(|| format!("QEMU ended with {status} before the command did"));
        let born = said.text().contains("ready");
        if !born {
            why += ", the guest never came up";
        }
        let qemu = fs::read_to_string(run.file("qemu.log")).unwrap_or_default();
        let text = fs::read(&console).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        why = format!("{why}\n{qemu}--- the console's last words\n{}", last_words(&text));
        Ok(if born { Ending::Lost(why) } else { Ending::Unborn(why) })
    }

    fn start(&self, run: &RunDir, sockets: &SocketDir, console: &Path) -> Result<Child> {
        let emulator = Beside::fetch("qemu-system-x86", EMULATOR_SUITE)?;
        let root = emulator.root();
        // If this process dies, however it dies, so does its machine.
        let mut qemu = sh::cmd("setpriv");
        qemu.args(["--pdeathsig", "KILL", "--"]).args(emulator.words("usr/bin/qemu-system-x86_64")?);
        qemu.env("QEMU_MODULE_DIR", root.join("usr/lib/x86_64-linux-gnu/qemu"));
        for firmware in ["usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu"] {
            qemu.arg("-L").arg(root.join(firmware));
        }
        qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        qemu.args(["-accel", self.tcg.accelerator(), "-cpu", &self.cpu]);
        qemu.args(["-m", &self.mem.to_string(), "-smp", &self.smp.to_string()]);
        qemu.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initramfs);
        // Without no_timer_check 6.1 panics on a loaded host: it counts timer ticks against a busy loop.
        let words = format!("console=ttyS0 no_timer_check panic=-1 random.trust_cpu=on {}", self.append);
        qemu.arg("-append").arg(words.trim());
        qemu.args(["-device", "vmcoreinfo", "-device", "virtio-serial-pci,max_ports=4"]);
        qemu.arg("-serial").arg(format!("file:{}", console.display()));
        for (number, name) in ["stdout", "stderr", "control"].iter().enumerate() {
            let path = escaped(&sockets.socket(name));
            qemu.arg("-chardev").arg(format!("socket,id={name},path={path}"));
            qemu.arg("-device").arg(format!("virtserialport,chardev={name},name={name},nr={}", number + 1));
        }
        for (serial, file, writable) in &self.disks {
            let readonly = if *writable { "cache=unsafe" } else { "readonly=on" };
            let file = escaped(file);
            qemu.arg("-drive").arg(format!("if=none,id={serial},format=raw,{readonly},file={file}"));
            qemu.arg("-device").arg(format!("virtio-blk-pci,drive={serial},serial={serial}"));
        }
        if let Some(path) = &self.qmp {
            qemu.arg("-qmp").arg(format!("unix:{},server=on,wait=off", escaped(path)));
            // A program in the guest pauses the machine by a write to this device's port; whoever talks to us lets it go on.
            qemu.args(["-device", "pvpanic", "-action", "panic=pause"]);
        }
        let log = fs::File::create(run.file("qemu.log"))?;
        qemu.stdout(Stdio::from(log.try_clone()?)).stderr(Stdio::from(log));
        qemu.spawn().context("cannot start QEMU")
    }
}

/// A path as a value among QEMU's comma-separated settings.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// One port of the machine: a socket that QEMU connects to, and the thread that carries its bytes on.
struct Port {
    path: PathBuf,
    carrier: JoinHandle<()>,
}

impl Port {
    fn listen(sockets: &SocketDir, name: &str, sink: Sink) -> Result<Port> {
        let path = sockets.socket(name);
        let listener =
            UnixListener::bind(&path).with_context(|| format!("cannot listen at {}", path.display()))?;
        let carrier = thread::spawn(move || {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let mut bytes = [0; 16384];
            while let Ok(count) = stream.read(&mut bytes) {
                if count == 0 {
                    break;
                }
                // A reader who went away (`| head`) must not stop the guest.
                let mut sink = sink.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let _ = sink.write_all(&bytes[..count]).and_then(|()| sink.flush());
            }
        });
        Ok(Port { path, carrier })
    }

    fn close(self) {
        // QEMU may have died before it connected: then this connection lets the carrier end.
        drop(UnixStream::connect(&self.path));
        let _ = self.carrier.join();
    }
}

/// Bytes that a thread collects and another reads.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    /// What was written so far.
    pub fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The line by which a kernel says that a CPU of it will not come back. A shorter stall is an emulated CPU's daily bread.
fn hang(console: &str) -> Option<&str> {
    console.lines().find(|line| {
        let stuck = line.split("stuck for ").nth(1).and_then(|rest| rest.split('s').next());
        line.contains("soft lockup")
            && stuck.and_then(|digits| digits.parse().ok()).is_some_and(|s: u64| s >= 100)
    })
}

/// From the first sign of trouble on, else the last lines.
fn last_words(console: &str) -> String {
    let trouble = ["Kernel panic", "BUG:", "Oops", "Call Trace"];
    let lines: Vec<&str> = console.lines().collect();
    let start = lines.iter().position(|line| trouble.iter().any(|sign| line.contains(sign)));
    let from = start.unwrap_or(lines.len().saturating_sub(20));
    let shown = &lines[from..];
    shown[..shown.len().min(60)].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stall_is_a_hang() {
        let short = "[ 9.0] watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [dtrace:368]\n";
        assert_eq!(hang(short), None);
        assert!(hang(&short.replace("22s", "127s")).is_some());
    }

    #[test]
    fn the_last_words_begin_with_the_trouble() {
        let quiet: String = (0..50).map(|n| format!("line {n}\n")).collect();
        assert!(last_words(&quiet).starts_with("line 30"));
        assert!(last_words(&format!("{quiet}BUG: bad\nmore\n")).starts_with("BUG: bad\nmore"));
    }
}
