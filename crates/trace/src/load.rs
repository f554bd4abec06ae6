//! A generated object into the kernel: its maps, then its programs. A refused program becomes a sentence that names the clause;
//! the verifier's log stays in the error for those who ask.

use crate::bind::{ProgramType, program_type};
use crate::error::{Error, LoadError};
use crate::facts::Facts;
use crate::sys::{self, LoadRefused, MapShape, ProgShape, SysError};
use crate::ways::Ways;
use lkd_codegen::abi::{LKD_PROGS, LKD_REQUEST};
use lkd_codegen::{Object, Place, Prog, ProgKind};
use lkd_kernel::probes::{Catalog, ProbeId, Site};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What the capture engine gives for lkd(): where requests are written, and by program type what to tail-call into.
pub struct LkdFds<'a> {
    pub request: BorrowedFd<'a>,
    pub triggers: Vec<(ProgramType, BorrowedFd<'a>)>,
}

/// A program in the kernel, and what it is to be attached to.
pub(crate) struct Loaded {
    pub fd: OwnedFd,
    pub name: String,
    pub kind: ProgKind,
    pub place: Place,
    pub probes: Vec<u32>,
    pub cookie: bool,
}

/// The maps of one object.
pub(crate) struct Maps {
    own: HashMap<String, OwnedFd>,
    /// Program arrays by the type that tail-calls into them: a kernel's program array takes one type only.
    arrays: HashMap<ProgramType, OwnedFd>,
}

impl Maps {
    pub fn create(object: &Object, lkd: Option<&LkdFds<'_>>) -> Result<Maps, SysError> {
        let mut maps = Maps { own: HashMap::new(), arrays: HashMap::new() };
        for spec in &object.maps {
            let shape = MapShape {
                name: &spec.name,
                kind: spec.kind as u32,
                key_size: spec.key_size,
                value_size: spec.value_size,
                max_entries: spec.max_entries,
                flags: spec.flags,
            };
            let dup = |fd: BorrowedFd<'_>| {
                fd.try_clone_to_owned().map_err(|source| SysError {
                    call: "dup",
                    object: format!("map {}", spec.name),
                    source,
                })
            };
            match (spec.external, lkd, spec.name.as_str()) {
                (true, Some(lkd), LKD_REQUEST) => {
                    maps.own.insert(spec.name.clone(), dup(lkd.request)?);
                }
                (true, lkd, LKD_PROGS) => {
                    let kinds = object
                        .progs
                        .iter()
                        .filter(|p| p.lkd)
                        .filter_map(|p| program_type(p.place, lkd_ways(lkd)));
                    for kind in kinds {
                        let given = lkd.and_then(|l| l.triggers.iter().find(|(k, _)| *k == kind));
                        let fd = match given {
                            Some((_, fd)) => dup(*fd)?,
                            None => sys::map_create(&shape)?,
                        };
                        maps.arrays.insert(kind, fd);
                    }
                }
                _ => {
                    let fd = sys::map_create(&shape)?;
                    for (key, value) in &spec.init {
                        sys::map_update(
                            fd.as_fd(),
                            &spec.name,
                            (spec.key_size, spec.value_size),
                            key,
                            value,
                        )?;
                    }
                    maps.own.insert(spec.name.clone(), fd);
                }
            }
        }
        Ok(maps)
    }

    pub fn get(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.own.get(name).map(AsFd::as_fd)
    }

    fn fd_for(&self, name: &str, kind: Option<ProgramType>) -> Option<i32> {
        let fd = if name == LKD_PROGS { kind.and_then(|k| self.arrays.get(&k)) } else { self.own.get(name) };
        fd.map(AsRawFd::as_raw_fd)
    }
}

/// Which kind of kprobe the capture engine was armed for, as its descriptors tell.
fn lkd_ways(lkd: Option<&LkdFds<'_>>) -> Ways {
    let multi = lkd.is_some_and(|l| l.triggers.iter().any(|(k, _)| *k == ProgramType::KprobeMulti));
    Ways { kprobe_multi: multi, ..Ways::default() }
}

/// How to load.
#[derive(Clone, Copy)]
pub(crate) struct Loading {
    /// Bytes of a refused program's log that are kept at most.
    pub log_most: usize,
    pub interrupted: fn() -> bool,
}

/// Loads every program: those for fentry and fexit once per function.
pub(crate) fn load(
    object: &Object,
    maps: &Maps,
    catalog: &Catalog,
    facts: &Facts,
    how: Loading,
    skipped: &mut Vec<String>,
) -> Result<Vec<Loaded>, Error> {
    let log_most = how.log_most;
    let kprobes = object.progs.iter().any(|p| matches!(p.kind, ProgKind::Kprobe | ProgKind::Kretprobe));
    let ways = if kprobes { facts.ways() } else { Ways::default() };
    let mut modules: HashMap<String, Option<OwnedFd>> = HashMap::new();
    let mut loaded = Vec::new();
    for prog in &object.progs {
        let kind = program_type(prog.place, ways);
        let insns = prog.bytes(|name| maps.fd_for(name, kind)).map_err(|map| {
            Error::Load(Box::new(LoadError {
                prog: prog.name.clone(),
                clause: None,
                what: None,
                why: format!("its map {map} was not created"),
                source: SysError {
                    call: "BPF_PROG_LOAD",
                    object: prog.name.clone(),
                    source: std::io::ErrorKind::NotFound.into(),
                },
                log: String::new(),
            }))
        })?;
        let shape = ProgShape {
            name: &prog.name,
            kind: prog.kind.prog_type(),
            expected_attach: expected_attach(prog.kind, ways),
            attach_btf_id: 0,
            attach_btf: None,
            insns: &insns,
        };
        let done = |fd, probes| Loaded {
            fd,
            name: prog.name.clone(),
            kind: prog.kind,
            place: prog.place,
            probes,
            cookie: prog.cookie,
        };
        if !matches!(prog.kind, ProgKind::Fentry | ProgKind::Fexit) {
            let fd =
                sys::prog_load(&shape, log_most).map_err(|refused| explain(prog, &prog.name, refused))?;
            loaded.push(done(fd, prog.probes.clone()));
            continue;
        }
        for &id in &prog.probes {
            if (how.interrupted)() {
                return Err(Error::Interrupted);
            }
            let Some(probe) = catalog.probe(ProbeId(id)) else { continue };
            let (Site::FbtEntry { func: Some(func), .. } | Site::FbtReturn { func: Some(func), .. }) =
                probe.site
            else {
                continue;
            };
            let module = (probe.module != "vmlinux").then(|| {
                modules
                    .entry(probe.module.to_owned())
                    .or_insert_with(|| sys::module_btf_fd(probe.module).ok())
            });
            let attach_btf = module.and_then(|fd| fd.as_ref()).map(AsFd::as_fd);
            let shape = ProgShape { attach_btf_id: func.0, attach_btf, ..shape };
            match sys::prog_load(&shape, log_most) {
                Ok(fd) => loaded.push(done(fd, vec![id])),
                // one function of many that cannot be traced this way must not stop the others
                Err(refused) if prog.probes.len() > 1 && !is_verdict(&refused) => {
                    skipped.push(format!("{probe}: {}", sys::reason(&refused.error.source)));
                }
                Err(refused) => {
                    return Err(explain(prog, &format!("{} on {}", prog.name, probe.function), refused));
                }
            }
        }
    }
    Ok(loaded)
}

fn expected_attach(kind: ProgKind, ways: Ways) -> u32 {
    match kind {
        ProgKind::Fentry => libbpf_sys::BPF_TRACE_FENTRY,
        ProgKind::Fexit => libbpf_sys::BPF_TRACE_FEXIT,
        ProgKind::Kprobe | ProgKind::Kretprobe if ways.kprobe_multi => libbpf_sys::BPF_TRACE_KPROBE_MULTI,
        _ => 0,
    }
}

/// Was it the program's code that was refused, not the function that it should be attached to?
fn is_verdict(refused: &LoadRefused) -> bool {
    last_insn(&refused.log).is_some()
}

/// The last instruction that the verifier looked at: its lines begin with `51: (85) call …`.
fn last_insn(log: &str) -> Option<u32> {
    log.lines().rev().find_map(|line| {
        let (number, rest) = line.split_once(": ")?;
        rest.starts_with('(').then(|| number.trim().parse().ok())?
    })
}

/// The verifier's verdict: the last line that is neither an instruction nor statistics.
fn verdict(log: &str) -> Option<&str> {
    let noise = |line: &&str| {
        line.is_empty()
            || [
                "processed ",
                "verification time",
                "stack depth",
                "from ",
                "; ",
                "mark_precise",
                "reg_",
                "arg#",
            ]
            .iter()
            .any(|p| line.starts_with(p))
            || line.split_once(':').is_some_and(|(n, _)| n.trim().parse::<u32>().is_ok())
    };
    log.lines().rev().map(str::trim).find(|line| !noise(line))
}

/// Every kernel that we load into has the helper; in lockdown=confidentiality the verifier pretends that it has not.
fn is_locked_down(verdict: &str) -> bool {
    (verdict.contains("cannot use helper") || verdict.contains("unknown func"))
        && verdict.contains("bpf_probe_read_kernel")
}

fn explain(prog: &Prog, name: &str, refused: LoadRefused) -> Error {
    let LoadRefused { error, log } = refused;
    let insn = last_insn(&log);
    let mark = insn.and_then(|insn| prog.mark_at(insn));
    let why = match (verdict(&log), error.errno()) {
        (Some(text), _) if is_locked_down(text) => {
            "kernel lockdown forbids programs to read the kernel's memory: boot without lockdown=confidentiality"
                .to_owned()
        }
        (_, libc::E2BIG) => "it is more than the kernel lets one program be: split the script".to_owned(),
        (Some(text), _) => match insn {
            Some(insn) => format!("{text}, at instruction {insn}"),
            None => text.to_owned(),
        },
        (None, _) => error.to_string(),
    };
    Error::Load(Box::new(LoadError {
        prog: name.to_owned(),
        clause: mark.and_then(|m| m.clause),
        what: mark.map(|m| m.what.clone()),
        why,
        source: error,
        log,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "0: R1=ctx() R10=fp0\n; clause 0\n0: (79) r6 = *(u64 *)(r1 +8)       ; R1=ctx() R6_w=scalar()\n\
                       1: (61) r0 = *(u32 *)(r6 +0)\nR6 invalid mem access 'scalar'\n\
                       processed 2 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n";

    #[test]
    fn a_log_becomes_one_sentence() {
        assert_eq!(verdict(LOG), Some("R6 invalid mem access 'scalar'"));
        assert_eq!(last_insn(LOG), Some(1));
        assert_eq!((verdict(""), last_insn("")), (None, None));
        assert!(is_locked_down("program of this type cannot use helper bpf_probe_read_kernel#113"));
        assert!(is_locked_down("unknown func bpf_probe_read_kernel_str#115"));
        assert!(!is_locked_down("unknown func bpf_loop#181"));
    }
}
