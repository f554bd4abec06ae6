//! The D texts of a command line: files read, the preprocessor run, everything in one list of sources.

use crate::cpp;
use crate::flags::{Args, Request, RequestKind};
use lkd_dlang::source::{Source, SourceKind, Sources};
use std::io::Read;

/// One request and its text's index in the sources.
#[derive(Clone, Debug)]
pub struct Input {
    pub request: Request,
    pub file: u16,
}

impl Input {
    /// How DTrace speaks of it: `script 'x.d'`, `description 'BEGIN'`.
    pub fn spoken(&self) -> String {
        match self.request.kind {
            RequestKind::Script => format!("script '{}'", shown(&self.request.text)),
            // only the probe is named, not what is done there
            _ => format!(
                "description '{}'",
                shown(self.request.text.split(['/', '{', ';']).next().unwrap_or_default())
            ),
        }
    }

    /// What stands before a compiler message.
    pub fn failed(&self) -> String {
        match self.request.kind {
            RequestKind::Script => format!("failed to compile script {}", shown(&self.request.text)),
            _ => format!("invalid probe specifier {}", shown(&self.request.text)),
        }
    }
}

/// The text of a request as a message may show it.
fn shown(text: &str) -> String {
    lkd_dlang::diag::clean(text.as_bytes())
}

/// Reads everything that is to be compiled. `cpp` says which preprocessor `-C` runs.
///
/// # Errors
/// A sentence: which file could not be read and why, or what the preprocessor said.
pub fn read(args: &Args, preprocessor: &str) -> Result<(Sources, Vec<Input>), String> {
    let mut sources = Sources::new();
    let mut inputs = Vec::new();
    for request in &args.requests {
        let (kind, text) = match request.kind {
            RequestKind::Script => (SourceKind::File, script(&request.text)?),
            _ => (SourceKind::CommandLine, request.text.clone().into_bytes()),
        };
        let text = if args.cpp && request.kind == RequestKind::Script {
            cpp::preprocess(preprocessor, &request.text, &String::from_utf8_lossy(&text), &args.cpp_args)
                .map_err(|e| e.to_string())?
                .into_bytes()
        } else {
            text
        };
        let file = sources.add(Source::new(request.text.clone(), kind, text));
        inputs.push(Input { request: request.clone(), file });
    }
    Ok((sources, inputs))
}

fn script(path: &str) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let done = if path == "-" {
        std::io::stdin().read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut f| f.read_to_end(&mut text))
    };
    match done {
        Ok(_) => Ok(text),
        Err(e) => Err(format!("failed to open {}: {}", shown(path), crate::reason(&e))),
    }
}
