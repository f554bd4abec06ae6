//! BTF: the running kernel's read whole, what the writer wrote read back, and bytes that are no BTF refused.

use lkd_kernel::btf::build::Builder;
use lkd_kernel::btf::{Btf, BtfError, Kind, Linkage, Tag, TypeId};
use proptest::prelude::*;
use std::sync::Arc;

/// A BTF from raw record words and strings; the writer makes only what generated programs need.
fn assemble(records: &[u32], strings: &str) -> Vec<u8> {
    let types = (records.len() * 4) as u32;
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, types, types, strings.len() as u32] {
        bytes.extend(u32::to_le_bytes(word));
    }
    bytes.extend(records.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(strings.as_bytes());
    bytes
}

const fn info(kind: u32, vlen: u32) -> u32 {
    kind << 24 | vlen
}
const FLAG: u32 = 1 << 31;

/// Walks everything that can be asked of a BTF; the result keeps the walk from being optimised away.
fn walk(btf: &Btf) -> u64 {
    let mut sum = 0_u64;
    let mut add = |n: u64| sum = sum.wrapping_add(n);
    for id in btf.ids() {
        add(btf.name(id).len() as u64);
        add(btf.size_of(id).unwrap_or(1));
        add(u64::from(btf.resolve(id).0));
        match btf.kind(id) {
            Kind::Struct(s) | Kind::Union(s) => s.members().for_each(|m| add(u64::from(m.bit_offset))),
            Kind::Enum(e) => e.values().for_each(|v| add(v.value.bits)),
            Kind::FuncProto(p) => p.params().for_each(|p| add(p.name.len() as u64)),
            Kind::Datasec { vars, .. } => vars.iter().for_each(|v| add(u64::from(v.offset))),
            _ => {}
        }
    }
    add(btf.funcs().count() as u64);
    sum
}

fn running_kernel() -> Option<Btf> {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        eprintln!("skipped: this kernel shows no BTF");
        return None;
    };
    Some(Btf::parse(bytes).expect("the running kernel's BTF parses"))
}

#[test]
fn the_running_kernels_btf_reads_whole() {
    let Some(btf) = running_kernel() else { return };
    assert!(btf.len() > 10_000, "{} types", btf.len());
    walk(&btf);
    for id in btf.ids() {
        assert!(!matches!(btf.kind(id), Kind::Invalid), "type {id} reads as invalid");
        if let Kind::Struct(s) | Kind::Union(s) = btf.kind(id) {
            for m in s.members() {
                assert!(!matches!(btf.kind(m.ty), Kind::Invalid | Kind::Void), "{id}.{}", m.name);
                assert!(u64::from(m.bit_offset) <= u64::from(s.size) * 8, "{id}.{} lies outside", m.name);
            }
        }
    }
}

#[test]
fn the_running_kernels_tasks_are_described() {
    let Some(btf) = running_kernel() else { return };
    let task = btf.find_struct("task_struct").expect("task_struct");
    let comm = btf.member(task, "comm").expect("comm");
    assert_eq!((btf.size_of(comm.ty), comm.bit_offset % 8, comm.bitfield_size), (Some(16), 0, None));
    assert_eq!(btf.c_decl(comm.ty, "comm"), "char comm[16]");
    let parent = btf.member(task, "real_parent").expect("real_parent");
    assert_eq!(btf.c_decl(parent.ty, "real_parent"), "struct task_struct *real_parent");
    let deep = btf.member_path(task, "se.vruntime").expect("se.vruntime");
    let entity = btf.member(task, "se").expect("se");
    let vruntime = btf.member(entity.ty, "vruntime").expect("vruntime");
    assert_eq!(deep.bit_offset, entity.bit_offset + vruntime.bit_offset);
    assert_eq!(btf.member(task, "no_such_member"), None);

    let read = btf.find_func("vfs_read").expect("vfs_read");
    let Kind::Func { proto, .. } = btf.kind(read) else { panic!("vfs_read is no function") };
    let Kind::FuncProto(proto) = btf.kind(proto) else { panic!("vfs_read has no prototype") };
    assert_eq!(proto.params().map(|p| p.name).collect::<Vec<_>>(), ["file", "buf", "count", "pos"]);
    assert_eq!(btf.c_name(proto.params().next().unwrap().ty), "struct file *");
    assert!(btf.funcs().any(|f| f.id == read && f.name == "vfs_read"));
    assert!(btf.find_typedef("pid_t").is_some_and(|id| btf.size_of(id) == Some(4)));
    assert_eq!(btf.find_struct("vfs_read"), None);
}

#[test]
fn every_name_of_the_running_kernel_is_found_again() {
    let Some(btf) = running_kernel() else { return };
    for f in btf.funcs() {
        let found = btf.find_func(f.name).expect(f.name);
        assert!(found <= f.id && btf.name(found) == f.name);
    }
    let mut seen = 0;
    for id in btf.ids() {
        let Kind::Enum(e) = btf.kind(id) else { continue };
        for v in e.values() {
            assert_eq!(btf.enumerator(v.name).expect(v.name).name, v.name);
            seen += 1;
        }
    }
    assert!(seen > 1000);
}

#[test]
fn what_the_builder_writes_reads_back() {
    let mut b = Builder::new();
    let long = b.int("long int", 8, true);
    let byte = b.int("u8", 1, false);
    let ptr = b.ptr(TypeId::VOID);
    let proto = b.func_proto(long, &[("ctx", ptr), ("n", byte)]);
    let func = b.func("lkd_main", proto, Linkage::Global);
    let line = b.string("lkd_main");
    assert_eq!(b.string("lkd_main"), line);
    let btf = Btf::parse(b.finish()).unwrap();

    assert_eq!(btf.len(), 6);
    let Kind::Int(int) = btf.kind(long) else { panic!() };
    assert_eq!((int.size, int.bits, int.signed), (8, 64, true));
    assert!(matches!(btf.kind(byte), Kind::Int(int) if !int.signed && int.size == 1));
    assert_eq!(btf.c_name(ptr), "void *");
    assert_eq!(btf.c_decl(func, ""), "long int lkd_main(void *ctx, u8 n)");
    assert_eq!(btf.find(Tag::Func, "lkd_main"), Some(func));
    assert!(matches!(btf.kind(func), Kind::Func { linkage: Linkage::Global, .. }));
}

/// `struct s { int a:3; int b:5; union { int u; struct { char c; }; }; const s_t *p; enum e { NEG = -1, BIG }; }`
fn sample() -> Btf {
    let strings = "\0int\0s\0a\0b\0u\0c\0p\0s_t\0e\0NEG\0BIG\0char\0wide\0HUGE\0";
    let at = |name: &str| strings.find(&format!("\0{name}\0")).unwrap() as u32 + 1;
    #[rustfmt::skip]
    let records = [
        at("int"), info(1, 0), 4, 1 << 24 | 32,                           // 1 int
        at("char"), info(1, 0), 1, 1 << 24 | 8,                           // 2 char
        0, info(4, 1), 4, at("c"), 2, 8,                                  // 3 struct { char c at byte 1 }
        0, info(5, 2), 4, at("u"), 1, 0, 0, 3, 0,                         // 4 union { int u; [3] }
        at("s"), FLAG | info(4, 4), 24,                                   // 5 struct s
            at("a"), 1, 3 << 24, at("b"), 1, 5 << 24 | 3,
            0, 4, 32, at("p"), 8, 64,
        at("s_t"), info(8, 0), 5,                                         // 6 typedef struct s s_t
        0, info(10, 0), 6,                                                // 7 const s_t
        0, info(2, 0), 7,                                                 // 8 const s_t *
        at("e"), FLAG | info(6, 2), 4, at("NEG"), u32::MAX, at("BIG"), 7, // 9 enum e
        at("wide"), info(19, 1), 8, at("HUGE"), 5, 0x8000_0000,           // 10 enum wide
        0, info(3, 0), 0, 8, 1, 4,                                        // 11 [8][4]
        0, info(3, 0), 0, 11, 1, 3,                                       // 12 [8][3][4]
        0, info(13, 2), 1, at("a"), 2, 0, 0,                              // 13 int (char a, ...)
        0, info(2, 0), 13,                                                // 14 pointer to it
        0, info(3, 0), 0, 14, 1, 2,                                       // 15 array of them
    ];
    Btf::parse(assemble(&records, strings)).unwrap()
}

#[test]
fn members_are_found_through_anonymous_ones_and_bitfields_keep_their_width() {
    let btf = sample();
    let s = btf.find_typedef("s_t").unwrap();
    let place = |name| btf.member(s, name).map(|p| (p.bit_offset, p.bitfield_size));
    assert_eq!(place("a"), Some((0, Some(3))));
    assert_eq!(place("b"), Some((3, Some(5))));
    assert_eq!(place("u"), Some((32, None)));
    assert_eq!(place("c"), Some((40, None)));
    assert_eq!(place("p"), Some((64, None)));
    assert_eq!(place(""), None);
}

#[test]
fn enumerators_keep_sign_and_width() {
    let btf = sample();
    let value = |name| btf.enumerator(name).unwrap().value.as_i128();
    assert_eq!((value("NEG"), value("BIG"), value("HUGE")), (-1, 7, 0x8000_0000_0000_0005));
    assert_eq!(btf.enumerator("HUGE").unwrap().of, TypeId(10));
    assert!(btf.enumerator("NONE").is_none());
}

#[test]
fn types_are_spelled_as_c_spells_them() {
    let btf = sample();
    assert_eq!(btf.c_decl(TypeId(8), "p"), "const s_t *p");
    assert_eq!(btf.c_decl(TypeId(12), "m"), "const s_t *m[3][4]");
    assert_eq!(btf.c_name(TypeId(11)), "const s_t * [4]");
    assert_eq!(btf.c_decl(TypeId(14), "f"), "int (*f)(char a, ...)");
    assert_eq!(btf.c_decl(TypeId(15), "f"), "int (*f[2])(char a, ...)");
    assert_eq!(btf.c_name(TypeId(3)), "struct {...}");
    assert_eq!(btf.c_name(TypeId(99)), "<type 99>");
    assert_eq!(btf.size_of(TypeId(12)), Some(96));
}

#[test]
fn a_modules_btf_continues_the_kernels() {
    let base = Arc::new(sample());
    let first = base.len();
    let strings = "mod_s\0";
    let base_strings = "\0int\0s\0a\0b\0u\0c\0p\0s_t\0e\0NEG\0BIG\0char\0wide\0HUGE\0".len() as u32;
    // struct mod_s { struct s a; }, whose name is its own and whose member's name and type are the kernel's.
    let records = [base_strings, info(4, 1), 24, 7, 5, 0];
    let module = Btf::parse_split(assemble(&records, strings), base.clone()).unwrap();
    let id = module.find_struct("mod_s").unwrap();
    assert_eq!((id, module.len(), base.find_struct("mod_s")), (TypeId(first), first + 1, None));
    assert_eq!(module.ids().collect::<Vec<_>>(), [id]);
    assert_eq!(module.member_path(id, "a.c").map(|p| p.bit_offset), Some(40));
    assert_eq!(module.find_typedef("s_t"), base.find_typedef("s_t"));
    assert_eq!(module.enumerator("BIG").map(|e| e.value.as_u64()), Some(7));
    assert_eq!(module.name(TypeId(5)), "s");
}

#[test]
fn circles_end() {
    let strings = "\0t\0x\0";
    #[rustfmt::skip]
    let records = [
        1, info(8, 0), 2,                                   // 1 typedef 2
        1, info(8, 0), 1,                                   // 2 typedef 1
        1, info(4, 3), 8, 0, 3, 0, 0, 3, 0, 0, 3, 0,        // 3 a structure of three of itself
        0, info(3, 0), 0, 4, 1, 0xffff_ffff,                // 4 an array of itself
        0, info(13, 4), 5, 3, 5, 3, 5, 3, 5, 3, 5,          // 5 a function from four of itself to itself
    ];
    let btf = Btf::parse(assemble(&records, strings)).unwrap();
    assert_eq!(btf.resolve(TypeId(1)), TypeId::VOID);
    assert_eq!(btf.size_of(TypeId(2)), None);
    assert_eq!(btf.member(TypeId(3), "x"), None);
    assert_eq!(btf.size_of(TypeId(4)), None);
    for id in btf.ids() {
        assert!(btf.c_name(id).len() < 1 << 20);
    }
}

#[test]
fn refusals_say_what_and_where() {
    let good = assemble(&[1, info(1, 0), 4, 32], "\0i\0");
    assert!(Btf::parse(good.clone()).is_ok());
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Btf::parse(bytes).unwrap_err()
    };
    assert_eq!(with(0, 0), BtfError::Magic { found: 0xeb00 });
    assert_eq!(with(2, 2), BtfError::Version { found: 2 });
    assert_eq!(with(31, 31), BtfError::Kind { id: 1, at: 24, kind: 31 });
    assert_eq!(with(31, 3), BtfError::Short { what: "type record", at: 24, wanted: 24, had: 16 });
    assert!(matches!(with(42, b'x'), BtfError::Strings { at: 42, .. }));
    assert!(matches!(with(40, b'x'), BtfError::Strings { at: 40, .. }));
    assert!(matches!(with(41, 0xff), BtfError::Strings { at: 41, .. }));
    let mut swapped = good.clone();
    swapped.swap(0, 1);
    assert_eq!(Btf::parse(swapped).unwrap_err(), BtfError::BigEndian);
    for len in 0..good.len() {
        let cut = good[..len].to_vec();
        assert!(matches!(Btf::parse(cut), Err(BtfError::Short { .. })), "cut at {len}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let _ = Btf::parse(bytes);
    }

    #[test]
    fn any_records_are_walked_to_an_end(words in prop::collection::vec(
        prop_oneof![0_u32..24, any::<u32>(), (0_u32..20, 0_u32..4).prop_map(|(kind, vlen)| info(kind, vlen))], 0..96)) {
        if let Ok(btf) = Btf::parse(assemble(&words, "\0a\0b\0c\0d\0e\0f\0")) {
            walk(&btf);
            for id in btf.ids() {
                let _ = btf.c_name(id);
                let _ = btf.member(id, "a");
                let _ = btf.member_path(id, "a.b.c");
            }
            let _ = btf.find(Tag::Struct, "a");
            let _ = btf.enumerator("b");
        }
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0_usize..600, byte in any::<u8>()) {
        let strings = "\0int\0s\0a\0";
        let records = [1, info(1, 0), 4, 32, 5, FLAG | info(4, 2), 8, 7, 1, 0, 0, 2, 32, 5, info(19, 1), 8, 7, 0, 0];
        let mut bytes = assemble(&records, strings);
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(btf) = Btf::parse(bytes) {
            walk(&btf);
            for id in btf.ids() {
                let _ = btf.c_name(id);
                let _ = btf.member(id, "a");
            }
        }
    }
}
