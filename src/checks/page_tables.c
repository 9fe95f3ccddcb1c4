/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Do the page tables protect the kernel as the kernel means them to, in every address space that a processor may run in?
 *
 * Rights as in mark_rodata_ro() of arch/x86/mm/init_64.c; the entries that all address spaces share as in pgd_ctor() of
 * arch/x86/mm/pgtable.c; EFI's own address space as in arch/x86/platform/efi/efi_64.c. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "checks/owners.h"
#include "checks/pages.h"
#include <ksma/linux.h>

#define CR0_PG (1ull << 31)
#define VSYSCALL 0xffffffffff600000ull
/* EFI_VA_END and EFI_VA_START of asm/pgtable_64_types.h: the firmware's own piece of the last slot, in its own address space only. */
#define EFI_FIRST 0xffffffef00000000ull
#define EFI_LAST 0xfffffffeffffffffull

enum {
	SLOTS = 512,
	KERNEL_SLOT = 256, /* first of the kernel half */
	LDT_SLOT = 272,	   /* LDT_PGD_ENTRY: each process has its own there, with KPTI */
	KPTI_USER = 0x1000,
	MAX_COMPARED_PAGES = 1 << 18,
	PERSIST_MS = 400, /* rights change page by page, and the direct map after the rest */
};

/* Where a frame must not be writable, whatever address it is seen at. */
struct guarded {
	uint64_t gpa, size, gva;
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	const struct ksma_pages *pages;
	struct {
		struct guarded *items; /* by rising gpa once they are sorted */
		size_t count, capacity;
	} guarded;
	uint8_t kernel_half[SLOTS / 2 * 8], user_half[SLOTS / 2 * 8]; /* of init_top_pgt */
};

static struct ksma_error *add_range(struct survey *s, struct ksma_finding *finding,
				    const struct ksma_range *range)
{
	KSMA_TRY(ksma_finding_code(s->look, finding, "address", range->gva));
	KSMA_TRY(ksma_finding_number(finding, "size", range->size));
	KSMA_TRY(ksma_finding_text(finding, "frame", "0x%" PRIx64, range->gpa));
	return ksma_finding_text(finding, "rights", "%s%s%s", range->flags & KSMA_PTE_W ? "w" : "r",
				 range->flags & KSMA_PTE_NX ? "" : "x",
				 range->flags & KSMA_PTE_U ? "u" : "");
}

/* Before trampolines were written through an alias, BPF kept the pages of trampolines and dispatchers writable: they come from
 * bpf_jit_alloc_exec_page(), which later kernels lack (kernel/bpf/trampoline.c of 5.10 and 6.1). */
static bool may_be_writable(const struct survey *s, uint64_t page)
{
	const struct ksma_owner *owner = ksma_owners_find(s->look->owners, page);

	return owner && owner->kind == KSMA_OWNER_BPF &&
	       (strncmp(owner->name, "bpf_trampoline_", 15) == 0 ||
		strncmp(owner->name, "bpf_dispatcher_", 15) == 0) &&
	       ksma_kernel_symbol(s->kernel, "bpf_jit_alloc_exec_page");
}

static struct ksma_error *check_writable_code(struct survey *s)
{
	for (size_t i = 0; i < s->pages->executable.count; i++) {
		struct ksma_range range = s->pages->executable.items[i];
		struct ksma_finding *finding;

		if (!(range.flags & KSMA_PTE_W))
			continue;
		for (; range.size && may_be_writable(s, range.gva); range.size -= KSMA_PAGE_SIZE) {
			range.gva += KSMA_PAGE_SIZE;
			range.gpa += KSMA_PAGE_SIZE;
		}
		if (!range.size)
			continue;
		KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding,
					  "writable-code/0x%" PRIx64, range.gva));
		finding->persist_ms = PERSIST_MS;
		KSMA_TRY(ksma_finding_title(finding,
					    "kernel memory is writable and executable at once"));
		KSMA_TRY(add_range(s, finding, &range));
	}
	return NULL;
}

static struct ksma_error *check_user_access(struct survey *s)
{
	for (size_t i = 0; i < s->pages->user.count; i++) {
		const struct ksma_range *range = &s->pages->user.items[i];
		struct ksma_finding *finding;

		if (range->gva == VSYSCALL && range->size == KSMA_PAGE_SIZE &&
		    !(range->flags & KSMA_PTE_W))
			continue;
		KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding,
					  "user/0x%" PRIx64, range->gva));
		KSMA_TRY(ksma_finding_title(finding, "user space may reach into the kernel's half "
						     "of the address space"));
		KSMA_TRY(add_range(s, finding, range));
	}
	return NULL;
}

static struct ksma_error *check_image_frames(struct survey *s)
{
	for (size_t i = 0; i < s->pages->foreign.count; i++) {
		const struct ksma_range *range = &s->pages->foreign.items[i];
		struct ksma_finding *finding;

		KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding,
					  "frames/+0x%" PRIx64, range->gva - s->kernel->image));
		KSMA_TRY(ksma_finding_title(
			finding, "part of the kernel image is mapped to memory outside the image"));
		KSMA_TRY(add_range(s, finding, range));
		KSMA_TRY(ksma_finding_text(finding, "expected_frame", "0x%" PRIx64,
					   s->kernel->physical_base +
						   (range->gva - s->kernel->image)));
	}
	return NULL;
}

static struct ksma_error *guard(struct survey *s, uint64_t gva, uint64_t gpa, uint64_t size)
{
	struct guarded *guarded;

	KSMA_TRY(KSMA_ARRAY_PUSH(&s->guarded, &guarded));
	*guarded = (struct guarded){ .gpa = gpa, .size = size, .gva = gva };
	return NULL;
}

static int by_gpa(const void *a, const void *b)
{
	const struct guarded *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

/* Text and constants of the image, and all other code that is not writable itself. The frames between them in the image were given
 * back, and belong to anybody. */
static struct ksma_error *gather_guarded(struct survey *s)
{
	struct ksma_kernel *kernel = s->kernel;
	uint64_t start = ksma_kernel_symbol(kernel, "__start_rodata"),
		 end = ksma_kernel_symbol(kernel, "__end_rodata");

	KSMA_TRY(guard(s, kernel->text, kernel->physical_base + (kernel->text - kernel->image),
		       ksma_align_up(kernel->etext, KSMA_PAGE_SIZE) - kernel->text));
	if (start >= kernel->etext && end > start && end <= kernel->image_end)
		KSMA_TRY(guard(s, start, kernel->physical_base + (start - kernel->image),
			       ksma_align_down(end, KSMA_PAGE_SIZE) - start));
	for (size_t i = 0; i < s->pages->executable.count; i++) {
		const struct ksma_range *range = &s->pages->executable.items[i];

		if (!(range->flags & KSMA_PTE_W) &&
		    (range->gva < kernel->image || range->gva >= kernel->image_end))
			KSMA_TRY(guard(s, range->gva, range->gpa, range->size));
	}
	if (s->guarded.count)
		qsort(s->guarded.items, s->guarded.count, sizeof(*s->guarded.items), by_gpa);
	return NULL;
}

/* The first guarded piece that ends above `gpa`. Pieces may overlap, where code is mapped twice: the widest reaches back no further
 * than the largest page. */
static size_t first_guarded(const struct survey *s, uint64_t gpa)
{
	size_t low = 0, high = s->guarded.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->guarded.items[middle].gpa + s->guarded.items[middle].size <= gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct ksma_error *report_alias(struct survey *s, const struct ksma_range *range,
				       const struct guarded *guarded)
{
	uint64_t from = range->gpa > guarded->gpa ? range->gpa : guarded->gpa;
	uint64_t end = range->gpa + range->size < guarded->gpa + guarded->size
			       ? range->gpa + range->size
			       : guarded->gpa + guarded->size;
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "alias/0x%" PRIx64,
				  range->gva + (from - range->gpa)));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "read-only memory of the kernel has a second mapping, "
					     "through which it can be written"));
	KSMA_TRY(ksma_finding_address(s->look, finding, "address",
				      range->gva + (from - range->gpa)));
	KSMA_TRY(ksma_finding_number(finding, "size", end - from));
	KSMA_TRY(ksma_finding_text(finding, "frame", "0x%" PRIx64, from));
	return ksma_finding_code(s->look, finding, "of", guarded->gva + (from - guarded->gpa));
}

static struct ksma_error *check_aliases(struct survey *s)
{
	KSMA_TRY(gather_guarded(s));
	for (size_t i = 0; i < s->pages->writable.count; i++) {
		const struct ksma_range *range = &s->pages->writable.items[i];

		for (size_t j = first_guarded(s, range->gpa);
		     j < s->guarded.count && s->guarded.items[j].gpa < range->gpa + range->size;
		     j++)
			KSMA_TRY(report_alias(s, range, &s->guarded.items[j]));
	}
	return NULL;
}

/* An address space to hold against the kernel's own. */
struct root {
	uint64_t gpa;
	const char *id;	    /* "pid12", the same at each look */
	const char *holder; /* "process 12" */
	bool efi;
};

/* The first executable page of a slot that is not what the kernel's own tables have there. */
static bool find_difference(struct survey *s, const struct root *root,
			    const struct ksma_pages *pages, struct ksma_range *ret_page)
{
	size_t compared = 0;

	for (size_t i = 0; i < pages->executable.count; i++) {
		const struct ksma_range *range = &pages->executable.items[i];

		for (uint64_t at = 0; at < range->size && compared < MAX_COMPARED_PAGES;
		     at += KSMA_PAGE_SIZE, compared++) {
			uint64_t gva = range->gva + at, gpa;

			if (root->efi && gva >= EFI_FIRST && gva <= EFI_LAST)
				continue;
			if (ksma_space_try_translate(&s->kernel->space, gva, &gpa) &&
			    gpa == range->gpa + at)
				continue;
			*ret_page = *range;
			ret_page->gva = gva;
			ret_page->gpa += at;
			ret_page->size = KSMA_PAGE_SIZE;
			return true;
		}
	}
	return false;
}

static uint64_t slot_address(const struct ksma_kernel *kernel, unsigned slot)
{
	return kernel->space.levels == 5 ? 0xfe00000000000000ull | (uint64_t)slot << 48
					 : 0xffff000000000000ull | (uint64_t)slot << 39;
}

static struct ksma_error *report_root(struct survey *s, const struct root *root, unsigned slot,
				      uint64_t found, uint64_t expected,
				      const struct ksma_range *page)
{
	struct ksma_finding *finding;
	uint64_t gpa;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "tables/%s/slot%u",
				  root->id, slot));
	KSMA_TRY(ksma_finding_title(
		finding, "%s runs on page tables of its own for the kernel's half of the addresses",
		root->holder));
	KSMA_TRY(ksma_finding_text(finding, "holder", "%s", root->holder));
	KSMA_TRY(ksma_finding_text(finding, "tables", "0x%" PRIx64, root->gpa));
	KSMA_TRY(
		ksma_finding_text(finding, "from", "0x%016" PRIx64, slot_address(s->kernel, slot)));
	KSMA_TRY(ksma_finding_text(finding, "found", "0x%016" PRIx64, found));
	KSMA_TRY(ksma_finding_text(finding, "expected", "0x%016" PRIx64, expected));
	if (!page->size)
		return NULL;
	KSMA_TRY(ksma_finding_code(s->look, finding, "page", page->gva));
	KSMA_TRY(ksma_finding_text(finding, "frame", "0x%" PRIx64, page->gpa));
	if (ksma_space_try_translate(&s->kernel->space, page->gva, &gpa))
		return ksma_finding_text(finding, "expected_frame", "0x%" PRIx64, gpa);
	return NULL;
}

/* One entry of the top table that is not the kernel's. */
static struct ksma_error *check_slot(struct survey *s, const struct root *root, unsigned slot,
				     uint64_t found, uint64_t expected)
{
	unsigned shift = s->kernel->space.levels == 5 ? 48 : 39;
	uint64_t start = slot_address(s->kernel, slot);
	struct ksma_space space = { 0 };
	struct ksma_pages pages = { 0 };
	struct ksma_range page = { 0 };
	struct ksma_error *error;
	bool differs;

	KSMA_TRY(ksma_space_init(&space, s->kernel->guest, root->gpa, s->kernel->space.levels));
	error = ksma_pages_walk(s->kernel, &space, start, start + ((1ull << shift) - 1), &pages);
	if (!error) {
		differs = find_difference(s, root, &pages, &page);
		/* What a process may have of its own, and the firmware, holds no code of the kernel's. */
		if (differs || (!root->efi && (slot != LDT_SLOT || expected || pages.user.count ||
					       !s->kernel->info.kpti)))
			error = report_root(s, root, slot, found, expected, &page);
	}
	ksma_pages_deinit(&pages);
	ksma_space_deinit(&space);
	return error;
}

static bool entry_fits(uint64_t found, uint64_t expected)
{
	const uint64_t mask =
		KSMA_PTE_P | KSMA_PTE_W | KSMA_PTE_U | KSMA_PTE_PS | KSMA_PTE_FRAME | KSMA_PTE_NX;

	/* What an address space lacks, it gets at its first fault. */
	return !(found & KSMA_PTE_P) || ((found ^ expected) & mask) == 0;
}

/* @ret_slot the first slot whose entry is not the kernel's own; SLOTS: all fit */
static bool read_root(struct survey *s, uint64_t gpa, const uint8_t *own, unsigned *ret_slot,
		      uint64_t *ret_found, uint64_t *ret_expected)
{
	uint8_t half[SLOTS / 2 * 8];

	if (!ksma_guest_try_read(s->kernel->guest, gpa + KERNEL_SLOT * 8, half, sizeof(half)))
		return false;
	*ret_slot = SLOTS;
	for (unsigned i = 0; i < SLOTS / 2; i++) {
		*ret_found = ksma_le64(half + 8 * i);
		*ret_expected = ksma_le64(own + 8 * i);
		if (entry_fits(*ret_found, *ret_expected))
			continue;
		*ret_slot = KERNEL_SLOT + i;
		return true;
	}
	return true;
}

static struct ksma_error *check_root(struct survey *s, const struct root *root)
{
	uint64_t found, expected;
	unsigned slot;

	if (!read_root(s, root->gpa, s->kernel_half, &slot, &found, &expected)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the page tables of %s cannot be read", root->holder);
		return NULL;
	}
	if (slot != SLOTS)
		KSMA_TRY(check_slot(s, root, slot, found, expected));
	if (!s->kernel->info.kpti || root->efi ||
	    !read_root(s, root->gpa + KPTI_USER, s->user_half, &slot, &found, &expected) ||
	    slot == SLOTS)
		return NULL;
	return check_slot(s,
			  &(struct root){ .gpa = root->gpa + KPTI_USER,
					  .id = root->id,
					  .holder = root->holder },
			  slot, found, expected);
}

static bool root_fits(struct survey *s, uint64_t gpa)
{
	uint64_t found, expected;
	unsigned slot;

	return read_root(s, gpa, s->kernel_half, &slot, &found, &expected) && slot == SLOTS &&
	       (!s->kernel->info.kpti ||
		(read_root(s, gpa + KPTI_USER, s->user_half, &slot, &found, &expected) &&
		 slot == SLOTS));
}

/* A process may have ended since the list was read, and its tables be anything by now. */
static bool is_still(struct survey *s, const struct ksma_process *process)
{
	_cleanup_(ksma_coverage_deinit) struct ksma_coverage coverage = { 0 };
	struct ksma_process now = { 0 };
	struct ksma_error *error = ksma_linux_process(s->kernel, process->pid, 0, &coverage, &now);
	bool same = !error && now.pgd == process->pgd && now.task == process->task;

	if (!error)
		ksma_process_deinit(&now);
	ksma_error_destroy(error);
	return same;
}

static struct ksma_error *check_processes(struct survey *s)
{
	struct ksma_processes processes = { 0 };
	struct ksma_error *error;

	KSMA_TRY(ksma_linux_processes(s->kernel, 0, s->look->coverage, &processes));
	error = NULL;
	for (size_t i = 0; i < processes.count && !error; i++) {
		const struct ksma_process *process = &processes.items[i];
		char id[32], holder[64];

		if (!process->pgd || root_fits(s, process->pgd) || !is_still(s, process))
			continue;
		snprintf(id, sizeof(id), "pid%d", process->pid);
		snprintf(holder, sizeof(holder), "process %d (%.16s)", process->pid, process->comm);
		error = check_root(
			s, &(struct root){ .gpa = process->pgd, .id = id, .holder = holder });
	}
	ksma_processes_free(&processes);
	return error;
}

static struct ksma_error *check_efi(struct survey *s, uint64_t *ret_gpa)
{
	uint64_t mm = ksma_kernel_symbol(s->kernel, "efi_mm"), pgd;

	*ret_gpa = UINT64_MAX;
	if (!mm || s->kernel->off.mm_struct__pgd == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(s->kernel, mm + (uint64_t)s->kernel->off.mm_struct__pgd, &pgd) ||
	    !pgd || !ksma_space_try_translate(&s->kernel->space, pgd, ret_gpa))
		return NULL; /* no firmware that is called at run time */
	return check_root(
		s, &(struct root){ .gpa = *ret_gpa, .id = "efi", .holder = "EFI", .efi = true });
}

static struct ksma_error *check_vcpus(struct survey *s, uint64_t efi)
{
	const struct ksma_registers *registers = s->look->registers;

	if (!registers) {
		ksma_coverage_gap(
			s->look->coverage, KSMA_COVERAGE_PARTIAL,
			"only page tables that the kernel knows of were looked at, not those in use: %s",
			s->look->registers_problem);
		return NULL;
	}
	for (size_t i = 0; i < registers->count; i++) {
		const struct ksma_vcpu *vcpu = &registers->vcpus[i];
		uint64_t gpa = vcpu->cr3 & KSMA_PTE_FRAME;
		char id[64], holder[32];

		if (s->kernel->info.kpti)
			gpa &= ~(uint64_t)KPTI_USER;
		if (!(vcpu->cr0 & CR0_PG) || gpa == s->kernel->space.root || gpa == efi)
			continue;
		/* The register's value is part of the id: the tables of a process that ended since are seen once at most. */
		snprintf(id, sizeof(id), "vcpu%u/0x%" PRIx64, vcpu->index, gpa);
		snprintf(holder, sizeof(holder), "vCPU %u", vcpu->index);
		if (!root_fits(s, gpa))
			KSMA_TRY(check_root(
				s, &(struct root){ .gpa = gpa, .id = id, .holder = holder }));
	}
	return NULL;
}

static struct ksma_error *check_roots(struct survey *s)
{
	uint64_t efi;

	if (!ksma_guest_try_read(s->kernel->guest, s->kernel->space.root + KERNEL_SLOT * 8,
				 s->kernel_half, sizeof(s->kernel_half)) ||
	    (s->kernel->info.kpti &&
	     !ksma_guest_try_read(s->kernel->guest,
				  s->kernel->space.root + KPTI_USER + KERNEL_SLOT * 8, s->user_half,
				  sizeof(s->user_half))))
		return ksma_error_create(KSMA_ERROR_FAULT,
					 "the kernel's own top table cannot be read");
	KSMA_TRY(check_efi(s, &efi));
	KSMA_TRY(check_vcpus(s, efi));
	return check_processes(s);
}

static struct ksma_error *check_all(struct survey *s)
{
	struct ksma_look *look = s->look;

	KSMA_TRY(ksma_look_pages(look, &s->pages));
	KSMA_TRY(check_image_frames(s));
	if (ksma_owners_is_booting(look->kernel)) {
		ksma_coverage_gap(
			look->coverage, KSMA_COVERAGE_PARTIAL,
			"the kernel still boots, and protects its memory at the end of that");
	} else {
		KSMA_TRY(check_writable_code(s));
		KSMA_TRY(check_user_access(s));
		KSMA_TRY(check_aliases(s));
	}
	return check_roots(s);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error = check_all(&s);

	free(s.guarded.items);
	return error;
}

const struct ksma_check ksma_check_page_tables = {
	.info = {
		.name = "page-tables",
		.title = "Page tables of the kernel",
		.attack = "T1014",
		.needs = "registers",
		.structures = "init_top_pgt and all that hangs from it; CR3 of every vCPU; mm_struct.pgd of every process, and efi_mm",
		.why = "Code that can be written, a second mapping of the kernel's text, or page tables that show one process another kernel "
		       "give an attacker what every look at the kernel's own addresses misses.",
		.cost = "0.3 ms",
		.false_alarms = "Rights change page by page while modules and programs are loaded: such signs count only when they stay. Kernels before "
				"5.19 or so keep BPF trampolines writable; the vsyscall page is open to user space; EFI has an address space of its own.",
		.todo = "A page that can be written and run, or a second mapping of code, is where code is put: read it with ksma read "
			"before the guest is restored.",
	},
	.needs_registers = true,
	.run = run,
};
