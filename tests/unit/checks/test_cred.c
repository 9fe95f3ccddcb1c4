/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials: what is honest in a cred, what contradicts itself, and what can have grown out of what. */
#include "unit.h"

#include "checks/cred.h"
#include "fake_kernel.h"

#define ALL 0x1ffffffffffull
#define INIT_NS 0xffffffff82000000ull
#define OTHER_NS 0xffff888001000000ull
#define BASE 0xffff888000000000ull

static struct ksma_cred root_cred(void)
{
	return (struct ksma_cred){
		.usage = 2,
		.permitted = ALL,
		.effective = ALL,
		.bounding = ALL,
		.user_ns = INIT_NS,
		.ucounts_ns = INIT_NS,
	};
}

static struct ksma_cred user_cred(void)
{
	return (struct ksma_cred){
		.usage = 2,
		.uid = 1000,
		.suid = 1000,
		.euid = 1000,
		.fsuid = 1000,
		.user_uid = 1000,
		.ucounts_uid = 1000,
		.bounding = ALL,
		.user_ns = INIT_NS,
		.ucounts_ns = INIT_NS,
	};
}

static unsigned flaws(const struct ksma_cred *cred)
{
	return ksma_cred_flaws(cred, ALL, INIT_NS);
}

static void test_honest(void **state)
{
	struct ksma_cred cred = root_cred();

	(void)state;
	assert_int_equal(flaws(&cred), 0);
	cred = user_cred();
	assert_int_equal(flaws(&cred), 0);
	/* A setuid program: only the effective and saved ids are root's. */
	cred.euid = cred.suid = cred.fsuid = 0;
	cred.permitted = cred.effective = ALL;
	assert_int_equal(flaws(&cred), 0);
	/* Old kernels count for the effective uid. */
	cred.ucounts_uid = 0;
	assert_int_equal(flaws(&cred), 0);
	/* Root in a namespace of its own. */
	cred = user_cred();
	cred.user_ns = cred.ucounts_ns = OTHER_NS;
	cred.permitted = cred.effective = ALL;
	assert_int_equal(flaws(&cred), 0);
	/* A daemon that kept its capabilities, or was given them. */
	cred = user_cred();
	cred.permitted = ALL;
	cred.securebits = KSMA_SECBIT_KEEP_CAPS;
	assert_int_equal(flaws(&cred), 0);
	cred.securebits = 0;
	cred.inheritable = cred.ambient = ALL;
	assert_int_equal(flaws(&cred), 0);
}

static void test_overwritten(void **state)
{
	struct ksma_cred cred = user_cred();

	(void)state;
	cred.uid = cred.euid = cred.suid = cred.fsuid = 0;
	assert_int_equal(flaws(&cred), KSMA_CRED_UID);
	cred.user_uid = 0; /* the account of root, and still the counts of the user */
	assert_int_equal(flaws(&cred), KSMA_CRED_UID);
	cred = user_cred();
	cred.effective = 1;
	assert_int_equal(flaws(&cred), KSMA_CRED_EFFECTIVE);
	cred = user_cred();
	cred.permitted = cred.effective = ALL;
	assert_int_equal(flaws(&cred), KSMA_CRED_ALL);
	cred.permitted = cred.effective = UINT64_MAX;
	assert_int_equal(flaws(&cred), KSMA_CRED_ALL | KSMA_CRED_UNKNOWN);
	cred = user_cred();
	cred.ambient = 2;
	assert_int_equal(flaws(&cred), KSMA_CRED_AMBIENT);
	cred = root_cred();
	cred.user_ns = OTHER_NS;
	assert_int_equal(flaws(&cred), KSMA_CRED_NAMESPACE);
}

static void test_unprivileged(void **state)
{
	struct ksma_cred cred = user_cred();

	(void)state;
	assert_true(ksma_cred_is_unprivileged(&cred));
	cred.permitted = 1ull << 12; /* CAP_NET_ADMIN */
	assert_true(ksma_cred_is_unprivileged(&cred));
	cred.permitted = 1ull << KSMA_CAP_SETUID;
	assert_false(ksma_cred_is_unprivileged(&cred));
	cred = user_cred();
	cred.suid = 0;
	assert_false(ksma_cred_is_unprivileged(&cred));
}

static void test_growth(void **state)
{
	struct ksma_cred before = user_cred(), now = user_cred();

	(void)state;
	assert_false(ksma_cred_grew(&before, &now));
	now.euid = 0;
	assert_true(ksma_cred_grew(&before, &now));
	before.suid = 0; /* seteuid(0) of who left root for a while */
	assert_false(ksma_cred_grew(&before, &now));
	before = user_cred();
	before.permitted = 1ull << KSMA_CAP_SETUID;
	now.permitted = before.permitted;
	assert_false(ksma_cred_grew(&before, &now));
	now.permitted |= 1;
	assert_true(ksma_cred_grew(&before, &now));
	now.user_ns = OTHER_NS; /* unshare() gives all of them, there */
	assert_false(ksma_cred_grew(&before, &now));
	before = root_cred();
	now = user_cred();
	assert_false(ksma_cred_grew(&before, &now));
}

static void lay_out(struct ksma_kernel *kernel)
{
	kernel->size.cred = 128;
	kernel->off.cred__usage = 0;
	kernel->off.cred__uid = 8;
	kernel->off.cred__suid = 12;
	kernel->off.cred__euid = 16;
	kernel->off.cred__fsuid = 20;
	kernel->off.cred__securebits = 24;
	kernel->off.cred__cap_inheritable = 32;
	kernel->off.cred__cap_permitted = 40;
	kernel->off.cred__cap_effective = 48;
	kernel->off.cred__cap_bset = 56;
	kernel->off.cred__cap_ambient = 64;
	kernel->off.cred__user = 72;
	kernel->off.cred__user_ns = 80;
	kernel->off.cred__group_info = 88;
	kernel->off.user_struct__uid = 4;
}

static void test_read(void **state)
{
	struct fake_kernel *k = fake_kernel_create(BASE, 1 << 16, FAKE_MAPPED);
	struct ksma_kernel *kernel = &k->kernel;
	uint64_t cred = fake_kernel_alloc(k, 128, 8), user = fake_kernel_alloc(k, 16, 8);
	struct ksma_cred got;

	(void)state;
	assert_false(ksma_cred_read(kernel, cred, &got)); /* no layout */
	lay_out(kernel);
	assert_false(ksma_cred_read(kernel, cred, &got)); /* no user */
	fake_kernel_put64(k, cred + 72, user);
	fake_kernel_put64(k, cred + 40, ALL);
	fake_kernel_put(k, cred + 8, 7, 4);
	fake_kernel_put(k, user + 4, 7, 4);
	assert_true(ksma_cred_read(kernel, cred, &got));
	assert_int_equal(got.uid, 7);
	assert_int_equal(got.user_uid, 7);
	assert_int_equal(got.ucounts_uid, 7);
	assert_int_equal(got.permitted, ALL);
	kernel->off.cred__user_ns = 124; /* reaches out of the struct */
	assert_false(ksma_cred_read(kernel, cred, &got));
	kernel->off.cred__user_ns = 80;
	kernel->size.cred = 1 << 20;
	assert_false(ksma_cred_read(kernel, cred, &got));
	fake_kernel_destroy(k);
}

static void test_history(void **state)
{
	struct ksma_cred_past items[2] = { { .task = 100, .start_ns = 5, .exec_id = 1 },
					   { .task = 200, .start_ns = 6, .exec_id = 1 } };
	const struct ksma_cred_history history = { items, 2 };
	struct ksma_cred_past now = { .task = 200, .start_ns = 6, .exec_id = 1 }, next;

	(void)state;
	items[0].cred = items[1].cred = user_cred();
	now.cred = root_cred();
	assert_null(ksma_cred_compare(NULL, &now, &next));
	assert_int_equal(next.cred.uid, 0);
	/* Remembered as it was, so that the next look sees it again. */
	assert_ptr_equal(ksma_cred_compare(&history, &now, &next), &items[1].cred);
	assert_int_equal(next.cred.uid, 1000);
	now.exec_id = 2;
	assert_null(ksma_cred_compare(&history, &now, &next));
	assert_int_equal(next.cred.uid, 0);
	now.exec_id = 1;
	now.start_ns = 7; /* another process at the same place */
	assert_null(ksma_cred_compare(&history, &now, &next));
	now.task = 150;
	assert_null(ksma_cred_compare(&history, &now, &next));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest),	     cmocka_unit_test(test_overwritten),
		cmocka_unit_test(test_unprivileged), cmocka_unit_test(test_growth),
		cmocka_unit_test(test_read),	     cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
