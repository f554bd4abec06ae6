//! The writer: a process of its own that outlives dtrace, waits for the shot and writes the dump.
//!
//! It holds the engine's maps and the programs that finish a capture, but no trigger and no map of triggers: when dtrace is
//! gone, nothing stays attached. What wakes it: the ring of shots, or the end of its socket to dtrace.
//!
//! ```text
//! waiting ──ring──▶ held ──▶ rest classified, rest copied ──▶ file ──▶ published ──▶ end
//!    └──socket's end──▶ disarmed? ──yes──▶ end
//!                           └──no: a shot is being taken──▶ held …
//! ```

use crate::progress::Event;
use crate::report;
use crate::sys::detach;
use crate::takeover::Writer;

/// The hidden argument that makes a program of ours the writer; a file descriptor's number follows.
pub const ARG: &str = "--lkd-writer";

/// The writer's whole life; gives its exit status. For `main`, when the first argument is [`ARG`].
pub fn main() -> i32 {
    detach();
    let fd = std::env::args().nth(2).and_then(|fd| fd.parse().ok());
    let Some(fd) = fd else { return 2 };
    match Writer::take_over(fd) {
        Ok(mut writer) => run(&mut writer),
        // Nobody to tell: dtrace sees the socket's end and says so.
        Err(_) => 2,
    }
}

fn run(writer: &mut Writer) -> i32 {
    if !writer.begin() {
        return 0;
    }
    match writer.wait() {
        Ok(false) => 0,
        Ok(true) => match report::write(writer) {
            Ok(()) => 0,
            Err(error) => {
                writer.socket.tell(&Event::Failed { why: error.to_string() });
                1
            }
        },
        Err(error) => {
            writer.socket.tell(&Event::Failed { why: error.to_string() });
            1
        }
    }
}
