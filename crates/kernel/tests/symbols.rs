//! Kernel symbols: a small kallsyms asked both ways, the running kernel's, and text that is none.

use lkd_kernel::symbols::{Symbols, SymbolsError, lines};
use proptest::prelude::*;

const SAMPLE: &str = "\
0000000000000000 A fixed_percpu_data
0000000000000000 A __per_cpu_start
000000000001f4c0 A pcpu_hot
ffffffff81000000 T srso_alias_untrain_ret
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff812f1000 T vfs_read
ffffffff812f1200 t new_sync_read
ffffffff812f1300 T vfs_write
ffffffff82a00000 D init_task
ffffffff83000000 B _end
ffffffffc0001000 t helper\t[nf_tables]
ffffffffc0001100 t vfs_write\t[nf_tables]
ffffffffc0002000 t helper\t[xfs]
ffffffffc0002040 d table\t[xfs]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_f\t[bpf]
";

fn sample() -> Symbols {
    Symbols::parse(SAMPLE.as_bytes()).unwrap()
}

#[test]
fn addresses_print_as_dtrace_prints_them() {
    let symbols = sample();
    let at = |addr| symbols.by_addr(addr).map(|located| located.to_string());
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(at(0xffff_ffff_812f_1000), text("vmlinux`vfs_read"));
    assert_eq!(at(0xffff_ffff_812f_1012), text("vmlinux`vfs_read+0x12"));
    assert_eq!(at(0xffff_ffff_812f_12ff), text("vmlinux`new_sync_read+0xff"));
    assert_eq!(at(0xffff_ffff_c000_2001), text("xfs`helper+0x1"));
    assert_eq!(at(0xffff_ffff_c030_0001), text("bpf`bpf_prog_6deef7357e7b4530_f+0x1"));
    // Of several names the one that kallsyms lists first, as the kernel itself chooses.
    assert_eq!(at(0xffff_ffff_8100_0004), text("vmlinux`srso_alias_untrain_ret+0x4"));
}

#[test]
fn what_lies_in_no_symbol_has_none() {
    let symbols = sample();
    for addr in [
        0,
        0x40_0000,             // user code, after the per-CPU symbols
        0xffff_8880_0000_0000, // before the first
        0xffff_ffff_8300_0000, // _end
        0xffff_ffff_8300_1000, // after it
        0xffff_ffff_b000_0000, // between kernel and modules
        0xffff_ffff_ffff_ffff,
    ] {
        assert_eq!(symbols.by_addr(addr), None, "{addr:#x}");
    }
}

#[test]
fn names_are_the_kernels_before_a_modules() {
    let symbols = sample();
    let found = |name| symbols.by_name(name).map(|s| (s.module, s.addr));
    assert_eq!(found("vfs_write"), Some(("vmlinux", 0xffff_ffff_812f_1300)));
    assert_eq!(found("helper"), Some(("nf_tables", 0xffff_ffff_c000_1000)));
    assert_eq!(found("nothing"), None);
    let inside = |module, name| symbols.by_name_in(module, name).map(|s| s.addr);
    assert_eq!(inside("xfs", "helper"), Some(0xffff_ffff_c000_2000));
    assert_eq!(inside("nf_tables", "vfs_write"), Some(0xffff_ffff_c000_1100));
    assert_eq!(inside("xfs", "vfs_write"), None);
}

#[test]
fn functions_are_text_in_order_of_address() {
    let symbols = sample();
    let names: Vec<_> = symbols.functions().map(|s| s.name).collect();
    assert_eq!(
        names,
        [
            "srso_alias_untrain_ret",
            "_stext",
            "_text",
            "vfs_read",
            "new_sync_read",
            "vfs_write",
            "helper",
            "vfs_write",
            "helper",
            "bpf_prog_6deef7357e7b4530_f"
        ]
    );
    assert_eq!((symbols.len(), symbols.is_empty()), (16, false));
}

#[test]
fn hidden_addresses_are_an_error_but_names_can_be_walked() {
    let hidden: String = SAMPLE.lines().map(|line| format!("0000000000000000{}\n", &line[16..])).collect();
    assert_eq!(Symbols::parse(hidden.as_bytes()).unwrap_err(), SymbolsError::Hidden { names: 16 });
    let last = lines(hidden.as_bytes()).last().unwrap();
    assert_eq!((last.name, last.module, last.kind), ("bpf_prog_6deef7357e7b4530_f", "bpf", b't'));
}

#[test]
fn text_that_is_no_kallsyms_is_refused() {
    for text in [
        "",
        "\n\n",
        "ffffffff81000000",
        "ffffffff81000000 T",
        "ffffffff81000000 T ",
        "x T y",
        "1 T y [z",
        "fffffffff81000000 T seventeen_digits",
        "ffffffff81000000  T two_spaces",
    ] {
        assert_eq!(
            Symbols::parse(text.as_bytes()).unwrap_err(),
            SymbolsError::Empty { bytes: text.len() },
            "{text:?}"
        );
    }
    // A broken line costs only itself.
    let one = Symbols::parse(b"\xff\xfe\nffffffff81000000 T ok\nffffffff81000000 T \xff\xff\n").unwrap();
    assert_eq!(one.len(), 1);
}

#[test]
fn every_symbol_of_the_running_kernel_is_found_again() {
    let text = std::fs::read("/proc/kallsyms").unwrap_or_default();
    let symbols = match Symbols::parse(&text) {
        Ok(symbols) => symbols,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    assert_eq!(symbols.len(), lines(&text).count());
    for symbol in symbols.functions().filter(|s| s.addr >> 63 == 1) {
        assert!(symbols.named(symbol.name).any(|s| s.addr == symbol.addr), "{}", symbol.name);
        if let Some(located) = symbols.by_addr(symbol.addr) {
            assert_eq!((located.symbol.addr, located.offset), (symbol.addr, 0));
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), addr in any::<u64>()) {
        if let Ok(symbols) = Symbols::parse(&bytes) {
            let _ = symbols.by_addr(addr).map(|l| l.to_string());
        }
    }

    /// By address agrees with looking through all of them.
    #[test]
    fn by_address_is_the_last_at_or_before(starts in prop::collection::vec(0_u64..5000, 1..40), probe in 0_u64..6000) {
        const BASE: u64 = 0xffff_ffff_8100_0000;
        let text: String = starts.iter().enumerate().map(|(n, at)| format!("{:016x} t f{n}\n", BASE + at)).collect();
        let symbols = Symbols::parse(text.as_bytes()).unwrap();
        let best = starts.iter().copied().filter(|&at| at <= probe).max();
        let first = best.map(|best| starts.iter().position(|&at| at == best).unwrap());
        let found = symbols.by_addr(BASE + probe);
        prop_assert_eq!(found.map(|f| f.offset), best.map(|best| probe - best));
        prop_assert_eq!(found.map(|f| f.symbol.name.to_owned()), first.map(|n| format!("f{n}")));
    }
}
