/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Was a page that is not as signed changed in memory alone (the Dirty Pipe class), or on the disk? Only where something was found are the guest's
 * disks read, by its QEMU. */
#include "files/contents.h"
#include "files/pass.h"

enum { FILES_MAX = 64 }; /* each costs a walk to the file's blocks; by then the point is made */

static bool is_wanted(const struct ksma_note *note)
{
	return note->kind == KSMA_NOTE_CHANGED && note->have_hashes;
}

static struct ksma_error *compare(struct ksma_pass *pass, struct ksma_content_reader *reader,
				  struct ksma_note *note)
{
	uint8_t page[KSMA_PAGE_SIZE], hash[KSMA_SHA256];

	KSMA_TRY(ksma_content_reader_disk_page(reader, &note->identity,
					       note->offset / KSMA_PAGE_SIZE, page));
	ksma_frames_hash(pass->frames, page, hash);
	note->disk = memcmp(hash, note->expected, KSMA_SHA256) == 0 ? KSMA_DISK_SIGNED
		     : memcmp(hash, note->found, KSMA_SHA256) == 0  ? KSMA_DISK_SAME
								    : KSMA_DISK_OTHER;
	return NULL;
}

/* What stands in the way goes into the note: a disk that fails takes no finding away. A guest that is gone is noticed by whoever looks next. */
static struct ksma_error *note_problem(struct ksma_note *note, struct ksma_error *error)
{
	if (!error || error->code == KSMA_ERROR_NOMEM)
		return error;
	note->disk_problem = TAKE_PTR(error->message);
	ksma_error_destroy(error);
	return NULL;
}

struct ksma_error *ksma_pass_disks(struct ksma_pass *pass)
{
	struct ksma_content_reader *reader = NULL;
	struct ksma_error *error = NULL;
	size_t files = 0;

	for (size_t i = 0; i < pass->notes.count && !error && files < FILES_MAX; i++) {
		struct ksma_note *note = &pass->notes.items[i];

		if (!is_wanted(note))
			continue;
		files++;
		if (!reader)
			error = ksma_content_reader_create(pass->kernel, &reader);
		if (!error)
			error = compare(pass, reader, note);
		error = note_problem(note, error);
	}
	ksma_content_reader_destroy(reader);
	return error;
}
