/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The measurement list: its bytes, its registers, what evmctl says of it, and what it does on a disk that is full or after a crash. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fail_alloc.h"
#include "guard/measurements_impl.h"

static char folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/ksma-list-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "binary_runtime_measurements",
					     "ascii_runtime_measurements", "pcrs.sha1",
					     "pcrs.sha256", "pcrs.sha1.new" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static char *content(const char *name, size_t *ret_length)
{
	char path[128], *data = NULL;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_ok(ksma_read_file(path, 1 << 24, &data, ret_length));
	return data;
}

static off_t size_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void cut(const char *name, off_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	assert_int_equal(truncate(path, size), 0);
}

static struct ksma_measurement a_file(const char *path, uint8_t byte)
{
	struct ksma_measurement m = { .pcr = 10, .template = KSMA_TEMPLATE_IMA_SIG, .path = path };

	memset(m.sha256, byte, sizeof(m.sha256));
	return m;
}

static bool add(struct ksma_measurements *list, const struct ksma_measurement *m)
{
	bool new;

	assert_ok(ksma_measurements_add(list, m, &new));
	return new;
}

/* Taken from /sys/kernel/security/ima of a Debian 6.1 guest with ima_policy=tcb and no TPM. */
static void test_as_the_kernel_writes(void **state)
{
	struct ksma_measurement m = { .pcr = 10,
				      .template = KSMA_TEMPLATE_IMA_SIG,
				      .path = "boot_aggregate" };
	_cleanup_free_ char *line = NULL;

	(void)state;
	assert_ok(ksma_measurement_line(&m, &line));
	assert_string_equal(
		line,
		"10 4f38ef8f82bbc2a73f2169c57ff5c76e14ce353d ima-sig sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000 boot_aggregate ");
}

static void test_line(void **state)
{
	static const uint8_t signature[] = { 3, 2, 4, 0xab };
	struct ksma_measurement m = a_file("/a b\n\x7f/\xc3\xa9", 0x5a);
	_cleanup_free_ char *line = NULL, *second = NULL;

	(void)state;
	m.signature = signature;
	m.signature_length = sizeof(signature);
	m.pcr = 4;
	assert_ok(ksma_measurement_line(&m, &line));
	assert_non_null(strstr(line, " ima-sig sha256:5a5a5a"));
	assert_int_equal(strncmp(line, " 4 ", 3), 0);
	assert_non_null(strstr(line, "5a /a_b__/\xc3\xa9 030204ab"));
	m.template = KSMA_TEMPLATE_IMA_NG;
	assert_ok(ksma_measurement_line(&m, &second));
	assert_non_null(strstr(second, " ima-ng sha256:5a"));
	assert_string_equal(strrchr(second, ' '), " /a_b__/\xc3\xa9");
}

static void test_refused(void **state)
{
	static char path[KSMA_MEASURED_NAME + 2];
	struct ksma_measurement m = a_file(path, 1);
	char *line = NULL;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	assert_error(ksma_measurement_line(&m, &line), KSMA_ERROR_INVALID);
	m = a_file("/x", 1);
	m.pcr = 24;
	assert_error(ksma_measurement_line(&m, &line), KSMA_ERROR_INVALID);
	m.pcr = 1;
	m.signature = (const uint8_t *)path;
	m.signature_length = KSMA_MEASURED_SIGNATURE + 1;
	assert_error(ksma_measurement_line(&m, &line), KSMA_ERROR_INVALID);
	assert_null(line);
}

static void test_each_once(void **state)
{
	struct ksma_measurement m = a_file("/usr/bin/true", 1);
	struct ksma_measurements *list;

	(void)state;
	assert_ok(ksma_measurements_open(NULL, KSMA_SYNC_NEVER, &list));
	assert_int_equal(ksma_measurements_count(list), 1);
	assert_true(add(list, &m));
	assert_false(add(list, &m));
	m.pcr = 11;
	assert_true(add(list, &m));
	m.sha256[0]++;
	assert_true(add(list, &m));
	m.path = "/usr/bin/false";
	assert_true(add(list, &m));
	m.violation = true;
	assert_true(add(list, &m));
	assert_true(add(list, &m));
	for (unsigned i = 0; i < 5000; i++) {
		memcpy(m.sha256, &i, sizeof(i));
		m.violation = false;
		assert_true(add(list, &m));
		assert_false(add(list, &m));
	}
	assert_int_equal(ksma_measurements_count(list), 7 + 5000);
	assert_null(ksma_measurements_trouble(list));
	assert_null(ksma_measurements_pcr_sha1(list, 24));
	ksma_measurements_close(list);
	ksma_measurements_close(NULL);
}

/* Runs evmctl over the folder. @return whether it accepts the list, or -1 where there is none */
static int evmctl(const char *options)
{
	char command[512];
	int status;

	/* NOLINTNEXTLINE(cert-env33-c): a test's own line */
	if (system("command -v evmctl >/dev/null") != 0)
		return -1;
	snprintf(command, sizeof(command),
		 "evmctl ima_measurement %s --pcrs sha1,%s/pcrs.sha1 --pcrs sha256,%s/pcrs.sha256 "
		 "%s/binary_runtime_measurements >%s.log 2>&1",
		 options, folder, folder, folder, folder);
	/* NOLINTNEXTLINE(cert-env33-c): a test's own line */
	status = system(command);
	if (status != 0) {
		snprintf(command, sizeof(command), "sed 's/^/# /' %s.log", folder);
		/* NOLINTNEXTLINE(cert-env33-c): a test's own line */
		assert_int_equal(system(command), 0);
	}
	snprintf(command, sizeof(command), "%s.log", folder);
	unlink(command);
	return status == 0;
}

static void test_evmctl(void **state)
{
	static const uint8_t signature[200] = { 3, 2, 4, 1, 2, 3, 4, 0, 192 };
	struct ksma_measurement m = a_file("/usr/bin/true", 1);
	struct ksma_measurements *list;
	int accepted;

	(void)state;
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_FLUSH, &list));
	add(list, &m);
	m = a_file("/with a blank", 2);
	m.signature = signature;
	m.signature_length = sizeof(signature);
	add(list, &m);
	m = a_file("/ng", 3);
	m.template = KSMA_TEMPLATE_IMA_NG;
	m.pcr = 11;
	add(list, &m);
	ksma_measurements_close(list);
	accepted = evmctl("");
	if (accepted < 0)
		skip();
	assert_true(accepted);
	/* One register that is not what the list makes of it, and evmctl says no. */
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_FLUSH, &list));
	list->sha256[10][0] ^= 1;
	list->sha1[10][0] ^= 1;
	ksma_measurements_close(list);
	assert_false(evmctl(""));
	/* A violation is told, unless it is to be ignored. */
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_FLUSH, &list));
	m = a_file("/was/being/written", 4);
	m.violation = true;
	add(list, &m);
	ksma_measurements_close(list);
	assert_false(evmctl(""));
	assert_true(evmctl("--ignore-violations"));
}

static void test_goes_on(void **state)
{
	struct ksma_measurement m = a_file("/usr/bin/true", 1), other = a_file("/x", 2);
	uint8_t before[KSMA_SHA256_SIZE];
	struct ksma_measurements *list, *second = NULL;
	_cleanup_free_ char *ascii = NULL;
	size_t length;

	(void)state;
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_EACH, &list));
	add(list, &m);
	memcpy(before, ksma_measurements_pcr_sha256(list, 10), sizeof(before));
	assert_error_says(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &second), KSMA_ERROR_OS,
			  "another process");
	ksma_measurements_close(list);
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
	assert_int_equal(ksma_measurements_count(list), 2);
	assert_memory_equal(ksma_measurements_pcr_sha256(list, 10), before, sizeof(before));
	assert_false(add(list, &m));
	assert_true(add(list, &other));
	ksma_measurements_close(list);
	ascii = content("ascii_runtime_measurements", &length);
	assert_non_null(strstr(ascii, " /usr/bin/true \n10 "));
	assert_true(length > 3 && strcmp(ascii + length - 4, "/x \n") == 0);
}

/* A crash can cut both files anywhere. */
static void test_cut_short(void **state)
{
	struct ksma_measurement m = a_file("/usr/bin/true", 1);
	struct ksma_measurements *list;
	_cleanup_free_ char *whole = NULL, *again = NULL;
	size_t length, again_length;
	off_t binary, first;

	(void)state;
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
	ksma_measurements_close(list);
	first = size_of("binary_runtime_measurements");
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
	add(list, &m);
	ksma_measurements_close(list);
	binary = size_of("binary_runtime_measurements");
	whole = content("ascii_runtime_measurements", &length);
	for (off_t at = first; at < binary; at++) {
		cut("binary_runtime_measurements", at);
		assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
		assert_int_equal(ksma_measurements_count(list), 1);
		assert_int_equal(size_of("binary_runtime_measurements"), first);
		assert_true(add(list, &m));
		ksma_measurements_close(list);
	}
	cut("ascii_runtime_measurements", (off_t)length - 20);
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
	ksma_measurements_close(list);
	again = content("ascii_runtime_measurements", &again_length);
	assert_string_equal(again, whole);
}

static void write_there(const char *name, const void *data, size_t length)
{
	char path[128];
	_cleanup_fclose_ FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, length, f), length);
}

static void test_something_else_there(void **state)
{
	struct ksma_measurements *list = NULL;
	_cleanup_free_ char *data = NULL;
	size_t length;

	(void)state;
	write_there("binary_runtime_measurements", "hello, world, this is no list", 29);
	assert_error_says(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list),
			  KSMA_ERROR_BAD_DATA, "give another folder");
	/* Nothing was touched. */
	data = content("binary_runtime_measurements", &length);
	assert_int_equal(length, 29);
	write_there("binary_runtime_measurements", "", 0);
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
	ksma_measurements_close(list);
	free(data);
	data = content("binary_runtime_measurements", &length);
	data[length - 8] ^= 1; /* in the name */
	write_there("binary_runtime_measurements", data, length);
	assert_error_says(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list),
			  KSMA_ERROR_BAD_DATA, "entry 1: an entry's digest");
}

/* A disk that is full, played by a limit on the size of files. What did not fit is written when there is room again. */
static void test_full_disk(void **state)
{
	struct rlimit old, small;
	struct ksma_measurements *list;
	_cleanup_free_ char *binary = NULL;
	size_t length, position = 0, entries = 0;
	struct ksma_measured measured;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_EACH, &list));
	small = (struct rlimit){ 500, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (uint8_t i = 1; i <= 20; i++) {
		struct ksma_measurement m = a_file("/usr/bin/true", i);

		assert_true(add(list, &m));
	}
	assert_non_null(ksma_measurements_trouble(list));
	assert_error(ksma_measurements_flush(list), KSMA_ERROR_OS);
	assert_int_equal(size_of("binary_runtime_measurements"), 500);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_ok(ksma_measurements_flush(list));
	assert_null(ksma_measurements_trouble(list));
	ksma_measurements_close(list);
	binary = content("binary_runtime_measurements", &length);
	while (ksma_measured_next((const uint8_t *)binary, length, &position, &measured))
		entries++;
	assert_int_equal(entries, 21);
	assert_int_equal(position, length);
}

/* What was lost is never hidden: the list says so, and the registers no longer fit. */
static void test_lost(void **state)
{
	static char path[KSMA_MEASURED_NAME];
	struct rlimit old, small;
	struct ksma_measurements *list;
	bool new;
	struct ksma_error *error = NULL;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_ok(ksma_measurements_open(folder, KSMA_SYNC_NEVER, &list));
	small = (struct rlimit){ 0, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 0; !error && i < 4000; i++) {
		struct ksma_measurement m = a_file(path, 0);

		memcpy(m.sha256, &i, sizeof(i));
		error = ksma_measurements_add(list, &m, &new);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(error);
	assert_int_equal(error->code, KSMA_ERROR_LIMIT);
	ksma_error_destroy(error);
	assert_non_null(strstr(ksma_measurements_trouble(list), "lost"));
	ksma_measurements_close(list);
	if (evmctl("") >= 0)
		assert_false(evmctl(""));
}

static struct ksma_error *open_and_add(void *state)
{
	struct ksma_measurement m = a_file("/usr/bin/true", 1);
	struct ksma_measurements *list = NULL;
	struct ksma_error *error = ksma_measurements_open(state, KSMA_SYNC_NEVER, &list);
	bool new;

	if (error) {
		assert_null(list);
		return error;
	}
	error = ksma_measurements_add(list, &m, &new);
	ksma_measurements_close(list);
	return error;
}

static void test_without_memory(void **state)
{
	(void)state;
	assert_true(fail_alloc_each(open_and_add, NULL, FAIL_ALLOC_LENIENT) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_kernel_writes),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_each_once),
		cmocka_unit_test_setup_teardown(test_evmctl, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_goes_on, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_cut_short, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_something_else_there, make_folder,
						remove_folder),
		cmocka_unit_test_setup_teardown(test_full_disk, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_lost, make_folder, remove_folder),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
