//! A compiled script in, its probes running, events out: the only room that calls the kernel to trace.
//!
//! The walk: [`facts`] reads what this machine has, [`provider`] fills the catalogue of probes from it ([`list`] shows it, [`args`]
//! tells the arguments' types) → [`bind`] says which probe runs which clauses, by what kind of program → (the code generator makes
//! an object) → [`session`] loads it, runs BEGIN, attaches, hands out [`event`]s from the [`ring`], and follows the
//! [`activity`]'s arrows to the end; [`target`] is the process of `-c` and `-p` → [`print`] makes DTrace's output of the records.
//! [`sys`] is the door that all of them go through to the kernel.
//!
//! What it never does: print, exit, change a script's meaning, or lose anything without counting it. `unsafe` is only in `sys`,
//! atomics' orderings only in `ring`.

pub mod activity;
pub mod args;
mod attach;
pub mod bind;
pub mod error;
pub mod event;
pub mod facts;
pub mod list;
mod load;
pub mod print;
pub mod provider;
pub mod ring;
pub mod session;
pub mod sys;
pub mod target;
pub mod ways;
