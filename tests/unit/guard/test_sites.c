/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the guard stands in a kernel, how it goes on from there, and what it reads from the registers. */
#include "unit.h"

#include "fake_kernel.h"
#include "guard/policy.h"
#include "guard/stop.h"

#define BASE 0xffffffff80000000ull
#define ASKS_MMAP 4

enum { ENTRY = 16, PUSH = 2, CALL = 5 };

static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
static const uint8_t endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
static const uint8_t sealed[2][4] = { { 0x66, 0x0f, 0x1f, 0x00 }, { 0x0f, 0x1f, 0x40, 0xd6 } };

static struct fake_kernel *make(void)
{
	struct fake_kernel *k = fake_kernel_create(BASE, 1 << 20, FAKE_MAPPED);

	k->kernel.enums.MMAP_CHECK = ASKS_MMAP;
	return k;
}

/* A function of so many bytes, which are NOPs of one byte but where a test puts others. */
static uint64_t function(struct fake_kernel *k, const char *name, uint64_t size)
{
	uint64_t address = fake_kernel_alloc(k, size, ENTRY);

	memset(fake_kernel_at(k, address, size), 0x90, size);
	fake_kernel_symbol(k, name, address);
	return address;
}

static void put(struct fake_kernel *k, uint64_t at, const uint8_t *code, size_t size)
{
	memcpy(fake_kernel_at(k, at, size), code, size);
}

static void put_call(struct fake_kernel *k, uint64_t at, uint64_t target)
{
	fake_kernel_put(k, at, 0xe8, 1);
	fake_kernel_put(k, at + 1, (uint32_t)(target - at - CALL), 4);
}

/* `push $func; call process_measurement` */
static void put_measure(struct fake_kernel *k, uint64_t at, uint8_t func, uint64_t target)
{
	fake_kernel_put(k, at, 0x6a, 1);
	fake_kernel_put(k, at + 1, func, 1);
	put_call(k, at + PUSH, target);
}

static void entries(void **state)
{
	struct fake_kernel *k = make();
	struct ksma_sites sites;
	uint64_t exec = function(k, "security_bprm_check", 64);
	uint64_t map = function(k, "security_mmap_file", 64);

	put(k, map, endbr, sizeof(endbr));
	assert_ok(ksma_sites_plan(&k->kernel, KSMA_HOOK_EXEC | KSMA_HOOK_MMAP | KSMA_HOOK_OPEN,
				  &sites));
	assert_int_equal(sites.count, 2);
	assert_int_equal(sites.covered, KSMA_HOOK_EXEC | KSMA_HOOK_MMAP);
	assert_int_equal(sites.left_out, KSMA_HOOK_OPEN);
	assert_int_equal(sites.items[0].address, exec);
	assert_int_equal(sites.items[1].address, map + sizeof(endbr));
	assert_int_equal(sites.items[1].kind, KSMA_SITE_MMAP);
	/* What a kernel puts over an ENDBR that nothing needs, of both forms. */
	put(k, exec, sealed[0], sizeof(endbr));
	put(k, map, sealed[1], sizeof(endbr));
	assert_ok(ksma_sites_plan(&k->kernel, KSMA_HOOK_EXEC | KSMA_HOOK_MMAP, &sites));
	assert_int_equal(sites.items[0].address, exec + sizeof(endbr));
	assert_int_equal(sites.items[1].address, map + sizeof(endbr));
	assert_error(ksma_sites_plan(&k->kernel, KSMA_HOOK_KERNEL_READ, &sites),
		     KSMA_ERROR_NOT_PRESENT);
	fake_kernel_destroy(k);
}

/* The processor has four: what matters least is left out, and that is told. */
static void four_at_most(void **state)
{
	static const char *const names[] = { "security_bprm_check",
					     "security_mmap_file",
					     "security_kernel_post_read_file",
					     "security_file_open",
					     "security_kernel_post_load_data",
					     "security_file_mprotect" };
	struct fake_kernel *k = make();
	struct ksma_sites sites;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		function(k, names[i], 64);
	assert_ok(ksma_sites_plan(&k->kernel,
				  KSMA_HOOK_EXEC | KSMA_HOOK_MMAP | KSMA_HOOK_MPROTECT |
					  KSMA_HOOK_KERNEL_READ | KSMA_HOOK_KERNEL_DATA |
					  KSMA_HOOK_OPEN,
				  &sites));
	assert_int_equal(sites.count, KSMA_GDB_BREAKPOINTS);
	assert_int_equal(sites.left_out, KSMA_HOOK_KERNEL_DATA | KSMA_HOOK_MPROTECT);
	for (size_t i = 0; i < sites.count; i++)
		assert_string_equal(sites.items[i].function, names[i]);
	fake_kernel_destroy(k);
}

/* The one call among others of ima_file_mmap() that is made for executable mappings. */
static void measured(void **state)
{
	struct fake_kernel *k = make();
	struct ksma_sites sites;
	uint64_t measure = function(k, "process_measurement", 64);
	uint64_t map = function(k, "ima_file_mmap", 256);
	uint64_t next = function(k, "ima_next", 64);
	uint64_t any = function(k, "security_mmap_file", 64);

	function(k, "ima_policy_flag", 16);
	put_measure(k, map + 32, 12, measure);	  /* asks about something else */
	put_measure(k, map + 96, ASKS_MMAP, any); /* another function */
	put_measure(k, map + 160, ASKS_MMAP, measure);
	put_measure(k, next + 8, ASKS_MMAP, measure); /* is not in it */
	assert_ok(ksma_sites_plan(&k->kernel, KSMA_HOOK_MMAP, &sites));
	assert_int_equal(sites.items[0].kind, KSMA_SITE_MEASURE);
	assert_int_equal(sites.items[0].address, map + 160 + PUSH);
	assert_true(ksma_site_is_call(&sites.items[0]));
	/* Two that look alike: better none than the wrong one. */
	put_measure(k, map + 200, ASKS_MMAP, measure);
	assert_ok(ksma_sites_plan(&k->kernel, KSMA_HOOK_MMAP, &sites));
	assert_int_equal(sites.items[0].kind, KSMA_SITE_MMAP);
	assert_int_equal(sites.items[0].address, any);
	fake_kernel_destroy(k);
}

static void passing(void **state)
{
	struct fake_kernel *k = make();
	uint64_t measure = function(k, "process_measurement", 64);
	uint64_t entry = function(k, "security_bprm_check", 64);
	uint64_t call = function(k, "ima_file_mmap", 64);
	uint64_t flag = function(k, "ima_policy_flag", 16);
	struct ksma_site at_entry = { .kind = KSMA_SITE_BPRM, .address = entry };
	struct ksma_site at_call = { .kind = KSMA_SITE_MEASURE, .address = call };
	struct ksma_site nowhere = { .kind = KSMA_SITE_BPRM, .address = 0x1000 };
	unsigned length = 0;

	put(k, entry, nop, sizeof(nop));
	assert_int_equal(ksma_site_passing(&k->kernel, &at_entry, &length), KSMA_PASS_NOP);
	assert_int_equal(length, sizeof(nop));
	put_call(k, entry, measure); /* traced */
	assert_int_equal(ksma_site_passing(&k->kernel, &at_entry, &length), KSMA_PASS_STEP);
	assert_int_equal(ksma_site_passing(&k->kernel, &nowhere, &length), KSMA_PASS_STEP);
	put_call(k, call, measure);
	fake_kernel_put(k, flag, 0, 4);
	assert_int_equal(ksma_site_passing(&k->kernel, &at_call, &length), KSMA_PASS_ZERO);
	/* The guest's own IMA has a policy, and is asked. */
	fake_kernel_put(k, flag, 1, 4);
	assert_int_equal(ksma_site_passing(&k->kernel, &at_call, &length), KSMA_PASS_STEP);
	fake_kernel_put(k, flag, 0, 4);
	put_call(k, call, entry); /* not what it was found as */
	assert_int_equal(ksma_site_passing(&k->kernel, &at_call, &length), KSMA_PASS_STEP);
	fake_kernel_destroy(k);
}

static struct ksma_stop read_at(struct fake_kernel *k, enum ksma_site_kind kind, uint64_t rdi,
				uint64_t rsi, uint64_t rdx, uint64_t rcx)
{
	const struct ksma_site site = { .kind = kind };
	struct ksma_gdb_registers r = { .thread = 1 };
	struct ksma_stop stop;

	r.value[KSMA_RSP_RDI] = rdi;
	r.value[KSMA_RSP_RSI] = rsi;
	r.value[KSMA_RSP_RDX] = rdx;
	r.value[KSMA_RSP_RCX] = rcx;
	r.value[KSMA_RSP_GS_BASE] = BASE + 0x8000;
	ksma_stop_read(&k->kernel, &site, &r, &stop);
	return stop;
}

static void mappings(void **state)
{
	struct fake_kernel *k = make();
	uint64_t vma;
	struct ksma_stop stop;

	k->kernel.off.vm_area_struct__vm_file = 8;
	k->kernel.off.vm_area_struct__vm_flags = 16;
	vma = fake_kernel_alloc(k, 64, 8);
	stop = read_at(k, KSMA_SITE_MMAP, 0x77, 5, 0, 0);
	assert_true(stop.asks && stop.func == KSMA_FUNC_MMAP_CHECK && stop.file == 0x77);
	assert_false(read_at(k, KSMA_SITE_MMAP, 0x77, 3, 0, 0).asks); /* not executable */
	assert_false(read_at(k, KSMA_SITE_MMAP, 0, 5, 0, 0).asks);    /* no file */
	fake_kernel_put64(k, vma + 8, 0x99);
	stop = read_at(k, KSMA_SITE_MPROTECT, vma, 0, 4, 0);
	assert_true(stop.asks && stop.file == 0x99);
	assert_false(read_at(k, KSMA_SITE_MPROTECT, vma, 0, 3, 0).asks);
	fake_kernel_put64(k, vma + 16, 4); /* it was executable before */
	assert_false(read_at(k, KSMA_SITE_MPROTECT, vma, 0, 4, 0).asks);
	fake_kernel_destroy(k);
}

static void kernel_reads(void **state)
{
	struct fake_kernel *k = make();
	struct ksma_stop stop;

	k->kernel.enums.READING_FIRMWARE = 1;
	k->kernel.enums.READING_MODULE = 2;
	stop = read_at(k, KSMA_SITE_READ, 0x77, 0x1000, 0x20, 2);
	assert_true(stop.asks && stop.func == KSMA_FUNC_MODULE_CHECK && stop.file == 0x77);
	assert_int_equal(stop.buffer, 0x1000);
	assert_int_equal(stop.buffer_size, 0x20);
	assert_int_equal(read_at(k, KSMA_SITE_READ, 0x77, 1, 1, 1).func, KSMA_FUNC_FIRMWARE_CHECK);
	assert_false(read_at(k, KSMA_SITE_READ, 0x77, 1, 1, 7).asks);
	/* From memory alone: there is no file that could be signed. */
	stop = read_at(k, KSMA_SITE_DATA, 0x1000, 0x20, 2, 0);
	assert_true(stop.asks && stop.func == KSMA_FUNC_MODULE_CHECK && stop.file == 0);
	fake_kernel_destroy(k);
}

static void actors(void **state)
{
	struct fake_kernel *k = make();
	uint64_t cpu = fake_kernel_alloc(k, 64, 64), task, cred;
	const struct ksma_site site = { .kind = KSMA_SITE_BPRM };
	struct ksma_gdb_registers r = { .thread = 1 };
	struct ksma_stop stop;

	task = fake_kernel_alloc(k, 128, 64);
	cred = fake_kernel_alloc(k, 64, 64);
	k->kernel.off.task_struct__tgid = 0;
	k->kernel.off.task_struct__pid = 4;
	k->kernel.off.task_struct__cred = 8;
	k->kernel.off.task_struct__comm = 16;
	k->kernel.off.cred__uid = 4;
	fake_kernel_put(k, task, 41, 4);
	fake_kernel_put(k, task + 4, 42, 4);
	fake_kernel_put64(k, task + 8, cred);
	memset(fake_kernel_at(k, task + 16, 16), 'x', 16); /* without an end */
	fake_kernel_put(k, cred + 4, 1000, 4);
	/* A per-cpu variable lies at the processor's base and its own offset. */
	fake_kernel_symbol(k, "current_task", 16);
	fake_kernel_put64(k, cpu + 16, task);
	k->kernel.cpus = 1;
	k->kernel.per_cpu[0] = cpu;
	r.value[KSMA_RSP_GS_BASE] = cpu;
	ksma_stop_read(&k->kernel, &site, &r, &stop);
	assert_true(stop.has_actor);
	assert_int_equal(stop.actor.pid, 41);
	assert_int_equal(stop.actor.tid, 42);
	assert_int_equal(stop.actor.uid, 1000);
	assert_int_equal(strlen(stop.actor.comm), 15);
	r.value[KSMA_RSP_GS_BASE] = cpu + 8; /* no processor's */
	ksma_stop_read(&k->kernel, &site, &r, &stop);
	assert_true(stop.asks && !stop.has_actor && stop.actor.task == 0);
	fake_kernel_destroy(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries),  cmocka_unit_test(four_at_most),
		cmocka_unit_test(measured), cmocka_unit_test(passing),
		cmocka_unit_test(mappings), cmocka_unit_test(kernel_reads),
		cmocka_unit_test(actors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
