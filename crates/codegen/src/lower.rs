//! Program → Object: which programs there are, and the register convention that all of them keep.
//!
//! | register | holds |
//! |---|---|
//! | r0–r5 | the expression under way; a helper call takes them all, so nothing lives in them across one |
//! | r6 | the context that the program was started with |
//! | r7 | this firing's scratch slot, or 0 while it has none |
//! | r8 | the record being filled |
//! | r9 | the probe's id once the firing is *matched*, or 0 |
//! | r10 | the frame: `this->` integers, condition flags, saved intermediate values |
//!
//! A firing is **matched** when the session is active, the system call is a native one and its number has an enabled probe. The
//! code that finds out stands where it is first needed: right before the first effect. So a predicate that is not taken costs
//! nothing but itself.
//!
//! The walk: [`group`] which programs → [`storage`] where variables live → [`layout`] records → [`func`] the function under way
//! (registers, frame, labels) → [`clause`] firing, clauses, match → [`expr`], [`cond`], [`string`], [`compare`], [`var`], [`builtin`] values →
//! [`action`] what a clause does → [`fault`] what happens when it cannot.

mod action;
mod builtin;
mod clause;
mod compare;
mod cond;
mod expr;
mod fault;
mod func;
mod group;
mod layout;
mod look;
mod storage;
mod string;
mod var;

use crate::abi;
use crate::env::{Bound, Env};
use crate::error::{CodegenError, What};
use crate::object::{F_MMAPABLE, MapKind, MapSpec, Object, Prog};
use crate::record::ClauseLayout;
use func::Gen;
use lkd_dlang::program::Program;
use std::collections::BTreeMap;
use storage::Storage;

type Result<T> = std::result::Result<T, CodegenError>;

/// What all programs of one script share.
struct Unit<'a> {
    program: &'a Program,
    env: &'a Env,
    layouts: Vec<ClauseLayout>,
    storage: Storage,
    /// dtrace:::ERROR, if the script enables it.
    on_error: Option<&'a Bound>,
}

/// The most bytes that one value of a per-CPU array may have.
const PERCPU_VALUE_MAX: u32 = 32 << 10;

/// Compiles the script for the probes that it enables.
pub fn compile(program: &Program, bounds: &[Bound], env: &Env) -> Result<Object> {
    let layouts = layout::layouts(program, env)?;
    let storage = Storage::new(program, env)?;
    let on_error = bounds.iter().find(|b| b.place == crate::env::Place::Error && !b.clauses.is_empty());
    let unit = Unit { program, env, layouts, storage, on_error };
    let mut progs = Vec::new();
    let mut scratch = 0;
    let mut tables = BTreeMap::new();
    for group in group::groups(bounds) {
        let (prog, used) = Gen::program(&unit, &group)?;
        scratch = scratch.max(used);
        tables.extend(group.maps());
        progs.push(prog);
    }
    if scratch > PERCPU_VALUE_MAX {
        return Err(CodegenError {
            clause: None,
            span: None,
            what: What::Scratch { bytes: scratch, most: PERCPU_VALUE_MAX },
        });
    }
    let maps = maps(&unit, &progs, scratch, tables);
    Ok(Object { maps, progs, layouts: unit.layouts })
}

/// The maps that are always there, and of the others those that a program names.
fn maps(unit: &Unit, progs: &[Prog], scratch: u32, tables: BTreeMap<String, MapSpec>) -> Vec<MapSpec> {
    let env = unit.env;
    let named = |name: &str| progs.iter().any(|p| p.relocs.iter().any(|r| r.map == name));
    let mut maps = vec![
        MapSpec::new(abi::RING, MapKind::RingBuf, 0, 0, env.ring_bytes),
        MapSpec { flags: F_MMAPABLE, ..MapSpec::new(abi::CTL, MapKind::Array, 4, abi::CTL_SIZE, 1) },
        MapSpec {
            flags: F_MMAPABLE,
            ..MapSpec::new(abi::COUNTERS, MapKind::Array, 4, abi::COUNTER_LINE * env.cpus.max(1), 1)
        },
    ];
    let request = MapSpec::new(abi::LKD_REQUEST, MapKind::PerCpuArray, 4, abi::REQUEST_SIZE, 1);
    let trigger = MapSpec::new(abi::LKD_PROGS, MapKind::ProgArray, 4, 4, 1);
    let others = [
        MapSpec::new(func::SCRATCH, MapKind::PerCpuArray, 4, scratch.max(16), func::SCRATCH_SLOTS),
        MapSpec { external: true, ..request },
        MapSpec { external: true, ..trigger },
    ];
    let others = others.into_iter().chain(unit.storage.maps(env)).chain(tables.into_values());
    maps.extend(others.filter(|m| named(&m.name)));
    maps
}

impl MapSpec {
    fn new(name: &str, kind: MapKind, key_size: u32, value_size: u32, max_entries: u32) -> MapSpec {
        MapSpec {
            name: name.to_owned(),
            kind,
            key_size,
            value_size,
            max_entries,
            flags: 0,
            init: Vec::new(),
            external: false,
        }
    }
}
