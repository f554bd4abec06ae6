//! One page in, its stored form out, and back: zstd, zlib or as it is.
//!
//! Every page is a stream of its own, so that any page can be read alone. A packer and an unpacker keep their
//! working memory from page to page: making it anew costs more than packing does.

use libdeflater::{CompressionLvl, Compressor, Decompressor};
use zstd_safe::{CCtx, CParameter, DCtx};

use crate::addr::PAGE_SIZE;
use crate::{BATCH_PAGES, Codec, Error, PageBatch, PageBytes, sums};

/// `page_desc.flags`: stored as it is.
pub(crate) const RAW: u32 = 0;
/// `page_desc.flags`: a zlib stream.
pub(crate) const ZLIB: u32 = 0x1;
/// `page_desc.flags`: a zstd frame.
pub(crate) const ZSTD: u32 = 0x20;

/// What a page takes at most while it is being packed: more than any codec's bound for 4 KiB.
const SLACK: usize = 2 * PAGE_SIZE;

/// How a page of a batch is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// All zero; its bytes are the dump's one stored zero page.
    Zero,
    /// `len` bytes of the batch's packed bytes, in the form that `flags` names.
    Bytes {
        /// How many.
        len: u32,
        /// [`RAW`], [`ZLIB`] or [`ZSTD`].
        flags: u32,
    },
}

/// A batch in its stored form.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// The stored pages, one after the other; [`Packed::len`] bytes of it count.
    room: Vec<u8>,
    /// How many bytes of `room` count.
    len: usize,
    /// How each page of the batch is stored, in the batch's order.
    pub pages: Vec<Stored>,
    /// Each page's checksum, taken before anything else is done with it.
    pub sums: Vec<u32>,
}

impl Packed {
    /// The stored bytes of all pages that are not zero.
    pub fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

enum Engine {
    Zstd(Box<CCtx<'static>>),
    Zlib(Compressor),
    Raw,
    Nothing,
}

/// Packs pages; one per thread.
pub(crate) struct Packer {
    engine: Engine,
}

impl Packer {
    /// A packer, or why the codec cannot be had at that level.
    pub fn new(codec: Codec) -> Result<Packer, Error> {
        let engine = match codec {
            Codec::Raw => Engine::Raw,
            Codec::Zlib { level } => {
                let level = CompressionLvl::new(i32::from(level))
                    .map_err(|_| Error::Codec(format!("zlib has levels 1 to 12, not {level}")))?;
                Engine::Zlib(Compressor::new(level))
            }
            Codec::Zstd { level } => {
                let range = zstd_safe::min_c_level()..=zstd_safe::max_c_level();
                if !range.contains(&level) {
                    return Err(Error::Codec(format!(
                        "zstd has levels {} to {}, not {level}",
                        range.start(),
                        range.end()
                    )));
                }
                let no_memory = || Error::Codec("no memory for a zstd compressor".to_owned());
                let mut context = Box::new(CCtx::try_create().ok_or_else(no_memory)?);
                context.set_parameter(CParameter::CompressionLevel(level)).map_err(zstd_refused)?;
                Engine::Zstd(context)
            }
        };
        Ok(Packer { engine })
    }

    /// A packer that only takes checksums: the pages stay where they are, zero or not.
    pub fn nothing() -> Packer {
        Packer { engine: Engine::Nothing }
    }

    /// Packs a whole batch into `packed`, whose old content goes.
    pub fn pack(&mut self, batch: &PageBatch, packed: &mut Packed) {
        packed.pages.clear();
        packed.len = 0;
        packed.sums.clear();
        if let Engine::Nothing = self.engine {
            packed.sums.extend(batch.pages().map(|(_, page)| sums::of(page)));
            return;
        }
        packed.room.resize(BATCH_PAGES * PAGE_SIZE + SLACK, 0);
        for (_, page) in batch.pages() {
            packed.sums.push(sums::of(page));
            let stored = if is_zero(page) { Stored::Zero } else { self.pack_page(page, packed) };
            packed.pages.push(stored);
        }
    }

    /// Packs one page behind what is there. What does not become smaller is stored as it is.
    fn pack_page(&mut self, page: &PageBytes, packed: &mut Packed) -> Stored {
        let room = packed.room.get_mut(packed.len..).unwrap_or_default();
        let (smaller, flags) = match &mut self.engine {
            Engine::Raw | Engine::Nothing => (None, RAW),
            Engine::Zlib(compressor) => (compressor.zlib_compress(page, room).ok(), ZLIB),
            Engine::Zstd(context) => (context.compress2(room, page).ok(), ZSTD),
        };
        let (len, flags) = match smaller {
            Some(len) if len < PAGE_SIZE => (len, flags),
            _ => {
                if let Some(room) = room.first_chunk_mut::<PAGE_SIZE>() {
                    *room = *page;
                }
                (PAGE_SIZE, RAW)
            }
        };
        packed.len += len;
        Stored::Bytes { len: len as u32, flags }
    }
}

fn zstd_refused(code: usize) -> Error {
    Error::Codec(format!("zstd: {}", zstd_safe::get_error_name(code)))
}

/// Whether every byte is zero: most of a machine's memory that a dump is asked for is not, and shows it at once.
pub(crate) fn is_zero(page: &PageBytes) -> bool {
    let (chunks, _) = page.as_chunks::<64>();
    chunks.iter().all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

/// Unpacks pages.
pub(crate) struct Unpacker {
    zstd: Option<DCtx<'static>>,
    zlib: Decompressor,
}

impl Unpacker {
    /// An unpacker for every codec at once.
    pub fn new() -> Unpacker {
        Unpacker { zstd: None, zlib: Decompressor::new() }
    }

    /// The page that `stored` holds in the form `flags`, or what is wrong with it.
    pub fn unpack(&mut self, flags: u32, stored: &[u8], page: &mut PageBytes) -> Result<(), String> {
        let got = match flags {
            RAW => {
                if let Some(bytes) = stored.first_chunk() {
                    *page = *bytes;
                }
                Ok(stored.len())
            }
            ZLIB => self.zlib.zlib_decompress(stored, page).map_err(|error| error.to_string()),
            ZSTD => {
                if self.zstd.is_none() {
                    self.zstd = DCtx::try_create();
                }
                let context = self.zstd.as_mut().ok_or("no memory for a zstd decompressor")?;
                let done = context.decompress(page.as_mut_slice(), stored);
                done.map_err(|code| zstd_safe::get_error_name(code).to_owned())
            }
            0x2 => Err("compressed with LZO, which this reader has not".to_owned()),
            0x4 => Err("compressed with snappy, which this reader has not".to_owned()),
            other => Err(format!("no compression has the number {other:#x}")),
        }?;
        if got != PAGE_SIZE {
            return Err(format!("gives {got} bytes, a page has {PAGE_SIZE}"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Pfn;

    const CODECS: [Codec; 4] =
        [Codec::Zstd { level: -1 }, Codec::Zstd { level: 1 }, Codec::Zlib { level: 1 }, Codec::Raw];

    /// A page whose bytes repeat to the degree that `spread` says: 0 is all zeros.
    fn page(seed: u64, spread: u64) -> PageBytes {
        let mut state = seed | 1;
        let mut page = [0; PAGE_SIZE];
        for byte in &mut page {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = ((state >> 33) % (spread + 1)) as u8;
        }
        page
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_page_comes_back(pages in prop::collection::vec((any::<u64>(), 0u64..300), 1..20)) {
            let mut batch = PageBatch::new();
            for (at, (seed, spread)) in pages.iter().enumerate() {
                batch.push_page(Pfn(at as u64), &page(*seed, *spread));
            }
            for codec in CODECS {
                let mut packed = Packed::default();
                Packer::new(codec).unwrap().pack(&batch, &mut packed);
                prop_assert_eq!(packed.pages.len(), batch.len());
                let mut rest = packed.bytes();
                let mut unpacker = Unpacker::new();
                for ((_, page), stored) in batch.pages().zip(&packed.pages) {
                    let Stored::Bytes { len, flags } = *stored else {
                        prop_assert!(is_zero(page));
                        continue;
                    };
                    let (bytes, more) = rest.split_at(len as usize);
                    rest = more;
                    let mut back = [0xaa; PAGE_SIZE];
                    unpacker.unpack(flags, bytes, &mut back).unwrap();
                    prop_assert_eq!(&back, page);
                    prop_assert!(len as usize <= PAGE_SIZE && (flags != RAW || len as usize == PAGE_SIZE));
                }
                prop_assert!(rest.is_empty());
            }
        }

        #[test]
        fn no_bytes_make_the_unpacker_panic(flags in 0u32..64, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut page = [0; PAGE_SIZE];
            if let Err(problem) = Unpacker::new().unpack(flags, &bytes, &mut page) {
                prop_assert!(!problem.is_empty());
            }
        }
    }

    #[test]
    fn one_set_byte_is_not_zero_wherever_it_is() {
        for at in 0..PAGE_SIZE {
            let mut page = [0; PAGE_SIZE];
            page[at] = 1;
            assert!(!is_zero(&page), "byte {at}");
        }
        assert!(is_zero(&[0; PAGE_SIZE]));
    }

    #[test]
    fn noise_is_stored_as_it_is() {
        let mut batch = PageBatch::new();
        batch.push_page(Pfn(0), &page(7, 255));
        for codec in CODECS {
            let mut packed = Packed::default();
            Packer::new(codec).unwrap().pack(&batch, &mut packed);
            assert_eq!(packed.pages, [Stored::Bytes { len: 4096, flags: RAW }], "{codec:?}");
        }
    }

    #[test]
    fn a_level_that_no_codec_has_is_refused() {
        let refused = Packer::new(Codec::Zlib { level: 40 }).err().map(|error| error.to_string());
        assert_eq!(refused.as_deref(), Some("zlib has levels 1 to 12, not 40"));
        assert!(Packer::new(Codec::Zstd { level: 1000 }).is_err());
    }
}
