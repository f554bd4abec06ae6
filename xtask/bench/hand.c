// SPDX-License-Identifier: Apache-2.0 OR MIT
// Loads one program of hand.bpf.o, prints its records until SIGINT, then tells made, delivered and dropped on stderr.
// usage: hand OBJECT PROGRAM [once]     once: attach and leave, as a script whose BEGIN exits
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record {
	__u64 when;
	__u32 cpu;
	__u32 probe;
	__s64 value;
};

static volatile sig_atomic_t done;
static unsigned long long delivered;

static void stop(int sig)
{
	(void)sig;
	done = 1;
}

static int show(void *unused, void *data, size_t size)
{
	const struct record *r = data;

	(void)unused;
	(void)size;
	printf("%3u %6u %lld\n", r->cpu, r->probe, (long long)r->value);
	delivered++;
	return 0;
}

static unsigned long long total(int map, __u32 which)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *values = calloc(cpus, sizeof(*values));
	unsigned long long sum = 0;

	if (values && !bpf_map_lookup_elem(map, &which, values))
		for (int i = 0; i < cpus; i++)
			sum += values[i];
	free(values);
	return sum;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program, *wanted = NULL;
	struct ring_buffer *ring;
	int counts;

	if (argc < 3)
		return 2;
	object = bpf_object__open_file(argv[1], NULL);
	if (!object)
		return 1;
	bpf_object__for_each_program(program, object) {
		if (!strcmp(bpf_program__name(program), argv[2]))
			wanted = program;
		else
			bpf_program__set_autoload(program, false);
	}
	if (!wanted || bpf_object__load(object) || !bpf_program__attach(wanted))
		return 1;
	if (argc > 3)
		return 0;
	signal(SIGINT, stop);
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "ring"), show, NULL, NULL);
	counts = bpf_object__find_map_fd_by_name(object, "counts");
	if (!ring)
		return 1;
	fputs("ready\n", stderr);
	while (!done)
		ring_buffer__poll(ring, 100);
	ring_buffer__consume(ring);
	fprintf(stderr, "made %llu delivered %llu dropped %llu\n", total(counts, 0), delivered, total(counts, 1));
	return 0;
}
