/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of tables: it serves whom its bytes belong to, believes no file
 * that others may write or that is damaged, and stays small. */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_guest.h"
#include "linux/cache.h"

enum { GPA = 1 << 20, SIZE = 1 << 16, KALLSYMS = 0x2000, BTF = 0x5000, PIECE = 5000 };

struct world {
	struct fake_guest *fake;
	uint8_t *memory;
	struct ksma_image image;
	struct ksma_tables tables;
	struct ksma_symbol item;
	uint32_t hash[2];
	char folder[64];
};

static struct world make(void)
{
	struct world w = { .fake = fake_guest_create(), .folder = "/tmp/ksma-cache-XXXXXX" };

	w.memory = fake_guest_add(w.fake, GPA, NULL, SIZE, FAKE_MAPPED);
	for (int i = 0; i < SIZE; i++)
		w.memory[i] = (uint8_t)(i * 7 + i / 251);
	w.image = (struct ksma_image){ .gva = 0xffffffff81000000,
				       .gpa = GPA,
				       .size = SIZE,
				       .part_count = 1,
				       .geometry = 0x1234,
				       .settled = true };
	w.tables.kallsyms = (struct ksma_piece){ w.memory + KALLSYMS, PIECE, KALLSYMS };
	w.tables.btf = (struct ksma_piece){ w.memory + BTF, PIECE, BTF };
	assert_non_null(mkdtemp(w.folder));
	return w;
}

/* The tables of the world point to the world, which was copied when it was
 * made. */
static void store(struct world *w)
{
	w->tables.symbols.items = &w->item;
	w->tables.symbols.count = 1;
	w->tables.symbols.names = "Tprb";
	w->tables.symbols.names_size = 5;
	w->tables.symbols.hash = w->hash;
	w->tables.symbols.hash_size = 2;
	assert_ok(ksma_cache_store(w->folder, &w->image, &w->tables));
}

static bool load(struct world *w)
{
	struct ksma_tables tables = { 0 };
	bool found = false;

	assert_ok(ksma_cache_load(w->folder, &w->fake->guest, &w->image, &tables, &found));
	if (found) {
		assert_int_equal(tables.symbols.count, 1);
		assert_string_equal(tables.symbols.names, "Tprb");
		ksma_tables_deinit(&tables);
	}
	return found;
}

/* The names of all files; of the first that is no hidden one into `first`. */
static unsigned count(const struct world *w, char *first)
{
	DIR *d = opendir(w->folder);
	const struct dirent *entry;
	unsigned n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			n++;
			if (first && entry->d_name[0] != '.')
				snprintf(first, 256, "%s", entry->d_name);
		}
	closedir(d);
	return n;
}

static void put_file(const struct world *w, const char *name, off_t size, time_t age)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - age } };
	char path[512];
	int fd;

	times[1] = times[0];
	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

static bool exists(const struct world *w, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	return access(path, F_OK) == 0;
}

static void end(struct world *w)
{
	char command[128];

	fake_guest_destroy(w->fake);
	snprintf(command, sizeof(command), "rm -rf %s", w->folder);
	/* NOLINTNEXTLINE(cert-env33-c): a test's own line */
	assert_int_equal(system(command), 0);
}

static void whom_the_bytes_belong_to(void **state)
{
	struct world w = make();

	assert_false(load(&w));
	store(&w);
	assert_true(load(&w));
	w.memory[KALLSYMS + PIECE - 1] ^= 1; /* another guest, or one that was changed */
	assert_false(load(&w));
	w.memory[KALLSYMS + PIECE - 1] ^= 1;
	w.memory[BTF] ^= 1;
	assert_false(load(&w));
	w.memory[BTF] ^= 1;
	w.image.geometry++;
	assert_false(load(&w));
	w.image.geometry--;
	w.image.settled = false; /* it is still booting */
	assert_false(load(&w));
	end(&w);
}

/* Changes one byte of the entry, counted from its end where negative. */
static void bend(const struct world *w, long at, uint8_t mask)
{
	char name[256], path[512];
	uint8_t byte;
	struct stat st;
	int fd;

	count(w, name);
	snprintf(path, sizeof(path), "%s/%s", w->folder, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	at = at < 0 ? (long)st.st_size + at : at;
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= mask;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void damaged_files(void **state)
{
	struct world w = make();
	char name[256], path[512];
	uint8_t bytes[8192];
	ssize_t size, names = -1;
	int fd;

	store(&w);
	bend(&w, 0, 1); /* the magic */
	assert_false(load(&w));
	bend(&w, 0, 1);
	assert_true(load(&w));
	/* Names are read up to their NUL, and the last one must have it. */
	count(&w, name);
	snprintf(path, sizeof(path), "%s/%s", w.folder, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	size = read(fd, bytes, sizeof(bytes));
	for (ssize_t i = 0; i + 5 <= size && names < 0; i++)
		if (memcmp(bytes + i, "Tprb", 5) == 0)
			names = i;
	assert_true(names > 0);
	bend(&w, names + 4, 'x');
	assert_false(load(&w));
	bend(&w, names + 4, 'x');
	assert_true(load(&w));
	assert_int_equal(ftruncate(fd, size / 2), 0);
	assert_false(load(&w));
	assert_int_equal(ftruncate(fd, 3), 0);
	assert_false(load(&w));
	close(fd);
	end(&w);
}

static void whom_the_files_belong_to(void **state)
{
	struct world w = make();
	char name[256], path[512];

	store(&w);
	count(&w, name);
	snprintf(path, sizeof(path), "%s/%s", w.folder, name);
	assert_int_equal(chmod(path, 0620), 0);
	assert_false(load(&w));
	assert_int_equal(chmod(path, 0600), 0);
	assert_true(load(&w));
	assert_int_equal(chmod(w.folder, 0770), 0);
	assert_false(load(&w));
	assert_error_says(ksma_cache_store(w.folder, &w.image, &w.tables), KSMA_ERROR_PERMISSION,
			  "chmod go-w");
	assert_int_equal(chmod(w.folder, 0700), 0);
	end(&w);
}

static void too_many_entries(void **state)
{
	struct world w = make();
	char name[32];

	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "%016x-1-1", i);
		put_file(&w, name, 10, 1000 - i);
	}
	store(&w);
	assert_int_equal(count(&w, NULL), 64);
	assert_false(exists(&w, "0000000000000000-1-1")); /* the oldest went */
	assert_true(exists(&w, "0000000000000045-1-1"));
	assert_true(load(&w)); /* and the one that was just written did not */
	end(&w);
}

static void too_many_bytes(void **state)
{
	struct world w = make();

	put_file(&w, "00000000000000aa-1-1", 600 << 20, 300);
	put_file(&w, "00000000000000bb-1-1", 300 << 20, 200);
	put_file(&w, "00000000000000cc-1-1", 600 << 20, 100);
	store(&w);
	assert_false(exists(&w, "00000000000000aa-1-1"));
	assert_true(exists(&w, "00000000000000bb-1-1"));
	assert_true(exists(&w, "00000000000000cc-1-1"));
	assert_true(load(&w));
	end(&w);
}

static void what_a_killed_writer_left(void **state)
{
	struct world w = make();

	put_file(&w, ".0000000000001234-1-1.77", 10, 4000);
	put_file(&w, ".0000000000001234-1-1.78", 10, 5);
	store(&w);
	assert_false(exists(&w, ".0000000000001234-1-1.77"));
	assert_true(exists(&w, ".0000000000001234-1-1.78")); /* it may still be at work */
	assert_true(load(&w));
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whom_the_bytes_belong_to),
		cmocka_unit_test(damaged_files),
		cmocka_unit_test(whom_the_files_belong_to),
		cmocka_unit_test(too_many_entries),
		cmocka_unit_test(too_many_bytes),
		cmocka_unit_test(what_a_killed_writer_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
