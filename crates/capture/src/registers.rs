//! The probing thread's kernel registers at its probe.
//!
//! Where the probe is an interruption (kprobe, perf event) the kernel has them all, or (fprobes since v6.14) some of them. A tracepoint
//! is a call: there the
//! registers of the function that it stands in are those after its call returned, found from the stack as the trigger kept
//! it: the return addresses that the kernel's unwinder gave stand in it in order, so the frame's stack pointer is just above
//! its own.

use std::mem::offset_of;

use lkd_dump::{PageBytes, Regs, Shot};
use lkd_kernel::symbols::Symbols;

use crate::unwind::Frame;

/// The bytes of a kernel stack as the trigger kept them.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    /// Address of the first byte.
    pub base: u64,
    /// The bytes, lowest address first.
    pub bytes: Vec<u8>,
    /// Which of them are true, a bit for each 1024.
    pub valid: u64,
}

/// What runs between a tracepoint's function and the trigger.
const MACHINERY: [&str; 10] = [
    "bpf_prog_",
    "bpf_test_run",
    "bpf_trace_run",
    "__bpf_trace_",
    "__traceiter_",
    "bpf_get_stack",
    "__bpf_prog_test_run_raw_tp",
    "bpf_dispatcher_",
    "bpf_trampoline_",
    "__bpf_get_stack",
];

impl Stack {
    /// The word at `vaddr`, if it was kept.
    pub fn word(&self, vaddr: u64) -> Option<u64> {
        let at = usize::try_from(vaddr.checked_sub(self.base)?).ok()?;
        let bytes = self.bytes.get(at..at.checked_add(8)?)?;
        let valid = self.valid.checked_shr((at / 1024) as u32)? & 1 == 1;
        if valid { Some(u64::from_le_bytes(bytes.try_into().ok()?)) } else { None }
    }

    /// The bytes of its page of this number, if all were kept.
    pub fn page(&self, place: usize) -> Option<PageBytes> {
        let whole = self.valid >> (place.checked_mul(4)?) & 15 == 15;
        let at = place.checked_mul(4096)?;
        let bytes = self.bytes.get(at..at.checked_add(4096)?)?;
        if whole { bytes.try_into().ok() } else { None }
    }

    /// Whether it is on this stack.
    pub fn contains(&self, vaddr: u64) -> bool {
        vaddr >= self.base && vaddr - self.base < self.bytes.len() as u64
    }

    /// The places of the return addresses `frames[from..]`, innermost first; `None` unless all are found in order.
    ///
    /// Looked for from the top down: what lies below the frames in use is left from earlier calls.
    fn places(&self, frames: &[u64], from: usize, bottom: u64) -> Option<Vec<u64>> {
        let mut places = Vec::new();
        let mut at = self.base + self.bytes.len() as u64;
        for frame in frames.iter().skip(from).rev() {
            loop {
                at = at.checked_sub(8)?;
                if at < bottom {
                    return None;
                }
                if self.word(at) == Some(*frame) {
                    break;
                }
            }
            places.push(at);
        }
        places.reverse();
        Some(places)
    }
}

/// The innermost frame of the kernel stack that is not the tracing machinery's.
fn probe_frame(frames: &[u64], symbols: &Symbols) -> usize {
    // Everything up to the last of the machinery that is met without a gap from the inside.
    let machinery = |ip: u64| match symbols.by_addr(ip) {
        Some(located) => MACHINERY.iter().any(|prefix| located.symbol.name.starts_with(prefix)),
        // BPF programs have no symbol where net.core.bpf_jit_kallsyms is off.
        None => true,
    };
    frames.iter().take_while(|ip| machinery(**ip)).count()
}

/// The registers, and a mask of those that are known (bit i: word i of [`Regs`]). `caller` goes one frame up.
pub fn at_probe(
    shot: &Shot,
    stack: &Stack,
    symbols: &Symbols,
    caller: &mut dyn FnMut(Frame) -> Option<Frame>,
) -> (Regs, u32) {
    if shot.probe_regs_valid == Regs::ALL_VALID {
        return (shot.probe_regs, Regs::ALL_VALID);
    }
    let frames: Vec<u64> = shot.kernel_stack().map(|ip| ip.0).collect();
    if shot.probe_regs_valid & RIP != 0 {
        // At a function's entry rsp is right, and may be on an interrupt's stack, which is not kept.
        if shot.probe_regs_valid & RSP != 0 && shot.probe().ends_with(":entry") {
            return (shot.probe_regs, shot.probe_regs_valid);
        }
        return of_call(shot, stack, &frames, symbols, caller);
    }
    let first = probe_frame(&frames, symbols);
    let Some(rip) = frames.get(first) else { return (Regs::default(), 0) };
    let mut regs = Regs { rip: *rip, cs: 0x10, ss: 0x18, ..Regs::default() };
    let mut known = RIP | CS | SS;

    // The trigger's own frame is below all that matters, unless programs run on a stack of their own (since v6.13).
    let bottom = if stack.contains(shot.bpf_frame) { shot.bpf_frame } else { stack.base };
    let outside = frames.iter().take_while(|ip| in_program(**ip, symbols)).count();
    let Some(places) = stack.places(&frames, outside, bottom) else { return (regs, known) };
    if let Some(place) = places.get(first - outside) {
        regs.rsp = place + 8;
        known |= RSP;
    }
    if let Some(rbp) = frame_pointer(stack, &frames, &places, outside, first, caller) {
        regs.rbp = rbp;
        known |= RBP;
    }
    (regs, known)
}

/// Where an interrupt of user code left these registers, at the top of the thread's stack, and the return address into its entry
/// code below them; `None`: they are not there.
pub fn entered(regs: &Regs, stack: &Stack) -> Option<(u64, u64)> {
    let top = stack.base.checked_add(stack.bytes.len() as u64)?;
    // A kernel that knows FRED leaves 16 bytes more on top, whatever the processor.
    let place = [0, 16].into_iter().find_map(|padding| {
        let place = top.checked_sub(padding + size_of::<Regs>() as u64)?;
        let is = |field: usize, value| stack.word(place + field as u64) == Some(value);
        (is(offset_of!(Regs, rip), regs.rip) && is(offset_of!(Regs, rsp), regs.rsp)).then_some(place)
    })?;
    Some((place, stack.word(place.checked_sub(8)?)?))
}

/// What an fprobe has of the registers at a function's return, its rsp only as far as it is proven: some kernels give another (from 6.14
/// on what happened to lie there, then the end of what they had pushed, at last the right one). Where it is not, the one that leads to
/// the caller is taken, from the place where the caller's return address stands.
fn of_call(
    shot: &Shot,
    stack: &Stack,
    frames: &[u64],
    symbols: &Symbols,
    caller: &mut dyn FnMut(Frame) -> Option<Frame>,
) -> (Regs, u32) {
    let (mut regs, known) = (shot.probe_regs, shot.probe_regs_valid);
    // The word that the function returned by is the tracer's own return address still.
    let tracer = symbols.by_name_in("vmlinux", "return_to_handler").map(|symbol| symbol.addr);
    let returned = regs.rsp.checked_sub(8).and_then(|place| stack.word(place));
    if known & RSP != 0 && tracer.is_some() && returned == tracer {
        return (regs, known);
    }
    let mut up = |rsp: u64| {
        let up = caller(Frame { rip: regs.rip, rsp, rbp: regs.rbp });
        up.filter(|up| frames.get(1) == Some(&up.rip)).map(|up| up.rsp)
    };
    // Where rbp alone leads to the caller, any rsp does, and none is proven.
    let mut leads = |rsp: u64| up(rsp).filter(|above| up(rsp.wrapping_add(8)) != Some(*above));
    if known & RSP != 0 && leads(regs.rsp).is_some() {
        return (regs, known);
    }
    // Not below this program's own frame, where that is on this stack.
    let bottom = if stack.contains(shot.bpf_frame) { shot.bpf_frame } else { stack.base };
    let place = stack.places(frames, 1, bottom).and_then(|places| places.first().copied());
    let found = place.and_then(|place| {
        let below = (0..LARGEST_FRAME / 8).map_while(|words| place.checked_sub(words * 8));
        below.take_while(|rsp| *rsp >= bottom).find(|rsp| leads(*rsp) == Some(place + 8))
    });
    regs.rsp = found.unwrap_or(0);
    (regs, if found.is_some() { known | RSP } else { known & !RSP })
}

/// Bytes of a function's frame in which its caller's is looked for.
const LARGEST_FRAME: u64 = 4096;

/// Whether the address is in a BPF program.
fn in_program(ip: u64, symbols: &Symbols) -> bool {
    symbols.by_addr(ip).is_none_or(|located| located.symbol.name.starts_with("bpf_prog_"))
}

/// rbp of frame `first`: every BPF program begins by pushing its caller's, below its own return address; from there each
/// step up must meet the return address, and the place, that are known already.
fn frame_pointer(
    stack: &Stack,
    frames: &[u64],
    places: &[u64],
    outside: usize,
    first: usize,
    caller: &mut dyn FnMut(Frame) -> Option<Frame>,
) -> Option<u64> {
    let place = *places.first()?;
    let mut frame =
        Frame { rip: *frames.get(outside)?, rsp: place + 8, rbp: stack.word(place.checked_sub(8)?)? };
    for step in outside + 1..=first {
        frame = caller(frame)?;
        if frame.rip != *frames.get(step)? || frame.rsp != places.get(step - outside)? + 8 {
            return None;
        }
    }
    Some(frame.rbp)
}

const RBP: u32 = 1 << 4;
const RIP: u32 = 1 << 16;
const CS: u32 = 1 << 17;
const RSP: u32 = 1 << 19;
const SS: u32 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const KALLSYMS: &[u8] = b"\
ffffffff81000000 T bpf_trace_run2
ffffffff81000100 T __traceiter_sys_exit
ffffffff81000200 T syscall_exit_work
ffffffff81000300 T do_syscall_64
ffffffff81000400 T entry_SYSCALL_64_after_hwframe
";

    fn stack(words: &[u64]) -> Stack {
        Stack {
            base: 0xffff_c000_0000_0000,
            bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(),
            valid: !0,
        }
    }

    #[test]
    fn the_stack_pointer_is_above_the_return_address_that_is_in_use() {
        let symbols = Symbols::parse(KALLSYMS).expect("five symbols");
        // A stale return address into do_syscall_64 lies below the live one.
        let stack = stack(&[
            0xffff_ffff_8100_0340,
            0,
            0xffff_ffff_8100_0020,
            0xffff_ffff_8100_0110,
            7,
            0xffff_ffff_8100_0220,
            8,
            0xffff_ffff_8100_0340,
            0xffff_ffff_8100_0410,
        ]);
        let mut shot = Shot::new();
        let frames = [
            0xffff_ffff_c000_0000,
            0xffff_ffff_8100_0020,
            0xffff_ffff_8100_0110,
            0xffff_ffff_8100_0220,
            0xffff_ffff_8100_0340,
            0xffff_ffff_8100_0410,
        ];
        shot.kstack_len = frames.len() as u32;
        for (to, from) in shot.kstack.iter_mut().zip(frames) {
            *to = from;
        }
        let (regs, known) = at_probe(&shot, &stack, &symbols, &mut |_| None);
        assert_eq!((regs.rip, regs.rsp), (0xffff_ffff_8100_0220, stack.base + 6 * 8));
        assert_eq!(known, RIP | RSP | CS | SS);
    }

    #[test]
    fn what_is_not_on_the_stack_is_not_known() {
        let symbols = Symbols::parse(KALLSYMS).expect("five symbols");
        let mut shot = Shot::new();
        shot.kstack_len = 1;
        shot.kstack[0] = 0xffff_ffff_8100_0220;
        let (regs, known) = at_probe(&shot, &stack(&[0; 8]), &symbols, &mut |_| None);
        assert_eq!((regs.rip, regs.rsp, known), (0xffff_ffff_8100_0220, 0, RIP | CS | SS));
        assert_eq!(at_probe(&Shot::new(), &stack(&[]), &symbols, &mut |_| None).1, 0);
    }

    #[test]
    fn the_stack_pointer_of_an_fprobe_leads_to_the_caller_or_is_not_told() {
        // the function's frame: two words below its caller's return address
        let stack = stack(&[1, 2, 3, 0xffff_ffff_8100_0340, 0xffff_ffff_8100_0410]);
        let right = stack.base + 8;
        let mut caller = |frame: Frame| {
            let rsp = frame.rsp + 24;
            Some(Frame { rip: stack.word(rsp - 8)?, rsp, rbp: 0 })
        };
        let mut shot = Shot::new();
        let frames = [0xffff_ffff_8100_0220, 0xffff_ffff_8100_0340, 0xffff_ffff_8100_0410];
        shot.kstack_len = 3;
        shot.kstack[..3].copy_from_slice(&frames);
        shot.probe_regs = Regs { rip: frames[0], rax: 7, ..Regs::default() };
        shot.probe_regs_valid = RIP | RSP | 1 << 10;
        let symbols = Symbols::parse(KALLSYMS).expect("five symbols");
        for given in [right, right - 8, 0, u64::MAX - 64] {
            shot.probe_regs.rsp = given;
            let (regs, known) = at_probe(&shot, &stack, &symbols, &mut caller);
            assert_eq!((regs.rsp, regs.rax, known), (right, 7, shot.probe_regs_valid));
        }
        let unknown = (0, 7, RIP | 1 << 10);
        let (regs, known) = at_probe(&shot, &stack, &symbols, &mut |_| None);
        assert_eq!((regs.rsp, regs.rax, known), unknown);
        // by rbp any rsp leads there
        let mut by_rbp = |_| Some(Frame { rip: frames[1], rsp: right + 24, rbp: 0 });
        let (regs, known) = at_probe(&shot, &stack, &symbols, &mut by_rbp);
        assert_eq!((regs.rsp, regs.rax, known), unknown);
    }

    #[test]
    fn a_function_has_returned_by_the_tracers_address() {
        let symbols = [KALLSYMS, b"ffffffff81000500 T return_to_handler\n"].concat();
        let symbols = Symbols::parse(&symbols).expect("six symbols");
        let stack = stack(&[0xffff_ffff_8100_0500, 2]);
        let mut shot = Shot::new();
        shot.probe_regs = Regs { rip: 0xffff_ffff_8100_0220, rsp: stack.base + 8, ..Regs::default() };
        shot.probe_regs_valid = RIP | RSP;
        assert_eq!(at_probe(&shot, &stack, &symbols, &mut |_| None), (shot.probe_regs, RIP | RSP));
        shot.probe_regs.rsp += 8;
        assert_eq!(at_probe(&shot, &stack, &symbols, &mut |_| None).1, RIP);
        // at an entry nothing has to be proven
        shot.set_probe("fbt", "vmlinux", "syscall_exit_work", "entry");
        assert_eq!(at_probe(&shot, &Stack::default(), &symbols, &mut |_| None), (shot.probe_regs, RIP | RSP));
    }

    #[test]
    fn user_code_was_entered_from_at_the_top_of_the_stack() {
        let regs = Regs { rip: 0x5555_0000_1000, rsp: 0x7ffd_0000_2000, cs: 0x33, ..Regs::default() };
        let mut words = vec![0; 64];
        words.push(0xffff_ffff_8100_0410);
        let pushed: [u64; 21] = zerocopy::transmute!(regs);
        words.extend(pushed);
        let plain = stack(&words);
        let at = plain.base + 65 * 8;
        assert_eq!(entered(&regs, &plain), Some((at, 0xffff_ffff_8100_0410)));
        words.extend([0, 0]);
        assert_eq!(entered(&regs, &stack(&words)), Some((at, 0xffff_ffff_8100_0410)));
        // other registers, no stack
        assert_eq!(entered(&Regs { rip: 1, ..regs }, &plain), None);
        assert_eq!(entered(&regs, &Stack::default()), None);
    }

    #[test]
    fn an_interruption_has_all_registers() {
        let symbols = Symbols::parse(KALLSYMS).expect("five symbols");
        let mut shot = Shot::new();
        shot.probe_regs_valid = Regs::ALL_VALID;
        shot.probe_regs.rsp = 42;
        assert_eq!(at_probe(&shot, &Stack::default(), &symbols, &mut |_| None).0.rsp, 42);
    }
}
