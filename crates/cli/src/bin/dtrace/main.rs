//! `dtrace`: gives the process's own streams to [`lkd_cli::run`] and takes the exit status from it.

use lkd_cli::run::Screen;
use lkd_cli::stdout::Patient;
use std::io::{IsTerminal, Write, stderr};
use std::process::exit;

fn main() {
    if std::env::args_os().nth(1).is_some_and(|a| a == lkd_capture::writer::ARG) {
        exit(lkd_capture::writer::main());
    }
    let args = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let mut messages = stderr();
    let terminal = messages.is_terminal();
    let screen = Screen { terminal, colour: terminal && std::env::var_os("NO_COLOR").is_none() };
    let data: Box<dyn Write> = match Patient::stdout() {
        Ok(out) => Box::new(out),
        Err(e) => {
            let _ = writeln!(messages, "dtrace: cannot write to standard output: {}", lkd_cli::reason(&e));
            exit(lkd_cli::run::ERROR.into());
        }
    };
    exit(lkd_cli::run::dtrace(args, data, &mut messages, screen).into());
}
