/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where ksma guard keeps what it measured: a folder of the operator's with a folder for each boot of the guest, and `current`, which leads to the last.
 *
 * A boot is known by what it chose at random, so that a guard that begins again goes on with the list of the same boot. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "signed/common.h"
#include "signed/guard.h"
#include "vendor/digest.h"

enum { NAME_BYTES = 8, MAX_LISTS = 1000 };

static struct ksma_error *name_boot(const struct ksma_kernel *kernel,
				    char name[2 * KSMA_SHA256 + 1])
{
	const struct ksma_build_id *id = &kernel->info.build_id;
	const uint64_t chosen[] = { kernel->image, kernel->physical_base, kernel->page_offset,
				    kernel->vmalloc };
	uint8_t bytes[sizeof(id->bytes) + sizeof(chosen)], hash[KSMA_SHA256];
	struct ksma_sha256 *sha256;

	memcpy(bytes, id->bytes, id->length);
	memcpy(bytes + id->length, chosen, sizeof(chosen));
	KSMA_TRY(ksma_sha256_create(&sha256));
	ksma_sha256(sha256, bytes, id->length + sizeof(chosen), hash);
	ksma_sha256_destroy(sha256);
	signed_hex(hash, name);
	name[2 * NAME_BYTES] = '\0';
	return NULL;
}

static struct ksma_error *make_folder(const char *path)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return ksma_error_os(errno, "cannot make the folder %s", path);
	return NULL;
}

/* A guest that began again while we looked has another list, though it may have chosen the same as before. */
static struct ksma_error *choose_folder(const char *dir, const char *boot, bool again,
					char **ret_name, char **ret_path)
{
	for (unsigned i = 1; i < MAX_LISTS; i++) {
		_cleanup_free_ char *name = NULL, *path = NULL;

		KSMA_TRY(i == 1 ? ksma_strdup(boot, &name)
				: ksma_asprintf(&name, "%s-%u", boot, i));
		KSMA_TRY(ksma_asprintf(&path, "%s/%s", dir, name));
		if (mkdir(path, 0700) == 0 || (errno == EEXIST && !again)) {
			*ret_name = TAKE_PTR(name);
			*ret_path = TAKE_PTR(path);
			return NULL;
		}
		if (errno != EEXIST)
			return ksma_error_os(errno, "cannot make the folder %s", path);
	}
	return ksma_error_create(KSMA_ERROR_LIMIT, "%s has %d lists of one boot: clear it up", dir,
				 MAX_LISTS);
}

/* Whoever reads `current` meanwhile sees the one before, or this one. */
static struct ksma_error *point_at(const char *dir, const char *name)
{
	_cleanup_free_ char *link = NULL, *beside = NULL;

	KSMA_TRY(ksma_asprintf(&link, "%s/current", dir));
	KSMA_TRY(ksma_asprintf(&beside, "%s/.current", dir));
	if (unlink(beside) < 0 && errno != ENOENT)
		return ksma_error_os(errno, "cannot replace %s", beside);
	if (symlink(name, beside) < 0 || rename(beside, link) < 0)
		return ksma_error_os(errno, "cannot replace %s", link);
	return NULL;
}

struct ksma_error *signed_guard_list_begin(struct signed_guard *guard, bool again)
{
	const char *dir = guard->cli->values[CLI_MEASUREMENTS];
	_cleanup_free_ char *name = NULL, *path = NULL;
	char boot[2 * KSMA_SHA256 + 1];

	if (!dir)
		return NULL;
	signed_guard_list_end(guard);
	KSMA_TRY(name_boot(guard->cli->kernel, boot));
	KSMA_TRY(make_folder(dir));
	KSMA_TRY(choose_folder(dir, boot, again, &name, &path));
	KSMA_TRY(ksma_error_prefix(ksma_measurements_open(path, KSMA_SYNC_FLUSH, &guard->list),
				   "%s", path));
	return point_at(dir, name);
}

void signed_guard_list_flush(struct signed_guard *guard)
{
	const char *trouble;

	if (!guard->list)
		return;
	ksma_error_destroy(ksma_measurements_flush(guard->list)); /* the list says it of itself */
	trouble = ksma_measurements_trouble(guard->list);
	if (trouble && trouble != guard->list_trouble)
		signed_guard_event(guard, "measurements", trouble);
	else if (!trouble && guard->list_trouble)
		signed_guard_event(guard, "measurements", "all entries are written again");
	guard->list_trouble = trouble;
}

void signed_guard_list_end(struct signed_guard *guard)
{
	signed_guard_list_flush(guard);
	ksma_measurements_close(guard->list);
	guard->list = NULL;
}
