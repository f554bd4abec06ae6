//! NTSTATUS: what Windows' tools and texts say of an end, beside the errno that it was here.

use std::fmt;
use std::io;

/// How something has ended, in Windows' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NtStatus(pub u32);

impl NtStatus {
    /// It worked.
    pub const SUCCESS: NtStatus = NtStatus(0);
    /// It failed, and there is no better word.
    pub const UNSUCCESSFUL: NtStatus = NtStatus(0xc000_0001);
    /// The disk has no room: the seed's troubleshooting section is about this one.
    pub const DISK_FULL: NtStatus = NtStatus(0xc000_007f);
    /// It is not allowed here: dumps are disabled.
    pub const NOT_SUPPORTED: NtStatus = NtStatus(0xc000_00bb);
    /// There was not enough memory.
    pub const INSUFFICIENT_RESOURCES: NtStatus = NtStatus(0xc000_009a);
    /// Somebody has called it off.
    pub const CANCELLED: NtStatus = NtStatus(0xc000_0120);
    /// It was refused for now: throttled. Which status Windows has there is not documented.
    pub const REQUEST_NOT_ACCEPTED: NtStatus = NtStatus(0xc000_00d0);
    /// Its time was over.
    pub const IO_TIMEOUT: NtStatus = NtStatus(0xc000_00b5);

    const KNOWN: [(NtStatus, &'static str, i32); 16] = [
        (NtStatus::SUCCESS, "STATUS_SUCCESS", 0),
        (NtStatus::UNSUCCESSFUL, "STATUS_UNSUCCESSFUL", -1),
        (NtStatus::DISK_FULL, "STATUS_DISK_FULL", 28),
        (NtStatus::NOT_SUPPORTED, "STATUS_NOT_SUPPORTED", 95),
        (NtStatus::INSUFFICIENT_RESOURCES, "STATUS_INSUFFICIENT_RESOURCES", 12),
        (NtStatus::CANCELLED, "STATUS_CANCELLED", 125),
        (NtStatus::REQUEST_NOT_ACCEPTED, "STATUS_REQUEST_NOT_ACCEPTED", -1),
        (NtStatus::IO_TIMEOUT, "STATUS_IO_TIMEOUT", 110),
        (NtStatus(0xc000_0022), "STATUS_ACCESS_DENIED", 13),
        (NtStatus(0xc000_0034), "STATUS_OBJECT_NAME_NOT_FOUND", 2),
        (NtStatus(0xc000_0035), "STATUS_OBJECT_NAME_COLLISION", 17),
        (NtStatus(0xc000_0044), "STATUS_QUOTA_EXCEEDED", 122),
        (NtStatus(0xc000_00a2), "STATUS_MEDIA_WRITE_PROTECTED", 30),
        (NtStatus(0xc000_0103), "STATUS_NOT_A_DIRECTORY", 20),
        (NtStatus(0xc000_0185), "STATUS_IO_DEVICE_ERROR", 5),
        (NtStatus(0xc000_0904), "STATUS_FILE_TOO_LARGE", 27),
    ];

    /// The status that says the same as an error of the system.
    pub fn of(error: &io::Error) -> NtStatus {
        let number = error.raw_os_error().unwrap_or(-2);
        let same = Self::KNOWN.iter().find(|(_, _, errno)| *errno == number || number == 1 && *errno == 13);
        same.map_or(NtStatus::UNSUCCESSFUL, |(status, _, _)| *status)
    }

    /// Windows' name for it; empty where we have none.
    pub fn name(self) -> &'static str {
        Self::KNOWN.iter().find(|(status, _, _)| *status == self).map_or("", |(_, name, _)| name)
    }
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:X}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_the_seeds_number() {
        let status = NtStatus::of(&io::Error::from_raw_os_error(28));
        assert_eq!((status.to_string().as_str(), status.name()), ("0xC000007F", "STATUS_DISK_FULL"));
        assert_eq!(NtStatus::of(&io::Error::from_raw_os_error(1)).name(), "STATUS_ACCESS_DENIED");
        assert_eq!(NtStatus::of(&io::Error::other("x")), NtStatus::UNSUCCESSFUL);
        assert_eq!(NtStatus::SUCCESS.to_string(), "0x0");
    }
}
