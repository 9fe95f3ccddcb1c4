/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does reading a guest's memory make its vCPU leave the guest? noexit SPEC QMP-SOCKET [READS [ROUNDS]], prints JSON.
 *
 * Intervals take turns: in one, READS pages of the guest are read; in the control, as many are copied from memory of our own
 * with the same pauses, so that both load the host alike. The vCPU's own statistics are taken before and after each: KVM's
 * `exits` (QMP query-stats, which is KVM_GET_STATS_FD), or where there are none the context switches of the vCPU's thread.
 * The exit status is 1 when reading costs more than one exit in ten reads beyond the control: were reading to cause exits, it
 * would be one a read, and a busy host preempts vCPUs now and then. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest/guest.h"
#include "guest/qmp.h"

enum {
	READS = 10000,
	ROUNDS = 5,
	READS_A_PAUSE = 100,
	PAUSE_MS = 10,
	TIMEOUT_MS = 5000,
	ROUNDS_MAX = 100
};

/* Where the numbers come from. */
struct source {
	struct ksma_qmp *qmp;
	int pid, thread; /* of the vCPU */
	bool kvm;	 /* query-stats has `exits` */
};

static void die(struct ksma_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "noexit: %s\n", error->message);
	exit(3);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		die(ksma_error_os(errno, "cannot connect to %s", path));
	return fd;
}

/* The value of a statistic of the first vCPU; -1 when there is none of that name. */
static int64_t find_statistic(struct json_object *result, const char *name)
{
	struct json_object *vcpu = json_object_array_get_idx(result, 0), *stats, *value;

	if (!json_object_object_get_ex(vcpu, "stats", &stats))
		return -1;
	for (size_t i = 0; i < json_object_array_length(stats); i++) {
		struct json_object *stat = json_object_array_get_idx(stats, i);

		if (json_object_object_get_ex(stat, "name", &value) &&
		    strcmp(json_object_get_string(value), name) == 0 &&
		    json_object_object_get_ex(stat, "value", &value))
			return json_object_get_int64(value);
	}
	return -1;
}

static int64_t kvm_exits(struct source *source)
{
	struct ksma_qmp_call call = { .command = "query-stats",
				      .arguments = "{\"target\":\"vcpu\"}" };
	int64_t exits = -1;

	die(ksma_qmp_run(source->qmp, &call, 1));
	if (call.result && json_object_is_type(call.result, json_type_array))
		exits = find_statistic(call.result, "exits");
	ksma_qmp_calls_deinit(&call, 1);
	return exits;
}

/* Both kinds of context switch of the vCPU's thread: an exit to QEMU need not make one, but waiting for anything does. */
static int64_t thread_switches(const struct source *source)
{
	_cleanup_free_ char *path = NULL, *status = NULL;
	int64_t sum = 0;

	die(ksma_asprintf(&path, "/proc/%d/task/%d/status", source->pid, source->thread));
	die(ksma_read_file(path, 1 << 16, &status, NULL));
	for (const char *p = status; (p = strstr(p, "voluntary_ctxt_switches:")); p++)
		sum += atoll(p + strlen("voluntary_ctxt_switches:"));
	return sum;
}

static int64_t take(struct source *source)
{
	return source->kvm ? kvm_exits(source) : thread_switches(source);
}

static int find_thread(struct source *source)
{
	struct ksma_qmp_call call = { .command = "query-cpus-fast" };
	struct json_object *value;
	int thread = -1;

	die(ksma_qmp_run(source->qmp, &call, 1));
	die(call.error);
	if (json_object_object_get_ex(json_object_array_get_idx(call.result, 0), "thread-id",
				      &value))
		thread = json_object_get_int(value);
	ksma_qmp_calls_deinit(&call, 1);
	return thread;
}

/* READS pages all over the guest's RAM, or (guest NULL) as many of our own. */
static void read_pages(struct ksma_guest *guest, const uint8_t *own, size_t own_size,
		       unsigned reads)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000l };
	const struct ksma_ram_region *region = NULL;
	static uint8_t page[KSMA_PAGE_SIZE];
	uint64_t place = 0;
	size_t count;

	if (guest)
		ksma_guest_regions(guest, &region, &count);
	for (unsigned i = 0; i < reads; i++) {
		place += 0x9e3779b97f4a7000ull;
		if (guest)
			die(ksma_guest_read(guest, ksma_gpa_of(region->gpa + place % region->size),
					    page, sizeof(page)));
		else
			memcpy(page, own + place % own_size, sizeof(page));
		if (i % READS_A_PAUSE == 0) {
			if (guest)
				die(ksma_guest_refresh(guest)); /* every page is read afresh */
			nanosleep(&pause, NULL);
		}
	}
}

static int64_t sum_of(const int64_t *values, unsigned count)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += values[i];
	return sum;
}

static void print_values(const char *key, const int64_t *values, unsigned count)
{
	printf("\"%s\":[", key);
	for (unsigned i = 0; i < count; i++)
		printf("%s%" PRId64, i ? "," : "", values[i]);
	printf("],");
}

static void measure(struct source *source, struct ksma_guest *guest, unsigned reads,
		    unsigned rounds, int64_t *control, int64_t *reading)
{
	const size_t own_size = 16 << 20;
	uint8_t *own = malloc(own_size);

	if (!own)
		die(ksma_error_nomem());
	memset(own, 1, own_size);
	read_pages(guest, own, own_size, reads); /* what is paid once is paid before */
	for (unsigned i = 0; i < rounds; i++) {
		int64_t start = take(source);

		read_pages(NULL, own, own_size, reads);
		control[i] = take(source) - start;
		start = take(source);
		read_pages(guest, own, own_size, reads);
		reading[i] = take(source) - start;
	}
	free(own);
}

int main(int argc, char **argv)
{
	const struct ksma_guest_options options = { .memory_only = true };
	unsigned reads = argc > 3 ? (unsigned)atoi(argv[3]) : READS,
		 rounds = argc > 4 ? (unsigned)atoi(argv[4]) : ROUNDS;
	int64_t control[ROUNDS_MAX], reading[ROUNDS_MAX];
	const struct ksma_guest_info *info;
	struct source source = { 0 };
	struct ksma_guest *guest;
	double extra;

	if (argc < 3 || argc > 5 || reads == 0 || rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: noexit SPEC QMP-SOCKET [READS [ROUNDS]]\n");
		return 2;
	}
	die(ksma_guest_open(argv[1], &options, &guest));
	die(ksma_qmp_create(connect_to(argv[2]), argv[2], TIMEOUT_MS, &source.qmp));
	die(ksma_qmp_greet(source.qmp));
	info = ksma_guest_info(guest);
	source.pid = info->pid;
	source.thread = find_thread(&source);
	source.kvm = kvm_exits(&source) >= 0;
	measure(&source, guest, reads, rounds, control, reading);
	extra = (double)(sum_of(reading, rounds) - sum_of(control, rounds)) / rounds / reads;
	printf("{\"name\":\"%s\",\"accelerator\":\"%s\",\"access\":\"%s\",\"statistic\":\"%s\",\"reads\":%u,\"bytes\":%d,\"rounds\":%u,",
	       info->name, info->accelerator, info->access == KSMA_RAM_MAPPED ? "mapped" : "copied",
	       source.kvm ? "kvm exits" : "context switches of the vCPU thread", reads,
	       KSMA_PAGE_SIZE, rounds);
	print_values("control", control, rounds);
	print_values("reading", reading, rounds);
	printf("\"extra_per_read\":%.5f}\n", extra);
	ksma_qmp_destroy(source.qmp);
	ksma_guest_destroy(guest);
	return extra > 0.1;
}
