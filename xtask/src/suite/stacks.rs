//! What each CPU was doing, as drgn and crash tell it: two unwinders, one answer.

use std::collections::BTreeMap;

/// By CPU the functions that its stack is in, innermost first; of user code none.
pub type Stacks = BTreeMap<u32, Vec<String>>;

/// From the lines `stack CPU FUNCTION...` of check.py.
pub fn of_drgn(told: &str) -> Stacks {
    let of = |line: &str| {
        let mut words = line.strip_prefix("stack ")?.split(' ');
        Some((words.next()?.parse().ok()?, words.map(plain).collect()))
    };
    told.lines().filter_map(of).collect()
}

/// From what crash's `bt -a` prints: `PID: 1 TASK: ... CPU: 0 COMMAND: "init"` of each CPU, where it was interrupted, its frames.
pub fn of_crash(told: &str) -> Stacks {
    let mut stacks = Stacks::new();
    let mut frames = None;
    for line in told.lines() {
        if let Some((_, rest)) = line.split_once("  CPU: ").filter(|_| line.starts_with("PID: ")) {
            let cpu = rest.split(' ').next().and_then(|number| number.parse().ok());
            frames = cpu.map(|cpu| stacks.entry(cpu).or_default());
        } else if let (Some(name), Some(frames)) = (frame(line), &mut frames) {
            frames.push(name);
        }
    }
    stacks
}

/// The function of a frame: ` #1 [ffffc9000048fda8] do_syscall_64 at ffffffff8e28f033`, `[exception RIP: pv_native_safe_halt+15]`.
fn frame(line: &str) -> Option<String> {
    if let Some(rest) = line.trim_start().strip_prefix("[exception RIP: ") {
        return rest.split(['+', ']']).next().map(plain);
    }
    let (_, rest) = line.trim_start().strip_prefix('#')?.split_once("] ")?;
    rest.split(' ').next().map(plain)
}

/// A function's name without what only one of the readers adds: the copy that the compiler made of it, a second symbol of its address.
fn plain(name: &str) -> String {
    let name = name.split('.').next().unwrap_or(name);
    let name = name.strip_suffix("_after_hwframe").unwrap_or(name);
    // a second way into one function of the assembler's
    let name = name.replace("_user_nocheck_", "_user_");
    let start = name == "common_startup_64" || name.starts_with("secondary_startup_64");
    if start { "secondary_startup_64".into() } else { name }
}

/// Whose frame has a size that only rbp tells (the kernel's random offset of a system call's stack). Crash follows no rbp from the
/// first function on, and takes what lies above for what it is not; nothing but the entry does.
const SIZED_AT_RUN: &str = "do_syscall_64";

/// Crash sizes some frames by disassembly, and may take a word that an earlier call left for a return address (seen: do_sys_poll <
/// _copy_from_user < __x64_sys_ppoll on 6.12). Of so many frames one such word may stand between two, of a short stack one.
const FRAMES_OF_A_WORD_LEFT: usize = 4;

/// And so many in a row where crash has lost its way: each has a size of its own, until one ends at a true return address.
const MOST_WORDS_LEFT: usize = 3;

/// Of a short stack so many functions must be alike.
const FEWEST_ALIKE: usize = 3;

/// How two readers tell one CPU's stack.
struct Compared {
    /// Both begin, and end, with the same function.
    begin: bool,
    end: bool,
    /// Functions that only drgn has, in this order; BPF programs, which crash does not name, are not among them.
    only_drgn: usize,
    /// In one place, and in the place of fewer than half of drgn's frames, crash has none or a few words that earlier calls left: it took
    /// a frame for larger or smaller than it is, and found its way back (seen: do_softirq < do_sys_poll < __x64_sys_connect on 6.12,
    /// over ten frames; __schedule < irqentry_exit_to_user_mode on 6.1, over two; _copy_to_iter < finish_task_switch < __schedule <
    /// anon_pipe_read on 7.3, over one).
    jumped: bool,
    /// No more are crash's alone than words may have been left.
    few_more: bool,
}

/// Compares by the longest sequence that both have.
fn compared(drgn: &[String], crash: &[String]) -> Compared {
    // drgn is given no types of modules, and has an address where crash has a name.
    let same = |own: &String, other: &String| own == other || own.starts_with("0x");
    // Functions in common of what is compared so far and the first so many of crash's.
    let mut common = vec![0; crash.len() + 1];
    for own in drgn {
        let before = common.clone();
        for (at, other) in crash.iter().enumerate() {
            common[at + 1] = if same(own, other) { before[at] + 1 } else { before[at + 1].max(common[at]) };
        }
    }
    let common = common[crash.len()];
    let nameless = drgn.iter().filter(|own| own.starts_with("0x")).count();
    let alike = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
        pairs.take_while(|(own, other)| same(own, other)).count()
    };
    let first = alike(&mut drgn.iter().zip(crash));
    let last = alike(&mut drgn.iter().rev().zip(crash.iter().rev())).min(drgn.len().min(crash.len()) - first);
    let jumped = first > 0
        && last > 0
        && first + last >= drgn.len().min(FEWEST_ALIKE)
        && crash.len() <= first + last + MOST_WORDS_LEFT
        && (first + last) * 2 >= drgn.len();
    let ends = |own: Option<&String>, other: Option<&String>| match (own, other) {
        (Some(own), Some(other)) => same(own, other),
        (None, None) => true,
        _ => false,
    };
    Compared {
        begin: ends(drgn.first(), crash.first()),
        end: ends(drgn.last(), crash.last()),
        only_drgn: (drgn.len() - common).saturating_sub(nameless),
        jumped,
        few_more: crash.len() - common <= (drgn.len() / FRAMES_OF_A_WORD_LEFT).max(1),
    }
}

/// A CPU's functions up to where crash is worth asking.
fn sized(stacks: &Stacks, cpu: u32) -> &[String] {
    let names = stacks.get(&cpu).map(Vec::as_slice).unwrap_or_default();
    let end = names.iter().position(|name| name == SIZED_AT_RUN).map_or(names.len(), |at| at + 1);
    names.get(..end).unwrap_or_default()
}

/// Where crash tells something else than drgn.
pub fn differences(drgn: &Stacks, crash: &Stacks) -> Vec<String> {
    let told = drgn.keys().map(|&cpu| (cpu, sized(drgn, cpu), sized(crash, cpu)));
    told.filter(|(_, ours, theirs)| {
        let found = compared(ours, theirs);
        !(found.begin && found.end && (found.only_drgn == 0 && found.few_more || found.jumped))
    })
    .map(|(cpu, ours, theirs)| {
        format!("CPU {cpu}: drgn has {}\n    crash has {}", ours.join(" < "), theirs.join(" < "))
    })
    .collect()
}

/// Where a crash that does not know the kernel tells what drgn does not. It may leave functions out (seen on 7.3: cpu_startup_entry),
/// but not the innermost, nor may it have others.
pub fn contradictions(drgn: &Stacks, crash: &Stacks) -> Vec<String> {
    let told = drgn.keys().map(|&cpu| (cpu, sized(drgn, cpu), sized(crash, cpu)));
    told.filter(|(_, ours, theirs)| {
        let found = compared(ours, theirs);
        !(found.begin && (found.few_more || found.jumped))
    })
    .map(|(cpu, ours, theirs)| match theirs {
        [] => format!("CPU {cpu}: crash has nothing"),
        _ => format!("CPU {cpu}: drgn has {}\n    crash has {}", ours.join(" < "), theirs.join(" < ")),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRASH: &str = "\
PID: 1640     TASK: ffff8b2b04f7c200  CPU: 0    COMMAND: \"seeker\"
    [exception RIP: syscall_exit_work+283]
    RIP: ffffffff8d79a0ab  RSP: ffffd2c28058fd90  RFLAGS: 00000000
    CS: 0010  SS: 0018
 #0 [ffffd2c28058fda8] syscall_exit_to_user_mode at ffffffff8e294710
 #1 [ffffd2c28058ff50] entry_SYSCALL_64_after_hwframe at ffffffff8e40012f
    RIP: 00007f63fdba33e7  RSP: 00007fff45b10228  RFLAGS: 00000246

PID: 198      TASK: ffff8e19c4768000  CPU: 1    COMMAND: \"vcpu 0\"
 #0 [ffffd24cc048bba8] kvm_arch_vcpu_ioctl_run at ffffffffc0384746 [kvm]
";

    #[test]
    fn both_readers_frames_are_read() {
        let drgn = of_drgn(
            "ok running: 2\nstack 0 syscall_exit_work syscall_exit_to_user_mode entry_SYSCALL_64\nstack 1\n",
        );
        let crash = of_crash(CRASH);
        assert_eq!(drgn.get(&0), crash.get(&0));
        assert_eq!(crash.get(&1).map(Vec::len), Some(1));
        assert_eq!(differences(&drgn, &crash), ["CPU 1: drgn has \n    crash has kvm_arch_vcpu_ioctl_run"]);
    }

    #[test]
    fn what_drgn_cannot_name_may_have_any_name() {
        let drgn = of_drgn("stack 0 0xffffffffc06363dc __x64_sys_ioctl\n");
        assert_eq!(differences(&drgn, &of_drgn("stack 0 kvm_vcpu_ioctl __x64_sys_ioctl\n")), [""; 0]);
        assert_eq!(differences(&drgn, &of_drgn("stack 0 kvm_vcpu_ioctl ksys_lseek\n")).len(), 1);
        assert_eq!(differences(&drgn, &of_drgn("stack 0 kvm_vcpu_ioctl\n")).len(), 1);
    }

    #[test]
    fn one_word_that_an_earlier_call_left_is_no_difference() {
        let drgn = of_drgn("stack 0 do_sys_poll __x64_sys_ppoll do_syscall_64\n");
        let of = |told| differences(&drgn, &of_drgn(told)).len();
        assert_eq!(of("stack 0 do_sys_poll _copy_from_user __x64_sys_ppoll do_syscall_64\n"), 0);
        assert_eq!(of("stack 0 do_sys_poll a b c d __x64_sys_ppoll do_syscall_64\n"), 1);
        assert_eq!(of("stack 0 a do_sys_poll __x64_sys_ppoll do_syscall_64\n"), 1);
        assert_eq!(of("stack 0 do_sys_poll do_syscall_64\n"), 1);
        assert_eq!(
            of("stack 0 do_sys_poll __x64_sys_ppoll do_syscall_64 a\n"),
            0,
            "cut behind do_syscall_64"
        );
    }

    #[test]
    fn a_long_stack_may_have_more_such_words_and_none_else() {
        let drgn = of_drgn("stack 0 a b c d e f g h\n");
        let of =
            |told| (differences(&drgn, &of_drgn(told)).len(), contradictions(&drgn, &of_drgn(told)).len());
        assert_eq!(of("stack 0 a left b c left d e f g h\n"), (0, 0));
        assert_eq!(of("stack 0 a left b left c left d e f g h\n"), (1, 1));
        assert_eq!(of("stack 0 a b c left e f g h\n"), (0, 0));
        assert_eq!(of("stack 0 a b c d e f g h left\n"), (1, 0));
    }

    #[test]
    fn a_frame_taken_for_too_large_and_a_bpf_program_are_no_differences() {
        let of = |told, crash| differences(&of_drgn(told), &of_drgn(crash)).len();
        let drgn = "stack 0 a b c d e f g h\n";
        assert_eq!(of(drgn, "stack 0 a b c left g h\n"), 0);
        assert_eq!(of(drgn, "stack 0 a b c left more g h\n"), 0);
        assert_eq!(of(drgn, "stack 0 a left more and more g h\n"), 1);
        assert_eq!(of(drgn, "stack 0 a b c left more and more g h\n"), 1);
        assert_eq!(of(drgn, "stack 0 a b left h\n"), 1);
        assert_eq!(of(drgn, "stack 0 a b c g h\n"), 0);
        assert_eq!(of(drgn, "stack 0 a b h\n"), 1);
        assert_eq!(of(drgn, "stack 0 a c e g h\n"), 1);
        assert_eq!(of("stack 0 a 0xffffffffc029480b b c\n", "stack 0 a b c\n"), 0);
        assert_eq!(of("stack 0 a 0xffffffffc029480b b d c\n", "stack 0 a c\n"), 1);
    }

    #[test]
    fn who_leaves_out_does_not_contradict() {
        let drgn = of_drgn("stack 0 a b c\nstack 1 d\n");
        assert_eq!(contradictions(&drgn, &of_drgn("stack 0 a c\nstack 1 d\n")), [""; 0]);
        assert_eq!(
            contradictions(&drgn, &of_drgn("stack 0 b c\nstack 1 d\n")),
            ["CPU 0: drgn has a < b < c\n    crash has b < c"]
        );
        assert_eq!(contradictions(&drgn, &of_drgn("stack 0 a left c\nstack 1 d\n")), [""; 0]);
        assert_eq!(
            contradictions(&drgn, &of_drgn("stack 0 a c b e\nstack 1 d\n")),
            ["CPU 0: drgn has a < b < c\n    crash has a < c < b < e"]
        );
        assert_eq!(contradictions(&drgn, &of_drgn("stack 0 a\n")), ["CPU 1: crash has nothing"]);
    }

    #[test]
    fn a_copy_of_a_function_is_that_function() {
        assert_eq!(plain("rcu_gp_fqs_loop.part.0"), "rcu_gp_fqs_loop");
        assert_eq!(plain("__put_user_nocheck_8"), plain("__put_user_8"));
        assert_eq!(plain("common_startup_64"), plain("secondary_startup_64"));
        assert_eq!(plain("secondary_startup_64_no_verify"), plain("secondary_startup_64"));
    }
}
