//! QEMU's monitor protocol: one JSON object a line; commands are answered in order, events come between the answers.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to the monitor of one machine.
pub struct Monitor {
    lines: BufReader<UnixStream>,
    /// Events that came while an answer was waited for.
    events: VecDeque<String>,
}

impl Monitor {
    /// Connects and makes the monitor take commands. `None`: nobody listens there (yet, or any more).
    pub fn connect(path: &Path) -> Option<Monitor> {
        let stream = UnixStream::connect(path).ok()?;
        let mut monitor = Monitor { lines: BufReader::new(stream), events: VecDeque::new() };
        // Its greeting comes first; a QEMU that is just ending may send none.
        monitor.line().ok()??;
        monitor.run("qmp_capabilities", json!({})).ok()?;
        Some(monitor)
    }

    /// Runs a command to its end.
    pub fn run(&mut self, command: &str, arguments: Value) -> Result<()> {
        let mut line = json!({"execute": command, "arguments": arguments}).to_string();
        line.push('\n');
        self.lines.get_mut().write_all(line.as_bytes()).context("QEMU's monitor takes no command")?;
        loop {
            let answer = self.line()?.with_context(|| format!("QEMU ended before it answered {command}"))?;
            if let Some(event) = event_of(&answer) {
                self.events.push_back(event);
            } else if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {command}: {error}");
            } else {
                return Ok(());
            }
        }
    }

    /// Waits for the next event; `None` when QEMU has ended.
    pub fn event(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            match self.line()? {
                Some(line) => self.events.extend(event_of(&line)),
                None => return Ok(None),
            }
        }
    }

    fn line(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            // A QEMU that was killed leaves a reset connection.
            Ok(0) | Err(_) => Ok(None),
            Ok(_) => {
                Ok(Some(serde_json::from_str(&line).with_context(|| format!("QEMU's monitor says {line}"))?))
            }
        }
    }
}

fn event_of(line: &Value) -> Option<String> {
    Some(line.get("event")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::SocketDir;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// A monitor that says these lines, one of them for each line that it reads after the greeting.
    fn talk(name: &str, says: &'static [&'static str]) -> Option<Monitor> {
        let run = SocketDir::new().unwrap();
        let path = run.socket(name);
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream);
            for say in says {
                lines.get_mut().write_all(say.as_bytes()).unwrap();
                let _ = lines.read_line(&mut String::new());
            }
        });
        let monitor = Monitor::connect(&path).map(|mut monitor| {
            let _ = monitor.run("cont", json!({}));
            monitor
        });
        // After its last line it waits for one more of ours, or for our end.
        drop(server);
        monitor
    }

    #[test]
    fn events_are_kept_while_an_answer_is_waited_for() {
        let says = &[
            "{\"QMP\": {}}\n",
            "{\"return\": {}}\n",
            "{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n{\"return\": {}}\n",
        ];
        let mut monitor = talk("m", says).unwrap();
        assert_eq!(monitor.event().unwrap().as_deref(), Some("STOP"));
        assert_eq!(monitor.event().unwrap().as_deref(), Some("RESUME"));
    }

    #[test]
    fn nobody_there_is_no_monitor() {
        let run = SocketDir::new().unwrap();
        assert!(Monitor::connect(&run.socket("none")).is_none());
        assert!(talk("m", &[]).is_none());
    }
}
