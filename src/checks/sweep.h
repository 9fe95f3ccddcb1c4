/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds every typed function pointer of an object, and of the tables that it leads to, against the functions that the kernel and its
 * modules have. This is the engine of all checks that look at hooks: they say what to look at, and as what. */
#ifndef KSMA_CHECKS_SWEEP_H
#define KSMA_CHECKS_SWEEP_H

#include "checks/check.h"
#include "checks/shapes.h"
#include <ksma/linux.h>

/* A table or an object as one type: each is looked at once in a pass, however many things share it. */
struct ksma_sweep_place {
	uint64_t address;
	uint32_t type;
	unsigned depth; /* of a table: how many tables lead to it */
};

struct ksma_sweep_seen {
	struct ksma_sweep_place *items; /* open addressing; size is a power of two */
	size_t size, used;
};

/* One look's sweep. Ended with ksma_sweep_deinit(). */
struct ksma_sweep {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	const struct ksma_btf *btf;
	struct ksma_shapes shapes;
	struct ksma_sweep_seen seen;
	struct {
		struct ksma_sweep_place *items;
		size_t count, capacity;
	} todo; /* tables that were found and not looked at yet */
	struct {
		const char *name; /* by its address: checks pass constants */
		const struct ksma_shape *shape;
	} recent[256];
	unsigned objects;
	uint64_t init_start, init_end; /* code of the boot, long freed */
};

/* @return NULL, UNSUPPORTED (no types) or NOMEM. `ret_sweep` may be ended in either case */
struct ksma_error *ksma_sweep_init(struct ksma_look *look,
				   struct ksma_sweep *ret_sweep) KSMA_MUST_CHECK;
void ksma_sweep_deinit(struct ksma_sweep *sweep);

/* A check that is nothing but a sweep: begins one, runs `check` with it, and ends it. */
struct ksma_error *
ksma_sweep_run(struct ksma_look *look,
	       struct ksma_error *(*check)(struct ksma_sweep *sweep)) KSMA_MUST_CHECK;

/* Requires every function pointer in the struct `type` at `address` to be the start of a function: of the kernel, where the kernel's
 * image holds the pointer; of the kernel or of a listed module elsewhere. The same for the tables of operations that the struct points
 * to, which have to lie in the image or in a listed module, and to belong to a listed module where they say so.
 *
 * A zero address is no object and fine. A type that the kernel does not have is a gap.
 * @holder names the object, for ids and evidence, and is the same at each boot where it can be: "netfilter ipv4" */
struct ksma_error *ksma_sweep_object(struct ksma_sweep *sweep, const char *type, uint64_t address,
				     const char *holder) KSMA_MUST_CHECK;

/* One object more was looked at, by other ways than ksma_sweep_object(). They lie wherever the guest's allocator put them: a sweep over many
 * goes through all of its memory, of which no more is held than the look may. */
void ksma_sweep_goes_on(struct ksma_sweep *sweep);

/* The same for a table that an object points to: it also has to lie where tables lie. */
struct ksma_error *ksma_sweep_table(struct ksma_sweep *sweep, const char *type, uint64_t address,
				    const char *holder) KSMA_MUST_CHECK;

/* Requires a single function pointer to be the start of a function of the kernel or of a listed module. @place where it lies */
struct ksma_error *ksma_sweep_pointer(struct ksma_sweep *sweep, uint64_t place, uint64_t function,
				      const char *member, const char *holder) KSMA_MUST_CHECK;

/* Offset of a member ("nf.hooks_ipv4"), or KSMA_NO_MEMBER. */
int32_t ksma_sweep_offset(const struct ksma_sweep *sweep, const char *type, const char *member);
/* Size of a struct, or 0. */
uint32_t ksma_sweep_size(const struct ksma_sweep *sweep, const char *type);
/* Number of elements of an array member, or 0. */
uint32_t ksma_sweep_elements(const struct ksma_sweep *sweep, const char *type, const char *member);

/* Adds a finding about a table that is sound in itself and reached from where it should not be.
 * @what says it: "has operations that belong to another module" */
struct ksma_error *ksma_sweep_report_table(struct ksma_sweep *sweep, const char *member,
					   uint64_t place, uint64_t table, const char *holder,
					   const char *what, const char *expected) KSMA_MUST_CHECK;

/* True where code of `module` may well have been given a table of `other`: the same module, or one that it uses. What cannot be read
 * counts as true, and is a gap. */
bool ksma_sweep_module_uses(struct ksma_sweep *sweep, const struct ksma_module *module,
			    const struct ksma_module *other);

/* Requires the table that `place` points to to lie in the image, in `module` (NULL: in none) or in a module that this one uses. */
struct ksma_error *ksma_sweep_belongs(struct ksma_sweep *sweep, const char *member, uint64_t place,
				      const struct ksma_module *module,
				      const char *holder) KSMA_MUST_CHECK;

/* True the first time a place is asked for. */
struct ksma_error *ksma_sweep_see(struct ksma_sweep *sweep, uint64_t address, uint32_t type,
				  bool *ret_new) KSMA_MUST_CHECK;

/* Names come from the guest: what is no plain character becomes a question mark, so that ids stay printable. */
void ksma_sweep_clean_name(char *name);

/* True inside the image of the kernel. */
static inline bool ksma_sweep_in_image(const struct ksma_kernel *kernel, uint64_t gva)
{
	return gva >= kernel->image && gva < kernel->image_end;
}

/* True for what is an address of the kernel's half, and no error in disguise. */
static inline bool ksma_sweep_is_kernel(uint64_t value)
{
	return value >= 0xff00000000000000 /* with 5 levels */ && value < -(uint64_t)4096;
}

#endif
