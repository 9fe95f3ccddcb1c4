/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes bytes of a guest's kernel from outside, looks, and puts them back: each has to be found, by its own name.
 *
 *   flip PID KIND COUNT SEED     KIND: text, rodata, module-text, after-init (what boot set); made (ftrace trampolines and the copies that
 *                                kprobes make, found by text); the guest should stand still (SIGSTOP to QEMU)
 *   flip PID plausible COUNT SEED   patch sites get an encoding that such a site may hold, and not now: a jump label goes elsewhere, a static
 *                                call and a traced function call another function; COUNT of each kind in the image, and COUNT in modules
 *   flip PID at SYMBOL+OFF HEX   (or an address)
 *                                 writes bytes and leaves them
 *
 * Prints "found N of COUNT" and exits with 0 when all were; what was missed, or misnamed, goes to standard error. */
#include <fcntl.h>
#include <inttypes.h>

#include "base/util.h"
#include "checks/reference.h"
#include "linux/ftrace.h"
#include "linux/kernel.h"
#include "linux/modules.h"
#include <ksma/check.h>

enum { AT_ONCE = 16, MAX_RANGES = 512 };

struct flip {
	uint64_t gva;
	uint8_t was, is;
};

static struct {
	uint64_t start, size;
} ranges[MAX_RANGES];
static size_t range_count;
static uint64_t total;
static uint64_t state;
static int memory = -1;

static void fail(struct ksma_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "flip: %s\n", error->message);
	exit(2);
}

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void add(uint64_t start, uint64_t end)
{
	if (!start || end <= start || range_count == MAX_RANGES)
		return;
	ranges[range_count].start = start;
	ranges[range_count++].size = end - start;
	total += end - start;
}

/* Code that the kernel made: ftrace trampolines, but for the return at their end, and the slots of kprobes. */
static void choose_made(struct ksma_kernel *kernel)
{
	enum { TAIL = 13, COPY = 1, OPTIMIZED = 64 };
	struct ksma_proof proof = { .kernel = kernel };
	struct ksma_ftrace ftrace;

	fail(ksma_linux_ftrace(kernel, &ftrace));
	for (size_t i = 0; i < ftrace.count; i++)
		if (ftrace.items[i].trampoline_size > TAIL &&
		    !ksma_kernel_is_text(kernel, ftrace.items[i].trampoline))
			add(ftrace.items[i].trampoline,
			    ftrace.items[i].trampoline + ftrace.items[i].trampoline_size - TAIL);
	ksma_ftrace_deinit(&ftrace);
	fail(ksma_proof_read_probes(&proof));
	for (size_t i = 0; i < proof.probes.count; i++) {
		const struct ksma_armed *armed = &proof.probes.items[i];

		add(armed->step, armed->step + COPY);
		add(armed->jump, armed->jump + OPTIMIZED);
	}
	free(proof.probes.items);
}

static void choose_ranges(struct ksma_kernel *kernel, const char *kind)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;

	if (strcmp(kind, "text") == 0) {
		add(kernel->text, kernel->etext);
	} else if (strcmp(kind, "rodata") == 0) {
		add(ksma_kernel_symbol(kernel, "__start_rodata"),
		    ksma_kernel_symbol(kernel, "__start_ro_after_init"));
		add(ksma_kernel_symbol(kernel, "__end_ro_after_init"),
		    ksma_kernel_symbol(kernel, "__stop_BTF"));
	} else if (strcmp(kind, "after-init") == 0) {
		const struct ksma_reference *reference = kernel->reference;
		const struct ksma_proof_unit *unit = &reference->proof->unit;

		for (size_t i = 0; i < unit->late_count; i++)
			add(unit->late[i].gva, unit->late[i].gva + unit->late[i].size);
	} else if (strcmp(kind, "made") == 0) {
		choose_made(kernel);
	} else {
		fail(ksma_linux_modules(kernel, &coverage, &modules));
		for (size_t i = 0; i < modules.count; i++)
			for (size_t j = 0; j < modules.items[i].memory_count; j++) {
				const struct ksma_module_memory *m = &modules.items[i].memory[j];
				uint32_t text = (uint32_t)m->size;

				if (!m->text)
					continue;
				if (kernel->off.module_layout__text_size != KSMA_NO_MEMBER &&
				    kernel->off.module__core_layout != KSMA_NO_MEMBER)
					ksma_kernel_u32(
						kernel,
						modules.items[i].address +
							(uint64_t)kernel->off.module__core_layout +
							(uint64_t)kernel->off
								.module_layout__text_size,
						&text);
				add(m->base, m->base + text);
			}
		ksma_modules_free(&modules);
		ksma_coverage_deinit(&coverage);
	}
}

/* Within a page. */
static void write_page(struct ksma_kernel *kernel, uint64_t gva, const void *bytes, size_t size)
{
	const struct ksma_ram_region *regions;
	uint64_t gpa;
	size_t count;

	ksma_guest_regions(kernel->guest, &regions, &count);
	if (!ksma_space_try_translate(&kernel->space, gva, &gpa)) {
		fprintf(stderr, "flip: 0x%" PRIx64 " is not mapped\n", gva);
		exit(2);
	}
	for (size_t i = 0; i < count; i++)
		if (gpa - regions[i].gpa < regions[i].size) {
			if (pwrite(memory, bytes, size,
				   (off_t)(regions[i].hva + (gpa - regions[i].gpa))) !=
			    (ssize_t)size) {
				perror("flip: the guest's memory");
				exit(2);
			}
			return;
		}
}

/* The next page of a module lies anywhere: what reaches into it is written there, and not behind the first one's frame. */
static void write_guest(struct ksma_kernel *kernel, uint64_t gva, const void *bytes, size_t size)
{
	size_t here = KSMA_PAGE_SIZE - (gva & (KSMA_PAGE_SIZE - 1));

	here = size < here ? size : here;
	write_page(kernel, gva, bytes, here);
	if (size > here)
		write_page(kernel, gva + here, (const uint8_t *)bytes + here, size - here);
}

/* By these the kernel itself is known: with one of them changed it counts as another kernel, which is told in another way. */
static bool is_identity(struct ksma_kernel *kernel, uint64_t gva)
{
	static const struct {
		const char *name;
		uint64_t size;
	} known[] = { { "linux_banner", 256 },
		      { "page_offset_base", 8 },
		      { "vmalloc_base", 8 },
		      { "vmemmap_base", 8 },
		      { "__per_cpu_offset", 8 } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		uint64_t at = ksma_kernel_symbol(kernel, known[i].name);

		if (at && gva - at < known[i].size)
			return true;
	}
	return false;
}

static bool near_another(const struct flip *flips, size_t count, uint64_t gva)
{
	for (size_t i = 0; i < count; i++)
		if (gva + 64 > flips[i].gva && gva < flips[i].gva + 64)
			return true;
	return false;
}

/* What the kernel made has no name of its own: the finding says where. */
static bool has_address(const struct ksma_finding *finding, uint64_t gva)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%016" PRIx64, gva);
	for (size_t i = 0; i < finding->count; i++)
		if (strcmp(finding->items[i].key, "address") == 0 &&
		    strcmp(finding->items[i].value, text) == 0)
			return true;
	return false;
}

static bool is_found(struct ksma_kernel *kernel, const struct ksma_report *report, const char *kind,
		     const struct flip *flip)
{
	bool made = strcmp(kind, "made") == 0;
	char where[256], id[320];

	ksma_kernel_describe(kernel, ksma_gva_of(flip->gva), where, sizeof(where));
	snprintf(id, sizeof(id), "%s/%s", kind, where);
	for (size_t i = 0; i < report->findings.count; i++)
		if (made ? has_address(&report->findings.items[i], flip->gva)
			 : strcmp(report->findings.items[i].id, id) == 0)
			return true;
	fprintf(stderr, "missed: %s, 0x%" PRIx64 " %02x for %02x\n", id, flip->gva, flip->is,
		flip->was);
	return false;
}

static size_t round_of(struct ksma_kernel *kernel, const char *kind, size_t count)
{
	const char *names[] = { strcmp(kind, "made") == 0 ? "text" : kind, NULL };
	struct ksma_check_options options = { .names = names, .memory_only = true };
	struct flip flips[AT_ONCE];
	struct ksma_report report;
	size_t found = 0;

	for (size_t i = 0; i < count;) {
		uint64_t at = random64() % total, gva = 0;
		uint8_t byte;

		for (size_t j = 0; j < range_count; j++) {
			if (at < ranges[j].size) {
				gva = ranges[j].start + at;
				break;
			}
			at -= ranges[j].size;
		}
		if (near_another(flips, i, gva) || is_identity(kernel, gva) ||
		    !ksma_kernel_bytes(kernel, gva, &byte, 1))
			continue;
		flips[i] = (struct flip){ gva, byte, byte ^ (uint8_t)(1 + random64() % 255) };
		write_guest(kernel, gva, &flips[i].is, 1);
		i++;
	}
	fail(ksma_check_run(kernel, &options, &report));
	for (size_t i = 0; i < count; i++) {
		found += is_found(kernel, &report, kind, &flips[i]);
		write_guest(kernel, flips[i].gva, &flips[i].was, 1);
	}
	if (report.findings.count > count)
		fprintf(stderr, "flip: %zu findings for %zu changes\n", report.findings.count,
			count);
	ksma_report_free(&report);
	return found;
}

/* --- encodings that are plausible, and wrong --- */

struct site {
	uint64_t gva;
	size_t length;
	const char *kind, *check;
	uint8_t was[5], is[5];
};

static bool in_site(const struct ksma_finding *finding, const struct site *site)
{
	bool kind = false, place = false;

	for (size_t i = 0; i < finding->count; i++) {
		const struct ksma_evidence *e = &finding->items[i];

		if (strcmp(e->key, "site") == 0)
			kind = strcmp(e->value, site->kind) == 0;
		if (strcmp(e->key, "address") == 0)
			place = strtoull(e->value, NULL, 16) - site->gva < site->length;
	}
	return kind && place && strcmp(finding->check, site->check) == 0;
}

/* The start of some function of the kernel. */
static uint64_t any_function(struct ksma_kernel *kernel)
{
	for (;;) {
		const struct ksma_symbols *s = &kernel->symbols;
		uint64_t gva = ksma_symbol_address(s, &s->items[random64() % s->count]);

		if (ksma_kernel_is_text(kernel, gva))
			return gva;
	}
}

/* What a site of this kind may hold. @return false: nothing that differs from what it holds */
static bool mislead(struct ksma_kernel *kernel, struct site *site, uint64_t target)
{
	uint8_t opcode = site->was[0] == 0xe9 ? 0xe9 : 0xe8;

	memcpy(site->is, site->was, sizeof(site->is));
	if (strcmp(site->kind, "jump label") != 0) {
		ksma_patch_branch(site->is, opcode, site->gva, any_function(kernel));
	} else if (site->length == 5) {
		/* Into the midst of another function, or past the one instruction at its end. */
		ksma_patch_branch(site->is, 0xe9, site->gva, target + 16);
	} else {
		site->is[0] = 0xeb;
		site->is[1] = (uint8_t)(target + 1 - (site->gva + 2));
	}
	return memcmp(site->is, site->was, site->length) != 0;
}

static bool choose_site(struct ksma_kernel *kernel, struct ksma_proof_unit *unit, unsigned kind,
			struct site *site)
{
	size_t counts[] = { unit->jumps.count, unit->calls.count, unit->traces.count };
	uint64_t target = 0;
	size_t i;

	if (!counts[kind])
		return false;
	i = random64() % counts[kind];
	site->length = 5;
	if (kind == 0) {
		site->kind = "jump label";
		site->gva = unit->jumps.items[i].code;
		site->length = unit->jumps.items[i].size;
		target = unit->jumps.items[i].target;
	} else if (kind == 1) {
		site->kind = "static call";
		site->gva = unit->calls.items[i].code;
	} else {
		site->kind = "ftrace";
		site->gva = unit->traces.items[i].ip;
	}
	/* Those of init code are in the image's tables still, and their memory is somebody else's. */
	if (strcmp(site->check, "text") == 0 && !ksma_kernel_is_text(kernel, site->gva))
		return false;
	return ksma_kernel_bytes(kernel, site->gva, site->was, sizeof(site->was)) &&
	       mislead(kernel, site, target);
}

static struct ksma_proof_unit *any_unit(struct ksma_kernel *kernel, bool module)
{
	const struct ksma_reference *reference = kernel->reference;
	struct ksma_proof *proof = reference->proof;

	return module ? &proof->modules.items[random64() % proof->modules.count]->unit
		      : &proof->unit;
}

static size_t mislead_some(struct ksma_kernel *kernel, bool module, unsigned kind, size_t count,
			   size_t *ret_done)
{
	const char *names[] = { module ? "module-text" : "text", NULL };
	struct ksma_check_options options = { .names = names, .memory_only = true };
	struct site sites[AT_ONCE];
	struct ksma_report report;
	size_t found = 0, n = 0;

	for (unsigned tries = 0; n < count && n < AT_ONCE && tries < 4096; tries++) {
		bool near = false;

		sites[n].check = names[0];
		if (!choose_site(kernel, any_unit(kernel, module), kind, &sites[n]))
			continue;
		for (size_t i = 0; i < n; i++)
			near |= sites[i].gva + 64 > sites[n].gva &&
				sites[i].gva < sites[n].gva + 64;
		n += !near;
	}
	for (size_t i = 0; i < n; i++)
		write_guest(kernel, sites[i].gva, sites[i].is, sites[i].length);
	fail(ksma_check_run(kernel, &options, &report));
	for (size_t i = 0; i < n; i++) {
		bool one = false;

		for (size_t j = 0; j < report.findings.count; j++)
			one |= in_site(&report.findings.items[j], &sites[i]);
		if (!one)
			fprintf(stderr, "missed: %s of %s at 0x%" PRIx64 "\n", sites[i].kind,
				names[0], sites[i].gva);
		found += one;
		write_guest(kernel, sites[i].gva, sites[i].was, sites[i].length);
	}
	if (report.findings.count > n)
		fprintf(stderr, "flip: %zu findings for %zu sites\n", report.findings.count, n);
	ksma_report_free(&report);
	*ret_done += n;
	return found;
}

static int mislead_all(struct ksma_kernel *kernel, size_t count)
{
	static const char *const kinds[] = { "jump labels", "static calls", "traced functions" };
	const char *names[] = { "text", "module-text", NULL };
	struct ksma_check_options options = { .names = names, .memory_only = true };
	struct ksma_report report;
	bool all = true;

	fail(ksma_check_run(kernel, &options, &report));
	ksma_report_free(&report);
	for (unsigned module = 0; module < 2; module++)
		for (unsigned kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
			size_t done = 0, found = mislead_some(kernel, module, kind, count, &done);

			printf("%s%zu of %zu %s%s", module || kind ? ", " : "found ", found, done,
			       kinds[kind], module ? " of modules" : "");
			all &= found == done && (done || module);
		}
	printf("\n");
	return all ? 0 : 1;
}

static void write_at(struct ksma_kernel *kernel, const char *where, const char *hex)
{
	char name[128];
	const char *plus = strchr(where, '+');
	uint64_t address;
	uint8_t bytes[64];
	size_t n = 0;

	snprintf(name, sizeof(name), "%.*s", plus ? (int)(plus - where) : (int)strlen(where),
		 where);
	address = (strncmp(name, "0x", 2) == 0 ? strtoull(name, NULL, 16)
					       : ksma_kernel_symbol(kernel, name)) +
		  (plus ? strtoull(plus + 1, NULL, 0) : 0);
	for (; hex[0] && hex[1] && n < sizeof(bytes); hex += 2) {
		char digits[3] = { hex[0], hex[1], 0 };

		bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
	}
	write_guest(kernel, address, bytes, n);
}

int main(int argc, char **argv)
{
	struct ksma_guest_options options = { .memory_only = true };
	struct ksma_guest *guest;
	struct ksma_kernel *kernel;
	size_t count, found = 0, at_once;
	struct ksma_check_options first = { .names = (const char *[]){ "after-init", NULL },
					    .memory_only = true };
	struct ksma_report report;
	char path[64];

	if (argc != 5)
		return 2;
	snprintf(path, sizeof(path), "/proc/%s/mem", argv[1]);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory < 0) {
		perror(path);
		return 2;
	}
	fail(ksma_guest_open(argv[1], &options, &guest));
	fail(ksma_kernel_open(guest, NULL, &kernel));
	if (strcmp(argv[2], "plausible") == 0) {
		state = strtoull(argv[4], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
		found = count = 1;
		if (mislead_all(kernel, strtoull(argv[3], NULL, 10)))
			found = 0;
	} else if (strcmp(argv[2], "at") == 0) {
		write_at(kernel, argv[3], argv[4]);
		found = count = 1;
	} else {
		count = strtoull(argv[3], NULL, 10);
		state = strtoull(argv[4], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;
		/* Of one piece only the first difference is told; and what boot set has its first look now. */
		at_once = strcmp(argv[2], "made") == 0 ? 1 : AT_ONCE;
		fail(ksma_check_run(kernel, &first, &report));
		ksma_report_free(&report);
		choose_ranges(kernel, argv[2]);
		if (!total) {
			fprintf(stderr, "flip: this guest has nothing of that kind\n");
			return 2;
		}
		for (size_t done = 0; done < count; done += at_once)
			found += round_of(kernel, argv[2],
					  count - done < at_once ? count - done : at_once);
		printf("found %zu of %zu\n", found, count);
	}
	ksma_kernel_destroy(kernel);
	ksma_guest_destroy(guest);
	return found == count ? 0 : 1;
}
