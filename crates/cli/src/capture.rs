//! `lkd capture`: a live dump now, without a script, by the engine that `lkd()` uses.

use crate::live::{LiveDump, capture_options};
use crate::output::Output;
use crate::signals;
use lkd_capture::{ProbeName, TriggerProg};
use lkd_dlang::options::{Options, Origin};
use lkd_dump::{Kind, Request, Site};
use std::path::{Path, PathBuf};

/// What is asked for; values as they were written.
#[derive(Clone, Debug)]
pub struct Asked {
    pub kind: Kind,
    /// The dump's file; `None`: a report is made.
    pub output: Option<PathBuf>,
    /// The directory of reports.
    pub root: Option<PathBuf>,
    /// Options of `dtrace -x` that dumps have, and what they are called here.
    pub settings: Vec<(&'static str, &'static str, String)>,
}

/// The component of reports that a person asked for.
const COMPONENT: &str = "CAPTURE";

/// Takes the dump and waits until it is written. Gives its path, unless ^C left the writing to the background.
///
/// # Errors
/// A sentence: what is missing and what to do; `None` where `out` was told already.
pub fn run(asked: &Asked, out: &mut Output<'_>) -> Result<Option<PathBuf>, Option<String>> {
    let mut options = Options::default();
    for (flag, name, value) in &asked.settings {
        options.set(name, Some(value), Origin::CommandLine).map_err(|e| {
            let help = e.help().map(|help| format!(" ({help})")).unwrap_or_default();
            Some(format!("{flag} {}: {e}{help}", value.escape_debug()))
        })?;
    }
    let mut options = capture_options(&options).map_err(|bad| {
        let flag = asked.settings.iter().find(|(_, name, _)| *name == bad.name).map_or("", |(flag, ..)| flag);
        format!("{flag}: {}", bad.why)
    })?;
    options.kinds = vec![asked.kind];
    options.component = COMPONENT.into();
    options.programs = vec![TriggerProg::RawTp];
    options.script = "lkd capture".into();
    options.probes =
        vec![ProbeName { id: 0, provider: "lkd".into(), name: "capture".into(), ..ProbeName::default() }];
    if let Some(root) = &asked.root {
        options.root = std::path::absolute(root)
            .map_err(|e| format!("--path {}: {}", root.display(), crate::reason(&e)))?;
    }
    if let Some(path) = &asked.output {
        let (root, name) = place(path)?;
        (options.root, options.file) = (root, Some(name));
    }
    // A dump that is being written outlives ^C; before that, ^C ends this program as any other.
    let mut live = LiveDump::of(&options)?;
    signals::catch().map_err(|e| format!("catching ^C: {}", crate::reason(&e)))?;
    for warning in live.warnings() {
        out.notice(&format!("warning: {warning}"));
    }
    live.take(&Request { flags: asked.kind.flags(), site: Site::UserSpace as u32, ..Request::default() })?;
    if live.finish(out) { Ok(live.written().map(Path::to_owned)) } else { Err(None) }
}

/// The directory and the name of a file that is to be made.
fn place(path: &Path) -> Result<(PathBuf, String), String> {
    let shown = path.display();
    let whole = std::path::absolute(path).map_err(|e| format!("--output {shown}: {}", crate::reason(&e)))?;
    let named = !path.as_os_str().as_encoded_bytes().ends_with(b"/") && !whole.is_dir();
    match (whole.parent(), whole.file_name().and_then(|name| name.to_str())) {
        (Some(root), Some(name)) if named => Ok((root.to_owned(), name.to_owned())),
        _ => Err(format!("--output {shown}: name the file, such as {}", path.join("vmcore").display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_directory_and_a_name() {
        assert_eq!(place(Path::new("/nowhere/core")), Ok(("/nowhere".into(), "core".into())));
        let here = std::env::current_dir().ok();
        assert_eq!(place(Path::new("core")).ok().map(|(root, _)| root), here);
        for bad in ["/", "/nowhere/", "/nowhere/.."] {
            assert!(place(Path::new(bad)).is_err_and(|why| why.starts_with("--output")), "{bad}");
        }
    }
}
