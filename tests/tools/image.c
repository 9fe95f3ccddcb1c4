/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What lies on the image of a disk, for tests: image volumes FILE | sums FILE VOLUME | xattr FILE VOLUME PATH NAME */
#include <err.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "files/ext4.h"
#include "files/volumes.h"
#include "guest/nbd.h"

static void must(struct ksma_error *error)
{
	if (error)
		errx(1, "%s", error->message);
}

static void print_volumes(const struct ksma_volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		const struct ksma_volume *v = &volumes->items[i];

		printf("%zu\t%u\t%s\t%s\t%llu\t%llu\t%s\t", i, v->partition,
		       v->name ? v->name : "-", ksma_volume_kind_name(v->kind),
		       (unsigned long long)v->start, (unsigned long long)v->block->size, v->label);
		for (size_t k = 0; k < 16; k++)
			printf("%02x", v->uuid[k]);
		putchar('\n');
	}
}

struct names {
	struct {
		char path[4096];
		uint32_t number;
	} * items;
	size_t count, capacity;
	const char *directory;
};

static bool take(void *arg, const char *name, size_t length, uint32_t number)
{
	struct names *names = arg;
	typeof(names->items) item = NULL;

	if ((length == 1 && name[0] == '.') || (length == 2 && memcmp(name, "..", 2) == 0))
		return true;
	must(KSMA_ARRAY_PUSH(names, &item));
	snprintf(item->path, sizeof(item->path), "%s/%.*s", names->directory, (int)length, name);
	item->number = number;
	return true;
}

static void print_sum(struct ksma_ext4 *fs, uint32_t number, const char *path)
{
	static uint8_t buffer[1 << 20];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct ksma_ext4_file *file;
	unsigned char sum[32];
	uint64_t size;

	must(ksma_ext4_file_open(fs, number, &file));
	size = ksma_ext4_file_inode(file)->size;
	EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < sizeof(buffer) ? (size_t)(size - at) : sizeof(buffer);

		must(ksma_ext4_file_read(file, at, buffer, n));
		EVP_DigestUpdate(digest, buffer, n);
		at += n;
	}
	EVP_DigestFinal_ex(digest, sum, NULL);
	EVP_MD_CTX_free(digest);
	ksma_ext4_file_close(file);
	for (size_t i = 0; i < sizeof(sum); i++)
		printf("%02x", sum[i]);
	printf("  %s\n", path);
}

static void print_sums(struct ksma_ext4 *fs, uint32_t directory, const char *path)
{
	struct names names = { .directory = path };

	must(ksma_ext4_list(fs, directory, take, &names));
	for (size_t i = 0; i < names.count; i++) {
		struct ksma_ext4_inode inode;

		must(ksma_ext4_stat(fs, names.items[i].number, &inode));
		if (S_ISDIR(inode.mode))
			print_sums(fs, names.items[i].number, names.items[i].path);
		else if (S_ISREG(inode.mode))
			print_sum(fs, names.items[i].number, names.items[i].path);
	}
	free(names.items);
}

static void print_xattr(struct ksma_ext4 *fs, const char *path, const char *name)
{
	uint8_t *value;
	uint32_t number;
	size_t length;

	must(ksma_ext4_lookup(fs, path, &number));
	must(ksma_ext4_xattr(fs, number, name, &value, &length));
	fwrite(value, 1, length, stdout);
	free(value);
}

int main(int argc, char **argv)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_volumes volumes;
	struct ksma_block *image;
	struct ksma_ext4 *fs;
	size_t i = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	if (argc < 3)
		errx(2,
		     "usage: image volumes FILE | sums FILE VOLUME | xattr FILE VOLUME PATH NAME");
	must(ksma_image_open(argv[2], &image));
	must(ksma_volumes_find(&image, 1, &coverage, &volumes));
	if (strcmp(argv[1], "volumes") == 0) {
		print_volumes(&volumes);
	} else if (i < volumes.count) {
		must(ksma_ext4_open(volumes.items[i].block, volumes.items[i].block, &fs));
		if (strcmp(argv[1], "sums") == 0)
			print_sums(fs, KSMA_EXT4_ROOT, "");
		else if (argc == 6)
			print_xattr(fs, argv[4], argv[5]);
		ksma_ext4_close(fs);
	}
	if (coverage.reason)
		printf("# %s: %s\n", ksma_coverage_state_name(coverage.state), coverage.reason);
	ksma_coverage_deinit(&coverage);
	ksma_volumes_free(&volumes);
	ksma_block_destroy(image);
	return 0;
}
