//! `-F`: rows indented by function entry and return.
//!
//! An entry prints `->` (system calls: `=>`) and what follows is two columns further in; a return prints `<-` (`<=`) two columns
//! further out; everything else `|`. Several clauses of one firing are one step, not many: only the first clause of an entry and
//! the last clause of a return count, so a return is held back until the next record shows whether it was the last.

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
}

struct Held {
    cpu: u32,
    probe: u32,
    clause: u32,
    system: bool,
    function: Vec<u8>,
    name: Vec<u8>,
    body: Vec<u8>,
}

#[derive(Default)]
pub struct Flow {
    indent: usize,
    last: Option<(u32, u32)>,
    held: Option<Held>,
}

fn step(name: &[u8]) -> Step {
    let is = |word: &[u8]| {
        name.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with(b"-"))
    };
    match (is(b"entry"), is(b"return")) {
        (true, _) => Step::Entry,
        (_, true) => Step::Return,
        _ => Step::None,
    }
}

impl Flow {
    /// Takes a record and what its actions printed (newline included); writes it, or what was held back before it.
    pub fn take(&mut self, fired: Fired<'_>, body: &[u8], out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            let another_clause = held.probe == fired.probe && held.clause != fired.clause;
            self.finish(held, another_clause, out);
        }
        let system = fired.provider == b"syscall";
        let entry_goes_on =
            self.last.is_some_and(|(probe, clause)| probe == fired.probe && clause != fired.clause);
        match step(fired.name) {
            Step::Return => {
                self.held = Some(Held {
                    cpu: fired.cpu,
                    probe: fired.probe,
                    clause: fired.clause,
                    system,
                    function: fired.function.to_vec(),
                    name: fired.name.to_vec(),
                    body: body.to_vec(),
                });
            }
            Step::Entry if !entry_goes_on => {
                self.row(fired.cpu, if system { b" => " } else { b" -> " }, fired.function, None, body, out);
                self.indent += 2;
            }
            Step::Entry | Step::None => {
                self.row(fired.cpu, b"| ", fired.function, Some(fired.name), body, out)
            }
        }
        self.last = Some((fired.probe, fired.clause));
    }

    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(held) = self.held.take() {
            self.finish(held, false, out);
        }
    }

    fn finish(&mut self, held: Held, goes_on: bool, out: &mut Vec<u8>) {
        if goes_on {
            self.row(held.cpu, b"| ", &held.function, Some(&held.name), &held.body, out);
        } else {
            self.indent = self.indent.saturating_sub(2);
            self.row(
                held.cpu,
                if held.system { b" <= " } else { b" <- " },
                &held.function,
                None,
                &held.body,
                out,
            );
        }
    }

    fn row(
        &self,
        cpu: u32,
        prefix: &[u8],
        function: &[u8],
        name: Option<&[u8]>,
        body: &[u8],
        out: &mut Vec<u8>,
    ) {
        let mut digits = [0; 10];
        super::number::pad_left(super::number::digits(u64::from(cpu), 10, false, &mut digits), 3, b' ', out);
        out.push(b' ');
        let from = out.len();
        out.extend(std::iter::repeat_n(b' ', self.indent));
        out.extend_from_slice(prefix);
        out.extend_from_slice(function);
        if let Some(name) = name {
            out.push(b':');
            out.extend_from_slice(name);
        }
        let used = out.len() - from;
        out.extend(std::iter::repeat_n(b' ', 41usize.saturating_sub(used) + 1));
        out.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_go_in_and_returns_go_out() {
        let mut flow = Flow::default();
        let mut out = Vec::new();
        let fired =
            |probe, clause, provider: &'static str, function: &'static str, name: &'static str| Fired {
                cpu: 1,
                probe,
                clause,
                provider: provider.as_bytes(),
                function: function.as_bytes(),
                name: name.as_bytes(),
            };
        flow.take(fired(1, 0, "syscall", "read", "entry"), b"\n", &mut out);
        flow.take(fired(2, 0, "fbt", "vfs_read", "entry"), b"\n", &mut out);
        flow.take(fired(2, 1, "fbt", "vfs_read", "entry"), b"x\n", &mut out);
        flow.take(fired(9, 0, "profile", "", "tick-1s"), b"\n", &mut out);
        flow.take(fired(3, 0, "fbt", "vfs_read", "return"), b"\n", &mut out);
        flow.take(fired(3, 1, "fbt", "vfs_read", "return"), b"\n", &mut out);
        flow.take(fired(4, 0, "syscall", "read", "return"), b"\n", &mut out);
        flow.flush(&mut out);
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<&str> = text.lines().map(|l| l.trim_end()).collect();
        assert_eq!(
            rows,
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
}
