/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an appraisal noticed, gathered by what it is about, so that one changed library in a hundred processes is one finding. */
#ifndef KSMA_FILES_NOTES_H
#define KSMA_FILES_NOTES_H

#include "checks/check.h"
#include "linux/page_cache.h"

enum ksma_note_kind {
	KSMA_NOTE_CHANGED,   /* a page in the cache is not what the manifest says */
	KSMA_NOTE_PATCHED,   /* a process's own copy of a page is not the file's */
	KSMA_NOTE_UNSIGNED,  /* executable, and in no manifest */
	KSMA_NOTE_DELETED,   /* executable, and its name is gone */
	KSMA_NOTE_MEMFD,     /* executable, and never had a name */
	KSMA_NOTE_ANONYMOUS, /* executable, and no file */
	KSMA_NOTE_WRITABLE,  /* of a file, and writable and executable */
	KSMA_NOTE_SPECIAL,   /* instead of the kernel's own page (vdso) */
	KSMA_NOTE_NO_AREA,   /* executable by the page tables alone */
	KSMA_NOTE_SCRIPT,    /* an unsigned script that an interpreter runs */
	KSMA_NOTE_KINDS,
};

enum { KSMA_NOTE_PIDS = 8 };

/* What the disk has in the place of a changed page. */
enum ksma_note_disk {
	KSMA_DISK_UNKNOWN,
	KSMA_DISK_SIGNED, /* what was signed: memory alone was changed */
	KSMA_DISK_SAME,	  /* what memory has */
	KSMA_DISK_OTHER,
};

struct ksma_note {
	enum ksma_note_kind kind;
	char *file;    /* path, or NULL */
	char *program; /* path of the process's program, or NULL; not of what lies in the cache */
	char comm[16];
	int32_t pids[KSMA_NOTE_PIDS];
	size_t processes; /* may be more than `pids` holds */
	uint64_t pages;
	uint64_t offset, gva, gpa; /* of the first page; gva 0: in the cache only */
	bool dirty;		   /* the guest means to write the page to disk */
	bool writable;
	bool content_known; /* DELETED: the content is that of the manifest */
	uint8_t expected[32], found[32];
	bool have_hashes;
	struct ksma_inode_identity identity; /* with hashes: of the file */
	enum ksma_note_disk disk;
	char *disk_problem; /* why it is not known, or NULL */
};

struct ksma_notes {
	struct ksma_note *items;
	size_t count, capacity;
};

/* The note of this kind about this file and program, made when there is none. Texts may be NULL.
 * @ret_note valid until the next call @return NULL, LIMIT, NOMEM */
struct ksma_error *ksma_notes_get(struct ksma_notes *notes, enum ksma_note_kind kind,
				  const char *file, const char *program,
				  struct ksma_note **ret_note) KSMA_MUST_CHECK;

/* What the manifest says of the page that the note is about, what was found in its place, and of which file. */
void ksma_note_page(struct ksma_note *note, const uint8_t expected[32], const uint8_t found[32],
		    const struct ksma_inode_identity *identity);

/* Adds a process, once. */
void ksma_note_process(struct ksma_note *note, int32_t pid, const char *comm);

/* Makes findings of them. */
struct ksma_error *ksma_notes_report(const struct ksma_notes *notes,
				     struct ksma_look *look) KSMA_MUST_CHECK;
void ksma_notes_deinit(struct ksma_notes *notes);

#endif
