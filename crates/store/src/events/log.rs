//! Writing events: whole lines, by many processes at once, in files that do not grow for ever.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use super::event::Event;
use super::table::Channel;
use crate::settings::{Settings, table};

/// Where the events of a machine are.
#[derive(Clone, Debug)]
pub struct Log {
    dir: PathBuf,
}

impl Log {
    /// The log in a directory, which is made when the first event is written.
    pub fn at(dir: &Path) -> Log {
        Log { dir: dir.to_owned() }
    }

    /// The files of a channel, the older one first; not all need be there.
    pub fn files(&self, channel: Channel) -> [PathBuf; 2] {
        let name = channel.name();
        [self.dir.join(format!("{name}.1.jsonl")), self.dir.join(format!("{name}.jsonl"))]
    }

    /// Writes an event, if its channel is switched on.
    ///
    /// # Errors
    /// The event is not in the log, and nothing half written is either.
    pub fn write(&self, settings: &Settings, event: &Event) -> io::Result<()> {
        let Some(channel) = event.channel() else { return Ok(()) };
        let (enabled, most) = match channel {
            Channel::Operational => (&table::OPERATIONAL_ENABLED, &table::OPERATIONAL_MAX_SIZE),
            Channel::Analytic => (&table::ANALYTIC_ENABLED, &table::ANALYTIC_MAX_SIZE),
        };
        if !settings.on(enabled) {
            return Ok(());
        }
        let line = event.line();
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        // Its holder may be killed: the lock goes with it.
        let lock = private().create(true).append(true).open(self.dir.join(".lock"))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)?;
        let [older, current] = self.files(channel);
        let open = || private().create(true).append(true).read(true).open(&current);
        let mut file = open()?;
        let mut len = file.metadata()?.len();
        // Half for each of the two files; an event that is larger than that has a file of its own.
        if len > 0 && len + line.len() as u64 > u64::from(settings.number(most)) / 2 {
            fs::rename(&current, &older)?;
            file = open()?;
            len = file.metadata()?.len();
        }
        let mut bytes = Vec::with_capacity(line.len() + 1);
        if torn(&file, len)? {
            // What a killed writer has left becomes a line by itself, which readers step over.
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line.as_bytes());
        file.write_all(&bytes).inspect_err(|_| {
            // A full disk has taken a part of it.
            let _ = file.set_len(len);
        })
    }
}

/// A file of ours: nobody else's to read, and never behind a link.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    options
}

/// Whether a file does not end with a line's end.
fn torn(file: &File, len: u64) -> io::Result<bool> {
    let Some(last) = len.checked_sub(1) else { return Ok(false) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Filter, read, table as events};
    use super::*;

    fn log(name: &str) -> (Log, PathBuf) {
        let dir = std::env::temp_dir().join(format!("lkd-events-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        (Log::at(&dir), dir)
    }

    #[test]
    fn many_writers_leave_whole_lines() {
        let (log, dir) = log("many");
        std::thread::scope(|scope| {
            for writer in 0..4_u64 {
                let log = &log;
                scope.spawn(move || {
                    for n in 0..50_u64 {
                        let event = Event::generic("x", &[("writer", writer.into()), ("n", n.into())]);
                        log.write(&Settings::default(), &event).expect("written");
                    }
                });
            }
        });
        let mut numbers = vec![Vec::new(); 4];
        let seen = read(&log, &Filter::default(), &mut |event| {
            let number =
                |name: &str| event.data.get(name).and_then(serde_json::Value::as_u64).expect("a number");
            numbers[number("writer") as usize].push(number("n"));
        });
        assert_eq!(seen.map_err(|error| error.to_string()), Ok(0));
        assert!(numbers.iter().all(|numbers| numbers.iter().copied().eq(0..50)), "{numbers:?}");
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn a_torn_line_costs_nothing_but_itself() {
        let (log, dir) = log("torn");
        let write =
            |what: &str| log.write(&Settings::default(), &Event::generic(what, &[])).expect("written");
        write("first");
        let [_, current] = log.files(Channel::Operational);
        let mut file = OpenOptions::new().append(true).open(&current).expect("opened");
        file.write_all(b"{\"time\":\"2026-11-2").expect("written");
        write("second");
        let mut told = Vec::new();
        let broken = read(&log, &Filter::default(), &mut |event| told.push(event.message.clone()));
        assert_eq!((told, broken.ok()), (vec!["first".into(), "second".into()], Some(1)));
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let (log, dir) = log("rotated");
        let most = u64::from(Settings::default().number(&table::OPERATIONAL_MAX_SIZE));
        let long = Event::generic("x", &[("filler", Field::Text("y".repeat(1 << 20)))]);
        for _ in 0..64 {
            log.write(&Settings::default(), &long).expect("written");
        }
        let sizes = log.files(Channel::Operational).map(|path| fs::metadata(path).expect("a file").len());
        assert!(sizes.iter().sum::<u64>() <= most && sizes[0] > most / 4, "{sizes:?}");
        let mut count = 0;
        assert_eq!(read(&log, &Filter::default(), &mut |_| count += 1).ok(), Some(0));
        assert!((9..64).contains(&count), "{count}");
        let _ = fs::remove_dir_all(dir);
    }

    #[test]
    fn what_is_switched_off_is_not_written() {
        let (log, dir) = log("off");
        log.write(&Settings::default(), &Event::new(&events::CAPTURE_STARTED, &[])).expect("nothing");
        assert!(!dir.exists());
    }
}
