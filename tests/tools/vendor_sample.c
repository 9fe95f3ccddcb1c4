/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes small kernels and modules for tests/e2e/test-vendor.sh to pack, sign and spoil:
 * vendor_sample kernel FILE | module NAME ID FILE | bzimage PAYLOAD UNPACKED-SIZE FILE */
#include <stdio.h>

#include "tiny_elf.h"
#include "tiny_pe.h"

static int write_file(const char *path, const void *data, size_t length)
{
	FILE *file = fopen(path, "w");

	if (!file || fwrite(data, 1, length, file) != length || fclose(file)) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const uint32_t add64[] = { 0x81002008, 0 }, add32[] = { 0x81000010, 0 };
	struct tiny_elf elf;
	struct ksma_error *error;
	size_t length;
	uint8_t *image;
	char *payload;
	int status;

	if (argc == 3 && strcmp(argv[1], "kernel") == 0) {
		elf = tiny_kernel(add64, NULL, add32);
		status = write_file(argv[2], elf.data, elf.length);
		tiny_elf_free(&elf);
		return status;
	}
	if (argc == 5 && strcmp(argv[1], "module") == 0) {
		elf = tiny_module(argv[2], (uint8_t)atoi(argv[3]));
		status = write_file(argv[4], elf.data, elf.length);
		tiny_elf_free(&elf);
		return status;
	}
	if (argc != 5 || strcmp(argv[1], "bzimage") != 0) {
		fputs("vendor_sample kernel FILE | module NAME ID FILE | bzimage PAYLOAD UNPACKED-SIZE FILE\n",
		      stderr);
		return 2;
	}
	error = ksma_read_file(argv[2], 1 << 28, &payload, &length);
	if (error) {
		fprintf(stderr, "%s\n", error->message);
		ksma_error_destroy(error);
		return 1;
	}
	image = tiny_bzimage(payload, length, (uint32_t)atoi(argv[3]), &length);
	status = write_file(argv[4], image, length);
	free(image);
	free(payload);
	return status;
}
