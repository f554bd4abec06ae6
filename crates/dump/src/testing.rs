//! What several files' tests need: pages that are made, and a source that gives them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::addr::PAGE_SIZE;
use crate::{
    ByteLen, Kind, Meta, Notes, PageBatch, PageBytes, PageSource, Pfn, PfnSet, Regs, Shot, SourceError,
    Summary, Torn, UnixTime, Utsname, Vaddr,
};

/// A page that says its number, in a form that packs well, badly or to nothing.
pub(crate) fn made_page(pfn: u64) -> PageBytes {
    let mut page = [0; PAGE_SIZE];
    let mut state = pfn.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in &mut page {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = match pfn % 3 {
            0 => 0,
            1 => (state >> 61) as u8,
            _ => (state >> 40) as u8,
        };
    }
    if !pfn.is_multiple_of(3) {
        page[..8].copy_from_slice(&pfn.to_le_bytes());
    }
    page
}

/// Gives the made pages of a set, but not those that fail; then a shot and a torn range.
pub(crate) struct MadeSource {
    left: std::vec::IntoIter<Pfn>,
    fails: PfnSet,
    /// Pages in a batch at most.
    batch: usize,
    pub summary: Option<Summary>,
}

impl MadeSource {
    pub fn new(pages: &PfnSet, fails: &PfnSet, batch: usize) -> MadeSource {
        let left = pages.pfns().collect::<Vec<_>>().into_iter();
        MadeSource { left, fails: fails.clone(), batch, summary: None }
    }
}

impl PageSource for MadeSource {
    fn fill(&mut self, batch: &mut PageBatch) -> Result<(), SourceError> {
        while !batch.is_full() && batch.len() < self.batch {
            let Some(pfn) = self.left.next() else { break };
            let room = batch.push(pfn).ok_or("a batch that is not full has room")?;
            *room = made_page(pfn.0);
            if self.fails.contains(pfn) {
                batch.pop();
            }
        }
        Ok(())
    }

    fn closing_notes(&mut self, summary: &Summary, room: ByteLen) -> Result<Notes, SourceError> {
        self.summary = Some(summary.clone());
        assert!(room.0 >= 4096, "room for closing notes: {room}");
        Ok(made_closing_notes())
    }
}

pub(crate) fn made_closing_notes() -> Notes {
    let mut shot = Shot::new();
    shot.flags = Kind::All.flags();
    shot.set_probe("syscall", "vmlinux", "lseek", "return");
    let mut notes = Notes::new();
    notes.shot(&shot);
    notes.torn(&[Torn { first: 3, pages: 9, from_ns: 10, to_ns: 20, why: Torn::TRAILING, reserved: 0 }]);
    notes
}

pub(crate) const VMCOREINFO: &[u8] =
    b"OSRELEASE=6.12.0-test\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff82a10000\n";

pub(crate) fn made_meta() -> Meta {
    let mut notes = Notes::new();
    notes.prstatus(4711, &Regs { rip: 0xffff_ffff_8100_1234, rsp: 0xffff_c900_0000_3f00, ..Regs::default() });
    notes.prstatus(0, &Regs::default());
    notes.vmcoreinfo(VMCOREINFO);
    Meta {
        utsname: Utsname {
            sysname: "Linux".to_owned(),
            nodename: "guest".to_owned(),
            release: "6.12.0-test".to_owned(),
            version: "#1 SMP".to_owned(),
            machine: String::new(),
            domainname: "(none)".to_owned(),
        },
        taken: UnixTime { secs: 1_795_362_612, micros: 250_000 },
        kind: Kind::All,
        phys_base: 0x1200_0000,
        cpus: 2,
        cpu: 1,
        notes,
        direct_map: Vaddr(0xffff_8880_0000_0000),
        ..Meta::default()
    }
}

/// RAM, the pages to dump, and those of them that fail.
pub(crate) fn made_sets() -> impl Strategy<Value = (PfnSet, PfnSet, PfnSet)> {
    let runs = |count| prop::collection::vec((0u64..3000, 1u64..200), 0..count);
    (runs(6), runs(40), runs(3)).prop_map(|(ram, wanted, fails)| {
        let build = |runs: Vec<(u64, u64)>| {
            let mut set = PfnSet::new();
            runs.into_iter().for_each(|(first, count)| set.insert_run(Pfn(first), count));
            set
        };
        let ram = build(ram);
        let wanted = build(wanted).intersect(&ram);
        let fails = build(fails);
        (ram, wanted, fails)
    })
}

/// The made pages of a set, as a reader should find them.
pub(crate) fn made_pages(set: &PfnSet) -> BTreeMap<u64, PageBytes> {
    set.pfns().map(|pfn| (pfn.0, made_page(pfn.0))).collect()
}
