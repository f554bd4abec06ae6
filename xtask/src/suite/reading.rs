//! The readers suite: every dump that a guest left under /out/readers, judged by those who will have to read it.
//!
//! `NAME.kdump` goes to crash and drgn, `NAME.elf` to gdb as well. `seed.*` was triggered by the seed's script and `mini.*`, a
//! minidump, by the same program, so the triggering task is known.

use super::kernel::{hosting, left_by, with_cpus};
use super::stacks::{self, Stacks};
use super::{Ask, Tally};
use crate::kernels::Kernel;
use crate::{place, readers, sh};
use anyhow::{Context, Result, anyhow};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;

/// The program that runs into the seed's probe, and what its system call returns.
pub const SEED: [&str; 2] = ["seeker", "0xc0000001"];

/// All readers on all dumps.
pub fn readers(_: &Ask, tally: &mut Tally) -> Result<()> {
    for (kernel, guest) in [
        ("6.1", "6.1".to_owned()),
        ("6.1", hosting("6.1")),
        ("6.12", "6.12".to_owned()),
        ("6.12", hosting("6.12")),
        ("newest", with_cpus("newest", 1)),
        ("newest", with_cpus("newest", 4)),
    ] {
        let dumps = dumps(&left_by(&guest).join("readers"));
        if dumps.is_empty() {
            tally.fail(&format!("dumps of {guest}"), "the guest left none in /out/readers");
            continue;
        }
        let vmlinux = Kernel::get(kernel)?.vmlinux()?;
        for dump in dumps {
            println!("-- {guest} {}", dump.file_name().unwrap_or_default().to_string_lossy());
            let seed = dump.file_stem().is_some_and(|stem| stem == "seed" || stem == "mini");
            let expected: &[&str] = if seed { &SEED } else { &[] };
            // Both take a quarter of a minute, on one CPU each.
            let (said, opened) = thread::scope(|scope| {
                let crash = scope.spawn(|| open_with_crash(&vmlinux, &dump));
                (drgn(&vmlinux, &dump, expected, tally), crash.join())
            });
            let opened = opened.map_err(|_| anyhow!("who ran crash has panicked"))??;
            crash(&opened, expected, &said?, tally);
            if dump.extension().is_some_and(|kind| kind == "elf") {
                gdb(&vmlinux, &dump, tally)?;
            }
        }
    }
    Ok(())
}

fn dumps(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut dumps: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|kind| kind == "kdump" || kind == "elf")).collect();
    dumps.sort();
    dumps
}

/// What drgn saw in a dump.
struct Said {
    /// The dump itself says that pages of it were read late.
    torn: bool,
    /// Of a dump of one instant.
    stacks: Stacks,
}

fn drgn(vmlinux: &Path, dump: &Path, expected: &[&str], tally: &mut Tally) -> Result<Said> {
    let said = drgn_judges("check.py", vmlinux, dump, expected, tally)?;
    // Of a dump that calls itself consistent the test left what was planted in the kernel.
    let planted = dump.with_extension("planted");
    if planted.exists() {
        drgn_judges("consistent.py", vmlinux, dump, &[&planted.to_string_lossy()], tally)?;
    }
    // And of one that has a virtual machine, what that machine is.
    let guests = dump.with_extension("guests");
    if guests.exists() {
        drgn_judges("guests.py", vmlinux, dump, &[&guests.to_string_lossy()], tally)?;
    }
    // Of a dump with processes' pages the test left what they had written.
    let patterns = dump.with_extension("patterns");
    if patterns.exists() {
        drgn_judges("patterns.py", vmlinux, dump, &[&patterns.to_string_lossy()], tally)?;
    }
    let torn = said.lines().find(|line| line.starts_with("ok torn: "));
    let torn = torn.is_some_and(|line| !line.contains(" 0 after it"));
    Ok(Said { torn, stacks: stacks::of_drgn(&said) })
}

fn drgn_judges(
    script: &str,
    vmlinux: &Path,
    dump: &Path,
    args: &[&str],
    tally: &mut Tally,
) -> Result<String> {
    let script = place::workspace().join("tests/readers").join(script);
    let out = readers::drgn_script(&script, vmlinux, dump, args)?.output().context("cannot start drgn")?;
    let text = String::from_utf8_lossy(&out.stdout);
    for line in text.lines() {
        println!("{}", line.replacen(' ', " drgn ", 1));
    }
    tally.count(&text);
    if !out.status.success() && !text.contains("FAILED") {
        tally.fail("drgn", &sh::tail(&String::from_utf8_lossy(&out.stderr), 4));
    }
    Ok(text.into_owned())
}

/// What crash must show for each of its commands.
const CRASH: &[(&str, &[&str])] = &[
    ("sys", &["CPUS: ", "LOAD AVERAGE: ", "PANIC: "]),
    ("ps", &["[kthreadd]", "lkd-testrun", "COMM"]),
    ("log", &["Linux version ", "virtio_blk"]),
    ("mod", &["virtio_blk"]),
    ("files 1", &["/dev/console", "ROOT: /"]),
    ("bt 1", &["schedule", "RIP: ", "ORIG_RAX: "]),
    ("kmem -i", &["TOTAL MEM", "SLAB"]),
];

/// What a minidump has no pages for.
const NOT_OF_MINI: &[&str] = &["files 1", "kmem -i"];

/// What crash 9.0.2 says of a kernel whose `struct module` has lost a member (seen: 7.3).
const NEWER_MODULES: &str = "invalid structure member offset: module_num_gpl_syms";

/// What crash printed.
struct Opened {
    out: Output,
    /// The commands that it was given.
    commands: Vec<&'static (&'static str, &'static [&'static str])>,
    /// It does not know the kernel's modules, whoever made the dump, and was told not to look at them.
    without_modules: bool,
    elf: bool,
}

fn open_with_crash(vmlinux: &Path, dump: &Path) -> Result<Opened> {
    let run = place::RunDir::new()?;
    let mut script = "set scroll off\n".to_owned();
    let mini = dump.file_stem().is_some_and(|stem| stem == "mini");
    let mut commands: Vec<_> =
        CRASH.iter().filter(|(command, _)| !mini || !NOT_OF_MINI.contains(command)).collect();
    for (command, _) in &commands {
        script += &format!("echo =={command}\n{command}\n");
    }
    script += "echo ==bt -a\nbt -a\nquit\n";
    let file = run.file("crash.cmd");
    // crash has no echo of its own; `!` hands a line to the shell.
    fs::write(&file, script.replace("\necho ", "\n!echo "))?;
    let mut command = readers::crash()?;
    // A program that waits for a terminal must not hold the suite.
    command.args(["-s", "-i"]).arg(&file).arg(vmlinux).arg(dump).current_dir(run.file(""));
    let mut out = command.output().context("cannot start crash")?;
    let without_modules =
        [&out.stdout, &out.stderr].iter().any(|said| String::from_utf8_lossy(said).contains(NEWER_MODULES));
    if without_modules {
        out = command.arg("--no_modules").output().context("cannot start crash")?;
        commands.retain(|(command, _)| *command != "mod");
    }
    let elf = dump.extension().is_some_and(|kind| kind == "elf");
    Ok(Opened { out, commands, without_modules, elf })
}

/// Crash follows lists as it starts, and gives a dump up in which one leads nowhere: where the dump does not promise that they lead
/// anywhere (it is torn), that is no failure of ours.
fn crash(opened: &Opened, expected: &[&str], said: &Said, tally: &mut Tally) {
    let Opened { out, commands, without_modules, .. } = opened;
    if *without_modules {
        tally.skip(
            "crash mod",
            "this crash does not know this kernel's modules, whoever made the dump: --no_modules",
        );
    }
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    if !out.status.success() {
        let why = format!("{text}{}", String::from_utf8_lossy(&out.stderr));
        let why = format!("{}: {}", out.status, sh::tail(&why, 6));
        if said.torn {
            tally.skip("crash of a torn dump", &why)
        } else {
            tally.fail("crash", &why)
        }
        return;
    }
    for (command, wanted) in commands {
        let part = section(&text, command);
        match wanted.iter().find(|word| !part.contains(**word)) {
            Some(word) => {
                tally.fail(&format!("crash {command}"), &format!("no '{word}' in\n{}", sh::tail(part, 12)))
            }
            None => {
                println!("ok crash {command}: {} lines", part.lines().count());
                tally.pass();
            }
        }
    }
    let part = section(&text, "bt -a");
    // In an ELF core crash looks at no CPU's registers but a crashed one's or those that QEMU wrote.
    if !said.stacks.is_empty() && !opened.elf {
        let crashes = stacks::of_crash(part);
        let differences = if *without_modules {
            stacks::contradictions(&said.stacks, &crashes)
        } else {
            stacks::differences(&said.stacks, &crashes)
        };
        if differences.is_empty() {
            let how = if *without_modules { "nothing against drgn" } else { "as drgn" };
            println!("ok crash bt -a: {how} on all {} CPUs", said.stacks.len());
            tally.pass();
        } else {
            tally.fail("crash bt -a", &differences.join("\n    "));
        }
    }
    if let [comm, value] = expected {
        let mine = part.split("PID: ").find(|task| task.contains(&format!("COMMAND: \"{comm}\"")));
        let value = value.trim_start_matches("0x");
        // In an ELF core crash guesses a stack from old words, of which only the entry is sure.
        let call = if opened.elf { "entry_SYSCALL_64" } else { "syscall" };
        match mine {
            None => tally.fail("crash bt -a", &format!("no CPU runs {comm}:\n{}", sh::tail(part, 12))),
            Some(task) if !task.contains(value) || !task.contains(call) => {
                tally.fail(
                    "crash bt -a",
                    &format!("no {value} in the task's registers, or no {call} in its stack:\n{task}"),
                );
            }
            Some(task) => {
                println!(
                    "ok crash bt -a: {comm}, {} frames, {value} in its registers",
                    task.matches(" #").count()
                );
                tally.pass();
            }
        }
    }
}

/// What a command printed: from its heading to the next.
fn section<'a>(text: &'a str, command: &str) -> &'a str {
    let Some((_, rest)) = text.split_once(&format!("=={command}\n")) else { return "" };
    rest.split("\n==").next().unwrap_or(rest)
}

/// gdb knows nothing of kernels: it must take the file for a core, show a thread, and read the kernel's own text at the
/// address that the kernel runs at.
fn gdb(vmlinux: &Path, dump: &Path, tally: &mut Tally) -> Result<()> {
    let offset = kernel_offset(dump)?.context("the dump's VMCOREINFO has no KERNELOFFSET")?;
    let out = sh::cmd("gdb")
        .args(["-q", "-batch", "-nx", "-ex", "set pagination off", "-ex"])
        .arg(format!("core-file {}", dump.display()))
        .arg("-ex")
        .arg(format!("symbol-file -o {offset:#x} {}", vmlinux.display()))
        .args(["-ex", "info threads", "-ex", "x/s linux_banner", "-ex", "bt 8"])
        .output()
        .context("cannot start gdb")?;
    let text = String::from_utf8_lossy(&out.stdout);
    for (what, word) in [("threads", "* "), ("memory", "0xffffffff")] {
        match text
            .lines()
            .find(|line| line.starts_with(word) && (what == "threads" || line.contains("Linux version ")))
        {
            Some(line) => {
                println!("ok gdb {what}: {}", line.trim().chars().take(70).collect::<String>());
                tally.pass();
            }
            None => {
                let said = format!("{text}{}", String::from_utf8_lossy(&out.stderr));
                tally.fail(&format!("gdb {what}"), &sh::tail(&said, 12));
            }
        }
    }
    Ok(())
}

/// By how much the running kernel lay above the addresses of its vmlinux, from the notes at the dump's beginning.
fn kernel_offset(dump: &Path) -> Result<Option<u64>> {
    let mut head = Vec::new();
    fs::File::open(dump)?.take(8 << 20).read_to_end(&mut head)?;
    let text = String::from_utf8_lossy(&head);
    let value = text.split("KERNELOFFSET=").nth(1).and_then(|rest| rest.split('\n').next());
    Ok(value.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let text = "junk\n==ps\na\nb\n==log\nc\n";
        assert_eq!(section(text, "ps"), "a\nb");
        assert_eq!(section(text, "log"), "c\n");
        assert_eq!(section(text, "mod"), "");
    }
}
