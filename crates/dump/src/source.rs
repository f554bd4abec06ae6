//! What a writer of dumps takes (pages in order, what the machine was, how to store it) and what it tells.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use crate::addr::PAGE_SIZE;
use crate::aligned::Aligned;
use crate::{ByteLen, FileOff, Kind, Notes, Paddr, PageBytes, Pfn, PfnSet, Vaddr};

/// Pages in one [`PageBatch`]: 1 MiB of memory.
pub const BATCH_PAGES: usize = 256;

/// Why a source could not go on, in its own words.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

const NOT_LENT: &str = "a page that was lent is not there";

/// Where a dump's pages come from.
pub trait PageSource {
    /// Pushes the next pages into the empty `batch`, in strictly ascending order over all batches. A page that
    /// cannot be read is left out, and is then absent from the dump. A batch left empty is the end.
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError>;

    /// The notes that are known only now, after the last page: the shot, torn ranges, statistics; at most `room`
    /// bytes of them.
    fn closing_notes(&mut self, summary: &Summary, room: ByteLen) -> Result<Notes, SourceError> {
        let _ = (summary, room);
        Ok(Notes::new())
    }
}

/// Where pages are that a batch only names: the packing threads copy them, many at a time, when they come to them.
pub trait Lender: Send + Sync {
    /// Copies out the page that was lent under this number, whole; false when there is none.
    #[must_use]
    fn copy(&self, number: u64, into: &mut PageBytes) -> bool;
}

/// Some pages on their way into a dump.
pub struct PageBatch {
    pfns: Vec<Pfn>,
    bytes: Aligned,
    /// Pages still to be copied from `lender`: their places, ascending, and their numbers there.
    lent: Vec<(usize, u64)>,
    lender: Option<Arc<dyn Lender>>,
}

impl PageBatch {
    /// An empty batch.
    pub fn new() -> PageBatch {
        PageBatch {
            pfns: Vec::with_capacity(BATCH_PAGES),
            bytes: Aligned::new(BATCH_PAGES * PAGE_SIZE),
            lent: Vec::new(),
            lender: None,
        }
    }

    /// How many pages it holds.
    pub fn len(&self) -> usize {
        self.pfns.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.pfns.is_empty()
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.pfns.len() >= BATCH_PAGES
    }

    /// Makes room for a page, which the caller must fill whole (older bytes are still in it), or `None` when full.
    pub fn push(&mut self, pfn: Pfn) -> Option<&mut PageBytes> {
        let at = self.pfns.len().checked_mul(PAGE_SIZE)?;
        let page = self.bytes.get_mut().get_mut(at..)?.first_chunk_mut()?;
        self.pfns.push(pfn);
        Some(page)
    }

    /// Takes back the last page, whose bytes could not be read.
    pub fn pop(&mut self) {
        self.pfns.pop();
        self.lent.pop_if(|(place, _)| *place >= self.pfns.len());
    }

    /// Names a page that `lender` has under `number`, to be copied later and by another thread; says whether there was
    /// room. A batch has one lender: pages of a second one are copied now.
    ///
    /// # Errors
    /// A second lender has no such page.
    pub fn lend(&mut self, pfn: Pfn, lender: &Arc<dyn Lender>, number: u64) -> Result<bool, SourceError> {
        let same = self.lender.as_ref().is_none_or(|known| Arc::ptr_eq(known, lender));
        let place = self.pfns.len();
        let Some(room) = self.push(pfn) else { return Ok(false) };
        if same {
            self.lent.push((place, number));
            self.lender.get_or_insert_with(|| Arc::clone(lender));
        } else if !lender.copy(number, room) {
            return Err(NOT_LENT.into());
        }
        Ok(true)
    }

    /// Copies what was lent.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        let Some(lender) = self.lender.take() else { return Ok(()) };
        let (pages, _) = self.bytes.get_mut().as_chunks_mut::<PAGE_SIZE>();
        for (place, number) in self.lent.drain(..) {
            if !pages.get_mut(place).is_some_and(|page| lender.copy(number, page)) {
                return Err(Error::Source(NOT_LENT.into()));
            }
        }
        Ok(())
    }

    /// Copies a page in; says whether there was room.
    pub fn push_page(&mut self, pfn: Pfn, page: &PageBytes) -> bool {
        match self.push(pfn) {
            Some(room) => {
                *room = *page;
                true
            }
            None => false,
        }
    }

    /// Empties the batch.
    pub fn clear(&mut self) {
        self.pfns.clear();
        self.lent.clear();
        self.lender = None;
    }

    /// The page frames, in the order in which they came.
    pub fn pfns(&self) -> &[Pfn] {
        &self.pfns
    }

    /// The pages in the order in which they came. Those that were lent have their bytes only when a packer has come to
    /// them.
    pub fn pages(&self) -> impl Iterator<Item = (Pfn, &PageBytes)> {
        let (pages, _) = self.bytes.get().as_chunks::<PAGE_SIZE>();
        self.pfns.iter().copied().zip(pages)
    }

    /// The bytes of all pages, one after the other.
    pub fn page_bytes(&self) -> &[u8] {
        self.bytes.get().get(..self.pfns.len() * PAGE_SIZE).unwrap_or_default()
    }
}

impl Default for PageBatch {
    fn default() -> PageBatch {
        PageBatch::new()
    }
}

impl fmt::Debug for PageBatch {
    /// The page numbers alone: the bytes are somebody's memory.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PageBatch").field("pfns", &self.pfns).finish_non_exhaustive()
    }
}

/// The processor that a dump is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    #[default]
    X86_64,
    /// arm64.
    Aarch64,
}

impl Machine {
    /// The number in an ELF header.
    pub const fn elf(self) -> u16 {
        match self {
            Machine::X86_64 => 62,
            Machine::Aarch64 => 183,
        }
    }

    /// The machine with this number in an ELF header.
    pub const fn from_elf(number: u16) -> Option<Machine> {
        match number {
            62 => Some(Machine::X86_64),
            183 => Some(Machine::Aarch64),
            _ => None,
        }
    }

    /// The name in utsname.
    pub const fn name(self) -> &'static str {
        match self {
            Machine::X86_64 => "x86_64",
            Machine::Aarch64 => "aarch64",
        }
    }
}

/// What uname says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // uname's own words
pub struct Utsname {
    pub sysname: String,
    pub nodename: String,
    pub release: String,
    pub version: String,
    pub machine: String,
    pub domainname: String,
}

/// Seconds and microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnixTime {
    /// Whole seconds.
    pub secs: u64,
    /// Microseconds of the second.
    pub micros: u32,
}

/// Memory that appears at a virtual address other than the direct map's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Where it appears.
    pub vaddr: Vaddr,
    /// Where it is.
    pub paddr: Paddr,
    /// How long it is.
    pub len: ByteLen,
}

/// What a dump says of its machine.
#[derive(Clone, Debug)]
pub struct Meta {
    /// The processor.
    pub machine: Machine,
    /// What uname says; what readers refuse to be without is filled in where it is empty.
    pub utsname: Utsname,
    /// When the shot was taken.
    pub taken: UnixTime,
    /// The kind of dump.
    pub kind: Kind,
    /// Pages that were promised are missing.
    pub incomplete: bool,
    /// The kernel's phys_base: what KASLR added to physical addresses.
    pub phys_base: u64,
    /// CPUs online; at least 1.
    pub cpus: u32,
    /// The CPU on which the probe fired.
    pub cpu: u32,
    /// Notes known beforehand: registers per online CPU in order, then vmcoreinfo.
    pub notes: Notes,
    /// The kernel's page_offset_base: where physical address 0 appears. ELF only.
    pub direct_map: Vaddr,
    /// Where else memory appears: the kernel's text at least. ELF only.
    pub mappings: Vec<Mapping>,
}

impl Default for Meta {
    fn default() -> Meta {
        Meta {
            machine: Machine::default(),
            utsname: Utsname::default(),
            taken: UnixTime::default(),
            kind: Kind::Kernel,
            incomplete: false,
            phys_base: 0,
            cpus: 1,
            cpu: 0,
            notes: Notes::new(),
            direct_map: Vaddr(0),
            mappings: Vec::new(),
        }
    }
}

/// How pages are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// One zstd frame a page. Negative levels are faster.
    Zstd {
        /// zstd's level.
        level: i32,
    },
    /// One zlib stream a page: what every reader has.
    Zlib {
        /// zlib's level, 1 to 9.
        level: u8,
    },
    /// Not at all.
    Raw,
}

impl Default for Codec {
    /// zstd at level -1: half again as fast as level 1, for files an eighth larger.
    fn default() -> Codec {
        Codec::Zstd { level: -1 }
    }
}

/// A file format and, where it has any, its compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// kdump-compressed: crash, drgn, WinDbg.
    Kdump(Codec),
    /// An ELF core: crash, drgn, gdb.
    Elf,
}

impl Default for Format {
    fn default() -> Format {
        Format::Kdump(Codec::default())
    }
}

impl Format {
    /// The names that [`Format::from_str`] knows.
    pub const NAMES: [&str; 4] = ["kdump-zstd", "kdump-zlib", "kdump-raw", "elf"];

    /// The name of this format.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Kdump(Codec::Zstd { .. }) => "kdump-zstd",
            Format::Kdump(Codec::Zlib { .. }) => "kdump-zlib",
            Format::Kdump(Codec::Raw) => "kdump-raw",
            Format::Elf => "elf",
        }
    }
}

/// A name that no format has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no dump format {0:?}; choose kdump-zstd, kdump-zlib, kdump-raw or elf")]
pub struct BadFormat(pub String);

impl FromStr for Format {
    type Err = BadFormat;

    fn from_str(name: &str) -> Result<Format, BadFormat> {
        match name {
            "kdump-zstd" => Ok(Format::default()),
            "kdump-zlib" => Ok(Format::Kdump(Codec::Zlib { level: 1 })),
            "kdump-raw" => Ok(Format::Kdump(Codec::Raw)),
            "elf" => Ok(Format::Elf),
            _ => Err(BadFormat(name.to_owned())),
        }
    }
}

/// How a dump is written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How pages are compressed.
    pub codec: Codec,
    /// Threads that compress.
    pub threads: NonZeroUsize,
    /// The most pages that the source will give; room for their descriptors is kept. `None`: as many as there is RAM.
    pub most_pages: Option<u64>,
    /// The most runs of pages that the source will give, pages that cannot be read aside; room for program headers
    /// is kept. `None`: not known. ELF only.
    pub most_runs: Option<u64>,
    /// Room for the notes that come last.
    pub closing_room: ByteLen,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            codec: Codec::default(),
            threads: NonZeroUsize::MIN,
            most_pages: None,
            most_runs: None,
            closing_room: ByteLen(256 << 10),
        }
    }
}

/// How far a writer has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pages taken from the source.
    pub pages: u64,
    /// Bytes of page data given to the file.
    pub bytes_written: u64,
}

/// What a dump came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Pages in it.
    pub pages: u64,
    /// Of these, all zero.
    pub zero: u64,
    /// Of these, stored as they are.
    pub raw: u64,
    /// Of these, compressed.
    pub compressed: u64,
    /// Bytes of page data in the file.
    pub bytes_out: u64,
    /// How long the file is; before the closing notes are written, how long it will be.
    pub file_len: ByteLen,
    /// Which pages they are.
    pub dumped: PfnSet,
}

/// Why a dump could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file, not its content.
    #[error("{doing}: {error}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        error: std::io::Error,
    },
    /// The source of pages gave up.
    #[error("reading memory: {0}")]
    Source(#[source] SourceError),
    /// The source gave a page out of order.
    #[error("page frame {pfn} came after {after}: a dump's pages are written in ascending order")]
    Order {
        /// The page that came.
        pfn: Pfn,
        /// The page before it.
        after: Pfn,
    },
    /// More came than room was kept for.
    #[error("no room for {what}: {wanted} wanted, {room} kept")]
    Room {
        /// What came.
        what: &'static str,
        /// How much of it, in `what`'s own unit.
        wanted: u64,
        /// How much room there was.
        room: u64,
    },
    /// A description of the machine that no dump can be made of.
    #[error("cannot write a dump: {0}")]
    Unfit(&'static str),
    /// A compressor or decompressor that could not be made or refused a page.
    #[error("{0}")]
    Codec(String),
    /// The file is not what it says it is.
    #[error("at {at}: {field}: {problem}")]
    Format {
        /// Where in the file.
        at: FileOff,
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Error {
    /// Whether the file system had no room: the one failure that another path may cure.
    pub fn is_no_space(&self) -> bool {
        matches!(self, Error::Io { error, .. }
            if matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded))
    }
}
