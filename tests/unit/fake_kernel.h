/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kernel made of one arena of memory, a few symbols and made-up layouts: for tests and fuzz targets of what reads a kernel's
 * structures. It ends the program when memory is out, for it is only a prop. */
#ifndef KSMA_TESTS_FAKE_KERNEL_H
#define KSMA_TESTS_FAKE_KERNEL_H

#include "fake_guest.h"
#include "linux/kernel.h"

struct fake_kernel {
	struct ksma_kernel
		kernel; /* no member, type or enumerator is known until a layout says so */
	struct fake_guest *fake;
	uint64_t base, size; /* the arena, as the kernel addresses it */
	uint64_t used;
};

/* Makes a kernel whose arena of `size` bytes (at most 1 GiB) lies at `base`, which is a multiple of 1 GiB; all else is not
 * mapped. The guest counts as a dump, so that nothing waits for it to change; kernel.guest->info.kind says otherwise. */
struct fake_kernel *fake_kernel_create(uint64_t base, uint64_t size, enum fake_kind kind);
void fake_kernel_destroy(struct fake_kernel *k);

/* Adds a symbol. `name` must outlive the kernel. */
void fake_kernel_symbol(struct fake_kernel *k, const char *name, uint64_t address);

/* The next `size` bytes of the arena, zeroed, at a multiple of `align`: where the kernel sees them. */
uint64_t fake_kernel_alloc(struct fake_kernel *k, uint64_t size, uint64_t align);

/* The bytes behind an address; the program ends where there are none. */
uint8_t *fake_kernel_at(struct fake_kernel *k, uint64_t address, uint64_t size);
void fake_kernel_put(struct fake_kernel *k, uint64_t address, uint64_t value, unsigned size);
static inline void fake_kernel_put64(struct fake_kernel *k, uint64_t address, uint64_t value)
{
	fake_kernel_put(k, address, value, 8);
}

/* Layouts of the structures that the readers want: shortened, except where the kernel's own size matters. */
void fake_layout_containers(struct ksma_kernel *kernel);
void fake_layout_modules(struct ksma_kernel *kernel);	  /* with mem[] */
void fake_layout_old_modules(struct ksma_kernel *kernel); /* with core_layout and init_layout */
void fake_layout_log(struct ksma_kernel *kernel);
void fake_layout_sockets(struct ksma_kernel *kernel);
void fake_layout_clock(struct ksma_kernel *kernel);
void fake_layout_traffic_control(struct ksma_kernel *kernel);
void fake_layout_page_cache(struct ksma_kernel *kernel); /* after the containers */

/* A circular list through the list_heads at `entries`, with its head at `head`. */
void fake_kernel_list(struct fake_kernel *k, uint64_t head, const uint64_t *entries, size_t count);

#endif
