//! The collection of probes: names in one block of text, 32 bytes a probe, numbers that do not depend on who was asked.
//!
//! Each provider owns a range of numbers. So `BEGIN` can run without the 60,000 functions of fbt ever being listed, and
//! a probe still has the number that `dtrace -l` printed for it.

use super::{Probe, ProbeDesc, ProbeId, Site};
use crate::glob::Glob;
use std::collections::HashMap;
use thiserror::Error;

/// Who owns which numbers: first, and how many.
const RANGES: [(&str, u32, u32); 6] = [
    ("dtrace", 1, 3),
    ("syscall", 4, 1996),
    ("profile", 2000, 1000),
    ("rawtp", 3000, 7000),
    ("sdt", 10_000, 10_000),
    ("fbt", 20_000, 980_000),
];
/// Providers without a range of their own get one of this length each, in the order in which they first add a probe.
const OTHERS: (u32, u32) = (1_000_000, 100_000);

/// A provider has more probes than it has numbers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("provider {provider} has more than {most} probes")]
pub struct CatalogFull {
    /// The provider.
    pub provider: String,
    /// How many numbers it owns.
    pub most: u32,
}

/// Why a provider has no probes here, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("provider {provider} is not available: {reason} ({remedy})")]
pub struct Absence {
    /// The provider.
    pub provider: String,
    /// What is missing.
    pub reason: String,
    /// What to do about it.
    pub remedy: String,
}

/// A source of probes.
pub trait Provider {
    /// The first field of its probes.
    fn name(&self) -> &str;

    /// Whether it makes probes up as they are named (`profile-997`). It is then asked for every description, and uses
    /// [`Catalog::add_once`]; else it is asked once and adds all it has, whatever the description.
    fn on_demand(&self) -> bool {
        false
    }

    /// Adds probes to the catalogue, always in the same order.
    ///
    /// # Errors
    /// This kernel cannot serve the provider at all.
    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence>;
}

/// A probe to be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewProbe<'a> {
    /// As in [`Probe`].
    pub provider: &'a str,
    /// As in [`Probe`].
    pub module: &'a str,
    /// As in [`Probe`].
    pub function: &'a str,
    /// As in [`Probe`].
    pub name: &'a str,
    /// As in [`Probe`].
    pub site: Site,
}

#[derive(Clone, Copy)]
struct Row {
    function: u32,
    function_len: u16,
    module: u16,
    name: u32,
    site: Site,
}

const _: () = assert!(size_of::<Row>() <= 32, "60,000 functions make 120,000 rows");

/// One provider's probes; the n-th has number `first + n`.
struct Block {
    provider: String,
    first: u32,
    most: u32,
    rows: Vec<Row>,
    filled: bool,
}

/// Few texts, many uses: each is kept once.
#[derive(Default)]
struct Interner {
    texts: Vec<String>,
    places: HashMap<String, u32>,
    /// The two texts asked for last: rows come in runs of one module, and of entry and return in turn.
    recent: [u32; 2],
}

impl Interner {
    fn place(&mut self, text: &str) -> u32 {
        for place in self.recent {
            if self.texts.get(place as usize).is_some_and(|own| own == text) {
                return place;
            }
        }
        let place = match self.places.get(text) {
            Some(&place) => place,
            None => {
                let place = self.texts.len() as u32;
                self.texts.push(text.to_owned());
                self.places.insert(text.to_owned(), place);
                place
            }
        };
        self.recent = [place, self.recent[0]];
        place
    }

    fn get(&self, place: u32) -> &str {
        self.texts.get(place as usize).map_or("", String::as_str)
    }

    /// Which of the texts a pattern matches.
    fn verdicts(&self, glob: &Glob) -> Vec<bool> {
        self.texts.iter().map(|text| glob.matches(text)).collect()
    }
}

/// Every probe that is known so far.
#[derive(Default)]
pub struct Catalog {
    blocks: Vec<Block>,
    functions: String,
    modules: Interner,
    names: Interner,
}

impl Catalog {
    /// An empty catalogue.
    pub fn new() -> Catalog {
        Catalog::default()
    }

    /// Asks every provider whose name the description can mean, each at most once unless it makes probes on demand. A
    /// description by number asks the owner of that number. What comes back is why some have nothing.
    pub fn fill(&mut self, providers: &[&dyn Provider], desc: &ProbeDesc) -> Vec<Absence> {
        let wanted = Glob::new(&desc.provider);
        let mut absences = Vec::new();
        for provider in providers {
            let name = provider.name();
            let meant = match desc.id {
                Some(id) => RANGES.iter().all(|&(owner, first, most)| {
                    let owns = first <= id.0 && id.0 - first < most;
                    !owns || owner == name
                }),
                None => wanted.matches(name),
            };
            if !meant {
                continue;
            }
            let at = self.place(name);
            let block = &mut self.blocks[at];
            if block.filled && !provider.on_demand() {
                continue;
            }
            block.filled = true;
            if let Err(absence) = provider.provide(desc, self) {
                absences.push(absence);
            }
        }
        absences
    }

    /// Adds a probe after the provider's others.
    ///
    /// # Errors
    /// The provider has used up its numbers, or a function name is longer than 64 KiB.
    pub fn add(&mut self, new: NewProbe<'_>) -> Result<ProbeId, CatalogFull> {
        let full = |most| CatalogFull { provider: new.provider.to_owned(), most };
        let module = u16::try_from(self.modules.place(new.module)).map_err(|_| full(u32::from(u16::MAX)))?;
        let name = self.names.place(new.name);
        let function_len = u16::try_from(new.function.len()).map_err(|_| full(0))?;
        let at = self.place(new.provider);
        let block = &mut self.blocks[at];
        let len = block.rows.len() as u32;
        if len >= block.most {
            return Err(full(block.most));
        }
        // Entry and return of one function follow each other and share its name.
        let end = self.functions.len();
        let same = block.rows.last().filter(|last| {
            let start = last.function as usize;
            self.functions.get(start..start + usize::from(last.function_len)) == Some(new.function)
        });
        let function = match same {
            Some(last) => last.function,
            None => {
                self.functions.push_str(new.function);
                end as u32
            }
        };
        block.rows.push(Row { function, function_len, module, name, site: new.site });
        Ok(ProbeId(block.first + len))
    }

    /// Adds a probe unless the provider already has one of these names; gives the number of either. For providers with
    /// few probes: it looks through them.
    ///
    /// # Errors
    /// As [`Catalog::add`].
    pub fn add_once(&mut self, new: NewProbe<'_>) -> Result<ProbeId, CatalogFull> {
        let same = |probe: &Probe<'_>| {
            (probe.module, probe.function, probe.name) == (new.module, new.function, new.name)
        };
        let known = self.blocks.iter().find(|block| block.provider == new.provider);
        match known.and_then(|block| self.block_probes(block).find(same)).map(|probe| probe.id) {
            Some(id) => Ok(id),
            None => self.add(new),
        }
    }

    /// A probe by number.
    pub fn probe(&self, id: ProbeId) -> Option<Probe<'_>> {
        let after = self.blocks.partition_point(|block| block.first <= id.0);
        let block = self.blocks.get(after.checked_sub(1)?)?;
        let row = block.rows.get((id.0 - block.first) as usize)?;
        Some(self.view(block, id, row))
    }

    /// Every probe in order of number.
    pub fn iter(&self) -> impl Iterator<Item = Probe<'_>> {
        self.blocks.iter().flat_map(|block| self.block_probes(block))
    }

    /// How many probes there are.
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.rows.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The probes that a description means, in order of number.
    pub fn matches(&self, desc: &ProbeDesc) -> impl Iterator<Item = Probe<'_>> {
        let by_id = desc.id.map(|id| self.probe(id));
        let by_name = by_id.is_none().then(|| self.by_name(desc));
        by_id.flatten().into_iter().chain(by_name.into_iter().flatten())
    }

    /// How many probes a description means.
    pub fn count(&self, desc: &ProbeDesc) -> usize {
        self.matches(desc).count()
    }

    fn by_name(&self, desc: &ProbeDesc) -> impl Iterator<Item = Probe<'_>> {
        let provider = Glob::new(&desc.provider);
        let function = Glob::new(&desc.function);
        // A module or name is shared by many rows, and is matched once.
        let modules = self.modules.verdicts(&Glob::new(&desc.module));
        let names = self.names.verdicts(&Glob::new(&desc.name));
        let yes = |verdicts: &[bool], place: usize| verdicts.get(place).copied().unwrap_or(false);
        let blocks = self.blocks.iter().filter(move |block| provider.matches(&block.provider));
        blocks
            .flat_map(|block| (block.first..).zip(&block.rows).map(move |(id, row)| (block, id, row)))
            .filter_map(move |(block, id, row)| {
                let meant = yes(&names, row.name as usize)
                    && yes(&modules, usize::from(row.module))
                    && function.matches(self.function(row.function, row.function_len));
                meant.then(|| self.view(block, ProbeId(id), row))
            })
    }

    fn block_probes<'a>(&'a self, block: &'a Block) -> impl Iterator<Item = Probe<'a>> {
        (block.first..).zip(&block.rows).map(move |(id, row)| self.view(block, ProbeId(id), row))
    }

    fn view<'a>(&'a self, block: &'a Block, id: ProbeId, row: &Row) -> Probe<'a> {
        Probe {
            id,
            provider: &block.provider,
            module: self.modules.get(u32::from(row.module)),
            function: self.function(row.function, row.function_len),
            name: self.names.get(row.name),
            site: row.site,
        }
    }

    fn function(&self, at: u32, len: u16) -> &str {
        let start = at as usize;
        self.functions.get(start..start + usize::from(len)).unwrap_or("")
    }

    /// Which block is the provider's, made when it is new; blocks stand in order of their numbers.
    fn place(&mut self, provider: &str) -> usize {
        match self.blocks.iter().position(|block| block.provider == provider) {
            Some(at) => at,
            None => {
                let (first, most) = match RANGES.iter().find(|(name, ..)| *name == provider) {
                    Some(&(_, first, most)) => (first, most),
                    None => {
                        let others =
                            self.blocks.iter().filter(|block| block.first >= OTHERS.0).count() as u32;
                        (OTHERS.0.saturating_add(others.saturating_mul(OTHERS.1)), OTHERS.1)
                    }
                };
                let at = self.blocks.partition_point(|block| block.first < first);
                let block =
                    Block { provider: provider.to_owned(), first, most, rows: Vec::new(), filled: false };
                self.blocks.insert(at, block);
                at
            }
        }
    }
}
