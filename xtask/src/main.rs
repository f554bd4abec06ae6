//! `cargo xtask`: the workshop. Sets the machine up, boots guests, runs the tests, the demo and the benchmarks.
//!
//! The walk through its files, in the order in which a guest comes to life:
//!
//! | file | gives |
//! |---|---|
//! | `sh.rs` | commands that fail with their own words |
//! | `args.rs` | the options of each command, read once |
//! | `place.rs` | where things lie: workspace, target, cache, one directory per run |
//! | `apt.rs` | packages: installed when missing, or unpacked beside the system from another suite |
//! | `beside.rs` | programs of another Debian, run beside our own |
//! | `mirror.rs` | where Debian's archive can be had from here |
//! | `kernels.rs` | a stock kernel: image, modules in loading order, the vmlinux of its -dbg package |
//! | `initramfs.rs` | a newc archive: busybox, programs with the libraries they name, modules, init |
//! | `disk.rs` | ext4 images: a directory in, a directory out |
//! | `qemu.rs` | one virtual machine and its three byte streams |
//! | `qmp.rs` | what its QEMU is told while it runs, and tells |
//! | `guest.rs` | `cargo xtask guest`: all of the above around one command |
//! | `build.rs` | our own programs, built |
//! | `readers.rs` | crash, drgn and gdb, as found or fetched |
//! | `suite.rs`, `suite/` | `cargo xtask test`: each suite, its closing line |
//! | `demo.rs` | `cargo xtask demo`: the main job from nothing to a dump that drgn reads |
//! | `bench.rs`, `bench/` | `cargo xtask bench`: ratios against peers in one run |
//!
//! It never runs as part of the product, and nothing here is linked into `dtrace` or `lkd`.

mod apt;
mod args;
mod bench;
mod beside;
mod build;
mod demo;
mod disk;
mod guest;
mod initramfs;
mod kernels;
mod mirror;
mod place;
mod qemu;
mod qmp;
mod readers;
mod sh;
mod suite;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  guest [OPTIONS] -- CMD...   boot a stock Debian kernel in QEMU and run CMD in it (guest --help)
  demo [OPTIONS]              the main job: the seed's script in a guest, and what drgn reads in its dump
  test [OPTIONS]              run every suite of tests (test --help)
  bench [OPTIONS]             our numbers beside peers', in one run (bench --help)
  setup [--all]               install what the other commands need (they do it themselves too); with --all also
                              fetch the kernels, their vmlinux and the readers
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    let outcome = match command.as_str() {
        "setup" => setup(rest).map(|()| 0),
        "guest" => guest::main(rest),
        "test" => suite::main(rest),
        "demo" => demo::main(rest),
        "bench" => bench::main(rest),
        "" | "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(0)
        }
        other => {
            eprint!("xtask: no command '{other}'\n{USAGE}");
            Ok(2)
        }
    };
    match outcome {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            eprintln!("xtask: {why:#}");
            ExitCode::from(2)
        }
    }
}

fn setup(words: Vec<String>) -> anyhow::Result<()> {
    let mut args = args::Args::new(words);
    let all = args.flag("--all");
    args.done()?;
    apt::setup()?;
    if all {
        for name in ["6.1", "6.12"] {
            println!("{}", kernels::Kernel::get(name)?.vmlinux()?.display());
        }
        readers::crash()?;
        readers::drgn()?;
    }
    Ok(())
}
