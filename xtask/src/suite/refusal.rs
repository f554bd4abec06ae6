//! Kernels that cannot give a live dump: they must be told apart, and the user must be told what to do.

use super::{Ask, Tally};
use crate::guest::Guest;
use crate::qemu::{Ending, Shared, Sinks};
use anyhow::Result;
use std::time::Duration;

/// A kernel, words for its command line, and what the refusal must say: what is missing, and how to get it.
const REFUSALS: &[(&str, &str, &[&str])] = &[
    ("5.10", "", &["bpf_loop", "boot Linux 5.17 or later"]),
    ("6.1", "lockdown=confidentiality", &["lockdown", "boot without lockdown=confidentiality"]),
];

/// All ways to a dump. None may leave one, end well, or die otherwise than by its own decision.
const ASKING: &str = "for ask in 'lkd doctor' 'lkd capture' 'lkd capture --type mini' 'dtrace -w -n BEGIN{lkd(0);}'; do \
    echo \"== $ask\"; $ask 2>&1; echo \"status $?\"; done; ls -A /var/lib/lkd/LiveKernelReports 2>/dev/null | wc -l";

/// A boot for each.
pub fn refusals(ask: &Ask, tally: &mut Tally) -> Result<()> {
    // Filters choose tests of tests/d.
    if !ask.filters.is_empty() {
        return Ok(());
    }
    for (kernel, append, wanted) in REFUSALS {
        let what = format!("{kernel} {append}").trim_end().to_owned();
        let mut guest = Guest {
            kernel: (*kernel).to_owned(),
            append: (*append).to_owned(),
            mem: 512,
            timeout: Duration::from_secs(300),
            ..Guest::default()
        };
        guest.add_ours()?;
        let told = Shared::default();
        let ending = guest.run(&[ASKING.to_owned()], &Sinks::new(told.clone(), std::io::stderr()));
        match ending {
            // Old kernels leave the archive one day.
            Err(why) if *kernel == "5.10" => tally.skip(&what, &format!("{why:#}")),
            Err(why) => return Err(why),
            Ok(Ending::Exit(0)) => match judge(&told.text(), wanted) {
                Ok(said) => {
                    println!("ok {what}: {said}");
                    tally.pass();
                }
                Err(why) => tally.fail(&what, &format!("{why}\n{}", told.text())),
            },
            Ok(ending) => tally.fail(&what, &format!("{ending:?}")),
        }
    }
    Ok(())
}

/// Every way must refuse with status 1 and the wanted words; gives what the second one said.
fn judge(text: &str, wanted: &[&str]) -> Result<String, String> {
    let mut asked = text.split("== ").skip(1).peekable();
    let mut said = String::new();
    for (number, part) in asked.by_ref().enumerate() {
        let (way, rest) = part.split_once('\n').unwrap_or_default();
        if let Some(word) = wanted.iter().find(|word| !rest.contains(**word)) {
            return Err(format!("{way}: no '{word}'"));
        }
        if !rest.contains("\nstatus 1\n") || rest.contains("panicked") {
            return Err(format!("{way}: it did not end with status 1"));
        }
        if number == 1 {
            said = rest.lines().next().unwrap_or_default().to_owned();
        }
    }
    match text.trim_end().lines().last() {
        Some("0") if !said.is_empty() => Ok(said),
        last => Err(format!("reports: {last:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_is_missing() {
        let refused = "== lkd doctor\nbpf_loop no\nstatus 1\n== lkd capture\nlkd: no live dump without bpf_loop\nstatus 1\n0\n";
        assert_eq!(judge(refused, &["bpf_loop"]), Ok("lkd: no live dump without bpf_loop".into()));
        assert!(judge(refused, &["lockdown"]).is_err());
        assert!(judge(&refused.replace("status 1", "status 0"), &["bpf_loop"]).is_err());
        assert!(judge(&refused.replace("\n0\n", "\n1\n"), &["bpf_loop"]).is_err());
    }
}
