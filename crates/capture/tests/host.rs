//! The engine on this machine's own kernel. Pages are classified and counted; none is copied, nothing is written.
//!
//! A program of its own, not the usual harness: started with [`writer::ARG`] it is the writer, as `dtrace` is.

use std::fs;
use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use lkd_capture::drill::Drill;
use lkd_capture::{Armed, Event, Options, ProbeName, Taken, TriggerProg, Work, arm, classes, doctor, writer};
use lkd_dump::{Kind, PageClass, Request, Shot, Site};

fn main() {
    if std::env::args().nth(1).is_some_and(|argument| argument == writer::ARG) {
        std::process::exit(writer::main());
    }
    let missing = doctor::require().err();
    let (mut passed, mut failed, mut ignored) = (0, 0, 0);
    for (name, test) in TESTS {
        if let Some(missing) = &missing {
            println!("test {name} ... ignored, {missing}");
            ignored += 1;
        } else if catch_unwind(test).is_ok() {
            println!("test {name} ... ok");
            passed += 1;
        } else {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    // As the usual harness closes: whoever counts tests counts these.
    let word = if failed > 0 { "FAILED" } else { "ok" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; 0 filtered out"
    );
    std::process::exit(i32::from(failed > 0));
}

const TESTS: [(&str, fn()); 9] = [
    ("the_shot_tells_who_ran_into_the_probe", the_shot_tells_who_ran_into_the_probe),
    ("every_page_is_counted_once", every_page_is_counted_once),
    ("of_two_triggers_one_wins_and_one_is_counted", of_two_triggers_one_wins_and_one_is_counted),
    ("every_trigger_loads", every_trigger_loads),
    ("the_writer_ends_with_its_arming", the_writer_ends_with_its_arming),
    ("classes_agree_with_the_kernel", classes_agree_with_the_kernel),
    ("all_cpus_stop_and_go_on", all_cpus_stop_and_go_on),
    ("a_cpu_that_never_comes_is_named", a_cpu_that_never_comes_is_named),
    ("a_freeze_ends_though_the_clock_does_not", a_freeze_ends_though_the_clock_does_not),
];

fn drill() -> Drill {
    let options = Options { work: Work::Stop, ..Options::default() };
    Drill::new(&options).unwrap_or_else(|error| panic!("making ready: {error}"))
}

fn freeze(drill: &mut Drill) -> Taken {
    drill.fire().unwrap_or_else(|error| panic!("freezing: {error}"))
}

fn all_cpus_stop_and_go_on() {
    let mut drill = drill();
    // A host may keep a CPU from coming for longer than others wait: not every time.
    let consistent = (0..20).map(|_| freeze(&mut drill)).find(|taken| taken.smears.is_empty());
    let taken = consistent.expect("no freeze of 20 was consistent");
    let online = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(taken.cpus.len() >= online && taken.shot.cpus_stopped as usize == taken.cpus.len());
    for cpu in &taken.cpus {
        let own = cpu.cpu == taken.shot.cpu;
        assert_eq!(cpu.how, if own { 1 } else { 2 }, "{cpu:?}");
        assert!((taken.shot.triggered_ns..=taken.shot.stopped_ns).contains(&cpu.arrived_ns), "{cpu:?}");
        assert!(cpu.left_ns >= taken.shot.copied_ns, "{cpu:?}");
    }
}

fn a_cpu_that_never_comes_is_named() {
    let mut drill = drill();
    let nobody = drill.expect_nobody();
    let taken = freeze(&mut drill);
    assert!(
        taken.smears.iter().any(|why| why.contains(&nobody.to_string()) && why.contains("did not stop")),
        "{:?}",
        taken.smears
    );
    assert!(!taken.shot.is_consistent());
    // 50 ms by the default; the deadline is far behind.
    let pause = taken.shot.thawed_ns - taken.shot.triggered_ns;
    assert!(pause >= 50_000_000, "nobody was waited for: {pause} ns");
}

fn a_freeze_ends_though_the_clock_does_not() {
    let mut drill = drill();
    drill.expect_nobody();
    drill.stop_the_clock(2).unwrap_or_else(|error| panic!("{error}"));
    let taken = freeze(&mut drill);
    assert!(!taken.smears.is_empty());
}

fn counting() -> Options {
    let probe = ProbeName { id: 7, provider: "test".into(), name: "here".into(), ..ProbeName::default() };
    Options { work: Work::Classify, probes: vec![probe], ..Options::default() }
}

fn armed(options: &Options) -> Armed {
    arm(options).unwrap_or_else(|error| panic!("arming: {error}"))
}

fn request() -> Request {
    Request {
        flags: 0,
        clause: 3,
        probe_id: 7,
        site: Site::UserSpace as u32,
        args: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    }
}

fn fire(armed: &Armed) -> Shot {
    armed.trigger_now(&request()).unwrap_or_else(|error| panic!("triggering: {error}"));
    armed.shot().ok().flatten().expect("a shot was taken")
}

fn the_shot_tells_who_ran_into_the_probe() {
    let mut armed = armed(&counting());
    assert!(!armed.taken());
    let shot = fire(&armed);
    assert!(armed.taken());
    assert_eq!(
        (shot.tgid, shot.clause, shot.probe_id, shot.args),
        (std::process::id(), 3, 7, request().args)
    );
    assert_eq!(shot.comm(), fs::read_to_string("/proc/thread-self/comm").unwrap().trim_end());
    assert_eq!(shot.site(), Some(Site::UserSpace));
    assert!(shot.kernel_stack().count() > 2 && shot.kernel_stack().all(|ip| ip.0 >> 63 == 1));
    // The thread entered the kernel by bpf(2).
    assert_eq!(shot.user_regs.orig_rax, libc::SYS_bpf as u64);
    let order = [shot.triggered_ns, shot.stopped_ns, shot.copied_ns, shot.thawed_ns];
    assert!(order.is_sorted() && shot.triggered_ns > 0, "{order:?}");

    let first = armed.next_event(Duration::from_secs(60)).unwrap();
    let Some(Event::Taken { probe, pid, .. }) = first else { panic!("not taken but {first:?}") };
    assert_eq!((probe.as_str(), pid), ("test:::here", std::process::id()));
    let last = armed.next_event(Duration::from_secs(60)).unwrap();
    assert!(matches!(last, Some(Event::Failed { .. })), "a counting run writes nothing: {last:?}");
}

fn every_page_is_counted_once() {
    let armed = armed(&counting());
    let shot = fire(&armed);
    let ram = lkd_capture::live::read_ram().expect("memory is told");
    if shot.status & lkd_dump::shot::status::DEADLINE == 0 {
        assert_eq!(shot.pages.found.iter().sum::<u64>(), ram.pages.count());
    }
    let kept: u64 = PageClass::ALL
        .into_iter()
        .filter(|class| Kind::Kernel.keeps(*class))
        .map(|class| shot.pages.found[class as usize])
        .sum();
    assert!(kept > 1000 && shot.pages.kept == kept, "{} of {kept}", shot.pages.kept);
    assert_eq!(shot.pages.frozen, 0);
}

fn of_two_triggers_one_wins_and_one_is_counted() {
    let armed = armed(&counting());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                armed.trigger_now(&request()).unwrap_or_else(|error| panic!("triggering: {error}"))
            });
        }
    });
    assert!(armed.taken());
    assert_eq!(armed.dropped(), 3);
}

fn every_trigger_loads() {
    let kernel_has_kprobes = fs::read_dir("/sys/bus/event_source/devices/kprobe").is_ok();
    let mut programs = vec![TriggerProg::RawTp, TriggerProg::PerfEvent];
    if kernel_has_kprobes {
        programs.extend([TriggerProg::Kprobe, TriggerProg::KprobeMulti]);
    }
    let armed = armed(&Options { programs: programs.clone(), ..counting() });
    for of in [TriggerProg::RawTp, TriggerProg::Kprobe, TriggerProg::KprobeMulti, TriggerProg::PerfEvent] {
        assert_eq!(armed.prog_array_fd(of).is_some(), programs.contains(&of), "{of:?}");
    }
}

fn the_writer_ends_with_its_arming() {
    let armed = armed(&counting());
    let ours = writers();
    assert_eq!(ours.len(), 1, "{ours:?}");
    drop(armed);
    let began = Instant::now();
    while !writers().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "the writer stays");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The writers that this process started and that still run.
fn writers() -> Vec<u32> {
    let children =
        fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id())).unwrap_or_default();
    let running = |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(running).collect()
}

fn classes_agree_with_the_kernel() {
    let report = classes::check(2).unwrap_or_else(|error| panic!("comparing: {error}"));
    assert!(report.agrees(), "\n{report}");
    assert!(report.slab_tails() > 0, "\n{report}");
}
