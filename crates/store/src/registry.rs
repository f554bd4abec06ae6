//! The command lines of Windows' `reg`, understood: which setting they mean, and what they do to it.

use crate::settings::table::{self, ALL};
use crate::settings::{Entry, Shape, Value};

/// The key that our `CrashControl` has on Windows, without it.
pub const CONTROL: &str = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control";

/// Names of the root that a person may write.
const ROOTS: [&str; 4] = [
    "hklmsystemcurrentcontrolsetcontrol",
    "hkeylocalmachinesystemcurrentcontrolsetcontrol",
    "computerhklmsystemcurrentcontrolsetcontrol",
    "computerhkeylocalmachinesystemcurrentcontrolsetcontrol",
];

/// What a command line of `reg` asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `reg add KEY /v NAME /t TYPE /d DATA [/f]`
    Add {
        /// The setting.
        entry: &'static Entry,
        /// What it shall be.
        value: Value,
        /// Without being asked.
        force: bool,
    },
    /// `reg query KEY [/v NAME] [/s]`: these settings.
    Query(Vec<&'static Entry>),
    /// `reg delete KEY /v NAME [/f]`: back to the default.
    Delete {
        /// The setting.
        entry: &'static Entry,
        /// Without being asked.
        force: bool,
    },
}

// `Entry` is one of a table: the same place is the same setting.
impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key == other.key
    }
}

/// What is left of a key when a shell has eaten its backslashes: letters and figures. The seed writes keys with and without quotes.
fn bare(key: &str) -> String {
    key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Our table (`CrashControl.LiveKernelReports`) of a key of the registry.
fn table_of(key: &str) -> Result<String, String> {
    let wanted = bare(key);
    let mut tables: Vec<&str> = Vec::new();
    for entry in ALL.iter().filter(|entry| entry.key.starts_with("CrashControl")) {
        let table = entry.key.rsplit_once('.').map_or("", |(table, _)| table);
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    let of = |table: &&&str| ROOTS.iter().any(|root| wanted == format!("{root}{}", bare(table)));
    if let Some(table) = tables.iter().find(of) {
        return Ok((*table).to_owned());
    }
    let likeness = |table: &str| strsim::jaro_winkler(&wanted, &format!("{}{}", ROOTS[0], bare(table)));
    let nearest = tables.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or(&"CrashControl");
    Err(format!(
        "there is no key '{}': the nearest is {CONTROL}\\{}",
        key.escape_debug().to_string().replace("\\\\", "\\"),
        nearest.replace('.', "\\")
    ))
}

/// The options of a command line, in any order and case, with `/` or `-`.
#[derive(Default)]
struct Options {
    name: Option<String>,
    kind: Option<String>,
    data: Option<String>,
    force: bool,
    below: bool,
}

fn options(words: &[String], known: &str) -> Result<Options, String> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let letter = word.strip_prefix(['/', '-']).map(str::to_ascii_lowercase);
        let letter = letter.filter(|letter| known.split(' ').any(|one| one == letter));
        let mut argument = || words.next().cloned().ok_or_else(|| format!("{word} needs a word behind it"));
        match letter.as_deref() {
            Some("v") => options.name = Some(argument()?),
            Some("t") => options.kind = Some(argument()?.to_ascii_uppercase()),
            Some("d") => options.data = Some(argument()?),
            Some("f") => options.force = true,
            Some("s") => options.below = true,
            _ => {
                return Err(format!("'{}' is not understood here", word.escape_debug()));
            }
        }
    }
    Ok(options)
}

fn entry_of(table: &str, name: &str) -> Result<&'static Entry, String> {
    let key = format!("{table}.{name}");
    table::find(&key).ok_or_else(|| table::unknown(&key))
}

/// Understands what stands behind `reg`.
///
/// # Errors
/// A sentence: what is not understood, and what would be.
pub fn parse(words: &[String]) -> Result<Request, String> {
    let [verb, key, rest @ ..] = words else {
        return Err("reg add KEY /v NAME /t REG_DWORD|REG_SZ /d DATA [/f], reg query KEY [/v NAME] [/s], or reg delete KEY /v NAME [/f]".into());
    };
    let name_of = |options: &Options| options.name.clone().ok_or("which value? /v NAME is missing");
    match verb.to_ascii_lowercase().as_str() {
        "add" => {
            let options = options(rest, "v t d f")?;
            let entry = entry_of(&table_of(key)?, &name_of(&options)?)?;
            let data = options.data.ok_or("which data? /d DATA is missing")?;
            let kind = options.kind.as_deref().unwrap_or("REG_SZ");
            let right = kind_of(entry);
            if kind != right && !(kind == "REG_EXPAND_SZ" && right == "REG_SZ") {
                return Err(format!(
                    "{} is {right}, not {}: it is {}",
                    entry.name(),
                    kind.escape_debug(),
                    entry.shape
                ));
            }
            let data = if entry.shape == Shape::Paths { data.replace("\\0", ":") } else { data };
            let value = entry.parse(&data).map_err(|why| why.0)?;
            Ok(Request::Add { entry, value, force: options.force })
        }
        "query" => {
            let options = options(rest, "v s")?;
            let table = table_of(key)?;
            if let Some(name) = &options.name {
                return Ok(Request::Query(vec![entry_of(&table, name)?]));
            }
            let within = |entry: &&'static Entry| {
                let above = entry.key.rsplit_once('.').map_or("", |(above, _)| above);
                above == table || options.below && above.starts_with(&format!("{table}."))
            };
            Ok(Request::Query(ALL.iter().filter(within).collect()))
        }
        "delete" => {
            let options = options(rest, "v f")?;
            let entry = entry_of(&table_of(key)?, &name_of(&options)?)?;
            Ok(Request::Delete { entry, force: options.force })
        }
        other => Err(format!("reg {} is not understood: add, query and delete are", other.escape_debug())),
    }
}

/// The registry's type of a setting.
pub fn kind_of(entry: &Entry) -> &'static str {
    match entry.shape {
        Shape::Number(..) => "REG_DWORD",
        Shape::Word(_) | Shape::Path => "REG_SZ",
        Shape::Paths => "REG_MULTI_SZ",
    }
}

/// The registry's key of a setting.
pub fn key_of(entry: &Entry) -> String {
    let table = entry.key.rsplit_once('.').map_or("", |(table, _)| table);
    format!("{CONTROL}\\{}", table.replace('.', "\\"))
}

/// A value as `reg query` shows it.
pub fn data_of(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("0x{number:x}"),
        Value::Text(text) => text.clone(),
        Value::Paths(_) => value.to_string().replace(':', "\\0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    /// The seed's command lines, as an unquoting shell hands them over, and as one does that eats backslashes.
    #[test]
    fn the_seeds_lines_are_understood() {
        let seed = [
            (
                r"add HKLM\System\CurrentControlSet\Control\CrashControl\FullLiveKernelReports /f /t REG_DWORD /v FullLiveReportsMax /d 10",
                "CrashControl.FullLiveKernelReports.FullLiveReportsMax",
                10,
                true,
            ),
            (
                r"add HKLM\System\CurrentControlSet\Control\CrashControl /f /t REG_DWORD /v AlwaysKeepMemoryDump /d 1",
                "CrashControl.AlwaysKeepMemoryDump",
                1,
                true,
            ),
            (
                r"add hklmsystemcurrentcontrolsetcontrolcrashcontrolfulllivekernelreports /V systemthrottlethreshold -t reg_dword /d 0xFFFFFFFF",
                "CrashControl.FullLiveKernelReports.SystemThrottleThreshold",
                u32::MAX,
                false,
            ),
        ];
        for (line, key, value, force) in seed {
            let Ok(Request::Add { entry, value: got, force: forced }) = parse(&words(line)) else {
                panic!("{line}: {:?}", parse(&words(line)));
            };
            assert_eq!((entry.key, got, forced), (key, Value::Number(value), force), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_right() {
        let wrong = [
            (
                r#"add hklm\system\currentcontrolset\control\crashcontrol\livekernelreports /v LiveKernelReportsPath /t reg_sz /d \??\d:\livedumps"#,
                "is a path of Windows; here one begins with /",
            ),
            (
                r"add HKLM\System\CurrentControlSet\Control\CrashControl /v AlwaysKeepMemoryDump /d 1",
                "AlwaysKeepMemoryDump is REG_DWORD, not REG_SZ",
            ),
            (
                r"add HKLM\System\CurrentControlSet\Control\CrashControl /v AlwaysKeepMemoryDump /t REG_DWORD /d 2",
                "the nearest to 2 is 1",
            ),
            (
                r"add HKLM\System\CurrentControlSet\Control\CrashControl /v AlwaysKeepMemoryDumps /t REG_DWORD /d 1",
                "did you mean CrashControl.AlwaysKeepMemoryDump?",
            ),
            (
                r"add HKLM\System\CurrentControlSet\Control\CrashControls /v AlwaysKeepMemoryDump /t REG_DWORD /d 1",
                r"the nearest is HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\CrashControl",
            ),
            ("add", "reg add KEY"),
            ("import file", "add, query and delete"),
            (r"query HKLM\System\CurrentControlSet\Control\CrashControl /d 1", "'/d' is not understood"),
            (r"add HKLM\System\CurrentControlSet\Control\CrashControl /v", "/v needs a word behind it"),
        ];
        for (line, told) in wrong {
            let why = parse(&words(line)).expect_err(line);
            assert!(why.contains(told), "{line}: {why}");
        }
    }

    #[test]
    fn a_key_has_values_and_keys_below() {
        let count = |line: &str| match parse(&words(line)) {
            Ok(Request::Query(entries)) => entries.len(),
            other => panic!("{other:?}"),
        };
        let key = r"query HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\CrashControl";
        assert_eq!(count(&format!("{key} /v DumpsDisabled")), 1);
        assert_eq!(count(key), 4);
        assert_eq!(
            count(&format!("{key} /s")),
            ALL.iter().filter(|entry| entry.key.starts_with("CrashControl")).count()
        );
    }
}
