//! Random expressions: what the generated code leaves in its record is what C says they are worth.

use crate::common::interp::Machine;
use crate::common::*;
use lkd_codegen::record::{Fault, Record, Value};
use lkd_codegen::{Bound, Place, compile};
use lkd_dlang::program::*;
use lkd_dlang::span::Span;
use proptest::prelude::*;

const GLOBALS: [Ty; 4] = [I32, U64, Ty::Int { size: 1, signed: true }, Ty::Int { size: 2, signed: false }];
const LOCALS: [Ty; 3] = [I64, U32, Ty::Int { size: 2, signed: true }];

/// An expression before its types are settled.
#[derive(Clone, Debug)]
enum Node {
    Int(u64, Ty),
    Arg(u8),
    Var(VarRef),
    Neg(Box<Node>),
    BitNot(Box<Node>),
    Not(Box<Node>),
    Cast(Ty, Box<Node>),
    Binary(BinOp, Box<Node>, Box<Node>),
    Compare(CmpOp, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Xor(Box<Node>, Box<Node>),
    Ternary(Box<Node>, Box<Node>, Box<Node>),
    Comma(Box<Node>, Box<Node>),
    Assign(VarRef, Box<Node>),
    AssignOp(BinOp, VarRef, Box<Node>),
    IncDec(VarRef, bool, bool),
}

fn ty_of(v: VarRef) -> Ty {
    match v {
        VarRef::Global(n) => GLOBALS[n as usize],
        VarRef::Local(n) => LOCALS[n as usize],
        VarRef::Thread(_) => I64,
    }
}

fn shape(ty: Ty) -> (u32, bool) {
    let Ty::Int { size, signed } = ty else { panic!("an integer") };
    (8 * u32::from(size), signed)
}

/// The value cut and extended as the type says.
fn reduce(v: u64, ty: Ty) -> u64 {
    let (bits, signed) = shape(ty);
    let up = 64 - bits;
    if signed { (((v << up) as i64) >> up) as u64 } else { (v << up) >> up }
}

fn boxed(kind: ExprKind, ty: Ty) -> Box<Expr> {
    Box::new(expr(kind, ty))
}

fn cast(e: Expr, ty: Ty) -> Expr {
    if e.ty == ty { e } else { convert(e, ty) }
}

/// C's integer promotion.
fn promote(e: Expr) -> Expr {
    if shape(e.ty).0 < 32 { cast(e, I32) } else { e }
}

/// C's usual arithmetic conversions.
fn common_type(a: Ty, b: Ty) -> Ty {
    let ((abits, asigned), (bbits, bsigned)) = (shape(a), shape(b));
    let bits = abits.max(bbits);
    let signed = if abits == bbits {
        asigned && bsigned
    } else if abits > bbits {
        asigned
    } else {
        bsigned
    };
    Ty::Int { size: (bits / 8) as u8, signed }
}

fn pair(a: &Node, b: &Node) -> (Expr, Expr, Ty) {
    let (a, b) = (promote(build(a)), promote(build(b)));
    let ty = common_type(a.ty, b.ty);
    (cast(a, ty), cast(b, ty), ty)
}

fn is_shift(op: BinOp) -> bool {
    matches!(op, BinOp::Shl | BinOp::Shr)
}

fn build(n: &Node) -> Expr {
    match n {
        Node::Int(v, ty) => int(reduce(*v, *ty), *ty),
        Node::Arg(n) => arg(*n),
        Node::Var(v) => var(*v, ty_of(*v)),
        Node::Neg(a) => {
            let a = promote(build(a));
            let ty = a.ty;
            expr(ExprKind::Neg(Box::new(a)), ty)
        }
        Node::BitNot(a) => {
            let a = promote(build(a));
            let ty = a.ty;
            expr(ExprKind::BitNot(Box::new(a)), ty)
        }
        Node::Not(a) => expr(ExprKind::Not(Box::new(build(a))), I32),
        Node::Cast(ty, a) => cast(build(a), *ty),
        Node::Binary(op, a, b) if is_shift(*op) => {
            let (a, b) = (promote(build(a)), promote(build(b)));
            let ty = a.ty;
            expr(ExprKind::Binary(*op, Box::new(a), Box::new(b)), ty)
        }
        Node::Binary(op, a, b) => {
            let (a, b, ty) = pair(a, b);
            expr(ExprKind::Binary(*op, Box::new(a), Box::new(b)), ty)
        }
        Node::Compare(op, a, b) => {
            let (a, b, _) = pair(a, b);
            compare(*op, a, b)
        }
        Node::And(a, b) => expr(ExprKind::LogAnd(Box::new(build(a)), Box::new(build(b))), I32),
        Node::Or(a, b) => expr(ExprKind::LogOr(Box::new(build(a)), Box::new(build(b))), I32),
        Node::Xor(a, b) => expr(ExprKind::LogXor(Box::new(build(a)), Box::new(build(b))), I32),
        Node::Ternary(c, a, b) => {
            let (a, b, ty) = pair(a, b);
            expr(ExprKind::Ternary(Box::new(build(c)), Box::new(a), Box::new(b)), ty)
        }
        Node::Comma(a, b) => {
            let b = build(b);
            let ty = b.ty;
            expr(ExprKind::Comma(Box::new(build(a)), Box::new(b)), ty)
        }
        Node::Assign(v, a) => assign(*v, cast(build(a), ty_of(*v))),
        Node::AssignOp(op, v, a) => {
            let ty = ty_of(*v);
            let value = promote(build(a));
            let with = promote(var(*v, ty)).ty;
            let ty2 = if is_shift(*op) { with } else { common_type(with, value.ty) };
            let target = Box::new(LValue::Var(*v));
            expr(ExprKind::AssignOp { op: *op, target, value: Box::new(cast(value, ty2)) }, ty)
        }
        Node::IncDec(v, up, prefix) => {
            let target = Box::new(LValue::Var(*v));
            *boxed(ExprKind::IncDec { target, delta: if *up { 1 } else { -1 }, prefix: *prefix }, ty_of(*v))
        }
    }
}

/// The reference: C on 128-bit integers.
struct Reference {
    args: [u64; 6],
    globals: [u64; 4],
    locals: [u64; 3],
}

struct DivZero;

impl Reference {
    fn get(&self, v: VarRef) -> u64 {
        match v {
            VarRef::Global(n) => self.globals[n as usize],
            VarRef::Local(n) => self.locals[n as usize],
            VarRef::Thread(_) => 0,
        }
    }

    fn set(&mut self, v: VarRef, value: u64) {
        match v {
            VarRef::Global(n) => self.globals[n as usize] = value,
            VarRef::Local(n) => self.locals[n as usize] = value,
            VarRef::Thread(_) => {}
        }
    }

    fn wide(v: u64, ty: Ty) -> i128 {
        if shape(ty).1 { i128::from(v as i64) } else { i128::from(v) }
    }

    fn operate(op: BinOp, a: u64, b: u64, ty: Ty) -> Result<u64, DivZero> {
        let (bits, _) = shape(ty);
        let (x, y) = (Self::wide(a, ty), Self::wide(b, ty));
        let count = (b as u32) & (bits - 1);
        let v = match op {
            BinOp::Add => x.wrapping_add(y),
            BinOp::Sub => x.wrapping_sub(y),
            BinOp::Mul => x.wrapping_mul(y),
            BinOp::Div | BinOp::Mod if y == 0 => return Err(DivZero),
            BinOp::Div => x / y,
            BinOp::Mod => x % y,
            BinOp::Shl => x << count,
            BinOp::Shr => x >> count,
            BinOp::And => x & y,
            BinOp::Or => x | y,
            BinOp::Xor => x ^ y,
        };
        Ok(reduce(v as u64, ty))
    }

    fn eval(&mut self, e: &Expr) -> Result<u64, DivZero> {
        let truth = |b: bool| u64::from(b);
        Ok(match &e.kind {
            ExprKind::Int(v) => *v,
            ExprKind::Arg(n) => self.args[*n as usize],
            ExprKind::Var(v) => self.get(*v),
            ExprKind::Neg(a) => reduce((-Self::wide(self.eval(a)?, e.ty)) as u64, e.ty),
            ExprKind::BitNot(a) => reduce(!self.eval(a)?, e.ty),
            ExprKind::Not(a) => truth(self.eval(a)? == 0),
            ExprKind::Convert(a) => reduce(self.eval(a)?, e.ty),
            ExprKind::Binary(op, a, b) => {
                let (x, y) = (self.eval(a)?, self.eval(b)?);
                Self::operate(*op, x, y, e.ty)?
            }
            ExprKind::Compare(op, a, b) => {
                let (x, y) = (Self::wide(self.eval(a)?, a.ty), Self::wide(self.eval(b)?, b.ty));
                truth(match op {
                    CmpOp::Eq => x == y,
                    CmpOp::Ne => x != y,
                    CmpOp::Lt => x < y,
                    CmpOp::Le => x <= y,
                    CmpOp::Gt => x > y,
                    CmpOp::Ge => x >= y,
                })
            }
            ExprKind::LogAnd(a, b) => truth(self.eval(a)? != 0 && self.eval(b)? != 0),
            ExprKind::LogOr(a, b) => truth(self.eval(a)? != 0 || self.eval(b)? != 0),
            ExprKind::LogXor(a, b) => truth((self.eval(a)? != 0) ^ (self.eval(b)? != 0)),
            ExprKind::Ternary(c, a, b) => {
                if self.eval(c)? != 0 {
                    self.eval(a)?
                } else {
                    self.eval(b)?
                }
            }
            ExprKind::Comma(a, b) => {
                self.eval(a)?;
                self.eval(b)?
            }
            ExprKind::Assign { target, value } => {
                let LValue::Var(v) = **target else { panic!("a variable") };
                let x = self.eval(value)?;
                self.set(v, x);
                x
            }
            ExprKind::AssignOp { op, target, value } => {
                let LValue::Var(v) = **target else { panic!("a variable") };
                let old = reduce(self.get(v), value.ty);
                let y = self.eval(value)?;
                let x = reduce(Self::operate(*op, old, y, value.ty)?, e.ty);
                self.set(v, x);
                x
            }
            ExprKind::IncDec { target, delta, prefix } => {
                let LValue::Var(v) = **target else { panic!("a variable") };
                let old = self.get(v);
                let new = reduce(old.wrapping_add(*delta as u64), e.ty);
                self.set(v, new);
                if *prefix { new } else { old }
            }
            other => panic!("{other:?}"),
        })
    }
}

fn a_type() -> impl Strategy<Value = Ty> {
    (prop::sample::select(vec![1u8, 2, 4, 8]), any::<bool>())
        .prop_map(|(size, signed)| Ty::Int { size, signed })
}

fn a_word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (-3i64..4).prop_map(|v| v as u64),
        prop::sample::select(vec![
            i64::MIN as u64,
            i64::MAX as u64,
            i32::MIN as i64 as u64,
            i32::MAX as u64,
            u32::MAX.into(),
            0x8000_0000,
            0xc000_0001,
            0x1_0000_0000,
            0x7f,
            0x80,
            0xff,
            0x7fff,
            0x8000,
        ]),
    ]
}

fn a_var() -> impl Strategy<Value = VarRef> {
    prop_oneof![(0u32..4).prop_map(VarRef::Global), (0u32..3).prop_map(VarRef::Local)]
}

fn an_op() -> impl Strategy<Value = BinOp> {
    use BinOp::*;
    prop::sample::select(vec![Add, Sub, Mul, Div, Mod, Shl, Shr, And, Or, Xor])
}

fn a_cmp() -> impl Strategy<Value = CmpOp> {
    use CmpOp::*;
    prop::sample::select(vec![Eq, Ne, Lt, Le, Gt, Ge])
}

fn a_node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        (a_word(), a_type()).prop_map(|(v, t)| Node::Int(v, t)),
        (0u8..6).prop_map(Node::Arg),
        a_var().prop_map(Node::Var),
    ];
    leaf.prop_recursive(7, 48, 3, |n| {
        let b = move || n.clone().prop_map(Box::new);
        prop_oneof![
            1 => b().prop_map(Node::Neg),
            1 => b().prop_map(Node::BitNot),
            1 => b().prop_map(Node::Not),
            2 => (a_type(), b()).prop_map(|(t, a)| Node::Cast(t, a)),
            8 => (an_op(), b(), b()).prop_map(|(o, x, y)| Node::Binary(o, x, y)),
            4 => (a_cmp(), b(), b()).prop_map(|(o, x, y)| Node::Compare(o, x, y)),
            1 => (b(), b()).prop_map(|(x, y)| Node::And(x, y)),
            1 => (b(), b()).prop_map(|(x, y)| Node::Or(x, y)),
            1 => (b(), b()).prop_map(|(x, y)| Node::Xor(x, y)),
            2 => (b(), b(), b()).prop_map(|(c, x, y)| Node::Ternary(c, x, y)),
            1 => (b(), b()).prop_map(|(x, y)| Node::Comma(x, y)),
            2 => (a_var(), b()).prop_map(|(v, x)| Node::Assign(v, x)),
            2 => (an_op(), a_var(), b()).prop_map(|(o, v, x)| Node::AssignOp(o, v, x)),
            1 => (a_var(), any::<bool>(), any::<bool>()).prop_map(|(v, u, p)| Node::IncDec(v, u, p)),
        ]
    })
}

fn variables(tys: &[Ty]) -> Vec<Var> {
    tys.iter().map(|&ty| Var { name: "v".into(), ty, span: Span::default() }).collect()
}

fn script(clauses: Vec<Clause>) -> Program {
    Program { clauses, globals: variables(&GLOBALS), locals: variables(&LOCALS), ..Program::default() }
}

fn raw(clauses: &[u32]) -> Vec<Bound> {
    vec![bound(3001, Place::RawTp { nargs: 6 }, clauses)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// As a value in a record, as a predicate, twice in a row (variables keep their values).
    #[test]
    fn expressions_are_worth_what_c_says(node in a_node(), args in prop::array::uniform6(a_word())) {
        let e = build(&node);
        let (ty, e2) = (e.ty, e.clone());
        let program = script(vec![
            clause(None, vec![action(ActionKind::Trace(e.clone()))]),
            clause(Some(e2), vec![action(ActionKind::Default)]),
        ]);
        let object = match compile(&program, &raw(&[0, 1]), &env()) {
            Ok(object) => object,
            // An honest refusal of what the 512 bytes cannot hold.
            Err(e) => { prop_assert!(e.to_string().contains("stack"), "{}", e); return Ok(()); }
        };
        let prog = &object.progs[0];
        let mut machine = Machine::new(&object);
        machine.set_array("ctl", 0, &1u32.to_le_bytes());
        machine.run(prog, &args);

        let mut reference = Reference { args, globals: [0; 4], locals: [0; 3] };
        let mut want = vec![];
        match reference.eval(&e) {
            Ok(v) => want.push(Ok(v)),
            Err(DivZero) => want.push(Err(0)),
        }
        match reference.eval(&e) {
            Ok(0) => {}
            Ok(_) => want.push(Ok(1)),
            Err(DivZero) => want.push(Err(1)),
        }
        let made = u64::from_le_bytes(machine.array("counters", 0, 8).try_into().unwrap());
        prop_assert_eq!(made, want.len() as u64);
        prop_assert_eq!(machine.records.len(), want.len(), "{}", prog.listing());
        for (n, (got, want)) in machine.records.iter().zip(&want).enumerate() {
            match (Record::parse(got).unwrap(), want) {
                (Record::Data(d), Ok(v)) => {
                    prop_assert_eq!(d.probe, 3001);
                    let layout = &object.layouts[d.clause as usize];
                    if let Some(field) = layout.actions[0].fields.first() {
                        prop_assert_eq!(field.ty, ty);
                        prop_assert_eq!(d.value(field).unwrap(), Value::Int(*v), "{}", prog.listing());
                    }
                }
                (Record::Error(x), Err(c)) => {
                    prop_assert_eq!((x.fault, x.clause), (Fault::DivZero as u32, *c));
                    prop_assert_eq!(x.action, if *c == 0 { 1 } else { 0 });
                    prop_assert_eq!(x.epid, 3001 * 2 + c + 1);
                }
                _ => prop_assert!(false, "record {} is of the wrong kind\n{}", n, prog.listing()),
            }
        }
        for (n, ty) in GLOBALS.iter().enumerate() {
            // `if` the script never names it, it has no place.
            if !object.maps.iter().any(|m| m.name == "globals") { break; }
            let bytes = machine.array("globals", 8 * n as u64, shape(*ty).0 as usize / 8);
            let v = bytes.iter().rev().fold(0u64, |v, &b| (v << 8) | u64::from(b));
            prop_assert_eq!(reduce(v, *ty), reference.globals[n]);
        }
    }
}
