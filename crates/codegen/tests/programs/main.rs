//! Generated programs: run on a machine of the tests' own, and as text.

mod common;
mod expr;
mod firing;
mod golden;
