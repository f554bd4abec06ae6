//! The event log: what happened to dumps, a line of JSON each, in two channels.

mod event;
mod log;
mod reader;
pub mod table;

pub use event::{Event, Field};
pub use log::Log;
pub use reader::{Filter, Follow, read};
pub use table::{Channel, Kind, Level};
