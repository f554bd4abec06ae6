//! Programs to their probes. Everything that is attached is a descriptor: dropping it detaches, and so does our death.

use crate::error::Error;
use crate::facts::Facts;
use crate::load::Loaded;
use crate::sys::{self, PerfType, SysError};
use lkd_codegen::{Place, ProgKind};
use lkd_kernel::probes::{Catalog, Probe, ProbeId, Site};
use std::os::fd::{AsFd, OwnedFd};

/// What holds the programs to their probes, and probes of large sets that refused.
#[derive(Default)]
pub(crate) struct Attached {
    /// Links and the perf events under them.
    pub held: Vec<OwnedFd>,
    pub skipped: Vec<String>,
}

fn refused(probe: &str, source: SysError) -> Error {
    Error::Attach { probe: probe.to_owned(), source }
}

/// Attaches one program to all its probes. BEGIN, END and clocks that we run by hand have nothing to be attached to. Gives
/// up between two probes when `interrupted` says so.
pub(crate) fn attach(
    prog: &Loaded,
    catalog: &Catalog,
    facts: &Facts,
    interrupted: fn() -> bool,
    to: &mut Attached,
) -> Result<(), Error> {
    let probes: Vec<Probe<'_>> = prog.probes.iter().filter_map(|&id| catalog.probe(ProbeId(id))).collect();
    let fd = prog.fd.as_fd();
    match (prog.kind, prog.place) {
        (ProgKind::RawTp, Place::Begin | Place::End | Place::User | Place::Error) => {}
        (ProgKind::RawTp, Place::SysEnter { .. } | Place::SysExit { .. }) => {
            let tracepoint =
                if matches!(prog.place, Place::SysEnter { .. }) { "sys_enter" } else { "sys_exit" };
            to.held.push(sys::raw_tracepoint_open(fd, tracepoint).map_err(|e| refused("syscall", e))?);
        }
        (ProgKind::RawTp, _) => {
            for probe in probes.iter().take_while(|_| !interrupted()) {
                to.held.push(
                    sys::raw_tracepoint_open(fd, probe.name).map_err(|e| refused(&probe.to_string(), e))?,
                );
            }
        }
        (ProgKind::PerfEvent, _) => {
            for probe in &probes {
                let (Site::Profile { period_ns } | Site::Tick { period_ns }) = probe.site else { continue };
                for &cpu in &facts.cpus().online {
                    let name = probe.to_string();
                    let event = sys::perf_cpu_clock(cpu, period_ns).map_err(|e| refused(&name, e))?;
                    let link = sys::link_perf(fd, event.as_fd(), cookie(prog, probe), &name)
                        .map_err(|e| refused(&name, e))?;
                    to.held.extend([link, event]);
                }
            }
        }
        (ProgKind::Fentry | ProgKind::Fexit, _) => {
            let kind = if prog.kind == ProgKind::Fentry {
                libbpf_sys::BPF_TRACE_FENTRY
            } else {
                libbpf_sys::BPF_TRACE_FEXIT
            };
            for probe in &probes {
                let name = probe.to_string();
                to.held.push(
                    sys::link_tracing(fd, kind, cookie(prog, probe), &name).map_err(|e| refused(&name, e))?,
                );
            }
        }
        (ProgKind::Kprobe | ProgKind::Kretprobe, _) => kprobes(prog, &probes, facts, interrupted, to)?,
    }
    Ok(())
}

fn cookie(prog: &Loaded, probe: &Probe<'_>) -> u64 {
    if prog.cookie { u64::from(probe.id.0) } else { 0 }
}

fn kprobes(
    prog: &Loaded,
    probes: &[Probe<'_>],
    facts: &Facts,
    interrupted: fn() -> bool,
    to: &mut Attached,
) -> Result<(), Error> {
    let on_return = prog.kind == ProgKind::Kretprobe;
    let before = to.held.len();
    let mut last = None;
    let ways = facts.ways();
    match (ways.kprobe_multi, ways.kprobe) {
        (true, _) => multi(prog, probes, on_return, to, &mut last),
        (false, Some(kind)) => {
            for probe in probes.iter().take_while(|_| !interrupted()) {
                match single(prog, probe, kind, on_return) {
                    Ok(pair) => to.held.extend(pair),
                    Err(e) => {
                        to.skipped.push(format!("{probe}: {}", sys::reason(&e.source)));
                        last = Some(e);
                    }
                }
            }
        }
        (false, None) => {}
    }
    // some of many may be on the kernel's list of what must not be probed; not one of them is an error
    match (to.held.len() > before, last, probes.first()) {
        (false, Some(e), Some(first)) => Err(refused(&first.to_string(), e)),
        _ => Ok(()),
    }
}

fn single(
    prog: &Loaded,
    probe: &Probe<'_>,
    kind: PerfType,
    on_return: bool,
) -> Result<[OwnedFd; 2], SysError> {
    let event = sys::perf_probe(kind, probe.function, on_return)?;
    let link = sys::link_perf(prog.fd.as_fd(), event.as_fd(), cookie(prog, probe), &probe.to_string())?;
    Ok([link, event])
}

/// One link for all; if the kernel refuses it, halves are tried, until the functions that it refuses stand alone.
fn multi(
    prog: &Loaded,
    probes: &[Probe<'_>],
    on_return: bool,
    to: &mut Attached,
    last: &mut Option<SysError>,
) {
    let functions: Vec<&str> = probes.iter().map(|p| p.function).collect();
    let cookies: Vec<u64> = probes.iter().map(|p| cookie(prog, p)).collect();
    let object = match probes {
        [] => return,
        [one] => one.to_string(),
        [first, ..] => format!("{first} and {} more", probes.len() - 1),
    };
    match (sys::link_kprobe_multi(prog.fd.as_fd(), &functions, &cookies, on_return, &object), probes) {
        (Ok(link), _) => to.held.push(link),
        (Err(e), [one]) => {
            to.skipped.push(format!("{one}: {}", sys::reason(&e.source)));
            *last = Some(e);
        }
        (Err(_), many) => {
            let (left, right) = many.split_at(many.len() / 2);
            multi(prog, left, on_return, to, last);
            multi(prog, right, on_return, to, last);
        }
    }
}
