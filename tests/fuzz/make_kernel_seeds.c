/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the first inputs of the targets that read a kernel's structures: small ones that hang together as they should.
 *
 * They are written byte by byte at the places that the layouts of fake_kernel.c say. */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SIZE = 16384 };

static uint8_t memory[SIZE];

static void put(size_t at, uint64_t value, size_t size)
{
	memcpy(memory + at, &value, size);
}

static void put8(size_t at, uint64_t value)
{
	put(at, value, 8);
}

static void save(const char *folder, const char *target, const char *name, size_t size)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	f = fopen(path, "w");
	if (!f || fwrite(memory, 1, size, f) != size || fclose(f) != 0)
		err(1, "%s", path);
	memset(memory, 0, sizeof(memory));
}

static void chain(const size_t *entries, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put8(entries[i], entries[(i + 1) % count]);
		put8(entries[i] + 8, entries[(i + count - 1) % count]);
	}
}

static void walkers(void)
{
	chain((const size_t[]){ 0, 64, 80 }, 3);
	/* xarray at 16: a node at 4352 (above 4096, as nodes are), an entry in it */
	put8(16 + 8, 4352 | 2);
	put8(4352 + 40 + 8 * 3, 0x1000);
	/* tree at 32: 128, with 160 and 192 */
	put8(32, 128);
	put8(128, 1);
	put8(128 + 8, 160);
	put8(128 + 16, 192);
	put8(160, 128);
	put8(192, 128);
	/* maple tree at 48: a node at 5120, which is a leaf */
	put8(48 + 8, 5120 | 1 << 3 | 2);
	put8(5120, 48 | 1);
	put8(5120 + 8, 99);
	put8(5120 + 128 + 8, 0x1000);
	put(5120 + 248, 1, 1);
}

static void log_ring(void)
{
	put8(8, 64);
	put(64, 1, 4);
	put8(64 + 8, 256);
	put8(64 + 16, 320);
	put8(64 + 24, 3);
	put8(64 + 32, 2);
	put(64 + 40, 6, 4);
	put8(64 + 48, 512);
	for (uint64_t id = 2; id <= 3; id++) {
		size_t descriptor = 256 + 24 * (id % 2), info = 320 + 24 * (id % 2);

		put8(descriptor, id | 2ull << 62);
		put8(descriptor + 8, (id - 2) * 16);
		put8(descriptor + 16, (id - 1) * 16);
		put8(info, id);
		put(info + 16, 5, 2);
		put8(512 + (id - 2) * 16, id);
		memcpy(memory + 512 + (id - 2) * 16 + 8, "hello", 5);
	}
}

static void module(int old)
{
	const size_t at = 256, code = 2048;

	memory[0] = (uint8_t)old;
	chain((const size_t[]){ 8, at + 8 }, 2);
	memcpy(memory + at + 24, "module", 6);
	put(at + 88, 1, 4);
	put8(at + 104, 1024);
	put8(at + 128, code);
	put(at + 136, 512, 4);
	if (old)
		put(at + 140, 256, 4);
	put8(1024, 1088);
	put(1024 + 8, 2, 4);
	put8(1024 + 16, 1280);
	for (size_t i = 0; i < 2; i++) {
		put(1088 + 24 * i, 1 + 6 * i, 4);
		put(1088 + 24 * i + 4, 2, 1);
		put(1088 + 24 * i + 6, 1, 2);
		put8(1088 + 24 * i + 8, code + 32 * i);
		put8(1088 + 24 * i + 16, 16);
	}
	memcpy(memory + 1281, "first\0second", 13);
}

/* A chain of one socket behind a head. */
static void put_socket(size_t head, size_t sock, unsigned family, unsigned state)
{
	put8(head, sock + 64);
	put8(sock + 64, 1);
	put8(sock + 64 + 8, head);
	put(sock + 10, 80, 2);
	put(sock + 12, family, 2);
	put(sock + 14, state, 1);
	put(sock + 96, 1, 2);
	put(sock + 98, 6, 2);
}

static void sockets(void)
{
	put8(24, 256);
	put8(32, 320);
	put8(40, 3328);
	put8(256, 384);
	put8(256 + 16, 400);
	put8(256 + 24, 416);
	put(256 + 32, 1, 4);
	put8(320, 448);
	put_socket(384, 4096, 2, 1);
	put_socket(400 + 8, 4352, 10, 10);
	put_socket(448, 4608, 2, 7);
	put_socket(3328, 4864, 1, 1);
	put_socket(3328 + 8, 5120, 2, 6);
	put_socket(3328 + 16, 5376, 16, 0);
	put8(4864 + 112, 5632);
	put(5632, 7, 4);
	memcpy(memory + 5632 + 8, "\1\0/tmp", 7);
	put_socket(1024 + 8, 5888, 2, 12);
}

/* struct pages at 8192; an inode at 128, of a super block at 1024, with a cache at 2048 whose node is at 5120. */
static void page_cache(void)
{
	static const struct {
		unsigned index, frame, pages;
	} folios[] = { { 0, 1, 1 }, { 4, 4, 4 }, { 9, 9, 1 } };

	put(128, 0100755, 2);
	put8(128 + 8, 1024);
	put8(128 + 16, 2048);
	put8(128 + 32, 40960);
	put8(1024 + 16, 1200);
	put8(1200, 1208);
	memcpy(memory + 1208, "tmpfs", 6);
	put8(2048, 128);
	put8(2048 + 16, 5120 | 2);
	for (size_t i = 0; i < sizeof(folios) / sizeof(folios[0]); i++) {
		size_t page = 8192 + 64 * folios[i].frame;

		put8(page, 8 | (folios[i].pages > 1 ? 64 : 0));
		put8(page + 24, 2048);
		put8(page + 32, folios[i].index);
		if (folios[i].pages > 1)
			put(page + 72, folios[i].pages, 4);
		put8(5120 + 40 + 8 * folios[i].index, page);
	}
	put8(5120 + 40 + 8 * 11, 77 << 1 | 1);
	/* the overlay's inode at 640 has this one below */
	put8(640 + 8, 1536);
	put8(640 + 128 + 8, 128);
}

/* A root with the directory a and in it the link b to ../a: see fuzz_lookup.c for the layouts. */
static void lookup(void)
{
	static const struct {
		size_t at, parent, inode, sibling;
		char name;
	} dentries[] = { { 256, 256, 1024, 0, '/' },
			 { 512, 256, 1280, 0, 'a' },
			 { 768, 512, 1536, 0, 'b' } };

	put8(64, 64);
	put8(64 + 16, 256);
	put8(64 + 40, 64 + 40);
	put8(64 + 48, 64 + 40);
	for (size_t i = 0; i < sizeof(dentries) / sizeof(dentries[0]); i++) {
		size_t at = dentries[i].at;

		put8(at, dentries[i].inode);
		put8(at + 8, 2048);
		put8(at + 16, dentries[i].parent);
		put(at + 24, 1, 4);
		put8(at + 32, at + 100);
		put8(at + 40, 1);
		memory[at + 100] = (uint8_t)dentries[i].name;
		put(dentries[i].inode, i == 2 ? 0120777 : 040755, 2);
		put8(dentries[i].inode + 8, 2048);
	}
	put8(256 + 56, 512 + 64);
	put8(512 + 64 + 8, 256 + 56);
	put8(512 + 56, 768 + 64);
	put8(768 + 64 + 8, 512 + 56);
	put8(1536 + 72, 1800);
	memcpy(memory + 1800, "../a", 5);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: make_kernel_seeds FOLDER");
	walkers();
	save(argv[1], "walkers", "small", 5376);
	log_ring();
	save(argv[1], "log", "small", 1024);
	module(0);
	save(argv[1], "module_symbols", "new", 2048);
	module(1);
	save(argv[1], "module_symbols", "old", 2048);
	sockets();
	save(argv[1], "sockets", "small", 6144);
	page_cache();
	save(argv[1], "page_cache", "folios", SIZE);
	lookup();
	save(argv[1], "lookup", "small", 4096);
	return 0;
}
