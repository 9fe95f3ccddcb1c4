/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the seeds of the fuzzers of the vendor reference: make_vendor_seeds tests/fuzz/corpus. That of `signature` is a sample that
 * sbsign signed with a key made for it. */
#include <sys/stat.h>

#include "tiny_elf.h"
#include "tiny_pe.h"

static void save(const char *folder, const char *target, const char *name, const void *data,
		 size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	file = fopen(path, "w");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const uint32_t add64[] = { 0x81002008, 0x81002010, 0 }, add32[] = { 0x81000010, 0 },
			      subtract32[] = { 0x81000100, 0 };
	static const char entry[] =
		"ab\n"
		"abababababababababababababababababab01-"
		"4b37ad587701fad5c25512b00c98ee8067ca35f61c5c49d852af3637a44b1227\n"
		"kind kernel\nname vmlinux\nrelease 6.1\nsize 123\nadded 456\npackage p\nversion 1\n"
		"architecture amd64\nfile /boot\nsource 00\nsignature unverified\nsigner CN=x\nend\n";
	static const uint8_t rpm[] = {
		0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,	0, 0x8e,
		0xad, 0xe8, 1,	  0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2,	0, 0,
		3,    0xe8, 0,	  0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, 'k', 0,
	};
	uint8_t lead[96 + sizeof(rpm)] = { 0xed, 0xab, 0xee, 0xdb };
	struct tiny_elf elf;
	size_t length;
	uint8_t *image;

	if (argc != 2) {
		fprintf(stderr, "usage: make_vendor_seeds FOLDER\n");
		return 2;
	}
	elf = tiny_kernel(add64, NULL, add32);
	save(argv[1], "vmlinux", "two-lists", elf.data, elf.length);
	tiny_elf_free(&elf);
	elf = tiny_kernel(add64, subtract32, add32);
	save(argv[1], "vmlinux", "three-lists", elf.data, elf.length);
	tiny_elf_free(&elf);
	elf = tiny_module("tiny", 7);
	save(argv[1], "ko", "tiny", elf.data, elf.length);
	tiny_elf_free(&elf);
	image = tiny_bzimage("(\265/\375payload", 11, 99, &length);
	save(argv[1], "bzimage", "unsigned", image, length);
	free(image);
	save(argv[1], "vendor_entry", "kernel", entry, sizeof(entry) - 1);
	memcpy(lead + 96, rpm, sizeof(rpm));
	save(argv[1], "rpm", "name", lead, sizeof(lead));
	return 0;
}
