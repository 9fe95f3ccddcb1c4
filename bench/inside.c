/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures what a program that stays attached to a guest gets: lists, single reads and checks, without the cost of a process. */
#include <inttypes.h>

#include "base/budget.h"
#include "guest/guest.h"
#include "linux/kernel.h"
#include <ksma/check.h>

enum { RUNS = 101, HOT_READS = 2000000, PAGES = 16384, MS = 1000000 };

static volatile uint64_t sink;

/* What one measurement needs. */
struct bench {
	struct ksma_guest *guest;
	struct ksma_kernel *kernel;
	uint64_t gpa, gva; /* of something that is read again and again */
	uint64_t *pages;   /* physical addresses of mapped pages */
	size_t page_count;
};

static void die(struct ksma_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "inside: %s\n", error->message);
	exit(3);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Runs fn several times and prints nanoseconds for one of `units` things: the minimum and the median. */
static void measure(const char *name, struct bench *b, uint64_t (*fn)(struct bench *),
		    unsigned runs, double units, const char *unit)
{
	uint64_t times[RUNS], last = 0;

	for (unsigned i = 0; i < runs; i++) {
		uint64_t start = ksma_now_ns();

		last = fn(b);
		times[i] = ksma_now_ns() - start;
	}
	qsort(times, runs, sizeof(*times), by_value);
	printf("{\"name\":\"%s\",\"min\":%.4g,\"median\":%.4g,\"unit\":\"%s\",\"things\":%" PRIu64
	       "}\n",
	       name, (double)times[0] / units, (double)times[runs / 2] / units, unit, last);
}

static uint64_t list_processes(struct bench *b)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes processes;
	uint64_t count;

	die(ksma_linux_processes(b->kernel, 0, &coverage, &processes));
	count = processes.count;
	ksma_processes_free(&processes);
	ksma_coverage_deinit(&coverage);
	return count;
}

static uint64_t list_processes_whole(struct bench *b)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes processes;
	uint64_t count;

	die(ksma_linux_processes(b->kernel, KSMA_PROCESS_EXE | KSMA_PROCESS_CMDLINE, &coverage,
				 &processes));
	count = processes.count;
	ksma_processes_free(&processes);
	ksma_coverage_deinit(&coverage);
	return count;
}

static uint64_t list_modules(struct bench *b)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;
	uint64_t count;

	die(ksma_linux_modules(b->kernel, &coverage, &modules));
	count = modules.count;
	ksma_modules_free(&modules);
	ksma_coverage_deinit(&coverage);
	return count;
}

static uint64_t hot_physical(struct bench *b)
{
	uint64_t sum = 0, value;

	for (unsigned i = 0; i < HOT_READS; i++) {
		die(ksma_guest_read(b->guest, ksma_gpa_of(b->gpa + 8ul * (i & 255)), &value,
				    sizeof(value)));
		sum += value;
	}
	sink = sum;
	return HOT_READS;
}

static uint64_t hot_virtual(struct bench *b)
{
	uint64_t sum = 0, value;

	for (unsigned i = 0; i < HOT_READS; i++) {
		die(ksma_kernel_read(b->kernel, ksma_gva_of(b->gva + 8ul * (i & 255)), &value,
				     sizeof(value)));
		sum += value;
	}
	sink = sum;
	return HOT_READS;
}

static uint64_t read_pages(struct bench *b)
{
	uint8_t page[KSMA_PAGE_SIZE];

	for (size_t i = 0; i < b->page_count; i++)
		die(ksma_guest_read(b->guest, ksma_gpa_of(b->pages[i]), page, sizeof(page)));
	sink = page[0];
	return b->page_count;
}

/* The yardstick: the same pages, copied straight out of the mapping. */
static uint64_t copy_pages(struct bench *b)
{
	uint8_t page[KSMA_PAGE_SIZE];
	size_t length = sizeof(page);

	/* Not known to the compiler, which would write a copy of its own for a length that is. */
	__asm__ volatile("" : "+r"(length));
	for (size_t i = 0; i < b->page_count; i++) {
		const uint8_t *from = ksma_guest_mapped(b->guest, b->pages[i], KSMA_PAGE_SIZE);

		if (from)
			memcpy(page, from, length);
		__asm__ volatile("" : : "r"(page) : "memory"); /* the copy counts as used */
	}
	return b->page_count;
}

static uint64_t check(struct bench *b, bool memory_only)
{
	struct ksma_check_options options = { .memory_only = memory_only };
	struct ksma_report report;
	uint64_t count;

	die(ksma_check_run(b->kernel, &options, &report));
	count = report.coverage.count;
	ksma_report_free(&report);
	return count;
}

static uint64_t check_all(struct bench *b)
{
	return check(b, false);
}

/* Code and constants of the kernel and its modules, byte for byte. */
static uint64_t prove(struct bench *b)
{
	const char *names[] = { "text", "rodata", "module-text", NULL };
	struct ksma_check_options options = { .names = names, .memory_only = true };
	struct ksma_report report;
	uint64_t vendor = 0;

	die(ksma_check_run(b->kernel, &options, &report));
	for (size_t i = 0; i < report.coverage.count; i++)
		vendor += report.coverage.items[i].reference &&
			  strcmp(report.coverage.items[i].reference, "vendor") == 0;
	ksma_report_free(&report);
	return vendor;
}

/* The same, the vendor's image and modules loaded, moved and patched anew. */
static uint64_t prove_first(struct bench *b)
{
	if (b->kernel->reference_destroy)
		b->kernel->reference_destroy(b->kernel->reference);
	b->kernel->reference = NULL;
	return prove(b);
}

static uint64_t registers_basic(struct bench *b)
{
	struct ksma_registers registers;

	die(ksma_guest_registers(b->guest, KSMA_REGISTERS_BASIC, &registers));
	ksma_registers_free(&registers);
	return 1;
}

static uint64_t registers_msrs(struct bench *b)
{
	struct ksma_registers registers;
	uint64_t pause;

	die(ksma_guest_registers(b->guest, KSMA_REGISTERS_MSRS, &registers));
	pause = registers.pause_us;
	ksma_registers_free(&registers);
	return pause;
}

/* Pages that hold data, so that nothing is allocated by reading. */
static void pick_pages(struct bench *b)
{
	uint64_t gpa = 0, length;

	b->pages = calloc(PAGES, sizeof(*b->pages));
	if (!b->pages)
		die(ksma_error_nomem());
	while (b->page_count < PAGES && ksma_guest_next_data(b->guest, &gpa, &length)) {
		for (uint64_t at = ksma_align_up(gpa, KSMA_PAGE_SIZE);
		     at + KSMA_PAGE_SIZE <= gpa + length && b->page_count < PAGES;
		     at += KSMA_PAGE_SIZE)
			b->pages[b->page_count++] = at;
		gpa += length;
	}
}

int main(int argc, char **argv)
{
	struct ksma_kernel_options options = { .cache_dir = "" };
	struct bench b = { 0 };

	if (argc != 2) {
		fprintf(stderr, "usage: inside VM\n");
		return 2;
	}
	die(ksma_guest_open(argv[1], NULL, &b.guest));
	die(ksma_kernel_open(b.guest, &options, &b.kernel));
	b.gva = ksma_kernel_symbol(b.kernel, "init_task") & ~7ull;
	if (!ksma_space_try_translate(&b.kernel->space, b.gva, &b.gpa))
		die(ksma_error_fault(b.gva, "init_task is not mapped"));
	pick_pages(&b);
	measure("process list", &b, list_processes, RUNS, MS, "ms");
	measure("process list with programs and command lines", &b, list_processes_whole, RUNS, MS,
		"ms");
	measure("module list", &b, list_modules, RUNS, MS, "ms");
	measure("8-byte physical read", &b, hot_physical, 7, HOT_READS, "ns");
	measure("8-byte virtual read", &b, hot_virtual, 7, HOT_READS, "ns");
	measure("4 KiB physical read", &b, read_pages, 15, (double)b.page_count, "ns");
	measure("4 KiB memcpy from the mapping", &b, copy_pages, 15, (double)b.page_count, "ns");
	measure("all checks, registers included", &b, check_all, 31, MS, "ms");
	measure("code and constants, the first look", &b, prove_first, 15, MS, "ms");
	measure("code and constants, again", &b, prove, RUNS, MS, "ms");
	measure("registers, basic", &b, registers_basic, 31, MS, "ms");
	measure("registers with MSRs", &b, registers_msrs, 31, MS, "ms");
	free(b.pages);
	ksma_kernel_destroy(b.kernel);
	ksma_guest_destroy(b.guest);
	return 0;
}
