//! Compiles bpf/capture.bpf.c with clang, against the libbpf headers that libbpf-sys brings.

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs};

fn main() {
    let bpf = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../../bpf");
    let bpf = bpf.canonicalize().unwrap_or_else(|error| fail(&format!("{}: {error}", bpf.display())));
    let headers = variable("DEP_BPF_INCLUDE");
    let object = PathBuf::from(variable("OUT_DIR")).join("capture.bpf.o");
    let clang = env::var("CLANG").unwrap_or_else(|_| "clang".into());
    println!("cargo:rerun-if-env-changed=CLANG");
    match fs::read_dir(&bpf) {
        Ok(files) => {
            for file in files.flatten() {
                println!("cargo:rerun-if-changed={}", file.path().display());
            }
        }
        Err(error) => fail(&format!("{}: {error}", bpf.display())),
    }
    let output = Command::new(&clang)
        .args(["-target", "bpf", "-mcpu=v3", "-g", "-O2"])
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"])
        .arg(format!("-I{headers}"))
        // No path of the building machine in the object's line information.
        .arg(format!("-ffile-prefix-map={}=bpf", bpf.display()))
        .arg(format!("-ffile-prefix-map={headers}=libbpf"))
        .args(["-c", "capture.bpf.c", "-o"])
        .arg(&object)
        .current_dir(&bpf)
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => fail(&format!("{clang}:\n{}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => fail(&format!("{clang}: {error}; install clang, or name it in the variable CLANG")),
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("{name} is not set")))
}

fn fail(why: &str) -> ! {
    eprintln!("bpf/capture.bpf.c was not compiled: {why}");
    exit(1)
}
