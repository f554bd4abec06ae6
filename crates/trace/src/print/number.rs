//! Digits and padding: the small change of printing, without allocation.

/// The digits of `n` in `base` 8, 10 or 16, at the end of `room`.
pub fn digits(mut n: u64, base: u64, upper: bool, room: &mut [u8]) -> &[u8] {
    let letters: &[u8; 16] = if upper { b"0123456789ABCDEF" } else { b"0123456789abcdef" };
    let mut at = room.len();
    for (place, slot) in room.iter_mut().enumerate().rev() {
        *slot = letters.get((n % base) as usize).copied().unwrap_or(b'0');
        at = place;
        n /= base;
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
