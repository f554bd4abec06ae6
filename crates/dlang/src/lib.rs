//! D text in, [`program::Program`] and diagnostics out. Pure: it opens no file, prints nothing and never fails.
//!
//! The walk: [`source`] holds the text → [`lex`] cuts it into tokens → [`parse`] makes the tree of [`ast`] → [`check`](mod@check)
//! resolves names and types into [`program`], asking [`facts`] of the machine, [`names`] of the language, [`options`] of the
//! command line and `types` of C. [`diag`] draws what was wrong, [`show`] what was understood.

#![forbid(unsafe_code)]

pub mod ast;
pub mod check;
pub mod constants;
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
mod types;
pub mod unparse;
