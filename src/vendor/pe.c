/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds what an Authenticode signature covers. Where sections follow each other without gaps, as the kernel's do, hashing headers,
 * sections in file order and the rest is hashing the file in its order, with three pieces left out. */
#include "vendor/pe.h"

enum {
	PE_AT = 0x3c,
	COFF_SIZE = 20,
	SECTION_SIZE = 40,
	MAX_SECTIONS = 96,
	OPT_SIZE_OF_HEADERS = 60,
	OPT_CHECKSUM = 64,
	MAGIC_PE32 = 0x10b,
	MAGIC_PE32_PLUS = 0x20b,
	SECURITY_DIRECTORY = 4,
	PKCS_SIGNED_DATA = 2,
};

struct layout {
	size_t checksum, directory; /* offsets */
	size_t headers_end;
	size_t table, table_size; /* of the signatures */
	size_t sections, section_count;
};

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "its PE headers make no sense: %s", what);
}

bool ksma_pe_is(const uint8_t *data, size_t length)
{
	uint32_t at;

	if (length < PE_AT + 4 || memcmp(data, "MZ", 2) != 0)
		return false;
	at = ksma_le32(data + PE_AT);
	return ksma_in_range(at, 4 + COFF_SIZE, length) && memcmp(data + at, "PE\0\0", 4) == 0;
}

static struct ksma_error *read_headers(const uint8_t *data, size_t length, struct layout *l)
{
	size_t coff = ksma_le32(data + PE_AT) + 4u, optional = coff + COFF_SIZE;
	size_t optional_size = ksma_le16(data + coff + 16), directories;
	uint32_t count;
	uint16_t magic;

	if (!ksma_in_range(optional, optional_size, length) || optional_size < 2)
		return bad("they are cut");
	magic = ksma_le16(data + optional);
	if (magic != MAGIC_PE32 && magic != MAGIC_PE32_PLUS)
		return bad("neither PE32 nor PE32+");
	directories = magic == MAGIC_PE32_PLUS ? 112 : 96;
	if (optional_size < directories + (SECURITY_DIRECTORY + 1) * 8)
		return bad("no place for a signature");
	count = ksma_le32(data + optional + directories - 4);
	if (count <= SECURITY_DIRECTORY)
		return bad("no place for a signature");
	l->checksum = optional + OPT_CHECKSUM;
	l->directory = optional + directories + SECURITY_DIRECTORY * 8;
	l->table = ksma_le32(data + l->directory);
	l->table_size = ksma_le32(data + l->directory + 4);
	l->headers_end = ksma_le32(data + optional + OPT_SIZE_OF_HEADERS);
	l->sections = optional + optional_size;
	l->section_count = ksma_le16(data + coff + 2);
	if (l->section_count > MAX_SECTIONS ||
	    !ksma_in_range(l->sections, l->section_count * SECTION_SIZE, length))
		return bad("its sections are cut");
	if (l->headers_end > length ||
	    l->headers_end < l->sections + l->section_count * SECTION_SIZE)
		return bad("their size is wrong");
	return NULL;
}

static size_t raw_size(const uint8_t *section)
{
	return ksma_le32(section + 16);
}

static size_t raw_at(const uint8_t *section)
{
	return ksma_le32(section + 20);
}

/* Headers and sections must tile the file from its start, in whatever order the table has them. */
static struct ksma_error *check_sections(const uint8_t *data, size_t content,
					 const struct layout *l)
{
	size_t end = l->headers_end;

	for (size_t done = 0; done < l->section_count;) {
		size_t at_end = 0, size = 0;

		for (size_t i = 0; i < l->section_count; i++) {
			const uint8_t *s = data + l->sections + i * SECTION_SIZE;

			if (raw_size(s) && raw_at(s) == end) {
				at_end++;
				size = raw_size(s);
			}
			if (raw_size(s) && raw_at(s) < l->headers_end)
				return bad("a section lies in the headers");
			if (!ksma_in_range(raw_at(s), raw_size(s), content) && raw_size(s))
				return bad("a section lies outside");
		}
		if (at_end > 1)
			return bad("two sections lie in one place");
		if (!at_end)
			break;
		end += size;
		done++;
	}
	/* One that was not reached lies behind a gap, or inside another. */
	for (size_t i = 0; i < l->section_count; i++) {
		const uint8_t *s = data + l->sections + i * SECTION_SIZE;

		if (raw_size(s) && raw_at(s) + raw_size(s) > end)
			return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
						 "there are gaps between its PE sections");
	}
	return NULL;
}

static struct ksma_error *read_signatures(const uint8_t *data, const struct layout *l,
					  struct ksma_pe *pe)
{
	struct ksma_bytes b = ksma_bytes_of(data + l->table, l->table_size);

	while (b.length - b.position >= 8) {
		uint32_t length = ksma_bytes_le32(&b);
		uint16_t type;
		const uint8_t *bytes;

		ksma_bytes_le16(&b);
		type = ksma_bytes_le16(&b);
		if (length == 0)
			break; /* padding */
		if (length < 8)
			return bad("a signature is shorter than its header");
		bytes = ksma_bytes_take(&b, length - 8);
		if (!bytes)
			return bad("a signature is cut");
		if (b.length - b.position >= (-length & 7))
			ksma_bytes_take(&b, -length & 7);
		if (type != PKCS_SIGNED_DATA)
			continue;
		if (pe->signature_count == KSMA_PE_SIGNATURES)
			return bad("it has more signatures than anybody makes");
		pe->signatures[pe->signature_count++] = (struct ksma_pe_range){ bytes, length - 8 };
	}
	return NULL;
}

static void hash_range(struct ksma_pe *pe, const uint8_t *data, size_t start, size_t end)
{
	if (end > start)
		pe->hashed[pe->hashed_count++] =
			(struct ksma_pe_range){ data + start, end - start };
}

struct ksma_error *ksma_pe_parse(const uint8_t *data, size_t length, struct ksma_pe *ret_pe)
{
	struct ksma_pe pe = { 0 };
	struct layout l = { 0 };
	size_t content = length;

	if (!ksma_pe_is(data, length))
		return bad("it is no PE file");
	KSMA_TRY(read_headers(data, length, &l));
	if (l.table_size) {
		/* What lay behind the signatures would be in no hash. */
		if (l.table < l.headers_end || l.table > length || l.table_size != length - l.table)
			return bad("its signatures are not at its end");
		content = l.table;
		KSMA_TRY(read_signatures(data, &l, &pe));
	}
	KSMA_TRY(check_sections(data, content, &l));
	hash_range(&pe, data, 0, l.checksum);
	hash_range(&pe, data, l.checksum + 4, l.directory);
	hash_range(&pe, data, l.directory + 8, content);
	*ret_pe = pe;
	return NULL;
}
