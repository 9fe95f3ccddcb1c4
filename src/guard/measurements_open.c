/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Begins a measurement list, or goes on with one that a guard before us left. */
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "guard/measurements_impl.h"

/* Some 100,000 entries take 20 MiB. */
enum { MAX_LIST = 1 << 30 };

static void list_freep(struct ksma_measurements **list)
{
	ksma_measurements_free(*list);
}

static struct ksma_error *open_list(int folder, const char *name, int *ret_fd)
{
	int fd = openat(folder, name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return ksma_error_os(errno, "%s", name);
	*ret_fd = fd;
	return NULL;
}

static struct ksma_error *read_list(int folder, char **ret_data, size_t *ret_length)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/" KSMA_BINARY_LIST, folder);
	return ksma_error_prefix(ksma_read_file(path, MAX_LIST, ret_data, ret_length),
				 KSMA_BINARY_LIST);
}

static bool is_violation(const struct ksma_measured *m)
{
	static const uint8_t zero[KSMA_SHA1];

	return memcmp(m->digest, zero, KSMA_SHA1) == 0;
}

/* An entry that is there: it has to hold together, goes into the registers, and as a line to the other file. */
static struct ksma_error *take_up(struct ksma_measurements *list, const struct ksma_measured *m,
				  FILE *lines)
{
	_cleanup_free_ char *line = NULL;
	uint8_t sha1[KSMA_SHA1];
	bool new;

	KSMA_TRY(ksma_measured_line(m, &line));
	KSMA_TRY(ksma_hash(KSMA_HASH_SHA1, m->data, m->data_length, sha1));
	if (!is_violation(m) && memcmp(sha1, m->digest, KSMA_SHA1) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "an entry's digest is not that of the entry");
	KSMA_TRY(ksma_measurements_learn(list, m->pcr, m->data, m->data_length, is_violation(m),
					 &new));
	if (fprintf(lines, "%s\n", line) < 0)
		return ksma_error_nomem();
	return NULL;
}

static struct ksma_error *take_up_all(struct ksma_measurements *list, const uint8_t *data,
				      size_t length, FILE *lines, size_t *ret_whole)
{
	struct ksma_measured measured;
	size_t position = 0;

	while (ksma_measured_next(data, length, &position, &measured))
		KSMA_TRY(ksma_error_prefix(take_up(list, &measured, lines),
					   KSMA_BINARY_LIST ": entry %llu",
					   (unsigned long long)list->entries + 1));
	*ret_whole = position;
	return NULL;
}

static struct ksma_error *set_end(int fd, const char *name, off_t end)
{
	return ftruncate(fd, end) < 0 ? ksma_error_os(errno, "%s", name) : NULL;
}

/* The list in ASCII follows from the other one, and is written anew when it is not what it should be. */
static struct ksma_error *mend_ascii(struct ksma_measurements *list, const char *lines,
				     size_t length)
{
	struct stat st;
	size_t at = 0;

	if (fstat(list->ascii.fd, &st) < 0)
		return ksma_error_os(errno, KSMA_ASCII_LIST);
	if ((size_t)st.st_size == length)
		return NULL;
	KSMA_TRY(set_end(list->ascii.fd, KSMA_ASCII_LIST, 0));
	while (at < length) {
		ssize_t n = write(list->ascii.fd, lines + at, length - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ksma_error_os(n < 0 ? errno : ENOSPC, KSMA_ASCII_LIST);
		at += (size_t)n;
	}
	return NULL;
}

static struct ksma_error *go_on(struct ksma_measurements *list)
{
	_cleanup_free_ char *data = NULL, *lines = NULL;
	size_t length, whole = 0, lines_length = 0;
	struct ksma_error *error;
	FILE *stream;

	KSMA_TRY(read_list(list->folder, &data, &length));
	stream = open_memstream(&lines, &lines_length);
	if (!stream)
		return ksma_error_nomem();
	error = take_up_all(list, (const uint8_t *)data, length, stream, &whole);
	if (fclose(stream) != 0 && !error)
		error = ksma_error_nomem();
	if (error)
		return error;
	if (length && !whole)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, KSMA_BINARY_LIST
					 " is no measurement list: give another folder");
	if (whole != length)
		KSMA_TRY(set_end(list->binary.fd, KSMA_BINARY_LIST, (off_t)whole));
	return mend_ascii(list, lines, lines_length);
}

static struct ksma_error *open_folder(const char *folder, struct ksma_measurements *list)
{
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return ksma_error_os(errno, "%s", folder);
	list->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (list->folder < 0)
		return ksma_error_os(errno, "%s", folder);
	KSMA_TRY(open_list(list->folder, KSMA_BINARY_LIST, &list->binary.fd));
	KSMA_TRY(open_list(list->folder, KSMA_ASCII_LIST, &list->ascii.fd));
	if (flock(list->binary.fd, LOCK_EX | LOCK_NB) < 0)
		return ksma_error_os(errno, "another process adds to this list");
	return go_on(list);
}

struct ksma_error *ksma_measurements_open(const char *folder, enum ksma_measurements_sync sync,
					  struct ksma_measurements **ret_list)
{
	_cleanup_(list_freep) struct ksma_measurements *list = calloc(1, sizeof(*list));
	/* There is no TPM in sight, and so nothing to aggregate: IMA enters zeros then. */
	const struct ksma_measurement first = { .pcr = 10,
						.template = KSMA_TEMPLATE_IMA_SIG,
						.path = "boot_aggregate" };
	bool new;

	if (!list)
		return ksma_error_nomem();
	list->folder = list->binary.fd = list->ascii.fd = -1;
	list->sync = sync;
	if (folder)
		KSMA_TRY(ksma_error_prefix(open_folder(folder, list), "%s", folder));
	if (!list->entries)
		KSMA_TRY(ksma_measurements_add(list, &first, &new));
	*ret_list = TAKE_PTR(list);
	return NULL;
}
