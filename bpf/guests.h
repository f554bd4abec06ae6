// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
/* The virtual machines that KVM runs: what they are is recorded (vm.h), and their memory's pages are listed.
 *
 *   the list of machines ── each one's memory slots ── each one's CPUs ── each slot's pages, by its process' page tables
 *
 * Where KVM has what is told by user space, from the BTF of the kernel and of KVM's modules: programs that ask CO-RE for a module's
 * types could not be loaded where two modules disagree, and every arming would read the BTF of all modules.
 *
 * The walk's state is in a map, so it can go on after a freeze that ended too early; what bounds it in time is not.  In a freeze
 * nothing moves.  Where the machine runs on a list may be torn: a link that its neighbour does not answer ends it, what must be
 * in the direct map is looked for nowhere else, and every loop has a count. */
#ifndef LKD_GUESTS_H
#define LKD_GUESTS_H

#define MOST_LINKS 65536 /* steps of each walk */
#define NOWHERE ~0ull /* a field that this kernel does not have */
#define HLIST_NODE 16

/* The processor's control block of a guest, by AMD's manual: what makes it exit, how it is paged, and its state save area. */
#define SAVE_AREA 0x400
#define SAVE_BYTES 0x228
#define BLOCK_INTERCEPTS 0x0
#define INTERCEPT_CR0_WRITE (1 << 16)
#define BLOCK_PAGING 0x90
#define NESTED_PAGING 1
enum {
	SAVE_CS = 0x10,
	SAVE_FS = 0x40,
	SAVE_GS = 0x50,
	SAVE_GDT = 0x60,
	SAVE_IDT = 0x80,
	SAVE_TR = 0x90,
	SAVE_BASE = 8, /* in a segment; before it selector, attributes and limit */
	SAVE_CR3 = 0x150,
	SAVE_CR0 = 0x158,
	SAVE_RFLAGS = 0x170,
	SAVE_LSTAR = 0x208,
	SAVE_KERNEL_GS = 0x220,
};

/* Shared with user space; the Rust twin is crates/capture/src/guests.rs. */
struct lkd_kvm {
	/* settings */
	__u64 list; /* address of KVM's list of machines; 0: there is none */
	__u64 vm_room, slot_room, vcpu_room; /* records that fit */
	/* offsets in struct kvm */
	__u64 kvm_list, kvm_mm, kvm_pid, kvm_sets, kvm_vcpus, kvm_online;
	__u64 spaces; /* sets of slots that a machine has */
	/* in struct kvm_memslots: a hash table of slots, and which of two links in a slot it uses */
	__u64 set_hash, set_link, buckets;
	/* in struct kvm_memory_slot */
	__u64 slot_links, slot_gfn, slot_pages, slot_hva, slot_flags, slot_id, slot_space;
	/* in struct xa_node */
	__u64 node_shift, node_slots, node_mask;
	/* in struct kvm_vcpu */
	__u64 vcpu_cpu, vcpu_id, vcpu_mode, vcpu_mp_state, vcpu_regs, vcpu_available, vcpu_protected;
	__u64 vcpu_cr0, vcpu_cr2, vcpu_cr3, vcpu_cr4, vcpu_efer;
	__u64 bit_cr0, bit_cr3, bit_cr4; /* of vcpu_available */
	/* in struct vcpu_svm: the control block that the processor works with, and the one that keeps what it leaves alone */
	__u64 svm_block, svm_base_block;

	/* state */
	__u64 vms, slots, vcpus; /* met; recorded are no more than fit */
	__u64 torn; /* links that led nowhere, walks that did not end */
	__u64 recorded; /* 1: all were met */
	__u64 walked; /* slots whose pages are listed */
	__u64 resume; /* where the walk of the next one ended, if it has begun */
	__u64 status; /* enum lkd_status: why not all were met, or their pages not listed */
	/* where the walk stands */
	__u64 at, vm, space, bucket, set, link, node, index, same;
};
_Static_assert(sizeof(struct lkd_kvm) == 464, "struct lkd_kvm");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_kvm);
} lkd_kvm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_vm);
} lkd_vms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_vm_slot);
} lkd_vm_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lkd_vcpu);
} lkd_vcpus SEC(".maps");

struct guests {
	__u64 deadline_ns; /* latched: nobody can extend it */
	struct lkd_ctl *c;
	struct lkd_kvm *k;
};

static __always_inline __u64 word_at(__u64 vaddr)
{
	__u64 word = 0;
	bpf_probe_read_kernel(&word, sizeof(word), (void *)vaddr);
	return word;
}

static __always_inline __u32 half_at(__u64 vaddr)
{
	__u32 half = 0;
	bpf_probe_read_kernel(&half, sizeof(half), (void *)vaddr);
	return half;
}

static __always_inline int guests_late(struct guests *s)
{
	if (bpf_ktime_get_ns() <= s->deadline_ns)
		return 0;
	s->k->status |= LKD_DEADLINE;
	return 1;
}

static __always_inline struct lkd_vm *vm_record(struct lkd_kvm *k, __u64 n)
{
	__u32 key = n;
	return n < k->vm_room ? bpf_map_lookup_elem(&lkd_vms, &key) : 0;
}

static __always_inline struct lkd_vm_slot *slot_record(struct lkd_kvm *k, __u64 n)
{
	__u32 key = n;
	return n < k->slot_room ? bpf_map_lookup_elem(&lkd_vm_slots, &key) : 0;
}

static __always_inline struct lkd_vcpu *vcpu_record(struct lkd_kvm *k, __u64 n)
{
	__u32 key = n;
	return n < k->vcpu_room ? bpf_map_lookup_elem(&lkd_vcpus, &key) : 0;
}

/* A machine. */
static long guest_vm(__u32 i, struct guests *s)
{
	struct lkd_kvm *k = s->k;
	__u64 at = k->at, next = word_at(at);
	if (next == k->list || guests_late(s))
		return 1;
	if (word_at(next + 8) != at) {
		k->torn++;
		return 1;
	}
	k->at = next;
	__u64 kvm = next - k->kvm_list, n = k->vms++;
	struct lkd_vm *vm = vm_record(k, n);
	if (!vm)
		return 0;
	struct mm_struct *mm = (void *)word_at(kvm + k->kvm_mm);
	vm->kvm = kvm;
	vm->mm = (__u64)mm;
	vm->pgd = (__u64)BPF_CORE_READ(mm, pgd);
	vm->pid = half_at(kvm + k->kvm_pid);
	vm->spaces = k->spaces;
	vm->first_slot = 0;
	vm->slots = 0;
	vm->first_vcpu = 0;
	vm->vcpus = half_at(kvm + k->kvm_online);
	vm->reserved = 0;
	return 0;
}

/* Is it the memory that the slot at `index` of this machine shows in another address space? */
static long guest_same(__u32 i, struct guests *s)
{
	struct lkd_kvm *k = s->k;
	struct lkd_vm_slot *mine = slot_record(k, k->slots), *other = slot_record(k, k->index);
	if (!mine || !other || k->index >= k->slots)
		return 1;
	k->index++;
	if (other->same || other->space == mine->space || other->hva != mine->hva || other->pages != mine->pages)
		return 0;
	k->same = k->index;
	return 1;
}

/* The next list of the hash table, of the next set, of the next machine. */
static __always_inline long next_slots(struct lkd_kvm *k)
{
	struct lkd_vm *vm = vm_record(k, k->vm);
	if (!vm || k->vm >= k->vms)
		return 1;
	if (k->set && k->bucket < k->buckets) {
		k->node = word_at(k->set + k->set_hash + 8 * k->bucket);
		k->bucket++;
		return 0;
	}
	if (k->space >= k->spaces) {
		k->vm++;
		k->space = 0;
		k->set = 0;
		return 0;
	}
	if (!k->space)
		vm->first_slot = k->slots;
	k->set = word_at(vm->kvm + k->kvm_sets + 8 * k->space);
	k->link = half_at(k->set + k->set_link) & 1;
	k->bucket = 0;
	k->space++;
	return 0;
}

/* A memory slot. */
static long guest_slot(__u32 i, struct guests *s)
{
	struct lkd_kvm *k = s->k;
	__u64 node = k->node;
	if (guests_late(s))
		return 1;
	if (!node)
		return next_slots(k);
	__u64 slot = node - k->slot_links - HLIST_NODE * k->link;
	if (!in_direct_map(s->c, node) || !in_direct_map(s->c, slot)) {
		k->torn++;
		k->node = 0;
		return 0;
	}
	k->node = word_at(node);
	struct lkd_vm_slot *r = slot_record(k, k->slots);
	struct lkd_vm *vm = vm_record(k, k->vm);
	if (r && vm) {
		r->slot = slot;
		r->gpa = word_at(slot + k->slot_gfn) << 12;
		r->pages = word_at(slot + k->slot_pages);
		r->hva = word_at(slot + k->slot_hva);
		r->flags = half_at(slot + k->slot_flags);
		r->id = half_at(slot + k->slot_id);
		r->space = half_at(slot + k->slot_space);
		r->vm = k->vm;
		r->listed = 0;
		k->index = vm->first_slot;
		k->same = 0;
		if (r->space)
			bpf_loop(MOST_LINKS, guest_same, s, 0);
		r->same = k->same;
		vm->slots++;
	}
	k->slots++;
	return 0;
}

/* The index-th entry of an xarray, of at most four levels. */
static __always_inline __u64 xa_at(struct guests *s, __u64 entry, __u64 index)
{
	struct lkd_kvm *k = s->k;
	for (int i = 0; i < 4; i++) {
		/* an entry that ends in 10 is a node, or a mark that means no pointer */
		if ((entry & 3) != 2)
			break;
		__u64 node = entry - 2;
		if (!in_direct_map(s->c, node))
			return 0;
		__u64 shift = half_at(node + k->node_shift) & 0x3f;
		entry = word_at(node + k->node_slots + 8 * (index >> shift & k->node_mask));
	}
	return entry & 3 ? 0 : entry;
}

#define SAVED(area, field) (*(__u64 *)((area) + (field)))

/* What AMD's processors have of a guest that KVM has no copy of, or no current one. */
static __always_inline void svm_words(struct guests *s, struct lkd_vcpu *r)
{
	struct lkd_kvm *k = s->k;
	__u32 key = 0;
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	__u64 block = word_at(r->vcpu + k->svm_block), base = word_at(r->vcpu + k->svm_base_block);
	if (!w || !in_direct_map(s->c, block) || block & 4095)
		return;
	if (bpf_probe_read_kernel(w->vmemmap, SAVE_BYTES, (void *)(block + SAVE_AREA)))
		return;
	char *area = w->vmemmap;
	r->block = block;
	r->flags |= LKD_VCPU_SVM;
	/* rax, rsp, rip, cr2 were taken from here at the exit, and KVM may have moved them on; cr4 and efer have bits of the host's */
	r->words[LKD_VCPU_RFLAGS] = SAVED(area, SAVE_RFLAGS);
	if (!(half_at(block + BLOCK_INTERCEPTS) & INTERCEPT_CR0_WRITE))
		r->words[LKD_VCPU_CR0] = SAVED(area, SAVE_CR0);
	if (half_at(block + BLOCK_PAGING) & NESTED_PAGING)
		r->words[LKD_VCPU_CR3] = SAVED(area, SAVE_CR3);
	r->words[LKD_VCPU_CS] = SAVED(area, SAVE_CS);
	r->words[LKD_VCPU_CS_BASE] = SAVED(area, SAVE_CS + SAVE_BASE);
	r->words[LKD_VCPU_GDT_BASE] = SAVED(area, SAVE_GDT + SAVE_BASE);
	r->words[LKD_VCPU_IDT_BASE] = SAVED(area, SAVE_IDT + SAVE_BASE);
	r->valid |= 1 << LKD_VCPU_RFLAGS | 1 << LKD_VCPU_CS | 1 << LKD_VCPU_CS_BASE;
	r->valid |= 1 << LKD_VCPU_GDT_BASE | 1 << LKD_VCPU_IDT_BASE;
	/* the processor itself saves no more; KVM saves these to the block of the guest proper, whatever a guest's own guest does */
	if (!in_direct_map(s->c, base) || base & 4095)
		return;
	if (bpf_probe_read_kernel(w->vmemmap, SAVE_BYTES, (void *)(base + SAVE_AREA)))
		return;
	r->words[LKD_VCPU_FS_BASE] = SAVED(area, SAVE_FS + SAVE_BASE);
	r->words[LKD_VCPU_GS_BASE] = SAVED(area, SAVE_GS + SAVE_BASE);
	r->words[LKD_VCPU_TR_BASE] = SAVED(area, SAVE_TR + SAVE_BASE);
	r->words[LKD_VCPU_KERNEL_GS_BASE] = SAVED(area, SAVE_KERNEL_GS);
	r->words[LKD_VCPU_LSTAR] = SAVED(area, SAVE_LSTAR);
	r->valid |= 1 << LKD_VCPU_FS_BASE | 1 << LKD_VCPU_GS_BASE | 1 << LKD_VCPU_TR_BASE;
	r->valid |= 1 << LKD_VCPU_KERNEL_GS_BASE | 1u << LKD_VCPU_LSTAR;
}

/* A word that KVM itself keeps, and that it may have left to the processor. */
static __always_inline void kept_word(struct lkd_vcpu *r, __u32 word, __u64 offset, __u32 available, __u64 bit)
{
	if (offset == NOWHERE || bit >= 32 || !((available >> bit) & 1))
		return;
	r->words[word] = word_at(r->vcpu + offset);
	r->valid |= 1ull << word;
}

static __always_inline void vcpu_words(struct guests *s, struct lkd_vcpu *r)
{
	struct lkd_kvm *k = s->k;
	__u32 available = half_at(r->vcpu + k->vcpu_available);
	if (bpf_probe_read_kernel(r->words, (LKD_VCPU_RIP + 1) * 8, (void *)(r->vcpu + k->vcpu_regs)))
		return;
	r->valid = available & ((1 << (LKD_VCPU_RIP + 1)) - 1);
	kept_word(r, LKD_VCPU_CR0, k->vcpu_cr0, available, k->bit_cr0);
	kept_word(r, LKD_VCPU_CR2, k->vcpu_cr2, 1, 0);
	kept_word(r, LKD_VCPU_CR3, k->vcpu_cr3, available, k->bit_cr3);
	kept_word(r, LKD_VCPU_CR4, k->vcpu_cr4, available, k->bit_cr4);
	kept_word(r, LKD_VCPU_EFER, k->vcpu_efer, 1, 0);
	if (k->svm_block != NOWHERE && k->svm_base_block != NOWHERE)
		svm_words(s, r);
}

/* A machine's CPU. */
static long guest_vcpu(__u32 i, struct guests *s)
{
	struct lkd_kvm *k = s->k;
	struct lkd_vm *vm = vm_record(k, k->vm);
	if (!vm || k->vm >= k->vms || guests_late(s))
		return 1;
	if (!k->index)
		vm->first_vcpu = k->vcpus;
	if (k->index >= vm->vcpus) {
		/* what did not fit is counted, and this machine has what stands there */
		vm->vcpus = (k->vcpus < k->vcpu_room ? k->vcpus : k->vcpu_room) - vm->first_vcpu;
		if ((__s32)vm->vcpus < 0)
			vm->vcpus = 0;
		k->vm++;
		k->index = 0;
		return 0;
	}
	__u64 vcpu = xa_at(s, word_at(vm->kvm + k->kvm_vcpus), k->index);
	k->index++;
	if (!in_direct_map(s->c, vcpu)) {
		k->torn++;
		return 0;
	}
	struct lkd_vcpu *r = vcpu_record(k, k->vcpus);
	k->vcpus++;
	if (!r)
		return 0;
	r->vcpu = vcpu;
	r->block = 0;
	r->vm = k->vm;
	r->id = half_at(vcpu + k->vcpu_id);
	r->cpu = half_at(vcpu + k->vcpu_cpu);
	r->mode = half_at(vcpu + k->vcpu_mode);
	r->mp_state = half_at(vcpu + k->vcpu_mp_state);
	r->flags = 0;
	r->valid = 0;
	for (int word = 0; word < LKD_VCPU_WORDS; word++)
		r->words[word] = 0;
	if (k->vcpu_protected != NOWHERE && half_at(vcpu + k->vcpu_protected) & 0xff)
		r->flags |= LKD_VCPU_PROTECTED;
	else
		vcpu_words(s, r);
	return 0;
}

/* Where the walk that has just ended stands: a large page's rest is still to come although the walk is behind it. */
static __always_inline __u64 walk_rest(__u64 end)
{
	__u32 key = 0;
	struct lkd_scratch *w = bpf_map_lookup_elem(&lkd_scratch, &key);
	return w ? (w->walk.at < end ? w->walk.at : end) - (w->walk.left << 12) : 0;
}

/* A slot's pages.  The stack is short here: what must be kept over the walk is in the map. */
static long guest_pages(__u32 i, struct guests *s)
{
	struct lkd_kvm *k = s->k;
	struct lkd_vm_slot *r = slot_record(k, k->walked);
	if (k->walked >= k->slots || !r)
		return 1;
	struct lkd_vm *vm = vm_record(k, r->vm);
	if (vm && !r->same && in_direct_map(s->c, vm->pgd)) {
		k->index = s->c->lanes[LKD_LANE_GUEST].wanted;
		k->at = r->hva + (r->pages << 12);
		__u64 from = k->resume > r->hva && k->resume < k->at ? k->resume : r->hva;
		k->status |= walk_user(s->c, vm->pgd, from, k->at, LKD_LANE_GUEST, s->deadline_ns);
		r->listed += s->c->lanes[LKD_LANE_GUEST].wanted - k->index;
		if (k->status) {
			k->resume = walk_rest(k->at);
			return 1;
		}
	}
	k->resume = 0;
	k->walked++;
	return 0;
}

/* What they are.  A function that the verifier walks by itself, and whose stack is free again when pages are listed. */
__noinline int record_guests(__u64 deadline_ns)
{
	__u32 key = 0;
	struct guests s = { .deadline_ns = deadline_ns, .c = ctl(), .k = bpf_map_lookup_elem(&lkd_kvm, &key) };
	struct lkd_kvm *k = s.k;
	if (!s.c || !k || !k->list)
		return 1;
	k->status = 0;
	if (k->recorded)
		return 0;
	k->vms = 0;
	k->slots = 0;
	k->vcpus = 0;
	k->torn = 0;
	k->walked = 0;
	k->resume = 0;
	k->at = k->list;
	if (bpf_loop(MOST_LINKS, guest_vm, &s, 0) == MOST_LINKS)
		k->torn++;
	k->vm = 0;
	k->space = 0;
	k->set = 0;
	k->node = 0;
	if (bpf_loop(16 * MOST_LINKS, guest_slot, &s, 0) == 16 * MOST_LINKS)
		k->torn++;
	k->vm = 0;
	k->index = 0;
	if (bpf_loop(MOST_LINKS, guest_vcpu, &s, 0) == MOST_LINKS)
		k->torn++;
	k->recorded = !k->status;
	return !k->recorded;
}

/* Gives lkd_status bits.  By one CPU at a time: the trigger's, or user space's test run after a freeze that ended before all was
 * done. */
static __always_inline __u32 list_guests(struct lkd_ctl *c, __u64 deadline_ns)
{
	__u32 key = 0;
	struct lkd_kvm *k = bpf_map_lookup_elem(&lkd_kvm, &key);
	if (!k)
		return LKD_DEADLINE;
	struct guests s = { .deadline_ns = deadline_ns, .c = c, .k = k };
	if (!record_guests(deadline_ns))
		bpf_loop(MOST_LINKS, guest_pages, &s, 0);
	if (k->torn || k->vms > k->vm_room || k->slots > k->slot_room || k->vcpus > k->vcpu_room)
		k->status |= LKD_GUESTS_CUT;
	return k->status;
}

#endif
