/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words for what an appraisal noticed. */
#include "files/notes.h"

#include <inttypes.h>

enum { NOTES_MAX = 4096, ID_MAX = 512 };

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

struct ksma_error *ksma_notes_get(struct ksma_notes *notes, enum ksma_note_kind kind,
				  const char *file, const char *program,
				  struct ksma_note **ret_note)
{
	struct ksma_note made = { .kind = kind }, *item;
	struct ksma_error *error = NULL;

	for (size_t i = 0; i < notes->count; i++)
		if (notes->items[i].kind == kind && same(notes->items[i].file, file) &&
		    same(notes->items[i].program, program)) {
			*ret_note = &notes->items[i];
			return NULL;
		}
	if (notes->count >= NOTES_MAX)
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"more than %d things were noticed; the rest was not looked at", NOTES_MAX);
	if (file)
		error = ksma_strdup(file, &made.file);
	if (!error && program)
		error = ksma_strdup(program, &made.program);
	if (!error)
		error = KSMA_ARRAY_PUSH(notes, &item);
	if (error) {
		free(made.file);
		free(made.program);
		return error;
	}
	*item = made;
	*ret_note = item;
	return NULL;
}

void ksma_note_page(struct ksma_note *note, const uint8_t expected[32], const uint8_t found[32],
		    const struct ksma_inode_identity *identity)
{
	memcpy(note->expected, expected, sizeof(note->expected));
	memcpy(note->found, found, sizeof(note->found));
	note->identity = *identity;
	note->have_hashes = true;
}

void ksma_note_process(struct ksma_note *note, int32_t pid, const char *comm)
{
	for (size_t i = 0; i < note->processes && i < KSMA_NOTE_PIDS; i++)
		if (note->pids[i] == pid)
			return;
	if (note->processes < KSMA_NOTE_PIDS)
		note->pids[note->processes] = pid;
	if (note->processes++ == 0)
		snprintf(note->comm, sizeof(note->comm), "%s", comm);
}

void ksma_notes_deinit(struct ksma_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		free(notes->items[i].file);
		free(notes->items[i].program);
		free(notes->items[i].disk_problem);
	}
	free(notes->items);
	*notes = (struct ksma_notes){ 0 };
}

/* How each kind is told. */
static const struct {
	const char *id, *title, *attack;
	enum ksma_severity severity;
	bool by_program; /* the id names the program, not the file */
} kinds[KSMA_NOTE_KINDS] = {
	[KSMA_NOTE_CHANGED] = { "changed", "in memory is not what its manifest says", "T1554",
				KSMA_SEVERITY_CRITICAL, false },
	[KSMA_NOTE_PATCHED] = { "patched", "was changed in the memory of a process", "T1055",
				KSMA_SEVERITY_CRITICAL, false },
	[KSMA_NOTE_UNSIGNED] = { "unsigned", "is executed, and no manifest has it", "T1204",
				 KSMA_SEVERITY_HIGH, false },
	[KSMA_NOTE_DELETED] = { "deleted", "is executed, and its name is gone", "T1070.004",
				KSMA_SEVERITY_HIGH, false },
	[KSMA_NOTE_MEMFD] = { "memfd", "is executed, and only ever was in memory", "T1620",
			      KSMA_SEVERITY_CRITICAL, false },
	[KSMA_NOTE_ANONYMOUS] = { "anonymous", "has executable memory that is of no file", "T1055",
				  KSMA_SEVERITY_HIGH, true },
	[KSMA_NOTE_WRITABLE] = { "writable", "is mapped writable and executable", "T1055",
				 KSMA_SEVERITY_HIGH, false },
	[KSMA_NOTE_SPECIAL] = { "vdso", "has changed code in the place of the kernel's", "T1055",
				KSMA_SEVERITY_CRITICAL, true },
	[KSMA_NOTE_NO_AREA] = { "no-area",
				"has executable pages that the kernel keeps no record of", "T1014",
				KSMA_SEVERITY_CRITICAL, true },
	[KSMA_NOTE_SCRIPT] = { "script", "is run by an interpreter, and no manifest has it",
			       "T1059", KSMA_SEVERITY_HIGH, false },
};

/* Names come from the guest, and ids are printed and matched: what is no plain character becomes a question mark. */
static void clean(const char *name, char *buffer, size_t size)
{
	size_t i;

	while (*name == '/')
		name++;
	for (i = 0; i < size - 1 && name[i]; i++)
		buffer[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
	buffer[i] = 0;
}

static struct ksma_error *add_pids(const struct ksma_note *note, struct ksma_finding *finding)
{
	char text[KSMA_NOTE_PIDS * 12 + 32] = "";
	size_t used = 0;

	if (!note->processes)
		return NULL;
	for (size_t i = 0; i < note->processes && i < KSMA_NOTE_PIDS; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%" PRId32,
					 i ? ", " : "", note->pids[i]);
	KSMA_TRY(ksma_finding_text(finding, "comm", "%.15s", note->comm));
	KSMA_TRY(ksma_finding_number(finding, "processes", note->processes));
	return ksma_finding_text(finding, "pids", "%s", text);
}

static struct ksma_error *add_hash(struct ksma_finding *finding, const char *key,
				   const uint8_t hash[32])
{
	char text[65];

	for (unsigned i = 0; i < 32; i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return ksma_finding_text(finding, key, "%s", text);
}

static struct ksma_error *add_disk(const struct ksma_note *note, struct ksma_finding *finding)
{
	static const char *const words[] = {
		[KSMA_DISK_UNKNOWN] = "not looked at",
		[KSMA_DISK_SIGNED] = "what was signed: this page was changed in memory alone",
		[KSMA_DISK_SAME] = "the same as memory: it was changed there too",
		[KSMA_DISK_OTHER] = "neither what was signed nor what is in memory",
	};

	return ksma_finding_text(finding, "disk", "%s%s%s%s",
				 note->pages > 1 && note->disk ? "of the first page: " : "",
				 words[note->disk], note->disk_problem ? ": " : "",
				 note->disk_problem ?: "");
}

/* What can be said of how it came to be: the guest's own marks, which whoever writes to its memory does not set, and the disk. */
static struct ksma_error *add_page(const struct ksma_note *note, struct ksma_finding *finding)
{
	if (note->pages) {
		KSMA_TRY(ksma_finding_number(finding, "pages", note->pages));
		KSMA_TRY(ksma_finding_number(finding, "offset", note->offset));
		KSMA_TRY(ksma_finding_text(finding, "frame", "0x%" PRIx64, note->gpa));
	}
	if (note->gva)
		KSMA_TRY(ksma_finding_text(finding, "address", "0x%016" PRIx64, note->gva));
	if (note->have_hashes) {
		KSMA_TRY(add_hash(finding, "expected", note->expected));
		KSMA_TRY(add_hash(finding, "found", note->found));
	}
	if (note->kind == KSMA_NOTE_CHANGED)
		KSMA_TRY(ksma_finding_text(
			finding, "state", "%s",
			note->dirty
				? "dirty: written through the guest's kernel, and on its way to the disk"
				: "clean: the disk has it too, or it was changed behind the kernel's back"));
	if (note->kind == KSMA_NOTE_CHANGED)
		KSMA_TRY(add_disk(note, finding));
	if (note->kind == KSMA_NOTE_ANONYMOUS || note->kind == KSMA_NOTE_NO_AREA)
		KSMA_TRY(ksma_finding_text(finding, "writable", "%s",
					   note->writable ? "yes" : "no"));
	if (note->kind == KSMA_NOTE_DELETED)
		KSMA_TRY(ksma_finding_text(
			finding, "content", "%s",
			note->content_known ? "what the manifest says of that name" : "unknown"));
	return NULL;
}

static struct ksma_error *report(const struct ksma_note *note, struct ksma_look *look)
{
	enum ksma_severity severity = kinds[note->kind].severity;
	const char *about = kinds[note->kind].by_program ? note->program : note->file;
	char name[ID_MAX], program[ID_MAX];
	struct ksma_finding *finding;

	/* As after an upgrade, when what was replaced still runs. */
	if (note->kind == KSMA_NOTE_DELETED && note->content_known)
		severity = KSMA_SEVERITY_LOW;
	clean(about ? about : "unknown", name, sizeof(name));
	clean(note->program ? note->program : "unknown", program, sizeof(program));
	if (note->kind == KSMA_NOTE_PATCHED)
		KSMA_TRY(ksma_finding_add(look, severity, &finding, "%s/%s/in/%s",
					  kinds[note->kind].id, name, program));
	else
		KSMA_TRY(ksma_finding_add(look, severity, &finding, "%s/%s", kinds[note->kind].id,
					  name));
	finding->attack = kinds[note->kind].attack;
	KSMA_TRY(ksma_finding_title(
		finding, "%s %s%s", about ? about : "a program", kinds[note->kind].title,
		note->disk == KSMA_DISK_SIGNED && note->pages == 1 ? ", while its disk is" : ""));
	if (note->file)
		KSMA_TRY(ksma_finding_text(finding, "file", "%s", note->file));
	if (note->program)
		KSMA_TRY(ksma_finding_text(finding, "program", "%s", note->program));
	KSMA_TRY(add_pids(note, finding));
	return add_page(note, finding);
}

struct ksma_error *ksma_notes_report(const struct ksma_notes *notes, struct ksma_look *look)
{
	for (size_t i = 0; i < notes->count; i++)
		KSMA_TRY(report(&notes->items[i], look));
	return NULL;
}
