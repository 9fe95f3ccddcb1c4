/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the function pointers of a struct by its type information. */
#include "checks/shapes.h"

enum {
	MAX_SIZE = 16384,  /* of a struct: struct net_device and struct sock are far smaller */
	MAX_SLOTS = 1024,  /* of one shape */
	MAX_PARTS = 512,   /* nested structs of one shape */
	MAX_DEPTH = 8,	   /* of nesting */
	MAX_ELEMENTS = 64, /* of an array that are looked at */
};

/* A struct inside the one whose shape is worked out. */
struct part {
	uint32_t type;
	uint32_t offset;
	unsigned depth;
	const char *name; /* of the member that it is, "" when anonymous */
};

/* Work in progress. */
struct compile {
	const struct ksma_btf *btf;
	struct ksma_shape *shape;
	struct part parts[MAX_PARTS];
	size_t part_count;
	struct part current;
	struct ksma_error *error;
};

void ksma_shapes_deinit(struct ksma_shapes *shapes)
{
	for (size_t i = 0; i < shapes->count; i++) {
		free(shapes->items[i].shape->items);
		free(shapes->items[i].shape);
	}
	free(shapes->items);
	*shapes = (struct ksma_shapes){ 0 };
}

static bool is_struct(enum ksma_btf_kind kind)
{
	return kind == KSMA_BTF_STRUCT || kind == KSMA_BTF_UNION;
}

/* What a pointer of this type leads to, after typedefs and the like; 0 when it is no pointer. */
static uint32_t pointee(const struct ksma_btf *btf, uint32_t type)
{
	type = ksma_btf_strip(btf, type);
	if (ksma_btf_kind_of(btf, type) != KSMA_BTF_PTR)
		return 0;
	return ksma_btf_strip(btf, ksma_btf_target(btf, type));
}

static bool is_function_pointer(const struct ksma_btf *btf, uint32_t type)
{
	return ksma_btf_kind_of(btf, pointee(btf, type)) == KSMA_BTF_FUNC_PROTO;
}

/* How many of a struct's members are function pointers. */
struct tally {
	const struct ksma_btf *btf;
	unsigned functions, members;
};

static bool count_member(void *arg, const char *name, const struct ksma_btf_member *member)
{
	struct tally *tally = arg;

	(void)name;
	tally->members++;
	tally->functions += is_function_pointer(tally->btf, member->type);
	return tally->members < MAX_SLOTS;
}

/* What of its members a struct of operations must have at least as functions. struct proto and struct file_system_type also hold
 * counters, names and lists. */
static bool is_table(const struct ksma_btf *btf, uint32_t type)
{
	static const char *const endings[] = { "_ops", "_operations", "_handler", "proto",
					       "_handlers" };
	const char *name = ksma_btf_name_of(btf, type);
	struct tally tally = { .btf = btf };
	uint64_t size;

	if (ksma_btf_kind_of(btf, type) != KSMA_BTF_STRUCT || !*name ||
	    !ksma_btf_size_of(btf, type, &size) || !size || size > MAX_SIZE)
		return false;
	ksma_btf_each_member(btf, type, count_member, &tally);
	if (!tally.functions)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		size_t length = strlen(name), ending = strlen(endings[i]);

		if (length >= ending && strcmp(name + length - ending, endings[i]) == 0)
			return true;
	}
	return tally.functions * 2 >= tally.members && tally.functions > 1;
}

/* Structs whose pointers are set only while they are in use, and hold anything before. */
static bool is_unset_by_design(const struct ksma_btf *btf, uint32_t type)
{
	static const char *const names[] = { "callback_head", "rcu_head", "lockdep_map" };
	const char *name = ksma_btf_name_of(btf, type);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static struct ksma_error *add_slot(struct compile *c, uint32_t offset, enum ksma_slot_kind kind,
				   uint32_t type, const char *name)
{
	struct ksma_slot *slot;

	if (c->shape->count == MAX_SLOTS || (uint64_t)offset + 8 > c->shape->size)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(c->shape, &slot));
	*slot = (struct ksma_slot){ .offset = offset, .kind = kind, .type = type, .name = name };
	return NULL;
}

/* True when every alternative of a union is a pointer to a function, so that what it holds is one. */
static bool only_functions(const struct ksma_btf *btf, uint32_t type)
{
	struct tally tally = { .btf = btf };

	ksma_btf_each_member(btf, type, count_member, &tally);
	return tally.members && tally.functions == tally.members;
}

static struct ksma_error *add_pointer(struct compile *c, uint32_t type, uint32_t offset,
				      const char *name)
{
	uint32_t to = pointee(c->btf, type);

	if (!to)
		return NULL;
	if (ksma_btf_kind_of(c->btf, to) == KSMA_BTF_FUNC_PROTO)
		return add_slot(c, offset, KSMA_SLOT_FUNCTION, 0, name);
	if (strcmp(name, "owner") == 0 && strcmp(ksma_btf_name_of(c->btf, to), "module") == 0)
		return add_slot(c, offset, KSMA_SLOT_OWNER, 0, name);
	if (is_table(c->btf, to))
		return add_slot(c, offset, KSMA_SLOT_TABLE, to, name);
	return NULL;
}

static struct ksma_error *add_type(struct compile *c, uint32_t type, uint32_t offset,
				   const char *name)
{
	enum ksma_btf_kind kind;

	type = ksma_btf_strip(c->btf, type);
	kind = ksma_btf_kind_of(c->btf, type);
	if (kind == KSMA_BTF_PTR)
		return add_pointer(c, type, offset, name);
	if (!is_struct(kind) || is_unset_by_design(c->btf, type))
		return NULL;
	if (kind == KSMA_BTF_UNION)
		return only_functions(c->btf, type)
			       ? add_slot(c, offset, KSMA_SLOT_FUNCTION, 0, name)
			       : NULL;
	if (c->part_count < MAX_PARTS && c->current.depth + 1 < MAX_DEPTH)
		c->parts[c->part_count++] =
			(struct part){ type, offset, c->current.depth + 1, name };
	return NULL;
}

static bool take_member(void *arg, const char *name, const struct ksma_btf_member *member)
{
	struct compile *c = arg;
	uint64_t offset = c->current.offset + member->bit_offset / 8, size;
	uint32_t type = ksma_btf_strip(c->btf, member->type), element, count;

	if (member->bits || offset >= c->shape->size)
		return true;
	name = *name ? name : c->current.name;
	if (ksma_btf_kind_of(c->btf, type) != KSMA_BTF_ARRAY) {
		c->error = add_type(c, type, (uint32_t)offset, name);
		return !c->error;
	}
	element = ksma_btf_target(c->btf, type);
	count = ksma_btf_array_count(c->btf, type);
	if (!ksma_btf_size_of(c->btf, element, &size) || !size || size > MAX_SIZE)
		return true;
	for (uint32_t i = 0; i < count && i < MAX_ELEMENTS && !c->error; i++)
		c->error = add_type(c, element, (uint32_t)(offset + i * size), name);
	return !c->error;
}

static struct ksma_error *compile(const struct ksma_btf *btf, struct ksma_shape *shape)
{
	struct compile *c = calloc(1, sizeof(*c));
	struct ksma_error *error;

	if (!c)
		return ksma_error_nomem();
	c->btf = btf;
	c->shape = shape;
	c->parts[c->part_count++] = (struct part){ .type = shape->type, .name = "" };
	/* The list grows as nested structs are found. */
	for (size_t i = 0; i < c->part_count && !c->error; i++) {
		c->current = c->parts[i];
		ksma_btf_each_member(btf, c->current.type, take_member, c);
	}
	error = c->error;
	free(c);
	return error;
}

struct ksma_error *ksma_shapes_get(struct ksma_shapes *shapes, uint32_t type,
				   const struct ksma_shape **ret_shape)
{
	typeof(*shapes->items) *slot;
	struct ksma_shape *shape;
	struct ksma_error *error;
	uint64_t size;

	type = ksma_btf_strip(shapes->btf, type);
	for (size_t i = 0; i < shapes->count; i++)
		if (shapes->items[i].shape->type == type) {
			*ret_shape = shapes->items[i].shape;
			return NULL;
		}
	if (!is_struct(ksma_btf_kind_of(shapes->btf, type)) ||
	    !ksma_btf_size_of(shapes->btf, type, &size) || size < 8 || size > MAX_SIZE) {
		*ret_shape = NULL;
		return NULL;
	}
	KSMA_TRY(KSMA_ARRAY_PUSH(shapes, &slot));
	shape = calloc(1, sizeof(*shape));
	if (!shape) {
		shapes->count--;
		return ksma_error_nomem();
	}
	slot->shape = shape;
	shape->type = type;
	shape->name = ksma_btf_name_of(shapes->btf, type);
	shape->size = (uint32_t)size;
	shape->is_table = is_table(shapes->btf, type);
	error = compile(shapes->btf, shape);
	if (error) {
		free(shape->items);
		free(shape);
		shapes->count--;
		return error;
	}
	*ret_shape = shape;
	return NULL;
}
