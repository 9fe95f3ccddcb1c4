/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and extends the list of what was revoked. */
#include "vendor/revoked.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/replace.h"
#include "vendor/store.h"

static const char *const kinds[] = {
	[KSMA_REVOKED_KEY] = "key",
	[KSMA_REVOKED_CERTIFICATE] = "certificate",
	[KSMA_REVOKED_FILE] = "file",
};

const char *ksma_revoked_kind_name(enum ksma_revoked_kind kind)
{
	return kinds[kind];
}

void ksma_revoked_deinit(struct ksma_revoked *revoked)
{
	free(revoked->items);
	memset(revoked, 0, sizeof(*revoked));
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ksma_revoked_item));
}

/* One line, without its newline. */
static bool parse_line(const char *line, size_t length, struct ksma_revoked_item *ret)
{
	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		size_t n = strlen(kinds[kind]);

		if (length < n + 1 + 64 || memcmp(line, kinds[kind], n) != 0 || line[n] != ' ')
			continue;
		if (length > n + 1 + 64 && line[n + 1 + 64] != ' ')
			return false;
		ret->kind = (uint8_t)kind;
		return ksma_hex_parse(line + n + 1, 64, ret->hash, KSMA_SHA256) == KSMA_SHA256;
	}
	return false;
}

static bool is_empty(const char *line, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return line[i] == '#';
	return true;
}

struct ksma_error *ksma_revoked_parse(const char *text, size_t length,
				      struct ksma_revoked *ret_revoked)
{
	_cleanup_(ksma_revoked_deinit) struct ksma_revoked list = { 0 };
	size_t at = 0;

	for (unsigned line = 1; at < length; line++) {
		const char *end = memchr(text + at, '\n', length - at);
		size_t n = end ? (size_t)(end - (text + at)) : length - at;
		struct ksma_revoked_item *item;

		if (!is_empty(text + at, n)) {
			KSMA_TRY(KSMA_ARRAY_PUSH(&list, &item));
			if (!parse_line(text + at, n, item))
				return ksma_error_create(
					KSMA_ERROR_BAD_DATA,
					"line %u is not 'key', 'certificate' or 'file' with 64 hexadecimal digits",
					line);
		}
		at += n + 1;
	}
	if (list.count)
		qsort(list.items, list.count, sizeof(*list.items), compare);
	*ret_revoked = list;
	memset(&list, 0, sizeof(list));
	return NULL;
}

bool ksma_revoked_has(const struct ksma_revoked *revoked, enum ksma_revoked_kind kind,
		      const uint8_t hash[KSMA_SHA256])
{
	struct ksma_revoked_item key = { .kind = (uint8_t)kind };

	memcpy(key.hash, hash, sizeof(key.hash));
	return revoked->count && bsearch(&key, revoked->items, revoked->count,
					 sizeof(*revoked->items), compare) != NULL;
}

struct addition {
	const char *before;
	size_t before_length;
	const char *line;
};

static struct ksma_error *write_list(void *arg, int fd)
{
	const struct addition *a = arg;

	KSMA_TRY(ksma_write_all(fd, a->before, a->before_length));
	if (a->before_length && a->before[a->before_length - 1] != '\n')
		KSMA_TRY(ksma_write_all(fd, "\n", 1));
	return ksma_write_all(fd, a->line, strlen(a->line));
}

static struct ksma_error *extend(const char *path, enum ksma_revoked_kind kind, const uint8_t *hash,
				 const char *words, bool *ret_known)
{
	_cleanup_(ksma_revoked_deinit) struct ksma_revoked list = { 0 };
	_cleanup_free_ char *text = NULL, *line = NULL;
	struct addition addition = { 0 };
	char hex[2 * KSMA_SHA256 + 1];
	struct ksma_error *error;

	error = ksma_read_file(path, KSMA_REVOKED_MAX, &text, &addition.before_length);
	if (error && error->errnum == ENOENT) {
		ksma_error_destroy(error);
		error = NULL;
	}
	KSMA_TRY(error);
	KSMA_TRY(ksma_error_prefix(
		ksma_revoked_parse(text ? text : "", addition.before_length, &list), "%s", path));
	*ret_known = ksma_revoked_has(&list, kind, hash);
	if (*ret_known)
		return NULL;
	ksma_hex_format(hash, KSMA_SHA256, hex);
	KSMA_TRY(ksma_asprintf(&line, "%s %s%s%s\n", kinds[kind], hex, words[0] ? " " : "", words));
	addition.before = text ? text : "";
	addition.line = line;
	return ksma_replace_file(path, 0644, write_list, &addition);
}

struct ksma_error *ksma_revoked_add(const char *folder, enum ksma_revoked_kind kind,
				    const uint8_t hash[KSMA_SHA256], const char *words,
				    bool *ret_known)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *path = NULL;

	if (fd < 0)
		return ksma_error_os(errno, "cannot open the folder of keys %s", folder);
	if (strchr(words, '\n'))
		return ksma_error_create(KSMA_ERROR_INVALID, "a reason has one line");
	/* Two at a time would lose one's line. */
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return ksma_error_os(errno, "cannot lock %s", folder);
	KSMA_TRY(ksma_asprintf(&path, "%s/revoked", folder));
	return extend(path, kind, hash, words, ret_known);
}
