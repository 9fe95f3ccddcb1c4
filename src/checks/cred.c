/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads credentials, and knows what kernel/cred.c, kernel/sys.c and security/commoncap.c keep true of them. */
#include "checks/cred.h"

#include "base/bytes.h"

enum { CRED_MAX = 512 };

static bool inside(const struct ksma_kernel *kernel, int32_t offset, uint32_t size)
{
	return offset >= 0 && ksma_in_range((uint32_t)offset, size, kernel->size.cred);
}

static bool have_layout(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;

	return kernel->size.cred && kernel->size.cred <= CRED_MAX &&
	       inside(kernel, off->cred__usage, 4) && inside(kernel, off->cred__uid, 4) &&
	       inside(kernel, off->cred__suid, 4) && inside(kernel, off->cred__euid, 4) &&
	       inside(kernel, off->cred__fsuid, 4) && inside(kernel, off->cred__securebits, 4) &&
	       inside(kernel, off->cred__cap_inheritable, 8) &&
	       inside(kernel, off->cred__cap_permitted, 8) &&
	       inside(kernel, off->cred__cap_effective, 8) &&
	       inside(kernel, off->cred__cap_bset, 8) &&
	       inside(kernel, off->cred__cap_ambient, 8) && inside(kernel, off->cred__user, 8) &&
	       inside(kernel, off->cred__user_ns, 8) && inside(kernel, off->cred__group_info, 8) &&
	       off->user_struct__uid >= 0;
}

/* struct ucounts came into cred with 905ae01c4ae2 "Add a reference to ucounts for each cred", 5.14. At first it was that of the
 * effective uid. */
static void read_ucounts(struct ksma_kernel *kernel, struct ksma_cred *cred)
{
	const struct ksma_offsets *off = &kernel->off;

	cred->ucounts_uid = cred->uid;
	cred->ucounts_ns = cred->user_ns;
	if (!cred->ucounts || off->ucounts__uid < 0 || off->ucounts__ns < 0)
		return;
	if (!ksma_kernel_u32(kernel, cred->ucounts + (uint32_t)off->ucounts__uid,
			     &cred->ucounts_uid) ||
	    !ksma_kernel_u64(kernel, cred->ucounts + (uint32_t)off->ucounts__ns,
			     &cred->ucounts_ns)) {
		cred->ucounts_uid = cred->uid;
		cred->ucounts_ns = cred->user_ns;
	}
}

bool ksma_cred_read(struct ksma_kernel *kernel, uint64_t address, struct ksma_cred *ret)
{
	const struct ksma_offsets *off = &kernel->off;
	uint8_t b[CRED_MAX];

	if (!have_layout(kernel) || !ksma_kernel_bytes(kernel, address, b, kernel->size.cred))
		return false;
	*ret = (struct ksma_cred){
		.address = address,
		.usage = (int32_t)ksma_le32(b + off->cred__usage),
		.uid = ksma_le32(b + off->cred__uid),
		.suid = ksma_le32(b + off->cred__suid),
		.euid = ksma_le32(b + off->cred__euid),
		.fsuid = ksma_le32(b + off->cred__fsuid),
		.securebits = ksma_le32(b + off->cred__securebits),
		.inheritable = ksma_le64(b + off->cred__cap_inheritable),
		.permitted = ksma_le64(b + off->cred__cap_permitted),
		.effective = ksma_le64(b + off->cred__cap_effective),
		.bounding = ksma_le64(b + off->cred__cap_bset),
		.ambient = ksma_le64(b + off->cred__cap_ambient),
		.user = ksma_le64(b + off->cred__user),
		.user_ns = ksma_le64(b + off->cred__user_ns),
		.group_info = ksma_le64(b + off->cred__group_info),
		.ucounts = inside(kernel, off->cred__ucounts, 8) ? ksma_le64(b + off->cred__ucounts)
								 : 0,
	};
	if (!ksma_kernel_u32(kernel, ret->user + (uint32_t)off->user_struct__uid, &ret->user_uid))
		return false;
	read_ucounts(kernel, ret);
	return true;
}

unsigned ksma_cred_flaws(const struct ksma_cred *cred, uint64_t all, uint64_t init_user_ns)
{
	unsigned flaws = 0;

	/* set_user() and set_cred_ucounts() follow each change of the real uid, and nothing else changes these records. */
	if (cred->user_uid != cred->uid ||
	    (cred->ucounts_uid != cred->uid && cred->ucounts_uid != cred->euid))
		flaws |= KSMA_CRED_UID;
	if (cred->ucounts_ns != cred->user_ns)
		flaws |= KSMA_CRED_NAMESPACE;
	if (cred->effective & ~cred->permitted)
		flaws |= KSMA_CRED_EFFECTIVE;
	if (cred->ambient & ~(cred->permitted & cred->inheritable))
		flaws |= KSMA_CRED_AMBIENT;
	if ((cred->permitted | cred->effective | cred->inheritable | cred->ambient) & ~all)
		flaws |= KSMA_CRED_UNKNOWN;
	/* cap_emulate_setxuid() takes them from whoever leaves root, unless he asked to keep them. */
	if (cred->user_ns == init_user_ns && cred->uid && cred->euid && cred->suid && all &&
	    (cred->permitted & all) == all && (cred->ambient & all) != all &&
	    !(cred->securebits & (KSMA_SECBIT_KEEP_CAPS | KSMA_SECBIT_NO_SETUID_FIXUP)))
		flaws |= KSMA_CRED_ALL;
	return flaws;
}

bool ksma_cred_is_unprivileged(const struct ksma_cred *cred)
{
	const uint64_t dangerous = 1ull << KSMA_CAP_DAC_OVERRIDE | 1ull << KSMA_CAP_SETUID |
				   1ull << KSMA_CAP_SYS_MODULE | 1ull << KSMA_CAP_SYS_PTRACE |
				   1ull << KSMA_CAP_SYS_ADMIN;

	return cred->uid && cred->euid && cred->suid && !(cred->permitted & dangerous);
}

bool ksma_cred_grew(const struct ksma_cred *before, const struct ksma_cred *now)
{
	if (now->user_ns != before->user_ns)
		return false;
	if (now->permitted & ~before->permitted)
		return true;
	/* Who may set ids, or has root among his own, takes any. */
	if (!before->uid || !before->euid || !before->suid ||
	    (before->permitted & 1ull << KSMA_CAP_SETUID))
		return false;
	return !now->uid || !now->euid || !now->suid || !now->fsuid;
}

static int by_task(const void *a, const void *b)
{
	const struct ksma_cred_past *left = a, *right = b;

	return left->task < right->task ? -1 : left->task > right->task;
}

const struct ksma_cred *ksma_cred_compare(const struct ksma_cred_history *history,
					  const struct ksma_cred_past *now,
					  struct ksma_cred_past *ret_next)
{
	const struct ksma_cred_past *past =
		history && history->count
			? bsearch(now, history->items, history->count, sizeof(*now), by_task)
			: NULL;

	*ret_next = *now;
	if (!past || past->start_ns != now->start_ns || past->exec_id != now->exec_id ||
	    !ksma_cred_grew(&past->cred, &now->cred))
		return NULL;
	ret_next->cred = past->cred;
	return &past->cred;
}

void ksma_cred_history_destroy(void *data)
{
	struct ksma_cred_history *history = data;

	if (!history)
		return;
	free(history->items);
	free(history);
}
