//! `-F`: entries and returns become arrows and indentation, one stair per CPU.

/// One CPU's stair.
#[derive(Default)]
pub(super) struct Indent {
    pub depth: usize,
    last: Option<(u32, u32)>,
    /// (probe, clause, record) that waits for its successor: a return only closes its function if the next record is not
    /// another clause of the same firing.
    pub held: Option<(u32, u32, Vec<u8>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Entry,
    Return,
    None,
}

/// How one record stands in the stair.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    kind: Kind,
    depth: usize,
    arrow: &'static str,
}

impl Flow {
    pub fn none(depth: usize) -> Flow {
        Flow { kind: Kind::None, depth, arrow: "| " }
    }

    /// `  -> vfs_read`, or `  | vfs_read:name` for a probe that is neither entry nor return.
    pub fn label(&self, function: &str, name: &str) -> String {
        let pad = self.depth;
        match self.kind {
            Kind::None => format!("{:pad$}{}{function}:{name}", "", self.arrow),
            _ => format!("{:pad$}{}{function}", "", self.arrow),
        }
    }
}

impl Indent {
    /// Where the record of `this` (probe, clause) stands, `next` being the CPU's next record if there is one.
    pub fn step(&mut self, provider: &str, name: &str, this: (u32, u32), next: Option<(u32, u32)>) -> Flow {
        let ends = |word: &str| name == word || name.strip_suffix(word).is_some_and(|head| head.ends_with('-'));
        let syscall = provider == "syscall";
        let again = |other: Option<(u32, u32)>| other.is_some_and(|(p, c)| p == this.0 && c != this.1);
        let last = self.last.replace(this);
        if ends("entry") && !again(last) {
            return Flow { kind: Kind::Entry, depth: self.depth, arrow: if syscall { " => " } else { " -> " } };
        }
        if ends("return") && !again(next) {
            self.depth = self.depth.saturating_sub(2);
            return Flow { kind: Kind::Return, depth: self.depth, arrow: if syscall { " <= " } else { " <- " } };
        }
        Flow::none(self.depth)
    }

    /// After the record was shown.
    pub fn after(&mut self, flow: &Flow) {
        if flow.kind == Kind::Entry {
            self.depth += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(steps: &[(&str, (u32, u32))]) -> Vec<String> {
        let mut indent = Indent::default();
        let mut rows = Vec::new();
        for (i, (name, this)) in steps.iter().enumerate() {
            let flow = indent.step("fbt", name, *this, steps.get(i + 1).map(|(_, t)| *t));
            rows.push(flow.label(&format!("f{}", this.0 / 2), name));
            indent.after(&flow);
        }
        rows
    }

    #[test]
    fn entries_indent_and_returns_undo_it() {
        let rows = walk(&[("entry", (2, 0)), ("entry", (4, 0)), ("tick", (8, 0)), ("return", (5, 1)), ("return", (3, 1))]);
        assert_eq!(rows, [" -> f1", "   -> f2", "    | f4:tick", "   <- f2", " <- f1"]);
    }

    #[test]
    fn two_clauses_of_one_firing_are_one_step() {
        let rows = walk(&[("entry", (2, 0)), ("entry", (2, 1)), ("return", (3, 2)), ("return", (3, 3))]);
        assert_eq!(rows, [" -> f1", "  | f1:entry", "  | f1:return", " <- f1"]);
    }

    #[test]
    fn carpentry_is_no_entry() {
        assert_eq!(walk(&[("carpentry", (2, 0)), ("function-entry", (4, 0))]), ["| f1:carpentry", " -> f2"]);
    }
}
