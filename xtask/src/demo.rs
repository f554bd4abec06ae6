//! `cargo xtask demo`: the main job, from a fresh machine to a dump that a debugger opens.
//!
//! A guest runs the seed's script unchanged beside a program that runs into its probe; the dump that `lkd(0)` left comes
//! out of the guest, and drgn shows the task, its stack and the end of the log in it.

use crate::args::Args;
use crate::guest::Guest;
use crate::kernels::Kernel;
use crate::qemu::{Ending, Sinks};
use crate::suite::SEED;
use crate::{apt, place, readers, sh};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const USAGE: &str = "\
usage: cargo xtask demo [--kernel 6.1|6.12|newest]

Installs what is missing, builds, boots a stock Debian kernel in QEMU, runs tests/seed/livedumpstatuscheck.d unchanged
in it while a program calls lseek(fd, 0xc0000001, SEEK_SET), brings the dump out and shows what drgn reads in it.
";

/// The command line's entry. Gives the status for this process to end with.
pub fn main(words: Vec<String>) -> Result<u8> {
    let mut args = Args::new(words);
    if args.flag("--help") || args.flag("-h") {
        print!("{USAGE}");
        return Ok(0);
    }
    let kernel: String = args.parse("--kernel", "6.12".to_owned())?;
    args.done()?;
    apt::setup()?;
    let out = place::target().join("lkd-demo");
    let _ = fs::remove_dir_all(&out);
    let mut guest = Guest {
        kernel: kernel.clone(),
        share: Some(place::workspace().join("tests/seed")),
        out: Some(out.clone()),
        // The buffer is at most an eighth of the memory available, and should hold all of the kernel.
        mem: 2048,
        ..Guest::default()
    };
    step("building dtrace and lkd");
    guest.add_ours()?;
    let release = Kernel::get(&kernel)?.release;
    step(&format!("booting {release} in QEMU; in it: {} & dtrace -s livedumpstatuscheck.d", SEED[0]));
    let line =
        format!("cd /share; {} & dtrace -s livedumpstatuscheck.d; status=$?; kill $!; exit $status", SEED[0]);
    match guest.run(&[line], &Sinks::terminal())? {
        Ending::Exit(0) => {}
        Ending::Exit(status) => bail!("dtrace ended with status {status}"),
        Ending::Lost(why) | Ending::Unborn(why) => bail!("the guest was lost: {why}"),
    }
    let reports = out.join("lkd/LiveKernelReports");
    let dump = newest_dump(&reports)?;
    let size = fs::metadata(&dump)?.len();
    step(&format!("the dump: {} ({} MB)", dump.display(), size.div_ceil(1 << 20)));
    let vmlinux = Kernel::get(&kernel)?.vmlinux()?;
    step("what drgn reads in it");
    let script = place::workspace().join("tests/readers/show.py");
    sh::run(&mut readers::drgn_script(&script, &vmlinux, &dump, &SEED[..1])?)?;
    step(&format!(
        "open it yourself:\n   crash {0} {1}\n   drgn -c {1} -s {0}",
        vmlinux.display(),
        dump.display()
    ));
    Ok(0)
}

fn step(what: &str) {
    println!("\n=> {what}");
}

/// The one dump below a directory of reports.
pub fn newest_dump(reports: &Path) -> Result<PathBuf> {
    let all = fs::read_dir(reports).with_context(|| format!("the guest left no {}", reports.display()))?;
    let dumps = all.flatten().map(|report| report.path().join("vmcore")).filter(|file| file.is_file());
    dumps.max().with_context(|| format!("no report in {} holds a vmcore", reports.display()))
}
