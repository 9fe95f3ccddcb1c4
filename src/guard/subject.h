/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything about a file and who accesses it that decisions are made by, read once and in one place. */
#ifndef KSMA_GUARD_SUBJECT_H
#define KSMA_GUARD_SUBJECT_H

#include "guard/decide.h"
#include "linux/true_path.h"

/* Layouts, worked out once. Holds no resources. */
struct ksma_subject_reader {
	struct ksma_kernel *kernel;
	struct ksma_paths paths;
	struct ksma_page_cache_reader pages;
	struct ksma_window cred;
};

struct ksma_subject {
	struct ksma_inode_identity
		shown; /* what was accessed: of an overlay, the overlay's own inode */
	struct ksma_inode_identity file; /* what holds the contents */
	int32_t writers;       /* i_writecount: above 0, so many have it open for writing */
	int32_t writable_maps; /* i_mmap_writable: above 0, so many could write through a mapping */
	bool deleted;
	char fs_subtype[32];	       /* "": none */
	char path[KSMA_PATH_MAX + 64]; /* where it lies; "" when that could not be told */
	char seen[KSMA_PATH_MAX + 64]; /* through the mounts that it was reached by */
	struct ksma_access access;     /* for the policy; strings are of this struct */
};

/* @return NULL or UNSUPPORTED */
struct ksma_error *ksma_subject_reader_init(struct ksma_subject_reader *reader,
					    struct ksma_kernel *kernel) KSMA_MUST_CHECK;

enum ksma_subject_kind {
	KSMA_SUBJECT_FILE,
	KSMA_SUBJECT_OTHER, /* no regular file: never appraised */
	KSMA_SUBJECT_UNREADABLE,
};

/* Reads all of it. `access` has what the question says and who asks with `cred`. */
enum ksma_subject_kind ksma_subject_read(struct ksma_subject_reader *reader,
					 const struct ksma_question *question,
					 struct ksma_subject *ret_subject);

/* The identity and the writers, read again: true while they are what they were. */
bool ksma_subject_is_same(struct ksma_subject_reader *reader, const struct ksma_subject *subject);

/* The same access with other credentials. */
void ksma_subject_cred(struct ksma_subject_reader *reader, uint64_t cred,
		       struct ksma_access *access);

static inline bool ksma_subject_has_writers(const struct ksma_subject *subject)
{
	return subject->writers > 0 || subject->writable_maps > 0;
}

#endif
