//! `lkd selftest guests`: the virtual machines in a dump, found from the file alone, and whether they are those that `vmrun` made.
//!
//! `vmrun` tells what there is to find (see its head); what is told in the dump's note is held against it: memory through slot,
//! address in the process, its page tables; registers by name.

use std::fs::{self, File};
use std::path::Path;

use lkd_dump::{AddressSpace, Dump, Levels, Machines, Memory, Paddr, Vaddr, Vcpu, Vm};
use lkd_kernel::vmcoreinfo::VmcoreInfo;

const PAGE: u64 = 4096;
/// What a word of `vmrun`'s memory is but for its address.
const PATTERN: u64 = 0x6c6b_6476_6d00_0000;
/// Where the kernel's image is mapped when nothing moves it.
const KERNEL_IMAGE: u64 = 0xffff_ffff_8000_0000;
/// Differences that are told of one claim.
const TOLD: usize = 4;

/// Lists a dump's machines, and judges them by what `vmrun` wrote; gives the text and whether all is as it should be.
///
/// # Errors
/// Something cannot be read.
pub fn judge(dump: &Path, planted: Option<&Path>) -> Result<(String, bool), String> {
    let told = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = File::open(dump).map_err(|why| told(dump, &why))?;
    let opened = Dump::open(file).map_err(|why| told(dump, &why))?;
    let machines = opened.notes().flatten().find_map(|note| note.as_machines());
    let machines = machines.ok_or_else(|| told(dump, &"has no note of virtual machines"))?;
    let machines = machines.map_err(|why| told(dump, &why))?;
    let info = opened.notes().flatten().find_map(|note| note.as_vmcoreinfo().map(VmcoreInfo::parse));
    let info = info.ok_or_else(|| told(dump, &"no VMCOREINFO"))?;
    let kernel = kernel(&info).map_err(|why| told(dump, &why))?;
    let seen = Seen { memory: &opened, kernel, machines: &machines };
    let mut text = describe(&seen);
    let Some(path) = planted else { return Ok((text, true)) };
    let lines = fs::read_to_string(path).map_err(|why| told(path, &why))?;
    let mut good = true;
    for (name, found) in claims(&seen, &lines).map_err(|why| told(path, &why))? {
        match found {
            Ok(what) => text += &format!("ok {name}: {what}\n"),
            Err(why) => {
                good = false;
                text += &format!("FAILED {name}: {why}\n");
            }
        }
    }
    Ok((text, good))
}

/// A dump and what its note says.
struct Seen<'a> {
    memory: &'a dyn Memory,
    kernel: AddressSpace,
    machines: &'a Machines,
}

/// The kernel's own page tables.
fn kernel(info: &VmcoreInfo) -> Result<AddressSpace, String> {
    let root = info.symbol("swapper_pg_dir").or_else(|_| info.symbol("init_top_pgt"));
    let root = root.map_err(|why| why.to_string())?;
    let phys_base = info.number("phys_base").map_err(|why| why.to_string())? as u64;
    Ok(AddressSpace {
        root: Paddr(root.wrapping_sub(KERNEL_IMAGE).wrapping_add(phys_base)),
        levels: if info.five_levels() { Levels::Five } else { Levels::Four },
        encryption_mask: info.encryption_mask(),
    })
}

impl Seen<'_> {
    /// The address space of the process that a machine's memory is in.
    fn process(&self, vm: &Vm) -> Result<AddressSpace, String> {
        let root = self.kernel.translate(self.memory, Vaddr(vm.pgd)).map_err(|why| why.to_string())?;
        Ok(AddressSpace { root: root.paddr, ..self.kernel })
    }

    /// A page of a guest, by its guest-physical address.
    fn page(&self, vm: &Vm, process: &AddressSpace, gpa: u64) -> Result<Vec<u8>, String> {
        let slot = self
            .machines
            .slots_of(vm)
            .iter()
            .find(|slot| slot.space == 0 && gpa >= slot.gpa && (gpa - slot.gpa) / PAGE < slot.pages);
        let slot = slot.ok_or_else(|| format!("no slot holds {gpa:#x}"))?;
        let mut page = vec![0; PAGE as usize];
        let at = Vaddr(slot.hva.wrapping_add(gpa - slot.gpa));
        process.read(self.memory, at, &mut page).map_err(|why| format!("{gpa:#x}: {why}"))?;
        Ok(page)
    }
}

fn describe(seen: &Seen<'_>) -> String {
    let mut text = String::new();
    for vm in &seen.machines.vms {
        text += &format!("machine of thread {}: struct kvm at {:#x}\n", vm.pid, vm.kvm);
        let process = seen.process(vm);
        for slot in seen.machines.slots_of(vm) {
            let there = (0..slot.pages.min(1 << 28)).filter(|n| {
                let at = Vaddr(slot.hva.wrapping_add(n * PAGE));
                let page = process.as_ref().ok().and_then(|space| {
                    let found = space.translate(seen.memory, at).ok()?;
                    seen.memory.read_page(found.paddr.pfn()).ok()
                });
                matches!(page, Some(lkd_dump::Page::Present(_)))
            });
            text += &format!(
                "  slot {} of space {}: {:#x}, {} pages at {:#x}, {} in the dump, {} for it\n",
                slot.id,
                slot.space,
                slot.gpa,
                slot.pages,
                slot.hva,
                there.count(),
                slot.listed
            );
        }
        for vcpu in seen.machines.vcpus_of(vm) {
            text +=
                &format!("  CPU {} on {}, mode {}, state {}:", vcpu.id, vcpu.cpu, vcpu.mode, vcpu.mp_state);
            for name in lkd_dump::VCPU_WORDS {
                if let Some(value) = vcpu.word(name) {
                    text += &format!(" {name} {value:x}");
                }
            }
            text.push('\n');
        }
    }
    text
}

/// What was found of something that must be there.
type Claim = (String, Result<String, String>);

/// A claim for each line that `vmrun` wrote, and one for what it never touched.
fn claims(seen: &Seen<'_>, planted: &str) -> Result<Vec<Claim>, String> {
    let lines: Vec<Vec<&str>> = planted.lines().map(|line| line.split_whitespace().collect()).collect();
    let bad = |line: &[&str]| format!("not what vmrun writes: {}", line.join(" "));
    let hex = |word: &str| u64::from_str_radix(word, 16).ok();
    let pid = lines.iter().find_map(|line| match line.as_slice() {
        ["pid", pid] => hex(pid),
        _ => None,
    });
    let pid = pid.ok_or("not what vmrun writes: it has no pid")?;
    let Some(vm) = seen.machines.vms.iter().find(|vm| u64::from(vm.pid) == pid) else {
        return Ok(vec![("machine".into(), Err(format!("none of process {pid}")))]);
    };
    let process = match seen.process(vm) {
        Ok(process) => process,
        Err(why) => return Ok(vec![("machine".into(), Err(why))]),
    };
    let mut claims = vec![("machine".into(), Ok(format!("of process {pid}")))];
    let mut written = 0;
    for line in &lines {
        match line.as_slice() {
            ["pid", _] | ["ready"] | [] => {}
            ["slot", id, gpa, pages] => {
                let (Some(id), Some(gpa), Some(pages)) = (hex(id), hex(gpa), hex(pages)) else {
                    return Err(bad(line));
                };
                let there = seen.machines.slots_of(vm).iter().any(|slot| {
                    slot.space == 0 && slot.id as u64 == id && (slot.gpa, slot.pages) == (gpa, pages)
                });
                let found =
                    if there { Ok(format!("{pages} pages at {gpa:#x}")) } else { Err("not there".into()) };
                claims.push((format!("slot {id}"), found));
            }
            ["pattern", gpa, pages] => {
                let (Some(gpa), Some(pages)) = (hex(gpa), hex(pages)) else { return Err(bad(line)) };
                written += pages;
                claims.push((format!("pattern {gpa:#x}"), pattern(seen, vm, &process, gpa, pages)));
            }
            ["vcpu", id, words @ ..] => {
                let Some(id) = hex(id) else { return Err(bad(line)) };
                let vcpu = seen.machines.vcpus_of(vm).iter().find(|vcpu| u64::from(vcpu.id) == id);
                let found = vcpu.ok_or_else(|| "not there".to_owned());
                claims.push((format!("CPU {id}"), found.and_then(|vcpu| registers(vcpu, words))));
            }
            _ => return Err(bad(line)),
        }
    }
    // The page of code is in the guest's memory too.
    let listed = seen.machines.slots_of(vm).iter().fold(0u64, |sum, slot| sum.saturating_add(slot.listed));
    let found = if listed == written + 1 {
        Ok(format!("{listed} pages were listed"))
    } else {
        Err(format!("{listed} pages were listed, {} were written", written + 1))
    };
    claims.push(("no other page".into(), found));
    Ok(claims)
}

/// Every word of these pages tells its address.
fn pattern(seen: &Seen<'_>, vm: &Vm, process: &AddressSpace, gpa: u64, pages: u64) -> Result<String, String> {
    let mut wrong = Vec::new();
    for at in (0..pages).map(|n| gpa + n * PAGE) {
        let page = match seen.page(vm, process, at) {
            Ok(page) => page,
            Err(why) => {
                wrong.push(why);
                continue;
            }
        };
        let (words, _) = page.as_chunks::<8>();
        let odd = (at..).step_by(8).zip(words).find(|(at, word)| u64::from_le_bytes(**word) != at ^ PATTERN);
        wrong.extend(odd.map(|(at, word)| format!("{at:#x} holds {:#x}", u64::from_le_bytes(*word))));
    }
    if wrong.is_empty() {
        return Ok(format!("{pages} pages compared"));
    }
    let shown: Vec<&str> = wrong.iter().take(TOLD).map(String::as_str).collect();
    Err(format!("{} of {pages} pages: {}", wrong.len(), shown.join("; ")))
}

/// Names and values in turns; of several values with commas between, one must be right.
fn registers(vcpu: &Vcpu, words: &[&str]) -> Result<String, String> {
    let mut wrong = Vec::new();
    for pair in words.chunks(2) {
        let [name, values] = pair else { return Err(format!("{} has no value", pair.join(""))) };
        let found = vcpu.word(name).map_or("unknown".into(), |value| format!("{value:x}"));
        if !values.split(',').any(|value| value == found) {
            wrong.push(format!("{name} is {found}, not {values}"));
        }
    }
    if wrong.is_empty() { Ok(format!("{} registers", words.len() / 2)) } else { Err(wrong.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_held_against_what_is_known() {
        let mut vcpu = Vcpu { valid: 1 | 1 << 16, ..Vcpu::default() };
        (vcpu.words[0], vcpu.words[16]) = (0xabc, 0x7007);
        let judged = |text: &str| registers(&vcpu, &text.split(' ').collect::<Vec<_>>());
        assert_eq!(judged("rax abc rip 7005,7007"), Ok("2 registers".into()));
        assert_eq!(judged("rax abd rip 7005"), Err("rax is abc, not abd; rip is 7007, not 7005".into()));
        assert_eq!(judged("rbx 0"), Err("rbx is unknown, not 0".into()));
        assert!(judged("rax").is_err());
    }

    #[test]
    fn what_vmrun_does_not_write_is_refused() {
        let machines = Machines { vms: vec![Vm { pid: 0xbe, ..Vm::default() }], ..Machines::default() };
        let kernel = AddressSpace { root: Paddr(0), levels: Levels::Four, encryption_mask: 0 };
        let seen = Seen { memory: &Empty, kernel, machines: &machines };
        assert!(claims(&seen, "slot 1 2 3\n").is_err());
        let claimed =
            |text: &str| claims(&seen, text).map(|claims| claims.iter().filter(|c| c.1.is_err()).count());
        assert_eq!(claimed("pid bf\nready\n"), Ok(1));
        assert_eq!(claimed("pid be\nready\n"), Ok(1));
    }

    #[derive(Debug)]
    struct Empty;

    impl Memory for Empty {
        fn read_page(&self, _: lkd_dump::Pfn) -> Result<lkd_dump::Page, lkd_dump::Error> {
            Ok(lkd_dump::Page::Absent(lkd_dump::Why::NotRam))
        }
    }
}
