// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 OR MIT
// The programs that a person would write by hand for what the benchmarks ask of dtrace, on the same attach point.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define NR_getppid 110

struct pt_regs {
	unsigned long orig_ax;
} __attribute__((preserve_access_index));

struct record {
	__u64 when;
	__u32 cpu;
	__u32 probe;
	__s64 value;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&counts, &which);

	if (n)
		*n += 1;
}

static __always_inline void emit(__s64 value)
{
	struct record *r = bpf_ringbuf_reserve(&ring, sizeof(*r), 0);

	count(0);
	if (!r) {
		count(1);
		return;
	}
	r->when = bpf_ktime_get_ns();
	r->cpu = bpf_get_smp_processor_id();
	r->probe = 1;
	r->value = value;
	bpf_ringbuf_submit(r, 0);
}

// syscall:::return / (uint32_t)arg0 == 0xc0000001 / { trace(0); }
SEC("raw_tp/sys_exit")
int untaken(struct bpf_raw_tracepoint_args *ctx)
{
	if ((__u32)ctx->args[1] == 0xc0000001)
		emit(0);
	return 0;
}

// syscall::getppid:return { printf("%d\n", arg0); }
SEC("raw_tp/sys_exit")
int print(struct bpf_raw_tracepoint_args *ctx)
{
	struct pt_regs *regs = (void *)ctx->args[0];
	unsigned long nr;

	bpf_probe_read_kernel(&nr, sizeof(nr), __builtin_preserve_access_index(&regs->orig_ax));
	if (nr == NR_getppid)
		emit(ctx->args[1]);
	return 0;
}

// BEGIN { exit(0); } with syscall:::return {}
SEC("raw_tp/sys_exit")
int nothing(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
