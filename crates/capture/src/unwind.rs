//! One frame up the kernel's stack by the kernel's own unwind table (ORC): what the caller's rip, rsp and rbp were.
//!
//! The table is two arrays in the running kernel's memory: addresses, each as a distance from its own place, sorted; and beside
//! them what holds from that address on. Until v6.3 a call's type is 0 in 2 bits, since v6.4 (commit fb799447ae29) 2 in 3 bits; the
//! kernel's types tell which. The registers' numbers have changed, too (commit 1735858caa4b); two rows that the kernel keeps for code
//! without a row of its own show them: one finds the caller by rsp, the other by rbp.

use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;

/// Where kernel code stands: what unwinding needs and gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    pub rip: u64,
    pub rsp: u64,
    pub rbp: u64,
}

/// The unwind table of the kernel's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orc {
    addresses: u64,
    entries: u64,
    count: u64,
    /// Bits of an entry's type.
    type_bits: u32,
    type_shift: u32,
    /// Addresses of the kernel's rows for code by rsp and code by rbp.
    models: Option<(u64, u64)>,
}

/// How a row names registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Numbers {
    sp: u16,
    bp: u16,
    prev_sp: u16,
}

const ENTRY_BYTES: u64 = 6;
const REG_UNDEFINED: u16 = 0;

/// Reads `len` bytes (at most 8) of kernel memory as a little-endian number.
pub type Read<'a> = &'a mut dyn FnMut(u64, usize) -> Option<u64>;

impl Orc {
    /// Where the running kernel keeps its table; `None` without one, or where its symbols are not told.
    pub fn find(symbols: &Symbols, btf: &Btf) -> Option<Orc> {
        let symbol = |name| symbols.by_name_in("vmlinux", name).map(|symbol| symbol.addr);
        let (addresses, end) = (symbol("__start_orc_unwind_ip")?, symbol("__stop_orc_unwind_ip")?);
        let entry = btf.find_struct("orc_entry")?;
        let kind = btf.member(entry, "type")?;
        if btf.size_of(entry) != Some(ENTRY_BYTES) {
            return None;
        }
        Some(Orc {
            addresses,
            entries: symbol("__start_orc_unwind")?,
            count: end.checked_sub(addresses)? / 4,
            type_bits: u32::from(kind.bitfield_size?),
            type_shift: u32::try_from(kind.bit_offset.checked_sub(32)?).ok()?,
            models: symbol("null_orc_entry").zip(symbol("orc_fp_entry")),
        })
    }

    /// The caller's frame of a function that is in the middle of a call; `word` reads the stack.
    pub fn caller(&self, frame: Frame, read: Read<'_>, word: &dyn Fn(u64) -> Option<u64>) -> Option<Frame> {
        // The return address may already belong to the next row.
        let row = self.row(frame.rip.checked_sub(1)?, read)?;
        let at = self.entries.checked_add(row.checked_mul(ENTRY_BYTES)?)?;
        let bytes = read(at, ENTRY_BYTES as usize)?;
        let (sp_offset, bp_offset) = (bytes as u16 as i16, (bytes >> 16) as u16 as i16);
        let flags = (bytes >> 32) as u16;
        let call = if self.type_bits == 2 { 0 } else { 2 };
        if flags >> self.type_shift & ((1 << self.type_bits) - 1) != call {
            return None;
        }
        let numbers = self.numbers(read)?;
        let base = match flags & 15 {
            register if register == numbers.sp => frame.rsp,
            register if register == numbers.bp => frame.rbp,
            _ => return None,
        };
        let rsp = base.checked_add_signed(i64::from(sp_offset))?;
        let rip = word(rsp.checked_sub(8)?)?;
        let rbp = match flags >> 4 & 15 {
            REG_UNDEFINED => frame.rbp,
            register if register == numbers.prev_sp => word(rsp.checked_add_signed(i64::from(bp_offset))?)?,
            register if register == numbers.bp => word(frame.rbp.checked_add_signed(i64::from(bp_offset))?)?,
            _ => return None,
        };
        Some(Frame { rip, rsp, rbp })
    }

    /// The numbers as the kernel's own two rows have them; without those rows, as they were at first.
    fn numbers(&self, read: Read<'_>) -> Option<Numbers> {
        let Some((by_sp, by_bp)) = self.models else { return Some(Numbers { sp: 5, bp: 4, prev_sp: 1 }) };
        let flags = |bytes: u64| (bytes >> 32) as u16;
        let by_sp = flags(read(by_sp, ENTRY_BYTES as usize)?);
        let by_bp = flags(read(by_bp, ENTRY_BYTES as usize)?);
        Some(Numbers { sp: by_sp & 15, bp: by_bp & 15, prev_sp: by_bp >> 4 & 15 })
    }

    /// The last row whose address is not above `ip`.
    fn row(&self, ip: u64, read: Read<'_>) -> Option<u64> {
        let mut address = |row: u64| {
            let at = self.addresses.checked_add(row.checked_mul(4)?)?;
            at.checked_add_signed(i64::from(read(at, 4)? as u32 as i32))
        };
        if self.count == 0 || address(0)? > ip {
            return None;
        }
        let (mut low, mut high) = (0, self.count);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if address(middle)? <= ip {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const TEXT: u64 = 0xffff_ffff_8100_0000;
    const ROWS: u64 = 0xffff_ffff_8200_0000;
    const ENTRIES: u64 = 0xffff_ffff_8300_0000;
    const MODELS: u64 = 0xffff_ffff_8400_0000;
    const ORC: Orc =
        Orc { addresses: ROWS, entries: ENTRIES, count: 3, type_bits: 3, type_shift: 8, models: None };
    const REG_PREV_SP: u16 = 1;
    const REG_BP: u16 = 4;
    const REG_SP: u16 = 5;

    /// Rows at TEXT, TEXT + 0x10 and TEXT + 0x20.
    fn table(rows: [(i16, i16, u16); 3]) -> HashMap<u64, u64> {
        let mut memory = HashMap::new();
        for (row, (sp, bp, flags)) in (0u64..).zip(rows) {
            let at = ROWS + row * 4;
            memory.insert(at, u64::from((TEXT + row * 0x10).wrapping_sub(at) as u32));
            memory.insert(
                ENTRIES + row * 6,
                u64::from(sp as u16) | u64::from(bp as u16) << 16 | u64::from(flags) << 32,
            );
        }
        memory
    }

    fn caller(rows: [(i16, i16, u16); 3], frame: Frame, stack: &[(u64, u64)]) -> Option<Frame> {
        let memory = table(rows);
        let stack: HashMap<u64, u64> = stack.iter().copied().collect();
        ORC.caller(frame, &mut |at, _| memory.get(&at).copied(), &|at| stack.get(&at).copied())
    }

    #[test]
    fn rows_are_found_below_the_return_address() {
        let memory = table([(0, 0, 0); 3]);
        let near = |ip: u64| ORC.row(ip, &mut |at, _| memory.get(&at).copied());
        assert_eq!(near(TEXT - 1), None);
        assert_eq!(near(TEXT), Some(0));
        assert_eq!(near(TEXT + 0x1f), Some(1));
        assert_eq!(near(TEXT + 0x500), Some(2));
    }

    #[test]
    fn a_frame_by_rsp_and_a_frame_by_rbp() {
        let call = 2 << 8;
        let by_sp = (24, -16, REG_SP | REG_PREV_SP << 4 | call);
        let by_bp = (16, -16, REG_BP | REG_PREV_SP << 4 | call);
        let other = (0, 0, 3 << 8);
        let frame = Frame { rip: TEXT + 8, rsp: 0x7000, rbp: 0x7100 };
        assert_eq!(
            caller([by_sp, by_bp, other], frame, &[(0x7010, 0xaaaa), (0x7008, 0xbbbb)]),
            Some(Frame { rip: 0xaaaa, rsp: 0x7018, rbp: 0xbbbb })
        );
        let frame = Frame { rip: TEXT + 0x18, ..frame };
        assert_eq!(
            caller([by_sp, by_bp, other], frame, &[(0x7108, 0xaaaa), (0x7100, 0xbbbb)]),
            Some(Frame { rip: 0xaaaa, rsp: 0x7110, rbp: 0xbbbb })
        );
        // As newer kernels number them: rsp 3, rbp 4, the caller's rsp 8.
        let mut memory = table([(24, -16, 3 | 8 << 4 | call), by_bp, other]);
        memory.insert(MODELS, u64::from(3 | call) << 32 | 8);
        memory.insert(MODELS + 6, u64::from(4 | 8 << 4 | call) << 32 | 16);
        let orc = Orc { models: Some((MODELS, MODELS + 6)), ..ORC };
        let stack = HashMap::from([(0x7010, 0xaaaa), (0x7008, 0xbbbb)]);
        let frame = Frame { rip: TEXT + 8, rsp: 0x7000, rbp: 0x7100 };
        assert_eq!(
            orc.caller(frame, &mut |at, _| memory.get(&at).copied(), &|at| stack.get(&at).copied()),
            Some(Frame { rip: 0xaaaa, rsp: 0x7018, rbp: 0xbbbb })
        );
        // An interrupted frame is no call.
        assert_eq!(caller([by_sp, by_bp, other], Frame { rip: TEXT + 0x28, ..frame }, &[]), None);
    }
}
