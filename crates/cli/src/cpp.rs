//! `-C`: the script's text through the C preprocessor, as every DTrace does it (`$DTRACE_CPP`, else `cpp`).

use std::fmt;
use std::io::{self, Write};
use std::process::{Command, Stdio};

/// Why the preprocessor gave no text.
#[derive(Debug)]
pub enum CppError {
    /// It could not be started: name and reason.
    Start(String, io::Error),
    /// It ran and refused; its own words follow.
    Refused { file: String, said: String },
}

impl fmt::Display for CppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CppError::Start(name, e) => {
                write!(
                    f,
                    "failed to run the preprocessor '{name}': {} (install cpp, or name another one in DTRACE_CPP)",
                    crate::reason(e)
                )
            }
            CppError::Refused { file, said } => write!(f, "failed to preprocess {file}: {}", said.trim_end()),
        }
    }
}

impl std::error::Error for CppError {}

/// The preprocessed `text` of `file`; `args` are the `-D`, `-U`, `-I`, `-H` of the command line. Line marks (`# 3 "x.h"`) stay
/// in, so that diagnostics name the right file. The second text is what it said although all went well: warnings, and with `-H`
/// the files that it read.
pub fn preprocess(
    program: &str,
    file: &str,
    text: &str,
    args: &[String],
) -> Result<(String, String), CppError> {
    let start = |e| CppError::Start(program.to_string(), e);
    let mut child = Command::new(program)
        .args(["-xc", "-nostdinc", "-D__SUNW_D=1", "-D__SUNW_D_VERSION=0x01001000"])
        .args(args)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    let mut stdin = child.stdin.take();
    // a script may be larger than a pipe, and cpp writes while it reads: one thread feeds, this one drains
    let output = std::thread::scope(|s| {
        s.spawn(move || {
            if let Some(pipe) = stdin.as_mut() {
                // cpp that stops reading has its own reason, which it prints
                let _ = pipe.write_all(text.as_bytes());
            }
            drop(stdin);
        });
        child.wait_with_output()
    })
    .map_err(start)?;
    // it reads from a pipe, and does not know the file's name
    let said = String::from_utf8_lossy(&output.stderr).replace("<stdin>", file);
    if !output.status.success() {
        return Err(CppError::Refused { file: file.to_string(), said });
    }
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_reach_the_text() {
        let (text, said) =
            preprocess("cpp", "x.d", "#warning careful\nBEGIN { exit(STATUS); }\n", &["-DSTATUS=7".into()])
                .unwrap();
        assert!(text.contains("exit(7)"), "{text}");
        assert!(said.starts_with("x.d:1:") && said.contains("careful"), "{said}");
    }

    #[test]
    fn a_missing_preprocessor_is_named() {
        let e = preprocess("no-such-cpp", "x.d", "", &[]).unwrap_err();
        assert!(e.to_string().contains("no-such-cpp") && !e.to_string().contains("os error"), "{e}");
    }

    #[test]
    fn its_refusal_is_passed_on() {
        let e = preprocess("cpp", "x.d", "#error told so\n", &[]).unwrap_err();
        assert!(e.to_string().contains("told so"), "{e}");
    }
}
