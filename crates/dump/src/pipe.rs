//! Pages from the source through the packing threads to the file, in order, in a fixed amount of memory.
//!
//! ```text
//!  caller: source.fill ─▶ work ─▶ packer 1 ┐
//!              ▲                  packer 2 ├─▶ done ─▶ writer: in order ─▶ sink
//!              └───────── free ◀─ …        ┘              │
//!                           ▲─────────────────────────────┘
//! ```
//! A fixed number of slots goes round, each with a batch and its packed form; nothing is allocated on the way, and
//! nobody runs ahead by more than the slots. A batch is 1 MiB, so that a lock is taken some thousand times a
//! gigabyte. Whoever fails hangs up, and all others notice when they next send or receive.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::codec::{Packed, Packer};
use crate::{Codec, Error, PageBatch, PageSource, Pfn, Progress};

#[derive(Default)]
struct Slot {
    batch: PageBatch,
    packed: Packed,
    /// Why the batch could not be packed.
    failed: Option<Error>,
}

/// Takes packed batches in order; returns how many bytes of the file they took.
pub(crate) trait Sink: Send {
    /// Stores one batch.
    fn store(&mut self, batch: &PageBatch, packed: &Packed) -> Result<u64, Error>;
}

/// Checks that pages ascend, batch after batch.
#[derive(Default)]
pub(crate) struct Ascending {
    last: Option<Pfn>,
}

impl Ascending {
    /// Checks the next batch.
    pub fn check(&mut self, batch: &PageBatch) -> Result<(), Error> {
        for pfn in batch.pfns() {
            match self.last {
                Some(after) if *pfn <= after => return Err(Error::Order { pfn: *pfn, after }),
                _ => self.last = Some(*pfn),
            }
        }
        Ok(())
    }
}

/// Runs all of the source's pages into the sink, packed by `threads` threads, or only checked off where there is no
/// codec. Source and progress stay on the caller's thread.
pub(crate) fn run(
    source: &mut dyn PageSource,
    codec: Option<Codec>,
    threads: NonZeroUsize,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(), Error> {
    let packer = || codec.map_or_else(|| Ok(Packer::nothing()), Packer::new);
    let packers = (0..threads.get()).map(|_| packer()).collect::<Result<Vec<_>, _>>()?;
    let slots = 2 * threads.get() + 2;
    let (free_in, free) = sync_channel::<Box<Slot>>(slots);
    let (work_in, work) = sync_channel::<(u64, Box<Slot>)>(slots);
    let (done_in, done) = sync_channel::<(u64, Box<Slot>)>(slots);
    for _ in 0..slots {
        // The channel has room for all slots and its other end is here, so this cannot fail.
        let _ = free_in.send(Box::default());
    }
    let work = Mutex::new(work);
    // Only shown to a person: no ordering is needed.
    let written = AtomicU64::new(0);
    thread::scope(|scope| {
        for packer in packers {
            let (work, done_in) = (&work, done_in.clone());
            scope.spawn(move || pack_all(packer, work, &done_in));
        }
        drop(done_in);
        let written = &written;
        let writer = scope.spawn(move || write_in_order(&done, &free_in, sink, written));
        let read = read_all(source, &free, &work_in, &mut |pages| {
            progress(&Progress { pages, bytes_written: written.load(Ordering::Relaxed) });
        });
        drop(work_in);
        drop(free);
        let wrote = writer.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked));
        // The writer's failure comes first: it is why the reader stopped.
        wrote?;
        let pages = read?;
        progress(&Progress { pages, bytes_written: written.load(Ordering::Relaxed) });
        Ok(())
    })
}

/// Fills free slots until the source ends or the writer has hung up; gives the number of pages.
fn read_all(
    source: &mut dyn PageSource,
    free: &Receiver<Box<Slot>>,
    work: &SyncSender<(u64, Box<Slot>)>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, Error> {
    let mut ascending = Ascending::default();
    let mut pages = 0;
    for number in 0.. {
        let Ok(mut slot) = free.recv() else { break };
        slot.batch.clear();
        source.fill(&mut slot.batch).map_err(Error::Source)?;
        if slot.batch.is_empty() {
            break;
        }
        ascending.check(&slot.batch)?;
        pages += slot.batch.len() as u64;
        if work.send((number, slot)).is_err() {
            break;
        }
        progress(pages);
    }
    Ok(pages)
}

fn pack_all(
    mut packer: Packer,
    work: &Mutex<Receiver<(u64, Box<Slot>)>>,
    done: &SyncSender<(u64, Box<Slot>)>,
) {
    loop {
        // The lock is held while waiting: the others would only wait for the same thing.
        let job = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, mut slot)) = job else { return };
        let Slot { batch, packed, failed } = &mut *slot;
        match batch.settle() {
            Ok(()) => packer.pack(batch, packed),
            Err(error) => *failed = Some(error),
        }
        if done.send((number, slot)).is_err() {
            return;
        }
    }
}

fn write_in_order(
    done: &Receiver<(u64, Box<Slot>)>,
    free: &SyncSender<Box<Slot>>,
    sink: &mut dyn Sink,
    written: &AtomicU64,
) -> Result<(), Error> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, slot) in done {
        early.insert(number, slot);
        while let Some(mut slot) = early.remove(&next) {
            next += 1;
            if let Some(error) = slot.failed.take() {
                return Err(error);
            }
            let bytes = sink.store(&slot.batch, &slot.packed)?;
            written.fetch_add(bytes, Ordering::Relaxed);
            // The reader hangs up when it is done; what is under way is written all the same.
            let _ = free.send(slot);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use super::*;
    use crate::{Lender, PageBytes, SourceError};

    /// Gives `pages` pages, then ends or fails.
    struct Counting {
        next: u64,
        pages: u64,
        fails: bool,
    }

    impl PageSource for Counting {
        fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
            while self.next < self.pages && batch.push_page(Pfn(self.next), &[self.next as u8; 4096]) {
                self.next += 1;
            }
            if self.fails && batch.is_empty() { Err("memory is gone".into()) } else { Ok(()) }
        }
    }

    #[derive(Default)]
    struct Keeping {
        pfns: Vec<u64>,
        room: Option<usize>,
    }

    impl Sink for Keeping {
        fn store(&mut self, batch: &PageBatch, packed: &Packed) -> Result<u64, Error> {
            self.pfns.extend(batch.pfns().iter().map(|pfn| pfn.0));
            if self.room.is_some_and(|room| self.pfns.len() > room) {
                return Err(Error::Room { what: "test", wanted: 1, room: 0 });
            }
            Ok(packed.bytes().len() as u64)
        }
    }

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    #[test]
    fn order_is_kept_whatever_the_number_of_threads() {
        for count in [1, 2, 3, 7] {
            let mut sink = Keeping::default();
            let mut source = Counting { next: 0, pages: 9_999, fails: false };
            let mut told = Progress::default();
            run(&mut source, Some(Codec::default()), threads(count), &mut sink, &mut |now| told = *now)
                .unwrap();
            assert_eq!(sink.pfns, (0..9_999).collect::<Vec<_>>());
            assert_eq!(told.pages, 9_999);
            assert!(told.bytes_written > 0);
        }
    }

    #[test]
    fn a_failing_sink_stops_everybody() {
        let mut sink = Keeping { room: Some(1000), ..Keeping::default() };
        let mut source = Counting { next: 0, pages: u64::MAX, fails: false };
        let error = run(&mut source, Some(Codec::Raw), threads(3), &mut sink, &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Room { what: "test", .. }), "{error}");
    }

    #[test]
    fn a_failing_source_is_told_after_what_it_gave_is_stored() {
        let mut sink = Keeping::default();
        let mut source = Counting { next: 0, pages: 700, fails: true };
        let error = run(&mut source, Some(Codec::Raw), threads(2), &mut sink, &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "reading memory: memory is gone");
        assert_eq!(sink.pfns.len(), 700);
    }

    /// Has the page of each number below 5000, which says it.
    struct Numbered;

    impl Lender for Numbered {
        fn copy(&self, number: u64, into: &mut PageBytes) -> bool {
            *into = [number as u8; 4096];
            number < 5000
        }
    }

    /// Lends every other page of `0..pages`.
    struct Lending(Range<u64>, Arc<dyn Lender>);

    impl PageSource for Lending {
        fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
            while !batch.is_full() {
                let Some(number) = self.0.next() else { break };
                if number % 2 == 0 {
                    batch.lend(Pfn(number), &self.1, number)?;
                } else {
                    batch.push_page(Pfn(number), &[number as u8; 4096]);
                }
                // What is taken back was never lent.
                if batch.lend(Pfn(1 << 40), &self.1, u64::MAX)? {
                    batch.pop();
                }
            }
            Ok(())
        }
    }

    /// Looks at the bytes of every page.
    struct Looking(u64);

    impl Sink for Looking {
        fn store(&mut self, batch: &PageBatch, _: &Packed) -> Result<u64, Error> {
            for (pfn, page) in batch.pages() {
                assert_eq!(page, &[pfn.0 as u8; 4096]);
                self.0 += 1;
            }
            Ok(0)
        }
    }

    #[test]
    fn pages_that_are_lent_are_there_when_they_are_stored() {
        let mut sink = Looking(0);
        let mut source = Lending(0..5000, Arc::new(Numbered));
        run(&mut source, Some(Codec::Raw), threads(3), &mut sink, &mut |_| {}).unwrap();
        assert_eq!(sink.0, 5000);
        let mut source = Lending(0..6000, Arc::new(Numbered));
        let error = run(&mut source, None, threads(2), &mut Looking(0), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "reading memory: a page that was lent is not there");
    }

    #[test]
    fn a_second_lender_is_copied_from_at_once() {
        let [one, two]: [Arc<dyn Lender>; 2] = [Arc::new(Numbered), Arc::new(Numbered)];
        let mut batch = PageBatch::new();
        assert!(batch.lend(Pfn(1), &one, 1).unwrap() && batch.lend(Pfn(2), &two, 2).unwrap());
        assert!(batch.lend(Pfn(3), &two, 9999).is_err());
    }

    #[test]
    fn a_page_twice_is_refused() {
        struct Twice;
        impl PageSource for Twice {
            fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
                batch.push_page(Pfn(5), &[1; 4096]);
                batch.push_page(Pfn(5), &[1; 4096]);
                Ok(())
            }
        }
        let error =
            run(&mut Twice, Some(Codec::Raw), threads(1), &mut Keeping::default(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, Error::Order { pfn: Pfn(5), after: Pfn(5) }));
    }
}
