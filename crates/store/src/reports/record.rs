//! `report.json`: what is to be said of a dump without opening it.
//!
//! A version's fields keep their names and meanings; later versions add. Whoever reads steps over what it does not know and does
//! without what is not there. The file may be anybody's work: it is never larger than [`LARGEST`] and its words are not printed raw.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::text::plain;
use crate::time::Moment;

/// This version of the fields.
pub const SCHEMA: u32 = 1;

/// Bytes of the largest record that is read.
pub const LARGEST: u64 = 1 << 20;

/// What is said of a dump.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// [`SCHEMA`]
    pub schema: u32,
    /// The report's name.
    pub report: String,
    /// Who took it.
    pub component: String,
    /// The kind of dump: `kernel`, `user`, `mini`, `hypervisor`, `all`.
    pub kind: String,
    /// lkd()'s argument for this kind.
    pub flags: u32,
    /// It counts among FullLiveReportsMax and for the thresholds.
    pub full: bool,
    /// When the probe fired.
    pub taken: Option<Moment>,
    /// Who fired it.
    pub trigger: Trigger,
    /// The script: its file's name, or its text.
    pub script: String,
    /// What the events of its making have in common.
    pub arming: String,
    /// All of it is of one instant.
    pub consistent: bool,
    /// Why not.
    pub smeared_by: Vec<String>,
    /// How long everything took.
    pub durations: Times,
    /// The machine's CPUs.
    pub cpus: Cpus,
    /// What was copied.
    pub pages: Pages,
    /// Bytes.
    pub sizes: Sizes,
    /// How the dump is written: `kdump`, `kdump-zlib`, `elf` …
    pub format: String,
    /// What the dump's own checksums are of and what they are; `lkd verify` compares them.
    pub checksums: String,
    /// The kernel.
    pub kernel: Kernel,
    /// The machine's name.
    pub host: String,
    /// `/proc/sys/kernel/random/boot_id`
    pub boot: String,
    /// What was asked for, when this is less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<Throttled>,
}

/// Who fired the probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trigger {
    /// `provider:module:function:name`
    pub probe: String,
    /// The CPU.
    pub cpu: u32,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// Its name.
    pub command: String,
}

/// Durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Times {
    /// Nanoseconds for which the machine stood still.
    pub pause_ns: u64,
    /// Nanoseconds until all CPUs had stopped.
    pub stop_ns: u64,
    /// Nanoseconds from the probe to the dump on the disk.
    pub total_ns: u64,
}

/// CPUs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpus {
    /// How many were online.
    pub online: u32,
    /// How many stood still.
    pub stopped: u32,
}

/// Pages of 4096 bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pages {
    /// In the dump.
    pub written: u64,
    /// Copied while the machine stood still.
    pub frozen: u64,
    /// Read after it went on.
    pub trailing: u64,
    /// Changed while they were read.
    pub changed: u64,
    /// Could not be read.
    pub failed: u64,
}

/// Bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sizes {
    /// Of the dump's file.
    pub file: u64,
    /// Of the memory in it.
    pub memory: u64,
}

/// The kernel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// `uname -r`
    pub release: String,
    /// `uname -v`
    pub version: String,
    /// `uname -m`
    pub machine: String,
}

/// Why this is less than what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttled {
    /// The kind that was asked for.
    pub asked: String,
    /// Why, and how to lift it.
    pub reason: String,
    /// When the next full dump may be taken, where that is known.
    pub next: Option<Moment>,
}

/// A record that cannot be read, in a few words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRecord(pub String);

impl Default for Record {
    fn default() -> Record {
        Record {
            schema: SCHEMA,
            report: String::new(),
            component: String::new(),
            kind: String::new(),
            flags: 0,
            full: false,
            taken: None,
            trigger: Trigger::default(),
            script: String::new(),
            arming: String::new(),
            consistent: false,
            smeared_by: Vec::new(),
            durations: Times::default(),
            cpus: Cpus::default(),
            pages: Pages::default(),
            sizes: Sizes::default(),
            format: String::new(),
            checksums: String::new(),
            kernel: Kernel::default(),
            host: String::new(),
            boot: String::new(),
            throttled: None,
        }
    }
}

impl Record {
    /// The file's bytes.
    ///
    /// # Errors
    /// It would be larger than what is read again.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        match bytes.len() as u64 <= LARGEST {
            true => Ok(bytes),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    /// Understands a file's bytes.
    ///
    /// # Errors
    /// What is wrong with them, with its line.
    pub fn decode(bytes: &[u8]) -> Result<Record, BadRecord> {
        // the fields in order would be understood, too
        if bytes.trim_ascii_start().starts_with(b"[") {
            return Err(BadRecord("it is a list".into()));
        }
        serde_json::from_slice(bytes).map_err(|error| BadRecord(error.to_string()))
    }

    /// Reads a file, which must be one and no link.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Record, BadRecord> {
        let failed = |error: io::Error| BadRecord(plain(&error));
        // a pipe would wait for somebody who writes
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut options = File::options();
        let file = options.read(true).custom_flags(flags.bits() as i32).open(path).map_err(failed)?;
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            return Err(BadRecord("it is no file".into()));
        }
        if meta.len() > LARGEST {
            return Err(BadRecord(format!("it has {} bytes, no record has more than {LARGEST}", meta.len())));
        }
        let mut bytes = Vec::with_capacity(meta.len() as usize + 1);
        file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
        Record::decode(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_to_come_are_read_and_nonsense_is_not() {
        let newer = br#"{"schema": 2, "kind": "mini", "news": {"a": [1]}, "cpus": {"online": 4}}"#;
        let record = Record::decode(newer).expect("a record");
        assert_eq!((record.schema, record.kind.as_str(), record.cpus.online), (2, "mini", 4));
        for (bad, told) in [
            (&b"{"[..], "line 1"),
            (b"[]", "a list"),
            (b"{\"pages\": {\"written\": -1}}", "line 1"),
            (b"{\"taken\": \"never\"}", "line 1"),
            (b"{\"kind\": \"\xff\"}", "unicode"),
        ] {
            let why = Record::decode(bad).expect_err("nonsense").to_string();
            assert!(why.contains(told), "{why}");
        }
        let deep = "[".repeat(100_000);
        assert!(Record::decode(format!("{{\"news\": {deep}").as_bytes()).is_err());
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let dir = std::env::temp_dir().join(format!("lkd-record-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        assert!(Record::read(&dir).is_err_and(|why| why.0.contains("no file")));
        let link = dir.join("link");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink("/dev/zero", &link).expect("a link");
        assert!(Record::read(&link).is_err());
        assert!(Record::read(Path::new("/dev/zero")).is_err_and(|why| why.0.contains("no file")));
        let _ = std::fs::remove_dir_all(dir);
    }

    proptest! {
        #[test]
        fn records_are_read_as_they_were_written(script in ".*", pages in any::<u64>(), why in proptest::collection::vec(".*", 0..3)) {
            let mut record = Record { script, smeared_by: why, taken: Some(Moment::of_ns(pages)), ..Record::default() };
            record.pages.written = pages;
            let bytes = record.encode().expect("bytes");
            prop_assert_eq!(Record::decode(&bytes), Ok(record));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes);
        }
    }
}
