//! The chains that `storm` plants: eventfds of one process whose counters are written in a known order.
//!
//! An eventfd's counter changes with its wait queue's lock held and interrupts off, by one store; nothing excuses a count that
//! is out of order.

use super::tasks::Census;
use super::{Finding, Lacking, View};

/// Order within one CPU.
pub const CHAIN_X: &str = "chain X";
/// Order from one CPU to another.
pub const CHAIN_Y: &str = "chain Y";

/// What `storm` says of its counters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// The process that has the files.
    pub pid: u32,
    /// Eventfds that one thread adds 1 to in turn.
    pub x: Vec<u64>,
    /// Eventfds to which another CPU's thread adds what it has seen added to the x of the same place.
    pub y: Vec<u64>,
}

impl Planted {
    /// Reads the lines `pid N`, `x FD...` and `y FD...`. `None` when one is missing.
    pub fn parse(text: &str) -> Option<Planted> {
        let numbers = |name: &str| -> Option<Vec<u64>> {
            let mut lines = text.lines().map(str::split_ascii_whitespace);
            let mut words = lines.find_map(|mut words| (words.next() == Some(name)).then_some(words))?;
            words.by_ref().map(|word| word.parse().ok()).collect()
        };
        let pid = u32::try_from(*numbers("pid")?.first()?).ok()?;
        Some(Planted { pid, x: numbers("x")?, y: numbers("y")? })
    }
}

/// Judges both chains.
pub fn chains(view: &View<'_>, census: &Census, planted: &Planted) -> Result<[Finding; 2], Lacking> {
    let (mut ordered, mut caused) = (Finding::new(CHAIN_X), Finding::new(CHAIN_Y));
    let counters = Counters::of(view)?;
    let Some(table) = counters.table(view, census, planted.pid) else {
        for finding in [&mut ordered, &mut caused] {
            finding.violation(format!("process {} has no table of files in the image", planted.pid));
        }
        return Ok([ordered, caused]);
    };
    let counts = |fds: &[u64], finding: &mut Finding| -> Vec<Option<u64>> {
        let count = |fd: &u64| {
            let count = counters.count(view, table, *fd);
            if count.is_none() {
                finding.unread(&format!("eventfd {fd}"), table.wrapping_add(fd.wrapping_mul(8)));
            }
            count
        };
        fds.iter().map(count).collect()
    };
    let x = counts(&planted.x, &mut ordered);
    let y = counts(&planted.y, &mut caused);
    let known: Vec<u64> = x.iter().flatten().copied().collect();
    for (place, pair) in known.windows(2).enumerate() {
        let [before, after] = pair else { continue };
        ordered.looked += 1;
        if after > before {
            ordered.violation(format!("x[{}] is {after}, x[{place}] before it only {before}", place + 1));
        }
    }
    if let (Some(least), Some(most)) = (known.iter().min(), known.iter().max()) {
        ordered.looked += 1;
        if most - least > 1 {
            ordered.violation(format!("from {least} to {most}: {} rounds apart", most - least));
        }
    }
    for (place, (x, y)) in x.iter().zip(&y).enumerate() {
        let (Some(x), Some(y)) = (x, y) else { continue };
        caused.looked += 1;
        if y > x {
            caused.violation(format!("y[{place}] is {y}, and x[{place}], which it was made from, {x}"));
        }
    }
    Ok([ordered, caused])
}

/// Where on the way from a task to its eventfds' counters what stands.
struct Counters {
    files: u64,
    fdt: u64,
    fd: u64,
    max: u64,
    private: u64,
    count: u64,
}

impl Counters {
    fn of(view: &View<'_>) -> Result<Counters, Lacking> {
        Ok(Counters {
            files: view.member("task_struct", "files")?,
            fdt: view.member("files_struct", "fdt")?,
            fd: view.member("fdtable", "fd")?,
            max: view.member("fdtable", "max_fds")?,
            private: view.member("file", "private_data")?,
            count: view.member("eventfd_ctx", "count")?,
        })
    }

    /// The array of a process' files.
    fn table(&self, view: &View<'_>, census: &Census, pid: u32) -> Option<u64> {
        let task = census.by_pid(pid)?;
        let files = view.word(task.vaddr.wrapping_add(self.files))?;
        let table = view.word(files.wrapping_add(self.fdt))?;
        view.half(table.wrapping_add(self.max)).filter(|max| *max > 0)?;
        view.word(table.wrapping_add(self.fd))
    }

    fn count(&self, view: &View<'_>, table: u64, fd: u64) -> Option<u64> {
        let file = view.word(table.wrapping_add(fd.wrapping_mul(8)))?;
        let context = view.word(file.wrapping_add(self.private))?;
        view.word(context.wrapping_add(self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Files;
    use super::*;

    fn judge(x: &[u64], y: &[u64]) -> [u64; 2] {
        let files = Files::with(x, y);
        files.made.view(|view| {
            let both = chains(view, &files.census(), &files.planted).unwrap();
            for finding in &both {
                assert!(finding.looked > 0 || finding.violations > 0, "{finding}");
            }
            both.map(|finding| finding.violations)
        })
    }

    #[test]
    fn the_file_is_read() {
        let planted = Planted::parse("pid 7\nx 3 5\ny 4 6\n").unwrap();
        assert_eq!(planted, Planted { pid: 7, x: vec![3, 5], y: vec![4, 6] });
        for bad in ["", "pid 7\nx 3\n", "pid\nx 1\ny 1\n", "pid 7\nx a\ny 1\n", "pid 99999999999\nx 1\ny 2\n"]
        {
            assert_eq!(Planted::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_cut_of_a_round_holds() {
        assert_eq!(judge(&[5, 5, 5, 5], &[5, 5, 5, 5]), [0, 0]);
        assert_eq!(judge(&[6, 6, 5, 5], &[6, 5, 5, 4]), [0, 0]);
    }

    #[test]
    fn a_later_counter_ahead_is_found() {
        assert_eq!(judge(&[5, 5, 6, 5], &[0, 0, 0, 0]), [1, 0]);
    }

    #[test]
    fn rounds_apart_are_found() {
        assert_eq!(judge(&[9, 9, 7, 7], &[0, 0, 0, 0]), [1, 0]);
    }

    #[test]
    fn an_effect_before_its_cause_is_found() {
        assert_eq!(judge(&[6, 6, 5, 5], &[6, 7, 5, 6]), [0, 2]);
    }

    #[test]
    fn a_process_that_is_not_there_is_a_violation() {
        let mut files = Files::with(&[1], &[1]);
        files.planted.pid = 77;
        let both = files.made.view(|view| chains(view, &files.census(), &files.planted).unwrap());
        assert!(both.iter().all(|finding| finding.violations == 1));
    }

    #[test]
    fn a_counter_behind_garbage_is_a_violation() {
        let mut files = Files::with(&[1, 1], &[1, 1]);
        let at = files.file(0) + files.private_at;
        files.made.put(at, 0x1234);
        let both = files.made.view(|view| chains(view, &files.census(), &files.planted).unwrap());
        assert_eq!((both[0].violations, both[0].unread), (1, 1));
    }
}
