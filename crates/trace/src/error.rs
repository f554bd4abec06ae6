//! Why tracing did not start, in sentences.

use crate::sys::SysError;
use crate::target::TargetError;
use std::fmt;

/// Why tracing did not start, or ended early.
#[derive(Debug)]
pub enum Error {
    Load(Box<LoadError>),
    Attach {
        probe: String,
        source: SysError,
    },
    Sys(SysError),
    Target(TargetError),
    /// [`Config::interrupted`] said so before the first probe was attached.
    Interrupted,
    /// The generated object lacks a map that every session needs.
    NoMap(&'static str),
}

impl Error {
    /// The verifier's log, if there is one.
    pub fn log(&self) -> Option<&str> {
        match self {
            Error::Load(e) if !e.log.is_empty() => Some(&e.log),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Load(e) => e.fmt(f),
            Error::Attach { probe, source } => write!(f, "failed to enable {probe}: {source}"),
            Error::Sys(e) => e.fmt(f),
            Error::Target(e) => e.fmt(f),
            Error::Interrupted => f.write_str("interrupted while its programs were being loaded"),
            Error::NoMap(name) => write!(f, "the compiled script has no map '{name}'"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Load(e) => Some(e),
            Error::Attach { source, .. } => Some(source),
            Error::Sys(e) => Some(e),
            Error::Target(e) => Some(e),
            Error::Interrupted | Error::NoMap(_) => None,
        }
    }
}

impl From<SysError> for Error {
    fn from(e: SysError) -> Error {
        Error::Sys(e)
    }
}

/// A program that the kernel refused.
#[derive(Debug)]
pub struct LoadError {
    /// The program's name, and the function where it is one function's.
    pub prog: String,
    /// Index of the clause whose code was refused.
    pub clause: Option<u32>,
    /// What that code is for: `clause 2, line 7: printf()`.
    pub what: Option<String>,
    /// One line.
    pub why: String,
    pub source: SysError,
    /// The verifier's; empty when the refusal came before it.
    pub log: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Some(what) => write!(f, "the kernel's verifier refused {what}")?,
            None => write!(f, "the kernel refused program {}", self.prog)?,
        }
        write!(f, ": {}", self.why)?;
        if self.log.is_empty() { Ok(()) } else { f.write_str(" (the whole log: -x bpflog)") }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
