//! One event, and its line of JSON.

use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::table::{self, Channel, Kind, Level};
use crate::status::NtStatus;
use crate::time::Moment;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened, which may be before it was written.
    pub time: Moment,
    /// Where it goes.
    pub channel: String,
    /// Its number in the provider's table.
    pub id: u16,
    /// How much it matters.
    pub level: String,
    /// What was being done.
    pub task: String,
    /// At which point of it.
    pub opcode: String,
    /// The report that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// The armed script that it is about: what was made ready before there was a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arming: Option<String>,
    /// Whose event it is.
    pub pid: u32,
    /// This boot of the machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub boot: String,
    /// What is said.
    pub message: String,
    /// The fields, in the order of the text's numbers.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Words.
    Text(String),
    /// A count, bytes or milliseconds.
    Number(u64),
    /// How something ended.
    Status(NtStatus),
}

impl From<&str> for Field {
    fn from(text: &str) -> Field {
        Field::Text(text.into())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Field {
        Field::Text(text)
    }
}

impl From<u64> for Field {
    fn from(number: u64) -> Field {
        Field::Number(number)
    }
}

impl From<NtStatus> for Field {
    fn from(status: NtStatus) -> Field {
        Field::Status(status)
    }
}

impl Field {
    fn shown(&self) -> String {
        match self {
            Field::Text(text) => text.clone(),
            Field::Number(number) => number.to_string(),
            Field::Status(status) => status.to_string(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Field::Number(number) => (*number).into(),
            Field::Text(_) | Field::Status(_) => self.shown().into(),
        }
    }
}

impl Event {
    /// An event that happens now. Fields beyond those that `kind` names are left out.
    pub fn new(kind: &Kind, fields: &[Field]) -> Event {
        let mut message = String::new();
        let mut parts = kind.text.split('%');
        message.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, rest) = part.split_at(digits);
            let field = number.parse::<usize>().ok().and_then(|number| fields.get(number.checked_sub(1)?));
            message.push_str(&field.map(Field::shown).unwrap_or_default());
            message.push_str(rest);
        }
        let named = kind.fields.iter().zip(fields);
        Event {
            time: Moment::now(),
            channel: kind.channel.name().into(),
            id: kind.id,
            level: Level::Information.name().into(),
            task: kind.task.into(),
            opcode: kind.opcode.into(),
            report: None,
            arming: None,
            pid: std::process::id(),
            boot: String::new(),
            message,
            data: named.map(|(name, field)| ((*name).to_owned(), field.json())).collect(),
        }
    }

    /// Event 6, for what Windows has no number for: a sentence, and names with values.
    pub fn generic(description: &str, more: &[(&str, Field)]) -> Event {
        let mut event = Event::new(&table::GENERIC, &[description.into()]);
        event.data.extend(more.iter().map(|(name, field)| ((*name).to_owned(), field.json())));
        event
    }

    /// The event of an end: with its status, and the errno that it was.
    pub fn end(kind: &Kind, result: Result<(), &io::Error>, fields: &[Field]) -> Event {
        let status = result.map_or_else(NtStatus::of, |()| NtStatus::SUCCESS);
        let all: Vec<Field> = [status.into()].into_iter().chain(fields.iter().cloned()).collect();
        let mut event = Event::new(kind, &all);
        if let Err(error) = result {
            event.level = Level::Error.name().into();
            event.data.insert("error".into(), crate::text::plain(error).into());
            if let Some(number) = error.raw_os_error() {
                event.data.insert("errno".into(), number.into());
            }
        }
        event
    }

    /// The same at another level.
    pub fn at_level(mut self, level: Level) -> Event {
        self.level = level.name().into();
        self
    }

    /// The same, at another time.
    pub fn at(mut self, time: Moment) -> Event {
        self.time = time;
        self
    }

    /// Its channel; `None` for one that there is not.
    pub fn channel(&self) -> Option<Channel> {
        Channel::named(&self.channel)
    }

    /// Its level; an unknown one matters as little as can be.
    pub fn level(&self) -> Level {
        Level::named(&self.level).unwrap_or(Level::Information)
    }

    /// Its line, with the line's end.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_event_says_what_the_seed_says() {
        let full = io::Error::from_raw_os_error(28);
        let event = Event::end(&table::DEFERRED_ENDED, Err(&full), &[]);
        assert_eq!(event.message, "Live Dump Write Deferred Dump Data API ended. NT Status: 0xC000007F.");
        assert_eq!((event.id, event.level(), event.data.get("errno")), (202, Level::Error, Some(&28.into())));
        assert_eq!(event.data.get("error"), Some(&"No space left on device".into()));
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let fields = [NtStatus::SUCCESS.into(), 1000_u64.into(), 1_u64.into(), 2_u64.into(), 3_u64.into()];
        let mut event = Event::new(&table::WRITE_ENDED, &fields);
        assert!(event.message.ends_with("Total 1000 bytes (Header|Primary|Secondary: 1|2|3 bytes)."));
        event.report = Some("a\n\u{1b}[31m".into());
        let line = event.line();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(serde_json::from_str::<Event>(&line).expect("an event"), event);
    }
}
