//! Pages that were read a moment ago: page tables are asked for again and again.

use std::sync::Arc;

use crate::{PageBytes, Pfn};

const PLACES: u64 = 256;

/// The last page read, for each of 256 remainders of page frame numbers (1 MiB).
#[derive(Default)]
pub(crate) struct PageCache {
    places: Vec<Option<(Pfn, Arc<PageBytes>)>>,
}

impl PageCache {
    /// The page frame, if it is here.
    pub fn get(&self, pfn: Pfn) -> Option<Arc<PageBytes>> {
        match self.places.get((pfn.0 % PLACES) as usize) {
            Some(Some((held, page))) if *held == pfn => Some(Arc::clone(page)),
            _ => None,
        }
    }

    /// Keeps a page frame; gives it back for the reader.
    pub fn keep(&mut self, pfn: Pfn, page: PageBytes) -> Arc<PageBytes> {
        let page = Arc::new(page);
        self.places.resize(PLACES as usize, None);
        if let Some(place) = self.places.get_mut((pfn.0 % PLACES) as usize) {
            *place = Some((pfn, Arc::clone(&page)));
        }
        page
    }
}
