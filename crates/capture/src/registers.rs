//! The probing thread's kernel registers at its probe.
//!
//! Where the probe is an interruption (kprobe, perf event) the kernel has them all. A tracepoint is a call: there the
//! registers of the function that it stands in are those after its call returned, found from the stack as the trigger kept
//! it: the return addresses that the kernel's unwinder gave stand in it in order, so the frame's stack pointer is just above
//! its own.

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
        if self.valid >> (at / 1024) & 1 == 0 {
            return None;
        }
        let bytes = self.bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
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
    fn an_interruption_has_all_registers() {
        let symbols = Symbols::parse(KALLSYMS).expect("five symbols");
        let mut shot = Shot::new();
        shot.probe_regs_valid = Regs::ALL_VALID;
        shot.probe_regs.rsp = 42;
        assert_eq!(at_probe(&shot, &Stack::default(), &symbols, &mut |_| None).0.rsp, 42);
    }
}
