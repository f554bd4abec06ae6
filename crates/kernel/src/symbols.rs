//! Kernel symbols: the text of `/proc/kallsyms` to names and addresses, both ways.
//!
//! A line is `ADDRESS KIND NAME` or `ADDRESS KIND NAME [MODULE]`, in order of address for the kernel itself, then for
//! each module. Names are kept in one block of text and entries in 24 bytes each, so that 200,000 symbols take about
//! 10 MB; the index by name is built by the first question that needs it. Whoever may not see addresses is shown zeros
//! (`kernel.kptr_restrict`): names alone can still be walked with [`lines`].

use crate::btf::Table;
use std::fmt;
use std::sync::OnceLock;
use thiserror::Error;

/// The module name of what is in the kernel itself.
pub const KERNEL: &str = "vmlinux";

/// Farther than this from the symbol before it, an address is in no symbol: between the kernel and its modules, or
/// beyond the last of them.
const MAX_OFFSET: u64 = 16 << 20;

/// One symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Symbol<'a> {
    /// Its virtual address; 0 where addresses are hidden. Per-CPU symbols may stand as offsets from 0.
    pub addr: u64,
    /// nm's letter: `t T w W` for functions, `b B d D r R` for data; capital for global.
    pub kind: u8,
    /// Its name.
    pub name: &'a str,
    /// The module that holds it; [`KERNEL`] for the kernel itself, `bpf` and `ftrace` for generated code.
    pub module: &'a str,
}

impl Symbol<'_> {
    /// Whether this is a function.
    pub fn is_function(&self) -> bool {
        matches!(self.kind, b't' | b'T' | b'w' | b'W')
    }
}

/// An address inside a symbol. Prints as DTrace prints it: ``vmlinux`vfs_read+0x12``.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Located<'a> {
    /// The symbol.
    pub symbol: Symbol<'a>,
    /// Bytes from its start.
    pub offset: u64,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}`{}", self.symbol.module, self.symbol.name)?;
        if self.offset == 0 { Ok(()) } else { write!(f, "+{:#x}", self.offset) }
    }
}

/// Why there is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SymbolsError {
    /// Every address is zero.
    #[error(
        "the kernel hides its addresses from this process ({names} names, every address 0): \
         needs CAP_SYSLOG, or kernel.kptr_restrict below 2"
    )]
    Hidden {
        /// How many names were shown.
        names: usize,
    },
    /// Not one line is a symbol.
    #[error("no symbol in the text given as kallsyms ({bytes} bytes)")]
    Empty {
        /// Bytes of text.
        bytes: usize,
    },
}

/// Every line that is a symbol, as it stands; others are passed over. Works where addresses are hidden.
pub fn lines(kallsyms: &[u8]) -> impl Iterator<Item = Symbol<'_>> {
    kallsyms.split(|&byte| byte == b'\n').filter_map(line)
}

fn line(line: &[u8]) -> Option<Symbol<'_>> {
    let digits = line.iter().position(|&byte| byte == b' ').filter(|digits| (1..=16).contains(digits))?;
    let mut addr = 0_u64;
    for &byte in line.get(..digits)? {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return None,
        };
        addr = addr << 4 | u64::from(digit);
    }
    let [b' ', kind, b' ', rest @ ..] = line.get(digits..)? else { return None };
    let end = rest.iter().position(u8::is_ascii_whitespace);
    let (name, module) = match end.and_then(|end| rest.split_at_checked(end)) {
        None => (rest, &[][..]),
        Some((name, module)) => (name, module.trim_ascii()),
    };
    let module = match module {
        [] => KERNEL,
        [b'[', module @ .., b']'] => str::from_utf8(module).ok()?,
        _ => return None,
    };
    let name = str::from_utf8(name).ok()?;
    (!name.is_empty()).then_some(Symbol { addr, kind: *kind, name, module })
}

struct Entry {
    addr: u64,
    name: u32,
    name_len: u16,
    module: u16,
    kind: u8,
}

/// All symbols of a kernel, in order of address.
pub struct Symbols {
    entries: Vec<Entry>,
    names: String,
    /// Module names; the kernel's is the first.
    modules: Vec<String>,
    by_name: OnceLock<Table>,
}

impl Symbols {
    /// Reads the text of `/proc/kallsyms`. Lines that are no symbols are passed over.
    ///
    /// # Errors
    /// All addresses are hidden, or there is no symbol at all.
    pub fn parse(kallsyms: &[u8]) -> Result<Symbols, SymbolsError> {
        // A line has about 45 bytes, 20 of them the name.
        let mut entries: Vec<Entry> = Vec::with_capacity(kallsyms.len() / 40);
        let mut names = String::with_capacity(kallsyms.len() / 2);
        let mut modules = vec![KERNEL.to_owned()];
        let mut module = 0_u16;
        let mut visible = false;
        for symbol in lines(kallsyms) {
            if modules.get(usize::from(module)).is_none_or(|last| last != symbol.module) {
                let known = modules.iter().position(|known| known == symbol.module).unwrap_or_else(|| {
                    modules.push(symbol.module.to_owned());
                    modules.len() - 1
                });
                // A kernel with more modules than this does not exist; should text say so, they share one name.
                module = known.min(usize::from(u16::MAX)) as u16;
            }
            let name_len = symbol.name.len().min(usize::from(u16::MAX)) as u16;
            let name = names.len() as u32;
            names.push_str(symbol.name);
            visible |= symbol.addr != 0;
            entries.push(Entry { addr: symbol.addr, name, name_len, module, kind: symbol.kind });
        }
        if entries.is_empty() {
            return Err(SymbolsError::Empty { bytes: kallsyms.len() });
        }
        if !visible {
            return Err(SymbolsError::Hidden { names: entries.len() });
        }
        // Stable, so that of several names for one address the kernel's own first choice stays first.
        entries.sort_by_key(|entry| entry.addr);
        Ok(Symbols { entries, names, modules, by_name: OnceLock::new() })
    }

    /// How many symbols there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never true: a table without symbols is an error of [`Symbols::parse`].
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every symbol in order of address.
    pub fn iter(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.entries.iter().map(|entry| self.symbol(entry))
    }

    /// Every function in order of address.
    pub fn functions(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.iter().filter(Symbol::is_function)
    }

    /// A symbol by name: the kernel's own, else the first module's. Of several with that name the one at the lowest
    /// address.
    pub fn by_name(&self, name: &str) -> Option<Symbol<'_>> {
        let mut all = self.named(name);
        let first = all.next()?;
        if first.module == KERNEL { Some(first) } else { all.find(|s| s.module == KERNEL).or(Some(first)) }
    }

    /// A symbol by module and name.
    pub fn by_name_in(&self, module: &str, name: &str) -> Option<Symbol<'_>> {
        self.named(name).find(|symbol| symbol.module == module)
    }

    /// Every symbol of one name, in order of address.
    pub fn named(&self, name: &str) -> impl Iterator<Item = Symbol<'_>> {
        let index = self.by_name.get_or_init(|| {
            let mut table = Table::new(self.entries.len());
            for (nth, entry) in self.entries.iter().enumerate() {
                table.insert(self.symbol(entry).name, nth as u32);
            }
            table
        });
        index
            .candidates(name)
            .filter_map(|nth| Some(self.symbol(self.entries.get(nth as usize)?)))
            .filter(move |symbol| symbol.name == name)
    }

    /// The symbol that an address of the kernel's half lies in: the last one that starts at or before it. Of several
    /// that start there, the first that kallsyms lists.
    pub fn by_addr(&self, addr: u64) -> Option<Located<'_>> {
        // User addresses must not be taken for the per-CPU symbols, which are listed as offsets from 0.
        if addr >> 63 == 0 {
            return None;
        }
        let after = self.entries.partition_point(|entry| entry.addr <= addr);
        let last = self.entries.get(after.checked_sub(1)?)?;
        let offset = addr - last.addr;
        if last.addr >> 63 == 0 || offset >= MAX_OFFSET {
            return None;
        }
        let first = self.entries.partition_point(|entry| entry.addr < last.addr);
        let symbol = self.symbol(self.entries.get(first)?);
        // `_end` marks where the kernel's image stops.
        (symbol.name != "_end").then_some(Located { symbol, offset })
    }

    fn symbol(&self, entry: &Entry) -> Symbol<'_> {
        let start = entry.name as usize;
        Symbol {
            addr: entry.addr,
            kind: entry.kind,
            name: self.names.get(start..start + usize::from(entry.name_len)).unwrap_or(""),
            module: self.modules.get(usize::from(entry.module)).map_or("", String::as_str),
        }
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbols").field("len", &self.len()).field("modules", &self.modules.len()).finish()
    }
}
