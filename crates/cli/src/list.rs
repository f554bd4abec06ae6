//! `dtrace -l`: the probes that match, or all there are.

use crate::compile::{self, Failure};
use crate::flags::Args;
use crate::input::Input;
use lkd_dlang::options::Options;
use lkd_dlang::source::Sources;
use lkd_kernel::probes::{Absence, Catalog, ProbeDesc};
use lkd_trace::facts::Facts;
use lkd_trace::list as rows;
use lkd_trace::provider::Providers;

/// What to print.
#[derive(Default)]
pub struct Listing {
    pub rows: Vec<u8>,
    /// One sentence for each description that nothing matched.
    pub unmatched: Vec<String>,
}

/// Everything without a request; else, for each description of each request, what it matches. With `-v` each row is followed by
/// the probe's arguments and their types.
pub fn list(
    args: &Args,
    _options: Options,
    sources: &Sources,
    inputs: &[Input],
    facts: &Facts,
) -> Result<Listing, Failure> {
    let descs = if inputs.is_empty() {
        vec![ProbeDesc::default()]
    } else {
        let macro_args = compile::macro_args(args, inputs, None, true);
        compile::descriptions(&compile::parse(sources, inputs, &macro_args, true, facts)?)
    };
    let providers = Providers::new(facts);
    let mut catalog = Catalog::new();
    let mut listing = Listing::default();
    rows::header(&mut listing.rows);
    for desc in &descs {
        let absences = providers.fill(desc, &mut catalog);
        let before = listing.rows.len();
        for probe in catalog.matches(desc) {
            rows::row(&probe, &mut listing.rows);
            if args.verbose {
                rows::arguments(&probe, facts, &mut listing.rows);
            }
        }
        if listing.rows.len() == before && !inputs.is_empty() {
            listing.unmatched.push(unmatched(desc, &absences, &catalog, &providers));
        }
    }
    Ok(listing)
}

/// Why nothing matched, and what was perhaps meant.
fn unmatched(desc: &ProbeDesc, absences: &[Absence], catalog: &Catalog, providers: &Providers<'_>) -> String {
    let mut text = format!("failed to match {desc}: No probe matches description");
    let mut told = false;
    for a in absences.iter().filter(|a| a.provider == desc.provider) {
        let remedy = if a.remedy.is_empty() { String::new() } else { format!("; {}", a.remedy) };
        text += &format!("\n  {}: {}{remedy}", a.provider, a.reason);
        told = true;
    }
    let near = catalog.nearest(desc, 3);
    if !near.is_empty() {
        text += &format!("\n  did you mean {}?", near.join(", "));
    } else if !told && providers.is_unknown(&desc.provider) {
        text += &format!("\n  there is no provider {}; there are {}", desc.provider, providers.names());
    }
    text
}
