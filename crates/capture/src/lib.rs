//! Live dumps: a trigger that a D program tail-calls into, the engine in the kernel behind it, and the process that writes.
//!
//! In the order of a dump's life:
//!
//! - [`doctor`]: what this machine must have, and how to get it
//! - [`forecast`]: what a dump of each kind would be
//! - [`options`] and [`arm`]: everything that could fail, done before the probe; gives [`Armed`]
//!   - [`prepare`]: programs, maps; [`room`] how large; [`first`] what will be copied before all else,
//!     [`mini`] what of a minidump never moves, [`tables`] where the kernel has mapped it
//!   - [`ram`] which page frames are memory, [`live`] where they appear, [`pass`] one classification from outside
//!   - [`engine`] the BPF programs of bpf/capture.bpf.c, [`parts`] what of them the kinds need, [`buffer`] where they copy to, [`ctl`] what is shared with them, [`peek`] kernel memory read
//!   - [`freeze`] what stops CPUs, [`wakers`] a thread on each that makes it come, [`cpus`] who came
//!   - [`target`] the directory that takes reports
//! - [`handover`], [`takeover`]: what [`writer`], a process of its own, is told and given when it starts
//! - [`report`]: one dump: [`source`] its pages, [`registers`] where the thread stood, [`unwind`] one frame up,
//!   [`direct`] its file
//! - [`guests`] the virtual machines that KVM runs
//! - [`taken`] what the freeze has left, [`verdict`] is it of one instant?
//! - [`progress`]: what the writer tells meanwhile
//! - [`drill`]: freezes without a writer, for tests and measurements
//! - [`classes`]: the proof that pages are classified as the kernel would
//! - [`invariants`]: the proof that what was captured is one instant's
//! - [`sys`]: the kernel's door, [`error`]: why it stays shut
//!
//! It takes a running kernel and an lkd() call; it gives a file. It never prints, never reads a dump, and never writes to
//! kernel memory.

pub mod arm;
mod buffer;
pub mod classes;
mod cpus;
pub mod ctl;
mod direct;
pub mod doctor;
pub mod drill;
pub mod engine;
pub mod error;
mod first;
pub mod forecast;
mod freeze;
mod guests;
mod handover;
pub mod invariants;
pub mod live;
mod mini;
mod options;
mod parts;
mod pass;
pub mod peek;
mod prepare;
pub mod progress;
pub mod ram;
mod registers;
mod report;
mod room;
mod source;
mod sys;
mod tables;
mod taken;
mod takeover;
mod target;
mod unwind;
mod verdict;
mod wakers;
pub mod writer;

pub use arm::{Armed, arm};
pub use engine::TriggerProg;
pub use error::Error;
pub use options::{DEFAULT_ROOT, Options, ProbeName, Work};
pub use progress::Event;
pub use taken::Taken;
