//! VMCOREINFO: the note that a kernel leaves for readers of its dumps.
//!
//! Lines of `KEY=VALUE`. Addresses are hexadecimal without a prefix (`SYMBOL(init_uts_ns)=ffffffff82a15a40`); offsets,
//! sizes, lengths and numbers are decimal, numbers with a sign (`OFFSET(page.flags)=0`); text is text
//! (`OSRELEASE=6.12.0`). The kernel adds keys as its readers need them, so every getter says what is missing.

use std::collections::BTreeMap;
use thiserror::Error;

/// Why a value cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InfoError {
    /// The kernel did not write this key.
    #[error("VMCOREINFO has no {key}")]
    Absent {
        /// The key.
        key: String,
    },
    /// The value is not what the key's values are.
    #[error("VMCOREINFO's {key}={value} is not {wanted}")]
    Malformed {
        /// The key.
        key: String,
        /// What stands there.
        value: String,
        /// What should.
        wanted: &'static str,
    },
}

/// The keys and values of one note.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VmcoreInfo {
    values: BTreeMap<String, String>,
}

impl VmcoreInfo {
    /// Reads a note's text, up to its first NUL. Lines that are not `KEY=VALUE` text are passed over; of a key written
    /// twice the last value counts, as the kernel may correct itself by appending.
    pub fn parse(text: &[u8]) -> VmcoreInfo {
        let text = text.split(|&byte| byte == 0).next().unwrap_or(&[]);
        let mut values = BTreeMap::new();
        for line in text.split(|&byte| byte == b'\n') {
            if let Some((key, value)) = str::from_utf8(line).ok().and_then(|line| line.trim().split_once('='))
            {
                values.insert(key.to_owned(), value.to_owned());
            }
        }
        VmcoreInfo { values }
    }

    /// A value as it stands, by its whole key: `get("NUMBER(pgtable_l5_enabled)")`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// Every key and value, in order of key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The virtual address of a symbol.
    ///
    /// # Errors
    /// As all getters here: the key is absent, or its value is not of its kind.
    pub fn symbol(&self, name: &str) -> Result<u64, InfoError> {
        self.hex(&format!("SYMBOL({name})"))
    }

    /// Bytes from the start of a structure to a member, named `structure.member`.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn offset(&self, member: &str) -> Result<u64, InfoError> {
        self.decimal(&format!("OFFSET({member})"), "a count of bytes")
    }

    /// Bytes of a structure.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn size(&self, structure: &str) -> Result<u64, InfoError> {
        self.decimal(&format!("SIZE({structure})"), "a count of bytes")
    }

    /// Elements of an array.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn length(&self, array: &str) -> Result<u64, InfoError> {
        self.decimal(&format!("LENGTH({array})"), "a count of elements")
    }

    /// A constant or variable of the kernel. Linux writes some with `%lx` and `0x`, most in decimal.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn number(&self, name: &str) -> Result<i64, InfoError> {
        let key = format!("NUMBER({name})");
        let value = self.text(&key)?;
        let parsed = match value.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(|bits| bits as i64),
            // phys_base and friends are printed as signed; a large unsigned one keeps its bits.
            None => value.parse().ok().or_else(|| value.parse::<u64>().ok().map(|bits| bits as i64)),
        };
        parsed.ok_or_else(|| malformed(&key, value, "a number"))
    }

    /// The kernel's release, as `uname -r` prints it.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn osrelease(&self) -> Result<&str, InfoError> {
        self.text("OSRELEASE")
    }

    /// Bytes of a page.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`]; a size that is no power of two is malformed.
    pub fn page_size(&self) -> Result<u64, InfoError> {
        let size = self.decimal("PAGESIZE", "a page size in bytes")?;
        if size.is_power_of_two() {
            Ok(size)
        } else {
            Err(malformed("PAGESIZE", &size.to_string(), "a page size in bytes"))
        }
    }

    /// Whether page tables have five levels (57 bits of address); not told means four.
    pub fn five_levels(&self) -> bool {
        self.number("pgtable_l5_enabled").is_ok_and(|enabled| enabled == 1)
    }

    /// The bit that AMD's memory encryption sets in every entry of a page table; 0 where there is none.
    pub fn encryption_mask(&self) -> u64 {
        self.number("sme_mask").unwrap_or(0) as u64
    }

    /// How far the kernel was moved from the address that it was linked for (KASLR).
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn kernel_offset(&self) -> Result<u64, InfoError> {
        self.hex("KERNELOFFSET")
    }

    /// The build id of vmlinux, in hexadecimal digits (since Linux v5.9).
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn build_id(&self) -> Result<&str, InfoError> {
        self.text("BUILD-ID")
    }

    /// When the kernel crashed, in seconds since 1970; a kernel that runs has none.
    ///
    /// # Errors
    /// As [`VmcoreInfo::symbol`].
    pub fn crash_time(&self) -> Result<u64, InfoError> {
        self.decimal("CRASHTIME", "seconds since 1970")
    }

    fn text(&self, key: &str) -> Result<&str, InfoError> {
        self.get(key).ok_or_else(|| InfoError::Absent { key: key.to_owned() })
    }

    fn hex(&self, key: &str) -> Result<u64, InfoError> {
        let value = self.text(key)?;
        let digits = value.strip_prefix("0x").unwrap_or(value);
        u64::from_str_radix(digits, 16).map_err(|_| malformed(key, value, "a hexadecimal address"))
    }

    fn decimal(&self, key: &str, wanted: &'static str) -> Result<u64, InfoError> {
        let value = self.text(key)?;
        value.parse().map_err(|_| malformed(key, value, wanted))
    }
}

fn malformed(key: &str, value: &str, wanted: &'static str) -> InfoError {
    InfoError::Malformed { key: key.to_owned(), value: value.to_owned(), wanted }
}
