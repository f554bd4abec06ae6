//! Whole sessions on this machine's own kernel, from D text to printed bytes. As root; without it every test says that it was
//! left out.

mod support;

use lkd_codegen::record::Value;
use lkd_trace::session::{DropKind, Event, TargetEnd};
use lkd_trace::target::Target;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{Script, may_trace};

fn getppid(times: u64) {
    for _ in 0..times {
        std::hint::black_box(std::os::unix::process::parent_id());
    }
}

#[test]
fn begin_and_end_run_once_and_in_order() {
    if !may_trace() {
        return;
    }
    let script = Script::compile(
        "BEGIN { printf(\"one %d\", 1); exit(3); } END { printf(\"two\"); } tick-1ms { trace(7); }",
        None,
    );
    let run = script.run(Vec::new(), 1 << 16, |_, _| ());
    assert_eq!(run.status, Some(3));
    let rows: Vec<&str> = run.text.lines().collect();
    assert_eq!(rows.len(), 3, "{}", run.text);
    assert_eq!(rows[0], "CPU     ID                    FUNCTION:NAME");
    assert!(rows[1].ends_with("      1                           :BEGIN one 1"), "{}", rows[1]);
    assert!(rows[2].ends_with("      2                             :END two"), "{}", rows[2]);
    assert!(run.tally.balanced() && run.tally.made == 2, "{:?}", run.tally);
}

#[test]
fn what_is_made_is_delivered_or_dropped() {
    if !may_trace() {
        return;
    }
    // one page of ring, and a reader that is slower than the flood: most is lost, and every loss is told
    let stop = AtomicBool::new(false);
    let (calls, made) = std::thread::scope(|s| {
        let stop = &stop;
        let (tell, told) = std::sync::mpsc::channel();
        let flood = s.spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero()).unwrap();
            let mut calls = 0u64;
            while !stop.load(Ordering::Relaxed) {
                getppid(1000);
                calls += 1000;
            }
            calls
        });
        let text =
            format!("syscall::getppid:return /tid == {}/ {{ trace(timestamp); }}", told.recv().unwrap());
        let script = Script::compile(&text, None);
        let mut told: HashMap<Option<u32>, u64> = HashMap::new();
        let mut last: HashMap<u32, u64> = HashMap::new();
        let mut seen = 0u64;
        let run = script.run(Vec::new(), 1 << 12, |event, session| match event {
            Event::Record(data) => {
                seen += 1;
                let field = &script.object.layouts[data.clause as usize].actions[0].fields[0];
                let Ok(Value::Int(now)) = data.value(field) else { panic!("a timestamp") };
                let before = last.insert(data.cpu, now).unwrap_or(0);
                assert!(before <= now, "records of one CPU come in the order in which they were made");
                if seen == 20_000 {
                    session.set(true);
                }
            }
            Event::Drops(d) => {
                assert_eq!(d.kind, DropKind::Principal);
                *told.entry(d.cpu).or_default() += d.count;
                assert_eq!(told[&d.cpu], d.total);
            }
            other => panic!("{other:?}"),
        });
        stop.store(true, Ordering::Relaxed);
        assert!(run.tally.balanced(), "{:?}", run.tally);
        assert_eq!(run.tally.delivered, seen);
        assert_eq!(told.values().sum::<u64>(), run.tally.dropped);
        assert!(run.tally.dropped > 0, "one page cannot hold a flood: {:?}", run.tally);
        assert!(told.keys().all(Option::is_some), "losses are told by CPU");
        (flood.join().unwrap(), run.tally.made)
    });
    assert!(made <= calls, "no call was counted twice: {made} of {calls}");
}

#[test]
fn a_tick_fires_while_nothing_else_does() {
    if !may_trace() {
        return;
    }
    let run = Script::compile(
        "int n; tick-20ms { n++; printf(\"%d\\n\", n); } tick-20ms /n == 5/ { exit(0); }",
        None,
    )
    .quiet()
    .run(Vec::new(), 1 << 16, |_, _| ());
    assert_eq!((run.status, run.text.as_str()), (Some(0), "1\n2\n3\n4\n5\n"));
}

#[test]
fn a_clock_on_every_cpu_finds_a_busy_process() {
    if !may_trace() {
        return;
    }
    let text =
        format!("profile-997 /pid == {}/ {{ trace(arg1 != 0 || arg0 != 0); exit(0); }}", std::process::id());
    let stop = AtomicBool::new(false);
    let run = std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let run = Script::compile(&text, None).quiet().run(Vec::new(), 1 << 16, |_, _| ());
        stop.store(true, Ordering::Relaxed);
        run
    });
    assert_eq!(run.status, Some(0));
    assert!(run.text.starts_with('1'), "{:?}", run.text);
}

#[test]
fn a_command_is_traced_from_its_first_call_to_its_end() {
    if !may_trace() {
        return;
    }
    let target = Target::start("sh -c 'cd /; exit 4'").unwrap();
    let pid = target.pid();
    let text = "syscall::execve:return /pid == $target/ { trace(execname); } syscall::exit_group:entry /pid == $target/ { trace(arg0); }";
    let mut ended = None;
    let run = Script::compile(text, Some(pid)).quiet().run(vec![target], 1 << 18, |event, _| {
        if let Event::TargetEnded { pid, how } = event {
            ended = Some((*pid, *how));
        }
    });
    assert_eq!(ended, Some((pid, TargetEnd::Exited(4))));
    assert_eq!(run.text, "sh4");
    assert_eq!(run.status, None, "nobody called exit()");
}

#[test]
fn a_fault_is_told_in_dtraces_words_and_the_next_clause_runs() {
    if !may_trace() {
        return;
    }
    let run = Script::compile("BEGIN { trace(*(int *)16); } BEGIN { printf(\"on\"); exit(0); }", None)
        .quiet()
        .run(Vec::new(), 1 << 16, |_, _| ());
    let words = "(ID 1: dtrace:::BEGIN): invalid address (0x10) in action #1 at BPF pc ";
    assert!(run.errors.len() == 1 && run.errors[0].contains(words), "{:?}", run.errors);
    assert_eq!((run.text.as_str(), run.tally.balanced()), ("on", true));
}

#[test]
fn a_stack_begins_where_the_probe_is() {
    if !may_trace() {
        return;
    }
    let text = format!("syscall::getppid:return /pid == {}/ {{ stack(); exit(0); }}", std::process::id());
    let stop = AtomicBool::new(false);
    let run = std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                getppid(10);
            }
        });
        let run = Script::compile(&text, None).run(Vec::new(), 1 << 16, |_, _| ());
        stop.store(true, Ordering::Relaxed);
        run
    });
    let frames: Vec<&str> = run.text.lines().skip(2).filter(|l| !l.is_empty()).collect();
    assert!(!frames.is_empty(), "{}", run.text);
    assert!(
        frames.iter().all(|f| f.starts_with("              vmlinux`") && !f.contains("bpf")),
        "{}",
        run.text
    );
    assert!(frames.iter().any(|f| f.contains("do_syscall_64")), "{}", run.text);
}

#[test]
fn a_raw_tracepoint_has_typed_arguments() {
    if !may_trace() {
        return;
    }
    let text = "rawtp:::sched_switch /args[2]->pid >= 0/ { printf(\"%s\", args[2]->comm); exit(0); }";
    let run = Script::compile(text, None).quiet().run(Vec::new(), 1 << 16, |_, _| ());
    assert_eq!(run.status, Some(0));
    assert!(!run.text.is_empty() && run.text.len() < 32, "{:?}", run.text);
}
