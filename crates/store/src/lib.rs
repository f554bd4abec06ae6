//! The live-dump subsystem: what may be dumped, and what has happened to dumps.
//!
//! The walk:
//!
//! - [`settings`]: the registry's tree in TOML files, read in layers and written one value at a time
//! - [`registry`]: the command lines of Windows' `reg`, understood
//! - [`status`]: NTSTATUS beside errno
//! - [`time`]: moments, in files, in names, for a person
//! - [`events`]: the log of what happened, in Windows' numbers and channels
//! - [`reports`]: dumps on the disk, each with its record, whole or not there
//! - [`state`]: what is remembered from dump to dump
//! - [`throttle`]: whether a full dump may be taken now, and what instead
//! - [`text`]: words for people
//!
//! This room looks at no kernel and prints nothing. Files may be anybody's work: what is wrong in them is told with its place,
//! and never a panic.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod events;
pub mod registry;
pub mod reports;
pub mod settings;
pub mod state;
pub mod status;
pub mod text;
pub mod throttle;
pub mod time;
