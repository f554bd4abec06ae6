//! The options of `-x` and `#pragma D option`: one row per option in [`TABLE`], and the values of one run.
//!
//! A row says all there is: how a value is written, what holds without one, and what it does. Help, documentation and
//! error messages are made from the rows. What is not built is in the table too, so that its use is not a spelling error.

mod value;

use value::parse;
pub use value::{Value, nearest};

macro_rules! options {
    ($($id:ident $name:literal $kind:ident $default:expr, $place:ident $meaning:literal;)*) => {
        /// An option's number: its row in [`TABLE`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Opt { $(#[doc = $meaning] $id,)* }

        /// Every option, ordered as [`Opt`].
        pub const TABLE: &[Row] = &[
            $(Row { opt: Opt::$id, name: $name, kind: Kind::$kind, default: $default, place: Place::$place,
                    meaning: $meaning },)*
        ];
    };
}

impl Opt {
    pub fn name(self) -> Option<&'static str> {
        TABLE.get(self as usize).map(|row| row.name)
    }
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub opt: Opt,
    pub name: &'static str,
    pub kind: Kind,
    /// As it would be written; empty: unset.
    pub default: &'static str,
    pub place: Place,
    /// A sentence for people.
    pub meaning: &'static str,
}

/// How the value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None, or `on`/`off`, `yes`/`no`, `true`/`false`, `enable`/`disable`, `set`/`unset`, 0 or 1.
    Flag,
    /// Bytes, with k, m, g or t.
    Size,
    Number,
    /// A period: ns, us, ms, s, m, h, d, or a frequency in hz.
    Rate,
    Text,
    /// One of `switch`, `fill`, `ring`.
    Policy,
    /// One of `kdump-zstd`, `kdump-zlib`, `elf`.
    DumpFormat,
}

/// Where an option is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Command line and script.
    Both,
    /// Only the command line: it decides how the script is read at all.
    CommandLine,
    /// DTrace's, taken from both and without effect: what it tunes is not there (aggregations, speculations) or needs no
    /// tuning. A script that sets it means the same without.
    Idle,
    /// DTrace's, understood, not built in this version, and a script that sets it would not get what it asks for.
    Unbuilt,
}

options! {
    Quiet "quiet" Flag "", Both "print only what the script traces";
    Flowindent "flowindent" Flag "", Both "indent by entry and return";
    Destructive "destructive" Flag "", Both "allow actions that change the system";
    Errtags "errtags" Flag "", Both "show the tags of compiler errors";
    Droptags "droptags" Flag "", Both "show the tags of drop messages";
    Strsize "strsize" Size "256", Both "longest string, its NUL included";
    Bufsize "bufsize" Size "4m", Both "principal buffer per CPU; unset: 16m for all of them";
    Bufpolicy "bufpolicy" Policy "switch", Both "what a full principal buffer does";
    Bufresize "bufresize" Text "auto", Idle "whether buffers may be made smaller when memory is short";
    Switchrate "switchrate" Rate "1s", Idle "longest time between two reads of the buffers";
    Statusrate "statusrate" Rate "1s", Idle "how often drops are looked at";
    Dynvarsize "dynvarsize" Size "1m", Both "space for each thread-local variable and each associative array";
    Stackframes "stackframes" Number "20", Both "most frames of stack()";
    Stackindent "stackindent" Number "14", Both "columns before a stack frame";
    Cpu "cpu" Number "", Unbuilt "trace on this CPU only";
    Defaultargs "defaultargs" Flag "", Both "macro arguments that were not given are 0 or empty";
    Zdefs "zdefs" Flag "", Both "allow probe descriptions that match nothing";
    Rawbytes "rawbytes" Flag "", Both "print untyped memory as bytes, never as text";
    Version "version" Text "", Idle "the version of D that the script was written for";
    Verbose "verbose" Flag "", Unbuilt "show the compiled program";
    Empty "empty" Flag "", Unbuilt "allow a script without clauses";
    Bpflog "bpflog" Flag "", Both "show the verifier's log of a rejected program";
    Tree "tree" Number "0", Unbuilt "show the program at a stage of the compiler";
    Cpp "cpp" Flag "", CommandLine "run the C preprocessor over the script first";
    Cpppath "cpppath" Text "", CommandLine "the C preprocessor";
    Cpphdrs "cpphdrs" Flag "", CommandLine "list the files that the C preprocessor includes";
    Define "define" Text "", CommandLine "a name for the C preprocessor";
    Undef "undef" Text "", CommandLine "a name that the C preprocessor forgets";
    Incdir "incdir" Text "", CommandLine "a directory for the C preprocessor";
    Pspec "pspec" Flag "", Unbuilt "read `name{` as a probe description";
    Lkdmaxpause "lkdmaxpause" Rate "500ms", Both "longest time that lkd() may hold the machine";
    Lkdbuf "lkdbuf" Size "", Both "memory for the pages of a live dump; unset: by the machine's size";
    Lkdpath "lkdpath" Text "", Both "directory for live dumps";
    Lkdformat "lkdformat" DumpFormat "kdump-zstd", Both "file format of live dumps";
    Aggsize "aggsize" Size "4m", Idle "aggregation buffer per CPU";
    Aggrate "aggrate" Rate "1s", Idle "how often aggregations are read";
    Aggsortkey "aggsortkey" Flag "", Idle "sort aggregations by key";
    Aggsortkeypos "aggsortkeypos" Number "", Idle "the key to sort by";
    Aggsortpos "aggsortpos" Number "", Idle "the aggregation to sort by";
    Aggsortrev "aggsortrev" Flag "", Idle "sort the other way round";
    Agghist "agghist" Flag "", Idle "draw aggregations as histograms";
    Aggpack "aggpack" Flag "", Idle "draw narrow histograms";
    Aggzoom "aggzoom" Flag "", Idle "draw histograms to the largest value";
    Aggpercpu "aggpercpu" Flag "", Idle "show aggregations by CPU";
    Amin "amin" Text "", Idle "lowest stability that a script may use";
    Argref "argref" Flag "", Both "allow macro arguments that are never used";
    Cleanrate "cleanrate" Rate "101hz", Idle "how often freed variables are collected";
    Core "core" Flag "", Idle "dump core when the compiler fails";
    Cpppathargs "cppargs" Text "", Unbuilt "arguments for the C preprocessor";
    Ctfpath "ctfpath" Text "", Unbuilt "the kernel's CTF file";
    Ctypes "ctypes" Text "", Unbuilt "write C's types to a file";
    Dtypes "dtypes" Text "", Unbuilt "write D's types to a file";
    Debug "debug" Text "", Unbuilt "debugging messages";
    Disasm "disasm" Number "", Unbuilt "stages to disassemble";
    Encoding "encoding" Text "", Idle "character set of histograms";
    Evaltime "evaltime" Text "", Unbuilt "when a traced process is looked at";
    Grabanon "grabanon" Flag "", Unbuilt "claim anonymous tracing state";
    Iregs "iregs" Number "", Idle "integer registers of the virtual machine";
    Jstackframes "jstackframes" Number "", Idle "most frames of jstack()";
    Jstackstrsize "jstackstrsize" Size "", Idle "text of jstack()";
    Kdefs "kdefs" Flag "", Unbuilt "kernel symbols must be known";
    Knodefs "knodefs" Flag "", Unbuilt "kernel symbols may be unknown";
    Late "late" Text "", Unbuilt "when translators are bound";
    Lazyload "lazyload" Flag "", Idle "load user probes lazily";
    Ldpath "ldpath" Text "", Unbuilt "the linker";
    Libdir "libdir" Text "", Unbuilt "a directory of D libraries";
    Linkmode "linkmode" Text "", Unbuilt "how kernel symbols are bound";
    Linktype "linktype" Text "", Unbuilt "what -G writes";
    Maxframes "maxframes" Number "", Unbuilt "most frames of any stack";
    Nolibs "nolibs" Flag "", Idle "leave out the D libraries";
    Noresolve "noresolve" Flag "", Unbuilt "show addresses, not symbols";
    Nspec "nspec" Number "1", Idle "speculations";
    Pgmax "pgmax" Number "", Idle "processes held at once";
    Preallocate "preallocate" Size "", Idle "memory taken in advance";
    Procfspath "procfspath" Text "", Unbuilt "where procfs is";
    Quietresize "quietresize" Flag "", Idle "do not tell of shrunk buffers";
    Scratchsize "scratchsize" Size "256", Both "most bytes of a copyin() whose size is computed";
    Setenv "setenv" Text "", Unbuilt "environment of -c's command";
    Specsize "specsize" Size "4m", Idle "speculation buffer per CPU";
    Stdc "stdc" Text "", Idle "the C standard of the preprocessor";
    Strip "strip" Flag "", Unbuilt "leave out names from -G's output";
    Syslibdir "syslibdir" Text "", Unbuilt "the directory of D libraries";
    Temporal "temporal" Flag "", Unbuilt "sort records of all CPUs by time";
    Tregs "tregs" Number "", Idle "tuple registers of the virtual machine";
    Udefs "udefs" Flag "", Unbuilt "user symbols must be known";
    Unodefs "unodefs" Flag "", Unbuilt "user symbols may be unknown";
    Unsetenv "unsetenv" Text "", Unbuilt "environment of -c's command";
    Useruid "useruid" Number "", Unbuilt "user of -c's command";
    Ustackframes "ustackframes" Number "", Idle "most frames of ustack()";
}

/// Who set a value; the command line outranks the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    Script,
    CommandLine,
}

/// Why an option was not set. [`std::fmt::Display`] gives DTrace's words, [`OptionError::help`] the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// No row has this name; the nearest one that has.
    Name(Option<&'static str>),
    /// The value does not follow the kind.
    Value(Kind),
    /// It does, and is smaller or larger than what there is.
    Range(u64, u64),
    /// A text that is none of those that mean something; what does.
    Form(&'static str),
    /// The command line only.
    Context,
    /// Known, not built.
    Unbuilt,
}

impl std::fmt::Display for OptionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            OptionError::Name(_) => "Invalid option name",
            OptionError::Value(_) | OptionError::Range(..) | OptionError::Form(_) => {
                "Invalid value for specified option"
            }
            OptionError::Context => "Option cannot be used from within a D program",
            OptionError::Unbuilt => "Option is not built in this version",
        })
    }
}

impl std::error::Error for OptionError {}

impl OptionError {
    /// What to do, if there is something to say.
    pub fn help(&self) -> Option<String> {
        match self {
            OptionError::Name(near) => near.map(|n| format!("did you mean `{n}`?")),
            OptionError::Value(kind) => Some(format!("the value is {}", kind.form())),
            OptionError::Range(least, most) => Some(format!("the value is from {least} to {most}")),
            OptionError::Form(form) => Some(format!("the value is {form}")),
            OptionError::Context => Some("give it to dtrace as -x".into()),
            OptionError::Unbuilt => None,
        }
    }
}

impl Kind {
    /// How a value looks, for people.
    pub fn form(self) -> &'static str {
        match self {
            Kind::Flag => "on or off",
            Kind::Size => "a size in bytes, or with k, m, g or t: 4m",
            Kind::Number => "a number",
            Kind::Rate => "a time with ns, us, ms, s, m, h or d, or a frequency with hz: 100ms, 10hz",
            Kind::Text => "a text",
            Kind::Policy => "one of switch, fill, ring",
            Kind::DumpFormat => "one of kdump-zstd, kdump-zlib, elf",
        }
    }
}

/// The options of one run: the defaults, and over them what was set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    set: std::collections::BTreeMap<Opt, (Value, Origin)>,
}

/// The row of that name.
pub fn row(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|r| r.name == name)
}

/// What the kind alone does not say of a value.
fn limits(opt: Opt, value: &Value) -> Result<(), OptionError> {
    let range = match opt {
        Opt::Strsize => Some((2, 65536)),
        // more is lowered, and said to be
        Opt::Stackframes => Some((1, 65536)),
        Opt::Scratchsize => Some((1, 16384)),
        _ => None,
    };
    match (range, value) {
        (Some((least, most)), Value::Number(n)) if !(least..=most).contains(n) => {
            return Err(OptionError::Range(least, most));
        }
        _ => {}
    }
    let Value::Text(text) = value else { return Ok(()) };
    match opt {
        Opt::Version if !is_known_version(text) => Err(OptionError::Form("a version of D up to 1.13: 1.6")),
        Opt::Bufresize if !["auto", "manual"].contains(&text.as_str()) => {
            Err(OptionError::Form("one of auto, manual"))
        }
        Opt::Stdc if !["a", "c", "s", "t"].contains(&text.as_str()) => {
            Err(OptionError::Form("one of a, c, s, t"))
        }
        Opt::Amin if !is_stability(text) => {
            Err(OptionError::Form("name/data/class: Evolving/Evolving/Common"))
        }
        _ => Ok(()),
    }
}

/// `1.6`, `1.6.2`; nothing newer than what is understood.
fn is_known_version(text: &str) -> bool {
    let parts: Option<Vec<u32>> = text.split('.').map(|n| n.parse().ok()).collect();
    parts.is_some_and(|p| matches!(p.as_slice(), [1, 0..=12] | [1, 0..=12, _] | [1, 13] | [1, 13, 0]))
}

fn is_stability(text: &str) -> bool {
    const LEVELS: [&str; 8] =
        ["Internal", "Private", "Obsolete", "External", "Unstable", "Evolving", "Stable", "Standard"];
    const CLASSES: [&str; 6] = ["Unknown", "CPU", "Platform", "Group", "ISA", "Common"];
    let has = |names: &[&str], word: &str| names.iter().any(|n| n.eq_ignore_ascii_case(word));
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [name, data, class] => has(&LEVELS, name) && has(&LEVELS, data) && has(&CLASSES, class),
        _ => false,
    }
}

impl Options {
    /// Sets an option as written: `name` or `name=value`. A script does not override the command line; that is no error.
    ///
    /// # Errors
    /// The name is unknown, the value does not follow the option's kind, or the option is not taken from there.
    pub fn set(&mut self, name: &str, value: Option<&str>, origin: Origin) -> Result<Opt, OptionError> {
        let Some(row) = row(name) else {
            return Err(OptionError::Name(nearest(name, TABLE.iter().map(|r| r.name))));
        };
        match row.place {
            Place::Unbuilt => return Err(OptionError::Unbuilt),
            Place::CommandLine if origin == Origin::Script => return Err(OptionError::Context),
            _ => {}
        }
        let value = parse(row.kind, value).ok_or(OptionError::Value(row.kind))?;
        // The other policies keep the first or the last records of a run; here all are delivered or counted.
        if row.opt == Opt::Bufpolicy && value != Value::Text("switch".into()) {
            return Err(OptionError::Unbuilt);
        }
        limits(row.opt, &value)?;
        if self.set.get(&row.opt).is_none_or(|(_, from)| *from <= origin) {
            self.set.insert(row.opt, (value, origin));
        }
        Ok(row.opt)
    }

    /// The value in force; `None` when nothing was set and there is no default.
    pub fn get(&self, opt: Opt) -> Option<Value> {
        if let Some((value, _)) = self.set.get(&opt) {
            return Some(value.clone());
        }
        let row = TABLE.get(opt as usize)?;
        if row.default.is_empty() { None } else { parse(row.kind, Some(row.default)) }
    }

    /// Was it set by the command line or the script?
    pub fn is_set(&self, opt: Opt) -> bool {
        self.set.contains_key(&opt)
    }

    /// A [`Kind::Flag`].
    pub fn flag(&self, opt: Opt) -> bool {
        matches!(self.get(opt), Some(Value::Flag(true)))
    }

    /// A [`Kind::Size`] in bytes, a [`Kind::Rate`] in ns, or a [`Kind::Number`].
    pub fn number(&self, opt: Opt) -> Option<u64> {
        match self.get(opt)? {
            Value::Number(n) => Some(n),
            Value::Flag(_) | Value::Text(_) => None,
        }
    }

    pub fn text(&self, opt: Opt) -> Option<String> {
        match self.get(opt)? {
            Value::Text(t) => Some(t),
            Value::Flag(_) | Value::Number(_) => None,
        }
    }

    /// Bytes of the longest string, its NUL included.
    pub fn strsize(&self) -> u32 {
        self.number(Opt::Strsize).and_then(|n| u32::try_from(n).ok()).unwrap_or(256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_the_order_of_their_numbers_and_defaults_parse() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.opt as usize, i, "{}", row.name);
            assert!(row.default.is_empty() || parse(row.kind, Some(row.default)).is_some(), "{}", row.name);
            assert_eq!(TABLE.iter().filter(|r| r.name == row.name).count(), 1, "{}", row.name);
        }
    }

    #[test]
    fn the_command_line_outranks_the_script() {
        let mut o = Options::default();
        assert_eq!(o.strsize(), 256);
        o.set("strsize", Some("1k"), Origin::CommandLine).expect("a size");
        o.set("strsize", Some("512"), Origin::Script).expect("a size");
        assert_eq!(o.strsize(), 1024);
        o.set("quiet", None, Origin::Script).expect("a flag");
        assert!(o.flag(Opt::Quiet));
    }

    #[test]
    fn what_dtrace_takes_is_taken() {
        let mut o = Options::default();
        for (name, good) in [
            ("version", "1.0"),
            ("version", "1.6.3"),
            ("version", "1.13"),
            ("bufresize", "manual"),
            ("amin", "Evolving/evolving/COMMON"),
            ("stdc", "t"),
            ("scratchsize", "8k"),
        ] {
            o.set(name, Some(good), Origin::CommandLine).expect(good);
        }
        assert_eq!(o.number(Opt::Scratchsize), Some(8192));
    }

    #[test]
    fn errors_say_which_kind() {
        let mut o = Options::default();
        let mut set = |n, v, from| o.set(n, v, from).expect_err("not settable");
        assert_eq!(set("quite", None, Origin::Script), OptionError::Name(Some("quiet")));
        assert_eq!(set("zzzzzzzz", None, Origin::Script), OptionError::Name(None));
        assert_eq!(set("bufsize", Some("4x"), Origin::Script), OptionError::Value(Kind::Size));
        assert_eq!(set("strsize", Some("1m"), Origin::Script), OptionError::Range(2, 65536));
        assert_eq!(set("stackframes", Some("0"), Origin::Script), OptionError::Range(1, 65536));
        for (name, bad) in [
            ("version", "99.9"),
            ("version", "x"),
            ("bufresize", "foo"),
            ("amin", "foo"),
            ("amin", "Stable/Stable/foo"),
            ("stdc", "q"),
        ] {
            assert!(
                matches!(set(name, Some(bad), Origin::CommandLine), OptionError::Form(_)),
                "{name}={bad}"
            );
        }
        assert_eq!(set("tree", Some("2"), Origin::CommandLine), OptionError::Unbuilt);
        assert_eq!(set("cpp", None, Origin::Script), OptionError::Context);
        assert_eq!(set("temporal", None, Origin::CommandLine), OptionError::Unbuilt);
        assert_eq!(set("aggsize", Some("lots"), Origin::Script), OptionError::Value(Kind::Size));
    }
}
