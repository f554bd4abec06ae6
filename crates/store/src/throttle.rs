//! Whether a full dump may be taken now, and what instead.
//!
//! "Full" is every kind but the minidump. What forbids one never forbids the evidence: a minidump is taken then, and told why, until
//! when, and how to lift it. Pure: settings, what is remembered and what the clocks say go in, a decision comes out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::{Settings, table};
use crate::time::Moment;

/// A threshold that is never over.
const FOR_EVER: u32 = u32::MAX;

/// Both clocks: the one that people see, which may jump, and the one that only goes on, from this boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clocks {
    /// The realtime clock.
    pub time: Moment,
    /// `/proc/sys/kernel/random/boot_id`
    pub boot: String,
    /// Seconds of CLOCK_BOOTTIME, which counts sleep as well.
    pub uptime: u64,
}

/// When full dumps were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The last one of this machine (`LastFullLiveReport`).
    #[serde(default)]
    pub last: Option<Clocks>,
    /// The last one of each component.
    #[serde(default)]
    pub components: BTreeMap<String, Clocks>,
}

/// What is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Full reports in the store.
    pub full_reports: u32,
    /// Bytes that may be written.
    pub free: u64,
    /// Bytes that the file system has.
    pub size: u64,
    /// Bytes that the dump will have, about.
    pub needed: u64,
}

/// What may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A full dump.
    Full,
    /// A full dump, when the oldest report is gone.
    Replacing,
    /// A minidump.
    Mini(Reason),
    /// Nothing.
    Nothing,
}

/// Why a full dump may not be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The last one was too short a time ago.
    TooSoon {
        /// Whose threshold it is.
        of: Whose,
        /// When the last one was.
        last: Moment,
        /// When the next one may be; `None`: never.
        next: Option<Moment>,
    },
    /// There are as many as there may be.
    Enough {
        /// How many.
        most: u32,
    },
    /// It would leave too little room.
    NoRoom {
        /// Bytes that it would leave.
        left: u64,
        /// Bytes that must be left.
        least: u64,
    },
}

/// Whose threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The machine's.
    System,
    /// The component's.
    Component,
}

impl Clocks {
    /// Seconds from `last` until now. A clock that was set back tells nothing: then it was just now.
    fn since(&self, last: &Clocks) -> u64 {
        if self.boot == last.boot {
            return self.uptime.saturating_sub(last.uptime);
        }
        u64::try_from(last.time.seconds_to(self.time)).unwrap_or(0)
    }
}

impl Past {
    /// Remembers a full dump.
    pub fn note(&mut self, component: &str, now: &Clocks) {
        self.last = Some(now.clone());
        self.components.insert(component.to_owned(), now.clone());
    }

    /// After a clock was set back: what lies in the future was now. Else a year's jump would forbid full dumps for a year. True if there
    /// was such a thing.
    pub fn mend(&mut self, now: &Clocks) -> bool {
        let mut mended = false;
        for then in self.last.iter_mut().chain(self.components.values_mut()) {
            if then.boot != now.boot && then.time > now.time {
                *then = now.clone();
                mended = true;
            }
        }
        mended
    }
}

/// Whether `last` forbids a full dump for a threshold of so many hours.
fn too_soon(of: Whose, hours: u32, last: Option<&Clocks>, now: &Clocks) -> Option<Reason> {
    let last = last.filter(|_| hours > 0)?;
    let (gone, wanted) = (now.since(last), u64::from(hours) * 3600);
    if hours == FOR_EVER {
        return Some(Reason::TooSoon { of, last: last.time, next: None });
    }
    let left = wanted.checked_sub(gone).filter(|left| *left > 0)?;
    Some(Reason::TooSoon { of, last: last.time, next: Some(now.time.after(left)) })
}

/// What `component` may take now.
pub fn decide(settings: &Settings, past: &Past, now: &Clocks, component: &str, disk: &Disk) -> Verdict {
    if settings.on(&table::DUMPS_DISABLED) {
        return Verdict::Nothing;
    }
    let system = settings.number(&table::SYSTEM_THROTTLE_THRESHOLD);
    let own = settings.number(&table::COMPONENT_THROTTLE_THRESHOLD);
    let soon = too_soon(Whose::Component, own, past.components.get(component), now)
        .or_else(|| too_soon(Whose::System, system, past.last.as_ref(), now));
    if let Some(reason) = soon {
        return Verdict::Mini(reason);
    }
    let most = settings.number(&table::FULL_LIVE_REPORTS_MAX);
    let keeps_last = settings.text(&table::FULL_LIVE_REPORTS_POLICY) == "keep-last";
    let enough = disk.full_reports >= most;
    if enough && (most == 0 || !keeps_last) {
        return Verdict::Mini(Reason::Enough { most });
    }
    if !settings.on(&table::ALWAYS_KEEP_MEMORY_DUMP) {
        let part = disk.size / 100 * u64::from(settings.number(&table::MEMORY_DUMP_FREE_PERCENT));
        let least = part.max(u64::from(settings.number(&table::MEMORY_DUMP_FREE_SPACE)) << 30);
        let left = disk.free.saturating_sub(disk.needed);
        if left < least {
            return Verdict::Mini(Reason::NoRoom { left, least });
        }
    }
    if enough { Verdict::Replacing } else { Verdict::Full }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gb = |bytes: &u64| *bytes as f64 / f64::from(1 << 30);
        match self {
            Reason::TooSoon { of, last, next } => {
                let (whose, entry) = match of {
                    Whose::System => ("this machine's", &table::SYSTEM_THROTTLE_THRESHOLD),
                    Whose::Component => ("this component's", &table::COMPONENT_THROTTLE_THRESHOLD),
                };
                write!(f, "{whose} last full dump was at {}, ", last.local())?;
                match next {
                    Some(next) => write!(f, "the next may be at {}", next.local())?,
                    None => f.write_str("and one is all that there may be")?,
                }
                write!(f, "; lkd config set {} 0 lifts this", entry.key)
            }
            Reason::Enough { most: 0 } => {
                write!(
                    f,
                    "full dumps are switched off; lkd config set {} 1 allows one",
                    table::FULL_LIVE_REPORTS_MAX.key
                )
            }
            Reason::Enough { most } => write!(
                f,
                "there may be {most} full reports, and there are; lkd rm removes one, lkd config set {} {} allows another",
                table::FULL_LIVE_REPORTS_MAX.key,
                most.saturating_add(1)
            ),
            Reason::NoRoom { left, least } => write!(
                f,
                "it would leave {:.1} GB free of the {:.1} GB that must be; lkd config set {} 1 takes it all the same",
                gb(left),
                gb(least),
                table::ALWAYS_KEEP_MEMORY_DUMP.key
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn clocks(boot: &str, hour: u64, uptime: u64) -> Clocks {
        let time = Moment::of_ns((1_000_000 + hour) * HOUR * 1_000_000_000);
        Clocks { time, boot: boot.into(), uptime: uptime * HOUR }
    }

    fn roomy() -> Disk {
        Disk { full_reports: 0, free: 500 << 30, size: 1000 << 30, needed: 1 << 30 }
    }

    fn settings(lines: &str) -> Settings {
        let dir = std::env::temp_dir().join(format!("lkd-throttle-{}-{:p}", std::process::id(), lines));
        std::fs::create_dir_all(&dir).expect("a directory");
        let file = dir.join("lkd.toml");
        std::fs::write(&file, lines).expect("a file");
        let read = Settings::read(&crate::settings::Files::at(&file)).expect("settings");
        let _ = std::fs::remove_dir_all(dir);
        read
    }

    #[test]
    fn hours_are_counted_by_the_clock_that_does_not_jump() {
        let mut past = Past::default();
        let default = Settings::default();
        let decided = |past: &Past, now| decide(&default, past, &now, "DTRACE", &roomy());
        assert_eq!(decided(&past, clocks("a", 0, 1)), Verdict::Full);
        past.note("DTRACE", &clocks("a", 0, 1));
        // set forward by a year in the same boot
        let Verdict::Mini(Reason::TooSoon { of, next: Some(next), .. }) =
            decided(&past, clocks("a", 8760, 2))
        else {
            panic!("not throttled");
        };
        assert_eq!((of, clocks("a", 8760, 2).time.seconds_to(next)), (Whose::Component, 167 * HOUR as i64));
        assert_eq!(decided(&past, clocks("a", 0, 169)), Verdict::Full);
        // another component's dump counts for the machine alone
        let other = decide(&default, &past, &clocks("a", 0, 100), "OTHER", &roomy());
        assert!(matches!(other, Verdict::Mini(Reason::TooSoon { of: Whose::System, .. })));
        assert_eq!(decide(&default, &past, &clocks("a", 0, 121), "OTHER", &roomy()), Verdict::Full);
        // set back by a year, and booted again
        let mut back = past.clone();
        assert!(!back.mend(&clocks("b", 0, 0)) && clocks("b", 0, 0).time >= past.components["DTRACE"].time);
        past.note("DTRACE", &clocks("a", 8760, 2));
        assert!(past.mend(&clocks("b", 0, 0)));
        assert!(matches!(decided(&past, clocks("b", 167, 167)), Verdict::Mini(_)));
        assert_eq!(decided(&past, clocks("b", 168, 168)), Verdict::Full);
    }

    #[test]
    fn the_seeds_two_lines_lift_the_throttle() {
        let mut past = Past::default();
        past.note("DTRACE", &clocks("a", 0, 1));
        let lifted = settings(
            "[CrashControl.FullLiveKernelReports]\nSystemThrottleThreshold = 0\nComponentThrottleThreshold = 0\n",
        );
        assert_eq!(decide(&lifted, &past, &clocks("a", 0, 1), "DTRACE", &roomy()), Verdict::Full);
        let once =
            settings("[CrashControl.FullLiveKernelReports]\nComponentThrottleThreshold = 4294967295\n");
        let decided = decide(&once, &past, &clocks("a", 0, 1 << 40), "DTRACE", &roomy());
        assert!(matches!(decided, Verdict::Mini(Reason::TooSoon { next: None, .. })), "{decided:?}");
    }

    #[test]
    fn so_many_and_so_much_room() {
        let now = clocks("a", 0, 1);
        let decided =
            |lines: &str, disk: Disk| decide(&settings(lines), &Past::default(), &now, "DTRACE", &disk);
        let one = Disk { full_reports: 1, ..roomy() };
        assert_eq!(decided("", one), Verdict::Mini(Reason::Enough { most: 1 }));
        let ten = "CrashControl.FullLiveKernelReports.FullLiveReportsMax = 10";
        assert_eq!(decided(ten, one), Verdict::Full);
        let last = "CrashControl.FullLiveKernelReports.FullLiveReportsPolicy = 'keep-last'";
        assert_eq!(decided(last, one), Verdict::Replacing);
        let none = format!("{last}\nCrashControl.FullLiveKernelReports.FullLiveReportsMax = 0");
        assert_eq!(decided(&none, roomy()), Verdict::Mini(Reason::Enough { most: 0 }));
        let small = Disk { free: 25 << 30, size: 100 << 30, ..roomy() };
        assert_eq!(decided("", small), Verdict::Mini(Reason::NoRoom { left: 24 << 30, least: 25 << 30 }));
        assert_eq!(decided("CrashControl.AlwaysKeepMemoryDump = 1", small), Verdict::Full);
        assert_eq!(decided("CrashControl.DumpsDisabled = 1", roomy()), Verdict::Nothing);
    }

    #[test]
    fn reasons_say_how_to_lift_them() {
        let reasons = [
            Reason::TooSoon { of: Whose::System, last: Moment::of_ns(0), next: None },
            Reason::Enough { most: 0 },
            Reason::Enough { most: u32::MAX },
            Reason::NoRoom { left: 1, least: 2 },
        ];
        assert!(reasons.iter().all(|reason| reason.to_string().contains("lkd config set CrashControl.")));
    }
}
