/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads BTF: the one description of the guest's structs that the guest itself carries.
 *
 * The blob is copied first. It lies in memory that a hostile guest may write while we read, and only what cannot change any
 * more can be checked once and then relied on. */
#include "linux/btf_impl.h"

#include "base/large.h"

/* include/uapi/linux/btf.h. The widths of kind and vlen grew into bits that were zero before (7.1, "bpf: Extend BTF UAPI
 * vlen, kinds to use unused bits"), so the wide reading is right for all. */
enum {
	BTF_MAGIC = 0xeb9f,
	BTF_HEADER_SIZE = 24,
	BTF_HEADER_LAYOUT_SIZE = 32, /* with layout_off and layout_len, 7.1 */
	BTF_HEADER_MAX = 4096,
	BTF_MAX_SIZE = 64 << 20,
	BTF_DEPTH = 32, /* typedefs of consts of arrays of …; honest chains have under ten */
};

/* A section of the blob. */
struct section {
	size_t start;
	size_t size;
};

struct header {
	size_t total;
	struct section types, strings, layouts;
};

/* How many bytes follow a type of each kind, as such and for each of its vlen elements. */
static const struct kind_layout {
	uint8_t fixed, element;
	bool refers; /* `size` is a type */
} known_layouts[KSMA_BTF_KIND_MAX + 1] = {
	[KSMA_BTF_INT] = { .fixed = 4 },
	[KSMA_BTF_PTR] = { .refers = true },
	[KSMA_BTF_ARRAY] = { .fixed = 12 },
	[KSMA_BTF_STRUCT] = { .element = 12 },
	[KSMA_BTF_UNION] = { .element = 12 },
	[KSMA_BTF_ENUM] = { .element = 8 },
	[KSMA_BTF_TYPEDEF] = { .refers = true },
	[KSMA_BTF_VOLATILE] = { .refers = true },
	[KSMA_BTF_CONST] = { .refers = true },
	[KSMA_BTF_RESTRICT] = { .refers = true },
	[KSMA_BTF_FUNC] = { .refers = true },
	[KSMA_BTF_FUNC_PROTO] = { .element = 8, .refers = true },
	[KSMA_BTF_VAR] = { .fixed = 4, .refers = true },
	[KSMA_BTF_DATASEC] = { .element = 12 },
	[KSMA_BTF_DECL_TAG] = { .fixed = 4, .refers = true },
	[KSMA_BTF_TYPE_TAG] = { .refers = true },
	[KSMA_BTF_ENUM64] = { .element = 12 },
};

/* Names live in spaces, as in C: a struct and a typedef may share one. 0 is not indexed. Functions have an index of their own. */
enum name_space {
	SPACE_NONE,
	SPACE_COMPOUND,
	SPACE_ENUM,
	SPACE_TYPEDEF,
	SPACE_BASIC,
	SPACE_FUNCTION
};

static enum name_space space_of(uint32_t kind)
{
	switch (kind) {
	case KSMA_BTF_STRUCT:
	case KSMA_BTF_UNION:
		return SPACE_COMPOUND;
	case KSMA_BTF_ENUM:
	case KSMA_BTF_ENUM64:
		return SPACE_ENUM;
	case KSMA_BTF_TYPEDEF:
		return SPACE_TYPEDEF;
	case KSMA_BTF_INT:
	case KSMA_BTF_FLOAT:
		return SPACE_BASIC;
	case KSMA_BTF_FUNC:
		return SPACE_FUNCTION;
	default:
		return SPACE_NONE;
	}
}

/* True when two kinds answer to the same search: a struct also finds a union, an enum an enum64. */
static bool same_kind(uint32_t a, uint32_t b)
{
	return a == b || (space_of(a) == space_of(b) &&
			  (space_of(a) == SPACE_COMPOUND || space_of(a) == SPACE_ENUM));
}

static bool read_section(const uint8_t *data, size_t at, size_t header_length, struct section *ret)
{
	uint32_t offset = ksma_le32(data + at), size = ksma_le32(data + at + 4);

	if (offset > BTF_MAX_SIZE || size > BTF_MAX_SIZE)
		return false;
	*ret = (struct section){ .start = header_length + offset, .size = size };
	return true;
}

static size_t section_end(const struct section *section)
{
	return section->start + section->size;
}

static bool sections_overlap(const struct section *a, const struct section *b)
{
	return a->size && b->size && a->start < section_end(b) && b->start < section_end(a);
}

/* Reads a header out of guest memory, each field once. The header's length is what tells its versions apart. */
static bool read_header(const void *data, size_t length, struct header *ret)
{
	uint8_t copy[BTF_HEADER_LAYOUT_SIZE] = { 0 };
	struct header header = { 0 };
	size_t header_length;

	if (length < BTF_HEADER_SIZE)
		return false;
	memcpy(copy, data, length < sizeof(copy) ? length : sizeof(copy));
	header_length = ksma_le32(copy + 4);
	if (ksma_le16(copy) != BTF_MAGIC || copy[2] != 1 || copy[3] != 0 ||
	    header_length < BTF_HEADER_SIZE || header_length > BTF_HEADER_MAX || header_length % 4)
		return false;
	if (!read_section(copy, 8, header_length, &header.types) ||
	    !read_section(copy, 16, header_length, &header.strings))
		return false;
	if (header_length >= BTF_HEADER_LAYOUT_SIZE &&
	    (length < BTF_HEADER_LAYOUT_SIZE ||
	     !read_section(copy, 24, header_length, &header.layouts)))
		return false;
	if (header.types.size < BTF_TYPE_SIZE || header.types.start % 4 || header.types.size % 4 ||
	    !header.strings.size || sections_overlap(&header.types, &header.strings) ||
	    sections_overlap(&header.types, &header.layouts) ||
	    sections_overlap(&header.strings, &header.layouts))
		return false;
	header.total = section_end(&header.types);
	if (section_end(&header.strings) > header.total)
		header.total = section_end(&header.strings);
	if (header.layouts.size && section_end(&header.layouts) > header.total)
		header.total = section_end(&header.layouts);
	if (header.total > BTF_MAX_SIZE)
		return false;
	*ret = header;
	return true;
}

size_t ksma_btf_header_size(const void *data, size_t length)
{
	struct header header;

	return read_header(data, length, &header) ? header.total : 0;
}

/* The sizes of a kind: those we know, else what the blob's own layout section says of it. */
static bool layout_of(const struct header *header, const uint8_t *data, uint32_t kind,
		      struct kind_layout *ret)
{
	if (kind == KSMA_BTF_VOID)
		return false;
	if (kind <= KSMA_BTF_KIND_MAX) {
		*ret = known_layouts[kind];
		return true;
	}
	/* struct btf_layout: u8 info_sz, u8 elem_sz, u16 flags */
	if (!ksma_in_range((uint64_t)kind * 4, 4, header->layouts.size))
		return false;
	*ret = (struct kind_layout){
		.fixed = data[header->layouts.start + kind * 4],
		.element = data[header->layouts.start + kind * 4 + 1],
	};
	return ret->fixed % 4 == 0 && ret->element % 4 == 0;
}

/* What the first pass learns of all types together. */
struct survey {
	uint32_t largest_type; /* that anything refers to */
	uint32_t largest_name;
	size_t named;
	size_t enumerators;
};

static inline void note_type(struct survey *survey, uint32_t type)
{
	if (type > survey->largest_type)
		survey->largest_type = type;
}

static inline void note_name(struct survey *survey, uint32_t name)
{
	if (name > survey->largest_name)
		survey->largest_name = name;
}

static void survey_elements(struct survey *survey, const struct btf_type *type)
{
	const uint8_t *p = type->extra;

	switch (type->kind) {
	case KSMA_BTF_ARRAY:
		note_type(survey, ksma_le32(p));
		note_type(survey, ksma_le32(p + 4));
		break;
	case KSMA_BTF_STRUCT:
	case KSMA_BTF_UNION:
		for (uint32_t i = 0; i < type->vlen; i++, p += 12) {
			note_name(survey, ksma_le32(p));
			note_type(survey, ksma_le32(p + 4));
		}
		break;
	case KSMA_BTF_FUNC_PROTO:
		for (uint32_t i = 0; i < type->vlen; i++, p += 8) {
			note_name(survey, ksma_le32(p));
			note_type(survey, ksma_le32(p + 4));
		}
		break;
	case KSMA_BTF_ENUM:
	case KSMA_BTF_ENUM64:
		survey->enumerators += type->vlen;
		for (uint32_t i = 0; i < type->vlen; i++, p += known_layouts[type->kind].element)
			note_name(survey, ksma_le32(p));
		break;
	case KSMA_BTF_DATASEC:
		for (uint32_t i = 0; i < type->vlen; i++, p += 12)
			note_type(survey, ksma_le32(p));
		break;
	default:
		break;
	}
}

/* Finds where each type starts, and checks that every name and every reference lies inside. */
static struct ksma_error *survey_types(struct ksma_btf *btf, const struct header *header,
				       struct survey *survey)
{
	size_t position = 0;
	uint32_t count = 0;

	/* A type has at least 12 bytes. Pages of this array that stay unused are never touched. */
	btf->offsets = malloc((btf->types_size / BTF_TYPE_SIZE + 1) * sizeof(*btf->offsets));
	if (!btf->offsets)
		return ksma_error_nomem();
	btf->offsets[0] = 0;
	while (position < btf->types_size) {
		struct kind_layout layout;
		struct btf_type type;
		uint64_t size;

		if (btf->types_size - position < BTF_TYPE_SIZE)
			return ksma_error_create(KSMA_ERROR_BAD_DATA, "BTF type %u is cut off",
						 count + 1);
		btf->offsets[++count] = (uint32_t)position;
		type = btf_type_at(btf, count);
		if (!layout_of(header, btf->data, type.kind, &layout))
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "BTF type %u has the unknown kind %u", count,
						 type.kind);
		size = BTF_TYPE_SIZE + layout.fixed + (uint64_t)layout.element * type.vlen;
		if (size > btf->types_size - position)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "BTF type %u is larger than its section", count);
		note_name(survey, type.name);
		if (layout.refers)
			note_type(survey, type.size);
		survey_elements(survey, &type);
		if (type.kind == KSMA_BTF_FUNC)
			btf->function_count++;
		else
			survey->named += type.name && space_of(type.kind) != SPACE_NONE;
		position += size;
	}
	btf->count = count;
	if (survey->largest_type > count)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "BTF refers to type %u of %u",
					 survey->largest_type, count);
	if (survey->largest_name >= btf->strings_size)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "BTF has a name outside its strings");
	btf->enumerator_count = survey->enumerators;
	return NULL;
}

/* Puts the names of functions, or all others, into a table for so many. */
static struct ksma_error *index_names(const struct ksma_btf *btf, bool functions, size_t named,
				      struct btf_names *table)
{
	size_t mask;

	table->slots = ksma_name_slots(named);
	table->ids = calloc(table->slots, sizeof(*table->ids));
	if (!table->ids)
		return ksma_error_nomem();
	mask = table->slots - 1;
	for (uint32_t id = 1; id <= btf->count; id++) {
		const struct btf_type type = btf_type_at(btf, id);
		enum name_space space = space_of(type.kind);
		const char *name = btf->strings + type.name;
		uint64_t hash;
		unsigned probes;

		if (space == SPACE_NONE || (space == SPACE_FUNCTION) != functions || !type.name ||
		    !*name)
			continue;
		hash = ksma_name_hash_within(name, btf->strings + btf->strings_size, space);
		for (probes = 0; probes < KSMA_NAME_PROBES; probes++) {
			uint32_t *slot = &table->ids[(hash + probes) & mask];
			struct btf_type other;

			if (!*slot) {
				*slot = id;
				break;
			}
			other = btf_type_at(btf, *slot);
			/* The first of that name stays. Names are deduplicated, mostly. */
			if (space_of(other.kind) == space &&
			    (other.name == type.name || !strcmp(btf->strings + other.name, name)))
				break;
		}
		if (probes == KSMA_NAME_PROBES)
			return ksma_error_create(KSMA_ERROR_LIMIT,
						 "BTF names collide beyond chance: crafted data");
	}
	return NULL;
}

static void destroyp(struct ksma_btf **btf)
{
	ksma_btf_destroy(*btf);
}

struct ksma_error *ksma_btf_create(const void *data, size_t length, struct ksma_btf **ret_btf)
{
	_cleanup_(destroyp) struct ksma_btf *btf = NULL;
	struct survey survey = { 0 };
	struct header header;
	uint32_t *shrunk;

	if (!read_header(data, length, &header))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "not BTF: its header makes no sense");
	if (header.total > length)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "BTF of %zu bytes is cut off at %zu",
					 header.total, length);
	btf = calloc(1, sizeof(*btf));
	if (!btf)
		return ksma_error_nomem();
	btf->data = ksma_large_alloc(header.total + 8);
	if (!btf->data)
		return ksma_error_nomem();
	memcpy(btf->data, data, header.total);
	memset(btf->data + header.total, 0, 8);
	btf->types = btf->data + header.types.start;
	btf->types_size = header.types.size;
	btf->strings = (const char *)btf->data + header.strings.start;
	btf->strings_size = header.strings.size;
	if (btf->strings[0] || btf->strings[btf->strings_size - 1])
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "BTF strings are not terminated");
	KSMA_TRY(survey_types(btf, &header, &survey));
	shrunk = realloc(btf->offsets, ((size_t)btf->count + 1) * sizeof(*btf->offsets));
	if (shrunk)
		btf->offsets = shrunk;
	KSMA_TRY(index_names(btf, false, survey.named, &btf->names));
	*ret_btf = TAKE_PTR(btf);
	return NULL;
}

void ksma_btf_destroy(struct ksma_btf *btf)
{
	if (!btf)
		return;
	free(btf->data);
	free(btf->offsets);
	free(btf->names.ids);
	free(btf->functions.ids);
	free(btf->enumerators);
	free(btf);
}

uint32_t ksma_btf_type_count(const struct ksma_btf *btf)
{
	return btf->count;
}

enum ksma_btf_kind ksma_btf_kind_of(const struct ksma_btf *btf, uint32_t id)
{
	struct btf_type type;

	/* A kind that we only skip is no kind to a caller. */
	return btf_type_of(btf, id, &type) && type.kind <= KSMA_BTF_KIND_MAX
		       ? (enum ksma_btf_kind)type.kind
		       : KSMA_BTF_VOID;
}

const char *ksma_btf_name_of(const struct ksma_btf *btf, uint32_t id)
{
	struct btf_type type;

	return btf_type_of(btf, id, &type) ? btf->strings + type.name : "";
}

/* The index of functions is made when one is first asked for, as most users of the types never do. One thread has the guest. */
static const struct btf_names *function_names(struct ksma_btf *btf)
{
	if (!btf->functions.ids && !btf->functions_failed) {
		struct ksma_error *error =
			index_names(btf, true, btf->function_count, &btf->functions);

		btf->functions_failed = error;
		if (error)
			free(TAKE_PTR(btf->functions.ids));
		ksma_error_destroy(error);
	}
	return btf->functions.ids ? &btf->functions : NULL;
}

uint32_t ksma_btf_find(const struct ksma_btf *btf, enum ksma_btf_kind kind, const char *name)
{
	enum name_space space = space_of(kind);
	const struct btf_names *functions =
		space == SPACE_FUNCTION ? function_names((struct ksma_btf *)btf) : NULL;
	const struct btf_names *table = functions ?: &btf->names;
	uint64_t hash;

	if (!*name)
		return 0;
	if (space == SPACE_NONE || (space == SPACE_FUNCTION && !functions)) {
		for (uint32_t id = 1; id <= btf->count; id++) {
			const struct btf_type type = btf_type_at(btf, id);

			if (type.kind == kind && !strcmp(btf->strings + type.name, name))
				return id;
		}
		return 0;
	}
	hash = ksma_name_hash(name, strlen(name), space);
	for (unsigned probes = 0; probes < KSMA_NAME_PROBES; probes++) {
		uint32_t id = table->ids[(hash + probes) & (table->slots - 1)];
		struct btf_type type;

		if (!id)
			return 0;
		type = btf_type_at(btf, id);
		if (same_kind(type.kind, kind) && !strcmp(btf->strings + type.name, name))
			return id;
	}
	return 0;
}

uint32_t ksma_btf_strip(const struct ksma_btf *btf, uint32_t id)
{
	struct btf_type type;

	for (unsigned depth = 0; depth < BTF_DEPTH && btf_type_of(btf, id, &type); depth++) {
		switch (type.kind) {
		case KSMA_BTF_TYPEDEF:
		case KSMA_BTF_CONST:
		case KSMA_BTF_VOLATILE:
		case KSMA_BTF_RESTRICT:
		case KSMA_BTF_TYPE_TAG:
			id = type.size;
			break;
		default:
			return id;
		}
	}
	return 0;
}

bool ksma_btf_size_of(const struct ksma_btf *btf, uint32_t id, uint64_t *ret_size)
{
	uint64_t elements = 1, size;
	struct btf_type type;

	for (unsigned depth = 0; depth < BTF_DEPTH; depth++) {
		if (!btf_type_of(btf, ksma_btf_strip(btf, id), &type))
			return false;
		switch (type.kind) {
		case KSMA_BTF_INT:
		case KSMA_BTF_STRUCT:
		case KSMA_BTF_UNION:
		case KSMA_BTF_ENUM:
		case KSMA_BTF_ENUM64:
		case KSMA_BTF_FLOAT:
		case KSMA_BTF_DATASEC:
		case KSMA_BTF_PTR:
			if (__builtin_mul_overflow(
				    elements, type.kind == KSMA_BTF_PTR ? 8u : type.size, &size))
				return false;
			*ret_size = size;
			return true;
		case KSMA_BTF_ARRAY:
			if (__builtin_mul_overflow(elements, ksma_le32(type.extra + 8), &elements))
				return false;
			id = ksma_le32(type.extra);
			break;
		case KSMA_BTF_VAR:
			id = type.size;
			break;
		default:
			return false;
		}
	}
	return false;
}

uint32_t ksma_btf_target(const struct ksma_btf *btf, uint32_t id)
{
	struct btf_type type;

	if (!btf_type_of(btf, id, &type) || type.kind > KSMA_BTF_KIND_MAX)
		return 0;
	if (type.kind == KSMA_BTF_ARRAY)
		return ksma_le32(type.extra);
	return known_layouts[type.kind].refers ? type.size : 0;
}

uint32_t ksma_btf_array_count(const struct ksma_btf *btf, uint32_t id)
{
	struct btf_type type;

	return btf_type_of(btf, id, &type) && type.kind == KSMA_BTF_ARRAY
		       ? ksma_le32(type.extra + 8)
		       : 0;
}
