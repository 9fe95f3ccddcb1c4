/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the guest as one pass meets them: which they are, what they are called, and what the manifest says of them. */
#ifndef KSMA_FILES_PROGRAMS_H
#define KSMA_FILES_PROGRAMS_H

#include "linux/lookup.h"
#include <ksma/manifest.h>

/* One file as one root directory sees it. Texts are owned by the table. */
struct ksma_program {
	/* What it was looked up by. */
	uint64_t inode, mnt, dentry, root_mnt, root_dentry;

	bool readable;			     /* the rest is known */
	struct ksma_inode_identity identity; /* of the inode that has the pages */
	char *path;			     /* as the guest's init sees it, without " (deleted)" */
	char *own; /* as the processes of the other root see it; NULL: the same */
	bool deleted;
	bool memfd; /* it never had a name */
	bool found; /* the manifest has it */
	struct ksma_manifest_entry entry;

	bool settled,
		known;	/* the caller's: of a deleted file, that its pages are those of the entry */
	bool appraised; /* the caller's: its cached pages were looked at in this pass */
	bool listed;	/* `folios` were read in this pass */
	struct ksma_cached_folios folios;
};

struct ksma_programs {
	struct ksma_kernel *kernel;
	struct ksma_manifest *manifest;
	struct ksma_paths paths;
	struct ksma_page_cache_reader reader;
	struct {
		struct ksma_program_slot {
			struct ksma_program *program; /* stays where it is while the table grows */
		} * items;
		size_t count, capacity;
	} all;
	size_t *slots; /* open addressing: index in `all` and one */
	size_t size;   /* a power of two */
};

/* @return NULL, UNSUPPORTED, NOMEM. Ended with ksma_programs_deinit() in either case */
struct ksma_error *ksma_programs_init(struct ksma_programs *programs, struct ksma_kernel *kernel,
				      struct ksma_manifest *manifest) KSMA_MUST_CHECK;
void ksma_programs_deinit(struct ksma_programs *programs);

/* The file behind a struct file, as processes of that root see it.
 * @ret_program  stays where it is until the table is ended; its `readable` is false when the guest's memory does not tell
 * @return NULL, NOMEM, and what ksma_manifest_find() returns */
struct ksma_error *ksma_programs_of_file(struct ksma_programs *programs, uint64_t file,
					 uint64_t root_mnt, uint64_t root_dentry,
					 struct ksma_program **ret_program) KSMA_MUST_CHECK;

/* The same for a place that a name led to, or that a walk through the inodes found. */
struct ksma_error *ksma_programs_of_place(struct ksma_programs *programs,
					  const struct ksma_place *place, uint64_t root_mnt,
					  uint64_t root_dentry,
					  struct ksma_program **ret_program) KSMA_MUST_CHECK;

/* The folios of a program, listed when first asked for. @ret_folios NULL when they cannot be listed: a gap in the coverage */
struct ksma_error *
ksma_program_folios(struct ksma_programs *programs, struct ksma_program *program,
		    struct ksma_coverage *coverage,
		    const struct ksma_cached_folios **ret_folios) KSMA_MUST_CHECK;

#endif
