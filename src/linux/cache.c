/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cache of decoded tables: a file an entry, mapped read-only and compared byte for byte with the guest before it is used. */
#include "linux/cache.h"

#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "base/bytes.h"

/* Rises with the layout below and with that of the symbol table. */
#define CACHE_MAGIC (0x0065686361734b00ull | (0x30ull + KSMA_SYMBOLS_FORMAT) << 56)

enum {
	MAX_ENTRIES = 64,
	MAX_FILE = 256 << 20,
	COMPARE_CHUNK = 1 << 20,
	NAME_PREFIX = 16,
	STALE_S = 3600, /* nobody writes an entry for that long */
};

#define MAX_BYTES (1024ull << 20) /* of all entries together: as many as some sixty kernels have */

/* Offsets are from the start of the file. Written and read by this program only. */
struct cache_header {
	uint64_t magic;
	uint64_t fingerprint; /* of offsets.def */
	uint64_t file_size;
	uint64_t slide_offset;
	struct {
		uint64_t at, size, image_offset;
	} kallsyms, btf;
	uint64_t items_at, item_count, names_at, names_size, hash_at, hash_size;
	struct ksma_layouts layouts;
	uint64_t have_layouts;
	uint64_t end; /* magic again: a file that was cut while being written has none */
};

struct ksma_error *ksma_cache_default_dir(char **ret_dir)
{
	const char *base;

	if (geteuid() == 0)
		return ksma_strdup("/var/cache/ksma", ret_dir);
	base = getenv("XDG_CACHE_HOME");
	if (base && *base == '/')
		return ksma_asprintf(ret_dir, "%s/ksma", base);
	base = getenv("HOME");
	if (!base || *base != '/')
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "no cache folder: neither XDG_CACHE_HOME nor HOME is set");
	return ksma_asprintf(ret_dir, "%s/.cache/ksma", base);
}

static bool trustworthy(const struct stat *st)
{
	return (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* True when a piece of the file equals the guest's bytes at that place of the image. */
static bool same_bytes(struct ksma_guest *guest, const struct ksma_image *image,
		       const uint8_t *data, uint64_t size, uint64_t offset)
{
	const uint8_t *mapped;
	_cleanup_free_ uint8_t *copy = NULL;

	if (!ksma_in_range(offset, size, image->size))
		return false;
	mapped = ksma_guest_mapped(guest, image->gpa + offset, size);
	if (mapped)
		return memcmp(mapped, data, size) == 0;
	copy = malloc(COMPARE_CHUNK);
	if (!copy)
		return false;
	for (uint64_t done = 0; done < size;) {
		size_t chunk = size - done < COMPARE_CHUNK ? size - done : COMPARE_CHUNK;

		if (!ksma_guest_try_read(guest, image->gpa + offset + done, copy, chunk) ||
		    memcmp(copy, data + done, chunk) != 0)
			return false;
		done += chunk;
	}
	return true;
}

/* Every offset of the header lies inside the file. */
static bool header_fits(const struct cache_header *h, uint64_t size)
{
	uint64_t items, hashes;

	return h->magic == CACHE_MAGIC && h->end == CACHE_MAGIC && h->file_size == size &&
	       h->fingerprint == ksma_types_fingerprint() &&
	       ksma_in_range(h->kallsyms.at, h->kallsyms.size, size) &&
	       ksma_in_range(h->btf.at, h->btf.size, size) &&
	       !__builtin_mul_overflow(h->item_count, sizeof(struct ksma_symbol), &items) &&
	       ksma_in_range(h->items_at, items, size) &&
	       !__builtin_mul_overflow(h->hash_size, sizeof(uint32_t), &hashes) &&
	       ksma_in_range(h->hash_at, hashes, size) && h->hash_size &&
	       !(h->hash_size & (h->hash_size - 1)) &&
	       ksma_in_range(h->names_at, h->names_size, size) && h->names_size;
}

static void use_header(const struct cache_header *h, uint8_t *file, struct ksma_tables *tables)
{
	*tables = (struct ksma_tables){
		.symbols = {
			.items = (const struct ksma_symbol *)(const void *)(file + h->items_at),
			.count = h->item_count,
			.names = (const char *)file + h->names_at,
			.names_size = h->names_size,
			.hash = (const uint32_t *)(const void *)(file + h->hash_at),
			.hash_size = h->hash_size,
		},
		.kallsyms = { file + h->kallsyms.at, h->kallsyms.size, h->kallsyms.image_offset },
		.btf = { file + h->btf.at, h->btf.size, h->btf.image_offset },
		.slide_offset = h->slide_offset,
		.layouts = h->layouts,
		.have_layouts = h->have_layouts,
		.cached = true,
		.mapping = file,
		.mapping_size = h->file_size,
	};
}

/* Tries one entry; false leaves nothing behind. */
static bool try_entry(int dir_fd, const char *name, struct ksma_guest *guest,
		      const struct ksma_image *image, struct ksma_tables *ret_tables)
{
	_cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct ksma_tables tables;
	struct cache_header h;
	struct stat st;
	uint8_t *file;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !trustworthy(&st) ||
	    st.st_size < (off_t)sizeof(h) || st.st_size > MAX_FILE)
		return false;
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return false;
	memcpy(&h, file, sizeof(h));
	/* Names are read up to their NUL: the last one must have it. */
	if (header_fits(&h, (uint64_t)st.st_size) && file[h.names_at + h.names_size - 1] == 0) {
		use_header(&h, file, &tables);
		if (same_bytes(guest, image, tables.kallsyms.data, tables.kallsyms.size,
			       tables.kallsyms.offset) &&
		    same_bytes(guest, image, tables.btf.data, tables.btf.size, tables.btf.offset)) {
			tables.symbols.slide = image->gva + tables.slide_offset;
			*ret_tables = tables;
			return true;
		}
	}
	munmap(file, (size_t)st.st_size);
	return false;
}

struct ksma_error *ksma_cache_load(const char *dir, struct ksma_guest *guest,
				   const struct ksma_image *image, struct ksma_tables *ret_tables,
				   bool *ret_found)
{
	char prefix[NAME_PREFIX + 1];
	const struct dirent *entry;
	bool found = false;
	struct stat st;
	DIR *d;

	*ret_found = false;
	if (!image->settled)
		return NULL;
	d = opendir(dir);
	if (!d)
		return errno == ENOMEM ? ksma_error_nomem() : NULL;
	snprintf(prefix, sizeof(prefix), "%016llx", (unsigned long long)image->geometry);
	if (fstat(dirfd(d), &st) == 0 && trustworthy(&st))
		while (!found && (entry = readdir(d)))
			if (strncmp(entry->d_name, prefix, NAME_PREFIX) == 0 &&
			    !strchr(entry->d_name, '.'))
				found = try_entry(dirfd(d), entry->d_name, guest, image,
						  ret_tables);
	closedir(d);
	*ret_found = found;
	return NULL;
}

static struct ksma_error *write_all(int fd, const void *data, size_t size, const char *path)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const uint8_t *)data + done, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot write %s", path);
		done += (size_t)n;
	}
	return NULL;
}

/* Places a block behind the last one, aligned, and says where. */
static uint64_t place(uint64_t *end, uint64_t size)
{
	uint64_t at = ksma_align_up(*end, 64);

	*end = at + size;
	return at;
}

static struct ksma_error *write_entry(int fd, const char *path, const struct ksma_tables *tables)
{
	const struct ksma_symbols *s = &tables->symbols;
	struct cache_header h = {
		.magic = CACHE_MAGIC,
		.end = CACHE_MAGIC,
		.fingerprint = ksma_types_fingerprint(),
		.slide_offset = tables->slide_offset,
		.kallsyms = { .size = tables->kallsyms.size,
			      .image_offset = tables->kallsyms.offset },
		.btf = { .size = tables->btf.size, .image_offset = tables->btf.offset },
		.item_count = s->count,
		.names_size = s->names_size,
		.hash_size = s->hash_size,
		.layouts = tables->layouts,
		.have_layouts = tables->have_layouts,
	};
	uint64_t end = sizeof(h);
	const struct {
		uint64_t *at;
		const void *data;
		size_t size;
	} blocks[] = {
		{ &h.items_at, s->items, s->count * sizeof(*s->items) },
		{ &h.hash_at, s->hash, s->hash_size * sizeof(*s->hash) },
		{ &h.names_at, s->names, s->names_size },
		{ &h.kallsyms.at, tables->kallsyms.data, tables->kallsyms.size },
		{ &h.btf.at, tables->btf.data, tables->btf.size },
	};
	static const uint8_t zeros[64];
	uint64_t written = sizeof(h);

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		*blocks[i].at = place(&end, blocks[i].size);
	h.file_size = end;
	KSMA_TRY(write_all(fd, &h, sizeof(h), path));
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		KSMA_TRY(write_all(fd, zeros, *blocks[i].at - written, path));
		KSMA_TRY(write_all(fd, blocks[i].data, blocks[i].size, path));
		written = *blocks[i].at + blocks[i].size;
	}
	return NULL;
}

/* What an interrupted writer left; `now` as the file system counts. */
static bool is_stale(const struct dirent *entry, const struct stat *st, time_t now)
{
	return entry->d_name[0] == '.' && S_ISREG(st->st_mode) &&
	       st->st_mtim.tv_sec < now - STALE_S;
}

/* Removes the oldest entry while there are too many or they take too much, and what an interrupted writer left.
 * @return true when there may be more to remove */
static bool prune_one(DIR *d, const char *keep)
{
	char oldest_name[256] = "";
	struct timespec oldest = { 0 };
	const struct dirent *entry;
	uint64_t bytes = 0;
	size_t count = 0;
	struct stat st;

	rewinddir(d);
	while ((entry = readdir(d))) {
		if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		if (is_stale(entry, &st, time(NULL)))
			unlinkat(dirfd(d), entry->d_name, 0);
		if (entry->d_name[0] == '.')
			continue;
		count++;
		bytes += (uint64_t)st.st_size;
		if (strcmp(entry->d_name, keep) != 0 &&
		    (!oldest_name[0] || st.st_mtim.tv_sec < oldest.tv_sec ||
		     (st.st_mtim.tv_sec == oldest.tv_sec && st.st_mtim.tv_nsec < oldest.tv_nsec))) {
			oldest = st.st_mtim;
			snprintf(oldest_name, sizeof(oldest_name), "%s", entry->d_name);
		}
	}
	return (count > MAX_ENTRIES || bytes > MAX_BYTES) && oldest_name[0] &&
	       unlinkat(dirfd(d), oldest_name, 0) == 0;
}

static void prune(int dir_fd, const char *keep)
{
	DIR *d;

	dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	d = dir_fd >= 0 ? fdopendir(dir_fd) : NULL;
	if (!d) {
		if (dir_fd >= 0)
			close(dir_fd);
		return;
	}
	for (unsigned i = 0; i < 2 * MAX_ENTRIES && prune_one(d, keep); i++)
		;
	closedir(d);
}

static struct ksma_error *make_folder(const char *dir)
{
	_cleanup_free_ char *path = NULL;

	KSMA_TRY(ksma_strdup(dir, &path));
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = 0;
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return ksma_error_os(errno, "cannot make the cache folder %s", path);
		if (!slash)
			return NULL;
		*slash = '/';
	}
}

struct ksma_error *ksma_cache_store(const char *dir, const struct ksma_image *image,
				    const struct ksma_tables *tables)
{
	_cleanup_free_ char *temporary = NULL, *name = NULL;
	_cleanup_close_ int dir_fd = -1, fd = -1;
	struct ksma_error *error;
	struct stat st;

	if (!image->settled)
		return NULL;
	KSMA_TRY(make_folder(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || fstat(dir_fd, &st) < 0)
		return ksma_error_os(errno, "cannot open the cache folder %s", dir);
	if (!trustworthy(&st))
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"the cache folder %s may be written by others: not used; chmod go-w it",
			dir);
	/* The place of the tables tells builds of equal geometry apart. */
	KSMA_TRY(ksma_asprintf(&name, "%016llx-%llx-%zx", (unsigned long long)image->geometry,
			       (unsigned long long)tables->kallsyms.offset,
			       tables->kallsyms.size ^ (tables->btf.size << 4)));
	KSMA_TRY(ksma_asprintf(&temporary, ".%s.%d", name, getpid()));
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ksma_error_os(errno, "cannot write to the cache folder %s", dir);
	error = write_entry(fd, dir, tables);
	if (!error && renameat(dir_fd, temporary, dir_fd, name) < 0)
		error = ksma_error_os(errno, "cannot rename in the cache folder %s", dir);
	if (error)
		unlinkat(dir_fd, temporary, 0);
	else
		prune(dir_fd, name);
	return error;
}
