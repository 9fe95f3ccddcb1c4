/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the disks of a running guest, for tests: disks list VM | read VM DISK OFFSET LENGTH | hold VM DISK (until the end of its input). */
#include <err.h>

#include "guest/disks.h"

static void must(struct ksma_error *error)
{
	if (error)
		errx(error->code == KSMA_ERROR_UNSUPPORTED ? 3 : 1, "%s", error->message);
}

static void copy_out(struct ksma_block *block, uint64_t offset, uint64_t length)
{
	static char buffer[1 << 20];

	while (length > 0) {
		size_t n = length < sizeof(buffer) ? (size_t)length : sizeof(buffer);

		must(ksma_block_read(block, offset, buffer, n));
		if (fwrite(buffer, 1, n, stdout) != n)
			err(1, "output");
		offset += n;
		length -= n;
	}
}

int main(int argc, char **argv)
{
	struct ksma_disks disks;
	struct ksma_guest *guest;
	size_t i = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
	char word;

	if (argc < 3)
		errx(2, "usage: disks list VM | read VM DISK OFFSET LENGTH | hold VM DISK");
	must(ksma_guest_open(argv[2], NULL, &guest));
	must(ksma_disks_open(guest, &disks));
	if (strcmp(argv[1], "list") == 0) {
		for (i = 0; i < disks.count; i++)
			printf("%s\t%s\t%s\t%s\t%llu\n", disks.items[i].device, disks.items[i].qdev,
			       disks.items[i].node, disks.items[i].format,
			       (unsigned long long)disks.items[i].size);
	} else {
		if (i >= disks.count)
			errx(2, "there are %zu disks", disks.count);
		must(ksma_disks_read(&disks, i));
		if (strcmp(argv[1], "read") == 0 && argc == 6)
			copy_out(disks.items[i].block, strtoull(argv[4], NULL, 0),
				 strtoull(argv[5], NULL, 0));
		puts(strcmp(argv[1], "hold") == 0 ? "held" : "");
		fflush(stdout);
		while (strcmp(argv[1], "hold") == 0 && read(0, &word, 1) > 0)
			;
	}
	ksma_disks_close(&disks);
	ksma_guest_destroy(guest);
	return 0;
}
