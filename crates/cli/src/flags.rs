//! `dtrace`'s command line: one row a letter; the parser and the usage text are both made from the table.
//!
//! DTrace's own rules: letters may be joined (`-qn BEGIN`), an option's value may follow at once or as the next argument,
//! options and operands may mix, `--` ends the options, and what is left over are the script's `$1`, `$2` ….

/// One letter.
pub struct Flag {
    pub letter: char,
    /// What its value is called in the usage text, if it takes one.
    pub value: Option<&'static str>,
    pub help: &'static str,
}

const fn flag(letter: char, help: &'static str) -> Flag {
    Flag { letter, value: None, help }
}

const fn with(letter: char, value: &'static str, help: &'static str) -> Flag {
    Flag { letter, value: Some(value), help }
}

pub const FLAGS: &[Flag] = &[
    with('b', "bufsz", "set trace buffer size"),
    with('c', "cmd", "run specified command and exit upon its completion"),
    flag('C', "run cpp(1) preprocessor on script files"),
    with('D', "name[=def]", "define symbol when invoking preprocessor"),
    flag('e', "exit after compiling request but prior to enabling probes"),
    with('f', "func", "enable or list probes matching the specified function name"),
    flag('F', "coalesce trace output by function"),
    flag('h', "generate a header file with definitions for static probes"),
    flag('H', "print included files when invoking preprocessor"),
    with('i', "probe-id", "enable or list probes matching the specified probe id"),
    with('I', "path", "add include directory to preprocessor search path"),
    flag('l', "list probes matching specified criteria"),
    with('L', "path", "add library directory to library search path"),
    with('m', "mod", "enable or list probes matching the specified module name"),
    with('n', "name", "enable or list probes matching the specified probe name"),
    with('o', "file", "set output file"),
    with('p', "pid", "grab specified process-ID and trace it; exit when it does"),
    with('P', "provider", "enable or list probes matching the specified provider name"),
    flag('q', "set quiet mode (only output explicitly traced data)"),
    with('s', "script", "enable or list probes according to the specified D script"),
    flag('S', "print the BPF code that the D compiler made"),
    with('U', "name", "undefine symbol when invoking preprocessor"),
    flag('v', "set verbose mode (report what each clause matched; list arguments)"),
    flag('V', "report DTrace API version"),
    flag('w', "permit destructive actions"),
    with('x', "opt[=val]", "enable or modify compiler and tracing options"),
    with('X', "a|c|s|t", "set ISO C conformance (accepted, without effect here)"),
    flag('Z', "permit probe descriptions that match zero probes"),
];

/// Letters that DTrace has and lkd has not built; each with what to do instead.
const UNBUILT: &[(char, &str)] = &[
    ('a', "anonymous (boot-time) tracing is not built"),
    ('A', "anonymous (boot-time) tracing is not built"),
    (
        'G',
        "embedding probes in object files is not built; use <sys/sdt.h> (SystemTap's form), which needs no -G",
    ),
];

/// What to do with the probes that were named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Trace,
    List,
    Header,
    Version,
}

/// What the text of a `-P`, `-m`, `-f`, `-n`, `-i` or `-s` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    Provider,
    Module,
    Function,
    Name,
    Id,
    Script,
}

/// One `-n …` or its sisters, in the order of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub kind: RequestKind,
    /// The description (with predicate and body, if given), or the script's path.
    pub text: String,
}

/// The command line, understood but not acted upon.
#[derive(Debug)]
pub struct Args {
    pub mode: Mode,
    pub requests: Vec<Request>,
    /// `-x name[=value]` and the letters that are short for one, in order.
    pub options: Vec<(String, Option<String>)>,
    /// `$0`, `$1` … of the script.
    pub script_args: Vec<String>,
    pub compile_only: bool,
    pub verbose: bool,
    pub disassemble: bool,
    pub output: Option<String>,
    /// `-c`, each of which is started.
    pub commands: Vec<String>,
    pub pids: Vec<i32>,
    /// `-C`, and what it passes to cpp.
    pub cpp: bool,
    pub cpp_args: Vec<String>,
}

/// A command line that cannot be used; the program prints it with the usage text and exits with 2.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

/// `args` without the program's name.
pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Args, UsageError> {
    let mut out = Args {
        mode: Mode::Trace,
        requests: Vec::new(),
        options: Vec::new(),
        script_args: Vec::new(),
        compile_only: false,
        verbose: false,
        disassemble: false,
        output: None,
        commands: Vec::new(),
        pids: Vec::new(),
        cpp: false,
        cpp_args: Vec::new(),
    };
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            out.script_args.extend(args.by_ref());
        } else if let Some(long) = arg.strip_prefix("--") {
            long_option(long, &mut out)?;
        } else if let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) {
            cluster(letters, &mut args, &mut out)?;
        } else {
            out.script_args.push(arg);
        }
    }
    if out.mode == Mode::Trace && out.requests.is_empty() {
        return Err(UsageError("no probes specified: name some with -P, -m, -f, -n, -i or -s".into()));
    }
    if out.mode == Mode::Header && out.requests.iter().all(|r| r.kind != RequestKind::Script) {
        return Err(UsageError(
            "-h requires a script with provider definitions: dtrace -h -s provider.d".into(),
        ));
    }
    Ok(out)
}

fn long_option(name: &str, out: &mut Args) -> Result<(), UsageError> {
    match name {
        "version" => out.mode = Mode::Version,
        _ => return Err(UsageError(format!("unknown option -- '--{}'", name.escape_default()))),
    }
    Ok(())
}

fn cluster(letters: &str, rest: &mut impl Iterator<Item = String>, out: &mut Args) -> Result<(), UsageError> {
    for (at, letter) in letters.char_indices() {
        if let Some((_, why)) = UNBUILT.iter().find(|(l, _)| *l == letter) {
            return Err(UsageError(format!("-{letter}: {why}")));
        }
        // DTrace's -32 and -64 choose the data model of -G and -h; there is one here
        if letter == '6' && letters == "64" {
            return Ok(());
        }
        let Some(row) = FLAGS.iter().find(|f| f.letter == letter) else {
            return Err(UsageError(format!("illegal option -- '{}'", letter.escape_default())));
        };
        if row.value.is_none() {
            switch(letter, out);
            continue;
        }
        let inline = &letters[at + letter.len_utf8()..];
        let value = if inline.is_empty() {
            rest.next().ok_or_else(|| UsageError(format!("option requires an argument -- '{letter}'")))?
        } else {
            inline.to_string()
        };
        return valued(letter, value, out);
    }
    Ok(())
}

fn switch(letter: char, out: &mut Args) {
    let mut option = |name: &str| out.options.push((name.into(), None));
    match letter {
        'C' => out.cpp = true,
        'e' => out.compile_only = true,
        'F' => option("flowindent"),
        'h' => out.mode = Mode::Header,
        'H' => out.cpp_args.push("-H".into()),
        'l' => out.mode = Mode::List,
        'q' => option("quiet"),
        'S' => out.disassemble = true,
        'v' => out.verbose = true,
        'V' => out.mode = Mode::Version,
        'w' => option("destructive"),
        'Z' => option("zdefs"),
        _ => {}
    }
}

fn valued(letter: char, value: String, out: &mut Args) -> Result<(), UsageError> {
    let mut request = |kind| out.requests.push(Request { kind, text: value.clone() });
    match letter {
        'P' => request(RequestKind::Provider),
        'm' => request(RequestKind::Module),
        'f' => request(RequestKind::Function),
        'n' => request(RequestKind::Name),
        'i' => request(RequestKind::Id),
        's' => request(RequestKind::Script),
        'b' => out.options.push(("bufsize".into(), Some(value))),
        'c' => out.commands.push(value),
        'D' | 'I' | 'U' => out.cpp_args.push(format!("-{letter}{value}")),
        'o' => out.output = Some(value),
        'p' => {
            out.pids.push(
                value.parse::<i32>().ok().filter(|p| *p > 0).ok_or_else(|| {
                    UsageError(format!("-p: '{}' is not a process id", value.escape_default()))
                })?,
            )
        }
        'x' => match value.split_once('=') {
            Some((name, v)) => out.options.push((name.into(), Some(v.into()))),
            None => out.options.push((value, None)),
        },
        // a C standard changes nothing here, one that is none is a mistake all the same
        'X' => out.options.push(("stdc".into(), Some(value))),
        // -L names D libraries, of which there are none to load
        _ => {}
    }
    Ok(())
}

/// The text that follows a [`UsageError`].
pub fn usage() -> String {
    let letters: String = FLAGS.iter().filter(|f| f.value.is_none()).map(|f| f.letter).collect();
    let valued: String = FLAGS
        .iter()
        .filter(|f| !"Pmfnisx".contains(f.letter))
        .filter_map(|f| f.value.map(|v| format!(" [-{} {v}]", f.letter)))
        .collect();
    let mut text = format!("Usage: dtrace [-{letters}]{valued}\n\t[-x opt[=val]]\n\n");
    for (letter, what) in
        [('P', "provider"), ('m', "[ provider: ] module"), ('f', "[[ provider: ] module: ] func")]
    {
        text += &format!("\t[-{letter} {what} [[ predicate ] action ]]\n");
    }
    text += "\t[-n [[[ provider: ] module: ] func: ] name [[ predicate ] action ]]\n";
    text += "\t[-i probe-id [[ predicate ] action ]] [-s script] [ args ... ]\n\n";
    for f in FLAGS {
        text += &format!("\t-{}  {}\n", f.letter, f.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, UsageError> {
        parse(line.split_whitespace().map(String::from))
    }

    #[test]
    fn joined_letters_and_values() {
        let a = args("-qwn BEGIN -xbufsize=4m -x errtags one -- -two").unwrap();
        assert_eq!(a.requests, [Request { kind: RequestKind::Name, text: "BEGIN".into() }]);
        let names: Vec<_> = a.options.iter().map(|(n, v)| (n.as_str(), v.as_deref())).collect();
        assert_eq!(
            names,
            [("quiet", None), ("destructive", None), ("bufsize", Some("4m")), ("errtags", None)]
        );
        assert_eq!(a.script_args, ["one", "-two"]);
    }

    #[test]
    fn requests_keep_their_order() {
        let a = args("-s a.d -P syscall -i 7").unwrap();
        let kinds: Vec<_> = a.requests.iter().map(|r| r.kind).collect();
        assert_eq!(kinds, [RequestKind::Script, RequestKind::Provider, RequestKind::Id]);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (line, part) in [
            ("", "no probes specified"),
            ("-n", "requires an argument"),
            ("-y", "illegal option"),
            ("-p x", "not a process id"),
            ("-p -4", "not a process id"),
            ("-h", "requires a script"),
            ("-A", "anonymous"),
            ("--nonsense", "unknown option"),
        ] {
            let e = args(line).expect_err(line);
            assert!(e.0.contains(part), "{line}: {}", e.0);
        }
    }

    #[test]
    fn the_usage_text_names_every_letter() {
        let text = usage();
        for f in FLAGS {
            assert!(text.contains(&format!("\t-{}  ", f.letter)));
        }
    }
}
