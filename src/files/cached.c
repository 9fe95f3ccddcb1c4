/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every page of signed files that the guest has in its page cache, whether a process runs it now or the next one will. */
#include "files/pass.h"

#include "linux/retry.h"

#include <sys/stat.h>

enum {
	INODES_MAX = 1 << 22, /* of one file system */
	MOUNTS_MAX = 1 << 14,
	TYPE_MASK = 0170000,
	EXECUTABLE = 0111,
};

/* Files that are made to be changed while the system runs, when they are no code. */
static bool is_state(const char *path)
{
	static const char *const folders[] = { "/etc/", "/var/", "/home/", "/root/",
					       "/run/", "/tmp/", "/srv/" };

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

/* Code by its mode or by what it begins with: an ELF file, a script. */
static bool is_code(struct ksma_pass *pass, const struct ksma_program *program)
{
	const struct ksma_cached_folio *first = ksma_cached_folio_at(&program->folios, 0);
	char magic[4];

	if ((program->entry.mode | program->identity.mode) & EXECUTABLE)
		return true;
	return first && first->flags & KSMA_CACHED_UPTODATE &&
	       ksma_guest_try_read(pass->kernel->guest, ksma_cached_gpa(first, 0), magic,
				   sizeof(magic)) &&
	       (memcmp(magic, "\177ELF", 4) == 0 || memcmp(magic, "#!", 2) == 0);
}

/* A page that was bad when the list was made: still in its place, and still bad? */
static struct ksma_error *look_again(struct ksma_pass *pass, const struct ksma_program *program,
				     uint64_t index, uint64_t gpa, uint8_t found[KSMA_SHA256],
				     bool *ret_bad)
{
	uint8_t page[KSMA_PAGE_SIZE];
	struct ksma_cached_folio folio;
	struct ksma_error *error;
	const uint8_t *expected;

	*ret_bad = false;
	error = ksma_page_cache_find(&pass->programs.reader, &program->identity, index, &folio);
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	/* Of hugetlbfs, where no single page can be asked for, the list has to do. */
	if (error && error->code != KSMA_ERROR_UNSUPPORTED) {
		ksma_error_destroy(error);
		return NULL;
	}
	if (!error && (folio.pages == 0 || !(folio.flags & KSMA_CACHED_UPTODATE) ||
		       ksma_cached_gpa(&folio, index) != gpa))
		return NULL;
	ksma_error_destroy(error);
	if (!ksma_guest_try_read(pass->kernel->guest, gpa, page, sizeof(page)))
		return NULL;
	ksma_frames_hash(pass->frames, page, found);
	if (index < program->entry.pages) {
		KSMA_TRY(ksma_manifest_page(pass->manifest, &program->entry, index, &expected));
		*ret_bad = memcmp(expected, found, KSMA_SHA256) != 0;
	} else {
		*ret_bad = true;
	}
	return NULL;
}

static struct ksma_error *note_page(struct ksma_pass *pass, const struct ksma_program *program,
				    uint64_t index, const struct ksma_cached_folio *folio)
{
	uint64_t gpa = ksma_cached_gpa(folio, index);
	uint8_t found[KSMA_SHA256];
	const uint8_t *expected;
	struct ksma_note *note;
	bool bad;

	KSMA_TRY(look_again(pass, program, index, gpa, found, &bad));
	if (!bad)
		return NULL;
	KSMA_TRY(ksma_notes_get(&pass->notes, KSMA_NOTE_CHANGED, program->path, NULL, &note));
	note->dirty |= folio->flags & KSMA_CACHED_DIRTY;
	if (note->pages++)
		return NULL;
	note->gpa = gpa;
	note->offset = index * KSMA_PAGE_SIZE;
	if (index >= program->entry.pages)
		return NULL;
	KSMA_TRY(ksma_manifest_page(pass->manifest, &program->entry, index, &expected));
	ksma_note_page(note, expected, found, &program->identity);
	return NULL;
}

static struct ksma_error *appraise_folio(struct ksma_pass *pass, const struct ksma_program *program,
					 const struct ksma_cached_folio *folio)
{
	uint64_t size_pages = program->identity.size / KSMA_PAGE_SIZE +
			      (program->identity.size % KSMA_PAGE_SIZE != 0);
	enum ksma_page_state state;
	struct ksma_frame *frame;

	if (!(folio->flags & KSMA_CACHED_UPTODATE))
		return NULL;
	/* A large folio may go on behind the end of the file: no process reads that. */
	for (uint64_t i = folio->index; i - folio->index < folio->pages && i < size_pages; i++) {
		KSMA_TRY(ksma_pass_page(pass, program, i, ksma_cached_gpa(folio, i), &state,
					&frame));
		if (state == KSMA_PAGE_BAD)
			KSMA_TRY(note_page(pass, program, i, folio));
		if (state == KSMA_PAGE_UNREADABLE)
			pass->away++;
	}
	return NULL;
}

struct ksma_error *ksma_pass_file(struct ksma_pass *pass, struct ksma_program *program)
{
	const struct ksma_cached_folios *folios;

	if (!program->readable || !program->found || program->deleted || program->appraised)
		return NULL;
	program->appraised = true;
	KSMA_TRY(ksma_program_folios(&pass->programs, program, pass->look->coverage, &folios));
	if (!folios ||
	    ((program->entry.flags & KSMA_MANIFEST_CONFFILE || is_state(program->path)) &&
	     !is_code(pass, program)))
		return NULL;
	for (size_t i = 0; i < folios->count; i++)
		KSMA_TRY(appraise_folio(pass, program, &folios->items[i]));
	return NULL;
}

/* A mounted file system: the widest of its mounts. */
struct mounted {
	uint64_t vfsmount, root, sb;
};

struct mounts {
	struct ksma_pass *pass;
	struct {
		struct mounted *items;
		size_t count, capacity;
	} list;
	size_t done;
	bool torn;
	struct ksma_error *error;
};

static struct ksma_error *add_mount(struct mounts *m, uint64_t vfsmount)
{
	const struct ksma_offsets *off = &m->pass->kernel->off;
	struct ksma_mount_facts facts;
	struct mounted *item;
	uint64_t sb;

	if (!ksma_mount_read(&m->pass->programs.paths, vfsmount, &facts) ||
	    !ksma_kernel_u64(m->pass->kernel, vfsmount + (uint32_t)off->vfsmount__mnt_sb, &sb)) {
		m->torn = true;
		return NULL;
	}
	if (m->list.count >= MOUNTS_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d mounts", MOUNTS_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(&m->list, &item));
	*item = (struct mounted){ .vfsmount = vfsmount, .root = facts.root, .sb = sb };
	return NULL;
}

static bool on_child(void *arg, uint64_t entry)
{
	struct mounts *m = arg;
	const struct ksma_offsets *off = &m->pass->kernel->off;

	m->error =
		add_mount(m, entry - (uint32_t)off->mount__mnt_child + (uint32_t)off->mount__mnt);
	return !m->error && !m->torn;
}

/* All mounts below the root of the guest's init. */
static struct ksma_error *list_mounts_once(struct mounts *m)
{
	struct ksma_kernel *kernel = m->pass->kernel;
	const struct ksma_offsets *off = &kernel->off;
	struct ksma_budget budget = ksma_budget_default();

	m->list.count = 0;
	m->torn = false;
	KSMA_TRY(add_mount(m, m->pass->programs.paths.root_mnt));
	for (size_t i = 0; i < m->list.count && !m->torn; i++) {
		struct ksma_error *error =
			ksma_kernel_list(kernel,
					 m->list.items[i].vfsmount - (uint32_t)off->mount__mnt +
						 (uint32_t)off->mount__mnt_mounts,
					 &budget, on_child, m);

		if (m->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(m->error);
		}
		KSMA_TRY(error);
	}
	return m->torn ? ksma_error_create(KSMA_ERROR_BAD_DATA, "the mounts changed") : NULL;
}

static struct ksma_error *list_mounts(struct mounts *m)
{
	struct ksma_error *error;
	unsigned attempt = 0;

	KSMA_TRY(KSMA_NEED(m->pass->kernel, mount__mnt_mounts));
	KSMA_TRY(KSMA_NEED(m->pass->kernel, mount__mnt_child));
	KSMA_TRY(KSMA_NEED(m->pass->kernel, vfsmount__mnt_sb));
	do
		error = list_mounts_once(m);
	while (ksma_kernel_retry(m->pass->kernel, &attempt, &error));
	return error;
}

struct inodes {
	struct ksma_pass *pass;
	struct {
		uint64_t *items;
		size_t count, capacity;
	} list;
	struct ksma_error *error;
};

/* A regular file that has pages. Most inodes of a file system have none, so that this is looked at first. */
static bool on_inode(void *arg, uint64_t entry)
{
	struct inodes *in = arg;
	struct ksma_kernel *kernel = in->pass->kernel;
	const struct ksma_offsets *off = &kernel->off;
	uint64_t inode = entry - (uint32_t)off->inode__i_sb_list, mapping, pages, *item;
	uint16_t mode;

	if (!ksma_kernel_bytes(kernel, inode + (uint32_t)off->inode__i_mode, &mode, sizeof(mode)) ||
	    (mode & TYPE_MASK) != S_IFREG ||
	    !ksma_kernel_u64(kernel, inode + (uint32_t)off->inode__i_mapping, &mapping) ||
	    !ksma_kernel_u64(kernel, mapping + (uint32_t)off->address_space__nrpages, &pages) ||
	    pages == 0)
		return true;
	if (in->list.count >= INODES_MAX)
		in->error = ksma_error_create(KSMA_ERROR_LIMIT, "more than %d files", INODES_MAX);
	else
		in->error = KSMA_ARRAY_PUSH(&in->list, &item);
	if (in->error)
		return false;
	*item = inode;
	return true;
}

static struct ksma_error *list_inodes(struct inodes *in, uint64_t sb)
{
	struct ksma_kernel *kernel = in->pass->kernel;
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		in->list.count = 0;
		error = ksma_kernel_list(kernel, sb + (uint32_t)kernel->off.super_block__s_inodes,
					 &budget, on_inode, in);
		if (in->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(in->error);
		}
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	return error;
}

/* The link of a dentry to its inode was in the union d_u until 7.x, and is in one without a name since. */
static int32_t alias_offset(const struct ksma_offsets *off)
{
	return off->dentry__d_alias >= 0 ? off->dentry__d_alias : off->dentry__d_u_d_alias;
}

/* One of the names of an inode; false where it has none in memory. */
static bool find_name(struct ksma_pass *pass, uint64_t inode, uint64_t *ret_dentry)
{
	const struct ksma_offsets *off = &pass->kernel->off;
	uint64_t first;

	if (!ksma_kernel_u64(pass->kernel, inode + (uint32_t)off->inode__i_dentry, &first) ||
	    first == 0)
		return false;
	*ret_dentry = first - (uint32_t)alias_offset(off);
	return true;
}

static struct ksma_error *appraise_inodes(struct ksma_pass *pass, const struct mounted *mounted)
{
	const struct ksma_paths *paths = &pass->programs.paths;
	struct inodes in = { .pass = pass };
	struct ksma_error *error = list_inodes(&in, mounted->sb);

	if (error && error->code != KSMA_ERROR_NOMEM && error->code != KSMA_ERROR_LOST) {
		ksma_coverage_error(pass->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				    "the inodes of a file system");
		error = NULL;
	}
	for (size_t i = 0; i < in.list.count && !error; i++) {
		struct ksma_place place = { .mnt = mounted->vfsmount, .inode = in.list.items[i] };
		struct ksma_program *program;

		if (!find_name(pass, place.inode, &place.dentry))
			continue;
		error = ksma_programs_of_place(&pass->programs, &place, paths->root_mnt,
					       paths->root_dentry, &program);
		if (!error)
			error = ksma_pass_file(pass, program);
	}
	free(in.list.items);
	return error;
}

/* Of the mounts of one file system the one that shows its root, else the first: what it does not show has no path there. */
static bool is_widest(const struct mounts *m, size_t i, const struct ksma_kernel *kernel)
{
	const struct mounted *mine = &m->list.items[i];
	uint64_t root = 0;

	if (!ksma_kernel_u64((struct ksma_kernel *)kernel,
			     mine->sb + (uint32_t)kernel->off.super_block__s_root, &root))
		return false;
	for (size_t j = 0; j < m->list.count; j++) {
		const struct mounted *other = &m->list.items[j];

		if (j == i || other->sb != mine->sb)
			continue;
		if (other->root == root && (mine->root != root || j < i))
			return false;
		if (mine->root != root && j < i)
			return false;
	}
	return true;
}

struct ksma_error *ksma_pass_cached(struct ksma_pass *pass)
{
	struct ksma_kernel *kernel = pass->kernel;
	struct mounts m = { .pass = pass };
	struct ksma_error *error;

	/* What processes run was named by them. */
	for (size_t i = 0; i < pass->programs.all.count; i++)
		KSMA_TRY(ksma_pass_file(pass, pass->programs.all.items[i].program));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_inodes));
	KSMA_TRY(KSMA_NEED(kernel, super_block__s_root));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_sb_list));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_dentry));
	if (alias_offset(&kernel->off) < 0)
		KSMA_TRY(KSMA_NEED(kernel, dentry__d_alias));
	error = list_mounts(&m);
	for (size_t i = 0; i < m.list.count && !error; i++)
		if (is_widest(&m, i, kernel))
			error = appraise_inodes(pass, &m.list.items[i]);
	free(m.list.items);
	return error;
}
