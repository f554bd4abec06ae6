//! One instruction: to bytes and back, and to text as the kernel's verifier writes it.

use lkd_codegen::asm::{Asm, TooFar};
use lkd_codegen::insn::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn bytes_and_back(op: u8, dst in 0u8..16, src in 0u8..16, off: i16, imm: i32) {
        let insn = Insn { op, dst, src, off, imm };
        prop_assert_eq!(Insn::decode(insn.encode()), insn);
    }

    /// The printer knows what it is shown: it never panics, and never prints two instructions alike.
    #[test]
    fn print_tells_apart(a in an_insn(), b in an_insn()) {
        prop_assert!(a == b || a.to_string() != b.to_string(), "{} = {:?} = {:?}", a, a, b);
    }

    #[test]
    fn print_survives_anything(op: u8, dst in 0u8..16, src in 0u8..16, off: i16, imm: i32) {
        let insn = Insn { op, dst, src, off, imm };
        prop_assert!(!insn.to_string().is_empty());
    }
}

fn a_reg() -> impl Strategy<Value = Reg> {
    (0u8..11).prop_map(Reg)
}

/// What the generator emits.
fn an_insn() -> impl Strategy<Value = Insn> {
    let alu = prop::sample::select(vec![
        Alu::Add,
        Alu::Sub,
        Alu::Mul,
        Alu::Div,
        Alu::Or,
        Alu::And,
        Alu::Lsh,
        Alu::Rsh,
        Alu::Mod,
        Alu::Xor,
        Alu::Mov,
        Alu::Arsh,
    ]);
    let size = prop::sample::select(vec![Size::B1, Size::B2, Size::B4, Size::B8]);
    prop_oneof![
        (alu.clone(), any::<bool>(), a_reg(), any::<i32>()).prop_map(|(o, w, d, i)| Insn::alu(o, w, d, i)),
        (alu, any::<bool>(), a_reg(), a_reg()).prop_map(|(o, w, d, s)| Insn::alu_reg(o, w, d, s)),
        (size.clone(), a_reg(), a_reg(), any::<i16>()).prop_map(|(z, d, s, o)| Insn::load(z, d, s, o)),
        (size.clone(), a_reg(), any::<i16>(), a_reg()).prop_map(|(z, d, o, s)| Insn::store(z, d, o, s)),
        (size, a_reg(), any::<i16>(), any::<i32>()).prop_map(|(z, d, o, i)| Insn::store_imm(z, d, o, i)),
    ]
}

#[test]
fn text_is_the_verifiers() {
    for (insn, text) in [
        (Insn::alu(Alu::Mov, true, R1, -5), "r1 = -5"),
        (Insn::alu_reg(Alu::Mov, false, R2, R2), "w2 = w2"),
        (Insn::alu_reg(Alu::Arsh, true, R2, R3), "r2 s>>= r3"),
        (Insn::alu(Alu::Neg, true, R4, 0), "r4 = -r4"),
        (Insn::big_endian(R4), "r4 = be64 r4"),
        (Insn::load(Size::B4, R1, R6, 8), "r1 = *(u32 *)(r6 +8)"),
        (Insn::store(Size::B8, R10, -8, R1), "*(u64 *)(r10 -8) = r1"),
        (Insn::store_imm(Size::B1, R10, -1, 7), "*(u8 *)(r10 -1) = 7"),
        (Insn::new(CALL, R0, R0, 0, helper::RINGBUF_RESERVE), "call bpf_ringbuf_reserve#131"),
        (Insn::new(CALL, R0, R0, 0, 9999), "call helper#9999"),
        (Insn::new(CALL, R0, Reg(PSEUDO_CALL), 0, 3), "call pc+3"),
        (Insn::new(EXIT, R0, R0, 0, 0), "exit"),
        (Insn::new(JMP, R0, R0, -2, 0), "goto pc-2"),
        (Insn::new(JMP | Cond::Sgt as u8, R1, R0, 4, 10), "if r1 s> 0xa goto pc+4"),
        (Insn::new(JMP32 | X | Cond::Ne as u8, R1, R2, 4, 0), "if w1 != w2 goto pc+4"),
        (Insn::new(STX | ATOMIC | 0x18, R1, R2, 8, ATOMIC_ADD), "lock *(u64 *)(r1 +8) += r2"),
        (Insn::new(STX | ATOMIC | 0x18, R0, R1, 0, ATOMIC_XCHG), "r1 = atomic_xchg((u64 *)(r0 +0), r1)"),
    ] {
        assert_eq!(insn.to_string(), text);
    }
}

#[test]
fn labels_become_distances_both_ways() {
    let mut asm = Asm::default();
    let (back, ahead) = (asm.label(), asm.label());
    asm.bind(back);
    asm.jump(Cond::Eq, true, R1, 0, ahead);
    asm.int(R2, 0x1_0000_0000);
    asm.call_label(back);
    asm.goto(back);
    asm.bind(ahead);
    asm.exit();
    let done = asm.finish().unwrap();
    assert_eq!(done.insns.len(), 6);
    assert_eq!((done.insns[0].off, done.insns[3].imm, done.insns[4].off), (4, -4, -5));
}

#[test]
fn a_jump_too_far_is_an_error() {
    let mut asm = Asm::default();
    let end = asm.label();
    asm.jump(Cond::Eq, true, R1, 0, end);
    for _ in 0..40_000 {
        asm.mov(R1, R2);
    }
    asm.bind(end);
    asm.exit();
    assert_eq!(asm.finish().unwrap_err(), TooFar(40_002));
}

#[test]
fn constants_take_the_shortest_form() {
    let slots = |v: u64| {
        let mut asm = Asm::default();
        asm.int(R1, v);
        asm.finish().unwrap().insns.len()
    };
    assert_eq!(
        [slots(0), slots(u64::MAX), slots(0xc000_0001), slots(1 << 32), slots(i64::MIN as u64)],
        [1, 1, 1, 2, 2]
    );
}

#[test]
fn code_that_nothing_reaches_goes_away() {
    let mut asm = Asm::default();
    let (end, dead) = (asm.label(), asm.label());
    asm.mark(None, "start");
    asm.goto(end);
    asm.mark(None, "dead");
    asm.bind(dead);
    asm.map(R1, "gone");
    asm.goto(dead);
    asm.mark(None, "end");
    asm.bind(end);
    asm.map(R1, "here");
    asm.exit();
    let done = asm.finish().unwrap();
    assert_eq!((done.insns.len(), done.insns[0].off), (4, 0));
    assert_eq!(done.relocs.iter().map(|r| (r.insn, r.map.as_str())).collect::<Vec<_>>(), [(1, "here")]);
    assert_eq!(
        done.marks.iter().map(|m| (m.insn, m.what.as_str())).collect::<Vec<_>>(),
        [(0, "start"), (1, "end")]
    );
}
