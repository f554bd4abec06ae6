//! The two programs, `dtrace` and `lkd`: they know every room and carry each value to the next one.
//!
//! The walk of `dtrace`: [`flags`] says what the user asked → [`input`] brings the D text ([`cpp`] for `-C`) → [`compile`] makes
//! a checked program of it → [`run`] arms `lkd-capture` if the script can take a dump, starts `lkd-trace`, prints what comes to
//! [`output`] (which is [`stdout`] or a file) and decides the exit status, with [`signals`] to stop it. [`list`] is `dtrace -l`, [`header`] is `dtrace -h`,
//! [`capture`] is `lkd capture`, [`doctor`] the table of `lkd doctor`, [`verify`] is `lkd verify`; [`freezes`], [`invariants`],
//! [`patterns`] and [`guests`] are what `lkd selftest` counts and judges.
//!
//! Only the `main.rs` of each program touches the process's own streams; everything here writes to what it is given.

pub mod capture;
pub mod compile;
pub mod cpp;
pub mod doctor;
pub mod flags;
pub mod freezes;
pub mod guests;
pub mod header;
pub mod input;
pub mod invariants;
pub mod list;
pub mod live;
pub mod output;
pub mod patterns;
pub mod run;
pub mod signals;
pub mod stdout;
pub mod verify;

pub use lkd_trace::sys::reason;
