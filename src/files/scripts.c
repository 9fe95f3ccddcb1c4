/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scripts that were started by their "#!".
 *
 * The kernel then runs the interpreter, and leaves the name by which the script was called where AT_EXECFN of the auxiliary vector
 * points (fs/binfmt_script.c, fs/binfmt_elf.c). That text lies on the process's own stack, so that the process may change it, and a
 * script that is given to an interpreter as an argument or on its standard input is not seen this way: docs/appraisal.md. */
#include "files/pass.h"

#include <sys/stat.h>

enum {
	AUXV_MAX = 64, /* pairs; AT_VECTOR_SIZE is less */
	AT_EXECFN_ID = 31,
	TYPE_MASK = 0170000,
};

/* The name by which the process's program was started. @return false when it cannot be known */
static bool read_execfn(struct ksma_pass *pass, const struct ksma_process *process, char *name,
			size_t size)
{
	struct ksma_kernel *kernel = pass->kernel;
	uint64_t auxv[2 * AUXV_MAX], at = 0;
	size_t n;

	if (kernel->off.mm_struct__saved_auxv < 0)
		return false;
	for (unsigned i = 0; i < AUXV_MAX; i++) {
		if (!ksma_kernel_bytes(kernel,
				       process->mm + (uint32_t)kernel->off.mm_struct__saved_auxv +
					       16ull * i,
				       &auxv[0], 16) ||
		    auxv[0] == 0)
			break;
		if (auxv[0] == AT_EXECFN_ID)
			at = auxv[1];
	}
	if (at == 0)
		return false;
	n = ksma_user_read(kernel, process->pgd, at, name, size - 1, NULL);
	name[n] = 0;
	return n && strlen(name) < n;
}

/* Names that lead to the program itself, by way of the process. */
static bool is_own_link(const char *name)
{
	return strncmp(name, "/proc/", 6) == 0 || strncmp(name, "/dev/fd/", 8) == 0;
}

/* @ret_script NULL when it was no script, or its name leads nowhere now */
static struct ksma_error *find_script(struct ksma_pass *pass, const struct ksma_process *process,
				      struct ksma_program **ret_script)
{
	struct ksma_programs *programs = &pass->programs;
	const struct ksma_offsets *off = &pass->kernel->off;
	struct ksma_place root, cwd, place;
	struct ksma_file_facts facts;
	char name[KSMA_PATH_MAX];
	struct ksma_error *error;
	uint64_t exe;

	*ret_script = NULL;
	if (off->mm_struct__exe_file < 0 || !read_execfn(pass, process, name, sizeof(name)) ||
	    is_own_link(name))
		return NULL;
	/* The common case, without a look at names. */
	if (process->exe && strcmp(process->exe, name) == 0)
		return NULL;
	error = ksma_lookup_task(&programs->paths, process->task, &root, &cwd);
	if (!error)
		error = ksma_lookup(&programs->paths, &programs->reader, &root, &cwd, name, &place);
	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
		return error;
	ksma_error_destroy(error);
	if (error ||
	    !ksma_kernel_u64(pass->kernel, process->mm + (uint32_t)off->mm_struct__exe_file,
			     &exe) ||
	    !ksma_file_read(&programs->paths, exe, &facts) || facts.inode == place.inode)
		return NULL;
	ksma_file_user_path(&programs->paths, exe, &facts);
	if (facts.inode == place.inode)
		return NULL;
	return ksma_programs_of_place(programs, &place, root.mnt, root.dentry, ret_script);
}

/* True for content that begins with "#!"; what is not in memory is none. */
static struct ksma_error *is_script(struct ksma_pass *pass, struct ksma_program *program,
				    bool *ret_script)
{
	const struct ksma_cached_folios *folios;
	const struct ksma_cached_folio *first;
	char magic[2];

	*ret_script = false;
	if (!program->readable || (program->identity.mode & TYPE_MASK) != S_IFREG)
		return NULL;
	KSMA_TRY(ksma_program_folios(&pass->programs, program, pass->look->coverage, &folios));
	first = folios ? ksma_cached_folio_at(folios, 0) : NULL;
	*ret_script = first && first->flags & KSMA_CACHED_UPTODATE &&
		      ksma_guest_try_read(pass->kernel->guest, ksma_cached_gpa(first, 0), magic,
					  sizeof(magic)) &&
		      memcmp(magic, "#!", 2) == 0;
	return NULL;
}

struct ksma_error *ksma_pass_script(struct ksma_pass *pass, const struct ksma_process *process)
{
	struct ksma_program *script;
	struct ksma_note *note;
	bool is;

	KSMA_TRY(find_script(pass, process, &script));
	if (!script)
		return NULL;
	KSMA_TRY(is_script(pass, script, &is));
	/* A signed one is looked at with all other files. */
	if (!is || (script->found && !script->deleted))
		return is ? ksma_pass_file(pass, script) : NULL;
	KSMA_TRY(ksma_notes_get(&pass->notes, KSMA_NOTE_SCRIPT, script->path, NULL, &note));
	ksma_note_process(note, process->pid, process->comm);
	return NULL;
}
