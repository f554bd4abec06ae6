//! System calls by number and by name.
//!
//! Names are those of the kernel's functions without `sys_`, as its tracepoints and other tracers have them; where
//! programs know a call by another name, that is its alias. One table per architecture.

pub use crate::x86_64::{ia32, syscalls as x86_64};

/// One system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Syscall {
    /// Its number.
    pub nr: u32,
    /// Its name in the kernel: `newfstat`.
    pub name: &'static str,
    /// Its name in programs, where that differs: `fstat`.
    pub alias: Option<&'static str>,
    /// How many arguments it takes.
    pub nargs: u8,
}
