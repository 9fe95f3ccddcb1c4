/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the mutated-dumps test: a dump as a guest that may be damaged, the ways to damage it, and all that is then run. */
#ifndef KSMA_TESTS_MUTATE_H
#define KSMA_TESTS_MUTATE_H

#include "guest/guest.h"

/* --- chance: the same seed damages the same bytes --------------------------------------------------------------------- */

struct chance {
	uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
	uint64_t z = chance->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* One of [0, limit). */
static inline uint64_t chance_below(struct chance *chance, uint64_t limit)
{
	return limit ? chance_next(chance) % limit : 0;
}

/* --- image.c: a dump, mapped privately, as a guest -------------------------------------------------------------------- */

/* A piece of guest memory that is worth damaging, inside one page or a run of them. */
struct piece {
	uint64_t gpa;
	uint64_t length;
};

struct pieces {
	struct piece *items;
	size_t count, capacity;
};

/* What pieces hold. */
enum part {
	PART_KALLSYMS,
	PART_BTF,
	PART_TABLES,
	PART_TASKS,
	PART_LINKS,
	PART_MODULES,
	PART_LOG,
	PART_COUNT
};

struct image {
	struct ksma_guest guest;
	uint8_t *bytes; /* of the whole file, private */
	size_t size;
	struct ksma_ram_region regions[KSMA_MAX_REGIONS]; /* as they are, mapped */
	size_t region_count;
	struct ksma_registers registers;
	struct pieces hot;  /* pages that a run over the undamaged dump reads */
	struct pieces late; /* those of them that it does not need to understand the kernel */
	struct pieces parts[PART_COUNT];
	uint8_t *touched; /* a byte a page of the file, while it is recorded */
};

/* Maps an ELF dump and finds out what is where in it. Ends the program when it cannot. */
void image_open(struct image *image, const char *path);

/* Has the guest's memory copied page by page rather than mapped. */
void image_copy(struct image *image);

/* The bytes at `gpa`, to be changed; NULL when there are not `length` of them. */
uint8_t *image_at(struct image *image, uint64_t gpa, uint64_t length);

/* --- mutations.c ------------------------------------------------------------------------------------------------------- */

struct mutation {
	const char *name;
	void (*apply)(struct image *image, struct chance *chance);
};

extern const struct mutation mutations[];
extern const size_t mutations_count;

/* Damages bytes of a file of `size` bytes: with its headers in mind when `headers`. @return the size it is to have now */
uint64_t mutate_file(int fd, uint64_t size, bool headers, struct chance *chance);

/* --- pipeline.c -------------------------------------------------------------------------------------------------------- */

/* How far a run came. In memory that the parent sees too. */
struct progress {
	uint32_t stage;
	uint32_t kernel; /* was understood */
	uint32_t processes, modules, findings;
	uint32_t incomplete; /* coverage said so */
	char message[200];   /* of the error that ended it */
};

/* Everything that libksma can say of a guest. @return an exit status as docs describe it: 0, 1 or 3 */
int pipeline_run(struct ksma_guest *guest, struct progress *progress);

#endif
