//! Shapes that two rooms tell without knowing each other, compared where both are known.

use lkd_codegen::abi;
use lkd_dump::{Request, Site};
use std::mem::{offset_of, size_of};

/// The generated program writes the request, the capture engine reads it.
#[test]
fn the_request_is_one_shape() {
    assert_eq!(size_of::<Request>(), abi::REQUEST_SIZE as usize);
    assert_eq!(offset_of!(Request, flags), abi::REQUEST_FLAGS as usize);
    assert_eq!(offset_of!(Request, clause), abi::REQUEST_CLAUSE as usize);
    assert_eq!(offset_of!(Request, probe_id), abi::REQUEST_PROBE as usize);
    assert_eq!(offset_of!(Request, site), abi::REQUEST_SITE as usize);
    assert_eq!(offset_of!(Request, args), abi::REQUEST_ARGS as usize);
    assert_eq!(size_of::<Request>() - offset_of!(Request, args), 8 * abi::REQUEST_NARGS as usize);
}

#[test]
fn sites_have_one_number_each() {
    let pairs = [
        (Site::RawTracepointRegs, abi::site::RAW_TP_REGS),
        (Site::RawTracepoint, abi::site::RAW_TP),
        (Site::Kprobe, abi::site::KPROBE),
        (Site::PerfEvent, abi::site::PERF_EVENT),
        (Site::UserSpace, abi::site::USER),
    ];
    for (ours, emitted) in pairs {
        assert_eq!(ours as u32, emitted, "{ours:?}");
    }
}
