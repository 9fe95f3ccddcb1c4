/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads fstab(5): fields divided by blanks, blanks in them as octal escapes. */
#include "signed/fstab.h"

void signed_fstab_deinit(struct signed_fstab *fstab)
{
	for (size_t i = 0; i < fstab->count; i++) {
		free(fstab->items[i].what);
		free(fstab->items[i].where);
		free(fstab->items[i].kind);
	}
	free(fstab->items);
	memset(fstab, 0, sizeof(*fstab));
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The next field of [*at, end). @ret_field "" when there is none; owned by the caller */
static struct ksma_error *next_field(const char **at, const char *end, char **ret_field)
{
	const char *p = *at;
	char *field = malloc((size_t)(end - p) + 1);
	size_t n = 0;

	if (!field)
		return ksma_error_nomem();
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && *p != ' ' && *p != '\t') {
		if (*p == '\\' && end - p > 3 && is_octal(p[1]) && is_octal(p[2]) &&
		    is_octal(p[3])) {
			field[n++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			field[n++] = *p++;
		}
	}
	field[n] = 0;
	*at = p;
	*ret_field = field;
	return NULL;
}

static struct ksma_error *parse_line(const char *line, const char *end, struct signed_fstab *fstab)
{
	struct signed_mount *m;
	const char *at = line;

	KSMA_TRY(KSMA_ARRAY_PUSH(fstab, &m));
	KSMA_TRY(next_field(&at, end, &m->what));
	KSMA_TRY(next_field(&at, end, &m->where));
	KSMA_TRY(next_field(&at, end, &m->kind));
	if (m->what[0] && m->what[0] != '#' && m->where[0] == '/')
		return NULL;
	free(m->what);
	free(m->where);
	free(m->kind);
	fstab->count--;
	return NULL;
}

struct ksma_error *signed_fstab_parse(const char *text, size_t length,
				      struct signed_fstab *ret_fstab)
{
	_cleanup_(signed_fstab_deinit) struct signed_fstab fstab = { 0 };

	for (size_t at = 0; at < length;) {
		const char *line = text + at, *end = memchr(line, '\n', length - at);

		if (!end)
			end = text + length;
		if (fstab.count == SIGNED_FSTAB_LINES)
			return ksma_error_create(KSMA_ERROR_LIMIT, "/etc/fstab mounts too much");
		KSMA_TRY(parse_line(line, end, &fstab));
		at = (size_t)(end - text) + 1;
	}
	*ret_fstab = fstab;
	memset(&fstab, 0, sizeof(fstab));
	return NULL;
}
