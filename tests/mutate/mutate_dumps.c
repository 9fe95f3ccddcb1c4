/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damages a real dump in a thousand ways and looks at each: no crash, no hang, no sanitizer report, only documented ends.
 *
 * mutate_dumps --elf DUMP --kdump DUMP --scratch FOLDER [--seed N] [--count N] [--verbose]
 *
 * Each damage is made in a child process, from its number alone: what number 1234 does can be done again with --seed 1234
 * --count 1. Most damage the ELF dump's memory in a private mapping; every tenth damages the bytes of a dump file. The last
 * line is a summary as JSON. Made to run in the build with AddressSanitizer and UndefinedBehaviorSanitizer. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest/dump.h"
#include "mutate.h"

enum {
	CPU_SECONDS = 10,      /* of one look: more is a hang */
	WALL_SECONDS = 60,     /* the machine may be busy */
	STATUS_SANITIZER = 99, /* as the options below say */
	STATUS_LEAK = 98,
	STATUS_MAX = 128,
	FILE_KINDS = 3, /* header and contents of the ELF dump, the kdump */
};

int __lsan_do_recoverable_leak_check(void) __attribute__((weak));
KSMA_API const char *__asan_default_options(void);
KSMA_API const char *__ubsan_default_options(void);

/* A report must not look like an exit status of ours, and no size that the guest gives may be allocated as it is. */
const char *__asan_default_options(void)
{
	return "exitcode=99:detect_leaks=1:max_allocation_size_mb=512";
}

const char *__ubsan_default_options(void)
{
	return "exitcode=99:print_stacktrace=1:halt_on_error=1";
}

/* A dump file that is damaged in place, and mended from the original. */
struct copy {
	int original, fd;
	uint64_t size;
};

struct options {
	const char *elf, *kdump, *scratch;
	uint64_t seed, count;
	bool verbose;
};

struct tally {
	unsigned runs, understood, failed;
};

struct run {
	struct image image;
	struct copy copies[2];	   /* ELF, kdump */
	struct progress *progress; /* shared with the child */
	unsigned statuses[STATUS_MAX];
	struct tally tallies[64];
	unsigned failures;
	double longest;
	long largest; /* resident KiB */
};

static void die(const char *what)
{
	fprintf(stderr, "mutate_dumps: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void copy_bytes(const struct copy *copy)
{
	static uint8_t buffer[1 << 20];
	off_t place = 0;
	ssize_t n;

	while ((n = pread(copy->original, buffer, sizeof(buffer), place)) > 0) {
		if (pwrite(copy->fd, buffer, (size_t)n, place) != n)
			die("copying a dump");
		place += n;
	}
	if (n < 0)
		die("copying a dump");
}

static void copy_open(struct copy *copy, const char *path, const char *scratch)
{
	_cleanup_free_ char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s/dump-XXXXXX", scratch) < 0)
		die("memory");
	copy->original = open(path, O_RDONLY | O_CLOEXEC);
	if (copy->original < 0 || fstat(copy->original, &st) < 0)
		die(path);
	copy->fd = mkstemp(name);
	if (copy->fd < 0)
		die(name);
	unlink(name);
	copy->size = (uint64_t)st.st_size;
	copy_bytes(copy);
}

/* --- in the child ------------------------------------------------------------------------------------------------------ */

static int look_at_file(const struct copy *copy, struct progress *progress)
{
	struct ksma_guest *guest;
	struct ksma_error *error = ksma_dump_open_fd(dup(copy->fd), "dump", &guest);
	int status;

	if (error) {
		snprintf(progress->message, sizeof(progress->message), "%s", error->message);
		ksma_error_destroy(error);
		return 3;
	}
	status = pipeline_run(guest, progress);
	ksma_guest_destroy(guest);
	return status;
}

static int look_at_memory(struct run *run, size_t kind, struct chance *chance)
{
	if (chance_below(chance, 4) == 0)
		image_copy(&run->image);
	mutations[kind].apply(&run->image, chance);
	return pipeline_run(&run->image.guest, run->progress);
}

/* --- in the parent ----------------------------------------------------------------------------------------------------- */

/* Waits for the child; a time limit beyond that of the processor is kept here. @return its wait status */
static int wait_for(pid_t pid, struct rusage *usage)
{
	const struct timespec pause = { .tv_nsec = 2 * 1000000 };
	uint64_t deadline = ksma_now_ns() + WALL_SECONDS * 1000000000ull;
	bool killed = false;
	int status;

	for (;;) {
		pid_t ended = wait4(pid, &status, WNOHANG, usage);

		if (ended == pid)
			return status;
		if (ended < 0 && errno != EINTR)
			die("wait");
		if (!killed && ksma_now_ns() > deadline) {
			kill(pid, SIGKILL);
			killed = true;
		}
		nanosleep(&pause, NULL);
	}
}

static const char *name_of(size_t kind)
{
	static const char *const files[FILE_KINDS] = { "file: ELF headers", "file: ELF contents",
						       "file: kdump" };

	return kind < mutations_count ? mutations[kind].name : files[kind - mutations_count];
}

/* Says what is wrong with how a child ended; NULL when nothing is. */
static const char *judge(int status)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL
			       ? "took too long"
			       : "was ended by a signal";
	switch (WEXITSTATUS(status)) {
	case 0:
	case 1:
	case 3:
		return NULL;
	case STATUS_LEAK:
		return "leaked memory";
	case STATUS_SANITIZER:
		return "was reported by a sanitizer";
	default:
		return "ended with a status that is not documented";
	}
}

static void account(struct run *run, uint64_t seed, size_t kind, int status,
		    const struct rusage *usage, bool verbose)
{
	const char *wrong = judge(status);
	double seconds = (double)usage->ru_utime.tv_sec + (double)usage->ru_stime.tv_sec +
			 (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;

	run->tallies[kind].runs++;
	run->tallies[kind].understood += run->progress->kernel;
	if (WIFEXITED(status))
		run->statuses[WEXITSTATUS(status) % STATUS_MAX]++;
	if (seconds > run->longest)
		run->longest = seconds;
	if (usage->ru_maxrss > run->largest)
		run->largest = usage->ru_maxrss;
	if (wrong) {
		run->failures++;
		run->tallies[kind].failed++;
	}
	if (wrong || verbose)
		printf("mutate_dumps: seed %" PRIu64
		       " (%s) %s at stage %u, status 0x%x, %.2f s: %u processes, %u findings; %s\n",
		       seed, name_of(kind), wrong ? wrong : "is fine", run->progress->stage,
		       (unsigned)status, seconds, run->progress->processes, run->progress->findings,
		       run->progress->message);
	fflush(stdout);
}

static void one(struct run *run, uint64_t seed, bool verbose)
{
	const struct rlimit limit = { .rlim_cur = CPU_SECONDS, .rlim_max = CPU_SECONDS + 5 };
	struct chance chance = { .state = seed * 0x2545f4914f6cdd1dull + 1 };
	size_t kind = seed % 10 == 9 ? mutations_count + seed / 10 % FILE_KINDS
				     : (seed / 10 * 9 + seed % 10) % mutations_count;
	struct copy *copy = NULL;
	struct rusage usage;
	pid_t pid;
	int status;

	memset(run->progress, 0, sizeof(*run->progress));
	if (kind >= mutations_count) {
		uint64_t size;

		copy = &run->copies[kind == mutations_count + 2];
		size = mutate_file(copy->fd, copy->size, kind == mutations_count, &chance);
		if (ftruncate(copy->fd, (off_t)size) < 0)
			die("ftruncate");
	}
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		setrlimit(RLIMIT_CPU, &limit);
		status = copy ? look_at_file(copy, run->progress)
			      : look_at_memory(run, kind, &chance);
		if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
			_exit(STATUS_LEAK);
		_exit(status);
	}
	status = wait_for(pid, &usage);
	if (copy)
		copy_bytes(copy);
	account(run, seed, kind, status, &usage, verbose);
}

/* --- do the alarms ring? ----------------------------------------------------------------------------------------------- */

static volatile int largest_int = 0x7fffffff;
static volatile size_t eight = 8;
static void *volatile lost;

static void overflow(void)
{
	largest_int = largest_int + 1;
}

static void overrun(void)
{
	volatile char *bytes = malloc(eight);

	bytes[eight] = 1;
	free((void *)bytes);
}

static void leak(void)
{
	lost = malloc(100);
	lost = NULL;
}

static int status_of(void (*defect)(void))
{
	struct rusage usage;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		fclose(stderr); /* the report is expected */
		close(2);
		defect();
		if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
			_exit(STATUS_LEAK);
		_exit(0);
	}
	return WEXITSTATUS(wait_for(pid, &usage));
}

/* A defect that is made on purpose must be seen; a build without sanitizers sees none, and says so. */
static void check_alarms(void)
{
	if (!__lsan_do_recoverable_leak_check) {
		printf("mutate_dumps: this build has no sanitizers: only crashes, hangs and odd statuses are seen\n");
		return;
	}
	if (status_of(overflow) != STATUS_SANITIZER || status_of(overrun) != STATUS_SANITIZER ||
	    status_of(leak) != STATUS_LEAK) {
		fprintf(stderr,
			"mutate_dumps: a defect made on purpose was not reported: the sanitizers do not work here\n");
		exit(2);
	}
}

static void summary(const struct run *run, const struct options *options)
{
	for (size_t i = 0; i < mutations_count + FILE_KINDS; i++)
		if (run->tallies[i].runs)
			printf("mutate_dumps: %-28s %4u looks, the kernel understood in %4u, %u wrong\n",
			       name_of(i), run->tallies[i].runs, run->tallies[i].understood,
			       run->tallies[i].failed);
	printf("{\"seed\":%" PRIu64 ",\"count\":%" PRIu64
	       ",\"clean\":%u,\"findings\":%u,\"incomplete\":%u,\"failures\":%u,"
	       "\"longest_cpu_s\":%.2f,\"largest_rss_kib\":%ld}\n",
	       options->seed, options->count, run->statuses[0], run->statuses[1], run->statuses[3],
	       run->failures, run->longest, run->largest);
}

static int parse(int argc, char **argv, struct options *options)
{
	*options = (struct options){ .count = 100 };
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--verbose") == 0) {
			options->verbose = true;
			continue;
		}
		if (!value)
			return -1;
		i++;
		if (strcmp(argv[i - 1], "--elf") == 0)
			options->elf = value;
		else if (strcmp(argv[i - 1], "--kdump") == 0)
			options->kdump = value;
		else if (strcmp(argv[i - 1], "--scratch") == 0)
			options->scratch = value;
		else if (strcmp(argv[i - 1], "--seed") == 0)
			options->seed = strtoull(value, NULL, 0);
		else if (strcmp(argv[i - 1], "--count") == 0)
			options->count = strtoull(value, NULL, 0);
		else
			return -1;
	}
	return options->elf && options->kdump && options->scratch ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct options options;
	static struct run run;

	if (parse(argc, argv, &options) < 0) {
		fprintf(stderr,
			"usage: mutate_dumps --elf DUMP --kdump DUMP --scratch FOLDER [--seed N] [--count N] [--verbose]\n");
		return 2;
	}
	run.progress = mmap(NULL, sizeof(*run.progress), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.progress == MAP_FAILED)
		die("mmap");
	copy_open(&run.copies[0], options.elf, options.scratch);
	copy_open(&run.copies[1], options.kdump, options.scratch);
	check_alarms();
	image_open(&run.image, options.elf);
	for (uint64_t i = 0; i < options.count; i++) {
		one(&run, options.seed + i, options.verbose);
		if ((i + 1) % 100 == 0)
			printf("mutate_dumps: %" PRIu64 " of %" PRIu64 ", %u wrong\n", i + 1,
			       options.count, run.failures);
	}
	summary(&run, &options);
	return run.failures != 0;
}
