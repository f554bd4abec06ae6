//! The proof that a file is as it was written, and that its pages are those that were read.
//!
//! First every block of the file is compared with its checksum, whatever stands in it; then the dump is opened as any
//! reader opens it, and every page is unpacked and compared with the checksum that was taken before it was packed.

use std::fmt;
use std::io::{Read, Seek};

use crate::addr::PAGE_SIZE;
use crate::input::Input;
use crate::memory::{Memory, Page};
use crate::sums::{self, BLOCK, End, Table};
use crate::{ByteLen, Dump, Error, FileOff, Pfn, PfnSet, Progress, Promise};

/// Blocks read at once.
const AT_ONCE: usize = 256;

/// Something about a file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The file as a whole.
    File {
        /// What is wrong with it.
        problem: String,
    },
    /// Bytes of it.
    Bytes {
        /// Where they start.
        at: FileOff,
        /// How many, in whole blocks: which of them is wrong is not known.
        len: ByteLen,
        /// What stands there.
        part: &'static str,
    },
    /// A page.
    Page {
        /// Its page frame.
        pfn: Pfn,
        /// Where the file says that its bytes are.
        at: Option<FileOff>,
        /// What is wrong with it.
        problem: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::File { problem } => out.write_str(problem),
            Finding::Bytes { at, len, part } => {
                write!(out, "at {at}: {} bytes of {part} are not as they were written", len.0)
            }
            Finding::Page { pfn, at: Some(at), problem } => {
                write!(out, "page frame {pfn} at {at}: {problem}")
            }
            Finding::Page { pfn, at: None, problem } => write!(out, "page frame {pfn}: {problem}"),
        }
    }
}

/// What a proof came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Pages that were compared.
    pub pages: u64,
    /// Of these, not what they were.
    pub bad_pages: u64,
    /// Bytes of the file that were compared.
    pub bytes: ByteLen,
    /// Of these, in blocks that are not what they were.
    pub bad_bytes: ByteLen,
    /// All that was found.
    pub findings: u64,
}

impl Verdict {
    /// Whether nothing was found.
    pub const fn is_whole(&self) -> bool {
        self.findings == 0
    }
}

/// Why there is nothing to prove.
#[derive(Debug, thiserror::Error)]
pub enum Unproven {
    /// The file is no dump, or cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Error),
    /// The file has no checksums, and does not promise any.
    #[error("holds no checksums: it was written by another program, or by lkd before it had them")]
    NoSums,
}

/// Compares a file with the checksums at its end. Each finding is given to `tell`; `progress` is told pages and bytes
/// compared so far.
///
/// # Errors
/// The file is no dump of ours, or reading it fails. Damage is no error, it is a finding.
pub fn verify<R: Read + Seek>(
    file: &mut R,
    tell: &mut dyn FnMut(Finding),
    progress: &mut dyn FnMut(&Progress),
) -> Result<Verdict, Unproven> {
    let mut input = Input::new(&mut *file)?;
    let end = End::read(&mut input)?;
    drop(input);
    let mut proof = Proof { verdict: Verdict::default(), tell, progress };
    // What does not open with sound checksums is damaged; with none it may be anything.
    let opened = Dump::open(&mut *file).map(|dump| (dump.parts(), promise(&dump)));
    match (end, opened) {
        (End::Table(table), opened) => {
            let parts = opened.map_or_else(|_| vec![(FileOff(0), "the file")], |(parts, _)| parts);
            proof.blocks(file, &table, &parts)?;
            proof.pages(file, Some(&table))?;
        }
        (End::Broken(error), _) => {
            proof.found(Finding::File { problem: format!("its checksums are damaged: {error}") });
            proof.pages(file, None)?;
        }
        (End::Other, Ok((_, Some(promise)))) => {
            proof.found(Finding::File { problem: missing(file, &promise)? });
            proof.pages(file, None)?;
        }
        (End::Other, Ok((_, None))) => return Err(Unproven::NoSums),
        (End::Other, Err(error)) => return Err(error.into()),
    }
    Ok(proof.verdict)
}

fn promise<R: Read + Seek>(dump: &Dump<R>) -> Option<Promise> {
    dump.notes().flatten().find_map(|note| note.as_promise())
}

/// Why there are no checksums where a note promises them.
fn missing<R: Read + Seek>(file: &mut R, promise: &Promise) -> Result<String, Error> {
    let len = Input::new(file)?.len().0;
    let wanted = promise.offset.saturating_add(promise.bytes);
    Ok(if len < wanted {
        format!("it was cut off: {} of {wanted} bytes are missing, the checksums among them", wanted - len)
    } else {
        format!("its last bytes are not the checksums that a note promises at {:#x}", promise.offset)
    })
}

struct Proof<'a> {
    verdict: Verdict,
    tell: &'a mut dyn FnMut(Finding),
    progress: &'a mut dyn FnMut(&Progress),
}

impl Proof<'_> {
    fn found(&mut self, finding: Finding) {
        self.verdict.findings += 1;
        (self.tell)(finding);
    }

    fn told(&mut self) {
        (self.progress)(&Progress { pages: self.verdict.pages, bytes_written: self.verdict.bytes.0 });
    }

    /// Compares every block below the table.
    fn blocks<R: Read + Seek>(
        &mut self,
        file: &mut R,
        table: &Table,
        parts: &[(FileOff, &'static str)],
    ) -> Result<(), Error> {
        let mut input = Input::new(file)?;
        let part = |at: FileOff| {
            let after = parts.partition_point(|(start, _)| *start <= at);
            parts.get(after.saturating_sub(1)).map_or("the file", |(_, name)| name)
        };
        // Bad blocks side by side in one part are one finding.
        let mut run: Option<(FileOff, ByteLen, &'static str)> = None;
        let mut at = FileOff(0);
        for sums in table.blocks.chunks(AT_ONCE) {
            let bytes = input.part(at, sums.len() as u64 * BLOCK, "the file")?;
            for (block, sum) in bytes.chunks(PAGE_SIZE).zip(sums) {
                let bad = sums::of(block) != *sum;
                let ended = match &mut run {
                    Some((_, len, name)) if bad && *name == part(at) => {
                        len.0 += BLOCK;
                        None
                    }
                    _ => std::mem::replace(&mut run, bad.then(|| (at, ByteLen(BLOCK), part(at)))),
                };
                self.bytes_found(ended);
                at.0 += BLOCK;
            }
            self.verdict.bytes = ByteLen(at.0);
            self.told();
        }
        self.bytes_found(run);
        Ok(())
    }

    fn bytes_found(&mut self, run: Option<(FileOff, ByteLen, &'static str)>) {
        if let Some((at, len, part)) = run {
            self.verdict.bad_bytes.0 += len.0;
            self.found(Finding::Bytes { at, len, part });
        }
    }

    /// Reads every page, and compares it where there is a checksum.
    fn pages<R: Read + Seek>(&mut self, file: &mut R, table: Option<&Table>) -> Result<(), Error> {
        let dump = match Dump::open(file) {
            Ok(dump) => dump,
            Err(Error::Format { at, field, problem }) => {
                self.found(Finding::File {
                    problem: format!("no reader can open it: at {at}: {field}: {problem}"),
                });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let dumped: PfnSet = dump.dumped();
        let known = table.map_or(dumped.count(), |table| table.pages.len() as u64);
        if dumped.count() != known {
            let problem =
                format!("it says that it holds {} pages and was written with {known}", dumped.count());
            self.found(Finding::File { problem });
        }
        let sums = table.map_or(&[] as &[u32], |table| table.pages.as_slice());
        for (place, pfn) in dumped.pfns().take(known as usize).enumerate() {
            let problem = match dump.read_page(pfn) {
                Ok(Page::Present(page)) => sums
                    .get(place)
                    .is_some_and(|sum| sums::of(page.as_slice()) != *sum)
                    .then(|| "its bytes are not those that were read from memory".to_owned()),
                Ok(Page::Absent(why)) => Some(why.to_string()),
                Err(Error::Io { doing, error }) => return Err(Error::Io { doing, error }),
                Err(error) => Some(error.to_string()),
            };
            self.verdict.pages += 1;
            if let Some(problem) = problem {
                self.verdict.bad_pages += 1;
                self.found(Finding::Page { pfn, at: dump.place(pfn), problem });
            }
            if self.verdict.pages.is_multiple_of(4096) {
                self.told();
            }
        }
        self.told();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
