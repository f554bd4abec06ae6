//! What the writer tells dtrace while it works, as lines over a socket, and as text for people.

use std::path::PathBuf;

/// A step of a dump.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The writer has started, and its threads that wake CPUs.
    Ready {
        /// Why they may be slow.
        slow: Option<String>,
    },
    /// The shot was taken and the thread runs on.
    Taken {
        /// How long the probing thread was held, in nanoseconds.
        pause_ns: u64,
        /// CPUs that stood still.
        cpus: u32,
        /// Why not every page was read while all CPUs stood still; empty: it was.
        smears: Vec<String>,
        /// Pages that were copied meanwhile.
        pages: u64,
        /// The probe, as provider:module:function:name.
        probe: String,
        /// The thread's process.
        pid: u32,
        /// The thread's name.
        comm: String,
        /// lkd()'s argument.
        kind: u32,
    },
    /// What a person should know of the shot beside that.
    Noted {
        /// In words.
        what: String,
    },
    /// The file grows.
    Writing {
        /// Bytes of memory written so far, before compression.
        bytes: u64,
        /// Bytes of memory in all.
        total: u64,
        /// Since the writing began, in nanoseconds.
        elapsed_ns: u64,
        /// Where the dump will be.
        path: PathBuf,
    },
    /// The dump is on disk under its name.
    Done {
        /// The dump.
        path: PathBuf,
        /// Its length in bytes.
        size: u64,
        /// Pages in it.
        pages: u64,
        /// Of these, read after the thread went on.
        trailing: u64,
        /// Pages left out because they had changed hands before they were read.
        changed: u64,
        /// Pages that could not be read.
        failed: u64,
        /// From the probe to the end.
        seconds: f64,
    },
    /// There will be no dump; what was half written is gone.
    Failed {
        /// What failed, where.
        why: String,
    },
    /// The writer has ended without a last word.
    Gone {
        /// How.
        how: String,
    },
}

impl Event {
    /// One line, its end included.
    pub fn encode(&self) -> String {
        let fields: Vec<String> = match self {
            Event::Taken { pause_ns, cpus, smears, pages, probe, pid, comm, kind } => vec![
                "taken".into(),
                pause_ns.to_string(),
                cpus.to_string(),
                smears.join("; "),
                pages.to_string(),
                probe.clone(),
                pid.to_string(),
                comm.clone(),
                kind.to_string(),
            ],
            Event::Writing { bytes, total, elapsed_ns, path } => vec![
                "writing".into(),
                bytes.to_string(),
                total.to_string(),
                elapsed_ns.to_string(),
                path.display().to_string(),
            ],
            Event::Done { path, size, pages, trailing, changed, failed, seconds } => vec![
                "done".into(),
                path.display().to_string(),
                size.to_string(),
                pages.to_string(),
                trailing.to_string(),
                changed.to_string(),
                failed.to_string(),
                seconds.to_string(),
            ],
            Event::Ready { slow } => ["ready".into()].into_iter().chain(slow.clone()).collect(),
            Event::Noted { what } => vec!["noted".into(), what.clone()],
            Event::Failed { why } => vec!["failed".into(), why.clone()],
            Event::Gone { how } => vec!["gone".into(), how.clone()],
        };
        let mut line = fields.iter().map(|field| escape(field)).collect::<Vec<_>>().join("\t");
        line.push('\n');
        line
    }

    /// The event of a line, if it is one.
    pub fn decode(line: &str) -> Option<Event> {
        let fields: Vec<String> = line.trim_end_matches('\n').split('\t').map(unescape).collect();
        let text = |place: usize| fields.get(place).cloned();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        let small = |place: usize| fields.get(place)?.parse::<u32>().ok();
        match fields.first()?.as_str() {
            "taken" => Some(Event::Taken {
                pause_ns: number(1)?,
                cpus: small(2)?,
                smears: text(3).filter(|why| !why.is_empty()).into_iter().collect(),
                pages: number(4)?,
                probe: text(5)?,
                pid: small(6)?,
                comm: text(7)?,
                kind: small(8)?,
            }),
            "writing" => Some(Event::Writing {
                bytes: number(1)?,
                total: number(2)?,
                elapsed_ns: number(3)?,
                path: text(4)?.into(),
            }),
            "done" => Some(Event::Done {
                path: text(1)?.into(),
                size: number(2)?,
                pages: number(3)?,
                trailing: number(4)?,
                changed: number(5)?,
                failed: number(6)?,
                seconds: fields.get(7)?.parse().ok()?,
            }),
            "ready" => Some(Event::Ready { slow: text(1) }),
            "noted" => Some(Event::Noted { what: text(1)? }),
            "failed" => Some(Event::Failed { why: text(1)? }),
            "gone" => Some(Event::Gone { how: text(1)? }),
            _ => None,
        }
    }

    /// The event for a person, as it follows "dtrace: ".
    pub fn line(&self) -> String {
        match self {
            Event::Taken { pause_ns, cpus, smears, pages, probe, pid, comm, kind } => format!(
                "live dump {kind:#x} ({}) at {probe}, pid {pid} ({comm}): {} {} CPU{} for {:.1} ms, {} copied, {}",
                lkd_dump::Kind::from_flags(u64::from(*kind)).map_or("unknown kind", lkd_dump::Kind::name),
                if *cpus > 1 || smears.is_empty() { "froze" } else { "held" },
                cpus,
                if *cpus == 1 { "" } else { "s" },
                *pause_ns as f64 / 1e6,
                bytes(pages * 4096),
                if smears.is_empty() {
                    "consistent".into()
                } else {
                    format!("smeared: {}", smears.join("; "))
                },
            ),
            Event::Writing { bytes: done, total, elapsed_ns, path } => {
                format!("writing {} to {}", how_far(*done, *total, *elapsed_ns), path.display())
            }
            Event::Done { path, size, pages, trailing, changed, failed, seconds } => {
                let mut line = format!(
                    "wrote {} ({} of {}) in {seconds:.1} s",
                    path.display(),
                    bytes(*size),
                    bytes(pages * 4096)
                );
                if *trailing > 0 {
                    line.push_str(&format!("; {trailing} pages were read after the thread went on"));
                }
                if *changed > 0 {
                    line.push_str(&format!("; {changed} pages had changed hands by then and are left out"));
                }
                if *failed > 0 {
                    line.push_str(&format!("; {failed} pages could not be read"));
                }
                line
            }
            Event::Ready { .. } => "armed".into(),
            Event::Noted { what } => what.clone(),
            Event::Failed { why } => format!("no live dump: {why}"),
            Event::Gone { how } => format!("the dump's writer {how}"),
        }
    }
}

/// How far a dump has come: the numbers that change come first, a narrow terminal cuts what is last.
fn how_far(done: u64, total: u64, elapsed_ns: u64) -> String {
    if done == 0 {
        return bytes(total);
    }
    let percent = u128::from(done) * 100 / u128::from(total.max(1));
    let mut text = format!("{percent}%: {} of {}", bytes(done), bytes(total));
    // A rate of the first moments would tell of an empty pipe, not of the disk.
    if elapsed_ns >= 500_000_000 {
        let rate = u128::from(done) * 1_000_000_000 / u128::from(elapsed_ns);
        let left_ns = u128::from(total.saturating_sub(done)) * u128::from(elapsed_ns) / u128::from(done);
        let left = left_ns.div_ceil(1_000_000_000);
        text.push_str(&format!(", {}/s, {} left", bytes(rate as u64), time(left as u64)));
    }
    text
}

/// A time for people, in whole seconds.
fn time(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A length for people.
fn bytes(n: u64) -> String {
    let mb = n as f64 / 1e6;
    if n < 1_000_000 {
        format!("{} kB", n / 1000)
    } else if mb < 1000.0 {
        format!("{mb:.0} MB")
    } else {
        format!("{:.1} GB", mb / 1000.0)
    }
}

fn escape(field: &str) -> String {
    field.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n")
}

fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut chars = field.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('t') => text.push('\t'),
                Some('n') => text.push('\n'),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_survives_its_line() {
        let events = [
            Event::Taken {
                pause_ns: 31_400_000,
                cpus: 1,
                smears: vec!["CPU 3 did not stop; 2 pages could not be read".into()],
                pages: 1000,
                probe: "syscall::lseek:return".into(),
                pid: 4711,
                comm: "a\tb\n\\c".into(),
                kind: 0,
            },
            Event::Writing { bytes: 1, total: 2, elapsed_ns: 3, path: "/a b/c".into() },
            Event::Done {
                path: "/a".into(),
                size: 3,
                pages: 4,
                trailing: 5,
                changed: 7,
                failed: 6,
                seconds: 1.5,
            },
            Event::Ready { slow: None },
            Event::Ready { slow: Some("no".into()) },
            Event::Noted { what: "2 CPUs".into() },
            Event::Failed { why: "no\nspace".into() },
            Event::Gone { how: "was killed by signal 9: no live dump".into() },
        ];
        for event in events {
            let line = event.encode();
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(Event::decode(&line), Some(event));
        }
        assert_eq!(Event::decode("taken\tx"), None);
        assert_eq!(Event::decode(""), None);
    }

    #[test]
    fn progress_tells_bytes_percent_rate_and_time_left() {
        const S: u64 = 1_000_000_000;
        let line = |bytes, total, elapsed_ns| {
            Event::Writing { bytes, total, elapsed_ns, path: "/d/vmcore".into() }.line()
        };
        assert_eq!(line(0, 104_000_000, 0), "writing 104 MB to /d/vmcore");
        assert_eq!(line(52_000_000, 104_000_000, S / 10), "writing 50%: 52 MB of 104 MB to /d/vmcore");
        assert_eq!(
            line(26_000_000, 104_000_000, 2 * S),
            "writing 25%: 26 MB of 104 MB, 13 MB/s, 6 s left to /d/vmcore"
        );
        let day = line(1 << 40, 1 << 41, 90 * 60 * S);
        assert_eq!(day, "writing 50%: 1099.5 GB of 2199.0 GB, 204 MB/s, 1 h 30 min left to /d/vmcore");
        assert!(line(1 << 30, 11 << 30, 12 * S).contains("89 MB/s, 2 min 0 s left"));
        // Numbers that cannot be are no reason to stop a dump.
        for (done, total, elapsed) in [(1, 0, S), (u64::MAX, 1, S), (1, u64::MAX, u64::MAX)] {
            assert!(line(done, total, elapsed).starts_with("writing "));
        }
    }

    #[test]
    fn a_person_reads_what_was_frozen_and_how_well() {
        let taken = |cpus, smears: &[&str]| Event::Taken {
            pause_ns: 31_400_000,
            cpus,
            smears: smears.iter().map(|why| (*why).to_owned()).collect(),
            pages: 25_000,
            probe: "syscall::lseek:return".into(),
            pid: 4711,
            comm: "seeker".into(),
            kind: 0,
        };
        assert_eq!(
            taken(2, &[]).line(),
            "live dump 0x0 (kernel) at syscall::lseek:return, pid 4711 (seeker): froze 2 CPUs for 31.4 ms, 102 MB copied, consistent"
        );
        assert!(taken(1, &[]).line().contains(": froze 1 CPU for "));
        let smeared = taken(1, &["no other CPU was stopped", "500 ms were not enough"]).line();
        assert!(smeared.ends_with(
            ": held 1 CPU for 31.4 ms, 102 MB copied, smeared: no other CPU was stopped; 500 ms were not enough"
        ));
    }
}
