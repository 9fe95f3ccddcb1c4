/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reset leaves the old kernel's image in memory, whole and silent, until something is written over it: its clock tells. */
#include "linux/pulse.h"

#define NS_PER_S 1000000000ull

enum {
	FIRST_SEARCH_S = 10,
	MOST_HZ = 1000, /* CONFIG_HZ is no higher on x86 */
	SLACK_S = 3600, /* a host that slept: its clock stood still, and the guest's perhaps not */
};

/* No clock goes so fast: something was written over the old kernel's. */
static bool leaps(const struct ksma_pulse *pulse, uint64_t jiffies, uint64_t now_ns)
{
	return jiffies - pulse->jiffies >
	       ((now_ns - pulse->moved_ns) / NS_PER_S + SLACK_S) * MOST_HZ;
}

void ksma_pulse_init(struct ksma_pulse *pulse, uint64_t jiffies, uint64_t now_ns)
{
	*pulse = (struct ksma_pulse){ .jiffies = jiffies,
				      .moved_ns = now_ns,
				      .search_ns = FIRST_SEARCH_S * NS_PER_S };
}

enum ksma_pulse_verdict ksma_pulse_take(struct ksma_pulse *pulse, uint64_t jiffies, uint64_t now_ns)
{
	uint64_t still = now_ns - pulse->moved_ns;

	if (jiffies < pulse->jiffies)
		return KSMA_PULSE_BACKWARDS;
	if (jiffies > pulse->jiffies && !leaps(pulse, jiffies, now_ns)) {
		ksma_pulse_init(pulse, jiffies, now_ns);
		return KSMA_PULSE_BEATS;
	}
	if (still >= pulse->search_ns) {
		pulse->search_ns = 2 * still;
		return KSMA_PULSE_SEARCH;
	}
	return still >= KSMA_PULSE_STILL_S * NS_PER_S ? KSMA_PULSE_STILL : KSMA_PULSE_BEATS;
}

uint64_t ksma_pulse_still_s(const struct ksma_pulse *pulse, uint64_t now_ns)
{
	return (now_ns - pulse->moved_ns) / NS_PER_S;
}
