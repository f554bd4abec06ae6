//! A BPF machine for tests: instructions, the helpers that generated code calls, maps, a ring. It refuses what a kernel would:
//! reads of memory that is nobody's, of registers and stack bytes never written.

use super::alu::{alu, width};
use lkd_codegen::insn::*;
use lkd_codegen::{MapKind, MapSpec, Object, Prog};
use std::collections::{BTreeMap, HashMap};

const MAP_BASE: u64 = 0xffff_a000_0000_0000;
pub const CTX: u64 = 0xffff_b000_0000_0000;

#[derive(Default)]
struct Region {
    bytes: Vec<u8>,
    /// For stack: which bytes were written.
    set: Option<Vec<bool>>,
}

enum Content {
    /// Address of the only value or of value 0, and the stride.
    Array(u64, u64),
    Hash(BTreeMap<Vec<u8>, u64>),
    Other,
}

struct Map {
    spec: MapSpec,
    content: Content,
}

pub struct Machine {
    mem: BTreeMap<u64, Region>,
    maps: Vec<Map>,
    by_name: HashMap<String, usize>,
    next: u64,
    /// Records submitted, in order.
    pub records: Vec<Vec<u8>>,
    reserved: HashMap<u64, usize>,
    /// Bytes left in the ring.
    pub room: usize,
    pub pid_tgid: u64,
    pub uid_gid: u64,
    pub comm: [u8; 16],
    pub cpu: u64,
    pub time: u64,
    pub cookie: u64,
    pub func_args: Vec<u64>,
    pub task: u64,
    /// Set when the program goes over into another one.
    pub tail: Option<(String, u32)>,
    pub signals: Vec<u64>,
    /// Elements cannot be deleted just now.
    pub busy: bool,
    pub steps: u64,
}

impl Machine {
    pub fn new(object: &Object) -> Machine {
        let mut m = Machine {
            mem: BTreeMap::new(),
            maps: vec![],
            by_name: HashMap::new(),
            next: 0xffff_c000_0000_0000,
            records: vec![],
            reserved: HashMap::new(),
            room: 1 << 20,
            pid_tgid: (77 << 32) | 78,
            uid_gid: (1001 << 32) | 1000,
            comm: *b"interp\0\0\0\0\0\0\0\0\0\0",
            cpu: 0,
            time: 1000,
            cookie: 0,
            func_args: vec![],
            task: 0,
            tail: None,
            signals: vec![],
            busy: false,
            steps: 0,
        };
        for spec in &object.maps {
            m.add_map(spec.clone());
        }
        m.task = m.alloc(4096);
        m
    }

    fn add_map(&mut self, spec: MapSpec) {
        assert!(spec.name.len() <= 15, "map name {:?}", spec.name);
        let content = match spec.kind {
            MapKind::Array | MapKind::PerCpuArray => {
                let stride = spec.value_size.next_multiple_of(8) as u64;
                Content::Array(self.alloc(stride as usize * spec.max_entries as usize), stride)
            }
            MapKind::Hash => Content::Hash(BTreeMap::new()),
            _ => Content::Other,
        };
        let init = spec.init.clone();
        self.by_name.insert(spec.name.clone(), self.maps.len());
        self.maps.push(Map { spec, content });
        let at = self.maps.len() - 1;
        for (k, v) in init {
            assert_eq!(k.len(), self.maps[at].spec.key_size as usize);
            assert_eq!(v.len(), self.maps[at].spec.value_size as usize);
            match self.maps[at].content {
                Content::Array(base, stride) => {
                    let n = u32::from_le_bytes(k.try_into().unwrap()) as u64;
                    self.write(base + n * stride, &v);
                }
                _ => assert!(self.update(at, k, &v)),
            }
        }
    }

    /// New zeroed memory with unmapped room around it.
    pub fn alloc(&mut self, bytes: usize) -> u64 {
        let at = self.next;
        self.next += (bytes as u64).next_multiple_of(4096) + 4096;
        self.mem.insert(at, Region { bytes: vec![0; bytes], set: None });
        at
    }

    pub fn memory(&mut self, bytes: &[u8]) -> u64 {
        let at = self.alloc(bytes.len());
        self.write(at, bytes);
        at
    }

    fn region(&mut self, at: u64, len: usize) -> Option<(&mut Region, usize)> {
        let (&base, r) = self.mem.range_mut(..=at).next_back()?;
        let off = (at - base) as usize;
        (off + len <= r.bytes.len()).then_some((r, off))
    }

    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        let (r, off) = self.region(at, bytes.len()).unwrap_or_else(|| panic!("write at {at:#x}"));
        r.bytes[off..off + bytes.len()].copy_from_slice(bytes);
        if let Some(set) = &mut r.set {
            set[off..off + bytes.len()].fill(true);
        }
    }

    pub fn read(&mut self, at: u64, len: usize) -> Option<Vec<u8>> {
        let (r, off) = self.region(at, len)?;
        if let Some(set) = &r.set {
            assert!(set[off..off + len].iter().all(|&s| s), "stack byte read before it is written");
        }
        Some(r.bytes[off..off + len].to_vec())
    }

    fn load(&mut self, at: u64, len: usize) -> u64 {
        let b = self.read(at, len).unwrap_or_else(|| panic!("load of {len} at {at:#x}"));
        b.iter().rev().fold(0, |v, &c| (v << 8) | u64::from(c))
    }

    fn cstr(&mut self, at: u64, size: usize) -> Option<Vec<u8>> {
        let mut out = vec![];
        for n in 0..size.saturating_sub(1) as u64 {
            match self.read(at + n, 1)?[0] {
                0 => break,
                c => out.push(c),
            }
        }
        out.push(0);
        Some(out)
    }

    pub fn array(&mut self, map: &str, off: u64, len: usize) -> Vec<u8> {
        let Content::Array(base, _) = self.maps[self.by_name[map]].content else {
            panic!("{map} is no array")
        };
        self.read(base + off, len).unwrap()
    }

    pub fn set_array(&mut self, map: &str, off: u64, bytes: &[u8]) {
        let Content::Array(base, _) = self.maps[self.by_name[map]].content else {
            panic!("{map} is no array")
        };
        self.write(base + off, bytes);
    }

    pub fn hash(&mut self, map: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
        let at = self.by_name[map];
        let size = self.maps[at].spec.value_size as usize;
        let Content::Hash(h) = &self.maps[at].content else { panic!("{map} is no hash") };
        let all: Vec<_> = h.iter().map(|(k, v)| (k.clone(), *v)).collect();
        all.into_iter().map(|(k, v)| (k, self.read(v, size).unwrap())).collect()
    }

    fn update(&mut self, map: usize, key: Vec<u8>, value: &[u8]) -> bool {
        let at = match &self.maps[map].content {
            Content::Hash(h) => h.get(&key).copied(),
            _ => panic!("update of a map that is no hash"),
        };
        let full = matches!(&self.maps[map].content, Content::Hash(h) if h.len() >= self.maps[map].spec.max_entries as usize);
        let at = match at {
            Some(at) => at,
            None if full => return false,
            None => self.alloc(value.len()),
        };
        self.write(at, value);
        if let Content::Hash(h) = &mut self.maps[map].content {
            h.insert(key, at);
        }
        true
    }

    fn map_of(&self, pointer: u64) -> usize {
        (pointer.checked_sub(MAP_BASE).expect("a map") / 16) as usize
    }

    /// Runs the program on a context of these words; gives r0.
    pub fn run(&mut self, prog: &Prog, ctx: &[u64]) -> u64 {
        let bytes: Vec<u8> = ctx.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.mem.insert(CTX, Region { bytes, set: None });
        self.tail = None;
        let frame: u32 = prog.stack.iter().sum();
        assert!(frame <= 512);
        let r = self.function(prog, 0, &[CTX], 0);
        assert!(self.reserved.is_empty(), "a record was neither submitted nor discarded");
        r
    }

    fn function(&mut self, prog: &Prog, entry: usize, args: &[u64], depth: u64) -> u64 {
        let stack = 0xffff_d000_0000_0000 + depth * 0x1000;
        // Exactly what the program says it needs.
        let size = prog.stack.get(depth as usize).copied().unwrap_or(0).max(8) as usize;
        self.mem.insert(stack, Region { bytes: vec![0; size], set: Some(vec![false; size]) });
        let mut r: [Option<u64>; 11] = [None; 11];
        for (n, a) in args.iter().enumerate() {
            r[n + 1] = Some(*a);
        }
        r[10] = Some(stack + size as u64);
        let mut pc = entry;
        loop {
            self.steps += 1;
            assert!(self.steps < 1_000_000, "the program does not end");
            let i = prog.insns[pc];
            let (dst, src) = (i.dst as usize, i.src as usize);
            pc += 1;
            let get = |r: &[Option<u64>; 11], n: usize| {
                r[n].unwrap_or_else(|| panic!("slot {}: r{n} was never set", pc - 1))
            };
            match i.class() {
                ALU if i.op == TO_BE => r[dst] = Some(get(&r, dst).swap_bytes()),
                ALU | ALU64 => {
                    let wide = i.class() == ALU64;
                    let op = i.op & 0xf0;
                    let b = if i.op & X != 0 { get(&r, src) } else { i64::from(i.imm) as u64 };
                    let a = if op == Alu::Mov as u8 { 0 } else { get(&r, dst) };
                    if i.op & X == 0
                        && (op == Alu::Lsh as u8 || op == Alu::Rsh as u8 || op == Alu::Arsh as u8)
                    {
                        assert!(b < if wide { 64 } else { 32 }, "invalid shift");
                    }
                    if i.op & X == 0 && (op == Alu::Div as u8 || op == Alu::Mod as u8) {
                        assert!(b != 0, "division by a constant 0");
                    }
                    r[dst] = Some(alu(op, wide, a, b));
                }
                JMP | JMP32 if i.op == EXIT => return get(&r, 0),
                JMP | JMP32 if i.op == CALL => {
                    let a: Vec<u64> = (1..6).map(|n| r[n].unwrap_or(0xdead_dead_dead_dead)).collect();
                    let v = if i.src == PSEUDO_CALL {
                        let to = (pc as i64 + i64::from(i.imm)) as usize;
                        self.function(prog, to, &a, depth + 1)
                    } else {
                        let v = self.helper(i.imm, &a);
                        if self.tail.is_some() {
                            return 0;
                        }
                        v
                    };
                    r[0] = Some(v);
                    r[1..6].fill(None);
                }
                JMP if i.op == JMP => pc = (pc as i64 + i64::from(i.off)) as usize,
                JMP | JMP32 => {
                    let wide = i.class() == JMP;
                    let (mut a, mut b) = (get(&r, dst), i64::from(i.imm) as u64);
                    if i.op & X != 0 {
                        b = get(&r, src);
                    }
                    let (mut sa, mut sb) = (a as i64, b as i64);
                    if !wide {
                        (a, b) = (a as u32 as u64, b as u32 as u64);
                        (sa, sb) = (a as i32 as i64, b as i32 as i64);
                    }
                    let taken = match i.op & 0xf0 {
                        0x10 => a == b,
                        0x20 => a > b,
                        0x30 => a >= b,
                        0x40 => a & b != 0,
                        0x50 => a != b,
                        0x60 => sa > sb,
                        0x70 => sa >= sb,
                        0xa0 => a < b,
                        0xb0 => a <= b,
                        0xc0 => sa < sb,
                        0xd0 => sa <= sb,
                        other => panic!("jump {other:#x}"),
                    };
                    if taken {
                        pc = (pc as i64 + i64::from(i.off)) as usize;
                    }
                }
                LD if i.op == LD_IMM64 => {
                    let reloc = prog.relocs.iter().find(|x| x.insn as usize == pc - 1);
                    let v = match reloc {
                        Some(x) => {
                            let at = *self.by_name.get(&x.map).unwrap_or_else(|| panic!("no map {}", x.map));
                            match (x.value, &self.maps[at].content) {
                                (Some(off), Content::Array(base, _)) => base + u64::from(off),
                                (None, _) => MAP_BASE + 16 * at as u64,
                                _ => panic!("{} has no value address", x.map),
                            }
                        }
                        None => {
                            assert_eq!(i.src, 0, "a map without a name");
                            (u64::from(prog.insns[pc].imm as u32) << 32) | u64::from(i.imm as u32)
                        }
                    };
                    r[dst] = Some(v);
                    pc += 1;
                }
                LDX => r[dst] = Some(self.load(get(&r, src).wrapping_add(i.off as i64 as u64), width(i.op))),
                ST => {
                    let at = get(&r, dst).wrapping_add(i.off as i64 as u64);
                    self.store(at, width(i.op), i64::from(i.imm) as u64);
                }
                STX if i.op & 0xe0 == MEM => {
                    let v = get(&r, src);
                    let at = get(&r, dst).wrapping_add(i.off as i64 as u64);
                    self.store(at, width(i.op), v);
                }
                STX => {
                    let at = get(&r, dst).wrapping_add(i.off as i64 as u64);
                    let (n, v) = (width(i.op), get(&r, src));
                    let old = self.load(at, n);
                    match i.imm {
                        ATOMIC_ADD => self.store(at, n, old.wrapping_add(v)),
                        ATOMIC_XCHG => {
                            self.store(at, n, v);
                            r[src] = Some(old);
                        }
                        other => panic!("atomic {other:#x}"),
                    }
                }
                _ => panic!("opcode {:#x}", i.op),
            }
        }
    }

    fn store(&mut self, at: u64, n: usize, v: u64) {
        self.write(at, &v.to_le_bytes()[..n]);
    }

    fn helper(&mut self, n: i32, a: &[u64]) -> u64 {
        const EFAULT: u64 = -14i64 as u64;
        match n {
            helper::MAP_LOOKUP_ELEM => {
                let map = self.map_of(a[0]);
                let key = self.read(a[1], self.maps[map].spec.key_size as usize).unwrap();
                match &self.maps[map].content {
                    Content::Array(base, stride) => {
                        let n = u64::from(u32::from_le_bytes(key.try_into().unwrap()));
                        if n < u64::from(self.maps[map].spec.max_entries) { base + n * stride } else { 0 }
                    }
                    Content::Hash(h) => h.get(&key).copied().unwrap_or(0),
                    Content::Other => panic!("lookup"),
                }
            }
            helper::MAP_UPDATE_ELEM => {
                let map = self.map_of(a[0]);
                let key = self.read(a[1], self.maps[map].spec.key_size as usize).unwrap();
                let value = self.read(a[2], self.maps[map].spec.value_size as usize).unwrap();
                if self.update(map, key, &value) { 0 } else { -7i64 as u64 }
            }
            // EBUSY
            helper::MAP_DELETE_ELEM if self.busy => -16i64 as u64,
            helper::MAP_DELETE_ELEM => {
                let map = self.map_of(a[0]);
                let key = self.read(a[1], self.maps[map].spec.key_size as usize).unwrap();
                let Content::Hash(h) = &mut self.maps[map].content else { panic!("delete") };
                if h.remove(&key).is_some() { 0 } else { -2i64 as u64 }
            }
            helper::KTIME_GET_NS => {
                self.time += 1;
                self.time
            }
            helper::GET_SMP_PROCESSOR_ID => self.cpu,
            helper::GET_CURRENT_PID_TGID => self.pid_tgid,
            helper::GET_CURRENT_UID_GID => self.uid_gid,
            helper::GET_CURRENT_TASK | helper::GET_CURRENT_TASK_BTF => self.task,
            helper::GET_CURRENT_COMM => {
                let mut c = self.comm.to_vec();
                c.resize(a[1] as usize, 0);
                self.write(a[0], &c);
                0
            }
            helper::PROBE_READ_KERNEL | helper::PROBE_READ_USER => match self.read(a[2], a[1] as usize) {
                Some(b) => {
                    self.write(a[0], &b);
                    0
                }
                None => {
                    self.write(a[0], &vec![0; a[1] as usize]);
                    EFAULT
                }
            },
            helper::PROBE_READ_KERNEL_STR | helper::PROBE_READ_USER_STR => {
                match self.cstr(a[2], a[1] as usize) {
                    Some(b) => {
                        // The verifier counts the whole buffer as written.
                        let mut whole = self.peek(a[0], a[1] as usize);
                        whole[..b.len()].copy_from_slice(&b);
                        self.write(a[0], &whole);
                        b.len() as u64
                    }
                    None => {
                        self.write(a[0], &vec![0; a[1] as usize]);
                        EFAULT
                    }
                }
            }
            helper::RINGBUF_RESERVE => {
                let size = a[1] as usize;
                if self.room < size + 8 {
                    return 0;
                }
                self.room -= size + 8;
                let at = self.memory(&vec![0xaa; size]);
                self.reserved.insert(at, size);
                at
            }
            helper::RINGBUF_SUBMIT => {
                let size = self.reserved.remove(&a[0]).expect("a reserved record");
                let b = self.read(a[0], size).unwrap();
                self.records.push(b);
                0
            }
            helper::RINGBUF_DISCARD => {
                self.reserved.remove(&a[0]).expect("a reserved record");
                0
            }
            helper::GET_STACK => {
                let (room, skip) = (a[2] as usize / 8, (a[3] & 0xff) as usize);
                let frames: Vec<u8> =
                    (0x1000u64..0x1009).skip(skip).take(room).flat_map(u64::to_le_bytes).collect();
                let mut whole = self.peek(a[1], a[2] as usize);
                whole[..frames.len()].copy_from_slice(&frames);
                self.write(a[1], &whole);
                frames.len() as u64
            }
            helper::SEND_SIGNAL => {
                self.signals.push(a[0]);
                // EINVAL
                if a[0] > 64 { -22i64 as u64 } else { 0 }
            }
            helper::GET_ATTACH_COOKIE => self.cookie,
            helper::GET_FUNC_ARG => {
                let v = self.func_args.get(a[1] as usize).copied();
                self.read(a[2], 8).unwrap();
                self.store(a[2], 8, v.unwrap_or(0));
                if v.is_some() { 0 } else { -22i64 as u64 }
            }
            helper::GET_FUNC_RET => {
                self.read(a[1], 8).unwrap();
                let v = self.func_args.last().copied().unwrap_or(0);
                self.store(a[1], 8, v);
                0
            }
            helper::TAIL_CALL => {
                let map = self.map_of(a[1]);
                self.tail = Some((self.maps[map].spec.name.clone(), a[2] as u32));
                0
            }
            other => panic!("helper {other}"),
        }
    }

    /// Memory as it is, written or not.
    fn peek(&mut self, at: u64, len: usize) -> Vec<u8> {
        let (r, off) = self.region(at, len).unwrap_or_else(|| panic!("buffer at {at:#x}"));
        r.bytes[off..off + len].to_vec()
    }
}
