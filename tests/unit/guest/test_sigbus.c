/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that shrinks under its mapping reads as zeroes and is noticed; any other fault stays what it was. */
#include "unit.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "guest/sigbus.h"

enum { SIZE = 64 << 10, PAGE = 4096 };

static uint8_t *map_file(int *ret_fd)
{
	uint8_t *map;

	*ret_fd = memfd_create("test", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(ftruncate(*ret_fd, SIZE), 0);
	assert_int_equal(pwrite(*ret_fd, "x", 1, SIZE - PAGE), 1);
	map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, *ret_fd, 0);
	assert_true(map != MAP_FAILED);
	return map;
}

static void test_shrunk_file(void **state)
{
	int fd, guard;
	uint8_t *map = map_file(&fd);

	guard = ksma_sigbus_guard(map, SIZE, PAGE);
	assert_true(guard >= 0);
	assert_int_equal(map[SIZE - PAGE], 'x');
	assert_int_equal(ksma_sigbus_faults(guard), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(map[SIZE - PAGE], 0);
	assert_int_equal(map[2 * PAGE + 17], 0);
	assert_int_equal(ksma_sigbus_faults(guard), 2);
	ksma_sigbus_unguard(guard);
	munmap(map, SIZE);
	close(fd);
	ksma_sigbus_unguard(-1);
	assert_int_equal(ksma_sigbus_faults(-1), 0);
}

/* In a child: guards one mapping, and touches another whose file is gone. */
static void touch_unguarded(void)
{
	int fd;
	uint8_t *guarded = map_file(&fd);
	uint8_t *other = map_file(&fd);

	signal(SIGBUS, SIG_DFL); /* cmocka has a handler of its own */
	if (ksma_sigbus_guard(guarded, SIZE, PAGE) < 0 || ftruncate(fd, 0) < 0)
		_exit(1);
	_exit(*(volatile uint8_t *)other ? 2 : 3);
}

/* What is not ours to catch ends the process, as before. */
static void test_other_faults(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		touch_unguarded();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_faults), /* before the handler is there */
		cmocka_unit_test(test_shrunk_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
