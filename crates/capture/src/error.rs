//! Why no dump can be taken: what failed, where, and what to do.

use std::io;

/// Why arming, capturing or checking did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine, kernel or user does not allow it.
    #[error("{what}; {cure}")]
    Refused {
        /// What is missing.
        what: String,
        /// How to get it.
        cure: String,
    },
    /// A call or a file failed.
    #[error("{doing}: {}", plain(.error))]
    Io {
        /// What was being done, and to what.
        doing: String,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The kernel refused the capture engine.
    #[error("the kernel refused the capture engine: {error}{}", last_lines(.log))]
    Engine {
        /// What libbpf said.
        error: String,
        /// Its warnings, the verifier's log among them.
        log: String,
    },
    /// Something about this machine is not as the engine needs it.
    #[error("{0}")]
    Machine(String),
}

impl Error {
    /// An [`Error::Io`].
    pub fn io(doing: impl Into<String>, error: impl Into<io::Error>) -> Error {
        Error::Io { doing: doing.into(), error: error.into() }
    }

    /// An [`Error::Refused`].
    pub fn refused(what: impl Into<String>, cure: impl Into<String>) -> Error {
        Error::Refused { what: what.into(), cure: cure.into() }
    }
}

/// What the system said, without its number for it.
pub fn plain(error: &impl ToString) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) if text.ends_with(')') => text.get(..at).unwrap_or(&text).to_owned(),
        _ => text,
    }
}

/// The end of a log, where the reason stands.
fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(6);
    lines.iter().skip(from).map(|line| format!("\n  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_words_not_numbers() {
        let error = Error::io("writing /a", io::Error::from_raw_os_error(28));
        assert_eq!(error.to_string(), "writing /a: No space left on device");
        assert_eq!(plain(&"a (os error 2) b"), "a (os error 2) b");
    }

    #[test]
    fn a_refused_engine_shows_the_end_of_the_log() {
        let log = (0..9).map(|line| format!("{line}\n\n")).collect();
        let text = Error::Engine { error: "no".into(), log }.to_string();
        assert_eq!(text, "the kernel refused the capture engine: no\n  3\n  4\n  5\n  6\n  7\n  8");
    }
}
