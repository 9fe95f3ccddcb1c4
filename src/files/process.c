/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one process may execute: by its memory areas, and by its page tables, which are what its processor goes by. */
#include "files/pass.h"

enum {
	ATTEMPTS = 4,
	DOUBTS_MAX = 1 << 14, /* of one process */
	NAME = 64,
	UPROBE_BYTES = 5, /* a call, since 6.18; a breakpoint is one byte */
};

/* Something about a process that has to hold when it is looked at again. */
struct doubt {
	enum ksma_note_kind kind;
	struct ksma_program *program; /* or NULL */
	uint64_t gva, gpa, index;     /* of a page; gva 0: of an area as a whole */
	bool writable;
};

struct visit {
	struct ksma_pass *pass;
	const struct ksma_process *process;
	uint64_t root_mnt, root_dentry;
	struct ksma_areas areas;
	const struct ksma_area *area; /* the last one asked for */
	struct ksma_program *program; /* its file, or NULL */
	bool special, vdso;	      /* a mapping of the kernel's own; that of the vDSO */
	struct {
		struct doubt *items;
		size_t count, capacity;
	} doubts;
	size_t unreadable, away;
	uint64_t pages;
	struct ksma_error *error;
};

static struct ksma_error *doubt(struct visit *v, struct doubt what)
{
	struct doubt *item;

	if (v->doubts.count >= DOUBTS_MAX)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&v->doubts, &item));
	*item = what;
	return NULL;
}

/* Finds what an area maps. */
static struct ksma_error *enter_area(struct visit *v, const struct ksma_area *area)
{
	struct ksma_pass *pass = v->pass;
	char name[NAME];

	v->area = area;
	v->program = NULL;
	v->special = v->vdso = false;
	if (area->file)
		return ksma_programs_of_file(&pass->programs, area->file, v->root_mnt,
					     v->root_dentry, &v->program);
	if (ksma_area_special_name(&pass->areas, area, name, sizeof(name))) {
		v->vdso = strcmp(name, "[vdso]") == 0;
		v->special = v->vdso || strcmp(name, "[uprobes]") == 0 ||
			     strcmp(name, "[uprobes-trampoline]") == 0;
	}
	return NULL;
}

/* A file whose name is gone, and whose pages are those of that name's entry: what an upgrade leaves behind. Found out once in a pass. */
static struct ksma_error *settle_deleted(struct ksma_pass *pass, struct ksma_program *program)
{
	const struct ksma_cached_folios *folios;
	enum ksma_page_state state;
	struct ksma_frame *frame;

	if (program->settled || !program->found || program->identity.size != program->entry.size)
		return NULL;
	program->settled = true;
	KSMA_TRY(ksma_program_folios(&pass->programs, program, pass->look->coverage, &folios));
	for (size_t i = 0; folios && i < folios->count; i++) {
		const struct ksma_cached_folio *folio = &folios->items[i];

		for (uint64_t k = 0; k < folio->pages && folio->index + k < program->entry.pages;
		     k++) {
			if (!(folio->flags & KSMA_CACHED_UPTODATE))
				continue;
			KSMA_TRY(ksma_pass_page(pass, program, folio->index + k,
						folio->gpa + k * KSMA_PAGE_SIZE, &state, &frame));
			if (state == KSMA_PAGE_BAD)
				return NULL;
		}
	}
	program->known = folios != NULL;
	return NULL;
}

/* What an area may execute, pages or not. */
static struct ksma_error *judge_area(struct visit *v, const struct ksma_area *area)
{
	const struct ksma_program *program;
	bool writable = area->flags & KSMA_VM_WRITE;
	struct doubt what = { .writable = writable };

	if (!(area->flags & KSMA_VM_EXEC))
		return NULL;
	KSMA_TRY(enter_area(v, area));
	program = what.program = v->program;
	if (!program) {
		if (v->special)
			return NULL;
		what.kind = KSMA_NOTE_ANONYMOUS;
		return doubt(v, what);
	}
	if (!program->readable) {
		v->unreadable++;
		return NULL;
	}
	if (program->deleted)
		KSMA_TRY(settle_deleted(v->pass, v->program));
	if (program->memfd || program->deleted || !program->found) {
		what.kind = program->memfd     ? KSMA_NOTE_MEMFD
			    : program->deleted ? KSMA_NOTE_DELETED
					       : KSMA_NOTE_UNSIGNED;
		KSMA_TRY(doubt(v, what));
	}
	what.kind = KSMA_NOTE_WRITABLE;
	return writable ? doubt(v, what) : NULL;
}

static bool is_vdso(const struct ksma_pass *pass, uint64_t gpa)
{
	for (size_t i = 0; i < ARRAY_SIZE(pass->vdso); i++)
		if (gpa >= pass->vdso[i][0] && gpa < pass->vdso[i][1])
			return true;
	return false;
}

/* One page that the processor lets the process execute. */
static struct ksma_error *judge_page(struct visit *v, uint64_t gva, uint64_t gpa, bool writable)
{
	const struct ksma_area *area = v->area;
	struct doubt what = { .gva = gva, .gpa = gpa, .writable = writable };
	enum ksma_page_state state;
	struct ksma_frame *frame;

	v->pages++;
	if (!area || gva < area->start || gva >= area->end) {
		area = ksma_area_at(&v->areas, gva);
		if (!area || !(area->flags & KSMA_VM_EXEC)) {
			what.kind = KSMA_NOTE_NO_AREA;
			return doubt(v, what);
		}
		KSMA_TRY(enter_area(v, area));
	}
	what.program = v->program;
	if (!v->program) {
		/* Once there are no images to hold it against, it is only the kernel's word. */
		if (v->special && (!v->vdso || !v->pass->vdso[0][1] || is_vdso(v->pass, gpa)))
			return NULL;
		what.kind = v->vdso ? KSMA_NOTE_SPECIAL : KSMA_NOTE_ANONYMOUS;
		return doubt(v, what);
	}
	if (!v->program->readable || !v->program->found ||
	    (v->program->deleted && !v->program->known))
		return NULL; /* judged as a whole */
	what.index = area->pgoff + ((gva - area->start) >> 12);
	KSMA_TRY(ksma_pass_page(v->pass, v->program, what.index, gpa, &state, &frame));
	if (state == KSMA_PAGE_UNREADABLE)
		v->away++;
	what.kind = KSMA_NOTE_PATCHED;
	return state == KSMA_PAGE_BAD ? doubt(v, what) : NULL;
}

static bool on_range(void *arg, const struct ksma_range *range)
{
	struct visit *v = arg;

	for (uint64_t at = 0; at < range->size && !v->error; at += KSMA_PAGE_SIZE)
		v->error =
			judge_page(v, range->gva + at, range->gpa + at, range->flags & KSMA_PTE_W);
	return !v->error;
}

/* Where page tables are isolated, the kernel's own tables forbid execution of all user memory: what the process runs by is in the
 * page behind (arch/x86/include/asm/pgtable.h: kernel_to_user_pgdp). */
static struct ksma_error *walk_tables(struct visit *v, struct ksma_coverage *coverage)
{
	struct ksma_kernel *kernel = v->pass->kernel;
	uint64_t root = v->process->pgd + (kernel->info.kpti ? KSMA_PAGE_SIZE : 0);
	struct ksma_budget budget = ksma_budget_default();
	struct ksma_error *error;
	struct ksma_space space;

	KSMA_TRY(ksma_space_init(&space, kernel->guest, root, kernel->space.levels));
	error = ksma_space_walk(&space, 0,
				kernel->space.levels == 5 ? (1ull << 56) - 1 : (1ull << 47) - 1,
				KSMA_WALK_EXECUTABLE, &budget, coverage, on_range, v);
	ksma_space_deinit(&space);
	if (!v->error)
		return error;
	ksma_error_destroy(error);
	return TAKE_PTR(v->error);
}

/* Whose names are which: the process's own root directory. */
static void find_root(struct visit *v)
{
	struct ksma_kernel *kernel = v->pass->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t fs;

	v->root_mnt = v->pass->programs.paths.root_mnt;
	v->root_dentry = v->pass->programs.paths.root_dentry;
	if (!ksma_kernel_u64(kernel, v->process->task + (uint32_t)off->task_struct__fs, &fs) ||
	    fs == 0)
		return;
	ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_mnt, &v->root_mnt);
	ksma_kernel_u64(kernel, fs + (uint32_t)off->fs_struct__root_dentry, &v->root_dentry);
}

/* True while the process still has this memory. */
static bool is_alive(const struct visit *v)
{
	struct ksma_kernel *kernel = v->pass->kernel;
	uint64_t mm;

	return ksma_kernel_u64(kernel, v->process->task + (uint32_t)kernel->off.task_struct__mm,
			       &mm) &&
	       mm == v->process->mm;
}

static bool areas_same(struct visit *v)
{
	struct ksma_areas now = { 0 };
	bool torn = true, same;
	struct ksma_error *error = ksma_areas_read(&v->pass->areas, v->process->mm, &now, &torn);

	same = !error && !torn && now.count == v->areas.count &&
	       (now.count == 0 ||
		memcmp(now.items, v->areas.items, now.count * sizeof(now.items[0])) == 0);
	ksma_error_destroy(error);
	free(now.items);
	return same;
}

/* @ret_done false: look again */
static struct ksma_error *attempt(struct visit *v, struct ksma_coverage *coverage, bool *ret_done)
{
	bool torn = true;

	*ret_done = false;
	v->doubts.count = v->unreadable = v->away = 0;
	v->pages = 0;
	v->area = NULL;
	KSMA_TRY(ksma_areas_read(&v->pass->areas, v->process->mm, &v->areas, &torn));
	if (torn)
		return NULL;
	for (size_t i = 0; i < v->areas.count; i++)
		KSMA_TRY(judge_area(v, &v->areas.items[i]));
	v->area = NULL;
	KSMA_TRY(walk_tables(v, coverage));
	if (v->doubts.count || v->unreadable || coverage->state != KSMA_COVERAGE_COMPLETE) {
		if (ksma_kernel_is_copied(v->pass->kernel))
			KSMA_TRY(ksma_kernel_refresh(v->pass->kernel));
		*ret_done = areas_same(v);
		return NULL;
	}
	*ret_done = true;
	return NULL;
}

/* The page as the process has it now; false when there is another one, or none. */
static bool read_again(const struct visit *v, const struct doubt *d, uint8_t page[KSMA_PAGE_SIZE])
{
	return ksma_user_read(v->pass->kernel, v->process->pgd, d->gva, page, KSMA_PAGE_SIZE,
			      NULL) == KSMA_PAGE_SIZE;
}

static struct ksma_error *need_uprobes(struct ksma_pass *pass)
{
	struct ksma_error *error;

	if (pass->have_uprobes)
		return NULL;
	pass->have_uprobes = true;
	error = ksma_linux_uprobes(pass->kernel, &pass->uprobes);
	return ksma_coverage_take(pass->look->coverage, KSMA_COVERAGE_PARTIAL, error, "uprobes");
}

/* Puts back what the kernel's own breakpoints replaced, where the file in the cache has it. @return true when there was one */
static bool undo_uprobes(const struct ksma_pass *pass, const struct doubt *d,
			 const uint8_t original[KSMA_PAGE_SIZE], uint8_t page[KSMA_PAGE_SIZE])
{
	bool any = false;

	for (size_t i = 0; i < pass->uprobes.count; i++) {
		const struct ksma_uprobe *u = &pass->uprobes.items[i];
		size_t at = u->offset & (KSMA_PAGE_SIZE - 1), n;

		if (u->inode != d->program->identity.inode || u->offset >> 12 != d->index)
			continue;
		n = page[at] == 0xcc ? 1 : page[at] == 0xe8 ? UPROBE_BYTES : 0;
		if (n > KSMA_PAGE_SIZE - at)
			n = KSMA_PAGE_SIZE - at;
		memcpy(page + at, original + at, n);
		any |= n != 0;
	}
	return any;
}

/* Is the doubt about a page that is bad still right, and is it the process's own copy or the file's page?
 * @ret_holds false: the page is as it ought to be, or is gone */
static struct ksma_error *settle_page(struct visit *v, struct doubt *d, uint8_t found[KSMA_SHA256],
				      bool *ret_holds, unsigned *ret_flags)
{
	struct ksma_pass *pass = v->pass;
	uint8_t page[KSMA_PAGE_SIZE], original[KSMA_PAGE_SIZE];
	const struct ksma_cached_folios *folios;
	const struct ksma_cached_folio *folio;
	const uint8_t *expected;

	*ret_holds = false;
	*ret_flags = 0;
	if (!read_again(v, d, page))
		return NULL;
	ksma_frames_hash(pass->frames, page, found);
	if (d->index >= d->program->entry.pages) {
		*ret_holds = true;
		return NULL;
	}
	KSMA_TRY(ksma_manifest_page(pass->manifest, &d->program->entry, d->index, &expected));
	if (memcmp(expected, found, KSMA_SHA256) == 0)
		return NULL;
	*ret_holds = true;
	KSMA_TRY(ksma_program_folios(&pass->programs, d->program, pass->look->coverage, &folios));
	folio = folios ? ksma_cached_folio_at(folios, d->index) : NULL;
	if (!folio || folio->flags & KSMA_CACHED_AWAY)
		return NULL;
	if (ksma_cached_gpa(folio, d->index) == d->gpa) {
		d->kind = KSMA_NOTE_CHANGED;
		*ret_flags = folio->flags;
		return NULL;
	}
	KSMA_TRY(need_uprobes(pass));
	if (!ksma_guest_try_read(pass->kernel->guest, ksma_cached_gpa(folio, d->index), original,
				 sizeof(original)) ||
	    !undo_uprobes(pass, d, original, page))
		return NULL;
	ksma_frames_hash(pass->frames, page, found);
	*ret_holds = memcmp(expected, found, KSMA_SHA256) != 0;
	return NULL;
}

static struct ksma_error *note(struct visit *v, struct doubt *d)
{
	bool of_program = d->kind == KSMA_NOTE_ANONYMOUS || d->kind == KSMA_NOTE_SPECIAL ||
			  d->kind == KSMA_NOTE_NO_AREA;
	uint8_t found[KSMA_SHA256];
	const uint8_t *expected = NULL;
	bool holds = true;
	unsigned flags = 0;
	struct ksma_note *note;

	if (d->kind == KSMA_NOTE_PATCHED)
		KSMA_TRY(settle_page(v, d, found, &holds, &flags));
	if (!holds)
		return NULL;
	if (d->kind == KSMA_NOTE_PATCHED || d->kind == KSMA_NOTE_CHANGED)
		if (d->index < d->program->entry.pages)
			KSMA_TRY(ksma_manifest_page(v->pass->manifest, &d->program->entry, d->index,
						    &expected));
	KSMA_TRY(ksma_notes_get(&v->pass->notes, d->kind, d->program ? d->program->path : NULL,
				of_program || d->kind == KSMA_NOTE_PATCHED
					? v->process->exe ?: "(no program)"
					: NULL,
				&note));
	ksma_note_process(note, v->process->pid, v->process->comm);
	note->writable |= d->writable;
	note->content_known = d->program && d->program->known;
	if (d->gva == 0)
		return NULL;
	/* Pages of the cache are counted when the cache is looked at. */
	if (d->kind != KSMA_NOTE_CHANGED)
		note->pages++;
	note->dirty |= flags & KSMA_CACHED_DIRTY;
	if (note->gva)
		return NULL;
	note->gva = d->gva;
	note->gpa = d->gpa;
	note->offset = d->index * KSMA_PAGE_SIZE;
	if (expected)
		ksma_note_page(note, expected, found, &d->program->identity);
	return NULL;
}

static struct ksma_error *visit(struct visit *v)
{
	bool done = false;

	for (unsigned i = 0; i < ATTEMPTS && !done; i++) {
		struct ksma_coverage coverage = { 0 };
		struct ksma_error *error = attempt(v, &coverage, &done);

		if (!is_alive(v)) {
			/* What is left of it is no longer its memory. */
			ksma_coverage_deinit(&coverage);
			if (error && error->code == KSMA_ERROR_NOMEM)
				return error;
			ksma_error_destroy(error);
			return NULL;
		}
		if (done)
			ksma_coverage_merge(v->pass->look->coverage, &coverage);
		ksma_coverage_deinit(&coverage);
		KSMA_TRY(error);
	}
	if (!done && v->pass->restless++ == 0)
		v->pass->first_restless = v->process->pid;
	if (v->unreadable && v->pass->unreadable == 0)
		v->pass->first_unreadable = v->process->pid;
	v->pass->unreadable += v->unreadable;
	v->pass->away += v->away;
	v->pass->cost.pages += v->pages;
	for (size_t i = 0; i < v->doubts.count && done; i++)
		KSMA_TRY(note(v, &v->doubts.items[i]));
	return NULL;
}

struct ksma_error *ksma_pass_process(struct ksma_pass *pass, const struct ksma_process *process)
{
	struct visit v = { .pass = pass, .process = process };
	struct ksma_error *error;

	if (process->pgd == 0)
		return NULL;
	find_root(&v);
	error = visit(&v);
	free(v.areas.items);
	free(v.doubts.items);
	return error;
}
