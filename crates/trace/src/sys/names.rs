//! What only the C library knows: the time zone, services, hosts, and how C prints a double.

use std::ffi::{CStr, CString};
use std::mem::{size_of, zeroed};
use std::net::IpAddr;

/// Nanoseconds since 1970 in local time: `2026 Nov 22 20:15:01`, or as RFC 822 has it: `Sun, 22 Nov 2026 20:15:01 UTC`.
pub fn calendar(ns: u64, rfc822: bool) -> String {
    let format = if rfc822 { c"%a, %d %b %G %T %Z" } else { c"%Y %b %e %T" };
    let seconds = (ns / 1_000_000_000) as libc::time_t;
    let mut text = [0u8; 64];
    // SAFETY: tm is filled by localtime_r (or stays zero, which strftime takes); strftime writes at most text.len() bytes.
    let len = unsafe {
        let mut tm: libc::tm = zeroed();
        libc::localtime_r(&seconds, &mut tm);
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &tm)
    };
    String::from_utf8_lossy(text.get(..len).unwrap_or_default()).into_owned()
}

/// The service of a port number: `http`.
pub fn service(port: u16) -> Option<String> {
    // SAFETY: all-zero is a valid address of any family.
    let mut addr: libc::sockaddr_in = unsafe { zeroed() };
    addr.sin_family = libc::AF_INET as libc::sa_family_t;
    addr.sin_port = port.to_be();
    let mut name = [0u8; 64];
    // SAFETY: the address is as long as told, and so is the room for the name.
    let ret = unsafe {
        libc::getnameinfo(
            (&raw const addr).cast(),
            size_of::<libc::sockaddr_in>() as libc::socklen_t,
            std::ptr::null_mut(),
            0,
            name.as_mut_ptr().cast(),
            name.len() as libc::socklen_t,
            0,
        )
    };
    let text = CStr::from_bytes_until_nul(&name).ok()?.to_str().ok()?;
    // without a name the library gives the number back
    (ret == 0 && text.parse::<u16>().is_err()).then(|| text.to_owned())
}

/// The name of a host, given its address as text; asks what the system asks (files, DNS).
pub fn host(address: &str) -> Option<String> {
    let mut name = [0u8; 256];
    let lookup = |addr: *const libc::sockaddr, len: usize, name: &mut [u8]| {
        // SAFETY: the caller's address is `len` bytes long; the room for the name is as long as told.
        unsafe {
            libc::getnameinfo(
                addr,
                len as libc::socklen_t,
                name.as_mut_ptr().cast(),
                name.len() as libc::socklen_t,
                std::ptr::null_mut(),
                0,
                libc::NI_NAMEREQD,
            )
        }
    };
    let ret = match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(ip) => {
            // SAFETY: all-zero is a valid address.
            let mut addr: libc::sockaddr_in = unsafe { zeroed() };
            addr.sin_family = libc::AF_INET as libc::sa_family_t;
            addr.sin_addr.s_addr = u32::from_ne_bytes(ip.octets());
            lookup((&raw const addr).cast(), size_of::<libc::sockaddr_in>(), &mut name)
        }
        IpAddr::V6(ip) => {
            // SAFETY: as above.
            let mut addr: libc::sockaddr_in6 = unsafe { zeroed() };
            addr.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            addr.sin6_addr.s6_addr = ip.octets();
            lookup((&raw const addr).cast(), size_of::<libc::sockaddr_in6>(), &mut name)
        }
    };
    let text = CStr::from_bytes_until_nul(&name).ok()?.to_str().ok()?;
    (ret == 0).then(|| text.to_owned())
}

/// `number` as C's printf writes it; `format` is one conversion of a double (`%-10.3e`).
pub fn c_double(format: &str, number: f64) -> Vec<u8> {
    let Ok(format) = CString::new(format) else { return Vec::new() };
    // %f of the largest double has 309 digits; width and precision are bounded by the caller
    let mut text = vec![0u8; 16 << 10];
    // SAFETY: the format has exactly one conversion, of a double, and snprintf writes no more than told.
    let len = unsafe { libc::snprintf(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), number) };
    text.truncate(usize::try_from(len).unwrap_or(0).min(text.len() - 1));
    text
}
