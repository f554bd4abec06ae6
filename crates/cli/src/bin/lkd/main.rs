//! `lkd`: the live-dump subsystem's own tool.

use clap::{Parser, Subcommand};
use lkd_capture::Work;
use lkd_cli::output::Output;
use lkd_cli::{capture, doctor, freezes, guests, invariants, patterns, verify};
use lkd_dump::Kind;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::path::PathBuf;
use std::process::exit;

/// Live dumps of a running kernel: what this machine allows, and whether a dump is whole.
#[derive(Parser)]
#[command(name = "lkd", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say what this kernel allows, what is missing and how to get it
    Doctor,
    /// Take a live dump now, by no script: the machine stops for a moment and runs on
    ///
    /// Prints the dump's path. The file holds the kernel's memory, and with it whatever secrets are there: it is readable by root
    /// alone, and so should its directory be.
    Capture {
        /// What to keep: kernel, user (and processes' memory), mini (registers, stacks and what names them), hypervisor (and
        /// virtual machines), or all
        #[arg(long = "type", default_value = "kernel", value_parser = kind)]
        kind: Kind,
        /// The dump's file; default: a report of its own under --path
        #[arg(short, long, value_name = "FILE", conflicts_with = "path")]
        output: Option<PathBuf>,
        /// The directory of reports [default: /var/lib/lkd/LiveKernelReports]
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
        /// kdump-zstd, kdump-zlib or elf [default: kdump-zstd]
        #[arg(long)]
        format: Option<String>,
        /// The longest that the machine may stand still, 1ms to 10s [default: 500ms]
        #[arg(long, value_name = "TIME")]
        max_pause: Option<String>,
        /// Memory for the pages that are copied meanwhile, such as 512m [default: by the machine's size]
        #[arg(long, value_name = "SIZE")]
        buffer: Option<String>,
        /// Say nothing but errors, and the path
        #[arg(short, long)]
        quiet: bool,
    },
    /// Compare every page and every other byte of a dump with the checksums taken when it was written
    ///
    /// Exits with 0 when it is whole, 1 when it is damaged, 2 when it cannot be read or has no checksums.
    Verify {
        /// The dump, or the directory of a report
        file: PathBuf,
    },
    /// Check lkd against this kernel (for lkd's own tests)
    #[command(hide = true, subcommand)]
    Selftest(Selftest),
}

#[derive(Subcommand)]
enum Selftest {
    /// Compare the page classes with /proc/kpageflags
    Classes {
        /// How often; only what repeats counts
        #[arg(default_value_t = 3)]
        passes: u32,
    },
    /// Stop this machine, again and again; nothing of its memory is kept
    Freeze {
        #[arg(default_value_t = 100)]
        times: u32,
        /// How far each goes: stop, classify or copy (into memory, where nobody looks)
        #[arg(long, default_value = "stop", value_parser = work)]
        work: Work,
        /// The kind: kernel, user, mini, hypervisor or all
        #[arg(long = "type", default_value = "kernel", value_parser = kind)]
        kind: Kind,
        /// The longest pause, in milliseconds
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        max_pause: u64,
        /// Milliseconds between two
        #[arg(long, default_value_t = 5)]
        rest: u64,
        /// Megabytes of the buffer (default: at most an eighth of the memory available)
        #[arg(long)]
        buffer: Option<u64>,
        /// Judge each consistent image by the claims of `invariants`, with what `storm` left in this file; copies
        #[arg(long)]
        judge: Option<PathBuf>,
    },
    /// Judge whether a dump's kernel image is one instant's
    Invariants {
        /// The dump
        file: PathBuf,
        /// What `storm` left: its process and the eventfds of its chains
        #[arg(long)]
        planted: Option<PathBuf>,
        /// The symbols of the boot that the dump shows
        #[arg(long, default_value = "/proc/kallsyms")]
        kallsyms: PathBuf,
        /// The kernel's types; without it those in the dump
        #[arg(long)]
        btf: Option<PathBuf>,
    },
    /// Look in a dump for the memory of processes that `owner` has written
    Patterns {
        /// The dump
        file: PathBuf,
        /// What `owner` says of it
        table: PathBuf,
        /// The symbols of the boot that the dump shows
        #[arg(long, default_value = "/proc/kallsyms")]
        kallsyms: PathBuf,
        /// The kernel's types; without it those in the dump
        #[arg(long)]
        btf: Option<PathBuf>,
    },
    /// List the virtual machines in a dump, and judge them by what `vmrun` told
    Guests {
        /// The dump
        file: PathBuf,
        /// What `vmrun` printed: its process, its memory, its registers
        #[arg(long)]
        planted: Option<PathBuf>,
    },
}

fn work(word: &str) -> Result<Work, String> {
    match word {
        "stop" => Ok(Work::Stop),
        "classify" => Ok(Work::Classify),
        "copy" => Ok(Work::Copy),
        _ => Err("it is stop, classify or copy".into()),
    }
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::from_name(word).ok_or_else(|| {
        let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        format!("it is one of {}", names.join(", "))
    })
}

fn main() {
    if std::env::args_os().nth(1).is_some_and(|a| a == lkd_capture::writer::ARG) {
        exit(lkd_capture::writer::main());
    }
    let (text, status) = match Cli::parse().command {
        Command::Doctor => {
            let (text, good) = doctor::examine();
            (text, if good { 0 } else { 1 })
        }
        Command::Capture { kind, output, path, format, max_pause, buffer, quiet } => {
            let settings = [
                ("--format", "lkdformat", format),
                ("--max-pause", "lkdmaxpause", max_pause),
                ("--buffer", "lkdbuf", buffer),
            ];
            let given = settings.into_iter().filter_map(|(flag, name, value)| Some((flag, name, value?)));
            let asked = capture::Asked { kind, output, root: path, settings: given.collect() };
            let terminal = stderr().is_terminal();
            let mut messages = stderr();
            let mut out = Output::new(Box::new(std::io::sink()), &mut messages, terminal).of("lkd");
            out.set_quiet(quiet);
            match capture::run(&asked, &mut out) {
                Ok(path) => (path.map_or_else(String::new, |path| format!("{}\n", path.display())), 0),
                Err(why) => {
                    if let Some(why) = why {
                        out.error(&why);
                    }
                    exit(1)
                }
            }
        }
        Command::Verify { file } => match verify::verify(&file) {
            Ok(told) => told,
            Err(e) => {
                let _ = writeln!(stderr(), "lkd: {e}");
                exit(verify::UNPROVEN)
            }
        },
        Command::Selftest(Selftest::Classes { passes }) => match lkd_capture::classes::check(passes) {
            Ok(report) => (report.to_string(), if report.agrees() { 0 } else { 1 }),
            Err(e) => {
                // nobody to tell if standard error is closed; the status says it too
                let _ = writeln!(stderr(), "lkd: {e}");
                exit(1)
            }
        },
        Command::Selftest(Selftest::Freeze { times, work, kind, max_pause, rest, buffer, judge }) => {
            let ms = std::time::Duration::from_millis;
            let asked = freezes::Asked {
                times,
                work: if judge.is_some() { Work::Copy } else { work },
                kind,
                max_pause: ms(max_pause),
                rest: ms(rest),
                buffer: buffer.map(|megabytes| megabytes << 20),
                judge,
            };
            match freezes::run(asked) {
                Ok((text, consistent)) => (text, if consistent { 0 } else { 1 }),
                Err(e) => {
                    let _ = writeln!(stderr(), "lkd: {e}");
                    exit(2)
                }
            }
        }
        Command::Selftest(Selftest::Patterns { file, table, kallsyms, btf }) => {
            match patterns::look(&invariants::Asked { dump: file, planted: None, kallsyms, btf }, &table) {
                Ok((text, good)) => (text, if good { 0 } else { 1 }),
                Err(why) => {
                    let _ = writeln!(stderr(), "lkd: {why}");
                    exit(2)
                }
            }
        }
        Command::Selftest(Selftest::Guests { file, planted }) => {
            match guests::judge(&file, planted.as_deref()) {
                Ok((text, good)) => (text, if good { 0 } else { 1 }),
                Err(why) => {
                    let _ = writeln!(stderr(), "lkd: {why}");
                    exit(2)
                }
            }
        }
        Command::Selftest(Selftest::Invariants { file, planted, kallsyms, btf }) => {
            match invariants::judge(&invariants::Asked { dump: file, planted, kallsyms, btf }) {
                Ok((text, good)) => (text, if good { 0 } else { 1 }),
                Err(why) => {
                    let _ = writeln!(stderr(), "lkd: {why}");
                    exit(2)
                }
            }
        }
    };
    // `lkd doctor | head` is no error
    let _ = stdout().lock().write_all(text.as_bytes());
    exit(status)
}
