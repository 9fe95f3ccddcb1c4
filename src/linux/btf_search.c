/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Searches in BTF: members by path, enumerators by name. Types may be nested without end, so each search has a budget. */
#include "linux/btf_impl.h"

enum {
	BTF_ANONYMOUS_DEPTH = 16,
	BTF_MEMBER_BUDGET =
		1 << 17, /* members looked at in one search: more than any honest struct has */
};

/* Reads member `index` of a struct or union. Its offset is from the start of that struct. */
static void read_member(const struct ksma_btf *btf, const struct btf_type *compound, uint32_t index,
			uint32_t *ret_name, struct ksma_btf_member *ret)
{
	const uint8_t *p = compound->extra + (size_t)index * 12;
	uint32_t offset = ksma_le32(p + 8);
	struct btf_type type;

	*ret_name = ksma_le32(p);
	*ret = (struct ksma_btf_member){ .bit_offset = offset, .type = ksma_le32(p + 4) };
	if (!ksma_btf_size_of(btf, ret->type, &ret->size))
		ret->size = 0;
	if (compound->flag) {
		ret->bit_offset = offset & 0xffffff;
		ret->bits = offset >> 24;
		return;
	}
	/* Without the flag, a bit field is a member whose integer type is narrower than its bytes. */
	if (btf_type_of(btf, ksma_btf_strip(btf, ret->type), &type) && type.kind == KSMA_BTF_INT) {
		uint32_t encoding = ksma_le32(type.extra);
		uint32_t bits = encoding & 0xff, shift = encoding >> 16 & 0xff;

		if (bits != type.size * (uint64_t)8) {
			ret->bits = bits;
			ret->bit_offset += shift;
		}
	}
}

/* One struct on the way down through the anonymous ones. */
struct frame {
	struct btf_type type;
	uint64_t bit_offset;
	uint32_t next;
};

static bool is_compound(const struct btf_type *type)
{
	return type->kind == KSMA_BTF_STRUCT || type->kind == KSMA_BTF_UNION;
}

/* Finds a direct member by name, `name` being `length` bytes, descending into anonymous structs and unions. */
static bool find_member(const struct ksma_btf *btf, uint32_t id, const char *name, size_t length,
			struct ksma_btf_member *ret)
{
	struct frame stack[BTF_ANONYMOUS_DEPTH];
	unsigned depth = 0, budget = BTF_MEMBER_BUDGET;

	if (!btf_type_of(btf, ksma_btf_strip(btf, id), &stack[0].type) ||
	    !is_compound(&stack[0].type))
		return false;
	stack[0].bit_offset = 0;
	stack[0].next = 0;
	for (;;) {
		struct frame *frame = &stack[depth];
		const char *member_name;
		const uint8_t *p;
		uint32_t unused;
		struct btf_type inner;

		if (frame->next == frame->type.vlen) {
			if (depth-- == 0)
				return false;
			continue;
		}
		if (budget-- == 0)
			return false;
		p = frame->type.extra + (size_t)frame->next * 12;
		member_name = btf->strings + ksma_le32(p);
		if (*member_name) {
			/* strncmp stops at a NUL, so it stays inside the strings. */
			if (!strncmp(member_name, name, length) && !member_name[length]) {
				read_member(btf, &frame->type, frame->next, &unused, ret);
				ret->bit_offset += frame->bit_offset;
				return true;
			}
			frame->next++;
			continue;
		}
		frame->next++;
		if (depth + 1 < BTF_ANONYMOUS_DEPTH &&
		    btf_type_of(btf, ksma_btf_strip(btf, ksma_le32(p + 4)), &inner) &&
		    is_compound(&inner)) {
			uint32_t offset = ksma_le32(p + 8);

			if (frame->type.flag)
				offset &= 0xffffff;
			stack[++depth] = (struct frame){ .type = inner,
							 .bit_offset = frame->bit_offset + offset };
		}
	}
}

bool ksma_btf_member(const struct ksma_btf *btf, uint32_t type, const char *path,
		     struct ksma_btf_member *ret_member)
{
	struct ksma_btf_member member = { .type = type };
	uint64_t bit_offset = 0;

	for (;;) {
		size_t length = strcspn(path, ".");

		if (!length || !find_member(btf, member.type, path, length, &member))
			return false;
		bit_offset += member.bit_offset;
		if (!path[length])
			break;
		path += length + 1;
	}
	*ret_member = member;
	ret_member->bit_offset = bit_offset;
	return true;
}

void ksma_btf_each_member(const struct ksma_btf *btf, uint32_t type, ksma_btf_member_fn fn,
			  void *arg)
{
	struct btf_type compound;

	if (!btf_type_of(btf, ksma_btf_strip(btf, type), &compound) || !is_compound(&compound))
		return;
	for (uint32_t i = 0; i < compound.vlen; i++) {
		struct ksma_btf_member member;
		uint32_t name;

		read_member(btf, &compound, i, &name, &member);
		if (!fn(arg, btf->strings + name, &member))
			return;
	}
}

static bool is_enum(const struct btf_type *type)
{
	return type->kind == KSMA_BTF_ENUM || type->kind == KSMA_BTF_ENUM64;
}

static const uint8_t *enumerator_at(const struct btf_type *type, uint32_t index)
{
	return type->extra + (size_t)index * (type->kind == KSMA_BTF_ENUM64 ? 12 : 8);
}

static int64_t enumerator_value(const struct btf_type *type, uint32_t index)
{
	const uint8_t *p = enumerator_at(type, index);

	if (type->kind == KSMA_BTF_ENUM64)
		return (int64_t)(ksma_le32(p + 4) | (uint64_t)ksma_le32(p + 8) << 32);
	return type->flag ? (int32_t)ksma_le32(p + 4) : (int64_t)ksma_le32(p + 4);
}

static bool find_enumerator(const struct ksma_btf *btf, uint32_t id, const char *name,
			    int64_t *ret_value)
{
	struct btf_type type;

	if (!btf_type_of(btf, id, &type) || !is_enum(&type))
		return false;
	for (uint32_t i = 0; i < type.vlen; i++) {
		if (!strcmp(btf->strings + ksma_le32(enumerator_at(&type, i)), name)) {
			*ret_value = enumerator_value(&type, i);
			return true;
		}
	}
	return false;
}

/* Puts one enumerator into the index; the first of a name stays. @return false when names collide beyond chance */
static bool index_enumerator(struct ksma_btf *btf, uint32_t id, uint32_t index,
			     uint32_t name_offset)
{
	const char *name = btf->strings + name_offset;
	uint64_t hash = ksma_name_hash_within(name, btf->strings + btf->strings_size, 0);

	for (unsigned probes = 0; probes < KSMA_NAME_PROBES; probes++) {
		struct btf_enumerator *slot =
			&btf->enumerators[(hash + probes) & (btf->enumerator_slots - 1)];
		struct btf_type type;
		uint32_t other;

		if (!slot->type) {
			*slot = (struct btf_enumerator){ .type = id, .index = index };
			return true;
		}
		type = btf_type_at(btf, slot->type);
		other = ksma_le32(enumerator_at(&type, slot->index));
		if (other == name_offset || !strcmp(btf->strings + other, name))
			return true;
	}
	return false;
}

static bool index_enumerators(struct ksma_btf *btf)
{
	btf->enumerator_slots = ksma_name_slots(btf->enumerator_count);
	btf->enumerators = calloc(btf->enumerator_slots, sizeof(*btf->enumerators));
	if (!btf->enumerators)
		return false;
	for (uint32_t id = 1; id <= btf->count; id++) {
		const struct btf_type type = btf_type_at(btf, id);

		for (uint32_t i = 0; is_enum(&type) && i < type.vlen; i++)
			if (!index_enumerator(btf, id, i, ksma_le32(enumerator_at(&type, i))))
				return false;
	}
	return true;
}

/* The index is made when it is first asked for, as most users of the types never do. One thread has the guest. */
static bool have_enumerators(struct ksma_btf *btf)
{
	if (!btf->enumerators && !btf->enumerators_failed && !index_enumerators(btf)) {
		free(TAKE_PTR(btf->enumerators));
		btf->enumerators_failed = true;
	}
	return btf->enumerators;
}

bool ksma_btf_enumerator(const struct ksma_btf *btf, const char *enum_name, const char *enumerator,
			 int64_t *ret_value)
{
	uint64_t hash;

	if (enum_name)
		return find_enumerator(btf, ksma_btf_find(btf, KSMA_BTF_ENUM, enum_name),
				       enumerator, ret_value);
	if (!have_enumerators((struct ksma_btf *)btf)) {
		for (uint32_t id = 1; id <= btf->count; id++)
			if (find_enumerator(btf, id, enumerator, ret_value))
				return true;
		return false;
	}
	hash = ksma_name_hash(enumerator, strlen(enumerator), 0);
	for (unsigned probes = 0; probes < KSMA_NAME_PROBES; probes++) {
		const struct btf_enumerator *slot =
			&btf->enumerators[(hash + probes) & (btf->enumerator_slots - 1)];
		struct btf_type type;

		if (!slot->type)
			return false;
		type = btf_type_at(btf, slot->type);
		if (!strcmp(btf->strings + ksma_le32(enumerator_at(&type, slot->index)),
			    enumerator)) {
			*ret_value = enumerator_value(&type, slot->index);
			return true;
		}
	}
	return false;
}

/* From a pointer, typedef or function to the prototype; false when there is none. */
static bool prototype_of(const struct ksma_btf *btf, uint32_t id, struct btf_type *ret)
{
	for (unsigned i = 0; i < BTF_ANONYMOUS_DEPTH; i++) {
		id = ksma_btf_strip(btf, id);
		if (!btf_type_of(btf, id, ret))
			return false;
		if (ret->kind == KSMA_BTF_FUNC_PROTO)
			return true;
		if (ret->kind != KSMA_BTF_PTR && ret->kind != KSMA_BTF_FUNC)
			return false;
		id = ret->size;
	}
	return false;
}

/* Names of structs decide where both have one: a forward declaration has the same name as its struct. */
static bool pointees_alike(const struct ksma_btf *btf, uint32_t a, uint32_t b)
{
	struct btf_type x, y;
	const char *name, *other;

	a = ksma_btf_strip(btf, a);
	b = ksma_btf_strip(btf, b);
	if (a == b || !btf_type_of(btf, a, &x) || !btf_type_of(btf, b, &y))
		return true; /* one points to void */
	if ((!is_compound(&x) && x.kind != KSMA_BTF_FWD) ||
	    (!is_compound(&y) && y.kind != KSMA_BTF_FWD))
		return true;
	name = ksma_btf_name_of(btf, a);
	other = ksma_btf_name_of(btf, b);
	return !*name || !*other || strcmp(name, other) == 0;
}

static bool values_alike(const struct ksma_btf *btf, uint32_t a, uint32_t b)
{
	uint64_t size, other;
	struct btf_type x, y;

	a = ksma_btf_strip(btf, a);
	b = ksma_btf_strip(btf, b);
	if (a == b)
		return true;
	if (!btf_type_of(btf, a, &x) || !btf_type_of(btf, b, &y))
		return false; /* one of them is void */
	if (x.kind == KSMA_BTF_PTR && y.kind == KSMA_BTF_PTR)
		return pointees_alike(btf, x.size, y.size);
	if (x.kind == KSMA_BTF_PTR || y.kind == KSMA_BTF_PTR)
		return false;
	return !ksma_btf_size_of(btf, a, &size) || !ksma_btf_size_of(btf, b, &other) ||
	       size == other;
}

bool ksma_btf_calls_alike(const struct ksma_btf *btf, uint32_t a, uint32_t b)
{
	struct btf_type x, y;

	if (!prototype_of(btf, a, &x) || !prototype_of(btf, b, &y))
		return true;
	if (x.vlen != y.vlen || !values_alike(btf, x.size, y.size))
		return false;
	/* struct btf_param: name, type */
	for (uint32_t i = 0; i < x.vlen; i++)
		if (!values_alike(btf, ksma_le32(x.extra + 8ul * i + 4),
				  ksma_le32(y.extra + 8ul * i + 4)))
			return false;
	return true;
}
