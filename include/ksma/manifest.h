/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests: what every file of a guest ought to be, made where the system is built, signed there, and kept on the host.
 *
 * A manifest is a file that is read as it is needed. ksma_manifest_open() takes it as it lies there: nobody vouches for it. A program
 * that decides by it opens it with the keys that must have signed it, see docs/manifests.md. */
#ifndef KSMA_MANIFEST_H
#define KSMA_MANIFEST_H

#include <ksma/error.h>
#include <ksma/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KSMA_SHA256 = 32, KSMA_MANIFEST_PAGE = 4096 };

enum ksma_manifest_type {
	KSMA_MANIFEST_FILE = 1,
	KSMA_MANIFEST_SYMLINK = 2,
};

enum ksma_manifest_flags {
	KSMA_MANIFEST_CONFFILE = 1 << 0, /* its package lets the administrator change it */
	KSMA_MANIFEST_OWNER = 1 << 1,	 /* uid and gid are known */
};

/* What one path ought to be. The texts and hashes belong to the manifest and live as long as it is open. */
struct ksma_manifest_entry {
	enum ksma_manifest_type type;
	uint32_t flags;	    /* enum ksma_manifest_flags */
	const char *path;   /* absolute, as the guest's root sees it, without "." and ".." */
	const char *target; /* of a symbolic link; else "" */
	const char *origin; /* "coreutils 9.1-1 amd64", "" when not known */
	uint64_t size;
	uint32_t mode, uid, gid; /* mode as in stat(), type included */
	uint8_t sha256[KSMA_SHA256];
	/* Of the Merkle tree that fs-verity makes of it: SHA-256, blocks of 4 KiB, no salt. All zeros for an empty file. */
	uint8_t verity_root[KSMA_SHA256];
	uint64_t pages; /* how many pages of 4 KiB, the last one filled with zeros */
	/* For ksma_manifest_page(). */
	uint32_t part;
	uint64_t pages_at;
};

/* An open manifest; one thread at a time. */
struct ksma_manifest;

/* Opens a manifest without asking who made it. Nothing but its head is read.
 * @ret_manifest closed with ksma_manifest_close()
 * @return NULL, OS, PERMISSION, NOMEM, BAD_DATA (it is none, or is cut), UNSUPPORTED (made by a newer version) */
struct ksma_error *ksma_manifest_open(const char *path,
				      struct ksma_manifest **ret_manifest) KSMA_MUST_CHECK;
void ksma_manifest_close(struct ksma_manifest *manifest);

/* Looks for a path. Where several manifests were merged, the latest that knows the path counts.
 * @return NULL; OS or BAD_DATA when the manifest could not be read or is not what was signed: never an answer */
struct ksma_error *ksma_manifest_find(struct ksma_manifest *manifest, const char *path,
				      bool *ret_found,
				      struct ksma_manifest_entry *ret_entry) KSMA_MUST_CHECK;

/* Looks for a file by its contents: the first path of those that ought to have them. A path that a later manifest gives other contents
 * does not count. */
struct ksma_error *ksma_manifest_find_hash(struct ksma_manifest *manifest,
					   const uint8_t sha256[KSMA_SHA256], bool *ret_found,
					   struct ksma_manifest_entry *ret_entry) KSMA_MUST_CHECK;

/* The SHA-256 of a file's page. `index` is below entry->pages. @ret_hash belongs to the manifest, or to `entry` */
struct ksma_error *ksma_manifest_page(struct ksma_manifest *manifest,
				      const struct ksma_manifest_entry *entry, uint64_t index,
				      const uint8_t **ret_hash) KSMA_MUST_CHECK;

/* Several manifests that were merged lie in one file, the latest last. What each says, sorted by path. */
uint32_t ksma_manifest_parts(const struct ksma_manifest *manifest);
uint64_t ksma_manifest_count(const struct ksma_manifest *manifest, uint32_t part);
uint64_t ksma_manifest_created(const struct ksma_manifest *manifest,
			       uint32_t part); /* seconds since the epoch */
struct ksma_error *ksma_manifest_at(struct ksma_manifest *manifest, uint32_t part, uint64_t index,
				    struct ksma_manifest_entry *ret_entry) KSMA_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
