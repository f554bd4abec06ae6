//! The catalogue: numbers that stay, matching by field, places of arguments, and what was perhaps meant.

use lkd_kernel::btf::{Btf, Kind, TypeId};
use lkd_kernel::probes::{
    Absence, ArgPlace, Catalog, Errno, NewProbe, ProbeDesc, ProbeId, Provider, Site, Via,
};
use lkd_kernel::syscalls::{ia32, x86_64};
use lkd_kernel::x86_64::PtRegs;
use std::cell::Cell;

fn desc(text: &str) -> ProbeDesc {
    let fields: Vec<&str> = text.split(':').collect();
    let [provider, module, function, name] = fields[..] else { panic!("{text}: four fields") };
    ProbeDesc::new(provider, module, function, name)
}

struct Dtrace;
impl Provider for Dtrace {
    fn name(&self) -> &str {
        "dtrace"
    }
    fn provide(&self, _: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        for (name, site) in [("BEGIN", Site::Begin), ("END", Site::End), ("ERROR", Site::Error)] {
            catalog.add(NewProbe { provider: "dtrace", module: "", function: "", name, site }).unwrap();
        }
        Ok(())
    }
}

struct Syscalls;
impl Provider for Syscalls {
    fn name(&self) -> &str {
        "syscall"
    }
    fn provide(&self, _: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        for call in x86_64::all() {
            let (nr, nargs) = (call.nr, call.nargs);
            let sides = [("entry", Site::SyscallEntry { nr, nargs }), ("return", Site::SyscallReturn { nr })];
            for (name, site) in sides {
                let new =
                    NewProbe { provider: "syscall", module: "vmlinux", function: call.name, name, site };
                catalog.add(new).unwrap();
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Fbt {
    asked: Cell<u32>,
}
impl Provider for Fbt {
    fn name(&self) -> &str {
        "fbt"
    }
    fn provide(&self, _: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        self.asked.set(self.asked.get() + 1);
        for n in 0..60_000_u32 {
            let function = format!("function_{n}");
            let func = Some(TypeId(n));
            let sides = [
                ("entry", Site::FbtEntry { func, nargs: 2 }),
                ("return", Site::FbtReturn { func, nargs: 2 }),
            ];
            let module = if n < 50_000 { "vmlinux" } else { "xfs" };
            for (name, site) in sides {
                catalog.add(NewProbe { provider: "fbt", module, function: &function, name, site }).unwrap();
            }
        }
        Ok(())
    }
}

/// `profile-N` for any N that is asked for.
struct Profile;
impl Provider for Profile {
    fn name(&self) -> &str {
        "profile"
    }
    fn on_demand(&self) -> bool {
        true
    }
    fn provide(&self, desc: &ProbeDesc, catalog: &mut Catalog) -> Result<(), Absence> {
        let add = |catalog: &mut Catalog, hz: u64| {
            let site = Site::Profile { period_ns: 1_000_000_000 / hz };
            let name = format!("profile-{hz}");
            catalog
                .add_once(NewProbe { provider: "profile", module: "", function: "", name: &name, site })
                .unwrap()
        };
        add(catalog, 97);
        if let Some(hz) = desc.name.strip_prefix("profile-").and_then(|hz| hz.parse().ok()) {
            add(catalog, hz);
        }
        Ok(())
    }
}

struct Sdt;
impl Provider for Sdt {
    fn name(&self) -> &str {
        "sdt"
    }
    fn provide(&self, _: &ProbeDesc, _: &mut Catalog) -> Result<(), Absence> {
        Err(Absence { provider: "sdt".into(), reason: "no tracefs".into(), remedy: "mount it".into() })
    }
}

#[test]
fn numbers_do_not_depend_on_who_was_asked() {
    let fbt = Fbt::default();
    let providers: [&dyn Provider; 4] = [&Dtrace, &Syscalls, &fbt, &Profile];
    let mut few = Catalog::new();
    assert!(few.fill(&providers, &desc("syscall::lseek:return")).is_empty());
    assert_eq!(fbt.asked.get(), 0);
    let mut all = Catalog::new();
    all.fill(&providers, &desc(":::"));
    let id = |catalog: &Catalog, text: &str| catalog.matches(&desc(text)).map(|p| p.id).collect::<Vec<_>>();
    let lseek = id(&few, "syscall::lseek:return");
    assert_eq!(lseek.len(), 1);
    assert_eq!(lseek, id(&all, "syscall:vmlinux:lseek:return"));
    assert_eq!(id(&all, "dtrace:::BEGIN"), [ProbeId(1)]);
    assert_eq!(id(&all, ":::END"), [ProbeId(2)]);
    assert_eq!(id(&all, "syscall::read:entry"), [ProbeId(4)]);
    assert_eq!(all.probe(ProbeId(4)).unwrap().to_string(), "syscall:vmlinux:read:entry");
    assert_eq!(all.probe(ProbeId(0)), None);
    assert_eq!(all.probe(ProbeId(1999)), None);
    assert_eq!(all.probe(ProbeId(u32::MAX)), None);
    let ids: Vec<_> = all.iter().map(|p| p.id).collect();
    assert!(ids.is_sorted() && ids.len() == all.len());
    for probe in all.iter() {
        assert_eq!(all.probe(probe.id), Some(probe));
    }
    // Asked again, nobody adds anything twice.
    let len = all.len();
    all.fill(&providers, &desc("fbt:::"));
    all.fill(&providers, &desc(":::BEGIN"));
    assert_eq!((all.len(), fbt.asked.get()), (len, 1));
}

#[test]
fn a_description_by_number_asks_the_numbers_owner() {
    let fbt = Fbt::default();
    let providers: [&dyn Provider; 3] = [&Dtrace, &Syscalls, &fbt];
    let mut catalog = Catalog::new();
    let five = ProbeDesc::by_id(ProbeId(5));
    catalog.fill(&providers, &five);
    assert_eq!(
        catalog.matches(&five).map(|p| p.to_string()).collect::<Vec<_>>(),
        ["syscall:vmlinux:read:return"]
    );
    assert_eq!((fbt.asked.get(), catalog.count(&ProbeDesc::by_id(ProbeId(20_000)))), (0, 0));
    assert!(
        five.is_exact()
            && desc("a:b:c:d").is_exact()
            && !desc("a::c:d").is_exact()
            && !desc("a:b:c*:d").is_exact()
    );
    assert_eq!((five.to_string(), desc("a::c*:").to_string()), ("5".to_owned(), "a::c*:".to_owned()));
}

#[test]
fn probes_are_made_as_they_are_named() {
    let mut catalog = Catalog::new();
    for text in ["profile:::profile-97", "profile:::profile-4999", ":::profile-97", "profile:::profile-4999"]
    {
        catalog.fill(&[&Profile], &desc(text));
        assert_eq!(catalog.count(&desc(text)), 1, "{text}");
    }
    let names: Vec<_> = catalog.iter().map(|p| (p.id.0, p.name)).collect();
    assert_eq!(names, [(2000, "profile-97"), (2001, "profile-4999")]);
}

#[test]
fn fields_are_matched_one_by_one() {
    let mut catalog = Catalog::new();
    catalog.fill(&[&Dtrace, &Syscalls, &Fbt::default()], &desc(":::"));
    let calls = x86_64::all().len();
    let count = |text| catalog.count(&desc(text));
    assert_eq!(count("syscall:::return"), calls);
    assert_eq!(count("syscall:::"), 2 * calls);
    assert_eq!(count("sys*::*seek:entry"), 1);
    assert_eq!(count("syscall::[rw]*v:entry"), ["readv", "writev"].len());
    assert_eq!(count("syscall::read?:return"), 1);
    assert_eq!(count("fbt:xfs::entry"), 10_000);
    assert_eq!(count("fbt::function_1?:"), 20);
    assert_eq!(count("fbt::Function_1:"), 0);
    assert_eq!(count("::nothing:"), 0);
}

#[test]
fn a_provider_that_cannot_serve_says_why() {
    let absences = Catalog::new().fill(&[&Dtrace, &Sdt], &desc(":::"));
    let texts: Vec<_> = absences.iter().map(Absence::to_string).collect();
    assert_eq!(texts, ["provider sdt is not available: no tracefs (mount it)"]);
    assert!(Catalog::new().fill(&[&Dtrace, &Sdt], &desc("dtrace:::")).is_empty());
}

#[test]
fn a_provider_cannot_take_anothers_numbers() {
    let mut catalog = Catalog::new();
    let add = |catalog: &mut Catalog, provider, name: &str| {
        catalog.add(NewProbe { provider, module: "", function: "", name, site: Site::Begin })
    };
    for name in ["BEGIN", "END", "ERROR"] {
        add(&mut catalog, "dtrace", name).unwrap();
    }
    let full = add(&mut catalog, "dtrace", "MORE").unwrap_err();
    assert_eq!(full.to_string(), "provider dtrace has more than 3 probes");
    assert_eq!(add(&mut catalog, "ip", "send"), Ok(ProbeId(1_000_000)));
    assert_eq!(add(&mut catalog, "tcp", "send"), Ok(ProbeId(1_100_000)));
    assert_eq!(add(&mut catalog, "ip", "receive"), Ok(ProbeId(1_000_001)));
}

#[test]
fn near_names_are_suggested_in_the_form_that_was_written() {
    let mut catalog = Catalog::new();
    catalog.fill(&[&Dtrace, &Syscalls, &Fbt::default()], &desc(":::"));
    let nearest = |text: &str| catalog.nearest(&desc(text), 3);
    let first = |text: &str| nearest(text).into_iter().next();
    assert_eq!(first("syscall::lsek:return").as_deref(), Some("syscall::lseek:return"));
    assert_eq!(first("syscall::lseke:return").as_deref(), Some("syscall::lseek:return"), "letters swapped");
    assert_eq!(first("sycall:::entry").as_deref(), Some("syscall:::entry"));
    assert_eq!(first("syscall::lseek:retrun").as_deref(), Some("syscall::lseek:return"));
    assert_eq!(
        first("syscall::fstat:entry").as_deref(),
        Some("syscall::newfstat:entry"),
        "a program's name for it"
    );
    assert_eq!(first("syscall::lseek:enter").as_deref(), Some("syscall::lseek:entry"), "a word for the same");
    assert_eq!(first("syscall::lseek:exit").as_deref(), Some("syscall::lseek:return"));
    assert_eq!(first("syscall::umount2:").as_deref(), Some("syscall::umount:"));
    assert_eq!(first(":::BEGUN").as_deref(), Some(":::BEGIN"));
    assert_eq!(first("syscall:vmlinus:read:entry").as_deref(), Some("syscall:vmlinux:read:entry"));
    assert!(nearest("syscall::execve_common:entry").is_empty());
    assert!(nearest("syscall::zzzzzzzzzz:return").is_empty());
    assert!(nearest("fbt::function_12x:entry").len() == 3);
    assert!(catalog.nearest(&ProbeDesc::by_id(ProbeId(7777)), 3).is_empty());
}

#[test]
fn arguments_lie_where_the_kernel_puts_them() {
    let ctx = |offset| Some(ArgPlace::Ctx { offset });
    let regs = |offset| Some(ArgPlace::PtRegs { regs_at: 0, offset });
    let entry = Site::SyscallEntry { nr: 8, nargs: 4 };
    assert_eq!(entry.arg(0, Via::Btf), regs(PtRegs::DI));
    assert_eq!(entry.arg(3, Via::Btf), regs(PtRegs::R10), "not rcx, which the system call instruction takes");
    assert_eq!(entry.arg(4, Via::Btf), None);
    let ret = Site::SyscallReturn { nr: 8 };
    assert_eq!((ret.arg(0, Via::Btf), ret.arg(1, Via::Btf), ret.arg(2, Via::Btf)), (ctx(8), ctx(8), None));
    assert_eq!((ret.errno(), entry.errno()), (Errno::FromReturn, Errno::None));
    let (into, out) = (Site::FbtEntry { func: None, nargs: 5 }, Site::FbtReturn { func: None, nargs: 5 });
    assert_eq!((into.arg(4, Via::Btf), into.arg(5, Via::Btf)), (ctx(32), None));
    assert_eq!((into.arg(3, Via::Kprobe), into.arg(3, Via::Btf)), (ctx(PtRegs::CX), ctx(24)));
    assert_eq!((out.arg(0, Via::Btf), out.arg(1, Via::Btf)), (None, ctx(40)));
    assert_eq!(out.arg(1, Via::Kprobe), ctx(PtRegs::AX));
    let tick = Site::Tick { period_ns: 1 };
    assert_eq!(tick.arg(1, Via::Btf), Some(ArgPlace::Pc { user: true }));
    assert_eq!(Site::Begin.arg(0, Via::Btf), None);
    for site in [entry, ret, into, tick, Site::Begin, Site::RawTp { proto: None, nargs: 3 }] {
        assert_eq!(site.arg(site.nargs(), Via::Btf), None, "{site:?}");
    }
}

/// The offsets are constants of the interface to user space; the kernel's own description must agree.
#[test]
fn saved_registers_lie_where_the_running_kernel_says() {
    let Ok(btf) = std::fs::read("/sys/kernel/btf/vmlinux").map(|bytes| Btf::parse(bytes).unwrap()) else {
        return eprintln!("skipped: this kernel shows no BTF");
    };
    let regs = btf.find_struct("pt_regs").unwrap();
    let named = [
        ("r15", PtRegs::R15),
        ("r14", PtRegs::R14),
        ("r13", PtRegs::R13),
        ("r12", PtRegs::R12),
        ("bp", PtRegs::BP),
        ("bx", PtRegs::BX),
        ("r11", PtRegs::R11),
        ("r10", PtRegs::R10),
        ("r9", PtRegs::R9),
        ("r8", PtRegs::R8),
        ("ax", PtRegs::AX),
        ("cx", PtRegs::CX),
        ("dx", PtRegs::DX),
        ("si", PtRegs::SI),
        ("di", PtRegs::DI),
        ("orig_ax", PtRegs::ORIG_AX),
        ("ip", PtRegs::IP),
        ("cs", PtRegs::CS),
        ("flags", PtRegs::FLAGS),
        ("sp", PtRegs::SP),
        ("ss", PtRegs::SS),
    ];
    for (name, offset) in named {
        assert_eq!(btf.member(regs, name).map(|p| p.byte_offset()), Some(u64::from(offset)), "{name}");
    }
    assert_eq!(btf.size_of(regs), Some(u64::from(PtRegs::BYTES)));
}

#[test]
fn the_table_of_system_calls_agrees_with_itself_and_the_running_kernel() {
    assert!(x86_64::all().is_sorted_by(|a, b| a.nr < b.nr) && ia32::all().is_sorted_by(|a, b| a.0 < b.0));
    for call in x86_64::all() {
        assert!(
            call.nargs <= 6
                && x86_64::by_nr(call.nr) == Some(call)
                && x86_64::by_name(call.name) == Some(call)
        );
    }
    let call = x86_64::by_name("lseek").unwrap();
    assert_eq!((call.nr, call.nargs, x86_64::entry_symbol(call).as_str()), (8, 3, "__x64_sys_lseek"));
    assert_eq!(
        (x86_64::by_nr(5).unwrap().name, x86_64::by_nr(5).unwrap().alias),
        ("newfstat", Some("fstat"))
    );
    assert_eq!((x86_64::by_nr(3000), ia32::name(19), ia32::name(3000)), (None, Some("lseek"), None));

    let Ok(btf) = std::fs::read("/sys/kernel/btf/vmlinux").map(|bytes| Btf::parse(bytes).unwrap()) else {
        return eprintln!("skipped: this kernel shows no BTF");
    };
    let mut agreed = 0;
    for call in x86_64::all().iter().filter(|call| call.nargs > 0) {
        let Some(id) = btf.find_func(&format!("__do_sys_{}", call.name)) else { continue };
        let Kind::Func { proto, .. } = btf.kind(id) else { continue };
        let Kind::FuncProto(proto) = btf.kind(proto) else { continue };
        assert_eq!(proto.len(), usize::from(call.nargs), "{}", call.name);
        agreed += 1;
    }
    eprintln!("{agreed} prototypes agree");
}
