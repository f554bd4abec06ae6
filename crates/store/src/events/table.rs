//! Which events there are: Windows' numbers, channels, texts and fields, for what happens here.
//!
//! Provider Microsoft-Windows-Kernel-LiveDump. Where its manifest is published, text and fields are its; the workflows'
//! details (117 and up, 158 and up) have texts of ours in its manner. Numbers for things that do not happen here (mirroring's phases,
//! callbacks of drivers, the hypervisor's own pages) are not used for something else.

/// The provider's name, as Windows' tools write it before the channel's.
pub const PROVIDER: &str = "Microsoft-Windows-Kernel-LiveDump";

/// Where an event goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// What a person should know; on unless switched off.
    Operational,
    /// Each step; off until switched on.
    Analytic,
}

/// How much an event matters. Windows calls all of them informational; ours that are failures say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it was asked for.
    Warning,
    /// Something happened.
    Information,
}

/// An event as it is known before it happens.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its number.
    pub id: u16,
    /// Where it goes.
    pub channel: Channel,
    /// What is being done.
    pub task: &'static str,
    /// At which point of it.
    pub opcode: &'static str,
    /// What is said; `%1` is the first field.
    pub text: &'static str,
    /// The names of its fields, in order.
    pub fields: &'static [&'static str],
}

macro_rules! events {
    ($($constant:ident = $id:literal $channel:ident $task:literal $opcode:literal $text:literal [$($field:literal),*];)*) => {
        $(#[doc = $text] pub const $constant: Kind = Kind {
            id: $id, channel: Channel::$channel, task: $task, opcode: $opcode, text: $text, fields: &[$($field),*],
        };)*
        /// All of them, by number.
        pub const ALL: &[Kind] = &[$($constant),*];
    };
}

events! {
    CAPTURE_STARTED = 1 Analytic "CaptureDumpDataAPI" "APIStart"
        "Live Dump Capture Dump Data API started." ["ControlFlags", "AddPagesControl"];
    CAPTURE_ENDED = 2 Operational "CaptureDumpDataAPI" "APIEnd"
        "Live Dump Capture Dump Data API ended. NT Status: %1."
        ["NTStatus", "BugcheckCode", "BugcheckParameter1", "BugcheckParameter2", "BugcheckParameter3", "BugcheckParameter4", "DumpCaptureDuration_ms", "AvailablePhysicalMemoryInBytes", "TotalPhysicalMemoryInBytes"];
    WRITE_STARTED = 3 Operational "CaptureDumpDataAPI" "DumpFileWriteStart"
        "Writing dump file started." [];
    WRITE_ENDED = 4 Operational "CaptureDumpDataAPI" "DumpFileWriteEnd"
        "Writing dump file ended. NT Status: %1. Total %2 bytes (Header|Primary|Secondary: %3|%4|%5 bytes)."
        ["NTStatus", "TotalBytes", "HeaderBytes", "PrimaryDataBytes", "SecondaryDataBytes", "DumpWriteDuration_ms"];
    MEMORY_PRESSURE = 5 Analytic "CaptureDumpDataAPI" "APIEnd"
        "Live Dump request aborted due to memory pressure on system." ["RequiredBytes", "AllowedBytes"];
    GENERIC = 6 Operational "LiveDump" "Info"
        "%1" ["Description"];
    SIZING_STARTED = 101 Operational "SizingWorkflow" "MirroringStart"
        "Sizing Workflow: Mirroring started." [];
    SIZING_ESTIMATION = 106 Operational "SizingWorkflow" "BufferEstimationData"
        "Sizing Workflow: Estimation. NT: %2 bytes (Minimum %1 bytes). Hypervisor: Primary %3 bytes. Secondary %4 bytes."
        ["NtEstimatedRequiredPrimaryDataBytes", "NtEstimatedPrimaryDataBytes", "HvEstimatedPrimaryDataBytes", "HvEstimatedSecondaryDataBytes"];
    SIZING_ALLOCATION = 107 Operational "SizingWorkflow" "BufferAllocationData"
        "Sizing Workflow: Allocation. NT: %1 bytes. Hypervisor: Primary %2 bytes. Secondary %3 bytes."
        ["NtPrimaryDataBytes", "HvPrimaryDataBytes", "HvSecondaryDataBytes"];
    SIZING_BITMAP = 120 Analytic "SizingWorkflow" "PopulateBitmapForDump"
        "Sizing Workflow: Pages of the dump found in %1 ms." ["PopulateBitmapForDumpDuration_ms"];
    CAPTURE_BEGUN = 151 Operational "CapturePagesWorkflow" "MirroringStart"
        "Capture Pages Workflow: Mirroring started." [];
    QUIESCE_STARTED = 154 Operational "CapturePagesWorkflow" "SystemQuiesceStart"
        "Capture Pages Workflow: System Quiesce started." [];
    QUIESCE_ENDED = 155 Operational "CapturePagesWorkflow" "SystemQuiesceEnd"
        "Capture Pages Workflow: System Quiesce ended." ["SystemQuiescedDuration_ms", "ProcessorsStopped"];
    COPY_STARTED = 156 Operational "CapturePagesWorkflow" "CopyingMemoryPagesStart"
        "Capture Pages Workflow: Copy memory pages started." [];
    COPY_ENDED = 157 Operational "CapturePagesWorkflow" "CopyingMemoryPagesEnd"
        "Capture Pages Workflow: Copy memory pages ended." ["PagesCopied", "Consistent"];
    CAPTURE_BITMAP = 161 Analytic "CapturePagesWorkflow" "PopulateBitmapForDump"
        "Capture Pages Workflow: Pages of the dump found in %1 ms." ["PopulateBitmapForDumpDuration_ms"];
    CORRAL = 165 Analytic "CapturePagesWorkflow" "CorralProcessors"
        "Capture Pages Workflow: Processors stopped in %1 ms." ["CorralDuration_ms"];
    UNCORRAL = 166 Analytic "CapturePagesWorkflow" "UncorralProcessors"
        "Capture Pages Workflow: Processors let go in %1 ms." ["UncorralDuration_ms"];
    MEMORY_PAGES = 167 Analytic "CapturePagesWorkflow" "CaptureMemoryPages"
        "Capture Pages Workflow: Memory captured in %1 ms, the system stood still for %2 ms."
        ["MemoryCaptureDuration_ms", "SystemQuiescedDuration_ms"];
    DEFERRED_STARTED = 201 Operational "WriteDeferredDumpDataAPI" "APIStart"
        "Live Dump Write Deferred Dump Data API started." [];
    DEFERRED_ENDED = 202 Operational "WriteDeferredDumpDataAPI" "APIEnd"
        "Live Dump Write Deferred Dump Data API ended. NT Status: %1." ["NTStatus"];
    DEFERRED_WRITE_STARTED = 203 Operational "WriteDeferredDumpDataAPI" "DumpFileWriteStart"
        "Writing deferred dump data to file started." ["Path"];
    DEFERRED_WRITE_ENDED = 204 Operational "WriteDeferredDumpDataAPI" "DumpFileWriteEnd"
        "Writing deferred dump data to file ended. NT Status: %1. Total %2 bytes (Header|Primary|Secondary: %3|%4|%5 bytes)."
        ["NTStatus", "TotalBytes", "HeaderBytes", "PrimaryDataBytes", "SecondaryDataBytes", "DumpWriteDuration_ms"];
    DISCARD_STARTED = 251 Operational "DiscardDeferredDumpDataAPI" "APIStart"
        "Live Dump Discard Deferred Dump Data API started." ["Reason"];
    DISCARD_ENDED = 252 Operational "DiscardDeferredDumpDataAPI" "APIEnd"
        "Live Dump Discard Deferred Dump Data API ended. NT Status: %1." ["NTStatus"];
    POLICY_FAILED = 271 Operational "LiveDumpPolicy" "Info"
        "Live dump policy: operation %1 failed." ["OperationType"];
    POLICY_CHANGED = 272 Operational "LiveDumpPolicy" "Info"
        "Live dump policy: %1 is %2." ["PolicyName", "PolicyValue", "NTStatus"];
    POLICY_DISABLED = 273 Operational "LiveDumpPolicy" "Info"
        "Live dump policy: live dumps are disabled." ["PolicyValue"];
}

/// The event of a number.
pub fn find(id: u16) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.id == id)
}

impl Channel {
    /// Both.
    pub const ALL: [Channel; 2] = [Channel::Operational, Channel::Analytic];

    /// Its name without the provider's.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Operational => "Operational",
            Channel::Analytic => "Analytic",
        }
    }

    /// The channel of a name: `Microsoft-Windows-Kernel-LiveDump/Analytic`, or its last word, whatever the case.
    pub fn named(name: &str) -> Option<Channel> {
        let last = match name.split_once('/') {
            Some((provider, last)) if provider.eq_ignore_ascii_case(PROVIDER) => last,
            Some(_) => return None,
            None => name,
        };
        Self::ALL.into_iter().find(|channel| channel.name().eq_ignore_ascii_case(last))
    }
}

impl Level {
    /// Its name, as Windows' tools write it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "Error",
            Level::Warning => "Warning",
            Level::Information => "Information",
        }
    }

    /// The level of a name, whatever its case.
    pub fn named(name: &str) -> Option<Level> {
        let all = [Level::Error, Level::Warning, Level::Information];
        all.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// Syslog's number for it.
    pub fn priority(self) -> u8 {
        match self {
            Level::Error => 3,
            Level::Warning => 4,
            Level::Information => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_texts_name_fields_that_there_are() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
        for kind in ALL {
            for part in kind.text.split('%').skip(1) {
                let number: usize = part
                    .chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>()
                    .parse()
                    .expect("a number");
                assert!((1..=kind.fields.len()).contains(&number), "{}", kind.id);
            }
        }
    }

    #[test]
    fn channels_are_named_as_the_seed_names_them() {
        assert_eq!(Channel::named("Microsoft-Windows-Kernel-LiveDump/Analytic"), Some(Channel::Analytic));
        assert_eq!(Channel::named("operational"), Some(Channel::Operational));
        assert_eq!(Channel::named("Application/Analytic"), None);
    }
}
