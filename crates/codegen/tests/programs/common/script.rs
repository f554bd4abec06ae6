//! D text → Program, and the probes of a machine that exists only here: every system call of x86-64, four functions of the
//! kernel, two tracepoints, profile-97 and tick-1s.

use lkd_codegen::{Bound, Place, ProbeNames};
use lkd_dlang::check::check;
use lkd_dlang::facts::{ArgTypes, Facts, ProbeFacts};
use lkd_dlang::lex::MacroArgs;
use lkd_dlang::options::Options;
use lkd_dlang::parse::{Context, parse_script};
use lkd_dlang::program::{ActionKind, ProbePattern, Program, Stmt};
use lkd_dlang::source::{Source, SourceKind, Sources};
use lkd_kernel::glob::Glob;
use lkd_kernel::syscalls::x86_64;

struct Machine {
    probes: Vec<(ProbeNames, Place)>,
}

impl Machine {
    fn new() -> Machine {
        let probe = |provider: &str, module: &str, function: &str, name: &str, place| {
            let names = ProbeNames {
                provider: provider.into(),
                module: module.into(),
                function: function.into(),
                name: name.into(),
            };
            (names, place)
        };
        let mut probes = vec![
            probe("dtrace", "", "", "BEGIN", Place::Begin),
            probe("dtrace", "", "", "END", Place::End),
            probe("dtrace", "", "", "ERROR", Place::Error),
        ];
        for call in x86_64::all() {
            let name = call.alias.unwrap_or(call.name);
            probes.push(probe("syscall", "vmlinux", name, "entry", Place::SysEnter { nr: call.nr }));
            probes.push(probe("syscall", "vmlinux", name, "return", Place::SysExit { nr: call.nr }));
        }
        for f in ["vfs_read", "vfs_write", "vfs_open", "vfs_fsync"] {
            probes.push(probe("fbt", "vmlinux", f, "entry", Place::Fentry { nargs: 4 }));
            probes.push(probe("fbt", "vmlinux", f, "return", Place::Fexit { nargs: 4 }));
        }
        for t in ["sched_switch", "sched_process_exit"] {
            probes.push(probe("rawtp", "sched", t, "", Place::RawTp { nargs: 3 }));
        }
        probes.push(probe("profile", "", "", "profile-97", Place::PerfEvent));
        probes.push(probe("profile", "", "", "tick-1s", Place::User));
        Machine { probes }
    }

    fn matching(&self, p: &ProbePattern) -> Vec<usize> {
        let hit = |glob: &str, text: &str| glob.is_empty() || Glob::new(glob).matches(text);
        let all = self.probes.iter().enumerate();
        all.filter(|(_, (n, _))| {
            hit(&p.provider, &n.provider)
                && hit(&p.module, &n.module)
                && hit(&p.function, &n.function)
                && hit(&p.name, &n.name)
        })
        .map(|(at, _)| at)
        .collect()
    }
}

impl ProbeFacts for Machine {
    fn count(&self, pattern: &ProbePattern) -> usize {
        self.matching(pattern).len()
    }

    fn nearest(&self, _: &ProbePattern) -> Vec<String> {
        vec![]
    }

    fn arg_types(&self, _: &ProbePattern) -> ArgTypes {
        ArgTypes::Unknown("no types here".into())
    }
}

/// A script that must be good, and what it binds on that machine.
pub fn script(name: &str, text: &[u8]) -> (Program, Vec<Bound>) {
    let machine = Machine::new();
    let mut sources = Sources::new();
    let file = sources.add(Source::new(name, SourceKind::File, text));
    let args = MacroArgs::default();
    let parsed =
        parse_script(&sources, file, &Context { args: &args, is_type: &|name| name.ends_with("_t") });
    let told =
        |diags: &[lkd_dlang::diag::Diag]| diags.iter().map(|d| d.draw(&sources, false)).collect::<String>();
    assert!(parsed.diags.is_empty(), "{name}:\n{}", told(&parsed.diags));
    let facts = Facts { btf: None, module_btf: &|_| None, symbol_addr: &|_, _| None, probes: &machine };
    let (program, diags) = check(&parsed.script, &sources, &facts, Options::default());
    assert!(diags.is_empty(), "{name}:\n{}", told(&diags));
    let bounds = bind(&machine, &program);
    (program, bounds)
}

fn bind(machine: &Machine, program: &Program) -> Vec<Bound> {
    let matched: Vec<Vec<usize>> =
        program.clauses.iter().map(|c| c.probes.iter().flat_map(|p| machine.matching(p)).collect()).collect();
    let mut bounds = vec![];
    for (at, (names, place)) in machine.probes.iter().enumerate() {
        let clauses: Vec<u32> =
            (0..matched.len() as u32).filter(|&c| matched[c as usize].contains(&at)).collect();
        // As on a real machine: where fentry cannot go over into the capture, a kprobe serves.
        let lkd = clauses.iter().any(|&c| {
            let stmts = &program.clauses[c as usize].stmts;
            stmts.iter().any(|s| matches!(s, Stmt::Action(a) if matches!(a.kind, ActionKind::Lkd(_))))
        });
        let place = match place {
            Place::Fentry { .. } if lkd => Place::Kprobe,
            Place::Fexit { .. } if lkd => Place::Kretprobe,
            other => *other,
        };
        if !clauses.is_empty() {
            bounds.push(Bound { probe: at as u32 + 1, names: names.clone(), place, clauses });
        }
    }
    bounds
}
