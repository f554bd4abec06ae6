//! The structures of an ELF core file.

use std::mem::{offset_of, size_of};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Magic, 64 bit, little endian, version 1.
pub(super) const IDENT: [u8; 7] = *b"\x7fELF\x02\x01\x01";
pub(super) const ET_CORE: u16 = 4;
pub(super) const PT_LOAD: u32 = 1;
pub(super) const PT_NOTE: u32 = 4;
/// e_phnum when the count is in section header 0's sh_info.
pub(super) const PN_XNUM: u16 = 0xffff;
/// e_flags: pages that were promised are missing; makedumpfile's own bit.
pub(super) const INCOMPLETE: u32 = 1;

/// `Elf64_Ehdr`, 64 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Header {
    pub ident: [u8; 16],
    pub kind: u16,
    pub machine: u16,
    pub version: u32,
    pub entry: u64,
    pub phoff: u64,
    pub shoff: u64,
    pub flags: u32,
    pub ehsize: u16,
    pub phentsize: u16,
    pub phnum: u16,
    pub shentsize: u16,
    pub shnum: u16,
    pub shstrndx: u16,
}

/// `Elf64_Phdr`, 56 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub vaddr: u64,
    pub paddr: u64,
    pub filesz: u64,
    pub memsz: u64,
    pub align: u64,
}

/// `Elf64_Shdr`, 64 bytes.
#[derive(Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Section {
    pub name: u32,
    pub kind: u32,
    pub flags: u64,
    pub addr: u64,
    pub offset: u64,
    pub size: u64,
    pub link: u32,
    pub info: u32,
    pub addralign: u64,
    pub entsize: u64,
}

pub(super) const HEADER_LEN: u64 = size_of::<Header>() as u64;
pub(super) const SEGMENT_LEN: u64 = size_of::<Segment>() as u64;
pub(super) const SECTION_LEN: u64 = size_of::<Section>() as u64;

const _: () = {
    assert!(size_of::<Header>() == 64);
    assert!(offset_of!(Header, phoff) == 32);
    assert!(offset_of!(Header, flags) == 48);
    assert!(offset_of!(Header, phnum) == 56);
    assert!(size_of::<Segment>() == 56);
    assert!(offset_of!(Segment, paddr) == 24);
    assert!(size_of::<Section>() == 64);
    assert!(offset_of!(Section, info) == 44);
};
