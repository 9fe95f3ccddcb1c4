/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Turns the list of members in offsets.def into byte offsets of this kernel, by asking its own type information. */
#include "linux/types.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* One line of offsets.def. */
struct wanted {
	enum { WANT_MEMBER, WANT_SIZE, WANT_ENUMERATOR } kind;
	const char *type;
	const char *path;
	size_t slot; /* of the value in struct ksma_layouts */
};

static const struct wanted wanted[] = {
#define MEMBER(type, member)                                                                       \
	{ WANT_MEMBER, #type, #member, offsetof(struct ksma_layouts, off.type##__##member) },
#define NESTED(type, name, path)                                                                   \
	{ WANT_MEMBER, #type, path, offsetof(struct ksma_layouts, off.type##__##name) },
#define SIZE(type) { WANT_SIZE, #type, NULL, offsetof(struct ksma_layouts, size.type) },
#define ENUMERATOR(name)                                                                           \
	{ WANT_ENUMERATOR, NULL, #name, offsetof(struct ksma_layouts, enums.name) },
#include "linux/offsets.def"
#undef MEMBER
#undef NESTED
#undef SIZE
#undef ENUMERATOR
};

/* A bit field has no byte offset, and an offset past 2 GiB is no member. */
static int32_t member_offset(const struct ksma_btf *btf, uint32_t type, const char *path)
{
	struct ksma_btf_member member;

	if (!type || !ksma_btf_member(btf, type, path, &member) || member.bits ||
	    member.bit_offset % 8 || member.bit_offset / 8 > INT32_MAX)
		return KSMA_NO_MEMBER;
	return (int32_t)(member.bit_offset / 8);
}

static int32_t enumerator_value(const struct ksma_btf *btf, const char *name)
{
	int64_t value;

	if (!ksma_btf_enumerator(btf, NULL, name, &value) || value < 0 || value > INT32_MAX)
		return KSMA_NO_MEMBER;
	return (int32_t)value;
}

static uint32_t type_size(const struct ksma_btf *btf, uint32_t type)
{
	uint64_t size;

	return type && ksma_btf_size_of(btf, type, &size) && size <= UINT32_MAX ? (uint32_t)size
										: 0;
}

void ksma_types_resolve(const struct ksma_btf *btf, struct ksma_layouts *ret_layouts)
{
	const char *name = "";
	uint32_t type = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct wanted *w = &wanted[i];
		void *slot = (uint8_t *)ret_layouts + w->slot;

		/* Lines of one type stand together, so the type is looked up once. */
		if (w->type && strcmp(w->type, name) != 0) {
			name = w->type;
			type = ksma_btf_find(btf, KSMA_BTF_STRUCT, name)
				       ?: ksma_btf_find(btf, KSMA_BTF_TYPEDEF, name);
		}
		switch (w->kind) {
		case WANT_MEMBER:
			*(int32_t *)slot = member_offset(btf, type, w->path);
			break;
		case WANT_SIZE:
			*(uint32_t *)slot = type_size(btf, type);
			break;
		case WANT_ENUMERATOR:
			*(int32_t *)slot = enumerator_value(btf, w->path);
			break;
		}
	}
}

uint64_t ksma_types_fingerprint(void)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		if (wanted[i].type)
			hash = XXH64(wanted[i].type, strlen(wanted[i].type), hash + wanted[i].slot);
		if (wanted[i].path)
			hash = XXH64(wanted[i].path, strlen(wanted[i].path), hash + wanted[i].kind);
	}
	return hash;
}
