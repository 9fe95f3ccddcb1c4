/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all sources of manifests have in common. */
#include "signed/builder.h"

struct ksma_error *signed_builder_init(struct signed_builder *b)
{
	memset(b, 0, sizeof(*b));
	b->origin = "";
	b->buffer = malloc(SIGNED_BUFFER);
	if (!b->buffer)
		return ksma_error_nomem();
	KSMA_TRY(ksma_file_digest_create(&b->digest));
	return ksma_manifest_writer_create(&b->writer);
}

void signed_builder_deinit(struct signed_builder *b)
{
	for (size_t i = 0; i < b->left_out.count; i++) {
		free(b->left_out.items[i].where);
		free(b->left_out.items[i].what);
	}
	free(b->left_out.items);
	free(b->buffer);
	ksma_file_digest_destroy(b->digest);
	ksma_manifest_writer_destroy(b->writer);
}

struct ksma_error *signed_leave_out(struct signed_builder *b, const char *where, const char *what,
				    bool programs)
{
	struct signed_left_out *slot;

	KSMA_TRY(KSMA_ARRAY_PUSH(&b->left_out, &slot));
	b->incomplete |= programs;
	KSMA_TRY(ksma_strdup(where, &slot->where));
	return ksma_strdup(what, &slot->what);
}

struct ksma_error *signed_plain_path(const char *path, char **ret_path)
{
	_cleanup_free_ char *plain = malloc(strlen(path) + 2);
	size_t n = 0;

	if (!plain)
		return ksma_error_nomem();
	for (const char *p = path; *p;) {
		size_t length = strcspn(p, "/");

		if (length == 2 && memcmp(p, "..", 2) == 0)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the path '%s' leads out of its root", path);
		if (length && !(length == 1 && p[0] == '.')) {
			plain[n++] = '/';
			memcpy(plain + n, p, length);
			n += length;
		}
		p += length;
		p += *p == '/';
	}
	plain[n] = 0;
	if (!n)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "the path '%s' names nothing", path);
	*ret_path = TAKE_PTR(plain);
	return NULL;
}

/* "/usr/bin/x" for "/bin/x", or NULL for what lies in no such folder. */
static struct ksma_error *merged_path(const char *path, char **ret_path)
{
	static const char *const folders[] = { "/bin/",	  "/sbin/",   "/lib/",	 "/lib32/",
					       "/lib64/", "/libx32/", "/libo32/" };

	*ret_path = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return ksma_asprintf(ret_path, "/usr%s", path);
	return NULL;
}

static struct ksma_error *add(struct signed_builder *b, struct ksma_manifest_entry *e,
			      const char *path, const uint8_t *pages)
{
	_cleanup_free_ char *plain = NULL, *merged = NULL;

	KSMA_TRY(signed_plain_path(path, &plain));
	if (b->both_names)
		KSMA_TRY(merged_path(plain, &merged));
	e->path = plain;
	KSMA_TRY(ksma_manifest_writer_add(b->writer, e, pages));
	if (!merged)
		return NULL;
	e->path = merged;
	return ksma_manifest_writer_add(b->writer, e, pages);
}

static struct ksma_manifest_entry entry_of(const struct signed_builder *b,
					   const struct signed_facts *facts, uint32_t format)
{
	return (struct ksma_manifest_entry){
		.mode = (facts->mode & 07777) | format,
		.uid = facts->uid,
		.gid = facts->gid,
		.flags = facts->flags,
		.origin = b->origin,
		.target = "",
	};
}

struct ksma_error *signed_add_link(struct signed_builder *b, const struct signed_facts *facts,
				   const char *target)
{
	struct ksma_manifest_entry e = entry_of(b, facts, S_IFLNK);

	if (!target[0])
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "the link %s leads nowhere",
					 facts->path);
	e.type = KSMA_MANIFEST_SYMLINK;
	e.target = target;
	b->links++;
	return add(b, &e, facts->path, NULL);
}

struct ksma_error *signed_add_bytes(struct signed_builder *b, const void *data, size_t length)
{
	b->bytes += length;
	return ksma_file_digest_add(b->digest, data, length);
}

struct ksma_error *signed_add_file(struct signed_builder *b, const struct signed_facts *facts)
{
	struct ksma_manifest_entry e = entry_of(b, facts, S_IFREG);
	struct ksma_file_hashes hashes;

	KSMA_TRY(ksma_file_digest_end(b->digest, &hashes));
	e.type = KSMA_MANIFEST_FILE;
	e.size = hashes.size;
	memcpy(e.sha256, hashes.sha256, KSMA_SHA256);
	memcpy(e.verity_root, hashes.verity_root, KSMA_SHA256);
	b->files++;
	return add(b, &e, facts->path, hashes.pages);
}

struct ksma_error *signed_add_name(struct signed_builder *b, const char *from, const char *path)
{
	_cleanup_free_ char *plain_from = NULL, *plain = NULL, *merged = NULL;

	KSMA_TRY(signed_plain_path(from, &plain_from));
	KSMA_TRY(signed_plain_path(path, &plain));
	KSMA_TRY(ksma_manifest_writer_copy(b->writer, plain_from, plain));
	b->files++;
	if (b->both_names)
		KSMA_TRY(merged_path(plain, &merged));
	return merged ? ksma_manifest_writer_copy(b->writer, plain_from, merged) : NULL;
}
