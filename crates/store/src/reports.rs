//! Reports: a directory each, with the dump and what is to be said of it, seen whole or not at all.
//!
//! ```text
//! LiveKernelReports/                        the root, 0700
//!     DTRACE-20261122-153012/               a full dump: vmcore, report.json
//!     DTRACE/DTRACE-20261122-161500/        a minidump
//!     .DTRACE-20261122-170210.incomplete/   one that is being written, or that a killed writer has left
//! ```

mod draft;
mod list;
mod name;
mod record;
mod remove;
mod root;

pub use draft::Draft;
pub use list::{Listed, find, full_reports, list};
pub use name::{Name, is_component};
pub use record::{BadRecord, Cpus, Kernel, Pages, Record, Sizes, Throttled, Times, Trigger};
pub use remove::remove;
pub use root::{Ready, prepare};

/// The dump's name in its report.
pub const DUMP: &str = "vmcore";

/// What is said of it.
pub const RECORD: &str = "report.json";

/// Why a directory cannot have reports, or a report cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It must not be so.
    #[error("{what}; {cure}")]
    Refused {
        /// What is wrong.
        what: String,
        /// How to set it right.
        cure: String,
    },
    /// A call failed.
    #[error("{doing}: {}", crate::text::plain(.error))]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
}

impl Error {
    fn refused(what: impl Into<String>, cure: impl Into<String>) -> Error {
        Error::Refused { what: what.into(), cure: cure.into() }
    }

    fn io(doing: impl Into<String>, error: impl Into<std::io::Error>) -> Error {
        Error::Io { doing: doing.into(), error: error.into() }
    }
}
