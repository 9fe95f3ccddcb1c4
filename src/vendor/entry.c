/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Index entries as text: one line a fact, so that a person can read a store with cat. */
#include "vendor/store.h"

#include <inttypes.h>

static const char digits[] = "0123456789abcdef";

void ksma_hex_format(const uint8_t *bytes, size_t length, char *text)
{
	for (size_t i = 0; i < length; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * length] = 0;
}

static int hex_digit(char c)
{
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

size_t ksma_hex_parse(const char *text, size_t length, uint8_t *bytes, size_t capacity)
{
	if (length % 2 || length / 2 > capacity)
		return 0;
	for (size_t i = 0; i < length / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return 0;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	return length / 2;
}

KSMA_API const char *ksma_vendor_kind_name(enum ksma_vendor_kind kind)
{
	return kind == KSMA_VENDOR_KERNEL ? "kernel" : "module";
}

KSMA_API const char *ksma_vendor_signature_name(enum ksma_vendor_signature signature)
{
	switch (signature) {
	case KSMA_VENDOR_VERIFIED:
		return "verified";
	case KSMA_VENDOR_UNVERIFIED:
		return "unverified";
	default:
		return "none";
	}
}

void ksma_vendor_object_name(const char *sha256, char *buffer)
{
	snprintf(buffer, KSMA_VENDOR_NAME_BUFFER, "objects/%.2s/%.62s", sha256, sha256 + 2);
}

void ksma_vendor_index_name(const struct ksma_vendor_entry *entry, char *buffer)
{
	char id[2 * KSMA_VENDOR_BUILD_ID_MAX + 1];

	ksma_hex_format(entry->build_id, entry->build_id_length, id);
	snprintf(buffer, KSMA_VENDOR_NAME_BUFFER, "index/%.2s/%s-%.64s", id, id + 2, entry->sha256);
}

KSMA_API void ksma_vendor_entry_deinit(struct ksma_vendor_entry *entry)
{
	free(entry->name);
	free(entry->release);
	free(entry->package);
	free(entry->version);
	free(entry->architecture);
	free(entry->file);
	free(entry->source);
	free(entry->signer);
	memset(entry, 0, sizeof(*entry));
}

/* A text as one line: what would end or hide the line becomes a question mark. */
static void print_line(FILE *out, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(out, "%s ", key);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		putc(*p < ' ' || *p == 0x7f ? '?' : *p, out);
	putc('\n', out);
}

struct ksma_error *ksma_vendor_entry_format(const struct ksma_vendor_entry *entry, char **ret_text,
					    size_t *ret_length)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		return ksma_error_nomem();
	fprintf(out, "kind %s\n", ksma_vendor_kind_name(entry->kind));
	print_line(out, "name", entry->name);
	print_line(out, "release", entry->release);
	fprintf(out, "size %" PRIu64 "\nadded %" PRIu64 "\n", entry->size, entry->added);
	print_line(out, "package", entry->package);
	print_line(out, "version", entry->version);
	print_line(out, "architecture", entry->architecture);
	print_line(out, "file", entry->file);
	print_line(out, "source", entry->source);
	fprintf(out, "signature %s\n", ksma_vendor_signature_name(entry->signature));
	print_line(out, "signer", entry->signer);
	fprintf(out, "end\n");
	if (fclose(out) || !text) {
		free(text);
		return ksma_error_nomem();
	}
	if (length > KSMA_VENDOR_MAX_ENTRY) {
		free(text);
		return ksma_error_create(KSMA_ERROR_LIMIT, "its names are too long for the store");
	}
	*ret_text = text;
	*ret_length = length;
	return NULL;
}

static struct ksma_error *bad_entry(const char *folder, const char *name)
{
	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"the vendor store's index entry %s/%s is damaged; remove it and add the package again",
		folder, name);
}

/* "ab" and "cdef…-SHA256": the build id and the hash. */
static bool parse_name(const char *folder, const char *name, struct ksma_vendor_entry *entry)
{
	const char *dash = strchr(name, '-');
	size_t rest = dash ? (size_t)(dash - name) : 0;
	uint8_t hash[32];

	if (!dash || strlen(folder) != 2 || strlen(dash + 1) != 64 ||
	    ksma_hex_parse(dash + 1, 64, hash, sizeof(hash)) != 32 ||
	    ksma_hex_parse(folder, 2, entry->build_id, 1) != 1)
		return false;
	entry->build_id_length = 1;
	if (rest) {
		size_t n = ksma_hex_parse(name, rest, entry->build_id + 1,
					  sizeof(entry->build_id) - 1);

		if (!n)
			return false;
		entry->build_id_length += n;
	}
	memcpy(entry->sha256, dash + 1, sizeof(entry->sha256));
	return true;
}

static bool parse_kind(const char *value, struct ksma_vendor_entry *entry)
{
	entry->kind = strcmp(value, "kernel") == 0 ? KSMA_VENDOR_KERNEL : KSMA_VENDOR_MODULE;
	return strcmp(value, ksma_vendor_kind_name(entry->kind)) == 0;
}

static bool parse_number(const char *value, uint64_t *ret)
{
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	*ret = strtoull(value, &end, 10);
	return *end == 0;
}

static char **text_field(struct ksma_vendor_entry *entry, const char *key)
{
	struct {
		const char *key;
		char **field;
	} fields[] = {
		{ "name", &entry->name },	{ "release", &entry->release },
		{ "package", &entry->package }, { "version", &entry->version },
		{ "file", &entry->file },	{ "architecture", &entry->architecture },
		{ "source", &entry->source },	{ "signer", &entry->signer },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strcmp(key, fields[i].key) == 0)
			return fields[i].field;
	return NULL;
}

/* @ret_good false when the line makes no sense; a key that is not known is passed over */
static struct ksma_error *parse_line(struct ksma_vendor_entry *entry, const char *key,
				     const char *value, bool *ret_good)
{
	char **field = text_field(entry, key);

	if (field) {
		*ret_good = !*field;
		return *field ? NULL : ksma_strdup(value, field);
	}
	if (strcmp(key, "kind") == 0)
		*ret_good = parse_kind(value, entry);
	else if (strcmp(key, "size") == 0)
		*ret_good =
			parse_number(value, &entry->size) && entry->size <= KSMA_VENDOR_MAX_OBJECT;
	else if (strcmp(key, "added") == 0)
		*ret_good = parse_number(value, &entry->added);
	else if (strcmp(key, "signature") == 0)
		entry->signature = strcmp(value, "verified") == 0     ? KSMA_VENDOR_VERIFIED
				   : strcmp(value, "unverified") == 0 ? KSMA_VENDOR_UNVERIFIED
								      : KSMA_VENDOR_UNSIGNED;
	return NULL;
}

/* Cuts `text` into lines. @ret_good as above; false too when the last line is not there: the file was cut */
static struct ksma_error *parse_lines(char *text, struct ksma_vendor_entry *entry, bool *ret_good)
{
	bool kind = false, ended = false;
	char *save = NULL;

	*ret_good = true;
	for (char *line = strtok_r(text, "\n", &save); line && *ret_good && !ended;
	     line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (!space) {
			ended = strcmp(line, "end") == 0;
			*ret_good = ended;
			continue;
		}
		*space = 0;
		kind |= strcmp(line, "kind") == 0;
		KSMA_TRY(parse_line(entry, line, space + 1, ret_good));
	}
	*ret_good = *ret_good && kind && ended;
	return NULL;
}

/* No text is NULL. */
static struct ksma_error *fill_texts(struct ksma_vendor_entry *entry)
{
	char **fields[] = {
		&entry->name,	      &entry->release, &entry->package, &entry->version,
		&entry->architecture, &entry->file,    &entry->source,	&entry->signer
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!*fields[i])
			KSMA_TRY(ksma_strdup("", fields[i]));
	return NULL;
}

struct ksma_error *ksma_vendor_entry_parse(const char *folder, const char *name, const char *text,
					   size_t length, struct ksma_vendor_entry *ret_entry)
{
	_cleanup_(ksma_vendor_entry_deinit) struct ksma_vendor_entry entry = { 0 };
	_cleanup_free_ char *copy = NULL;
	bool good = false;

	if (length > KSMA_VENDOR_MAX_ENTRY || memchr(text, 0, length) ||
	    !parse_name(folder, name, &entry))
		return bad_entry(folder, name);
	copy = strndup(text, length);
	if (!copy)
		return ksma_error_nomem();
	KSMA_TRY(parse_lines(copy, &entry, &good));
	if (!good)
		return bad_entry(folder, name);
	KSMA_TRY(fill_texts(&entry));
	*ret_entry = entry;
	memset(&entry, 0, sizeof(entry));
	return NULL;
}
