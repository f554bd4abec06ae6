//! VMCOREINFO: a note as Linux writes it, and notes that are broken.

use lkd_kernel::vmcoreinfo::{InfoError, VmcoreInfo};
use proptest::prelude::*;

/// Lines in the forms that Linux v6.12 writes, with made-up values.
const NOTE: &[u8] = b"OSRELEASE=6.12.0-example-amd64
BUILD-ID=0123456789abcdef0123456789abcdef01234567
PAGESIZE=4096
SYMBOL(init_uts_ns)=ffffffff82a15a40
OFFSET(uts_namespace.name)=0
SYMBOL(swapper_pg_dir)=ffffffff82a10000
SYMBOL(_stext)=ffffffff81000000
SIZE(page)=64
OFFSET(page.flags)=0
LENGTH(zone.free_area)=11
NUMBER(PG_lru)=5
NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129
NUMBER(pgtable_l5_enabled)=0
NUMBER(VA_BITS)=0x30
NUMBER(phys_base)=18446744073709551615
KERNELOFFSET=1e000000
CONFIG_FOO=y=z
CRASHTIME=1763840000
\0CRASHTIME=1
";

#[test]
fn each_key_has_its_type() {
    let info = VmcoreInfo::parse(NOTE);
    assert_eq!(info.osrelease(), Ok("6.12.0-example-amd64"));
    assert_eq!(info.build_id(), Ok("0123456789abcdef0123456789abcdef01234567"));
    assert_eq!(info.page_size(), Ok(4096));
    assert_eq!(info.symbol("swapper_pg_dir"), Ok(0xffff_ffff_82a1_0000));
    assert_eq!(info.offset("page.flags"), Ok(0));
    assert_eq!(info.size("page"), Ok(64));
    assert_eq!(info.length("zone.free_area"), Ok(11));
    assert_eq!(info.number("PG_lru"), Ok(5));
    assert_eq!(info.number("PAGE_BUDDY_MAPCOUNT_VALUE"), Ok(-129));
    assert_eq!(info.number("VA_BITS"), Ok(48));
    assert_eq!(info.number("phys_base"), Ok(-1));
    assert_eq!(info.kernel_offset(), Ok(0x1e00_0000));
    assert_eq!(info.crash_time(), Ok(1_763_840_000), "what stands after the NUL is not the note's");
    assert_eq!(info.get("CONFIG_FOO"), Some("y=z"));
    assert_eq!(info.iter().count(), 18);
}

#[test]
fn refusals_name_the_key() {
    let info = VmcoreInfo::parse(b"PAGESIZE=4095\nSYMBOL(x)=g\nOFFSET(a.b)=-8\nNUMBER(n)=\nno value\n=\n");
    let text = |error: Result<u64, InfoError>| error.unwrap_err().to_string();
    assert_eq!(text(info.symbol("_stext")), "VMCOREINFO has no SYMBOL(_stext)");
    assert_eq!(text(info.symbol("x")), "VMCOREINFO's SYMBOL(x)=g is not a hexadecimal address");
    assert_eq!(text(info.page_size()), "VMCOREINFO's PAGESIZE=4095 is not a page size in bytes");
    assert_eq!(text(info.offset("a.b")), "VMCOREINFO's OFFSET(a.b)=-8 is not a count of bytes");
    assert!(matches!(info.number("n"), Err(InfoError::Malformed { .. })));
}

#[test]
fn of_a_key_written_twice_the_last_counts() {
    let info = VmcoreInfo::parse(b"OSRELEASE=a\nOSRELEASE=b\n");
    assert_eq!(info.osrelease(), Ok("b"));
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let info = VmcoreInfo::parse(&bytes);
        prop_assert!(info.iter().all(|(key, value)| info.get(key) == Some(value)));
    }
}
