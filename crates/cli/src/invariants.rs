//! `lkd selftest invariants`: whether a dump's kernel image is one instant's.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use lkd_capture::invariants::bases::held;
use lkd_capture::invariants::{self, Bases, Finding, Image, Paged, Planted, View};
use lkd_dump::{Dump, Memory};
use lkd_kernel::btf::Btf;
use lkd_kernel::symbols::Symbols;
use lkd_kernel::vmcoreinfo::VmcoreInfo;

/// Bytes of types that are believed; a kernel has 5 to 10 MB of them.
const MOST_TYPES: u64 = 256 << 20;

/// What is judged, and by what.
#[derive(Debug)]
pub struct Asked {
    /// The dump.
    pub dump: PathBuf,
    /// What `storm` left.
    pub planted: Option<PathBuf>,
    /// The symbols of the boot that the dump shows.
    pub kallsyms: PathBuf,
    /// The kernel's types, where they are not to be taken from the dump itself.
    pub btf: Option<PathBuf>,
}

/// Judges a dump; gives a line for each claim and whether all hold.
///
/// # Errors
/// Something cannot be read, or is another boot's.
pub fn judge(asked: &Asked) -> Result<(String, bool), String> {
    let planted = match &asked.planted {
        None => None,
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|why| told(path, &why))?;
            Some(Planted::parse(&text).ok_or_else(|| told(path, &"not what storm writes: pid, x and y"))?)
        }
    };
    let findings = view(asked, |_, view| {
        let mut findings = invariants::kernel(view);
        if let Some(planted) = &planted {
            findings.extend(invariants::planted(view, planted));
        }
        findings
    })?;
    let text = findings.iter().map(|finding| format!("{finding}\n")).collect();
    Ok((text, findings.iter().all(good)))
}

/// Opens a dump for somebody to look at the kernel in it.
///
/// # Errors
/// Something cannot be read, or is another boot's.
pub fn view<T>(asked: &Asked, look: impl FnOnce(&Dump<File>, &View<'_>) -> T) -> Result<T, String> {
    let file = File::open(&asked.dump).map_err(|why| told(&asked.dump, &why))?;
    let dump = Dump::open(file).map_err(|why| told(&asked.dump, &why))?;
    let info = dump.notes().flatten().find_map(|note| note.as_vmcoreinfo().map(VmcoreInfo::parse));
    let info = info.ok_or_else(|| told(&asked.dump, &"no VMCOREINFO"))?;
    let text = fs::read(&asked.kallsyms).map_err(|why| told(&asked.kallsyms, &why))?;
    let symbols = Symbols::parse(&text).map_err(|why| told(&asked.kallsyms, &why))?;
    same_boot(&info, &symbols).map_err(|why| told(&asked.kallsyms, &why))?;
    let mut image = Paged::new(&dump as &dyn Memory, &info).map_err(|why| told(&asked.dump, &why))?;
    let mut bases = Bases::find(&symbols, &image).map_err(|why| told(&asked.dump, &why))?;
    bases.registers = dump
        .notes()
        .flatten()
        .filter_map(|note| note.as_prstatus())
        .flat_map(|(_, regs)| held(&regs))
        .collect();
    image.set_direct_map(bases.page_offset, bases.end_pfn);
    let types = match &asked.btf {
        Some(path) => fs::read(path).map_err(|why| told(path, &why))?,
        None => types(&symbols, &image)
            .ok_or_else(|| told(&asked.dump, &"its kernel's types are not in it; give --btf"))?,
    };
    let btf = Btf::parse(types).map_err(|why| format!("the kernel's types: {why}"))?;
    Ok(look(&dump, &View { image: &image, btf: &btf, bases: &bases }))
}

fn told(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("{}: {why}", path.display())
}

/// A claim that this kernel's structures do not allow to be made proves nothing and breaks nothing.
fn good(finding: &Finding) -> bool {
    finding.holds() || finding.lacking.is_some()
}

/// Where the kernel's image begins is another address after each boot.
fn same_boot(info: &VmcoreInfo, symbols: &Symbols) -> Result<(), String> {
    let (dumps, ours) = (info.symbol("_stext"), symbols.by_name("_stext").map(|symbol| symbol.addr));
    match (dumps, ours) {
        (Ok(dumps), Some(ours)) if dumps == ours => Ok(()),
        (dumps, ours) => Err(format!(
            "symbols of another boot: _stext is {:#x}, in the dump {:#x}",
            ours.unwrap_or(0),
            dumps.unwrap_or(0)
        )),
    }
}

/// The types that the kernel carries with it.
fn types(symbols: &Symbols, image: &dyn Image) -> Option<Vec<u8>> {
    let from = symbols.by_name("__start_BTF")?.addr;
    let bytes = symbols.by_name("__stop_BTF")?.addr.checked_sub(from).filter(|bytes| *bytes < MOST_TYPES)?;
    let mut types = vec![0; bytes as usize];
    image.read(from, &mut types).then_some(types)
}
