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
    /// The file grows.
    Writing {
        /// Bytes of memory written so far, before compression.
        bytes: u64,
        /// Bytes of memory in all.
        total: u64,
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
    /// The writer has ended.
    Gone,
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
            Event::Writing { bytes, total, path } => {
                vec!["writing".into(), bytes.to_string(), total.to_string(), path.display().to_string()]
            }
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
            Event::Failed { why } => vec!["failed".into(), why.clone()],
            Event::Gone => vec!["gone".into()],
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
            "writing" => Some(Event::Writing { bytes: number(1)?, total: number(2)?, path: text(3)?.into() }),
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
            "failed" => Some(Event::Failed { why: text(1)? }),
            "gone" => Some(Event::Gone),
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
            Event::Writing { bytes: done, total, path } => format!(
                "writing {} ({} of {}, {}%) ...",
                path.display(),
                bytes(*done),
                bytes(*total),
                done * 100 / (*total).max(1)
            ),
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
            Event::Failed { why } => format!("no live dump: {why}"),
            Event::Gone => "the dump's writer was killed: no live dump".into(),
        }
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
            Event::Writing { bytes: 1, total: 2, path: "/a b/c".into() },
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
            Event::Failed { why: "no\nspace".into() },
            Event::Gone,
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
