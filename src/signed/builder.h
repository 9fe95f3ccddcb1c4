/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds a manifest from files, wherever they come from. */
#ifndef KSMA_SIGNED_BUILDER_H
#define KSMA_SIGNED_BUILDER_H

#include "vendor/manifest.h"
#include "vendor/manifest_write.h"

enum { SIGNED_BUFFER = 1 << 18 };

/* What is mounted in a system and could not be read. */
struct signed_left_out {
	char *where, *what; /* "/srv", "XFS" */
};

struct signed_builder {
	struct ksma_manifest_writer *writer;
	struct ksma_file_digest *digest;
	uint8_t *buffer;    /* SIGNED_BUFFER bytes for whoever reads files */
	const char *origin; /* of what is added now; "" when there is nothing to say */
	/* The system that this is for has /bin, /sbin and /lib* in /usr (as Debian since 12), or has not: its packages do not tell. So what lies
	 * there is recorded under both names. */
	bool both_names;
	uint64_t files, links, special, bytes;
	struct {
		struct signed_left_out *items;
		size_t count, capacity;
	} left_out;
	bool incomplete; /* one of them may hold programs */
};

/* What a file or link is besides its contents. */
struct signed_facts {
	const char *path; /* made absolute and plain here */
	uint32_t mode, uid, gid, flags;
};

struct ksma_error *signed_builder_init(struct signed_builder *builder) KSMA_MUST_CHECK;
void signed_builder_deinit(struct signed_builder *builder);

struct ksma_error *signed_add_link(struct signed_builder *builder, const struct signed_facts *facts,
				   const char *target) KSMA_MUST_CHECK;

/* A file: its bytes from the first to the last, then what it is. After an error in between, nothing more may be added. */
struct ksma_error *signed_add_bytes(struct signed_builder *builder, const void *data,
				    size_t length) KSMA_MUST_CHECK;
struct ksma_error *signed_add_file(struct signed_builder *builder,
				   const struct signed_facts *facts) KSMA_MUST_CHECK;

/* The same file under another name; `from` was added before. NOT_PRESENT when it was not. */
struct ksma_error *signed_add_name(struct signed_builder *builder, const char *from,
				   const char *path) KSMA_MUST_CHECK;

/* @programs there may be some */
struct ksma_error *signed_leave_out(struct signed_builder *builder, const char *where,
				    const char *what, bool programs) KSMA_MUST_CHECK;

/* "./usr//bin/x" -> "/usr/bin/x". BAD_DATA for one with "..", or none. @ret_path owned by the caller */
struct ksma_error *signed_plain_path(const char *path, char **ret_path) KSMA_MUST_CHECK;

/* One file each: the sources. */
struct ksma_error *signed_build_root(struct signed_builder *builder,
				     const char *root) KSMA_MUST_CHECK;
/* @path an image, raw or qcow2, that no guest writes to */
struct ksma_error *signed_build_image(struct signed_builder *builder,
				      const char *path) KSMA_MUST_CHECK;
struct ksma_error *signed_build_package(struct signed_builder *builder,
					const char *path) KSMA_MUST_CHECK;

#endif
