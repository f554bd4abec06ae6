//! D text in, [`program::Program`] and diagnostics out. Pure: it opens no file, prints nothing and never fails.
//!
//! The walk: [`source`] holds the text → [`lex`] cuts it into tokens → [`parse`] makes the tree of [`ast`] → `check` resolves
//! names and types into [`program`]. [`diag`] draws what was wrong.

#![forbid(unsafe_code)]

pub mod ast;
pub mod check;
pub mod diag;
pub mod facts;
pub mod format;
pub mod lex;
pub mod names;
pub mod options;
pub mod parse;
pub mod program;
pub mod show;
pub mod source;
pub mod span;
pub mod tag;
pub mod token;
pub mod types;
pub mod unparse;
