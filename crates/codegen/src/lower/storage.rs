//! Where variables live between firings: globals in one array, `self->` and associative ones in a hash map each.

use super::Result;
use crate::env::Env;
use crate::error::{CodegenError, What};
use crate::object::{MapKind, MapSpec};
use lkd_dlang::program::{Assoc, Program, Ty};

/// Name of the array with all globals.
pub(super) const GLOBALS: &str = "globals";
/// Largest key of the kernel's hash maps (`MAX_BPF_STACK`).
const KEY_MAX: u32 = 512;
/// What the kernel spends for an element besides key and value, roughly.
const ELEMENT_OVERHEAD: u32 = 64;

#[derive(Debug)]
pub(super) struct Storage {
    /// Offset of each global in the array's value.
    pub globals: Vec<u32>,
    globals_size: u32,
    threads: Vec<u32>,
    assocs: Vec<(u32, u32)>,
}

/// Bytes that a value takes in memory.
pub(super) fn size_of(ty: Ty) -> u32 {
    match ty {
        Ty::Void => 0,
        Ty::Int { size, .. } => u32::from(size),
        Ty::Ptr => 8,
        Ty::Str { size } | Ty::Mem { size } => size,
    }
}

/// Bytes of a key: integers are widened to 8, strings padded with zeros to a multiple of 8.
pub(super) fn key_size(assoc: &Assoc) -> u32 {
    let own = if assoc.per_thread { 8 } else { 0 };
    assoc.keys.iter().fold(own, |n: u32, &k| n.saturating_add(key_part(k)))
}

pub(super) fn key_part(ty: Ty) -> u32 {
    match ty {
        Ty::Str { size } | Ty::Mem { size } => size.max(1).next_multiple_of(8),
        _ => 8,
    }
}

pub(super) fn thread_map(n: u32) -> String {
    format!("self_{n}")
}

pub(super) fn assoc_map(n: u32) -> String {
    format!("assoc_{n}")
}

impl Storage {
    pub fn new(program: &Program, _env: &Env) -> Result<Storage> {
        let mut at = 0u32;
        let mut globals = Vec::new();
        for v in &program.globals {
            at = at.next_multiple_of(8);
            globals.push(at);
            at = at.saturating_add(size_of(v.ty).max(1));
        }
        let threads = program.threads.iter().map(|v| size_of(v.ty).max(1)).collect();
        let mut assocs = Vec::new();
        for a in &program.assocs {
            let bytes = key_size(a).max(8);
            if bytes > KEY_MAX {
                let what = What::KeySize { bytes, most: KEY_MAX };
                return Err(CodegenError { clause: None, span: Some(a.span), what });
            }
            assocs.push((bytes, size_of(a.ty).max(1)));
        }
        Ok(Storage { globals, globals_size: at.max(8).next_multiple_of(8), threads, assocs })
    }

    pub fn maps(&self, env: &Env) -> Vec<MapSpec> {
        let mut maps = vec![MapSpec::new(GLOBALS, MapKind::Array, 4, self.globals_size, 1)];
        // Elements exist from the start: taking memory inside a probe is not allowed everywhere.
        let hash = |name: String, key: u32, value: u32| {
            let each = key + value.next_multiple_of(8) + ELEMENT_OVERHEAD;
            MapSpec::new(&name, MapKind::Hash, key, value, (env.dynvar_bytes / each).max(16))
        };
        maps.extend(self.threads.iter().enumerate().map(|(n, &v)| hash(thread_map(n as u32), 8, v)));
        maps.extend(self.assocs.iter().enumerate().map(|(n, &(k, v))| hash(assoc_map(n as u32), k, v)));
        maps
    }
}
