/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The span of a struct that holds the members a reader wants, so that one read of guest memory fetches them all at once. */
#ifndef KSMA_LINUX_WINDOW_H
#define KSMA_LINUX_WINDOW_H

#include "base/bytes.h"
#include "linux/kernel.h"

/* More than any struct that is read this way; offsets come from the guest's types, so they are not believed beyond it. */
enum { KSMA_WINDOW_MAX = 4096 };

struct ksma_window {
	uint32_t start, end; /* offsets in the struct; equal: nothing */
};

/* Widens the window by a member of `size` bytes; a member that the kernel lacks changes nothing. */
static inline void ksma_window_add(struct ksma_window *window, int32_t offset, uint32_t size)
{
	if (offset < 0)
		return;
	if (window->start == window->end)
		*window = (struct ksma_window){ (uint32_t)offset, (uint32_t)offset };
	if ((uint32_t)offset < window->start)
		window->start = (uint32_t)offset;
	if ((uint32_t)offset + size > window->end)
		window->end = (uint32_t)offset + size;
}

/* UNSUPPORTED when the members lie too far apart. */
struct ksma_error *ksma_window_check(const struct ksma_window *window,
				     const char *type) KSMA_MUST_CHECK;

/* Fetches the window of the struct at `object` into bytes[KSMA_WINDOW_MAX]. */
static inline bool ksma_window_read(struct ksma_kernel *kernel, const struct ksma_window *window,
				    uint64_t object, uint8_t *bytes)
{
	return ksma_kernel_bytes(kernel, object + window->start, bytes,
				 window->end - window->start);
}

/* Where a member lies among the fetched bytes, or NULL. */
static inline const uint8_t *ksma_window_at(const struct ksma_window *window, const uint8_t *bytes,
					    int32_t offset, uint32_t size)
{
	if (unlikely(offset < 0 || (uint32_t)offset < window->start ||
		     !ksma_in_range((uint32_t)offset, size, window->end)))
		return NULL;
	return bytes + ((uint32_t)offset - window->start);
}

/* The value of a member; 0 when the kernel lacks it. */
static inline uint64_t ksma_window_u64(const struct ksma_window *window, const uint8_t *bytes,
				       int32_t offset)
{
	const uint8_t *p = ksma_window_at(window, bytes, offset, 8);

	return p ? ksma_le64(p) : 0;
}

static inline uint32_t ksma_window_u32(const struct ksma_window *window, const uint8_t *bytes,
				       int32_t offset)
{
	const uint8_t *p = ksma_window_at(window, bytes, offset, 4);

	return p ? ksma_le32(p) : 0;
}

#endif
