//! The D texts of a command line: files read, the preprocessor run, everything in one list of sources.

use crate::cpp;
use crate::flags::{Args, Request, RequestKind};
use lkd_dlang::options::{Opt, Options};
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

/// The preprocessor of this run: `-C` and the letters that go with it, or their `-x` forms. `None`: the text is read as it is.
pub struct Preprocessor {
    pub program: String,
    pub args: Vec<String>,
}

impl Preprocessor {
    /// `named` is what the environment calls it.
    pub fn of(args: &Args, options: &Options, named: Option<String>) -> Option<Preprocessor> {
        if !args.cpp && !options.flag(Opt::Cpp) {
            return None;
        }
        let letters = [(Opt::Define, "-D"), (Opt::Undef, "-U"), (Opt::Incdir, "-I")];
        let mut all = args.cpp_args.clone();
        all.extend(
            letters.iter().filter_map(|(opt, letter)| Some(format!("{letter}{}", options.text(*opt)?))),
        );
        if options.flag(Opt::Cpphdrs) {
            all.push("-H".into());
        }
        Some(Preprocessor {
            program: options.text(Opt::Cpppath).or(named).unwrap_or("cpp".into()),
            args: all,
        })
    }
}

/// Reads everything that is to be compiled. The last text is what the preprocessor said.
///
/// # Errors
/// A sentence: which file could not be read and why, or what the preprocessor said.
pub fn read(
    args: &Args,
    preprocessor: Option<&Preprocessor>,
) -> Result<(Sources, Vec<Input>, String), String> {
    let mut sources = Sources::new();
    let mut inputs = Vec::new();
    let mut warnings = String::new();
    for request in &args.requests {
        let (kind, text) = match request.kind {
            RequestKind::Script => (SourceKind::File, script(&request.text)?),
            _ => (SourceKind::CommandLine, request.text.clone().into_bytes()),
        };
        let text = match preprocessor.filter(|_| request.kind == RequestKind::Script) {
            Some(p) => {
                let text = String::from_utf8_lossy(&text);
                let (text, said) =
                    cpp::preprocess(&p.program, &request.text, &text, &p.args).map_err(|e| e.to_string())?;
                warnings += &said;
                text.into_bytes()
            }
            None => text,
        };
        let file = sources.add(Source::new(request.text.clone(), kind, text));
        inputs.push(Input { request: request.clone(), file });
    }
    Ok((sources, inputs, warnings))
}

/// What some editors put before UTF-8; nobody sees it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn script(path: &str) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let done = if path == "-" {
        std::io::stdin().read_to_end(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut f| f.read_to_end(&mut text))
    };
    match done {
        Ok(_) if text.starts_with(BYTE_ORDER_MARK) => Err(format!(
            "failed to compile script {}: it begins with a byte order mark, which D does not know: save it as UTF-8 without one",
            shown(path)
        )),
        Ok(_) => Ok(text),
        Err(e) => Err(format!("failed to open {}: {}", shown(path), crate::reason(&e))),
    }
}
