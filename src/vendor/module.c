/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads what surrounds a module's code: .modinfo, and the signature that is appended to the file. */
#include "vendor/module.h"

static const char mark[] = "~Module signature appended~\n";

/* struct module_signature of include/linux/module_signature.h: algo, hash, id_type, signer_len, key_id_len, three bytes, and the
 * length, big-endian. */
enum { TRAILER = 12, ID_TYPE = 2, LENGTH = 8, PKEY_ID_PKCS7 = 2 };

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "its appended signature makes no sense: %s",
				 what);
}

struct ksma_error *ksma_module_signature(const uint8_t *data, size_t length,
					 struct ksma_module_signature *ret)
{
	struct ksma_module_signature s = { .content_length = length };
	const size_t mark_length = sizeof(mark) - 1;
	const uint8_t *trailer;
	uint32_t size;

	if (length < mark_length || memcmp(data + length - mark_length, mark, mark_length) != 0) {
		*ret = s;
		return NULL;
	}
	length -= mark_length;
	if (length < TRAILER)
		return bad("it is cut");
	length -= TRAILER;
	trailer = data + length;
	size = ksma_be32(trailer + LENGTH);
	if (trailer[ID_TYPE] != PKEY_ID_PKCS7)
		return bad("it is no PKCS#7");
	if (size == 0 || size > length)
		return bad("it is longer than the file");
	s.content_length = length - size;
	s.pkcs7 = data + s.content_length;
	s.pkcs7_length = size;
	*ret = s;
	return NULL;
}

const char *ksma_modinfo(const struct ksma_elf *elf, const char *key)
{
	const struct ksma_elf_section *s = ksma_elf_section(elf, ".modinfo");
	size_t length = strlen(key);
	const char *p, *end;

	if (!s || !s->data || !s->size || s->data[s->size - 1] != 0)
		return NULL;
	end = (const char *)s->data + s->size;
	for (p = (const char *)s->data; p < end; p += strlen(p) + 1)
		if (strncmp(p, key, length) == 0 && p[length] == '=')
			return p + length + 1;
	return NULL;
}
