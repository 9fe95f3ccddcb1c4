/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the kernel keeps its hooks: a row says in which variable, how one gets from it to the objects, and what type these are. */
#ifndef KSMA_CHECKS_REGISTRY_H
#define KSMA_CHECKS_REGISTRY_H

#include "checks/sweep.h"

enum ksma_registry_walk {
	KSMA_REGISTRY_LIST,  /* a list_head; `link` is the member of the object */
	KSMA_REGISTRY_LISTS, /* an array of them */
	KSMA_REGISTRY_HLIST, /* an hlist_head */
	KSMA_REGISTRY_CHAIN, /* a pointer to the first object, whose member `link` points to the next one */
	KSMA_REGISTRY_CHAINS,	/* an array of them */
	KSMA_REGISTRY_POINTER,	/* a pointer to the object */
	KSMA_REGISTRY_POINTERS, /* an array of them */
	KSMA_REGISTRY_OBJECT,	/* the object itself */
	KSMA_REGISTRY_OBJECTS,	/* an array of them */
	KSMA_REGISTRY_FUNCTION, /* a pointer to a function, and no object */
	KSMA_REGISTRY_IDR,	/* an IDR or xarray of pointers */
};

struct ksma_registry {
	const char *symbol;
	enum ksma_registry_walk walk;
	const char *type;
	const char *link;
	unsigned count;	  /* elements of an array; never more than the variable has room for */
	bool needed;	  /* every kernel has it: a gap when this one does not */
	const char *name; /* a member that points to the object's name, or NULL */
};

/* The address of a variable, or 0. Some share their name with a function of another file. */
uint64_t ksma_registry_variable(const struct ksma_kernel *kernel, const char *name);

/* Called for each object after it was swept, for what a check asks of it besides. May be NULL. */
typedef struct ksma_error *(*ksma_registry_fn)(void *arg, const struct ksma_registry *row,
					       uint64_t object);

/* Sweeps the objects of a table of rows. What cannot be walked is a gap.
 * @return NULL, LOST, NOMEM or LIMIT, or what `fn` returned */
struct ksma_error *ksma_registry_sweep(struct ksma_sweep *sweep, const struct ksma_registry *rows,
				       size_t count, ksma_registry_fn fn,
				       void *arg) KSMA_MUST_CHECK;

/* Calls `fn` for each object of one row and sweeps none of them: for objects that are looked at piece by piece. */
struct ksma_error *ksma_registry_visit(struct ksma_sweep *sweep, const struct ksma_registry *row,
				       ksma_registry_fn fn, void *arg) KSMA_MUST_CHECK;

/* As ksma_registry_sweep() for one variable at a known address, in an object for example. `row->symbol` is what it is called. */
struct ksma_error *ksma_registry_walk_at(struct ksma_sweep *sweep, const struct ksma_registry *row,
					 uint64_t address, ksma_registry_fn fn,
					 void *arg) KSMA_MUST_CHECK;
struct ksma_error *ksma_registry_visit_at(struct ksma_sweep *sweep, const struct ksma_registry *row,
					  uint64_t address, ksma_registry_fn fn,
					  void *arg) KSMA_MUST_CHECK;

#endif
