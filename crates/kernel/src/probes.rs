//! Probes: what one is, where it fires, where its arguments lie, and the catalogue of all of them.
//!
//! A probe is named by four fields, `provider:module:function:name`, and numbered from 1. Providers (in the room that
//! traces) fill a [`Catalog`]; everyone else asks it. How to attach to a probe and where its arguments are is a value,
//! its [`Site`], so that no provider ever emits code.
//!
//! - `site`: where a probe fires, and where its arguments lie then
//! - `catalog`: the collection, its numbers, and matching
//! - `nearest`: which names were perhaps meant

mod catalog;
mod nearest;
mod site;

pub use catalog::{Absence, Catalog, CatalogFull, NewProbe, Provider};
pub use nearest::is_near;
pub use site::{ArgPlace, Errno, Site, Via};

use std::fmt;

/// The number of a probe, from 1. The same probe has the same number whichever providers were asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProbeId(pub u32);

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a D clause names: a pattern for each of the four fields, or one number. An empty field matches everything.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProbeDesc {
    /// The number, when the probe is named by it; the fields are then ignored.
    pub id: Option<ProbeId>,
    /// Who provides it: `syscall`.
    pub provider: String,
    /// The kernel module that it is in: `vmlinux`.
    pub module: String,
    /// The function: `lseek`.
    pub function: String,
    /// The event in the function: `return`.
    pub name: String,
}

impl ProbeDesc {
    /// A description by its four patterns.
    pub fn new(provider: &str, module: &str, function: &str, name: &str) -> ProbeDesc {
        ProbeDesc {
            id: None,
            provider: provider.to_owned(),
            module: module.to_owned(),
            function: function.to_owned(),
            name: name.to_owned(),
        }
    }

    /// A description by number.
    pub fn by_id(id: ProbeId) -> ProbeDesc {
        ProbeDesc { id: Some(id), ..ProbeDesc::default() }
    }

    /// Whether it can name one probe at most: a number, or four fields without patterns.
    pub fn is_exact(&self) -> bool {
        let exact = |field: &String| !field.is_empty() && !crate::glob::is_glob(field);
        self.id.is_some() || [&self.provider, &self.module, &self.function, &self.name].into_iter().all(exact)
    }
}

impl fmt::Display for ProbeDesc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            Some(id) => id.fmt(f),
            None => write!(f, "{}:{}:{}:{}", self.provider, self.module, self.function, self.name),
        }
    }
}

/// One probe of a catalogue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe<'a> {
    /// Its number.
    pub id: ProbeId,
    /// Who provides it.
    pub provider: &'a str,
    /// The kernel module that it is in; "" for none.
    pub module: &'a str,
    /// The function; "" for none.
    pub function: &'a str,
    /// The event.
    pub name: &'a str,
    /// Where it fires.
    pub site: Site,
}

impl fmt::Display for Probe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.provider, self.module, self.function, self.name)
    }
}
