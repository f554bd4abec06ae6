//! What a kernel is, as plain values.
//!
//! Bytes and text that a kernel shows (or that a dump of it holds) go in; types, symbols, notes and the catalogue of
//! probes come out. Every other room asks this one. The walk:
//!
//! - [`btf`]: BTF bytes to C types, and a small writer for the programs that we generate
//!
//! This room opens no file, makes no system call, reads no environment and prints nothing. Bytes may come from a
//! broken or hostile dump: they make errors or absent values, never a panic, and never an endless walk.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod btf;
