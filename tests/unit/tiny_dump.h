/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory dumps of a few pages in every form that is read: for unit tests, and as seeds of the fuzz targets.
 *
 * Each holds pages 0, 1, 2 and TINY_HIGH of a guest with two vCPUs: page 0 is text that compresses, page 1 noise that does
 * not, page 2 zero. A test damages `data` as it likes before it makes a file of it. */
#ifndef KSMA_TESTS_TINY_DUMP_H
#define KSMA_TESTS_TINY_DUMP_H

#include <stddef.h>
#include <stdint.h>

enum {
	TINY_MAX = 1 << 16,
	TINY_PAGE = 4096,
	TINY_HIGH = 40, /* the number of the last page */
	TINY_VCPUS = 2,
};

#define TINY_CR3 0x1234000ull
#define TINY_LDT_BASE 0xfffffe0000001000ull

struct tiny_dump {
	size_t size;
	uint8_t data[TINY_MAX];
	/* Where things lie, to be damaged. */
	size_t notes, memory;		/* notes; the first page's bytes (ELF) */
	size_t bitmap1, bitmap2, descs; /* kdump */
};

/* The bytes of a page. */
void tiny_page(uint64_t pfn, uint8_t *page);

/* The register `number` (encoding order; 16 is rip) of a vCPU in these dumps. */
uint64_t tiny_register(unsigned vcpu, unsigned number);

void tiny_dump_elf(struct tiny_dump *dump);

/* The same memory as paging=true describes it: by virtual address, in overlapping pieces. */
void tiny_dump_elf_paging(struct tiny_dump *dump);

void tiny_dump_kdump(struct tiny_dump *dump);

/* The flattened form of what `plain` holds, in pieces of `piece` bytes. */
void tiny_dump_flatten(struct tiny_dump *dump, const struct tiny_dump *plain, size_t piece);

/* Pages without headers. */
void tiny_dump_raw(struct tiny_dump *dump);

/* A file of `size` bytes without a name. */
int tiny_dump_fd(const uint8_t *data, size_t size);

#endif
