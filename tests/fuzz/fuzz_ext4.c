/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file system that the guest wrote: every inode of it is looked at, listed and read, and each attribute asked for. */
#include "files/ext4.h"
#include "memory_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static bool take(void *arg, const char *name, size_t length, uint32_t number)
{
	return ++*(unsigned *)arg < 1000;
}

static void look_at(struct ksma_ext4 *fs, uint32_t number)
{
	static uint8_t buffer[8192];
	struct ksma_ext4_inode inode;
	struct ksma_ext4_file *file;
	uint8_t *value = NULL;
	char *target = NULL;
	struct ksma_error *error;
	unsigned count = 0;
	size_t size = 0;

	ksma_error_destroy(ksma_ext4_stat(fs, number, &inode));
	ksma_error_destroy(ksma_ext4_list(fs, number, take, &count));
	ksma_error_destroy(ksma_ext4_readlink(fs, number, &target));
	ksma_error_destroy(ksma_ext4_xattr(fs, number, "security.ima", &value, &size));
	free(target);
	free(value);
	error = ksma_ext4_file_open(fs, number, &file);
	if (error) {
		ksma_error_destroy(error);
		return;
	}
	ksma_error_destroy(ksma_ext4_file_read(file, 0, buffer, sizeof(buffer)));
	ksma_error_destroy(ksma_ext4_file_read(file, 1 << 20, buffer, sizeof(buffer)));
	ksma_ext4_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct memory_block block = memory_block_of(data, length);
	struct ksma_error *error;
	struct ksma_ext4 *fs;
	uint32_t number;

	error = ksma_ext4_open(&block.head, &block.head, &fs);
	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	for (number = 1; number < 40; number++)
		look_at(fs, number);
	ksma_error_destroy(ksma_ext4_lookup(fs, "/bin/sh/x/../y", &number));
	ksma_ext4_close(fs);
	return 0;
}
