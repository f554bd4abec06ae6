//! What `$1`, `$$1`, `$target` and their like stand for.

/// The values that a run gives to its scripts.
#[derive(Clone, Debug, Default)]
pub struct MacroArgs {
    /// `$0`: the script's name as typed, or the program's.
    pub script: String,
    /// `$1`, `$2`, …: what follows the script or the options.
    pub argv: Vec<String>,
    /// `$target`: the process of `-p` or `-c`.
    pub target: Option<u32>,
    pub ids: Ids,
    /// `-x defaultargs`: an argument that was not given is 0 or "", and one that is not used is no mistake.
    pub default_args: bool,
}

/// The identities of the process that traces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids {
    pub pid: u32,
    pub ppid: u32,
    pub pgid: u32,
    pub sid: u32,
    pub uid: u32,
    pub euid: u32,
    pub gid: u32,
    pub egid: u32,
    /// Solaris' project and task; 0 on a system without them.
    pub projid: u32,
    pub taskid: u32,
}

impl MacroArgs {
    /// The text of `$index`; `None` when it was not given.
    pub fn arg(&self, index: usize) -> Option<&str> {
        match index.checked_sub(1) {
            None => Some(&self.script),
            Some(i) => self.argv.get(i).map(String::as_str),
        }
    }

    /// The value of `$name`; `None` when there is no such variable, or no target.
    pub fn variable(&self, name: &str) -> Option<u32> {
        let ids = &self.ids;
        Some(match name {
            "target" => return self.target,
            "pid" => ids.pid,
            "ppid" => ids.ppid,
            "pgid" => ids.pgid,
            "sid" => ids.sid,
            "uid" => ids.uid,
            "euid" => ids.euid,
            "gid" => ids.gid,
            "egid" => ids.egid,
            "projid" => ids.projid,
            "taskid" => ids.taskid,
            _ => return None,
        })
    }
}

/// How D reads the text of an argument that stands for a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape<'a> {
    /// Sign and the rest, which begins with a digit.
    Int(Option<u8>, &'a str),
    Word(&'a str),
    Text(&'a str),
}

/// An integer, else a name, else a string, whose quotes are taken off.
pub(super) fn shape(value: &str) -> Shape<'_> {
    let (sign, digits) = match value.as_bytes().first() {
        Some(c @ (b'+' | b'-')) => (Some(*c), value.get(1..).unwrap_or_default()),
        _ => (None, value),
    };
    let word =
        |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'`');
    if word(digits) && digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Shape::Int(sign, digits);
    }
    if word(value) {
        return Shape::Word(value);
    }
    Shape::Text(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_arguments() {
        assert_eq!(shape("17"), Shape::Int(None, "17"));
        assert_eq!(shape("-0x1f"), Shape::Int(Some(b'-'), "0x1f"));
        assert_eq!(shape("lseek"), Shape::Word("lseek"));
        assert_eq!(shape("mod`sym"), Shape::Word("mod`sym"));
        assert_eq!(shape("/etc/passwd"), Shape::Text("/etc/passwd"));
        assert_eq!(shape("\"quoted\""), Shape::Text("quoted"));
        assert_eq!(shape("\""), Shape::Text("\""));
        assert_eq!(shape("-"), Shape::Text("-"));
        assert_eq!(shape(""), Shape::Text(""));
    }
}
