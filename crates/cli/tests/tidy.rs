//! The rules of the house that a machine can check (ARCHITECTURE.md, "Invariants").

use std::fs;
use std::path::{Path, PathBuf};

const PURE: &[&str] = &["kernel", "dlang", "codegen", "dump"];
/// Tables, which are as long as what they list.
const LONG: &[&str] = &["crates/kernel/src/syscalls/", "crates/kernel/src/syscalls_x86_64.rs"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn sources(under: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|n| n != "target") {
                sources(&path, out);
            }
        } else if path.extension().is_some_and(|e| e == "rs" || e == "c" || e == "h") {
            out.push(path);
        }
    }
}

/// (path below the root, text) of every source file under `dir`.
fn texts(dir: &str) -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    sources(&root.join(dir), &mut files);
    assert!(!files.is_empty(), "no sources under {dir}");
    files
        .into_iter()
        .map(|f| {
            let name = f.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
            (name, fs::read_to_string(&f).expect("readable source"))
        })
        .collect()
}

/// The part of a file before its unit tests.
fn shipped(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

fn complain(broken: Vec<String>, rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

#[test]
fn no_file_grows_beyond_one_subject() {
    let mut broken = Vec::new();
    for dir in ["crates", "bpf", "xtask"] {
        for (name, text) in texts(dir) {
            let lines = text.lines().count();
            if lines > 600 && !LONG.iter().any(|l| name.starts_with(l)) {
                broken.push(format!("{name}: {lines} lines"));
            }
        }
    }
    complain(broken, "files over 600 lines: divide them by subject");
}

#[test]
fn pure_rooms_touch_nothing() {
    let mut broken = Vec::new();
    for room in PURE {
        let lib = fs::read_to_string(root().join(format!("crates/{room}/src/lib.rs"))).expect("lib.rs");
        if !lib.contains("#![forbid(unsafe_code)]") {
            broken.push(format!("crates/{room}/src/lib.rs: no #![forbid(unsafe_code)]"));
        }
        for (name, text) in texts(&format!("crates/{room}/src")) {
            for word in ["std::fs", "std::env", "std::process", "println!", "eprintln!", "std::net"] {
                if shipped(&text).contains(word) {
                    broken.push(format!("{name}: {word}"));
                }
            }
        }
    }
    complain(broken, "pure rooms open no file, read no environment, print nothing");
}

#[test]
fn only_mains_print_and_exit() {
    let mut broken = Vec::new();
    for (name, text) in texts("crates") {
        if name.ends_with("main.rs")
            || name.contains("/tests/")
            || name.contains("/benches/")
            || name.contains("/examples/")
            || name.contains("build.rs")
        {
            continue;
        }
        if name.starts_with("crates/testprogs/") {
            continue;
        }
        for word in ["println!", "eprintln!", "process::exit"] {
            if shipped(&text).contains(word) {
                broken.push(format!("{name}: {word}"));
            }
        }
    }
    complain(broken, "only main.rs prints or exits");
}

#[test]
fn every_file_opens_with_its_sentence() {
    let mut broken = Vec::new();
    for dir in ["crates", "xtask"] {
        for (name, text) in texts(dir) {
            if name.ends_with(".rs") && !text.starts_with("//!") && !text.starts_with("#!") {
                broken.push(name);
            }
        }
    }
    complain(broken, "files that do not say what they are (first line `//! …`)");
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [
        "TO".to_string() + "DO",
        "FIX".to_string() + "ME",
        "unimpl".to_string() + "emented!",
        "to".to_string() + "do!(",
    ];
    let mut broken = Vec::new();
    for dir in ["crates", "bpf", "xtask"] {
        for (name, text) in texts(dir) {
            for mark in &marks {
                if text.contains(mark.as_str()) {
                    broken.push(format!("{name}: {mark}"));
                }
            }
        }
    }
    complain(broken, "unfinished marks");
}

/// `cargo tree` of each room must not show a room to its right.
#[test]
fn no_arrow_points_back() {
    let order: &[(&str, &[&str])] = &[
        ("kernel", &[]),
        ("dlang", &["kernel"]),
        ("dump", &["kernel"]),
        ("codegen", &["kernel", "dlang"]),
        ("trace", &["kernel", "dlang", "codegen"]),
        ("capture", &["kernel", "dump"]),
    ];
    let mut broken = Vec::new();
    for (room, allowed) in order {
        let text = fs::read_to_string(root().join(format!("crates/{room}/Cargo.toml"))).expect("Cargo.toml");
        let manifest = text.split("[dev-dependencies]").next().unwrap_or("");
        for line in manifest.lines() {
            if let Some(dep) = line.strip_prefix("lkd-") {
                let dep = dep.split(['.', ' ', '=']).next().unwrap_or("");
                if !allowed.contains(&dep) {
                    broken.push(format!("{room} → {dep}"));
                }
            }
        }
    }
    complain(broken, "arrows that point back");
}
