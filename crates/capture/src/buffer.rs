//! The buffer that pages are copied into in a freeze: pieces of memory, each a map of its own, given back to the system one by one.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use lkd_dump::{Lender, PAGE_SIZE, PageBytes};

use crate::ctl::BATCH;
use crate::error::Error;
use crate::sys::Mapping;

/// The fewest batches of a piece: 4 MB.
const LEAST: u64 = 64;
/// The most pieces: each is a descriptor that is handed over.
const MOST_PIECES: u64 = 128;

/// How a buffer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Pieces.
    pub pieces: u32,
    /// Batches of each, a power of two.
    pub batches: u32,
}

impl Shape {
    /// The shape of a buffer with room for so many pages; a piece is whole.
    pub fn of(slots: u64) -> Shape {
        let batches = slots.div_ceil(BATCH).max(1);
        let piece =
            batches.div_ceil(MOST_PIECES).next_power_of_two().max(LEAST.min(batches.next_power_of_two()));
        let small = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Shape { pieces: small(batches.div_ceil(piece)), batches: small(piece) }
    }

    /// The binary logarithm of a piece's batches.
    pub fn shift(self) -> u64 {
        self.batches.trailing_zeros().into()
    }

    /// Pages of a piece.
    fn slots(self) -> u64 {
        u64::from(self.batches) * BATCH
    }

    /// Bytes of a piece.
    fn bytes(self) -> usize {
        self.slots() as usize * PAGE_SIZE
    }
}

#[derive(Debug)]
struct Piece {
    /// `None` when it was given back.
    memory: RwLock<Option<Mapping>>,
    /// Pages that will still be copied out; [`UNKNOWN`] before that is known.
    left: AtomicU64,
}

/// No piece has so many pages.
const UNKNOWN: u64 = u64::MAX;

/// The buffer, mapped.
#[derive(Debug)]
pub struct Buffer {
    shape: Shape,
    pieces: Vec<Piece>,
}

impl Buffer {
    /// Maps the pieces, in their order. Once they are mapped their descriptors are of no use.
    pub fn map<'a>(shape: Shape, pieces: impl Iterator<Item = BorrowedFd<'a>>) -> Result<Buffer, Error> {
        let map = |fd: BorrowedFd<'_>| {
            let memory = Mapping::new(fd.as_fd(), shape.bytes())
                .map_err(|error| Error::io("mapping a piece of the buffer", error))?;
            Ok(Piece { memory: RwLock::new(Some(memory)), left: AtomicU64::new(UNKNOWN) })
        };
        Ok(Buffer { shape, pieces: pieces.map(map).collect::<Result<_, Error>>()? })
    }

    /// Pieces that it began with.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// What is done with each piece that is still there.
    pub fn each(&self, mut what: impl FnMut(&Mapping) -> Result<(), Error>) -> Result<(), Error> {
        for piece in &self.pieces {
            if let Ok(memory) = piece.memory.read()
                && let Some(memory) = &*memory
            {
                what(memory)?;
            }
        }
        Ok(())
    }

    /// Says which pages will be copied out, each once: a piece goes back to the system with its last one. Pieces without any go at
    /// once.
    pub fn promise(&self, slots: impl Iterator<Item = u64>) {
        let mut counts = vec![0u64; self.pieces.len()];
        for slot in slots {
            if let Some(count) = counts.get_mut((slot / self.shape.slots()) as usize) {
                *count += 1;
            }
        }
        for (piece, count) in self.pieces.iter().zip(counts) {
            piece.left.store(count, Ordering::Release);
            if count == 0 {
                piece.give_back();
            }
        }
    }

    /// Copies out a page; false when it is not there.
    pub fn read(&self, slot: u64, into: &mut PageBytes) -> bool {
        let at = (slot % self.shape.slots()) as usize * PAGE_SIZE;
        self.piece(slot).is_some_and(|piece| {
            piece
                .memory
                .read()
                .is_ok_and(|memory| memory.as_ref().is_some_and(|memory| memory.read(at, into)))
        })
    }

    fn piece(&self, slot: u64) -> Option<&Piece> {
        self.pieces.get((slot / self.shape.slots()) as usize)
    }
}

impl Piece {
    fn give_back(&self) {
        if let Ok(mut memory) = self.memory.write() {
            *memory = None;
        }
    }
}

/// A page that was lent is copied once.
impl Lender for Buffer {
    fn copy(&self, slot: u64, into: &mut PageBytes) -> bool {
        let copied = self.read(slot, into);
        if let Some(piece) = self.piece(slot).filter(|_| copied) {
            // Before it is known how many there are, none is the last. Release and Acquire: who gives back comes after all copies.
            let left = piece.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                (left != UNKNOWN).then(|| left.saturating_sub(1))
            });
            if left == Ok(1) {
                piece.give_back();
            }
        }
        copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_cut_into_whole_pieces() {
        let of = |slots| Shape::of(slots);
        assert_eq!(of(0), Shape { pieces: 1, batches: 1 });
        assert_eq!(of(16), Shape { pieces: 1, batches: 1 });
        assert_eq!(of(256), Shape { pieces: 1, batches: 16 });
        assert_eq!(of(65536), Shape { pieces: 64, batches: 64 });
        for slots in [17, 1000, 65_537, 1 << 20, (1 << 28) - 3] {
            let shape = of(slots);
            let all = u64::from(shape.pieces) * shape.slots();
            assert!(all >= slots && all - slots < shape.slots() && shape.pieces <= 128, "{slots}: {shape:?}");
            assert!(shape.batches.is_power_of_two());
        }
    }

    fn buffer(pieces: u32) -> Buffer {
        let shape = Shape { pieces, batches: 1 };
        let piece = |_| {
            let memory =
                rustix::fs::memfd_create("piece", rustix::fs::MemfdFlags::CLOEXEC).expect("a file in memory");
            rustix::fs::ftruncate(&memory, shape.bytes() as u64).expect("its length");
            memory
        };
        let files: Vec<_> = (0..pieces).map(piece).collect();
        Buffer::map(shape, files.iter().map(AsFd::as_fd)).expect("it can be mapped")
    }

    #[test]
    fn a_piece_goes_with_its_last_page() {
        let buffer = buffer(3);
        let mut page = [1; PAGE_SIZE];
        let there = || {
            let mut count = 0;
            let counted = buffer.each(|_| {
                count += 1;
                Ok(())
            });
            counted.map(|()| count).expect("nothing fails")
        };
        assert!(buffer.copy(0, &mut page) && buffer.copy(0, &mut page), "nothing was promised yet");
        buffer.promise([0, 1, 32].into_iter());
        assert_eq!(there(), 2, "nobody wants the second");
        assert!(!buffer.copy(16, &mut page));
        assert!(buffer.copy(1, &mut page));
        assert_eq!(there(), 2);
        assert!(buffer.copy(0, &mut page));
        assert_eq!(there(), 1);
        assert!(buffer.copy(32, &mut page));
        assert_eq!((there(), buffer.copy(32, &mut page), buffer.copy(48, &mut page)), (0, false, false));
    }
}
