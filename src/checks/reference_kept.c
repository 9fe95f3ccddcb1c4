/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First looks that outlive the command: which file is this guest's, whether it is of this boot, and what goes into it. */
#include <errno.h>
#include <sys/stat.h>

#include "checks/reference.h"

enum { MAX_NAME = 64, INT3 = 0xcc };

/* A UUID or a name as a name of a file: what could lead elsewhere is written as %XX. */
static struct ksma_error *file_name(const struct ksma_guest_info *info, char *name, size_t size)
{
	const char *id = info->uuid[0] ? info->uuid : info->name;
	size_t at = 0;

	if (info->kind != KSMA_GUEST_LIVE)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "first looks are kept of running guests only");
	if (!*id)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the guest has neither a name nor a UUID that its first look could be found by: give QEMU -name or -uuid");
	for (; *id && at + 4 < size; id++) {
		bool plain = (*id >= 'a' && *id <= 'z') || (*id >= 'A' && *id <= 'Z') ||
			     (*id >= '0' && *id <= '9') || *id == '-' || *id == '_' ||
			     (*id == '.' && at);

		at += (size_t)snprintf(name + at, size - at, plain ? "%c" : "%%%02X",
				       (unsigned char)*id);
	}
	if (*id)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "the guest's name is too long for a file: give it a UUID");
	return NULL;
}

/* When process 1 was made, in nanoseconds since boot: no two boots have the same. */
static uint64_t started_ns(struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	int32_t member = off->task_struct__start_boottime != KSMA_NO_MEMBER
				 ? off->task_struct__start_boottime
				 : off->task_struct__real_start_time;
	uint64_t space = ksma_kernel_symbol(kernel, "init_pid_ns"), task, started;

	if (!space || off->pid_namespace__child_reaper == KSMA_NO_MEMBER ||
	    member == KSMA_NO_MEMBER ||
	    !ksma_kernel_u64(kernel, space + (uint64_t)off->pid_namespace__child_reaper, &task) ||
	    !ksma_kernel_u64(kernel, task + (uint64_t)member, &started))
		return 0;
	return started;
}

static void read_boot(struct ksma_kernel *kernel, struct ksma_kept_boot *boot)
{
	const struct ksma_build_id *id = &kernel->info.build_id;

	*boot = (struct ksma_kept_boot){
		.image = kernel->image,
		.physical_base = kernel->physical_base,
		.page_offset = kernel->page_offset,
		.vmalloc = kernel->vmalloc,
		.started_ns = started_ns(kernel),
	};
	memcpy(boot->build_id, id->bytes,
	       id->length < sizeof(boot->build_id) ? id->length : sizeof(boot->build_id));
}

static struct ksma_error *make_folder(const char *dir)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return ksma_error_os(errno, "cannot make the folder %s", dir);
	if (stat(dir, &st) < 0)
		return ksma_error_os(errno, "cannot use the folder %s", dir);
	if ((st.st_uid != geteuid() && st.st_uid != 0) || st.st_mode & (S_IWGRP | S_IWOTH))
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"the folder %s may be written by others: chown and chmod go-w it", dir);
	return NULL;
}

struct ksma_error *ksma_reference_find_kept(struct ksma_kernel *kernel, const char *dir,
					    struct ksma_reference *reference)
{
	struct ksma_error *error;
	char name[3 * MAX_NAME];

	KSMA_TRY(file_name(&kernel->guest->info, name, sizeof(name)));
	KSMA_TRY(make_folder(dir));
	KSMA_TRY(ksma_asprintf(&reference->kept_path, "%s/%s", dir, name));
	read_boot(kernel, &reference->boot);
	error = ksma_kept_read(reference->kept_path, &reference->kept);
	if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
		ksma_error_destroy(error);
		return NULL;
	}
	KSMA_TRY(error);
	if (memcmp(ksma_kept_boot(reference->kept), &reference->boot, sizeof(reference->boot)) !=
	    0) {
		ksma_kept_destroy(TAKE_PTR(reference->kept));
		return ksma_strdup("the one that was kept is of an earlier boot",
				   &reference->kept_note);
	}
	reference->first_look_ns = ksma_kept_taken_ns(reference->kept);
	return NULL;
}

/* A site that was being patched at the first look is not known yet. */
static bool is_settled(const struct ksma_proof_unit *unit)
{
	for (size_t i = 0; i < unit->jumps.count; i++)
		if (!unit->jumps.items[i].size)
			return false;
	for (size_t i = 0; unit->baseline && i < unit->calls.count; i++)
		if (unit->calls.items[i].vendor[0] == INT3)
			return false;
	return true;
}

static struct ksma_error *add_words(struct ksma_kept_writer *writer, struct ksma_proof_unit *unit,
				    const struct ksma_proof_range *range)
{
	_cleanup_free_ struct ksma_kept_word *words = NULL;
	size_t count = 0;

	words = calloc(unit->taken.count + 1, sizeof(*words));
	if (!words)
		return ksma_error_nomem();
	for (size_t i = 0; i < unit->taken.count; i++) {
		uint64_t gva = unit->taken.items[i], left = range->gva + range->size - gva;
		size_t n = 8 - (gva & 7);
		const uint8_t *bytes;

		if (gva - range->gva >= range->size)
			continue;
		n = n < left ? n : left;
		bytes = ksma_patch_at(&unit->patch, gva, n);
		if (!bytes)
			continue;
		words[count].gva = gva;
		memcpy(words[count++].bytes, bytes, n);
	}
	return ksma_kept_add_words(writer, &unit->key, range->gva, range->size, words, count);
}

static struct ksma_error *add_unit(struct ksma_kept_writer *writer, struct ksma_proof_unit *unit)
{
	if (unit->baseline) {
		/* What probes stand on; the next look puts them in again. */
		ksma_proof_restore_probed(unit);
		for (size_t i = 0; i < unit->patch.part_count; i++)
			KSMA_TRY(ksma_kept_add_bytes(writer, &unit->key, unit->patch.parts[i].gva,
						     unit->patch.parts[i].bytes,
						     unit->patch.parts[i].size));
	}
	for (size_t i = 0; i < unit->late_count; i++)
		KSMA_TRY(add_words(writer, unit, &unit->late[i]));
	return NULL;
}

static struct ksma_error *write_all(struct ksma_reference *reference,
				    struct ksma_kept_writer *writer)
{
	struct ksma_proof *proof = reference->proof;

	KSMA_TRY(ksma_kept_begin(writer, &reference->boot, reference->first_look_ns));
	KSMA_TRY(add_unit(writer, &proof->unit));
	for (size_t i = 0; i < proof->modules.count; i++)
		if (proof->modules.items[i]->built)
			KSMA_TRY(add_unit(writer, &proof->modules.items[i]->unit));
	return ksma_kept_finish(writer, reference->kept_path);
}

struct ksma_error *ksma_reference_keep(struct ksma_kernel *kernel)
{
	struct ksma_reference *reference = kernel->reference;
	struct ksma_kept_writer writer = { 0 };
	struct ksma_proof *proof = reference->proof;
	struct ksma_error *error;
	bool fresh = proof->unit.fresh, settled = is_settled(&proof->unit);

	for (size_t i = 0; i < proof->modules.count; i++) {
		fresh |= proof->modules.items[i]->unit.fresh;
		settled &= is_settled(&proof->modules.items[i]->unit);
	}
	if (!reference->kept_path || !fresh || !settled)
		return NULL;
	error = write_all(reference, &writer);
	ksma_kept_writer_deinit(&writer);
	KSMA_TRY(error);
	proof->unit.fresh = 0;
	for (size_t i = 0; i < proof->modules.count; i++)
		proof->modules.items[i]->unit.fresh = 0;
	return NULL;
}
