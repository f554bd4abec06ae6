// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* What is recorded of the virtual machines that KVM runs: one shape for the BPF side and the dump's note.  The Rust twins (with the
 * offsets asserted) are in crates/dump/src/vm.rs; a change here is a change there. */
#ifndef LKD_VM_H
#define LKD_VM_H

struct lkd_vm {
	__u64 kvm; /* address of its struct kvm */
	__u64 mm, pgd; /* the process whose memory it is: its mm_struct, its top page table (kernel address) */
	__u32 pid; /* thread that made the machine */
	__u32 spaces; /* address spaces: more than one where the processor has a system management mode of its own */
	__u32 first_slot, slots;
	__u32 first_vcpu, vcpus;
	__u64 reserved;
};

struct lkd_vm_slot {
	__u64 slot; /* address of its struct kvm_memory_slot */
	__u64 gpa, pages; /* where the guest sees it */
	__u64 hva; /* where the process has it */
	__u32 flags; /* of KVM_SET_USER_MEMORY_REGION */
	__s16 id;
	__u16 space;
	__u32 vm;
	__u32 same; /* index + 1 of the slot of another address space that shows the same memory; 0: none before it */
	__u64 listed; /* pages of it that are in no slot before */
};

/* The words of lkd_vcpu.words, up to rip in the kernel's own order. */
enum lkd_vcpu_word {
	LKD_VCPU_RIP = 16,
	LKD_VCPU_RFLAGS,
	LKD_VCPU_CR0,
	LKD_VCPU_CR2,
	LKD_VCPU_CR3,
	LKD_VCPU_CR4,
	LKD_VCPU_EFER,
	LKD_VCPU_CS_BASE,
	LKD_VCPU_CS, /* selector, attributes << 16, limit << 32 */
	LKD_VCPU_FS_BASE,
	LKD_VCPU_GS_BASE,
	LKD_VCPU_GDT_BASE,
	LKD_VCPU_IDT_BASE,
	LKD_VCPU_TR_BASE,
	LKD_VCPU_KERNEL_GS_BASE,
	LKD_VCPU_LSTAR,
	LKD_VCPU_WORDS = 32,
};

enum lkd_vcpu_flags {
	LKD_VCPU_SVM = 1, /* some words come from the processor's own control block, at `block` */
	LKD_VCPU_PROTECTED = 2, /* its registers are encrypted */
};

struct lkd_vcpu {
	__u64 vcpu; /* address of its struct kvm_vcpu */
	__u64 block;
	__u32 vm, id;
	__s32 cpu; /* that it runs on, or ran last; -1: it is nowhere loaded */
	__u32 mode; /* 1: in the guest when it was looked at: its words are those of its last exit */
	__u32 mp_state; /* KVM_MP_STATE_*: 0 runs, 3 has halted */
	__u32 flags;
	__u64 valid; /* bit i: word i is known */
	__u64 words[LKD_VCPU_WORDS];
};

_Static_assert(sizeof(struct lkd_vm) == 56, "struct lkd_vm");
_Static_assert(sizeof(struct lkd_vm_slot) == 56, "struct lkd_vm_slot");
_Static_assert(sizeof(struct lkd_vcpu) == 304, "struct lkd_vcpu");

#endif
