//! From the command line's texts to a checked program and the probes that it names.

use crate::flags::{Args, RequestKind};
use crate::input::Input;
use lkd_dlang::ast::{Item, ProbeSpecKind, Script};
use lkd_dlang::check::check;
use lkd_dlang::diag::{Diag, Tag};
use lkd_dlang::facts::{ArgTypes, Facts as DFacts, ProbeFacts};
use lkd_dlang::lex::{Ids, MacroArgs};
use lkd_dlang::options::{Opt, Options, Origin};
use lkd_dlang::parse::{Context, SpecKind, parse_probe_desc, parse_script, unused_argument};
use lkd_dlang::program::{ProbePattern, Program};
use lkd_dlang::source::Sources;
use lkd_dlang::span::Span;
use lkd_kernel::probes::{Absence, Catalog, ProbeDesc, ProbeId};
use lkd_trace::facts::Facts;
use lkd_trace::provider::{self, Providers};

/// A program that may run, and the probes that its descriptions were looked up in.
pub struct Compiled {
    pub program: Program,
    pub catalog: Catalog,
    /// Providers that were asked for and have nothing here, and why.
    pub absences: Vec<Absence>,
}

/// Why there is no program.
pub enum Failure {
    /// A sentence.
    Said(String),
    /// What the compiler found, in the order of the texts.
    Diags(Vec<Diag>),
}

/// `-x` and the letters that are short for one.
///
/// # Errors
/// A sentence: which option, what is wrong, what would be right.
pub fn options(args: &Args) -> Result<Options, String> {
    let mut options = Options::default();
    for (name, value) in &args.options {
        options.set(name, value.as_deref(), Origin::CommandLine).map_err(|e| {
            let help = e.help().map(|h| format!(" ({h})")).unwrap_or_default();
            let value = value.as_ref().map(|v| format!("={v}")).unwrap_or_default();
            format!(
                "failed to set -x {}: {e}{help}",
                format_args!("{name}{value}").to_string().escape_debug()
            )
        })?;
    }
    Ok(options)
}

/// Compiles all inputs as one program: they share their variables, as in DTrace.
pub fn compile(
    args: &Args,
    options: Options,
    sources: &Sources,
    inputs: &[Input],
    target: Option<u32>,
    facts: &Facts,
) -> Result<Compiled, Failure> {
    let macro_args = macro_args(args, inputs, target, options.flag(Opt::Defaultargs));
    let argref = options.flag(Opt::Argref);
    let script = parse(sources, inputs, &macro_args, argref, facts)?;
    let providers = Providers::new(facts);
    let mut catalog = Catalog::new();
    let mut absences = Vec::new();
    // the compiler's own `dtrace:::ERROR` clauses need the first provider
    for desc in std::iter::once(ProbeDesc::new("dtrace", "", "", "")).chain(descriptions(&script)) {
        absences.extend(providers.fill(&desc, &mut catalog));
    }
    let known = Known { catalog: &catalog, absences: &absences, facts };
    let d_facts = DFacts {
        btf: facts.btf().ok().cloned(),
        module_btf: &|module| facts.module_btf(module),
        symbol_addr: &|module, name| {
            let symbols = facts.symbols().ok()?;
            match module {
                Some(m) => symbols.by_name_in(m, name),
                None => symbols.by_name(name),
            }
            .map(|s| s.addr)
        },
        probes: &known,
    };
    let (program, mut diags) = check(&script, sources, &d_facts, options);
    if !diags.is_empty() {
        diags.iter_mut().for_each(|d| explain_absence(d, &absences, &providers));
        return Err(Failure::Diags(diags));
    }
    Ok(Compiled { program, catalog, absences })
}

/// A description that matches nothing because its provider cannot be served here, is not built or is none at all says so.
fn explain_absence(diag: &mut Diag, absences: &[Absence], providers: &Providers<'_>) {
    if diag.tag != Tag::PdescZero {
        return;
    }
    let named = |a: &&Absence| diag.message.contains(&format!(" {}:", a.provider));
    if let Some(a) = absences.iter().find(named) {
        let unbuilt = provider::unbuilt(&a.provider).is_some();
        diag.notes.push(match unbuilt {
            true => a.reason.clone(),
            false => format!("the provider {} is absent here: {}", a.provider, a.reason),
        });
        diag.help = Some(a.remedy.clone()).filter(|r| !r.is_empty());
    } else if diag.help.is_none() {
        let written = diag.message.split(' ').find_map(|word| word.split_once(':')).map(|(name, _)| name);
        if let Some(name) = written.filter(|name| providers.is_unknown(name)) {
            diag.notes.push(format!("there is no provider {name}; there are {}", providers.names()));
        }
    }
}

/// What `$1`, `$target` and the like stand for in this run.
pub fn macro_args(args: &Args, inputs: &[Input], target: Option<u32>, default_args: bool) -> MacroArgs {
    let script = inputs.iter().find(|i| i.request.kind == RequestKind::Script);
    MacroArgs {
        script: script.map_or("dtrace".into(), |i| i.request.text.clone()),
        argv: args.script_args.clone(),
        target,
        ids: ids(),
        default_args,
    }
}

/// The trees of all inputs, one after the other. `argref`: arguments that no text names are no mistake.
pub fn parse(
    sources: &Sources,
    inputs: &[Input],
    macro_args: &MacroArgs,
    argref: bool,
    facts: &Facts,
) -> Result<Script, Failure> {
    let is_type = |name: &str| {
        let name = name.rsplit('`').next().unwrap_or(name);
        facts.btf().is_ok_and(|btf| btf.find_typedef(name).is_some())
    };
    let context = Context { args: macro_args, is_type: &is_type };
    let mut script = Script::default();
    let mut diags = Vec::new();
    let mut used = vec![false; macro_args.argv.len() + 1];
    for input in inputs {
        let parsed = match spec_kind(input.request.kind) {
            None => parse_script(sources, input.file, &context),
            Some(kind) => parse_probe_desc(sources, input.file, kind, &context),
        };
        script.items.extend(parsed.script.items);
        diags.extend(parsed.diags);
        used.iter_mut().zip(parsed.used_args).for_each(|(all, one)| *all |= one);
    }
    let last = inputs.last().map_or(0, |i| i.file);
    if diags.is_empty() && !argref {
        diags.extend(unused_argument(macro_args, &used, Span::new(last, 0, 0)));
    }
    if diags.is_empty() { Ok(script) } else { Err(Failure::Diags(diags)) }
}

fn spec_kind(kind: RequestKind) -> Option<SpecKind> {
    match kind {
        RequestKind::Script => None,
        RequestKind::Provider => Some(SpecKind::Provider),
        RequestKind::Module => Some(SpecKind::Module),
        RequestKind::Function => Some(SpecKind::Function),
        RequestKind::Name | RequestKind::Id => Some(SpecKind::Name),
    }
}

/// Every probe description of the script, so that the providers it means can be asked before it is checked.
pub fn descriptions(script: &Script) -> Vec<ProbeDesc> {
    let mut all = Vec::new();
    for item in &script.items {
        let Item::Clause(clause) = item else { continue };
        all.extend(clause.probes.iter().map(|p| match &p.kind {
            ProbeSpecKind::Id(id) => ProbeDesc::by_id(ProbeId(*id)),
            ProbeSpecKind::Tuple { provider, module, function, name } => {
                ProbeDesc::new(provider, module, function, name)
            }
        }));
    }
    all
}

/// A pattern of the program as the catalogue takes it.
pub fn desc_of(pattern: &ProbePattern) -> ProbeDesc {
    match pattern.id {
        Some(id) => ProbeDesc::by_id(ProbeId(id)),
        None => ProbeDesc::new(&pattern.provider, &pattern.module, &pattern.function, &pattern.name),
    }
}

fn ids() -> Ids {
    use rustix::process as p;
    // the kernel's own words: a group or session that began outside our pid namespace is 0, which no typed id can hold
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_comm: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |n: usize| after_comm.get(n).and_then(|f| f.parse().ok()).unwrap_or(0);
    Ids {
        pid: std::process::id(),
        ppid: field(1),
        pgid: field(2),
        sid: field(3),
        uid: p::getuid().as_raw(),
        euid: p::geteuid().as_raw(),
        gid: p::getgid().as_raw(),
        egid: p::getegid().as_raw(),
        projid: 0,
        taskid: 0,
    }
}

/// The catalogue, as the checker asks it.
struct Known<'a> {
    catalog: &'a Catalog,
    absences: &'a [Absence],
    facts: &'a Facts,
}

impl ProbeFacts for Known<'_> {
    fn count(&self, pattern: &ProbePattern) -> usize {
        self.catalog.count(&desc_of(pattern))
    }

    fn nearest(&self, pattern: &ProbePattern) -> Vec<String> {
        let absent = self.absences.iter().find(|a| a.provider == pattern.provider);
        if absent.is_some() {
            // the checker's "does not match any probes" is followed by the reason, see `Failure`'s caller
            return Vec::new();
        }
        self.catalog.nearest(&desc_of(pattern), 3)
    }

    fn arg_types(&self, pattern: &ProbePattern) -> ArgTypes {
        lkd_trace::args::types(self.catalog, &desc_of(pattern), self.facts)
    }
}
