//! What the code generator gives: maps, programs, and how the programs name the maps.

use crate::env::Place;
use crate::insn::{CALL, EXIT, Insn, LD_IMM64, PSEUDO_CALL, PSEUDO_MAP_FD, PSEUDO_MAP_VALUE};
use crate::record::ClauseLayout;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Everything that a script needs in the kernel.
#[derive(Clone, Debug, Default)]
pub struct Object {
    pub maps: Vec<MapSpec>,
    pub progs: Vec<Prog>,
    /// How each clause's record is laid out; the index is the clause's id.
    pub layouts: Vec<ClauseLayout>,
}

impl Object {
    pub fn map(&self, name: &str) -> Option<&MapSpec> {
        self.maps.iter().find(|m| m.name == name)
    }
}

/// A map to be created before the programs are loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSpec {
    /// At most 15 bytes, unique in the object.
    pub name: String,
    pub kind: MapKind,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
    /// `BPF_F_…`
    pub flags: u32,
    /// (key, value) pairs to store before the programs are loaded.
    pub init: Vec<(Vec<u8>, Vec<u8>)>,
    /// The map belongs to the capture engine: give its descriptor; create one of this shape only when there is none.
    pub external: bool,
}

/// The number is the kernel's `enum bpf_map_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MapKind {
    Hash = 1,
    Array = 2,
    ProgArray = 3,
    PerCpuArray = 6,
    RingBuf = 27,
}

/// `BPF_F_MMAPABLE`
pub const F_MMAPABLE: u32 = 1 << 10;

/// The kernel's kind of program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProgKind {
    /// `BPF_PROG_TYPE_RAW_TRACEPOINT`
    RawTp,
    /// `BPF_PROG_TYPE_TRACING`, `BPF_TRACE_FENTRY`: to be loaded once per function, with its BTF id.
    Fentry,
    /// `BPF_PROG_TYPE_TRACING`, `BPF_TRACE_FEXIT`: likewise.
    Fexit,
    /// `BPF_PROG_TYPE_KPROBE`
    Kprobe,
    /// `BPF_PROG_TYPE_KPROBE`, attached to returns.
    Kretprobe,
    /// `BPF_PROG_TYPE_PERF_EVENT`
    PerfEvent,
}

impl ProgKind {
    /// `enum bpf_prog_type`
    pub fn prog_type(self) -> u32 {
        match self {
            ProgKind::RawTp => 17,
            ProgKind::Fentry | ProgKind::Fexit => 26,
            ProgKind::Kprobe | ProgKind::Kretprobe => 2,
            ProgKind::PerfEvent => 7,
        }
    }
}

/// One program: it serves one or more probes.
#[derive(Clone, Debug)]
pub struct Prog {
    /// At most 15 bytes of `[a-z0-9_]`.
    pub name: String,
    pub kind: ProgKind,
    /// Of the first probe (all have the same kind of place).
    pub place: Place,
    /// Catalogue numbers of the probes that it serves.
    pub probes: Vec<u32>,
    /// Attach each probe with its number as the attach cookie (`bpf_get_attach_cookie`).
    pub cookie: bool,
    /// It ends in a tail call into slot 0 of the map [`LKD_PROGS`](crate::abi::LKD_PROGS) when lkd() was called.
    pub lkd: bool,
    /// Slots; an `LD_IMM64` has two. Maps are still to be filled in, see [`Prog::bytes`].
    pub insns: Vec<Insn>,
    pub relocs: Vec<Reloc>,
    /// What the code from a slot on belongs to, ascending.
    pub marks: Vec<Mark>,
    /// Bytes of stack, per function: the program's own, then dtrace:::ERROR's if it has one.
    pub stack: Vec<u32>,
}

/// Slot `insn` (an `LD_IMM64`) names a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reloc {
    pub insn: u32,
    pub map: String,
    /// `Some(offset)`: the address in the map's only value; `None`: the map itself.
    pub value: Option<u32>,
}

/// From slot `insn` on, the code is about `what`, for `clause` if any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub insn: u32,
    pub clause: Option<u32>,
    pub what: String,
}

impl Prog {
    /// The bytes for `BPF_PROG_LOAD`; `fd` gives the descriptor of a map by name. `Err`: the map that has none.
    pub fn bytes(&self, mut fd: impl FnMut(&str) -> Option<i32>) -> Result<Vec<u8>, String> {
        let mut insns = self.insns.clone();
        for r in &self.relocs {
            let fd = fd(&r.map).ok_or_else(|| r.map.clone())?;
            let at = r.insn as usize;
            if let Some(i) = insns.get_mut(at) {
                i.imm = fd;
                i.src = if r.value.is_some() { PSEUDO_MAP_VALUE } else { PSEUDO_MAP_FD };
            }
            if let (Some(i), Some(off)) = (insns.get_mut(at + 1), r.value) {
                i.imm = off as i32;
            }
        }
        Ok(insns.iter().flat_map(|i| i.encode()).collect())
    }

    /// The clause that slot `insn` works for, to word a verifier's refusal.
    pub fn mark_at(&self, insn: u32) -> Option<&Mark> {
        self.marks.iter().rev().find(|m| m.insn <= insn)
    }

    /// The program as text: marks, labels, map names. One line per instruction.
    pub fn listing(&self) -> String {
        let targets = self.targets();
        let mut out = format!("{} ({:?}), stack {:?}\n", self.name, self.kind, self.stack);
        let mut marks = self.marks.iter().peekable();
        let mut at = 0usize;
        while let Some(i) = self.insns.get(at) {
            while let Some(m) = marks.next_if(|m| m.insn as usize <= at) {
                let _ = writeln!(out, "; {}", m.what);
            }
            if let Some(l) = targets.get(&at) {
                let _ = writeln!(out, "{l}:");
            }
            let _ = write!(out, "{at:5}: ");
            let reloc = self.relocs.iter().find(|r| r.insn as usize == at);
            let text = i.to_string();
            match (reloc, i.op) {
                (Some(Reloc { map, value: Some(off), .. }), _) => {
                    let _ = writeln!(out, "r{} = &{map}[0] + {off}", i.dst);
                }
                (Some(Reloc { map, .. }), _) => {
                    let _ = writeln!(out, "r{} = {map}", i.dst);
                }
                (None, LD_IMM64) => {
                    let hi = self.insns.get(at + 1).map_or(0, |h| h.imm as u32);
                    let v = (u64::from(hi) << 32) | u64::from(i.imm as u32);
                    let _ = writeln!(out, "r{} = {v:#x} ll", i.dst);
                }
                _ => {
                    let label = target(at, i).and_then(|t| targets.get(&t));
                    let _ = match (label, text.rfind("pc")) {
                        (Some(l), Some(cut)) => writeln!(out, "{}{l}", &text[..cut]),
                        _ => writeln!(out, "{text}"),
                    };
                }
            }
            at += if i.op == LD_IMM64 { 2 } else { 1 };
        }
        out
    }

    /// Jump and call targets, named in the order of their places.
    fn targets(&self) -> BTreeMap<usize, String> {
        let mut all: BTreeMap<usize, String> = self
            .insns
            .iter()
            .enumerate()
            .filter_map(|(at, i)| target(at, i))
            .map(|t| (t, String::new()))
            .collect();
        for (n, name) in all.values_mut().enumerate() {
            *name = format!("L{n}");
        }
        all
    }
}

fn target(at: usize, i: &Insn) -> Option<usize> {
    if i.op == EXIT || (i.op == CALL && i.src != PSEUDO_CALL) {
        return None;
    }
    let by = if i.op == CALL { i.imm } else { i.jump()? };
    usize::try_from(at as i64 + 1 + i64::from(by)).ok()
}
