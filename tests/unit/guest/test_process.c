/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which process is a QEMU, what /proc says of it, and what a guest may be called. */
#include "unit.h"

#include "guest/guest.h"
#include "guest/maps.h"
#include "guest/process.h"

static void test_names(void **state)
{
	static const struct {
		const char *path;
		bool qemu, x86;
	} cases[] = {
		{ "/usr/bin/qemu-system-x86_64", true, true },
		{ "qemu-system-x86_64", true, true },
		{ "/usr/libexec/qemu-kvm", true, true },
		{ "/usr/bin/kvm", true, true },
		{ "/nix/store/x/bin/.qemu-system-x86_64-wrapped", true, true },
		{ "/usr/bin/qemu-system-x86_64-spice", true, true },
		{ "/usr/bin/qemu-system-i386", true, true },
		{ "/usr/bin/qemu-system-aarch64", true, false },
		{ "/usr/bin/qemu-img", false, false },
		{ "/usr/bin/kvmtool", false, false },
		{ "/bin/bash", false, false },
		{ "", false, false },
		{ "/", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool x86 = false;

		assert_int_equal(ksma_host_process_is_qemu(cases[i].path, &x86), cases[i].qemu);
		assert_int_equal(x86, cases[i].x86);
	}
}

static void test_stat(void **state)
{
	struct ksma_host_process p = { 0 };

	assert_true(ksma_host_process_parse_stat(
		"12 (a) b) (c) S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 1 2 3\n",
		&p));
	assert_int_equal(p.parent, 7);
	assert_int_equal(p.threads, 9);
	assert_int_equal(p.cpu_ticks, 5 + 6);
	assert_int_equal(p.start_time, 123456);
	assert_true(p.running);
	assert_true(ksma_host_process_parse_stat(
		"12 (a) Z 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 5 1", &p));
	assert_false(p.running);
	assert_false(ksma_host_process_parse_stat("", &p));
	assert_false(ksma_host_process_parse_stat("12 (a", &p));
	assert_false(ksma_host_process_parse_stat("12 (a) S 7 12", &p));
}

static void parse_maps(const char *text, uint64_t least, struct ksma_host_maps *maps)
{
	char *copy;

	assert_ok(ksma_strdup(text, &copy));
	assert_ok(ksma_host_maps_parse(copy, least, maps));
}

static void test_maps(void **state)
{
	static const char text[] =
		"7f0000000000-7f0040000000 rw-s 00000000 00:01 1028                       /memfd:memory-backend-memfd (deleted)\n"
		"7f0040000000-7f0080000000 rw-s 40000000 00:01 1028                       /memfd:memory-backend-memfd (deleted)\n"
		"7f0080000000-7f0080001000 ---p 00000000 00:00 0 \n"
		"7f0080200000-7f00c0200000 rw-p 00000000 00:00 0 \n"
		"7f00c0200000-7f00c0300000 rwxp 00000000 fe:01 77 /a b\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";
	const struct ksma_mapping *m;
	struct ksma_host_maps maps;

	parse_maps(text, 1 << 16, &maps);
	assert_int_equal(maps.count, 3);
	m = ksma_host_maps_find(&maps, 0x7f0040001234);
	assert_non_null(m);
	assert_int_equal(m->start, 0x7f0000000000);
	assert_int_equal(m->end, 0x7f0080000000);
	assert_int_equal(m->inode, 1028);
	assert_true(m->shared && m->writable && !m->executable);
	assert_string_equal(ksma_mapping_name(&maps, m), "/memfd:memory-backend-memfd (deleted)");
	assert_null(ksma_host_maps_find(&maps, 0x7f0080000000));
	assert_null(ksma_host_maps_find(&maps, 0));
	assert_null(ksma_host_maps_find(&maps, UINT64_MAX));
	m = ksma_host_maps_find(&maps, 0x7f00c0200000);
	assert_int_equal(m->major, 0xfe);
	assert_string_equal(ksma_mapping_name(&maps, m), "/a b");
	ksma_host_maps_free(&maps);
}

static void test_bad_maps(void **state)
{
	static const char *const texts[] = { "x\n",
					     "1000\n",
					     "1000-\n",
					     "2000-1000 rw-p 0 0:0 0\n",
					     "1000-2000 rw\n",
					     "1000-2000 rw-p 0\n" };
	struct ksma_host_maps maps;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *copy;

		assert_ok(ksma_strdup(texts[i], &copy));
		assert_error(ksma_host_maps_parse(copy, 0, &maps), KSMA_ERROR_BAD_DATA);
	}
	parse_maps("", 0, &maps);
	assert_int_equal(maps.count, 0);
	ksma_host_maps_free(&maps);
}

static void test_open_says_why(void **state)
{
	struct ksma_guest *guest = NULL;
	char own[32];

	snprintf(own, sizeof(own), "%d", getpid());
	assert_error_says(ksma_guest_open("", NULL, &guest), KSMA_ERROR_INVALID, "name a guest");
	assert_error_says(ksma_guest_open(own, NULL, &guest), KSMA_ERROR_INVALID, "not a QEMU");
	assert_error_says(ksma_guest_open("9999999", NULL, &guest), KSMA_ERROR_NOT_PRESENT,
			  "no process 9999999");
	assert_error(ksma_guest_open("no-guest-is-called-so", NULL, &guest),
		     KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_guest_open("/no/such/dump", NULL, &guest), KSMA_ERROR_NOT_PRESENT);
	assert_null(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	      cmocka_unit_test(test_stat),
		cmocka_unit_test(test_maps),	      cmocka_unit_test(test_bad_maps),
		cmocka_unit_test(test_open_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
