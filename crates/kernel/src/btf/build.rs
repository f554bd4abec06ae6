//! The writer: the BTF of a program that we generate, with its functions and their types.
//!
//! The kernel wants it for `func_info` (programs that call functions of their own) and for `fentry` programs; nothing
//! but integers, pointers and functions is needed for that.

use super::raw::code;
use super::{Linkage, TypeId};
use std::collections::HashMap;

/// Collects types; numbers are given in the order of the calls, from 1.
#[derive(Debug, Default)]
pub struct Builder {
    types: Vec<u8>,
    count: u32,
    strings: Vec<u8>,
    offsets: HashMap<String, u32>,
}

/// Encoding bit of a signed integer.
const SIGNED: u32 = 1 << 24;

impl Builder {
    /// An empty BTF.
    pub fn new() -> Builder {
        Builder { strings: vec![0], ..Builder::default() }
    }

    /// An integer type of 1 to 16 bytes.
    pub fn int(&mut self, name: &str, bytes: u8, signed: bool) -> TypeId {
        let name = self.string(name);
        let bits = u32::from(bytes) * 8;
        let encoding = if signed { bits | SIGNED } else { bits };
        let id = self.record(name, code::INT, 0, u32::from(bytes));
        self.words(&[encoding]);
        id
    }

    /// A pointer; to [`TypeId::VOID`] for `void *`.
    pub fn ptr(&mut self, to: TypeId) -> TypeId {
        self.record(0, code::PTR, 0, to.0)
    }

    /// The type of a function. The verifier allows no more than five parameters.
    pub fn func_proto(&mut self, ret: TypeId, params: &[(&str, TypeId)]) -> TypeId {
        let names: Vec<u32> = params.iter().map(|(name, _)| self.string(name)).collect();
        let id = self.record(0, code::FUNC_PROTO, params.len() as u16, ret.0);
        for (name, (_, ty)) in names.into_iter().zip(params) {
            self.words(&[name, ty.0]);
        }
        id
    }

    /// A function; `proto` is what [`Builder::func_proto`] gave.
    pub fn func(&mut self, name: &str, proto: TypeId, linkage: Linkage) -> TypeId {
        let name = self.string(name);
        self.record(name, code::FUNC, linkage.code(), proto.0)
    }

    /// The offset of a string, written once however often it is asked for. A NUL in it ends it.
    pub fn string(&mut self, text: &str) -> u32 {
        let text = text.split('\0').next().unwrap_or("");
        if text.is_empty() {
            return 0;
        }
        if let Some(&offset) = self.offsets.get(text) {
            return offset;
        }
        let offset = self.strings.len() as u32;
        self.strings.extend_from_slice(text.as_bytes());
        self.strings.push(0);
        self.offsets.insert(text.to_owned(), offset);
        offset
    }

    /// The bytes, as `BPF_BTF_LOAD` takes them.
    pub fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut bytes = Vec::with_capacity(24 + self.types.len() + self.strings.len());
        bytes.extend_from_slice(&0xeb9f_u16.to_le_bytes());
        bytes.extend_from_slice(&[1, 0]);
        for word in [24, 0, types, types, strings] {
            bytes.extend_from_slice(&u32::to_le_bytes(word));
        }
        bytes.extend_from_slice(&self.types);
        bytes.extend_from_slice(&self.strings);
        bytes
    }

    fn record(&mut self, name: u32, kind: u8, vlen: u16, word: u32) -> TypeId {
        self.words(&[name, u32::from(kind) << 24 | u32::from(vlen), word]);
        self.count += 1;
        TypeId(self.count)
    }

    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }
}
