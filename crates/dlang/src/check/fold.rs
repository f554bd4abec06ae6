//! Arithmetic on constants, as the generated program does it: 64-bit registers that hold every value extended by its own type.

use crate::program::{BinOp, CmpOp, Ty};

/// `value` cut to the type's width and extended by its sign.
pub fn reduce(value: u64, ty: Ty) -> u64 {
    match ty {
        Ty::Int { size, signed } => {
            let unused = 64 - u32::from(size.clamp(1, 8)) * 8;
            let up = value << unused;
            if signed { ((up as i64) >> unused) as u64 } else { up >> unused }
        }
        Ty::Ptr | Ty::Void | Ty::Str { .. } | Ty::Mem { .. } => value,
    }
}

fn is_signed(ty: Ty) -> bool {
    matches!(ty, Ty::Int { signed: true, .. })
}

fn width(ty: Ty) -> u32 {
    match ty {
        Ty::Int { size, .. } => u32::from(size) * 8,
        _ => 64,
    }
}

/// `a op b` in `ty`, to which both belong (a shift's `b` may be of any integer type). `None`: division by zero.
///
/// Where C leaves the result open, this is the machine's: overflow wraps, a shift count is taken modulo the width.
pub fn binary(op: BinOp, a: u64, b: u64, ty: Ty) -> Option<u64> {
    let count = (b as u32) & (width(ty) - 1);
    let value = match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::Div | BinOp::Mod if b == 0 => return None,
        BinOp::Div if is_signed(ty) => (a as i64).wrapping_div(b as i64) as u64,
        BinOp::Div => a / b,
        BinOp::Mod if is_signed(ty) => (a as i64).wrapping_rem(b as i64) as u64,
        BinOp::Mod => a % b,
        BinOp::Shl => a << count,
        BinOp::Shr if is_signed(ty) => ((a as i64) >> count) as u64,
        BinOp::Shr => a >> count,
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
    };
    Some(reduce(value, ty))
}

/// `a op b` of two values of `ty`.
pub fn compare(op: CmpOp, a: u64, b: u64, ty: Ty) -> bool {
    let order = if is_signed(ty) { (a as i64).cmp(&(b as i64)) } else { a.cmp(&b) };
    holds(op, order)
}

pub fn holds(op: CmpOp, order: std::cmp::Ordering) -> bool {
    match op {
        CmpOp::Eq => order.is_eq(),
        CmpOp::Ne => order.is_ne(),
        CmpOp::Lt => order.is_lt(),
        CmpOp::Le => order.is_le(),
        CmpOp::Gt => order.is_gt(),
        CmpOp::Ge => order.is_ge(),
    }
}
