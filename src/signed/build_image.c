/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds a manifest from the image of a disk that no guest runs from: its root file system, and what its /etc/fstab mounts of the same
 * disk. The attacker is who made the image. */
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "files/ext4.h"
#include "files/volumes.h"
#include "guest/nbd.h"
#include "signed/builder.h"
#include "signed/fstab.h"

#define MAX_FILE (64ull << 30)

/* A bit for each number that an inode may have; what is not touched takes no memory. */
enum { SEEN_BYTES = 1 << 29 };

struct folder {
	char *path;
	uint32_t number;
};

/* A walk through one file system. */
struct walk {
	struct signed_builder *builder;
	struct ksma_ext4 *fs;
	uint8_t *seen; /* folders; one that comes again is a circle */
	struct {
		struct folder *items;
		size_t count, capacity;
	} todo;
	const char *path; /* of the folder that is listed */
	struct {
		struct folder *items;
		size_t count, capacity;
	} names; /* what is in it */
	struct ksma_error *error;
};

static void walk_deinit(struct walk *w)
{
	for (size_t i = 0; i < w->todo.count; i++)
		free(w->todo.items[i].path);
	for (size_t i = 0; i < w->names.count; i++)
		free(w->names.items[i].path);
	free(w->todo.items);
	free(w->names.items);
	ksma_error_destroy(w->error);
	if (w->seen)
		munmap(w->seen, SEEN_BYTES);
}

static struct ksma_error *damaged(const char *path, const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s: %s", path, what);
}

static struct ksma_error *push(struct walk *w, const char *path, uint32_t number)
{
	uint8_t bit = (uint8_t)(1u << number % 8);
	struct folder *f;

	if (w->seen[number / 8] & bit)
		return damaged(path, "this folder is in the file system twice");
	w->seen[number / 8] |= bit;
	KSMA_TRY(KSMA_ARRAY_PUSH(&w->todo, &f));
	f->number = number;
	return ksma_strdup(path, &f->path);
}

static struct ksma_error *add_name(struct walk *w, const char *name, size_t length, uint32_t number)
{
	struct folder *f;

	if (memchr(name, '/', length) || memchr(name, 0, length))
		return damaged(w->path, "a name in it is none");
	if (strlen(w->path) + 1 + length > KSMA_MANIFEST_MAX_TEXT)
		return ksma_error_create(KSMA_ERROR_LIMIT, "%s: a path in it is longer than %d",
					 w->path, KSMA_MANIFEST_MAX_TEXT);
	KSMA_TRY(KSMA_ARRAY_PUSH(&w->names, &f));
	f->number = number;
	return ksma_asprintf(&f->path, "%s/%.*s", w->path, (int)length, name);
}

static bool on_entry(void *arg, const char *name, size_t length, uint32_t number)
{
	struct walk *w = arg;

	if ((length == 1 && name[0] == '.') || (length == 2 && memcmp(name, "..", 2) == 0) ||
	    !length)
		return true;
	w->error = add_name(w, name, length, number);
	return !w->error;
}

static struct ksma_error *read_file(struct walk *w, uint32_t number, uint64_t size)
{
	struct ksma_ext4_file *file;
	struct ksma_error *error = NULL;

	KSMA_TRY(ksma_ext4_file_open(w->fs, number, &file));
	for (uint64_t at = 0; at < size && !error;) {
		size_t n = size - at < SIGNED_BUFFER ? (size_t)(size - at) : SIGNED_BUFFER;

		error = ksma_ext4_file_read(file, at, w->builder->buffer, n);
		if (!error)
			error = signed_add_bytes(w->builder, w->builder->buffer, n);
		at += n;
	}
	ksma_ext4_file_close(file);
	return error;
}

static struct ksma_error *add_link(struct walk *w, const struct signed_facts *facts,
				   uint32_t number)
{
	_cleanup_free_ char *target = NULL;

	KSMA_TRY(ksma_ext4_readlink(w->fs, number, &target));
	return signed_add_link(w->builder, facts, target);
}

static struct ksma_error *add_one(struct walk *w, const struct folder *f)
{
	struct signed_facts facts = { .path = f->path, .flags = KSMA_MANIFEST_OWNER };
	struct ksma_ext4_inode inode;

	KSMA_TRY(ksma_ext4_stat(w->fs, f->number, &inode));
	facts.mode = inode.mode;
	facts.uid = inode.uid;
	facts.gid = inode.gid;
	if (S_ISDIR(inode.mode))
		return push(w, f->path, f->number);
	if (S_ISLNK(inode.mode))
		return add_link(w, &facts, f->number);
	if (!S_ISREG(inode.mode)) {
		w->builder->special++;
		return NULL;
	}
	if (inode.size > MAX_FILE)
		return ksma_error_create(KSMA_ERROR_LIMIT, "it has more than 64 GiB");
	KSMA_TRY(read_file(w, f->number, inode.size));
	return signed_add_file(w->builder, &facts);
}

static struct ksma_error *list(struct walk *w, const struct folder *folder)
{
	struct ksma_error *error;

	w->path = folder->path;
	error = ksma_ext4_list(w->fs, folder->number, on_entry, w);
	if (w->error) {
		ksma_error_destroy(error);
		error = TAKE_PTR(w->error);
	}
	for (size_t i = 0; i < w->names.count; i++) {
		if (!error)
			error = ksma_error_prefix(add_one(w, &w->names.items[i]), "%s",
						  w->names.items[i].path);
		free(w->names.items[i].path);
	}
	w->names.count = 0;
	return error;
}

static struct ksma_error *walk(struct signed_builder *b, struct ksma_ext4 *fs, const char *where)
{
	_cleanup_(walk_deinit) struct walk w = { .builder = b, .fs = fs };
	void *seen = mmap(NULL, SEEN_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (seen == MAP_FAILED)
		return ksma_error_nomem();
	w.seen = seen;
	KSMA_TRY(push(&w, strcmp(where, "/") == 0 ? "" : where, KSMA_EXT4_ROOT));
	while (w.todo.count) {
		struct folder folder = w.todo.items[--w.todo.count];
		struct ksma_error *error = list(&w, &folder);

		free(folder.path);
		KSMA_TRY(error);
	}
	return NULL;
}

/* The volumes of an image, and what was found on them. */
struct image {
	struct signed_builder *builder;
	struct ksma_block *disk;
	struct ksma_volumes volumes;
	struct ksma_coverage coverage;
};

static struct ksma_error *open_volume(const struct ksma_volume *v, struct ksma_ext4 **ret_fs)
{
	struct ksma_ext4 *fs;

	KSMA_TRY(ksma_ext4_open(v->block, v->block, &fs));
	if (ksma_ext4_is_mounted(fs)) {
		ksma_ext4_close(fs);
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"a file system on it was not unmounted: shut the system down, or repair it with e2fsck");
	}
	*ret_fs = fs;
	return NULL;
}

static struct ksma_error *is_root(const struct ksma_volume *v, bool *ret_root)
{
	struct ksma_ext4 *fs;
	struct ksma_error *error;
	uint32_t number;

	*ret_root = false;
	if (v->kind != KSMA_VOLUME_EXT4)
		return NULL;
	KSMA_TRY(open_volume(v, &fs));
	error = ksma_ext4_lookup(fs, "/etc/fstab", &number);
	if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
		ksma_error_destroy(error);
		error = ksma_ext4_lookup(fs, "/etc/passwd", &number);
	}
	*ret_root = !error;
	if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
		ksma_error_destroy(error);
		error = NULL;
	}
	ksma_ext4_close(fs);
	return error;
}

/* The one that has an /etc; a single one is the root whatever it has. */
static struct ksma_error *find_root(const struct image *image, const struct ksma_volume **ret_root)
{
	const struct ksma_volume *only = NULL, *root = NULL;
	size_t ext4 = 0;

	for (size_t i = 0; i < image->volumes.count; i++) {
		const struct ksma_volume *v = &image->volumes.items[i];
		bool yes;

		if (v->kind != KSMA_VOLUME_EXT4)
			continue;
		ext4++;
		only = v;
		KSMA_TRY(is_root(v, &yes));
		if (yes && root)
			return ksma_error_create(
				KSMA_ERROR_UNSUPPORTED,
				"it has more than one file system with a system on it");
		if (yes)
			root = v;
	}
	if (!root && ext4 == 1)
		root = only;
	if (!root)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "it has no ext4 file system with a system on it");
	*ret_root = root;
	return NULL;
}

/* "/dev/mapper/my--group-root" for "my-group/root" */
static bool is_mapper_name(const char *name, const char *volume)
{
	static const char prefix[] = "/dev/mapper/";

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	for (name += strlen(prefix); *volume; volume++) {
		if (*volume == '/' ? *name != '-' : *name != *volume)
			return false;
		name++;
		if (*volume == '-' && *name++ != '-')
			return false;
	}
	return !*name;
}

static void format_uuid(const uint8_t *uuid, char *text)
{
	static const uint8_t dashes[] = { 4, 6, 8, 10 };
	size_t n = 0, dash = 0;

	for (size_t i = 0; i < 16; i++) {
		if (dash < ARRAY_SIZE(dashes) && i == dashes[dash]) {
			text[n++] = '-';
			dash++;
		}
		snprintf(text + n, 3, "%02x", uuid[i]);
		n += 2;
	}
}

/* Is it what fstab calls so? */
static bool is_called(const struct ksma_volume *v, const char *what)
{
	char uuid[40] = "", number[16];
	size_t length = strlen(what), digits = 0;

	format_uuid(v->uuid, uuid);
	if (strncmp(what, "UUID=", 5) == 0)
		return strcasecmp(what + 5, uuid) == 0;
	if (strncmp(what, "LABEL=", 6) == 0)
		return v->label[0] && strcmp(what + 6, v->label) == 0;
	if (strncmp(what, "/dev/", 5) != 0)
		return false;
	if (v->name)
		return strcmp(what + 5, v->name) == 0 || is_mapper_name(what, v->name);
	/* The disk's own name is the guest's choice, the partition's number is not. */
	while (digits < length && what[length - digits - 1] >= '0' &&
	       what[length - digits - 1] <= '9')
		digits++;
	snprintf(number, sizeof(number), "%u", v->partition);
	return v->partition && digits && strcmp(what + length - digits, number) == 0;
}

/* Kinds that hold no files of the guest, or none that its kernel would run from there on its own. */
static bool is_of_no_concern(const struct signed_mount *m)
{
	static const char *const kinds[] = { "swap",	 "proc",       "sysfs",	  "tmpfs",
					     "devpts",	 "iso9660",    "udf",	  "nfs",
					     "nfs4",	 "cifs",       "auto",	  "9p",
					     "virtiofs", "securityfs", "debugfs", "none" };

	/* One of several will do: "udf,iso9660". */
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i]);

		if (strncmp(m->kind, kinds[i], n) == 0 && (!m->kind[n] || m->kind[n] == ','))
			return true;
	}
	return strcmp(m->where, "/") == 0;
}

/* What firmware boots from: it has no owners and no permissions, and nothing that a system runs. */
static bool is_fat(const struct signed_mount *m)
{
	return strcmp(m->kind, "vfat") == 0 || strcmp(m->kind, "msdos") == 0;
}

static struct ksma_error *mount(struct image *image, const struct signed_mount *m)
{
	_cleanup_free_ char *where = NULL;
	const struct ksma_volume *found = NULL;
	struct ksma_ext4 *fs;
	struct ksma_error *error;

	if (is_of_no_concern(m))
		return NULL;
	KSMA_TRY(signed_plain_path(m->where, &where));
	for (size_t i = 0; i < image->volumes.count; i++)
		if (is_called(&image->volumes.items[i], m->what))
			found = &image->volumes.items[i];
	if (!found || found->kind != KSMA_VOLUME_EXT4)
		return signed_leave_out(image->builder, where,
					found && found->kind != KSMA_VOLUME_EMPTY
						? ksma_volume_kind_name(found->kind)
						: m->kind,
					!is_fat(m));
	KSMA_TRY(open_volume(found, &fs));
	error = walk(image->builder, fs, where);
	ksma_ext4_close(fs);
	return error;
}

/* All of a small file, or nothing when it is not there. */
static struct ksma_error *read_small(struct ksma_ext4 *fs, const char *path, char **ret_text,
				     size_t *ret_length)
{
	_cleanup_free_ char *text = NULL;
	struct ksma_ext4_file *file;
	struct ksma_error *error;
	uint32_t number;
	uint64_t size;

	error = ksma_ext4_lookup(fs, path, &number);
	if (error && error->code == KSMA_ERROR_NOT_PRESENT) {
		ksma_error_destroy(error);
		return NULL;
	}
	KSMA_TRY(error);
	KSMA_TRY(ksma_ext4_file_open(fs, number, &file));
	size = ksma_ext4_file_inode(file)->size;
	text = size > SIGNED_FSTAB_MAX ? NULL : malloc(size + 1);
	if (size > SIGNED_FSTAB_MAX)
		error = ksma_error_create(KSMA_ERROR_LIMIT, "%s is larger than 1 MiB", path);
	else
		error = text ? ksma_ext4_file_read(file, 0, text, size) : ksma_error_nomem();
	ksma_ext4_file_close(file);
	KSMA_TRY(error);
	*ret_text = TAKE_PTR(text);
	*ret_length = size;
	return NULL;
}

static struct ksma_error *walk_all(struct image *image, struct ksma_ext4 *root)
{
	_cleanup_(signed_fstab_deinit) struct signed_fstab fstab = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t length = 0;

	KSMA_TRY(walk(image->builder, root, "/"));
	KSMA_TRY(read_small(root, "/etc/fstab", &text, &length));
	if (!text)
		return NULL;
	KSMA_TRY(signed_fstab_parse(text, length, &fstab));
	for (size_t i = 0; i < fstab.count; i++)
		KSMA_TRY(ksma_error_prefix(mount(image, &fstab.items[i]), "%s",
					   fstab.items[i].where));
	return NULL;
}

static struct ksma_error *build(struct image *image, const char *path)
{
	const struct ksma_volume *root;
	struct ksma_ext4 *fs;
	struct ksma_error *error;

	KSMA_TRY(ksma_image_open(path, &image->disk));
	KSMA_TRY(ksma_volumes_find(&image->disk, 1, &image->coverage, &image->volumes));
	KSMA_TRY(find_root(image, &root));
	KSMA_TRY(open_volume(root, &fs));
	error = walk_all(image, fs);
	ksma_ext4_close(fs);
	return error;
}

struct ksma_error *signed_build_image(struct signed_builder *b, const char *path)
{
	struct image image = { .builder = b };
	struct ksma_error *error = build(&image, path);

	if (!error && image.coverage.state != KSMA_COVERAGE_COMPLETE)
		error = signed_leave_out(b, "a part of the disk",
					 image.coverage.reason ? image.coverage.reason : "damaged",
					 true);
	ksma_volumes_free(&image.volumes);
	ksma_coverage_deinit(&image.coverage);
	ksma_block_destroy(image.disk);
	return ksma_error_prefix(error, "%s", path);
}
