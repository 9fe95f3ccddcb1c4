/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of one appraisal share. */
#ifndef KSMA_FILES_PASS_H
#define KSMA_FILES_PASS_H

#include "files/appraise.h"
#include "files/notes.h"
#include "files/programs.h"
#include "linux/areas.h"
#include "linux/processes.h"
#include "linux/uprobes.h"
#include "linux/user.h"

struct ksma_pass {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_frames *frames;
	struct ksma_manifest *manifest;
	struct ksma_programs programs;
	struct ksma_area_reader areas;
	struct ksma_notes notes;
	struct ksma_uprobe_list uprobes;
	bool have_uprobes;
	uint64_t vdso[3][2]; /* frames of the kernel's own: from, to */
	struct ksma_appraisal_cost cost;
	size_t unreadable; /* executable mappings of files that could not be told */
	int32_t first_unreadable;
	size_t away;	 /* pages that could not be read */
	size_t restless; /* processes that kept changing */
	int32_t first_restless;
};

/* How a page stands to the manifest. */
enum ksma_page_state {
	KSMA_PAGE_GOOD,
	KSMA_PAGE_BAD,
	KSMA_PAGE_UNREADABLE,
};

/* Holds a frame against page `index` of a file that the manifest has. A page behind the file's end is bad.
 * @ret_frame NULL when unreadable; valid until the next frame is looked at
 * @return NULL, NOMEM, and what ksma_manifest_page() returns */
struct ksma_error *ksma_pass_page(struct ksma_pass *pass, const struct ksma_program *program,
				  uint64_t index, uint64_t gpa, enum ksma_page_state *ret_state,
				  struct ksma_frame **ret_frame) KSMA_MUST_CHECK;

/* One process: its executable areas, and every page that its page tables let it execute. */
struct ksma_error *ksma_pass_process(struct ksma_pass *pass,
				     const struct ksma_process *process) KSMA_MUST_CHECK;

/* The script that a process was started as, where it was one. */
struct ksma_error *ksma_pass_script(struct ksma_pass *pass,
				    const struct ksma_process *process) KSMA_MUST_CHECK;

/* Every page of signed files that is in the page cache. */
struct ksma_error *ksma_pass_cached(struct ksma_pass *pass) KSMA_MUST_CHECK;

/* Looks what the guest's disks have in the place of changed pages. What cannot be told is said in the note. */
struct ksma_error *ksma_pass_disks(struct ksma_pass *pass) KSMA_MUST_CHECK;

/* The pages of one signed file that are in the page cache; once in a pass. */
struct ksma_error *ksma_pass_file(struct ksma_pass *pass,
				  struct ksma_program *program) KSMA_MUST_CHECK;

#endif
