//! `-F`: rows indented by function entry and return.
//!
//! An entry prints `->` (system calls: `=>`) and what follows is two columns further in; a return prints `<-` (`<=`) two columns
//! further out; everything else `|`. Several clauses of one firing are one step, not many: only the first clause of an entry and
//! the last clause of a return count, so a return is held back until its CPU's next record shows whether it was the last. What
//! other CPUs do meanwhile waits behind it: rows keep the order in which they were made.

use super::number;
use std::collections::{HashMap, VecDeque};

/// One record, as far as the indentation is concerned.
pub struct Fired<'a> {
    pub cpu: u32,
    pub probe: u32,
    pub clause: u32,
    pub provider: &'a [u8],
    pub function: &'a [u8],
    pub name: &'a [u8],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Entry,
    Return,
    None,
    /// A return, if no other clause of its firing follows.
    MaybeReturn,
}

/// A row that waits for its turn.
struct Row {
    cpu: u32,
    step: Step,
    system: bool,
    function: Vec<u8>,
    name: Vec<u8>,
    body: Vec<u8>,
}

/// Where a CPU stands.
#[derive(Default)]
struct Stair {
    /// The last record's probe and clause.
    last: Option<(u32, u32)>,
    /// The columns that the next row starts at.
    indent: usize,
    /// The number of the row that may be a return.
    held: Option<Held>,
}

struct Held {
    row: u64,
    /// For a whole [`Flow::pause`] already.
    waited: bool,
}

/// One stair a CPU, one queue for all.
#[derive(Default)]
pub struct Flow {
    stairs: HashMap<u32, Stair>,
    waiting: VecDeque<Row>,
    /// The number of the first row that waits; rows are numbered as they come.
    first: u64,
}

fn step(name: &[u8]) -> Step {
    let is = |word: &[u8]| {
        name.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with(b"-"))
    };
    match (is(b"entry"), is(b"return")) {
        (true, _) => Step::Entry,
        (_, true) => Step::MaybeReturn,
        _ => Step::None,
    }
}

impl Flow {
    /// Takes a record and what its actions printed (newline included); writes every row that is decided.
    pub fn take(&mut self, fired: Fired<'_>, body: &[u8], out: &mut Vec<u8>) {
        let stair = self.stairs.entry(fired.cpu).or_default();
        let goes_on = stair.last.is_some_and(|(p, clause)| p == fired.probe && clause != fired.clause);
        stair.last = Some((fired.probe, fired.clause));
        let step = match step(fired.name) {
            Step::Entry if goes_on => Step::None,
            step => step,
        };
        let held = (step == Step::MaybeReturn)
            .then_some(Held { row: self.first + self.waiting.len() as u64, waited: false });
        if let Some(before) = std::mem::replace(&mut stair.held, held) {
            self.decide(before.row, if goes_on { Step::None } else { Step::Return });
        }
        self.waiting.push_back(Row {
            cpu: fired.cpu,
            step,
            system: fired.provider == b"syscall",
            function: fired.function.to_vec(),
            name: fired.name.to_vec(),
            body: body.to_vec(),
        });
        self.write(out);
    }

    /// Nothing more has come for now: returns that have waited since the last pause were the last of their firing.
    pub fn pause(&mut self, out: &mut Vec<u8>) {
        self.end_of(|held| std::mem::replace(&mut held.waited, true), out);
    }

    /// Nothing more will come.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        self.end_of(|_| true, out);
    }

    /// Writes what waits, up to the first row of which `known` does not say that it is a return.
    fn end_of(&mut self, known: impl Fn(&mut Held) -> bool, out: &mut Vec<u8>) {
        let returns: Vec<Held> = self.stairs.values_mut().filter_map(|s| s.held.take_if(&known)).collect();
        for held in returns {
            self.decide(held.row, Step::Return);
        }
        self.write(out);
    }

    fn decide(&mut self, row: u64, step: Step) {
        if let Some(row) = self.waiting.get_mut((row - self.first) as usize) {
            row.step = step;
        }
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        while let Some(row) = self.waiting.pop_front_if(|row| !matches!(row.step, Step::MaybeReturn)) {
            self.first += 1;
            let indent = &mut self.stairs.entry(row.cpu).or_default().indent;
            match row.step {
                Step::Entry => {
                    row.write(*indent, if row.system { b" => " } else { b" -> " }, false, out);
                    *indent += 2;
                }
                Step::Return => {
                    *indent = indent.saturating_sub(2);
                    row.write(*indent, if row.system { b" <= " } else { b" <- " }, false, out);
                }
                Step::None | Step::MaybeReturn => row.write(*indent, b"| ", true, out),
            }
        }
    }
}

impl Row {
    fn write(&self, indent: usize, prefix: &[u8], named: bool, out: &mut Vec<u8>) {
        let mut digits = [0; 10];
        number::pad_left(number::digits(u64::from(self.cpu), 10, false, &mut digits), 3, b' ', out);
        out.push(b' ');
        let from = out.len();
        out.extend(std::iter::repeat_n(b' ', indent));
        out.extend_from_slice(prefix);
        out.extend_from_slice(&self.function);
        if named {
            out.push(b':');
            out.extend_from_slice(&self.name);
        }
        let used = out.len() - from;
        out.extend(std::iter::repeat_n(b' ', 41usize.saturating_sub(used) + 1));
        out.extend_from_slice(&self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Probe = (u32, u32, &'static str, &'static str, &'static str);

    fn fired((cpu, clause, provider, function, name): Probe) -> Fired<'static> {
        // one number for each function and name
        let probe = function.bytes().chain(name.bytes()).fold(7, |n: u32, b| n * 31 % 10_007 + u32::from(b));
        Fired {
            cpu,
            probe,
            clause,
            provider: provider.as_bytes(),
            function: function.as_bytes(),
            name: name.as_bytes(),
        }
    }

    fn rows(out: &[u8]) -> Vec<String> {
        String::from_utf8_lossy(out).lines().map(|l| l.trim_end().to_string()).collect()
    }

    #[test]
    fn entries_go_in_and_returns_go_out() {
        let (mut flow, mut out) = (Flow::default(), Vec::new());
        let mut take = |probe, body: &[u8]| flow.take(fired(probe), body, &mut out);
        take((1, 0, "syscall", "read", "entry"), b"\n");
        take((1, 0, "fbt", "vfs_read", "entry"), b"\n");
        take((1, 1, "fbt", "vfs_read", "entry"), b"x\n");
        take((1, 0, "profile", "", "tick-1s"), b"\n");
        take((1, 0, "fbt", "vfs_read", "return"), b"\n");
        take((1, 1, "fbt", "vfs_read", "return"), b"\n");
        take((1, 0, "syscall", "read", "return"), b"\n");
        flow.flush(&mut out);
        assert_eq!(
            rows(&out),
            [
                "  1  => read",
                "  1    -> vfs_read",
                "  1     | vfs_read:entry                      x",
                "  1     | :tick-1s",
                "  1     | vfs_read:return",
                "  1    <- vfs_read",
                "  1  <= read",
            ]
        );
    }

    #[test]
    fn what_another_cpu_did_after_a_return_stays_after_it() {
        let (mut flow, mut out) = (Flow::default(), Vec::new());
        let mut take = |probe| flow.take(fired(probe), b"\n", &mut out);
        take((0, 0, "syscall", "read", "entry"));
        take((0, 0, "syscall", "read", "return"));
        take((1, 0, "syscall", "write", "entry"));
        take((1, 0, "dtrace", "", "END"));
        take((0, 1, "syscall", "read", "return"));
        take((1, 0, "syscall", "write", "return"));
        flow.flush(&mut out);
        assert_eq!(
            rows(&out),
            [
                "  0  => read",
                "  0   | read:return",
                "  1  => write",
                "  1   | :END",
                "  0  <= read",
                "  1  <= write"
            ]
        );
    }

    #[test]
    fn a_return_waits_for_one_pause_but_not_for_two() {
        let (mut flow, mut out) = (Flow::default(), Vec::new());
        flow.take(fired((0, 0, "fbt", "f", "return")), b"\n", &mut out);
        flow.pause(&mut out);
        assert!(out.is_empty());
        flow.take(fired((0, 1, "fbt", "f", "return")), b"\n", &mut out);
        flow.pause(&mut out);
        assert_eq!(rows(&out), ["  0 | f:return"]);
        flow.pause(&mut out);
        assert_eq!(rows(&out), ["  0 | f:return", "  0  <- f"]);
    }
}
