/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where in a struct the function pointers lie, and which members lead to tables of them: by the kernel's own types.
 *
 * A shape is worked out once for a type: nested structs and arrays included, to a bounded depth and number. Left out are members of
 * a union that may hold something else, and what the kernel leaves unset by design (the callbacks of RCU). */
#ifndef KSMA_CHECKS_SHAPES_H
#define KSMA_CHECKS_SHAPES_H

#include "linux/btf.h"

enum ksma_slot_kind {
	KSMA_SLOT_FUNCTION, /* a pointer to a function */
	KSMA_SLOT_TABLE,    /* a pointer to a struct that consists mostly of such pointers */
	KSMA_SLOT_OWNER,    /* a pointer to the struct module that the table says it belongs to */
};

struct ksma_slot {
	uint32_t offset;
	enum ksma_slot_kind kind;
	uint32_t type;	  /* of the table */
	const char *name; /* of the innermost named member; belongs to the types */
};

struct ksma_shape {
	uint32_t type;
	const char *name; /* of the struct; belongs to the types */
	uint32_t size;
	bool is_table; /* it consists mostly of function pointers */
	struct ksma_slot *items;
	size_t count, capacity;
};

/* The shapes that were asked for, by type. In the caller's storage. */
struct ksma_shapes {
	const struct ksma_btf *btf; /* borrowed */
	struct {
		struct ksma_shape *shape;
	} * items; /* apart, so that a shape stays where it is */
	size_t count, capacity;
};

void ksma_shapes_deinit(struct ksma_shapes *shapes);

/* The shape of a type, after typedefs and the like. @ret_shape belongs to `shapes`; NULL when it is no struct of a sane size
 * @return NULL or NOMEM */
struct ksma_error *ksma_shapes_get(struct ksma_shapes *shapes, uint32_t type,
				   const struct ksma_shape **ret_shape) KSMA_MUST_CHECK;

#endif
