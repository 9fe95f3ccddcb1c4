/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the seeds of the BTF and kallsyms fuzzers: make_table_seeds tests/fuzz/corpus. They are made as those of the unit tests. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tiny_btf.h"
#include "tiny_kallsyms.h"

static struct tiny_btf btf;
static struct tiny_kallsyms kallsyms;

static int save(const char *folder, const char *target, const char *name, const void *head,
		size_t head_size, const void *data, size_t size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	file = fopen(path, "w");
	if (!file || fwrite(head, 1, head_size, file) != head_size ||
	    fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const unsigned kernels[] = { 0, 419, 510, 61, 64, 615, 70 };
	const uint64_t gva = TINY_KALLSYMS_GVA;
	struct tiny_btf_ids ids;

	if (argc != 2) {
		fprintf(stderr, "usage: make_table_seeds FOLDER\n");
		return 2;
	}
	tiny_btf_sample(&btf, &ids);
	if (save(argv[1], "btf", "sample", NULL, 0, btf.data, btf.size) ||
	    save(argv[1], "shapes", "sample", NULL, 0, btf.data, btf.size))
		return 1;
	tiny_btf_layout(&btf, 3, 12, 0);
	tiny_btf_finish(&btf);
	if (save(argv[1], "btf", "layouts", NULL, 0, btf.data, btf.size) ||
	    save(argv[1], "shapes", "layouts", NULL, 0, btf.data, btf.size))
		return 1;
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		char name[16];

		tiny_kallsyms_like(&kallsyms, kernels[i], 515);
		kallsyms.at = 64;
		tiny_kallsyms_make(&kallsyms);
		snprintf(name, sizeof(name), "like-%u", kernels[i]);
		if (save(argv[1], "kallsyms", name, &gva, sizeof(gva), kallsyms.data,
			 kallsyms.size))
			return 1;
	}
	return 0;
}
