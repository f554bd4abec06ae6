//! `lkd selftest patterns`: whether processes' memory is in a dump, byte by byte what they had written.
//!
//! The program `owner` says what it wrote: each word is its own address, exclusive-or a number. It is looked for as a debugger would,
//! through the process' own page tables in the dump.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::invariants::{self, Asked};
use lkd_capture::invariants::tasks::census;
use lkd_capture::invariants::{Lacking, View};
use lkd_dump::{AddressSpace, Dump, Levels, Memory, PAGE_SIZE, Paddr, Pfn, ReadError, Torn, Vaddr};
use lkd_kernel::vmcoreinfo::VmcoreInfo;

/// A piece of a process' memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    name: String,
    pid: u32,
    at: u64,
    pages: u64,
    seed: u64,
}

impl Piece {
    /// Reads a line `WHO WHAT PID ADDRESS PAGES NUMBER`.
    fn parse(line: &str) -> Option<Piece> {
        let hex = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [who, what, pid, at, pages, seed] = *words.as_slice() else { return None };
        let piece = Piece {
            name: format!("{who} {what}"),
            pid: pid.parse().ok()?,
            at: hex(at)?,
            pages: pages.parse().ok()?,
            seed: hex(seed)?,
        };
        piece.at.checked_add(piece.pages.checked_mul(PAGE_SIZE as u64)?).map(|_| piece)
    }

    /// Whether these are the bytes that were written at `at`.
    fn wrote(&self, at: u64, bytes: &[u8]) -> bool {
        let words = bytes.as_chunks::<8>().0.iter().zip((at..).step_by(8));
        words.into_iter().all(|(word, at)| u64::from_le_bytes(*word) == at ^ self.seed)
    }
}

/// Pages of a piece, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    right: u64,
    wrong: u64,
    absent: u64,
    unmapped: u64,
    /// Of those that are right: read after the freeze.
    late: u64,
}

/// Looks for what `table` tells of; gives a line for each piece and whether every page was right.
///
/// # Errors
/// Something cannot be read, or is another boot's.
pub fn look(asked: &Asked, table: &Path) -> Result<(String, bool), String> {
    let bad = |why: &dyn std::fmt::Display| format!("{}: {why}", table.display());
    let text = fs::read_to_string(table).map_err(|why| bad(&why))?;
    let pieces: Option<Vec<Piece>> = text.lines().map(Piece::parse).collect();
    let pieces = pieces.filter(|pieces| !pieces.is_empty()).ok_or_else(|| bad(&"not what owner writes"))?;
    let counts = invariants::view(asked, |dump, view| {
        let torn: Vec<Torn> = dump.notes().flatten().filter_map(|note| note.as_torn()).flatten().collect();
        let late = |pfn: Pfn| torn.iter().any(|run| run.why == Torn::TRAILING && run.covers(pfn));
        pieces
            .iter()
            .map(|piece| Ok(space(dump, view, piece.pid)?.map(|space| count(dump, &space, piece, late))))
            .collect::<Result<Vec<Option<Count>>, Lacking>>()
    })?;
    let counts = counts.map_err(|why| why.to_string())?;
    let mut text = String::new();
    for (piece, count) in pieces.iter().zip(&counts) {
        let _ = match count {
            None => writeln!(text, "{}: no process {} in the dump", piece.name, piece.pid),
            Some(count) => writeln!(
                text,
                "{}: {} pages, {} right, {} wrong, {} absent, {} unmapped, {} late",
                piece.name, piece.pages, count.right, count.wrong, count.absent, count.unmapped, count.late
            ),
        };
    }
    let all = pieces
        .iter()
        .zip(&counts)
        .all(|(piece, count)| count.is_some_and(|count| count.right == piece.pages));
    Ok((text, all))
}

/// A process' page tables.
fn space<R>(dump: &Dump<R>, view: &View<'_>, pid: u32) -> Result<Option<AddressSpace>, Lacking>
where
    Dump<R>: Memory,
    R: std::io::Read + std::io::Seek,
{
    let (mm, pgd) = (view.member("task_struct", "mm")?, view.member("mm_struct", "pgd")?);
    let info = dump.notes().flatten().find_map(|note| note.as_vmcoreinfo().map(VmcoreInfo::parse));
    let census = census(view, &mut Vec::new());
    let root = census
        .by_pid(pid)
        .and_then(|task| view.word(task.vaddr.wrapping_add(mm)))
        .filter(|mm| *mm != 0)
        .and_then(|mm| view.word(mm.wrapping_add(pgd)))
        .and_then(|pgd| pgd.checked_sub(view.bases.page_offset));
    Ok(root.map(|root| AddressSpace {
        root: Paddr(root),
        levels: if view.bases.five_levels { Levels::Five } else { Levels::Four },
        encryption_mask: info.map_or(0, |info| info.encryption_mask()),
    }))
}

fn count(memory: &dyn Memory, space: &AddressSpace, piece: &Piece, late: impl Fn(Pfn) -> bool) -> Count {
    let mut count = Count::default();
    let mut bytes = [0; PAGE_SIZE];
    for page in 0..piece.pages {
        let at = piece.at + page * PAGE_SIZE as u64;
        match space.read(memory, Vaddr(at), &mut bytes) {
            Ok(()) if piece.wrote(at, &bytes) => {
                count.right += 1;
                let place = space.translate(memory, Vaddr(at));
                count.late += u64::from(place.is_ok_and(|place| late(place.paddr.pfn())));
            }
            Ok(()) => count.wrong += 1,
            Err(ReadError::NotMapped { .. }) => count.unmapped += 1,
            Err(_) => count.absent += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_whole_or_not_at_all() {
        let piece = Piece::parse("owner large 17 0x7f0000000000 3 0xff").expect("it is one");
        assert_eq!((piece.name.as_str(), piece.pid, piece.pages), ("owner large", 17, 3));
        for line in [
            "",
            "owner large 17 0x7f0000000000 3",
            "owner large -1 0x7f0000000000 3 0xff",
            "owner large 17 7f0000000000 3 0xff",
            "owner large 17 0xffffffffffffffff 3 0xff",
            "owner large 17 0x1000 0xff 0xff",
        ] {
            assert_eq!(Piece::parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_page_is_right_if_every_word_is() {
        let piece = Piece { name: String::new(), pid: 1, at: 0x1000, pages: 1, seed: 0x5a5a };
        let mut bytes: Vec<u8> =
            (0..512u64).flat_map(|i| ((0x1000 + i * 8) ^ 0x5a5a).to_le_bytes()).collect();
        assert!(piece.wrote(0x1000, &bytes) && !piece.wrote(0x2000, &bytes));
        bytes[4095] = 1;
        assert!(!piece.wrote(0x1000, &bytes));
    }
}
