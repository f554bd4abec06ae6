//! A checked D program in, BPF programs and maps out. Pure: it opens no file, asks no kernel, prints nothing.
//!
//! The walk: [`env`] says which probes run which clauses and what this machine is like → [`lower`] turns clauses into
//! instructions through [`asm`] (labels, relocations) and [`insn`] (one instruction: encode, decode, print) → [`object`] is what
//! comes out. [`record`] tells the shape of what programs write, once for the emitter and the decoder; [`abi`] the maps that
//! they share with user space. [`error`] words what cannot be compiled.
//!
//! What it never does: load a program, choose how a probe is attached, or change the script's meaning to please a verifier.

#![forbid(unsafe_code)]

pub mod abi;
pub mod asm;
pub mod env;
pub mod error;
pub mod insn;
mod lower;
pub mod object;
pub mod record;

pub use env::{Bound, Env, Place, ProbeNames, TaskOffsets};
pub use error::CodegenError;
pub use lower::compile;
pub use object::{MapKind, MapSpec, Object, Prog, ProgKind};
