//! Which probes were perhaps meant by a description that matches none.

use super::{Catalog, Probe, ProbeDesc, Site};
use crate::glob::Glob;
use crate::syscalls;
use std::collections::HashMap;

/// Names longer than this are not compared; no kernel symbol is.
const MAX_NAME: usize = 512;

/// One field of the description: a pattern must match, a plain name may be near.
enum Wanted {
    Pattern(Glob),
    Name(String),
}

impl Wanted {
    fn new(field: &str) -> Wanted {
        let glob = Glob::new(field);
        match glob.literal() {
            Some(name) => Wanted::Name(name.to_owned()),
            None => Wanted::Pattern(glob),
        }
    }

    /// The same for a probe's own name: `enter` or `exit` cannot be told by letters alone.
    fn distance_of_end(&self, name: &str) -> Option<usize> {
        let Wanted::Name(wanted) = self else { return self.distance(name) };
        let same_end = match name {
            "entry" => ["enter", "begin", "start", "call"].contains(&wanted.as_str()),
            "return" => ["exit", "leave", "end", "ret"].contains(&wanted.as_str()),
            _ => false,
        };
        if same_end { Some(1) } else { self.distance(name) }
    }

    /// How far a name is from what is wanted, if it is near at all.
    fn distance(&self, name: &str) -> Option<usize> {
        match self {
            Wanted::Pattern(glob) => glob.matches(name).then_some(0),
            Wanted::Name(wanted) => near(wanted, name),
        }
    }
}

impl Catalog {
    /// Up to `most` descriptions of the same form that do match, the nearest first: names with few letters changed,
    /// names that contain what was written, and system calls by the names that programs know them by (`fstat` for
    /// `newfstat`). It looks only at what the catalogue holds: fill it before.
    pub fn nearest(&self, desc: &ProbeDesc, most: usize) -> Vec<String> {
        if desc.id.is_some() {
            return Vec::new();
        }
        let [provider, module, function, name] =
            [&desc.provider, &desc.module, &desc.function, &desc.name].map(|field| Wanted::new(field));
        let mut found: HashMap<String, usize> = HashMap::new();
        for probe in self.iter() {
            let far = [
                provider.distance(probe.provider),
                name.distance_of_end(probe.name),
                module.distance(probe.module),
            ];
            let Some(far) = far.into_iter().sum::<Option<usize>>() else { continue };
            let alias = alias(&probe).and_then(|alias| function.distance(alias));
            let Some(by_function) = function.distance(probe.function).into_iter().chain(alias).min() else {
                continue;
            };
            let total = far + by_function;
            found.entry(spell(desc, &probe)).and_modify(|best| *best = (*best).min(total)).or_insert(total);
        }
        let mut found: Vec<(usize, String)> = found.into_iter().map(|(text, far)| (far, text)).collect();
        found.sort();
        found.into_iter().take(most).map(|(_, text)| text).collect()
    }
}

/// The name by which programs know a system call, where tracing has another.
fn alias(probe: &Probe<'_>) -> Option<&'static str> {
    match probe.site {
        Site::SyscallEntry { nr, .. } | Site::SyscallReturn { nr } => syscalls::x86_64::by_nr(nr)?.alias,
        _ => None,
    }
}

/// The probe in the form of the description: a field that was left empty stays empty.
fn spell(desc: &ProbeDesc, probe: &Probe<'_>) -> String {
    let field = |written: &str, own: &str| if written.is_empty() { String::new() } else { own.to_owned() };
    format!(
        "{}:{}:{}:{}",
        field(&desc.provider, probe.provider),
        field(&desc.module, probe.module),
        field(&desc.function, probe.function),
        field(&desc.name, probe.name)
    )
}

/// Was `name` perhaps meant by `wanted`?
pub fn is_near(wanted: &str, name: &str) -> bool {
    near(wanted, name).is_some()
}

/// How far `name` is from `wanted`: changed letters, or letters around it. `None` when they have too little in common.
fn near(wanted: &str, name: &str) -> Option<usize> {
    if wanted == name {
        return Some(0);
    }
    // Half a name wrong is another name.
    let limit = (wanted.len() / 3).clamp(1, 4);
    let by_letters = edits(wanted, name, limit);
    let contained = wanted.len() >= 4 && name.contains(wanted);
    let by_part = contained.then(|| 1 + (name.len() - wanted.len()) / 4);
    by_letters.into_iter().chain(by_part).min()
}

/// Letters to insert, delete, replace or swap with their neighbour to get from one name to the other; `None` above
/// `limit`.
fn edits(from: &str, to: &str, limit: usize) -> Option<usize> {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    if from.len().abs_diff(to.len()) > limit || from.len().max(to.len()) > MAX_NAME {
        return None;
    }
    // Three rows of the usual table: `next[j]` is the distance of the first i+1 letters of `from` and the first j of `to`.
    let mut before: Vec<usize> = vec![usize::MAX / 2; to.len() + 1];
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let mut last_a = None;
    for (i, &a) in from.iter().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        let mut last_b = None;
        let mut swapped_at = usize::MAX / 2;
        for ((&b, pair), &two_back) in to.iter().zip(row.windows(2)).zip(&before) {
            let [diagonal, above] = *pair else { continue };
            let left = next.last().copied().unwrap_or(usize::MAX / 2);
            let mut cost = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
            // `swapped_at` is the table two rows up and two columns left.
            if last_a == Some(b) && last_b == Some(a) {
                cost = cost.min(swapped_at + 1);
            }
            next.push(cost);
            swapped_at = two_back;
            last_b = Some(b);
        }
        if next.iter().all(|&cost| cost > limit) {
            return None;
        }
        before = std::mem::replace(&mut row, next);
        last_a = Some(a);
    }
    row.last().copied().filter(|&cost| cost <= limit)
}
