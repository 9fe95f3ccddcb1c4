/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the kernel's timekeeper, whose parts must agree with each other before one of them is believed.
 *
 * Source: include/linux/timekeeper_internal.h, kernel/time/timekeeping.c: getboottime64() is offs_real - offs_boot, and
 * offs_real is the negative of wall_to_monotonic at every moment. */
#include "linux/clock.h"

#include "base/bytes.h"
#include "linux/retry.h"

enum { TIMEKEEPER_MAX = 1024, NS_PER_S = 1000000000 };

/* The struct around the timekeeper has no name before 6.13; it begins with a sequence count, whose size depends on the
 * kernel's options. */
enum { TIMEKEEPER_FIRST = 8, TIMEKEEPER_LAST = 64 };

static bool fits(int32_t offset, size_t length, size_t size)
{
	return offset >= 0 && ksma_in_range((uint64_t)offset, length, size);
}

static struct ksma_error *check_layout(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.timekeeper;

	KSMA_TRY(KSMA_NEED(kernel, timekeeper__offs_real));
	KSMA_TRY(KSMA_NEED(kernel, timekeeper__offs_boot));
	KSMA_TRY(KSMA_NEED(kernel, timekeeper__wall_to_monotonic));
	if (size > TIMEKEEPER_MAX || !fits(off->timekeeper__offs_real, 8, size) ||
	    !fits(off->timekeeper__offs_boot, 8, size) ||
	    !fits(off->timekeeper__wall_to_monotonic, 16, size))
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"struct timekeeper of this kernel has a layout that ksma does not know");
	return NULL;
}

/* Reads the timekeeper at `address`; false when there is none. */
static bool read_timekeeper(struct ksma_kernel *kernel, uint64_t address,
			    uint8_t bytes[TIMEKEEPER_MAX], uint64_t *ret_ns)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t real, boot, seconds, nanoseconds;

	if (!ksma_kernel_bytes(kernel, address, bytes, kernel->size.timekeeper))
		return false;
	real = ksma_le64(bytes + off->timekeeper__offs_real);
	boot = ksma_le64(bytes + off->timekeeper__offs_boot);
	seconds = ksma_le64(bytes + off->timekeeper__wall_to_monotonic);
	nanoseconds = ksma_le64(bytes + off->timekeeper__wall_to_monotonic + 8);
	/* Unsigned, because the guest chooses the numbers. All zero is memory that was never a clock. */
	if (!real || nanoseconds >= NS_PER_S || real + seconds * NS_PER_S + nanoseconds != 0)
		return false;
	*ret_ns = real - boot;
	return true;
}

static struct ksma_error *look(struct ksma_kernel *kernel, uint8_t bytes[TIMEKEEPER_MAX],
			       uint64_t *ret_ns)
{
	int32_t first = TIMEKEEPER_FIRST, last = TIMEKEEPER_LAST;
	uint64_t base = ksma_kernel_symbol(kernel, "tk_core");

	if (!base)
		KSMA_TRY(ksma_kernel_need_symbol(kernel, "timekeeper_data", &base));
	if (kernel->off.tk_data__timekeeper >= 0)
		first = last = kernel->off.tk_data__timekeeper;
	for (int32_t offset = first; offset <= last; offset += 8)
		if (read_timekeeper(kernel, base + (uint64_t)offset, bytes, ret_ns))
			return NULL;
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "the parts of the guest's clock at 0x%llx contradict each other",
				 (unsigned long long)base);
}

struct ksma_error *ksma_linux_boot_time(struct ksma_kernel *kernel, uint64_t *ret_ns)
{
	uint8_t bytes[TIMEKEEPER_MAX];
	struct ksma_error *error;
	unsigned attempt = 0;
	uint64_t ns = 0;

	KSMA_TRY(check_layout(kernel));
	do {
		error = look(kernel, bytes, &ns);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	if (error)
		return error;
	*ret_ns = ns;
	return NULL;
}

bool ksma_linux_clock_now(struct ksma_kernel *kernel, int64_t *ret_seconds, uint32_t *ret_set)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.timekeeper;
	uint8_t bytes[TIMEKEEPER_MAX];
	struct ksma_error *error = check_layout(kernel);
	uint64_t boot;

	if (!error)
		error = look(kernel, bytes, &boot);
	if (error) {
		ksma_error_destroy(error);
		return false;
	}
	if (!fits(off->timekeeper__xtime_sec, 8, size) ||
	    !fits(off->timekeeper__clock_was_set_seq, 4, size))
		return false;
	*ret_seconds = (int64_t)ksma_le64(bytes + off->timekeeper__xtime_sec);
	*ret_set = ksma_le32(bytes + off->timekeeper__clock_was_set_seq);
	return true;
}
