/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packed bytes and packages, through libarchive. Nothing here is trusted; what comes out is capped. */
#ifndef KSMA_INGEST_UNPACK_H
#define KSMA_INGEST_UNPACK_H

#include "base/util.h"

enum {
	INGEST_MAX_FILE = 1 << 30,    /* one file, unpacked */
	INGEST_MAX_ENTRIES = 1 << 20, /* files in a package */
};
#define INGEST_MAX_PACKAGE (16ull << 30) /* all of a package, unpacked */

/* Unpacks a stream of gzip, xz, zstd, lz4 (legacy too), lzma or bzip2. @ret_data owned by the caller
 * @return NULL, BAD_DATA, LIMIT, NOMEM */
struct ksma_error *ingest_unpack(const uint8_t *data, size_t length, uint8_t **ret_data,
				 size_t *ret_length) KSMA_MUST_CHECK;

/* A script that a .deb brings for its own installation. */
struct ingest_script {
	const char *name; /* "postinst" */
	uint8_t *data;
	size_t length;
};

enum { INGEST_SCRIPTS = 5 };

/* What is in a package. The texts are never NULL while it is read. */
struct ingest_package {
	char *name, *version, *architecture;
	char *conffiles; /* of a .deb: paths that the administrator may change, one a line */
	struct ingest_script scripts[INGEST_SCRIPTS]; /* of a .deb; those without bytes are none */
	bool with_architecture; /* of a .deb: its files of administration bear the architecture (Multi-Arch: same) */
};

enum ingest_type { INGEST_FILE, INGEST_SYMLINK, INGEST_HARDLINK, INGEST_FOLDER, INGEST_SPECIAL };

/* A member of a package, whatever it is. */
struct ingest_member {
	enum ingest_type type;
	const char *path, *target; /* target of either link; else "" */
	uint64_t size; /* of a hard link too: an .rpm gives the bytes to the last name */
	uint32_t mode, uid, gid;
	struct archive *archive; /* for ingest_member_read() */
};

struct ingest_visitor {
	/* Is this file of interest? Only its name is known. */
	bool (*wants)(void *arg, const char *path);
	/* A file; the bytes are the visitor's from here on. */
	struct ksma_error *(*file)(void *arg, const char *path, uint8_t *data, size_t length);
	/* Instead of both: every member. */
	struct ksma_error *(*member)(void *arg, const struct ingest_member *member);
	void *arg;
};

/* The next bytes of the member that is being visited. @ret_length 0 at its end */
struct ksma_error *ingest_member_read(const struct ingest_member *member, void *buffer, size_t size,
				      size_t *ret_length) KSMA_MUST_CHECK;

enum ingest_format { INGEST_OTHER, INGEST_DEB, INGEST_RPM };

/* What kind of package begins like this. */
enum ingest_format ingest_format_of(const uint8_t *data, size_t length);

/* Reads a package from `fd`, from its start to its end. `package` is filled before the first file is visited.
 * @return NULL, BAD_DATA, LIMIT, OS, NOMEM, or what the visitor returned */
struct ksma_error *ingest_package_read(int fd, enum ingest_format format,
				       const struct ingest_visitor *visitor,
				       struct ingest_package *package) KSMA_MUST_CHECK;
void ingest_package_deinit(struct ingest_package *package);

#endif
