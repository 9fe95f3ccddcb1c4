/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials: whoever owns the guest's kernel writes them, and the layout that
 * they are read by comes from its own types. */
#include "kernel_input.h"

#include "checks/cred.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { LAYOUT = 16, ROOM = 96 };

/* Members lie anywhere, inside of the struct or not. */
static int32_t offset_of(const uint8_t *layout, unsigned i)
{
	return layout[i % LAYOUT] == 0xff ? KSMA_NO_MEMBER : layout[i % LAYOUT];
}

static void put_layout(struct ksma_kernel *kernel, const uint8_t *layout)
{
	struct ksma_offsets *off = &kernel->off;
	int32_t *const members[] = {
		&off->cred__usage,
		&off->cred__uid,
		&off->cred__suid,
		&off->cred__euid,
		&off->cred__fsuid,
		&off->cred__securebits,
		&off->cred__cap_inheritable,
		&off->cred__cap_permitted,
		&off->cred__cap_effective,
		&off->cred__cap_bset,
		&off->cred__cap_ambient,
		&off->cred__user,
		&off->cred__user_ns,
		&off->cred__group_info,
		&off->cred__ucounts,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(members); i++)
		*members[i] = offset_of(layout, i);
	kernel->size.cred = layout[LAYOUT - 1] + ROOM;
	off->user_struct__uid = 8;
	off->ucounts__uid = 16;
	off->ucounts__ns = 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_cred_past now = { .task = 1 }, next;
	struct ksma_cred_history history = { &now, 1 };
	struct ksma_cred before = { 0 };
	struct fake_kernel *k;

	if (length < LAYOUT || length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data + LAYOUT, length - LAYOUT);
	put_layout(&k->kernel, data);
	for (uint64_t at = 0; at < 1024; at += 64) {
		if (!ksma_cred_read(&k->kernel, at, &now.cred))
			continue;
		(void)ksma_cred_flaws(&now.cred, now.cred.bounding, now.cred.user_ns);
		(void)ksma_cred_is_unprivileged(&now.cred);
		(void)ksma_cred_grew(&before, &now.cred);
		(void)ksma_cred_compare(&history, &now, &next);
		before = now.cred;
	}
	fake_kernel_destroy(k);
	return 0;
}
