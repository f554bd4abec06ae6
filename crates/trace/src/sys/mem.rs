//! Memory that the kernel shares with us: maps and rings, mapped and unmapped again.

use super::SysError;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, AtomicU64};

pub fn page_size() -> usize {
    // SAFETY: a question to libc that changes nothing.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// A shared mapping; unmapped when dropped.
pub struct Shared {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; all access goes through atomics or is read-only bytes whose
// hand-over is ordered by ring.rs.
unsafe impl Send for Shared {}

impl Shared {
    /// Maps `len` bytes of `map` from `offset`; both must be multiples of the page size.
    pub fn map(
        map: BorrowedFd<'_>,
        offset: usize,
        len: usize,
        writable: bool,
        object: &str,
    ) -> Result<Shared, SysError> {
        let prot = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        // SAFETY: a fresh mapping at an address of the kernel's choice cannot touch memory that anybody uses.
        let at = unsafe {
            libc::mmap(ptr::null_mut(), len, prot, libc::MAP_SHARED, map.as_raw_fd(), offset as libc::off_t)
        };
        match NonNull::new(at.cast::<u8>()) {
            Some(p) if at != libc::MAP_FAILED => Ok(Shared { at: p, len }),
            _ => Err(SysError::last("mmap", object)),
        }
    }

    fn place(&self, offset: usize, size: usize) -> NonNull<u8> {
        assert!(
            offset.is_multiple_of(size) && offset + size <= self.len,
            "offset {offset} in a mapping of {}",
            self.len
        );
        // SAFETY: inside the mapping, as just checked.
        unsafe { self.at.add(offset) }
    }

    /// The aligned word at `offset`. Panics outside the mapping: offsets are ours, never the kernel's.
    pub fn u64(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: aligned and inside (checked by place), mapped as long as self lives, and atomics may be shared with the kernel.
        unsafe { self.place(offset, 8).cast().as_ref() }
    }

    /// As [`Shared::u64`].
    pub fn u32(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { self.place(offset, 4).cast().as_ref() }
    }

    /// `len` bytes from `offset`, `None` outside the mapping. The caller knows that the kernel does not write there now.
    pub fn bytes(&self, offset: usize, len: usize) -> Option<&[u8]> {
        if offset.checked_add(len)? > self.len {
            return None;
        }
        // SAFETY: inside the mapping and readable; that nobody writes is the caller's promise, kept by ring.rs: the kernel does
        // not reuse a record before the consumer position has passed it.
        Some(unsafe { std::slice::from_raw_parts(self.at.as_ptr().add(offset), len) })
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: exactly what map() made; no borrow outlives self.
        unsafe {
            libc::munmap(self.at.as_ptr().cast(), self.len);
        }
    }
}

/// A file of `/sys/kernel/btf`, whole. Since Linux v6.16 it can be mapped, which spares one system call per
/// page; the caller reads it where that fails.
pub fn read_by_map(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let len = usize::try_from(file.metadata()?.len()).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
    if len == 0 {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    // SAFETY: a fresh private read-only mapping at an address of the kernel's choice; the bytes of these files never change and
    // their length is fixed, so every byte of the mapping can be read until it is unmapped, which happens after the copy.
    unsafe {
        let at = libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0);
        if at == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error());
        }
        let bytes = std::slice::from_raw_parts(at.cast::<u8>(), len).to_vec();
        libc::munmap(at, len);
        Ok(bytes)
    }
}
