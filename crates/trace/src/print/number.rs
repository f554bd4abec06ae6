//! Digits and padding: the small change of printing, without allocation.

/// The digits of `n` in `base` 8, 10 or 16, at the end of `room`. A flood of records is mostly numbers, and a division by a base
/// that the compiler knows costs a tenth of one that it does not.
pub fn digits(n: u64, base: u64, upper: bool, room: &mut [u8]) -> &[u8] {
    let letters: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let letter = |digit: u64| letters.get(digit as usize).copied().unwrap_or(b'0');
    match base {
        16 => write(n, room, |n| (letter(n % 16), n / 16)),
        8 => write(n, room, |n| (letter(n % 8), n / 8)),
        _ => write(n, room, |n| (b'0' + (n % 10) as u8, n / 10)),
    }
}

#[inline(always)]
fn write(mut n: u64, room: &mut [u8], step: impl Fn(u64) -> (u8, u64)) -> &[u8] {
    let mut at = room.len();
    for (place, slot) in room.iter_mut().enumerate().rev() {
        (*slot, n) = step(n);
        at = place;
        if n == 0 {
            break;
        }
    }
    room.get(at..).unwrap_or_default()
}

pub fn pad_left(text: &[u8], width: usize, with: u8, out: &mut Vec<u8>) {
    out.extend(std::iter::repeat_n(with, width.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

pub fn pad_right(text: &[u8], width: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(text);
    out.extend(std::iter::repeat_n(b' ', width.saturating_sub(text.len())));
}
