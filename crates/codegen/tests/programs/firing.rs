//! Whole firings on the test machine: D text in, records, maps and counters out.

use crate::common::interp::Machine;
use crate::common::{env, script};
use lkd_codegen::abi::{Counter, REQUEST_ARGS, REQUEST_CLAUSE, REQUEST_FLAGS, REQUEST_PROBE, REQUEST_SITE};
use lkd_codegen::record::{Fault, Record, Value};
use lkd_codegen::{Bound, Object, Place, compile};

struct Rig {
    object: Object,
    bounds: Vec<Bound>,
    machine: Machine,
    regs: u64,
}

/// `pt_regs` words that the tests set.
const DI: u64 = 112;
const SI: u64 = 104;
const DX: u64 = 96;
const ORIG_AX: u64 = 120;

impl Rig {
    fn new(text: &str) -> Rig {
        let (program, bounds) = script::script("test.d", text.as_bytes());
        let object = compile(&program, &bounds, &env()).unwrap_or_else(|e| panic!("{e}"));
        let mut machine = Machine::new(&object);
        let regs = machine.alloc(168);
        machine.set_array("ctl", 0, &1u32.to_le_bytes());
        Rig { object, bounds, machine, regs }
    }

    fn run(&mut self, prog: &str, ctx: &[u64]) {
        let prog =
            self.object.progs.iter().find(|p| p.name == prog).unwrap_or_else(|| panic!("no {prog}")).clone();
        self.machine.run(&prog, ctx);
    }

    fn reg(&mut self, at: u64, value: u64) {
        let regs = self.regs;
        self.machine.write(regs + at, &value.to_le_bytes());
    }

    fn enter(&mut self, call: &str, args: [u64; 3]) {
        let nr = nr(call);
        for (at, v) in [DI, SI, DX].into_iter().zip(args) {
            self.reg(at, v);
        }
        self.run("sys_enter", &[self.regs, nr]);
    }

    fn leave(&mut self, call: &str, ret: i64) {
        self.reg(ORIG_AX, nr(call));
        self.run("sys_exit", &[self.regs, ret as u64]);
    }

    /// Everything that came out since the last time, as text.
    fn out(&mut self) -> String {
        let records = std::mem::take(&mut self.machine.records);
        let mut out = vec![];
        for bytes in &records {
            match Record::parse(bytes).unwrap() {
                Record::Error(e) => {
                    out.push(format!("error c{} a{} f{} v{:#x}", e.clause, e.action, e.fault, e.value));
                }
                Record::Data(d) => {
                    let layout = &self.object.layouts[d.clause as usize];
                    assert_eq!(bytes.len(), layout.size as usize);
                    let mut words = vec![];
                    for f in layout.actions.iter().flat_map(|a| &a.fields) {
                        words.push(match d.value(f).unwrap() {
                            Value::Int(v) => format!("{}", v as i64),
                            Value::Str(s) => format!("{:?}", String::from_utf8_lossy(s)),
                            Value::Mem(m) => format!("{m:?}"),
                            Value::Stack(s) => format!("stack{}", s.len() / 8),
                            Value::Name(p) => {
                                let b = self.bounds.iter().find(|b| b.probe == d.probe).unwrap();
                                format!("{p:?}={}", b.names.function)
                            }
                        });
                    }
                    out.push(format!("c{} {}", d.clause, words.join(" ")).trim_end().to_owned());
                }
            }
        }
        out.join("; ")
    }

    fn counter(&mut self, c: Counter) -> u64 {
        u64::from_le_bytes(self.machine.array("counters", 8 * c as u64, 8).try_into().unwrap())
    }

    fn state(&mut self) -> u32 {
        u32::from_le_bytes(self.machine.array("ctl", 0, 4).try_into().unwrap())
    }
}

fn nr(call: &str) -> u64 {
    lkd_kernel::syscalls::x86_64::by_name(call).unwrap().nr.into()
}

#[test]
fn the_match_knows_the_call_the_session_and_the_task() {
    let mut r = Rig::new("syscall::read:return, syscall::lseek:return { trace(arg0); }");
    r.leave("read", 5);
    r.leave("write", 6);
    r.leave("lseek", -22);
    assert_eq!(r.out(), "c0 5; c0 -22");
    // No call at all (-1), and a number beyond every table.
    for nr in [u64::MAX, 1 << 40, 100_000] {
        r.reg(ORIG_AX, nr);
        r.run("sys_exit", &[r.regs, 0]);
    }
    // A 32-bit task's call 8 is not lseek.
    let task = r.machine.task;
    r.machine.write(task + 16, &2u32.to_le_bytes());
    r.leave("lseek", 1);
    r.machine.write(task + 16, &4u32.to_le_bytes());
    r.leave("lseek", 2);
    assert_eq!(r.out(), "c0 2");
    for state in [0u32, 2] {
        r.machine.set_array("ctl", 0, &state.to_le_bytes());
        r.leave("lseek", 3);
    }
    assert_eq!(r.out(), "");
    assert_eq!(r.counter(Counter::Made), 3);
}

#[test]
fn a_lazy_match_is_as_strict() {
    let mut r = Rig::new(
        "int n; syscall:::return /arg0 == 7/ { n++; trace(n); } syscall:::return { self->x = arg0; }",
    );
    r.leave("read", 7);
    assert_eq!(r.out(), "c0 1");
    assert_eq!(r.machine.hash("self_0").len(), 1);
    r.machine.set_array("ctl", 0, &0u32.to_le_bytes());
    r.leave("read", 7);
    r.leave("read", 0);
    assert_eq!(r.out(), "");
    assert_eq!(r.machine.hash("self_0").len(), 1, "a firing that is not matched changes nothing");
}

#[test]
fn each_probe_runs_its_clauses() {
    let mut r = Rig::new(
        "syscall::read:entry, syscall::write:entry { trace(1); }
         syscall::read:entry /arg0 > 2/ { trace(2); }
         syscall::lseek:entry { trace(probefunc == \"lseek\"); }
         syscall::read:entry, syscall::lseek:entry /probefunc == \"read\"/ { trace(probefunc); }",
    );
    r.enter("read", [3, 0, 0]);
    assert_eq!(r.out(), "c0 1; c1 2; c3 Function=read");
    r.enter("write", [3, 0, 0]);
    assert_eq!(r.out(), "c0 1");
    r.enter("lseek", [3, 0, 0]);
    assert_eq!(r.out(), "c2 1");
    r.enter("close", [3, 0, 0]);
    assert_eq!(r.out(), "");
}

#[test]
fn errno_is_dtraces() {
    let mut r = Rig::new("syscall::read:return { trace(errno); }");
    for (ret, errno) in [(0, 0), (1, 0), (-1, 1), (-4095, 4095), (-4096, 0), (i64::MIN, 0), (i64::MAX, 0)] {
        r.leave("read", ret);
        assert_eq!(r.out(), format!("c0 {errno}"), "of {ret}");
    }
}

#[test]
fn a_fault_aborts_its_clause_only() {
    let mut r = Rig::new(
        "int z; int n;
         syscall::read:return { trace(1); n++; trace(5 / z); n++; }
         syscall::read:return { trace(*(int *)arg0); }
         syscall::read:return { trace(n); }
         ERROR { printf(\"%d %d %x\", arg2, arg4, arg5); }",
    );
    r.leave("read", 0x1234);
    let div = Fault::DivZero as u32;
    let bad = Fault::BadAddr as u32;
    assert_eq!(
        r.out(),
        format!("error c0 a3 f{div} v0x0; c3 3 4 0; error c1 a1 f{bad} v0x1234; c3 1 1 4660; c2 1")
    );
    assert_eq!(r.counter(Counter::Made), 5);
}

#[test]
fn a_fault_in_a_predicate_is_action_0_and_needs_a_match() {
    let mut r = Rig::new("syscall:::return / *(char *)arg0 == 1/ { trace(1); }");
    r.leave("read", 8);
    assert_eq!(r.out(), format!("error c0 a0 f{} v0x8", Fault::BadAddr as u32));
    r.machine.set_array("ctl", 0, &2u32.to_le_bytes());
    r.leave("read", 8);
    assert_eq!(r.out(), "");
    let one = r.machine.memory(&[1]);
    r.machine.set_array("ctl", 0, &1u32.to_le_bytes());
    r.leave("read", one as i64);
    assert_eq!(r.out(), "c0 1");
}

#[test]
fn if_and_else_follow_the_conditions() {
    let mut r = Rig::new(
        "syscall::read:return { if (arg0 > 0) { trace(1); if (arg0 > 9) { trace(2); } } else { trace(3); } trace(4); }",
    );
    let shown = |s: String| {
        s.split("; ").map(|c| c.split(' ').nth(1).unwrap_or("").to_owned()).collect::<Vec<_>>().join(" ")
    };
    r.leave("read", 10);
    assert_eq!(shown(r.out()), "1 2 4");
    r.leave("read", 1);
    assert_eq!(shown(r.out()), "1 4");
    r.leave("read", 0);
    assert_eq!(shown(r.out()), "3 4");
}

#[test]
fn exit_ends_the_session_for_all_later_firings() {
    let mut r = Rig::new("BEGIN { exit(3); } syscall::read:return { trace(1); } END { trace(2); }");
    r.machine.set_array("ctl", 0, &0u32.to_le_bytes());
    r.run("begin", &[]);
    assert_eq!((r.out().as_str(), r.state()), ("c0 3", 2));
    assert_eq!(r.machine.array("ctl", 4, 4), 3i32.to_le_bytes());
    r.leave("read", 1);
    r.run("begin", &[]);
    assert_eq!(r.out(), "");
    r.run("end", &[]);
    assert_eq!(r.out(), "c2 2");
}

#[test]
fn what_the_ring_cannot_take_is_counted() {
    let mut r = Rig::new(
        "int n; syscall::read:return { n++; trace(n); } syscall::write:return { trace(1); exit(7); }",
    );
    r.leave("read", 1);
    r.machine.room = 0;
    r.leave("read", 1);
    r.leave("read", 1);
    assert_eq!((r.counter(Counter::Made), r.counter(Counter::RecordDrops)), (3, 2));
    // exit() is not lost with its record.
    r.leave("write", 1);
    assert_eq!((r.counter(Counter::RecordDrops), r.state()), (3, 2));
    assert_eq!(r.machine.array("ctl", 4, 4), 7i32.to_le_bytes());
    assert_eq!(r.out(), "c0 1");
}

#[test]
fn thread_variables_are_the_threads_own() {
    let mut r = Rig::new(
        "syscall::read:entry { self->a = arg0; self->s = arg0 ? \"some\" : \"\"; }
         syscall::read:return { printf(\"%d %s\", self->a, self->s); }",
    );
    r.enter("read", [5, 0, 0]);
    let first = r.machine.pid_tgid;
    r.machine.pid_tgid = (9 << 32) | 9;
    r.leave("read", 0);
    assert_eq!(r.out(), "c1 0 \"\"");
    r.machine.pid_tgid = first;
    r.leave("read", 0);
    assert_eq!(r.out(), "c1 5 \"some\"");
    // Idle threads all have id 0; the CPU tells them apart.
    r.machine.pid_tgid = 0;
    r.enter("read", [6, 0, 0]);
    r.machine.cpu = 1;
    r.leave("read", 0);
    assert_eq!(r.out(), "c1 0 \"\"");
    r.machine.cpu = 0;
    r.leave("read", 0);
    assert_eq!(r.out(), "c1 6 \"some\"");
    r.enter("read", [0, 0, 0]);
    assert_eq!(
        (r.machine.hash("self_0").len(), r.machine.hash("self_1").len()),
        (1, 1),
        "zero takes it away"
    );
}

#[test]
fn arrays_have_tuples_of_keys() {
    let mut r = Rig::new(
        "syscall::read:entry { a[execname, arg0]++; a[execname, 1] += 10; b[copyinstr(arg1)] = execname; }
         syscall::read:return { printf(\"%d %d %d %s\", a[execname, 1], a[execname, 2], a[\"other\", 1], b[\"key\"]); }
         syscall::write:entry { a[execname, arg0] = 0; }",
    );
    let key = r.machine.memory(b"key\0");
    r.enter("read", [1, key, 0]);
    r.enter("read", [2, key, 0]);
    r.machine.comm = *b"other\0garbage\0\0\0";
    r.leave("read", 0);
    assert_eq!(r.out(), "c1 0 0 0 \"interp\"");
    r.machine.comm = *b"interp\0\0\0\0\0\0\0\0\0\0";
    r.leave("read", 0);
    assert_eq!(r.out(), "c1 21 1 0 \"interp\"");
    r.enter("write", [2, 0, 0]);
    assert_eq!(r.machine.hash("assoc_0").len(), 1);
}

#[test]
fn a_variable_that_cannot_be_deleted_is_counted() {
    let mut r = Rig::new("syscall::read:entry { a[arg0] = arg1; }");
    r.enter("read", [1, 1, 0]);
    r.enter("read", [2, 0, 0]);
    assert_eq!(r.counter(Counter::DynvarDrops), 0, "what was not there is gone");
    r.machine.busy = true;
    r.enter("read", [1, 0, 0]);
    assert_eq!(r.counter(Counter::DynvarDrops), 1);
    r.machine.busy = false;
    r.enter("read", [1, 0, 0]);
    assert_eq!((r.counter(Counter::DynvarDrops), r.machine.hash("assoc_0").len()), (1, 0));
}

#[test]
fn a_full_dynamic_variable_is_counted() {
    let mut r = Rig::new("syscall::read:entry { a[arg0] = 1; }");
    let most = r.object.map("assoc_0").unwrap().max_entries as u64;
    for n in 0..most + 3 {
        r.enter("read", [n + 1, 0, 0]);
    }
    assert_eq!(r.counter(Counter::DynvarDrops), 3);
}

#[test]
fn strings_compare_as_strcmp_says() {
    let mut r = Rig::new(
        "string g;
         syscall::read:entry {
            g = copyinstr(arg0); this->h = copyinstr(arg1);
            printf(\"%d%d%d%d%d%d\", g == this->h, g != this->h, g < this->h, g <= this->h, g > this->h, g >= this->h);
            printf(\"%d%d\", copyinstr(arg0) == \"abc\", \"abc\" != g);
            printf(\"%s %d %d\", strjoin(g, this->h), strlen(g), strlen(strjoin(this->h, g)));
         }",
    );
    let words = ["", "a", "ab", "abc", "abcd", "abd", "abcdefgh", "abcdefghi", "\u{ff}"];
    for a in words {
        for b in words {
            let (pa, pb) = (
                r.machine.memory(format!("{a}\0").as_bytes()),
                r.machine.memory(format!("{b}\0").as_bytes()),
            );
            r.enter("read", [pa, pb, 0]);
            let bits =
                [a == b, a != b, a < b, a <= b, a > b, a >= b].map(|b| i32::from(b).to_string()).join(" ");
            let (is, isnt) = (i32::from(a == "abc"), i32::from(a != "abc"));
            let want =
                format!("c0 {bits} {is} {isnt} {:?} {} {}", format!("{a}{b}"), a.len(), a.len() + b.len());
            assert_eq!(r.out(), want);
        }
    }
}

#[test]
fn strings_are_cut_at_their_limit() {
    let mut r = Rig::new(
        "#pragma D option strsize=8
         string g;
         syscall::read:entry { g = copyinstr(arg0); printf(\"%s %s %d %s\", g, strjoin(g, \"xyz\"), g == \"0123456\", copyinstr(arg0, 3)); }",
    );
    let s = r.machine.memory(b"0123456789\0");
    r.enter("read", [s, 0, 0]);
    assert_eq!(r.out(), "c0 \"0123456\" \"0123456\" 1 \"012\"");
}

#[test]
fn copyin_gives_bytes_that_can_be_read_like_the_kernels() {
    let mut r = Rig::new(
        "syscall::write:entry { this->p = (int *)copyin(arg1, 8); trace(this->p[1]); trace(*(char *)copyin(arg1, arg2)); }",
    );
    let user = r.machine.memory(&[65, 0, 0, 0, 7, 0, 0, 0]);
    r.enter("write", [0, user, 4]);
    assert_eq!(r.out(), "c0 7 65");
    r.enter("write", [0, user, 100_000]);
    assert_eq!(r.out(), format!("error c0 a3 f{} v0x186a0", Fault::NoScratch as u32));
    r.enter("write", [0, 16, 4]);
    assert_eq!(r.out(), format!("error c0 a1 f{} v0x10", Fault::BadAddr as u32));
    let busy: Vec<u8> = r.machine.array("scratch", 0, 8);
    assert_eq!(busy, [0; 8], "the slot is given back on every way out");
}

#[test]
fn a_firing_without_a_scratch_slot_is_counted() {
    let mut r = Rig::new("syscall::write:entry { trace(strlen(copyinstr(arg1))); }");
    let user = r.machine.memory(b"four\0");
    let stride = u64::from(r.object.map("scratch").unwrap().value_size.next_multiple_of(8));
    for slot in 0..3 {
        r.machine.set_array("scratch", slot * stride, &1u64.to_le_bytes());
    }
    r.enter("write", [0, user, 0]);
    assert_eq!(r.out(), "c0 4");
    r.machine.set_array("scratch", 3 * stride, &1u64.to_le_bytes());
    r.enter("write", [0, user, 0]);
    assert_eq!((r.out().as_str(), r.counter(Counter::ScratchDrops)), ("", 1));
}

#[test]
fn lkd_leaves_its_request_and_goes_over_at_the_end() {
    let mut r = Rig::new(
        "#pragma D option destructive
         syscall::lseek:return /arg0 == -1/ { lkd(0); trace(1); }
         syscall::lseek:return { lkd(0); trace(2); }",
    );
    r.leave("lseek", -1);
    assert_eq!(r.machine.tail, Some(("lkd_progs".into(), 0)));
    assert_eq!(r.out(), "c0 1; c1 2");
    let mut word =
        |at: u32| u32::from_le_bytes(r.machine.array("lkd_request", at.into(), 4).try_into().unwrap());
    assert_eq!(
        (word(REQUEST_FLAGS), word(REQUEST_CLAUSE), word(REQUEST_SITE)),
        (0, 0, 0),
        "the first one wins"
    );
    let probe = r.bounds.iter().find(|b| matches!(b.place, Place::SysExit { .. })).unwrap().probe;
    assert_eq!(word(REQUEST_PROBE), probe);
    assert_eq!(r.machine.array("lkd_request", REQUEST_ARGS.into(), 8), [255; 8]);
    assert_eq!(r.counter(Counter::LkdAgain), 1);
    r.leave("lseek", 0);
    assert_eq!(r.machine.tail, Some(("lkd_progs".into(), 0)));
    assert_eq!(r.counter(Counter::LkdAgain), 1);
}

#[test]
fn lkds_computed_flags_are_checked() {
    let mut r = Rig::new("#pragma D option destructive\nsyscall::lseek:return { lkd(arg0); trace(1); }");
    for flags in 0..8 {
        r.machine.tail = None;
        r.leave("lseek", flags);
        assert_eq!(r.machine.tail.is_some(), [0, 1, 2, 4, 5].contains(&flags), "{flags}");
    }
    assert_eq!(r.counter(Counter::LkdBadFlags), 3);
    assert_eq!(r.machine.records.len(), 8);
}

#[test]
fn signals_and_stacks() {
    let mut r = Rig::new(
        "#pragma D option destructive
         syscall::lseek:entry { raise(arg0); stop(); stack(3); trace(stackdepth); trace((int64_t)caller); }",
    );
    r.enter("lseek", [15, 0, 0]);
    assert_eq!(r.machine.signals, [15, 19]);
    assert_eq!(r.out(), format!("c0 stack9 6 {}", 0x1004));
}

#[test]
fn a_signal_that_the_kernel_refuses_is_a_fault() {
    let mut r = Rig::new(
        "#pragma D option destructive
         syscall::lseek:entry { trace(1); raise(arg0); trace(2); }",
    );
    r.enter("lseek", [65, 0, 0]);
    assert_eq!(r.machine.signals, [65]);
    assert_eq!(r.out(), format!("error c0 a2 f{} v{:#x}", Fault::IllOp as u32, -22i64));
}

#[test]
fn no_signal_where_dtrace_itself_would_get_it() {
    for probe in ["BEGIN", "END", "tick-1s"] {
        for action in ["raise(9)", "stop()"] {
            let text = format!("#pragma D option destructive\n{probe} {{ {action}; }}");
            let (program, bounds) = script::script("test.d", text.as_bytes());
            let e = compile(&program, &bounds, &env()).expect_err(&text).to_string();
            assert!(e.contains("act on dtrace itself") && e.contains(&action[..4]), "{e}");
        }
    }
}

#[test]
fn cookies_name_the_probe() {
    let mut r =
        Rig::new("fbt::vfs_read:entry, fbt::vfs_write:entry { printf(\"%d %d %d\", id, arg1, arg5); }");
    for b in r.bounds.clone() {
        r.machine.cookie = b.probe.into();
        r.machine.func_args = vec![10, 11, 12, 13];
        r.run("fentry_0", &[]);
        assert_eq!(r.out(), format!("c0 {} 11 0", b.probe));
    }
}

#[test]
fn a_function_returns_its_value_as_arg1() {
    let mut r = Rig::new("fbt::vfs_read:return { printf(\"%d %d\", arg0, arg1); }");
    r.machine.func_args = vec![10, 11, 12, 13, 42];
    r.run("fexit_0", &[]);
    assert_eq!(r.out(), "c0 0 42");
}

#[test]
fn lkd_in_a_function_is_a_kprobes() {
    let text = "#pragma D option destructive\nfbt::vfs_read:entry { lkd(0); }";
    let mut r = Rig::new(text);
    r.run("kprobe_0", &[0; 21]);
    assert_eq!(r.machine.tail, Some(("lkd_progs".into(), 0)));
    let (program, mut bounds) = script::script("test.d", text.as_bytes());
    bounds[0].place = Place::Fentry { nargs: 4 };
    let said = compile(&program, &bounds, &env()).unwrap_err().to_string();
    assert!(said.starts_with("clause at line 2: lkd() cannot be called from an fentry"), "{said}");
}

#[test]
fn profile_tells_user_from_kernel() {
    let mut r = Rig::new("profile-97 { printf(\"%x %x\", arg0, arg1); }");
    let mut ctx = [0u64; 23];
    ctx[16] = 0x1000;
    ctx[17] = 0x10;
    r.run("perf_0", &ctx);
    ctx[17] = 0x33;
    r.run("perf_0", &ctx);
    assert_eq!(r.out(), "c0 4096 0; c0 0 4096");
}

#[test]
fn without_btf_the_builtin_is_named() {
    let (program, bounds) = script::script("test.d", b"BEGIN { trace(ppid); }");
    let env = lkd_codegen::Env::default();
    let said = compile(&program, &bounds, &env).unwrap_err().to_string();
    assert_eq!(
        said,
        "clause at line 1: ppid needs the place of task_struct.real_parent, which this kernel's BTF does not tell"
    );
}
