//! Reading events: what fits a question, in the order it happened; lines that are none are stepped over and counted.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;

use super::event::Event;
use super::log::Log;
use super::table::{Channel, Level};
use crate::time::Moment;

/// The longest line that is read as an event: longer ones are not ours.
const LONGEST: u64 = 4 << 20;

/// Which events are wanted; what is not said is not asked.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this channel.
    pub channel: Option<Channel>,
    /// With one of these numbers.
    pub ids: Vec<u16>,
    /// That matter at least so much.
    pub level: Option<Level>,
    /// From then on.
    pub since: Option<Moment>,
    /// Until then.
    pub until: Option<Moment>,
    /// About this report: by its name, or of the arming that led to it.
    pub report: Option<String>,
}

impl Filter {
    fn fits(&self, event: &Event, armings: &[String]) -> bool {
        let about = |report: &String| {
            event.report.as_ref() == Some(report)
                || event.report.is_none()
                    && event.arming.as_ref().is_some_and(|arming| armings.contains(arming))
        };
        self.channel.is_none_or(|channel| event.channel() == Some(channel))
            && (self.ids.is_empty() || self.ids.contains(&event.id))
            && self.level.is_none_or(|level| event.level() <= level)
            && self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time <= until)
            && self.report.as_ref().is_none_or(about)
    }
}

/// Gives every event that fits, both channels' as one, ordered by time. Returns how many lines were no events.
///
/// # Errors
/// A file that is there cannot be read.
pub fn read(log: &Log, filter: &Filter, tell: &mut dyn FnMut(&Event)) -> io::Result<u64> {
    let mut events = Vec::new();
    let mut broken = 0;
    for channel in Channel::ALL {
        for path in log.files(channel) {
            match File::open(path) {
                Ok(file) => broken += lines(&mut BufReader::new(file), &mut |event| events.push(event))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    let armings: Vec<String> = match &filter.report {
        Some(report) => {
            let of = events.iter().filter(|event| event.report.as_ref() == Some(report));
            of.filter_map(|event| event.arming.clone()).collect()
        }
        None => Vec::new(),
    };
    // What a channel's file has in order stays in order.
    events.sort_by_key(|event| event.time);
    events.iter().filter(|event| filter.fits(event, &armings)).for_each(tell);
    Ok(broken)
}

/// Every line that is an event; gives the number of the others. A last one without its end is still being written.
fn lines(from: &mut impl BufRead, tell: &mut dyn FnMut(Event)) -> io::Result<u64> {
    let (mut broken, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = from.by_ref().take(LONGEST).read_until(b'\n', &mut line)?;
        let whole = line.pop_if(|last| *last == b'\n').is_some();
        if !whole && (read as u64) < LONGEST {
            return Ok(broken + u64::from(read > 0));
        }
        match serde_json::from_slice(&line) {
            Ok(event) => tell(event),
            Err(_) => broken += 1,
        }
    }
}

/// Events as they come.
#[derive(Debug)]
pub struct Follow {
    log: Log,
    filter: Filter,
    /// For each channel: which file was read, and how far.
    read: [(u64, u64); 2],
}

impl Follow {
    /// Begins behind what is there now.
    pub fn new(log: &Log, filter: Filter) -> Follow {
        let read = Channel::ALL.map(|channel| {
            let [_, current] = log.files(channel);
            std::fs::metadata(current).map_or((0, 0), |meta| (meta.ino(), meta.len()))
        });
        Follow { log: log.clone(), filter, read }
    }

    /// Gives what has come since the last time.
    ///
    /// # Errors
    /// A file that is there cannot be read.
    pub fn look(&mut self, tell: &mut dyn FnMut(&Event)) -> io::Result<()> {
        for (channel, (inode, at)) in Channel::ALL.into_iter().zip(&mut self.read) {
            // What was written to the file before it was put aside comes first.
            for path in self.log.files(channel) {
                let Ok(mut file) = File::open(path) else { continue };
                let meta = file.metadata()?;
                let older = meta.ino() != *inode;
                let is_current =
                    self.log.files(channel)[1].metadata().is_ok_and(|now| now.ino() == meta.ino());
                if older && !is_current {
                    continue;
                }
                let from = if older { 0 } else { *at };
                if meta.len() > from {
                    file.seek(SeekFrom::Start(from))?;
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes)?;
                    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
                    lines(&mut bytes.get(..whole).unwrap_or_default(), &mut |event| {
                        if self.filter.fits(&event, &[]) {
                            tell(&event);
                        }
                    })?;
                    (*inode, *at) = (meta.ino(), from + whole as u64);
                } else if older {
                    (*inode, *at) = (meta.ino(), 0);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::table as events;
    use super::*;
    use crate::settings::Settings;
    use proptest::prelude::*;

    #[test]
    fn a_reports_life_begins_with_its_arming() {
        let dir = std::env::temp_dir().join(format!("lkd-events-{}-life", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let log = Log::at(&dir);
        let mut follow = Follow::new(&log, Filter::default());
        let write = |kind, at, report: Option<&str>, arming: &str| {
            let mut event = Event::new(kind, &[]).at(Moment::of_ns(at));
            (event.report, event.arming) = (report.map(str::to_owned), Some(arming.to_owned()));
            log.write(&Settings::default(), &event).expect("written");
        };
        write(&events::SIZING_STARTED, 1, None, "a");
        write(&events::SIZING_STARTED, 2, None, "b");
        write(&events::DEFERRED_STARTED, 5, Some("R"), "a");
        // told late, happened early
        write(&events::QUIESCE_STARTED, 3, Some("R"), "a");
        let of = |filter: Filter| {
            let mut ids = Vec::new();
            read(&log, &filter, &mut |event| ids.push(event.id)).expect("read");
            ids
        };
        assert_eq!(of(Filter { report: Some("R".into()), ..Filter::default() }), [101, 154, 201]);
        assert_eq!(of(Filter { ids: vec![154], ..Filter::default() }), [154]);
        assert_eq!(of(Filter { since: Some(Moment::of_ns(3)), ..Filter::default() }), [154, 201]);
        assert_eq!(of(Filter { level: Some(Level::Warning), ..Filter::default() }), [0_u16; 0]);
        let mut followed = Vec::new();
        follow.look(&mut |event| followed.push(event.id)).expect("read");
        write(&events::DEFERRED_ENDED, 6, Some("R"), "a");
        follow.look(&mut |event| followed.push(event.id)).expect("read");
        follow.look(&mut |event| followed.push(event.id)).expect("read");
        assert_eq!(followed, [101, 101, 201, 154, 202]);
        let _ = std::fs::remove_dir_all(dir);
    }

    proptest! {
        #[test]
        fn no_bytes_stop_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400), good in 0..3_usize) {
            let event = Event::generic("x", &[]).line();
            let text = [bytes.as_slice(), b"\n", event.repeat(good).as_bytes()].concat();
            let mut count = 0;
            let broken = lines(&mut text.as_slice(), &mut |_| count += 1).expect("memory is read");
            prop_assert!(count >= good && broken <= 1 + bytes.len() as u64);
        }
    }
}
