//! `lkd`: the live-dump subsystem's own tool.

use clap::{Parser, Subcommand};
use lkd_cli::doctor;
use std::io::{Write, stderr, stdout};
use std::process::exit;

/// Live dumps of a running kernel: what this machine allows.
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
        Command::Selftest(Selftest::Classes { passes }) => match lkd_capture::classes::check(passes) {
            Ok(report) => (report.to_string(), if report.agrees() { 0 } else { 1 }),
            Err(e) => {
                // nobody to tell if standard error is closed; the status says it too
                let _ = writeln!(stderr(), "lkd: {e}");
                exit(1)
            }
        },
    };
    // `lkd doctor | head` is no error
    let _ = stdout().lock().write_all(text.as_bytes());
    exit(status)
}
