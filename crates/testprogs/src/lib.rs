//! The runner of `tests/d`: one file is one test, and the same runner works on the host and inside a guest.
//!
//! The walk: `case.rs` reads a test's head, `needs.rs` says whether this machine can run it, `run.rs` runs it with its
//! trigger beside it and a deadline over it, `expect.rs` holds what came out against what was expected. The programs
//! under `src/bin` are the runner (`lkd-testrun`) and what tests start: `seeker`, `load`, `getppid`, `storm`, `owner`, `vmrun`.
//! Nothing here knows what `dtrace` does; it knows commands, streams and exit statuses.
//!
//! # The words of a test
//!
//! A test is `tests/d/<area>/tst.<name>.d` (a D script, run as `dtrace ARGS -s FILE`) or `tst.<name>.sh` (a script of
//! the plain shell, run as `sh FILE`; a guest has busybox). `err.<name>.…` must be refused: its exit status
//! must be 1; `err.<D_TAG>.<name>.d` also runs with `-xerrtags` and its stderr must hold `[D_TAG]`. A script of another
//! name is a test if its head has an `@` line, else data.
//!
//! `@` lines in a test's first comment direct the runner:
//!
//! | line | means | without it |
//! |---|---|---|
//! | `@where: host guest` | on which kernels it runs: the machine's own, a guest's | both |
//! | `@where: guest once` | not again in a second guest, as it is about our programs far more than about a kernel; so is every `err.` test | |
//! | `@needs: root fbt bpftrace` | what must be there, else it is skipped: `root`, a provider, a program, a path | nothing |
//! | `@args: -q -x a=b` | words for dtrace before `-s FILE` | none |
//! | `@run: COMMAND` | the whole command line instead, for `sh -c` | by kind of file |
//! | `@more: 1 two` | words for dtrace behind `-s FILE`: the script's macro arguments | none |
//! | `@trigger: seeker` | a command started beside it, ended after it (any number of lines) | none |
//! | `@exit: 1` | the exit status that is right | 0 (`err.`: 1) |
//! | `@timeout: 60` | seconds until it is killed and has failed | 30 (120 in a guest) |
//!
//! Commands find `$FILE` (the test), `$DIR` (its directory), `$T` (an empty directory of its own, its current one).
//! A script may end with status 77: it is skipped, and the last line of its stderr is the reason.
//!
//! `tst.<name>.out` and `tst.<name>.err` beside it, where they exist, are what stdout and stderr must be, line by line:
//!
//! * a line is literal, except `{{regex}}` in it, which matches that expression;
//! * a line that is exactly `{{...}}` stands for any number of lines;
//! * trailing blanks count; the last newline does not.
//!
//! `lkd-testrun --bless` writes both files anew from what came out: read the difference before you commit it.

#![forbid(unsafe_code)]

pub mod case;
pub mod expect;
pub mod needs;
pub mod run;
