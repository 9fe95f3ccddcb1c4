/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the seeds of the dump fuzzers: make_dump_seeds tests/fuzz/corpus. They are made from the dumps of the unit tests. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tiny_dump.h"

static struct tiny_dump dump, flat;

static int save(const char *folder, const char *target, const char *name, const struct tiny_dump *d)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	file = fopen(path, "w");
	if (!file || fwrite(d->data, 1, d->size, file) != d->size || fclose(file) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

/* A kdump whose parts lie close together in few records: small inputs are fuzzed faster. */
static void pack(struct tiny_dump *packed, const struct tiny_dump *plain)
{
	static const struct {
		size_t offset, size;
	} parts[] = { { 0, 464 }, { 4096, 104 + 1632 }, { 8192, 8 }, { 12288, 8 } };
	struct tiny_dump one;
	size_t at = TINY_PAGE;

	memset(packed, 0, sizeof(*packed));
	for (size_t i = 0; i <= sizeof(parts) / sizeof(parts[0]); i++) {
		size_t offset = i < 4 ? parts[i].offset : plain->descs;
		size_t size = i < 4 ? parts[i].size : plain->size - plain->descs;
		struct tiny_dump part = { .size = size };

		memcpy(part.data, plain->data + offset, size);
		tiny_dump_flatten(&one, &part, size);
		for (size_t b = 0; b < 8; b++) /* the record's place */
			one.data[TINY_PAGE + b] = (uint8_t)(offset >> (56 - 8 * b));
		memcpy(packed->data + at, one.data + TINY_PAGE, 16 + size);
		memcpy(packed->data, one.data, TINY_PAGE);
		at += 16 + size;
	}
	memset(packed->data + at, 0xff, 16);
	packed->size = at + 16;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: make_dump_seeds FOLDER\n");
		return 2;
	}
	tiny_dump_elf(&dump);
	failed |= save(argv[1], "elf_dump", "plain", &dump);
	tiny_dump_elf_paging(&dump);
	failed |= save(argv[1], "elf_dump", "paging", &dump);
	tiny_dump_kdump(&dump);
	failed |= save(argv[1], "kdump", "plain", &dump);
	tiny_dump_flatten(&flat, &dump, 5000);
	failed |= save(argv[1], "kdump", "flat", &flat);
	pack(&flat, &dump);
	failed |= save(argv[1], "kdump", "packed", &flat);
	return failed;
}
