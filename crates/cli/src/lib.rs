//! The two programs, `dtrace` and `lkd`: they know every room and carry each value to the next one.
//!
//! The walk of `dtrace`: [`flags`] says what the user asked → [`input`] brings the D text → `lkd-dlang` makes a program of it →
//! [`facts`] tells the compiler about this kernel → `lkd-codegen` makes BPF of it → [`run`] arms `lkd-capture` if the script can
//! take a dump, starts `lkd-trace`, prints what comes and decides the exit status. [`list`] is `dtrace -l`, [`header`] is
//! `dtrace -h`, [`lkd`] the commands of the other program.
//!
//! Only the `main.rs` of each program touches the process's own streams; everything here writes to what it is given.

pub mod flags;
