//! A kernel for the checker's tests: its BTF is written here, record by record.

use lkd_dlang::facts::{ArgTypes, Facts, ProbeFacts};
use lkd_dlang::program::ProbePattern;
use lkd_kernel::btf::{Btf, TypeId};
use std::sync::Arc;

const INT: u32 = 1;
const PTR: u32 = 2;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const FWD: u32 = 7;
const TYPEDEF: u32 = 8;
const CONST: u32 = 10;
const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const VAR: u32 = 14;
const DATASEC: u32 = 15;

/// Writes BTF: `add` returns the new type's number.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Writer {
    fn string(&mut self, s: &str) -> u32 {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        if s.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(s.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    }

    fn add(&mut self, kind: u32, flag: bool, name: &str, vlen: u32, size_or_type: u32, tail: &[u32]) -> u32 {
        let name = self.string(name);
        self.words(&[name, (kind << 24) | vlen | (u32::from(flag) << 31), size_or_type]);
        self.words(tail);
        self.count += 1;
        self.count
    }

    fn int(&mut self, name: &str, size: u32, signed: bool) -> u32 {
        self.add(INT, false, name, 0, size, &[(u32::from(signed) << 24) | (size * 8)])
    }

    /// Members are (name, type, bit offset, bit-field width or 0).
    fn composite(&mut self, kind: u32, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) -> u32 {
        let mut tail = Vec::new();
        for (name, ty, at, bits) in members {
            let name = self.string(name);
            tail.extend([name, *ty, (bits << 24) | at]);
        }
        let flag = members.iter().any(|m| m.3 != 0);
        self.add(kind, flag, name, members.len() as u32, size, &tail)
    }

    fn finish(mut self) -> Vec<u8> {
        self.string("");
        let mut out = Vec::new();
        out.extend(0xeb9fu16.to_le_bytes());
        out.extend([1, 0]);
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        for word in [24, 0, types, types, strings] {
            out.extend(word.to_le_bytes());
        }
        out.extend(self.types);
        out.extend(self.strings);
        out
    }
}

pub struct Kernel {
    btf: Option<Arc<Btf>>,
    vfs_read: Vec<TypeId>,
}

impl Kernel {
    pub fn new(with_btf: bool) -> Kernel {
        let mut w = Writer::default();
        let int = w.int("int", 4, true);
        let char_ = w.int("char", 1, true);
        let uint = w.int("unsigned int", 4, false);
        let ulong = w.int("long unsigned int", 8, false);
        let long = w.int("long int", 8, true);
        let comm = w.add(ARRAY, false, "", 0, 0, &[char_, uint, 16]);
        let state = w.string("TASK_RUNNING");
        let dead = w.string("TASK_DEAD");
        let states = w.add(ENUM, false, "task_state", 2, 4, &[state, 0, dead, 128]);
        let fwd = w.add(FWD, false, "secret", 0, 0, &[]);
        let to_fwd = w.add(PTR, false, "", 0, fwd, &[]);
        // Types are numbered as written, so the struct's own number is known before it stands there.
        let task = w.count + 3;
        let to_task = w.add(PTR, false, "", 0, task, &[]);
        let anon = w.composite(UNION, "", 8, &[("on_cpu", int, 0, 0), ("flags", ulong, 0, 0)]);
        let written = w.composite(
            STRUCT,
            "task_struct",
            88,
            &[
                ("state", states, 0, 0),
                ("pid", int, 32, 0),
                ("", anon, 64, 0),
                ("real_parent", to_task, 128, 0),
                ("comm", comm, 192, 0),
                ("sched_reset", uint, 320, 1),
                ("policy", uint, 321, 7),
                ("nice", int, 328, 5),
                ("secret", to_fwd, 384, 0),
                ("utime", ulong, 448, 0),
                ("args", comm, 512, 0),
            ],
        );
        assert_eq!(written, task);
        let size_t = w.add(TYPEDEF, false, "__kernel_size_t", 0, ulong, &[]);
        let kchar = w.add(CONST, false, "", 0, char_, &[]);
        let name = w.add(PTR, false, "", 0, kchar, &[]);
        w.add(TYPEDEF, false, "u32", 0, uint, &[]);
        let (p1, p2, p3) = (w.string("task"), w.string("name"), w.string("count"));
        let proto = w.add(FUNC_PROTO, false, "", 3, long, &[p1, to_task, p2, name, p3, size_t]);
        w.add(FUNC, false, "vfs_read", 1, proto, &[]);
        let runs = w.add(VAR, false, "nr_runs", 0, ulong, &[1]);
        w.add(DATASEC, false, ".data..percpu", 1, 64, &[runs, 16, 8]);
        w.add(VAR, false, "jiffies", 0, ulong, &[1]);
        let btf = Btf::parse(w.finish()).expect("the writer writes BTF");
        Kernel {
            btf: with_btf.then(|| Arc::new(btf)),
            vfs_read: [to_task, name, size_t].into_iter().map(TypeId).collect(),
        }
    }

    pub fn has_typedef(&self, name: &str) -> bool {
        name.ends_with("_t") || self.btf.as_ref().is_some_and(|b| b.find_typedef(name).is_some())
    }

    pub fn with_facts<T>(&self, use_: impl FnOnce(&Facts<'_>) -> T) -> T {
        let symbol = |module: Option<&str>, name: &str| match (module, name) {
            (None, "jiffies") => Some(0xffff_ffff_8200_0000),
            (None, "nr_runs") => Some(0x1_0010),
            (None, "__per_cpu_offset") => Some(0xffff_ffff_8210_0000),
            (None, "linux_banner") => Some(0xffff_ffff_8220_0000),
            (None, "vfs_read") => Some(0xffff_ffff_8100_0000),
            (Some("ext4"), "ext4_debug") => Some(0xffff_ffff_c000_0000),
            _ => None,
        };
        use_(&Facts { btf: self.btf.clone(), module_btf: &|_| None, symbol_addr: &symbol, probes: self })
    }
}

/// The kernel's probes, and how many of each there are.
const PROBES: &[(&str, &str, &str, &str)] = &[
    ("dtrace", "", "", "BEGIN"),
    ("dtrace", "", "", "END"),
    ("dtrace", "", "", "ERROR"),
    ("syscall", "vmlinux", "read", "entry"),
    ("syscall", "vmlinux", "read", "return"),
    ("syscall", "vmlinux", "lseek", "entry"),
    ("syscall", "vmlinux", "lseek", "return"),
    ("fbt", "vmlinux", "vfs_read", "entry"),
    ("fbt", "vmlinux", "vfs_write", "entry"),
    ("profile", "", "", "tick-1s"),
];

impl Kernel {
    fn matching<'p>(
        &self,
        p: &'p ProbePattern,
    ) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str, &'static str)> + 'p {
        use lkd_kernel::glob::Glob;
        PROBES
            .iter()
            .enumerate()
            .filter(move |(i, (provider, module, function, name))| match p.id {
                Some(id) => *i as u32 + 1 == id,
                None => {
                    [(&p.provider, provider), (&p.module, module), (&p.function, function), (&p.name, name)]
                        .into_iter()
                        .all(|(want, have)| want.is_empty() || Glob::new(want).matches(have))
                }
            })
            .map(|(_, probe)| probe)
    }
}

impl ProbeFacts for Kernel {
    fn count(&self, pattern: &ProbePattern) -> usize {
        self.matching(pattern).count()
    }

    fn nearest(&self, pattern: &ProbePattern) -> Vec<String> {
        PROBES
            .iter()
            .filter(|p| p.0 == pattern.provider && p.2.starts_with(pattern.function.get(..1).unwrap_or("-")))
            .map(|(p, m, f, n)| format!("{p}:{m}:{f}:{n}"))
            .take(2)
            .collect()
    }

    fn arg_types(&self, pattern: &ProbePattern) -> ArgTypes {
        let found: Vec<_> = self.matching(pattern).collect();
        match found.as_slice() {
            _ if self.btf.is_none() => ArgTypes::Unknown("this kernel has no BTF".into()),
            [("fbt", _, "vfs_read", _)] => {
                ArgTypes::Known { module: "vmlinux".into(), args: self.vfs_read.clone() }
            }
            [("fbt", ..), ..] => ArgTypes::Mixed,
            _ => ArgTypes::Unknown("only fbt and rawtp probes have typed arguments".into()),
        }
    }
}
