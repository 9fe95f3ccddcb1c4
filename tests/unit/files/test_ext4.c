/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of small file systems that mke2fs made: extents and blocks, holes, inline data, links, attributes; and of damaged ones. */
#include "unit.h"

#include <sys/stat.h>

#include "files/ext4.h"
#include "memory_block.h"

enum { BIG = 700 * 1000, FS_SIZE = 8 << 20 };

static char folder[64];

static void run(const char *format, const char *argument)
{
	_cleanup_free_ char *line = NULL;

	assert_true(asprintf(&line, "cd %s && PATH=$PATH:/usr/sbin:/sbin && %s%s >log 2>&1", folder,
			     format, argument) > 0);
	/* NOLINTNEXTLINE(cert-env33-c): a test's own line */
	if (system(line) != 0)
		fail_now("%s", line);
}

static void write_file(const char *name, uint64_t offset, const void *bytes, size_t length)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/root/%s", folder, name);
	fd = open(path, O_CREAT | O_WRONLY, 0755);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, length, (off_t)offset), length);
	close(fd);
}

static uint8_t big[BIG];

static int make_folder(void **state)
{
	strcpy(folder, "/tmp/ksma-ext4.XXXXXX");
	assert_non_null(mkdtemp(folder));
	run("command -v mke2fs debugfs", "");
	run("mkdir -p root/usr/bin root/many && ln -s usr/bin root/bin && ln -s loop root/loop && ln -s bin root/again",
	    "");
	run("ln -s usr/", "$(printf '/./%.0s' $(seq 60))/bin root/long");
	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)(i * 31 + i / 4096);
	write_file("usr/bin/big", 0, big, BIG);
	write_file("small", 0, "small\n", 6);
	write_file("holes", 0, "begin", 5);
	write_file("holes", 100000, "middle", 6);
	write_file("holes", 2000000, "end", 3);
	run("for i in $(seq 300); do echo $i >root/many/$i; done", "");
	return 0;
}

static int remove_folder(void **state)
{
	run("cd / && rm -rf ", folder);
	return 0;
}

static void make(const char *options)
{
	run("rm -f fs && truncate -s 8M fs && mke2fs -q -d root ", options);
	run("printf 'ea_set /small security.ima abc\\nea_set /usr/bin/big security.ima -f log2\\nea_set /small user.x y\\n' >cmds; "
	    "head -c 900 /dev/zero | tr '\\0' 'v' >log2; debugfs -w -f cmds fs",
	    "");
}

static void expect_file(struct ksma_ext4 *fs, const char *path, uint64_t offset, const void *bytes,
			size_t length, uint64_t size)
{
	_cleanup_free_ uint8_t *buffer = malloc(length);
	struct ksma_ext4_file *file;
	uint32_t number;

	assert_ok(ksma_ext4_lookup(fs, path, &number));
	assert_ok(ksma_ext4_file_open(fs, number, &file));
	assert_int_equal(ksma_ext4_file_inode(file)->size, size);
	assert_ok(ksma_ext4_file_read(file, offset, buffer, length));
	assert_memory_equal(buffer, bytes, length);
	ksma_ext4_file_close(file);
}

static bool count(void *arg, const char *name, size_t length, uint32_t number)
{
	++*(int *)arg;
	return true;
}

static void expect_attributes(struct ksma_ext4 *fs)
{
	uint8_t *value;
	uint32_t number;
	size_t length;

	assert_ok(ksma_ext4_lookup(fs, "/small", &number));
	assert_ok(ksma_ext4_xattr(fs, number, "security.ima", &value, &length));
	assert_int_equal(length, 3);
	assert_memory_equal(value, "abc", 3);
	free(value);
	assert_error(ksma_ext4_xattr(fs, number, "security.evm", &value, &length),
		     KSMA_ERROR_NOT_PRESENT);
	assert_ok(ksma_ext4_lookup(fs, "/bin/big", &number));
	assert_ok(ksma_ext4_xattr(fs, number, "security.ima", &value, &length));
	assert_int_equal(length, 900);
	assert_int_equal(value[899], 'v');
	free(value);
}

static void look(const char *options)
{
	static const uint8_t zeros[4096];
	struct ksma_block *block;
	struct ksma_ext4 *fs;
	uint32_t number;
	char path[128], *target;
	int entries = 0;

	make(options);
	snprintf(path, sizeof(path), "%s/fs", folder);
	assert_ok(ksma_block_open(path, &block));
	assert_ok(ksma_ext4_open(block, block, &fs));
	expect_file(fs, "/usr/bin/big", 0, big, BIG, BIG);
	expect_file(fs, "/bin/big", 12345, big + 12345, 5000, BIG);
	expect_file(fs, "/again/big", BIG - 5, big + BIG - 5, 5, BIG);
	expect_file(fs, "/long/big", BIG - 5, big + BIG - 5, 5, BIG);
	expect_file(fs, "/small", 0, "small\n\0", 7, 6);
	expect_file(fs, "/holes", 0, "begin\0", 6, 2000003);
	expect_file(fs, "/holes", 100000, "middle\0", 7, 2000003);
	expect_file(fs, "/holes", 500000, zeros, sizeof(zeros), 2000003);
	expect_file(fs, "/holes", 1999999, "\0end\0", 5, 2000003);
	assert_error(ksma_ext4_lookup(fs, "/loop/x", &number), KSMA_ERROR_LIMIT);
	assert_error(ksma_ext4_lookup(fs, "/small/x", &number), KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_ext4_lookup(fs, "/none", &number), KSMA_ERROR_NOT_PRESENT);
	assert_error(ksma_ext4_lookup(fs, "none", &number), KSMA_ERROR_INVALID);
	assert_ok(ksma_ext4_lookup(fs, "/bin", &number));
	assert_ok(ksma_ext4_readlink(fs, number, &target));
	assert_string_equal(target, "usr/bin");
	free(target);
	assert_ok(ksma_ext4_lookup(fs, "/many", &number));
	assert_ok(ksma_ext4_list(fs, number, count, &entries));
	assert_int_equal(entries, 302);
	expect_attributes(fs);
	ksma_ext4_forget(fs);
	expect_file(fs, "/small", 0, "small\n", 6, 6);
	ksma_ext4_close(fs);
	ksma_block_destroy(block);
}

static void test_ext4(void **state)
{
	look("-t ext4 -b 4096 fs");
}

static void test_small_blocks(void **state)
{
	look("-t ext4 -b 1024 fs");
}

static void test_ext2(void **state)
{
	look("-t ext2 -b 1024 -I 256 fs");
}

static void test_inline_data(void **state)
{
	look("-t ext4 -b 4096 -O inline_data fs");
}

/* Bytes that are wrong make errors or other contents; nothing else. */
static void test_damaged(void **state)
{
	static uint8_t bytes[FS_SIZE];
	_cleanup_free_ uint8_t *buffer = malloc(BIG);
	char path[128];
	uint64_t seed = 12345;

	make("-t ext4 -b 1024 fs");
	snprintf(path, sizeof(path), "%s/fs", folder);
	for (int round = 0; round < 200; round++) {
		struct memory_block block = memory_block_of(bytes, sizeof(bytes));
		struct ksma_ext4_file *file;
		struct ksma_error *error;
		struct ksma_ext4 *fs;
		uint32_t number;
		int fd = open(path, O_RDONLY);

		assert_int_equal(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
		close(fd);
		for (int i = 0; i < 400; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bytes[1024 + (seed >> 33) % (700 << 10)] = (uint8_t)(seed >> 25);
		}
		error = ksma_ext4_open(&block.head, &block.head, &fs);
		if (error) {
			ksma_error_destroy(error);
			continue;
		}
		error = ksma_ext4_lookup(fs, "/usr/bin/big", &number);
		if (!error)
			error = ksma_ext4_file_open(fs, number, &file);
		if (!error) {
			error = ksma_ext4_file_read(file, 0, buffer, BIG);
			ksma_ext4_file_close(file);
		}
		ksma_error_destroy(error);
		ksma_ext4_close(fs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext4),	cmocka_unit_test(test_small_blocks),
		cmocka_unit_test(test_ext2),	cmocka_unit_test(test_inline_data),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
