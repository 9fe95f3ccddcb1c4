/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one policy for how often, and after what pause, a torn look is repeated. */
#include "linux/retry.h"

/* A change takes the guest microseconds; a processor of the guest that lost its turn on the host, milliseconds. */
static const unsigned pauses_us[] = { 0, 100, 1000, 5000, 20000 };

bool ksma_kernel_retry(struct ksma_kernel *kernel, unsigned *attempt, struct ksma_error **error)
{
	struct timespec pause = { 0 };
	struct ksma_error *lost;

	if (!*error ||
	    ((*error)->code != KSMA_ERROR_BAD_DATA && (*error)->code != KSMA_ERROR_FAULT))
		return false;
	/* A dump stays as it is. */
	if (*attempt >= ARRAY_SIZE(pauses_us) || kernel->guest->info.kind != KSMA_GUEST_LIVE)
		return false;
	pause.tv_nsec = (long)pauses_us[(*attempt)++] * 1000;
	if (pause.tv_nsec)
		nanosleep(&pause, NULL);
	lost = ksma_kernel_refresh(kernel);
	ksma_error_destroy(*error);
	*error = lost;
	return !lost;
}

/* The pause after each fourth look. */
static const unsigned look_pauses_us[] = { 0, 100, 1000, 5000, 20000, 50000 };

struct ksma_error *ksma_kernel_look_again(struct ksma_kernel *kernel, unsigned *look,
					  bool *ret_again)
{
	struct timespec pause = { 0 };
	bool pauses = *look % 4 == 3, copied = kernel->guest->info.access == KSMA_RAM_COPIED;

	*ret_again = false;
	if (++*look >= KSMA_LOOKS || kernel->guest->info.kind != KSMA_GUEST_LIVE)
		return NULL;
	if (pauses) {
		pause.tv_nsec = (long)look_pauses_us[*look / 4] * 1000;
		nanosleep(&pause, NULL);
	}
	if (pauses || copied)
		KSMA_TRY(ksma_kernel_refresh(kernel));
	*ret_again = true;
	return NULL;
}
