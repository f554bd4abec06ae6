//! Every setting that there is: name, shape, default, and what it means. Help, man page and checks come from here.

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `REG_DWORD`: a whole number from the first to the second.
    Number(u32, u32),
    /// `REG_SZ`: one of these words.
    Word(&'static [&'static str]),
    /// `REG_SZ`: an absolute path.
    Path,
    /// `REG_MULTI_SZ`: absolute paths.
    Paths,
}

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The tables that it is in and its own name, joined by dots: `CrashControl.AlwaysKeepMemoryDump`.
    pub key: &'static str,
    /// What its value may be.
    pub shape: Shape,
    /// What holds where nobody says otherwise, as it would be written in a file.
    pub default: &'static str,
    /// What its number counts; empty where it counts nothing.
    pub unit: &'static str,
    /// What it does, in a sentence or two.
    pub about: &'static str,
}

macro_rules! settings {
    ($($constant:ident = $key:literal, $shape:expr, $default:literal, $unit:literal, $about:literal;)*) => {
        $(#[doc = $about] pub const $constant: Entry = Entry { key: $key, shape: $shape, default: $default, unit: $unit, about: $about };)*
        /// All settings, by key.
        pub const ALL: &[Entry] = &[$($constant),*];
    };
}

/// 0 or 1; a file may say `false` and `true`.
pub const SWITCH: Shape = Shape::Number(0, 1);
const ANY: Shape = Shape::Number(0, u32::MAX);

settings! {
    ALWAYS_KEEP_MEMORY_DUMP = "CrashControl.AlwaysKeepMemoryDump", SWITCH, "0", "",
        "0: a full dump that would leave less room than MemoryDumpFreeSpace and MemoryDumpFreePercent say is taken as a minidump. 1: it is taken and kept.";
    DUMPS_DISABLED = "CrashControl.DumpsDisabled", SWITCH, "0", "",
        "1: no live dump is taken, by nobody.";
    SYSTEM_THROTTLE_THRESHOLD = "CrashControl.FullLiveKernelReports.SystemThrottleThreshold", ANY, "120", "hours",
        "The least time between two full dumps of this machine. 0: none; 4294967295: one dump for ever.";
    COMPONENT_THROTTLE_THRESHOLD = "CrashControl.FullLiveKernelReports.ComponentThrottleThreshold", ANY, "168", "hours",
        "The least time between two full dumps of one component (lkd() is DTRACE's). The system's holds too, where it is longer.";
    FULL_LIVE_REPORTS_MAX = "CrashControl.FullLiveKernelReports.FullLiveReportsMax", ANY, "1", "reports",
        "How many full dumps there may be on the disk at any time. 0: no full dumps.";
    FULL_LIVE_REPORTS_POLICY = "CrashControl.FullLiveKernelReports.FullLiveReportsPolicy", Shape::Word(&["keep-first", "keep-last"]), "keep-first", "",
        "When there are as many as FullLiveReportsMax: keep-first makes the next one a minidump, keep-last removes the oldest.";
    LIVE_KERNEL_REPORTS_PATH = "CrashControl.LiveKernelReports.LiveKernelReportsPath", Shape::Path, "/var/lib/lkd/LiveKernelReports", "",
        "The directory of all reports. lkd makes it.";
    FURTHER_PATHS = "CrashControl.LiveKernelReports.FurtherPaths", Shape::Paths, "[]", "",
        "Directories that are tried in turn when a dump does not fit into LiveKernelReportsPath.";
    DEFERRED_WRITE_TIMEOUT = "CrashControl.LiveKernelReports.DeferredWriteTimeout", ANY, "1440", "minutes",
        "How long a dump that fits nowhere is kept in memory before it is discarded. 0: it is discarded at once.";
    DELETE_LIVE_MINI_DUMPS = "CrashControl.LiveKernelReports.DeleteLiveMiniDumps", SWITCH, "0", "",
        "1: a minidump is deleted when the hooks have run.";
    MEMORY_DUMP_FREE_SPACE = "CrashControl.MemoryDumpFreeSpace", ANY, "25", "GB",
        "What a full dump must leave free on its file system, unless AlwaysKeepMemoryDump is 1.";
    MEMORY_DUMP_FREE_PERCENT = "CrashControl.MemoryDumpFreePercent", Shape::Number(0, 100), "10", "%",
        "The same as a part of the file system.";
    HOOKS_PATH = "CrashControl.LiveKernelReports.HooksPath", Shape::Path, "/etc/lkd/hooks.d", "",
        "The programs in this directory are run, in order of name, when a report is there.";
    HOOK_TIMEOUT = "CrashControl.LiveKernelReports.HookTimeout", Shape::Number(1, 86_400), "60", "seconds",
        "How long a hook may run before it is killed.";
    OPERATIONAL_ENABLED = "EventLog.Operational.Enabled", SWITCH, "1", "",
        "1: events of the Operational channel are logged.";
    OPERATIONAL_MAX_SIZE = "EventLog.Operational.MaxSize", Shape::Number(65_536, u32::MAX), "20971520", "bytes",
        "How large the Operational channel's files may become together; the oldest events go first.";
    ANALYTIC_ENABLED = "EventLog.Analytic.Enabled", SWITCH, "0", "",
        "1: events of the Analytic channel are logged: each step of a dump, with its duration.";
    ANALYTIC_MAX_SIZE = "EventLog.Analytic.MaxSize", Shape::Number(65_536, u32::MAX), "20971520", "bytes",
        "The same as Operational's, for the Analytic channel.";
    JOURNAL = "EventLog.Journal", SWITCH, "1", "",
        "1: events go to the systemd journal, too, where its socket is there.";
}

/// The setting of a key, whatever its case.
pub fn find(key: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.key.eq_ignore_ascii_case(key))
}

/// Whether some setting is below this key.
pub fn is_table(key: &str) -> bool {
    ALL.iter().any(|entry| {
        let below = entry.key.get(key.len()..).is_some_and(|rest| rest.starts_with('.'));
        below && entry.key.get(..key.len()).is_some_and(|head| head.eq_ignore_ascii_case(key))
    })
}

/// The setting that a person means who writes a key, or only its last name where no other setting has that.
///
/// # Errors
/// There is none: a sentence with the nearest.
pub fn meant(key: &str) -> Result<&'static Entry, String> {
    let by_name = || {
        let mut named = ALL.iter().filter(|entry| entry.name().eq_ignore_ascii_case(key));
        named.next().filter(|_| named.next().is_none())
    };
    find(key).or_else(by_name).ok_or_else(|| unknown(key))
}

/// What is said of a key that there is not.
pub fn unknown(key: &str) -> String {
    let shown = key.escape_debug();
    if is_table(key) {
        return format!("'{shown}' is a table, not a value");
    }
    let lower = key.to_ascii_lowercase();
    let last = lower.rsplit('.').next().unwrap_or(&lower);
    let likeness = |entry: &Entry| {
        let whole = strsim::jaro_winkler(&lower, &entry.key.to_ascii_lowercase());
        whole.max(strsim::jaro_winkler(last, &entry.name().to_ascii_lowercase()))
    };
    let nearest = ALL.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match nearest.filter(|entry| likeness(entry) > 0.8) {
        Some(entry) => format!("there is no setting '{shown}': did you mean {}?", entry.key),
        None => format!("there is no setting '{shown}': lkd config list shows all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value() {
        for entry in ALL {
            let value = match entry.shape {
                Shape::Paths => entry.parse(""),
                _ => entry.parse(entry.default),
            };
            assert_eq!(value, Ok(entry.default_value()), "{}", entry.key);
            assert!(!is_table(entry.key) && find(&entry.key.to_ascii_uppercase()).is_some());
            assert!(meant(entry.key).is_ok_and(|found| found.key == entry.key));
        }
    }

    #[test]
    fn a_slip_is_set_right() {
        let told = unknown("CrashControl.FullLiveKernelReports.SystemThrotleThreshold");
        assert!(
            told.ends_with("did you mean CrashControl.FullLiveKernelReports.SystemThrottleThreshold?"),
            "{told}"
        );
        assert!(unknown("DumpDisabled").ends_with("did you mean CrashControl.DumpsDisabled?"));
        assert!(unknown("zzz").contains("lkd config list"));
        assert!(unknown("crashcontrol").contains("is a table"));
        assert_eq!(unknown("a\nb"), "there is no setting 'a\\nb': lkd config list shows all");
        assert_eq!(meant("dumpsdisabled").map(|entry| entry.key), Ok("CrashControl.DumpsDisabled"));
        // two channels have it
        assert!(meant("MaxSize").is_err());
    }
}
