//! Memory that starts at a multiple of 4096, as direct writing wants it, without a line of unsafe code.

use crate::addr::PAGE_SIZE;

/// Bytes, zeros at first, the first of which lies at a multiple of 4096.
pub struct Aligned {
    /// Longer than wanted by what it takes to find such a place; never grown, so the place stays.
    room: Vec<u8>,
    start: usize,
    len: usize,
}

impl std::fmt::Debug for Aligned {
    /// Never the bytes: they are somebody's memory.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Aligned").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Aligned {
    /// `len` bytes.
    pub fn new(len: usize) -> Aligned {
        let room = vec![0; len + PAGE_SIZE];
        // Where the offset cannot be told (it may not be, by its contract) the memory is merely not aligned.
        let start = room.as_ptr().align_offset(PAGE_SIZE).min(PAGE_SIZE);
        Aligned { room, start, len }
    }

    /// The bytes.
    pub fn get(&self) -> &[u8] {
        self.room.get(self.start..self.start + self.len).unwrap_or_default()
    }

    /// The bytes.
    pub fn get_mut(&mut self) -> &mut [u8] {
        self.room.get_mut(self.start..self.start + self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_a_page_and_stays_there() {
        for len in [1, 4096, 1 << 20] {
            let mut one = Aligned::new(len);
            assert_eq!((one.get().len(), one.get().as_ptr().addr() % PAGE_SIZE), (len, 0));
            one.get_mut()[len - 1] = 7;
            let moved = Box::new(one);
            assert_eq!((moved.get()[len - 1], moved.get().as_ptr().addr() % PAGE_SIZE), (7, 0));
        }
    }
}
