/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One look of the check `files`: all processes, then all cached pages of signed files. */
#include "files/appraise.h"

#include "files/pass.h"

struct ksma_appraiser {
	struct ksma_manifest *manifest;
	struct ksma_frames *frames;
	struct ksma_appraisal_cost cost; /* of the last pass */
};

struct ksma_error *ksma_appraiser_create(struct ksma_manifest *manifest,
					 struct ksma_appraiser **ret_appraiser)
{
	struct ksma_appraiser *appraiser = calloc(1, sizeof(*appraiser));
	struct ksma_error *error;

	if (!appraiser)
		return ksma_error_nomem();
	appraiser->manifest = manifest;
	error = ksma_frames_create(&appraiser->frames);
	if (error) {
		free(appraiser);
		return error;
	}
	*ret_appraiser = appraiser;
	return NULL;
}

void ksma_appraiser_destroy(struct ksma_appraiser *appraiser)
{
	if (!appraiser)
		return;
	ksma_frames_destroy(appraiser->frames);
	free(appraiser);
}

struct ksma_appraisal_cost ksma_appraisal_cost(const struct ksma_appraiser *appraiser)
{
	return appraiser->cost;
}

/* What a frame is good for: one page of one file of the manifest, as a number. */
static uint64_t place_of(const struct ksma_program *program, uint64_t index)
{
	const struct ksma_manifest_entry *entry = &program->entry;

	/* Files of one page have no place among the page hashes: their root is their page. */
	if (entry->pages == 1)
		return ksma_le64(entry->verity_root) | 1;
	return ((uint64_t)entry->part << 56 | (entry->pages_at + index + 1)) << 1;
}

struct ksma_error *ksma_pass_page(struct ksma_pass *pass, const struct ksma_program *program,
				  uint64_t index, uint64_t gpa, enum ksma_page_state *ret_state,
				  struct ksma_frame **ret_frame)
{
	const uint8_t *expected;
	struct ksma_frame *frame;

	KSMA_TRY(ksma_frames_look(pass->frames, pass->kernel->guest, gpa, &frame));
	*ret_frame = frame;
	*ret_state = frame ? KSMA_PAGE_BAD : KSMA_PAGE_UNREADABLE;
	if (!frame || index >= program->entry.pages)
		return NULL;
	if (frame->good_for != place_of(program, index)) {
		KSMA_TRY(ksma_manifest_page(pass->manifest, &program->entry, index, &expected));
		if (memcmp(expected, frame->sha256, KSMA_SHA256) != 0)
			return NULL;
		frame->good_for = place_of(program, index);
	}
	*ret_state = KSMA_PAGE_GOOD;
	return NULL;
}

/* The frames of the kernel's vDSO images: in its own image, where the check `rodata` looks at them. */
static void find_vdso(struct ksma_pass *pass)
{
	static const char *const names[] = { "vdso_image_64", "vdso64_image",	"vdso_image_32",
					     "vdso32_image",  "vdso_image_x32", "vdsox32_image" };
	struct ksma_kernel *kernel = pass->kernel;
	const struct ksma_offsets *off = &kernel->off;
	size_t count = 0;

	if (off->vdso_image__data < 0 || off->vdso_image__size < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names) && count < ARRAY_SIZE(pass->vdso); i++) {
		uint64_t image = ksma_kernel_symbol(kernel, names[i]), data, size, gpa;

		if (!image ||
		    !ksma_kernel_u64(kernel, image + (uint32_t)off->vdso_image__data, &data) ||
		    !ksma_kernel_u64(kernel, image + (uint32_t)off->vdso_image__size, &size) ||
		    data < kernel->image || size > 1 << 20 || data + size > kernel->image_end ||
		    !ksma_space_try_translate(&kernel->space, data, &gpa))
			continue;
		pass->vdso[count][0] = gpa;
		pass->vdso[count++][1] = gpa + size;
	}
}

static void say_gaps(const struct ksma_pass *pass)
{
	struct ksma_coverage *coverage = pass->look->coverage;

	if (pass->unreadable)
		ksma_coverage_gap(
			coverage, KSMA_COVERAGE_PARTIAL,
			"the files of %zu executable mappings are not wholly in memory, process %d's the first",
			pass->unreadable, pass->first_unreadable);
	if (pass->away)
		ksma_coverage_gap(coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu executable pages could not be read", pass->away);
	if (pass->restless)
		ksma_coverage_gap(
			coverage, KSMA_COVERAGE_PARTIAL,
			"%zu processes changed their memory while it was read, process %d the first",
			pass->restless, pass->first_restless);
}

static int by_mm(const void *a, const void *b)
{
	const struct ksma_process *x = a, *y = b;

	return x->mm < y->mm ? -1 : x->mm > y->mm;
}

/* Processes that share their memory are looked at once. */
static struct ksma_error *all_processes(struct ksma_pass *pass)
{
	_cleanup_(ksma_processes_free) struct ksma_processes processes = { 0 };

	KSMA_TRY(ksma_linux_processes(pass->kernel, KSMA_PROCESS_EXE, pass->look->coverage,
				      &processes));
	if (processes.count)
		qsort(processes.items, processes.count, sizeof(processes.items[0]), by_mm);
	for (size_t i = 0; i < processes.count; i++) {
		const struct ksma_process *process = &processes.items[i];

		if (process->mm == 0 || process->kernel_thread)
			continue;
		KSMA_TRY(ksma_pass_script(pass, process));
		if (i && process[-1].mm == process->mm)
			continue;
		KSMA_TRY(ksma_pass_process(pass, process));
		pass->cost.processes++;
	}
	return NULL;
}

static struct ksma_error *look_at_all(struct ksma_pass *pass)
{
	KSMA_TRY(ksma_frames_begin(pass->frames));
	KSMA_TRY(ksma_programs_init(&pass->programs, pass->kernel, pass->manifest));
	KSMA_TRY(ksma_area_reader_init(&pass->areas, pass->kernel));
	find_vdso(pass);
	KSMA_TRY(all_processes(pass));
	KSMA_TRY(ksma_pass_cached(pass));
	KSMA_TRY(ksma_pass_disks(pass));
	return ksma_notes_report(&pass->notes, pass->look);
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct ksma_appraiser *appraiser = look->extra;
	struct ksma_pass pass = {
		.look = look,
		.kernel = look->kernel,
		.frames = appraiser->frames,
		.manifest = appraiser->manifest,
	};
	struct ksma_frames_cost before = ksma_frames_cost(appraiser->frames), after;
	struct ksma_error *error = look_at_all(&pass);

	say_gaps(&pass);
	after = ksma_frames_cost(appraiser->frames);
	pass.cost.files = pass.programs.all.count;
	pass.cost.read = after.read - before.read;
	pass.cost.hashed = after.hashed - before.hashed;
	appraiser->cost = pass.cost;
	look->reference = "manifest";
	ksma_notes_deinit(&pass.notes);
	ksma_programs_deinit(&pass.programs);
	free(pass.uprobes.items);
	return error;
}

const struct ksma_check ksma_check_files = {
	.info = {
		.name = "files",
		.title = "Programs and files against a signed manifest",
		.attack = "T1554",
		.needs = "memory",
		.structures = "mm_struct and vm_area_struct of every process, their page tables, struct file, inode, address_space (i_pages), struct folio, "
			      "super_block.s_inodes, uprobes_tree",
		.why = "A program that is changed in the page cache alone (Dirty Pipe) is run by every process that starts it, while the disk, and every scanner "
		       "that reads it, shows the original. Code that is injected into a process, loaded from memory or from a deleted file leaves nothing on disk.",
		.cost = "30 ms",
		.false_alarms = "Engines that compile at run time (JIT) have executable memory of no file: they are excepted by program. A program that was "
				"replaced by an upgrade and still runs is told as low, when its pages are those of the manifest.",
		.todo = "Take the page from memory (ksma cat, ksma read) before anything else: a reboot or a dropped cache destroys it. Then compare the disk.",
	},
	.run = run,
};
