//! What a kernel is, as plain values.
//!
//! Bytes and text that a kernel shows (or that a dump of it holds) go in; types, symbols, notes and the catalogue of
//! probes come out. Every other room asks this one. The walk:
//!
//! - [`btf`]: BTF bytes to C types, and a small writer for the programs that we generate
//! - [`symbols`]: `/proc/kallsyms` text to names and addresses, both ways
//! - [`vmcoreinfo`]: the note that a kernel leaves for readers of its dumps
//! - [`syscalls`]: the system calls by number and name
//! - [`x86_64`]: what is so only on x86-64; the tables of numbers, where registers are saved
//! - [`glob`]: the patterns of probe descriptions
//! - [`probes`]: what a probe is, where it fires, where its arguments lie, and the catalogue of all of them
//!
//! This room opens no file, makes no system call, reads no environment and prints nothing. Bytes may come from a
//! broken or hostile dump: they make errors or absent values, never a panic, and never an endless walk.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod btf;
pub mod glob;
pub mod probes;
pub mod symbols;
pub mod syscalls;
pub mod vmcoreinfo;
pub mod x86_64;
