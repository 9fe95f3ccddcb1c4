/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the two halves of the BTF reader share: the checked copy of the blob, and how a type is read out of it. */
#ifndef KSMA_LINUX_BTF_IMPL_H
#define KSMA_LINUX_BTF_IMPL_H

#include "base/bytes.h"
#include "linux/btf.h"
#include "linux/names.h"

enum { BTF_TYPE_SIZE = 12 }; /* what every type starts with: name, info, size or type */

/* A place in the index of enumerators. */
struct btf_enumerator {
	uint32_t type; /* 0: empty */
	uint32_t index;
};

/* Type ids by hash of (space, name); 0 is empty. */
struct btf_names {
	uint32_t *ids;
	size_t slots;
};

struct ksma_btf {
	uint8_t *data; /* our copy, with 8 zero bytes after its end */
	const uint8_t *types;
	size_t types_size;
	const char *strings;
	size_t strings_size;
	uint32_t *offsets; /* of type id in types; [0] is void and unused */
	uint32_t count;
	struct btf_names names;
	size_t function_count;
	struct btf_names functions; /* made at the first search for one */
	bool functions_failed;
	size_t enumerator_count;
	struct btf_enumerator *enumerators; /* made at the first search without an enum's name */
	size_t enumerator_slots;
	bool enumerators_failed;
};

/* One type as it lies in the blob. */
struct btf_type {
	const uint8_t *extra; /* what follows the first 12 bytes */
	uint32_t name;
	uint32_t kind;
	uint32_t vlen;
	bool flag;
	uint32_t size; /* or the type that it refers to */
};

/* A type by id. Only for ids in 1..count: the first pass has checked that all of its elements lie inside. */
static inline struct btf_type btf_type_at(const struct ksma_btf *btf, uint32_t id)
{
	const uint8_t *p = btf->types + btf->offsets[id];
	uint32_t info = ksma_le32(p + 4);

	return (struct btf_type){
		.name = ksma_le32(p),
		.kind = info >> 24 & 0x7f,
		.vlen = info & 0xffffff,
		.flag = info >> 31,
		.size = ksma_le32(p + 8),
		.extra = p + BTF_TYPE_SIZE,
	};
}

static inline bool btf_type_of(const struct ksma_btf *btf, uint32_t id, struct btf_type *ret)
{
	if (id == 0 || id > btf->count)
		return false;
	*ret = btf_type_at(btf, id);
	return true;
}

#endif
