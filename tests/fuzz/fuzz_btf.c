/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BTF as the guest's kernel memory holds it: whoever owns the guest's kernel writes every byte, also of the header. */
#include "linux/btf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static bool look(void *arg, const char *name, const struct ksma_btf_member *member)
{
	size_t *seen = arg;

	*seen += strlen(name) + member->size;
	return *seen % 7 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_btf_member member;
	struct ksma_btf *btf;
	struct ksma_error *error;
	size_t seen = 0;
	uint64_t size;
	int64_t value;

	if (length > 1 << 16)
		return 0;
	ksma_btf_header_size(data, length);
	error = ksma_btf_create(data, length, &btf);
	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	for (uint32_t id = 0; id <= ksma_btf_type_count(btf) + 1 && id < 256; id++) {
		enum ksma_btf_kind kind = ksma_btf_kind_of(btf, id);
		const char *name = ksma_btf_name_of(btf, id);
		uint32_t found = ksma_btf_find(btf, kind, name);

		if (found > id && *name)
			abort(); /* the first of a name, and id has it */
		if (ksma_btf_size_of(btf, id, &size))
			seen += size;
		seen += ksma_btf_strip(btf, id) + ksma_btf_target(btf, id) +
			ksma_btf_array_count(btf, id);
		ksma_btf_member(btf, id, "in.next", &member);
		ksma_btf_member(btf, id, "deeper", &member);
		ksma_btf_each_member(btf, id, look, &seen);
		ksma_btf_enumerator(btf, name, "RED", &value);
	}
	ksma_btf_enumerator(btf, NULL, "MINUS", &value);
	ksma_btf_enumerator(btf, NULL, "", &value);
	ksma_btf_destroy(btf);
	return 0;
}
