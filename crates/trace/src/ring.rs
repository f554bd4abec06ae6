//! The record ring: shared memory in, borrowed bytes out, in the order in which the programs reserved them.
//!
//! ```text
//! page 0, read-write   consumer position u64, ours
//! page 1, read-only    producer position u64, the kernel's
//! then, read-only      the data, mapped twice in a row, so that a record never wraps
//!
//! record: length u32 (bit 31: still being written, bit 30: discarded) | page offset u32 | data, padded to 8
//! ```
//!
//! Reading is a borrow: the space goes back to the kernel when the batch ends. All orderings of the crate are in this file.

use crate::sys::{Shared, SysError, page_size};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// `BPF_RINGBUF_BUSY_BIT`
const BUSY: u32 = 1 << 31;
/// `BPF_RINGBUF_DISCARD_BIT`
const DISCARD: u32 = 1 << 30;
/// `BPF_RINGBUF_HDR_SZ`
const HEADER: usize = 8;

/// The consumer's side of one ring buffer map.
pub struct Ring {
    consumer: Shared,
    /// The producer's page and then twice the data.
    producer: Shared,
    mask: u64,
    /// Where we read next; only we move it.
    at: u64,
}

impl Ring {
    /// `bytes` is the map's `max_entries`: a power of two, a multiple of the page size.
    pub fn new(map: BorrowedFd<'_>, bytes: u32) -> Result<Ring, SysError> {
        let page = page_size();
        let size = bytes as usize;
        let consumer = Shared::map(map, 0, page, true, "the ring's consumer page")?;
        let producer = Shared::map(map, page, page + 2 * size, false, "the ring's data")?;
        // Relaxed: nobody else writes our own position
        let at = consumer.u64(0).load(Ordering::Relaxed);
        Ok(Ring { consumer, producer, mask: size as u64 - 1, at })
    }

    /// Hands out the finished records, at most `most` of them, and gives their space back. Returns how many it handed out.
    ///
    /// A record that is still being written ends the batch: what comes after it was reserved later.
    pub fn read(&mut self, most: usize, mut take: impl FnMut(&[u8])) -> usize {
        let page = page_size();
        let data = |offset: usize| page + offset;
        // Acquire: pairs with the kernel's smp_store_release of producer_pos in __bpf_ringbuf_reserve, so the headers below it
        // are there (with their busy bits).
        let end = self.producer.u64(0).load(Ordering::Acquire);
        let mut taken = 0;
        let mut given_back = self.at;
        while self.at < end && taken < most {
            let offset = (self.at & self.mask) as usize;
            // Acquire: pairs with the xchg in bpf_ringbuf_commit that clears the busy bit after the data has been written.
            let len = self.producer.u32(data(offset)).load(Ordering::Acquire);
            if len & BUSY != 0 {
                break;
            }
            let size = (len & !(BUSY | DISCARD)) as usize;
            if len & DISCARD == 0
                && let Some(bytes) = self.producer.bytes(data(offset) + HEADER, size)
            {
                take(bytes);
                taken += 1;
            }
            self.at += (HEADER + size).next_multiple_of(8) as u64;
            // give space back in steps, so that a long batch does not starve the producers
            if self.at - given_back > self.mask / 8 {
                given_back = self.at;
                self.give_back();
            }
        }
        self.give_back();
        taken
    }

    fn give_back(&self) {
        // Release: pairs with smp_load_acquire of consumer_pos in __bpf_ringbuf_reserve: our reads of the bytes are done before
        // the kernel may write there again.
        self.consumer.u64(0).store(self.at, Ordering::Release);
    }

    /// How much of the ring is waiting to be read, from 0 to 1.
    pub fn fullness(&self) -> f64 {
        // Relaxed: only an estimate, nothing is read on its strength
        let end = self.producer.u64(0).load(Ordering::Relaxed);
        end.saturating_sub(self.at) as f64 / (self.mask + 1) as f64
    }
}

/// A counter that programs add to on their CPU and we only read.
pub fn count(word: &AtomicU64) -> u64 {
    // Relaxed: counters order nothing; the last reading comes after the programs have been detached, which is a barrier
    word.load(Ordering::Relaxed)
}

/// A plain word that programs read and we set before they run (or whose moment of change does not matter).
pub fn publish(word: &AtomicU64, value: u64) {
    // Release: pairs with the programs' first run, which comes after their attach call in program order
    word.store(value, Ordering::Release);
}

/// The session's state word as programs and we see it now.
pub fn state(word: &AtomicU32) -> u32 {
    // Acquire: pairs with the program's store of DRAINING, before which it stored the exit status
    word.load(Ordering::Acquire)
}

/// Moves the state forward from `from` to `to`; false when a program was faster (exit() in BEGIN).
pub fn advance_state(word: &AtomicU32, from: u32, to: u32) -> bool {
    // AcqRel: as state(), and our own writes (realtime offset) are there before probes see ACTIVE
    word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// Sets the state whatever it was: only for the last one, from which nothing leads back.
pub fn force_state(word: &AtomicU32, to: u32) {
    // Release: nothing of ours is published by it; programs that see it stop recording
    word.store(to, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
    use rustix::io::pwrite;
    use std::os::fd::{AsFd, OwnedFd};

    /// A file laid out as the kernel lays out a ring; only the second mapping of the data is missing.
    struct Fake {
        file: OwnedFd,
        end: u64,
    }

    impl Fake {
        fn new(bytes: u32) -> Fake {
            let file = memfd_create("ring", MemfdFlags::CLOEXEC).unwrap();
            ftruncate(&file, (2 * page_size() + 2 * bytes as usize) as u64).unwrap();
            Fake { file, end: 0 }
        }

        fn write(&mut self, flags: u32, bytes: &[u8]) {
            let at = 2 * page_size() as u64 + self.end;
            pwrite(&self.file, &(bytes.len() as u32 | flags).to_ne_bytes(), at).unwrap();
            pwrite(&self.file, bytes, at + HEADER as u64).unwrap();
            self.end += (HEADER + bytes.len()).next_multiple_of(8) as u64;
            pwrite(&self.file, &self.end.to_ne_bytes(), page_size() as u64).unwrap();
        }

        fn finish(&self, at: u64, len: u32) {
            pwrite(&self.file, &len.to_ne_bytes(), 2 * page_size() as u64 + at).unwrap();
        }

        fn consumed(&self) -> u64 {
            let mut bytes = [0; 8];
            rustix::io::pread(&self.file, &mut bytes, 0).unwrap();
            u64::from_ne_bytes(bytes)
        }
    }

    fn read(ring: &mut Ring, most: usize) -> Vec<String> {
        let mut seen = Vec::new();
        let n = ring.read(most, |b| seen.push(String::from_utf8(b.to_vec()).unwrap()));
        assert_eq!(n, seen.len());
        seen
    }

    #[test]
    fn records_come_in_order_and_an_unfinished_one_holds_up_the_rest() {
        let mut fake = Fake::new(4096);
        let mut ring = Ring::new(fake.file.as_fd(), 4096).unwrap();
        assert!(read(&mut ring, 10).is_empty());
        fake.write(0, b"one");
        fake.write(DISCARD, b"never mind");
        fake.write(0, b"two, longer than eight bytes");
        let busy_at = fake.end;
        fake.write(BUSY, b"three");
        fake.write(0, b"four");
        assert_eq!(read(&mut ring, 10), ["one", "two, longer than eight bytes"]);
        assert_eq!(fake.consumed(), busy_at, "space up to the unfinished record is given back");
        assert!(read(&mut ring, 10).is_empty());
        fake.finish(busy_at, 5);
        assert_eq!(read(&mut ring, 10), ["three", "four"]);
        assert_eq!((fake.consumed(), ring.fullness()), (fake.end, 0.0));
    }

    #[test]
    fn a_batch_is_no_longer_than_asked() {
        let mut fake = Fake::new(4096);
        let mut ring = Ring::new(fake.file.as_fd(), 4096).unwrap();
        for n in 0..10 {
            fake.write(0, format!("{n}").as_bytes());
        }
        assert!(ring.fullness() > 0.0);
        assert_eq!(read(&mut ring, 4), ["0", "1", "2", "3"]);
        assert_eq!(read(&mut ring, 100).len(), 6);
    }
}
