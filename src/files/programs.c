/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names files and finds them in the manifest, once for each file in a pass. */
#include "files/programs.h"

#include <sys/stat.h>

enum { FIRST_SLOTS = 1 << 9, PROGRAMS_MAX = 1 << 20, TYPE_MASK = 0170000 };

#define DELETED " (deleted)"

static void program_destroy(struct ksma_program *program)
{
	free(program->path);
	free(program->own);
	free(program->folios.items);
	free(program);
}

void ksma_programs_deinit(struct ksma_programs *programs)
{
	for (size_t i = 0; i < programs->all.count; i++)
		program_destroy(programs->all.items[i].program);
	free(programs->all.items);
	free(programs->slots);
	*programs = (struct ksma_programs){ 0 };
}

struct ksma_error *ksma_programs_init(struct ksma_programs *programs, struct ksma_kernel *kernel,
				      struct ksma_manifest *manifest)
{
	*programs = (struct ksma_programs){ .kernel = kernel, .manifest = manifest };
	KSMA_TRY(ksma_paths_init(&programs->paths, kernel));
	KSMA_TRY(ksma_page_cache_init(&programs->reader, kernel));
	programs->size = FIRST_SLOTS;
	programs->slots = calloc(programs->size, sizeof(*programs->slots));
	return programs->slots ? NULL : ksma_error_nomem();
}

static bool is_key(const struct ksma_program *a, const struct ksma_program *b)
{
	return a->inode == b->inode && a->mnt == b->mnt && a->dentry == b->dentry &&
	       a->root_mnt == b->root_mnt && a->root_dentry == b->root_dentry;
}

static size_t *slot_of(const struct ksma_programs *programs, const struct ksma_program *key)
{
	uint64_t h = (key->inode ^ key->dentry << 1 ^ key->mnt << 2 ^ key->root_dentry << 3) *
		     0x9e3779b97f4a7c15ull;
	size_t i = (size_t)(h >> 32) & (programs->size - 1);

	while (programs->slots[i] &&
	       !is_key(programs->all.items[programs->slots[i] - 1].program, key))
		i = (i + 1) & (programs->size - 1);
	return &programs->slots[i];
}

static struct ksma_error *grow(struct ksma_programs *programs)
{
	size_t *slots = calloc(programs->size * 2, sizeof(*slots));

	if (!slots)
		return ksma_error_nomem();
	free(programs->slots);
	programs->slots = slots;
	programs->size *= 2;
	for (size_t i = 0; i < programs->all.count; i++)
		*slot_of(programs, programs->all.items[i].program) = i + 1;
	return NULL;
}

/* Where / and /usr are merged, packages still say /lib, and the kernel /usr/lib. The content decides, so that no harm comes of it. */
static struct ksma_error *find_path(struct ksma_programs *programs, struct ksma_program *program,
				    const char *path)
{
	static const char *const merged[] = { "/usr/bin/",   "/usr/sbin/",  "/usr/lib/",
					      "/usr/lib32/", "/usr/lib64/", "/usr/libx32/" };

	KSMA_TRY(ksma_manifest_find(programs->manifest, path, &program->found, &program->entry));
	for (size_t i = 0; i < ARRAY_SIZE(merged) && !program->found; i++)
		if (strncmp(path, merged[i], strlen(merged[i])) == 0)
			KSMA_TRY(ksma_manifest_find(programs->manifest, path + strlen("/usr"),
						    &program->found, &program->entry));
	if (program->found && program->entry.type != KSMA_MANIFEST_FILE)
		program->found = false;
	return NULL;
}

/* What the path is, and for processes elsewhere, what they call it. */
static struct ksma_error *name(struct ksma_programs *programs, struct ksma_program *program)
{
	struct ksma_paths *paths = &programs->paths;
	struct ksma_path path;

	if (!ksma_path_show(paths, program->mnt, program->dentry, &path))
		return NULL;
	program->deleted = path.deleted;
	program->memfd = path.deleted && path.end == KSMA_PATH_ELSEWHERE &&
			 strncmp(path.text, "/memfd:", 7) == 0;
	if (path.deleted && strlen(path.text) > strlen(DELETED))
		path.text[strlen(path.text) - strlen(DELETED)] = 0;
	KSMA_TRY(ksma_strdup(path.text, &program->path));
	program->readable = true;
	if ((program->root_mnt == paths->root_mnt && program->root_dentry == paths->root_dentry) ||
	    program->memfd)
		return NULL;
	if (!ksma_path_below(paths, program->mnt, program->dentry, program->root_mnt,
			     program->root_dentry, &path) ||
	    path.end != KSMA_PATH_AT_ROOT)
		return NULL;
	return ksma_strdup(path.text, &program->own);
}

/* The name by which its processes know it comes first, then that of the guest's init. */
static struct ksma_error *describe(struct ksma_programs *programs, struct ksma_program *program)
{
	uint64_t inode = program->inode, real;
	struct ksma_error *error;

	if (!ksma_inode_identify(&programs->reader, inode, &program->identity))
		return NULL;
	if (strcmp(program->identity.fstype, "overlay") == 0) {
		error = ksma_overlay_real(&programs->reader, inode, &real);
		ksma_error_destroy(error);
		if (error || !ksma_inode_identify(&programs->reader, real, &program->identity))
			return NULL;
	}
	KSMA_TRY(name(programs, program));
	if (!program->readable || program->memfd)
		return NULL;
	if (program->own)
		KSMA_TRY(find_path(programs, program, program->own));
	return program->found ? NULL : find_path(programs, program, program->path);
}

static struct ksma_error *get(struct ksma_programs *programs, const struct ksma_program *key,
			      struct ksma_program **ret_program)
{
	size_t *slot = slot_of(programs, key);
	struct ksma_program_slot *item;
	struct ksma_program *program;
	struct ksma_error *error;

	if (*slot) {
		*ret_program = programs->all.items[*slot - 1].program;
		return NULL;
	}
	if (programs->all.count >= PROGRAMS_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d files", PROGRAMS_MAX);
	program = malloc(sizeof(*program));
	if (!program)
		return ksma_error_nomem();
	*program = *key;
	error = describe(programs, program);
	if (!error)
		error = KSMA_ARRAY_PUSH(&programs->all, &item);
	if (error) {
		program_destroy(program);
		return error;
	}
	item->program = program;
	*slot = programs->all.count;
	*ret_program = program;
	return programs->all.count * 2 > programs->size ? grow(programs) : NULL;
}

struct ksma_error *ksma_programs_of_file(struct ksma_programs *programs, uint64_t file,
					 uint64_t root_mnt, uint64_t root_dentry,
					 struct ksma_program **ret_program)
{
	struct ksma_program key = { .root_mnt = root_mnt, .root_dentry = root_dentry };
	struct ksma_file_facts facts;

	if (ksma_file_read(&programs->paths, file, &facts)) {
		/* The pages are those of the file that does the work, the name is the user's. */
		key.inode = facts.inode;
		ksma_file_user_path(&programs->paths, file, &facts);
		key.mnt = facts.mnt;
		key.dentry = facts.dentry;
	}
	return get(programs, &key, ret_program);
}

struct ksma_error *ksma_programs_of_place(struct ksma_programs *programs,
					  const struct ksma_place *place, uint64_t root_mnt,
					  uint64_t root_dentry, struct ksma_program **ret_program)
{
	struct ksma_program key = {
		.inode = place->inode,
		.mnt = place->mnt,
		.dentry = place->dentry,
		.root_mnt = root_mnt,
		.root_dentry = root_dentry,
	};

	return get(programs, &key, ret_program);
}

struct ksma_error *ksma_program_folios(struct ksma_programs *programs, struct ksma_program *program,
				       struct ksma_coverage *coverage,
				       const struct ksma_cached_folios **ret_folios)
{
	struct ksma_error *error = NULL;

	*ret_folios = NULL;
	if (!program->listed) {
		error = ksma_page_cache_list(&programs->reader, &program->identity,
					     &program->folios);
		if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
			return error;
		program->listed = !error;
	}
	if (program->listed)
		*ret_folios = &program->folios;
	ksma_coverage_error(coverage, KSMA_COVERAGE_PARTIAL, error, program->path);
	return NULL;
}
