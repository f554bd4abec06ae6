//! Kernel memory read from outside: addresses go in, the peek program copies, bytes come out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::ctl::{PEEKS, Peek};
use crate::sys::{Mapping, run_program};

const PAGE: usize = 4096;

/// A reader of kernel memory. One at a time may use the maps behind it.
#[derive(Debug)]
pub struct Peeker {
    program: OwnedFd,
    asked: Mapping,
    bytes: Mapping,
}

/// What became of one page that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeked {
    /// It is in the bounce buffer.
    Read,
    /// The read faulted.
    Faulted,
    /// The page has been given to somebody whose pages the dump leaves out.
    Changed,
}

impl Peeker {
    /// Takes the peek program, and maps lkd_peeks and lkd_bounce.
    pub fn new(program: OwnedFd, peeks: BorrowedFd<'_>, bounce: BorrowedFd<'_>) -> io::Result<Peeker> {
        let asked = (PEEKS * size_of::<Peek>()).next_multiple_of(PAGE);
        Ok(Peeker { program, asked: Mapping::new(peeks, asked)?, bytes: Mapping::new(bounce, PEEKS * PAGE)? })
    }

    /// Whether all of `into` could be read from `vaddr`.
    pub fn read(&mut self, vaddr: u64, into: &mut [u8]) -> io::Result<bool> {
        let mut at = vaddr;
        for group in into.chunks_mut(PEEKS * PAGE) {
            let peeks: Vec<Peek> = group
                .chunks(PAGE)
                .zip((at..).step_by(PAGE))
                .map(|(piece, vaddr)| Peek { vaddr, len: piece.len() as u32, ..Peek::default() })
                .collect();
            let results = self.run(&peeks)?;
            if results.iter().any(|result| *result != Peeked::Read) {
                return Ok(false);
            }
            for (slot, piece) in group.chunks_mut(PAGE).enumerate() {
                if !self.bytes.read(slot * PAGE, piece) {
                    return Ok(false);
                }
            }
            at = at.wrapping_add(group.len() as u64);
        }
        Ok(true)
    }

    /// A 64-bit word, or `None` where it cannot be read.
    pub fn word(&mut self, vaddr: u64) -> io::Result<Option<u64>> {
        let mut bytes = [0; 8];
        Ok(self.read(vaddr, &mut bytes)?.then(|| u64::from_le_bytes(bytes)))
    }

    /// For each address, whether `wanted` stands there; at most [`PEEKS`] addresses.
    pub fn find(&mut self, addresses: &[u64], wanted: &[u8]) -> io::Result<Option<u64>> {
        let len = wanted.len().min(PAGE);
        let peeks: Vec<Peek> = addresses
            .iter()
            .map(|vaddr| Peek { vaddr: *vaddr, len: len as u32, ..Peek::default() })
            .collect();
        let results = self.run(&peeks)?;
        let mut found = vec![0; len];
        for (slot, (result, vaddr)) in results.iter().zip(addresses).enumerate() {
            if *result == Peeked::Read && self.bytes.read(slot * PAGE, &mut found) && found == wanted {
                return Ok(Some(*vaddr));
            }
        }
        Ok(None)
    }

    /// Reads whole pages, each only if its class is still one that the dump keeps; at most [`PEEKS`] of them.
    pub fn pages(&mut self, page_offset: u64, pfns: &[u64]) -> io::Result<Vec<Peeked>> {
        let peeks: Vec<Peek> = pfns
            .iter()
            .map(|pfn| Peek {
                vaddr: page_offset.wrapping_add(pfn << 12),
                len: PAGE as u32,
                result: 0,
                pfn_check: pfn + 1,
            })
            .collect();
        self.run(&peeks)
    }

    /// Copies out the page that the last [`Peeker::pages`] read for the address of this place.
    #[must_use]
    pub fn page(&self, place: usize, into: &mut [u8; PAGE]) -> bool {
        self.bytes.read(place * PAGE, into)
    }

    fn run(&mut self, peeks: &[Peek]) -> io::Result<Vec<Peeked>> {
        let asked = peeks.get(..PEEKS).unwrap_or(peeks);
        for (slot, peek) in asked.iter().enumerate() {
            self.put(slot, peek);
        }
        if asked.len() < PEEKS {
            self.put(asked.len(), &Peek::default());
        }
        run_program(self.program.as_fd())?;
        Ok((0..asked.len()).map(|slot| self.result(slot)).collect())
    }

    fn put(&self, slot: usize, peek: &Peek) {
        let mut bytes = [0u8; size_of::<Peek>()];
        for (to, from) in bytes.iter_mut().zip(
            peek.vaddr
                .to_ne_bytes()
                .into_iter()
                .chain(peek.len.to_ne_bytes())
                .chain((-1i32).to_ne_bytes())
                .chain(peek.pfn_check.to_ne_bytes()),
        ) {
            *to = from;
        }
        // In range: slot < PEEKS, and the mapping holds that many.
        let _ = self.asked.write(slot * size_of::<Peek>(), &bytes);
    }

    fn result(&self, slot: usize) -> Peeked {
        let mut bytes = [0; 4];
        let known =
            self.asked.read(slot * size_of::<Peek>() + std::mem::offset_of!(Peek, result), &mut bytes);
        match (known, i32::from_ne_bytes(bytes)) {
            (true, 0) => Peeked::Read,
            (true, -2) => Peeked::Changed,
            _ => Peeked::Faulted,
        }
    }
}
