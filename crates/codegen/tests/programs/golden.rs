//! Listings: every `tests/d/codegen/NAME.d` becomes the programs of `NAME.lst`, word for word.
//!
//! `LKD_BLESS=1 cargo test -p lkd-codegen --test programs golden` writes them anew; the difference is then read like any other change.
//! The same scripts end by themselves, so that the runner of `tests/d` has real kernels verify and run them.

use crate::common::{env, script};
use lkd_codegen::Object;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/d/codegen")
}

fn listing(object: &Object) -> String {
    let mut out = String::new();
    for m in &object.maps {
        let (name, kind) = (&m.name, m.kind);
        let _ = writeln!(
            out,
            "map {name}: {kind:?}, key {}, value {}, {} entries",
            m.key_size, m.value_size, m.max_entries
        );
    }
    for (c, l) in object.layouts.iter().enumerate().filter(|(_, l)| l.size > 0) {
        let _ = writeln!(out, "record of clause {c}: {} bytes", l.size);
        for a in &l.actions {
            for f in &a.fields {
                let _ = writeln!(out, "  statement {}: {:?} {:?}", a.stmt + 1, f.ty, f.source);
            }
        }
    }
    for p in &object.progs {
        let cookie = if p.cookie { ", by cookie" } else { "" };
        let _ = write!(out, "\n{} probes{cookie}: {}", p.probes.len(), p.listing());
    }
    out
}

#[test]
fn listings() {
    let bless = std::env::var_os("LKD_BLESS").is_some();
    let mut wrong = vec![];
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(directory()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "d"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let (program, bounds) = script::script(&name, &text);
        let object =
            lkd_codegen::compile(&program, &bounds, &env()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let got = listing(&object);
        let beside = file.with_extension("lst");
        if bless {
            std::fs::write(&beside, &got).unwrap();
        } else if std::fs::read_to_string(&beside).unwrap_or_default() != got {
            wrong.push(name);
        }
    }
    assert!(
        wrong.is_empty(),
        "other programs than in the listings of {wrong:?}; LKD_BLESS=1 writes them anew"
    );
}
