//! What a test needs, asked of the machine itself: a capability, a file, a program, a provider.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Answers, each asked for once.
#[derive(Default)]
pub struct Needs {
    known: BTreeMap<String, Option<String>>,
}

impl Needs {
    /// Why a test that needs `word` cannot run here; none when it can. A path must exist, `root` must be the user, a
    /// word that `dtrace -l -P` lists is a provider, any other word is a program in PATH.
    pub fn missing(&mut self, word: &str) -> Option<String> {
        self.known.entry(word.to_owned()).or_insert_with(|| ask(word)).clone()
    }
}

/// Providers of DTrace that a kernel may or may not serve.
const PROVIDERS: &[&str] = &["dtrace", "syscall", "profile", "tick", "fbt", "sdt", "rawtp"];

fn ask(word: &str) -> Option<String> {
    if word.starts_with('/') {
        return (!Path::new(word).exists()).then(|| format!("there is no {word}"));
    }
    if word == "root" {
        return (!rustix::process::geteuid().is_root()).then(|| "not root".to_owned());
    }
    if PROVIDERS.contains(&word) {
        let mut list = Command::new("dtrace");
        list.args(["-l", "-P", word]).stdin(Stdio::null());
        let served = list.output().is_ok_and(|out| {
            out.status.success()
                && out.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count() > 1
        });
        return (!served).then(|| format!("this kernel serves no {word} probes"));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let there = path.split(':').any(|dir| Path::new(dir).join(word).is_file());
    (!there).then(|| format!("no {word} in PATH"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_missing() {
        let mut needs = Needs::default();
        assert_eq!(needs.missing("/proc/self"), None);
        assert_eq!(needs.missing("sh"), None);
        assert!(needs.missing("/no/such/path").is_some_and(|why| why.contains("/no/such/path")));
        assert!(needs.missing("no-such-program").is_some_and(|why| why.contains("no-such-program")));
    }
}
