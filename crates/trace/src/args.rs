//! The types of a probe's arguments, out of BTF: for `args[]` and for `dtrace -lv`.

use crate::facts::Facts;
use lkd_dlang::facts::ArgTypes;
use lkd_kernel::btf::{Btf, Kind, TypeId};
use lkd_kernel::probes::{Catalog, Probe, ProbeDesc, Site};
use lkd_kernel::syscalls::x86_64;
use std::sync::Arc;

/// One probe's arguments: where their types are, and for each its name and its type.
struct Signature {
    btf: Arc<Btf>,
    module: String,
    args: Vec<(String, TypeId)>,
}

const NO_BTF: &str = "this kernel does not tell its types (no BTF)";

fn signature(probe: &Probe<'_>, facts: &Facts) -> Result<Signature, String> {
    match probe.site {
        Site::Begin | Site::End | Site::Error => Err("the probes of dtrace have none".into()),
        Site::Profile { .. } | Site::Tick { .. } => {
            Err("clocks have none; arg0 and arg1 are the program counters".into())
        }
        Site::FbtEntry { .. } | Site::FbtReturn { .. } => function(probe, facts),
        Site::RawTp { proto, .. } => {
            // a subsystem (sdt) is no module: its tracepoints' types are in the kernel's own BTF
            let module = if probe.provider == "rawtp" { probe.module } else { "vmlinux" };
            let btf = facts.module_btf(module).ok_or(NO_BTF)?;
            let proto = proto.ok_or("the tracepoint has no type in this kernel's BTF")?;
            // the first parameter is the tracepoint's own void *
            let args = params(&btf, proto).into_iter().skip(1).collect();
            Ok(Signature { btf, module: module.to_owned(), args })
        }
        Site::SyscallEntry { nr, nargs } => system_call(nr, nargs, facts),
        Site::SyscallReturn { .. } => {
            let btf = facts.btf().map_err(|_| NO_BTF)?.clone();
            let long = btf
                .find_int("long int")
                .or_else(|| btf.find_int("long"))
                .ok_or("the kernel's BTF has no long")?;
            Ok(Signature {
                btf,
                module: "vmlinux".into(),
                args: vec![("ret".into(), long), ("ret".into(), long)],
            })
        }
    }
}

fn params(btf: &Btf, proto: TypeId) -> Vec<(String, TypeId)> {
    match btf.kind(proto) {
        Kind::FuncProto(p) => p.params().map(|param| (param.name.to_owned(), param.ty)).collect(),
        _ => Vec::new(),
    }
}

fn function(probe: &Probe<'_>, facts: &Facts) -> Result<Signature, String> {
    let btf = facts.module_btf(probe.module).ok_or(NO_BTF)?;
    let func = btf.find_func(probe.function).ok_or("the function has no type in this kernel's BTF")?;
    let Kind::Func { proto, .. } = btf.kind(func) else {
        return Err("the function has no type in this kernel's BTF".into());
    };
    let mut args = params(&btf, proto);
    if matches!(probe.site, Site::FbtReturn { .. }) {
        // args[0] is the place of the return, which Linux does not tell; args[1] the value
        let Kind::FuncProto(p) = btf.kind(proto) else { return Err(NO_BTF.into()) };
        let place =
            btf.find_int("long unsigned int").or_else(|| btf.find_int("unsigned long")).unwrap_or(TypeId(0));
        args = vec![("pc".into(), place)];
        args.extend((p.ret != TypeId(0)).then(|| ("ret".to_owned(), p.ret)));
    }
    Ok(Signature { btf, module: probe.module.to_owned(), args })
}

/// A call's own function (`__do_sys_lseek`) has the types that programs know; its entry only takes the registers.
fn system_call(nr: u32, nargs: u8, facts: &Facts) -> Result<Signature, String> {
    let btf = facts.btf().map_err(|_| NO_BTF)?.clone();
    let name = x86_64::by_nr(nr).map_or("", |call| call.name);
    let typed = ["__do_sys_", "__se_sys_"].iter().find_map(|prefix| {
        let func = btf.find_func(&format!("{prefix}{name}"))?;
        let Kind::Func { proto, .. } = btf.kind(func) else { return None };
        Some(params(&btf, proto)).filter(|p| p.len() == usize::from(nargs))
    });
    let args = match typed {
        Some(args) => args,
        None => {
            // the compiler has folded that function into its caller: every argument is then a register's long
            let long = btf
                .find_int("long int")
                .or_else(|| btf.find_int("long"))
                .ok_or("the kernel's BTF has no long")?;
            (0..nargs).map(|n| (format!("arg{n}"), long)).collect()
        }
    };
    Ok(Signature { btf, module: "vmlinux".into(), args })
}

/// What the probes that match agree on.
pub fn types(catalog: &Catalog, desc: &ProbeDesc, facts: &Facts) -> ArgTypes {
    let mut agreed: Option<ArgTypes> = None;
    for probe in catalog.matches(desc) {
        let one = match signature(&probe, facts) {
            Ok(s) => {
                ArgTypes::Known { module: s.module, args: s.args.into_iter().map(|(_, ty)| ty).collect() }
            }
            Err(why) => ArgTypes::Unknown(why),
        };
        match &agreed {
            None => agreed = Some(one),
            Some(first) if *first == one => {}
            Some(_) => return ArgTypes::Mixed,
        }
    }
    agreed.unwrap_or_else(|| ArgTypes::Unknown("no probe matches".into()))
}

/// The rows that `-v` puts under a probe: its arguments' names and types as C writes them.
pub fn describe(probe: &Probe<'_>, facts: &Facts, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n\tArgument Types\n");
    match signature(probe, facts) {
        Ok(s) if s.args.is_empty() => out.extend_from_slice(b"\t\tNone\n"),
        Ok(s) => {
            for (n, (name, ty)) in s.args.iter().enumerate() {
                out.extend_from_slice(format!("\t\targs[{n}]: {}\n", s.btf.c_decl(*ty, name)).as_bytes());
            }
        }
        Err(why) => out.extend_from_slice(format!("\t\tNone ({why})\n").as_bytes()),
    }
    out.push(b'\n');
}
