//! The machine's arithmetic.

pub fn width(op: u8) -> usize {
    match op & 0x18 {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}

pub fn alu(op: u8, wide: bool, a: u64, b: u64) -> u64 {
    if wide {
        match op {
            0x00 => a.wrapping_add(b),
            0x10 => a.wrapping_sub(b),
            0x20 => a.wrapping_mul(b),
            0x30 => a.checked_div(b).unwrap_or(0),
            0x40 => a | b,
            0x50 => a & b,
            0x60 => a << (b & 63),
            0x70 => a >> (b & 63),
            0x80 => a.wrapping_neg(),
            0x90 => a.checked_rem(b).unwrap_or(a),
            0xa0 => a ^ b,
            0xb0 => b,
            0xc0 => ((a as i64) >> (b & 63)) as u64,
            other => panic!("alu {other:#x}"),
        }
    } else {
        let (a, b) = (a as u32, b as u32);
        u64::from(match op {
            0x00 => a.wrapping_add(b),
            0x10 => a.wrapping_sub(b),
            0x20 => a.wrapping_mul(b),
            0x30 => a.checked_div(b).unwrap_or(0),
            0x40 => a | b,
            0x50 => a & b,
            0x60 => a << (b & 31),
            0x70 => a >> (b & 31),
            0x80 => a.wrapping_neg(),
            0x90 => a.checked_rem(b).unwrap_or(a),
            0xa0 => a ^ b,
            0xb0 => b,
            0xc0 => ((a as i32) >> (b & 31)) as u32,
            other => panic!("alu {other:#x}"),
        })
    }
}
