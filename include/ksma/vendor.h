/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vendor reference: what the distributor built, kept on the host, found by build id.
 *
 * A store is a folder that `ksma vendor add` fills from packages and images. What is in it is the host's own and trusted as such;
 * its files are parsed as carefully as the guest's all the same, since they came from packages. */
#ifndef KSMA_VENDOR_H
#define KSMA_VENDOR_H

#include <ksma/error.h>
#include <ksma/types.h>

#ifdef __cplusplus
extern "C" {
#endif

enum ksma_vendor_kind {
	KSMA_VENDOR_KERNEL, /* the ELF inside a kernel image, with its boot relocations behind it */
	KSMA_VENDOR_MODULE, /* a .ko, plain, with its signature if it has one */
};

/* Who signed it, as far as could be told when it was added. */
enum ksma_vendor_signature {
	KSMA_VENDOR_UNSIGNED,	/* it bears no signature */
	KSMA_VENDOR_UNVERIFIED, /* it is signed, and no certificate that was given verifies it */
	KSMA_VENDOR_VERIFIED,	/* by a certificate that was given with --trust */
};

enum { KSMA_VENDOR_SHA256_TEXT = 65, KSMA_VENDOR_BUILD_ID_MAX = 32 };

/* What the store says of one object. The texts are never NULL; "" where there is nothing to say. */
struct ksma_vendor_entry {
	enum ksma_vendor_kind kind;
	enum ksma_vendor_signature signature;
	char sha256[KSMA_VENDOR_SHA256_TEXT]; /* of the object's bytes, lower-case hex */
	uint8_t build_id[KSMA_VENDOR_BUILD_ID_MAX];
	size_t build_id_length;
	uint64_t size;
	uint64_t added; /* seconds since the epoch */
	char *name;	/* a module's name; for a kernel "vmlinux" */
	char *release;	/* "6.1.0-56-amd64", of the kernel that it is or is for */
	char *package;	/* the package that it came in, its version and architecture */
	char *version;
	char *architecture;
	char *file;   /* its path in the package, or on the host that added it */
	char *source; /* SHA-256 of the file that was given to `ksma vendor add`, as it was */
	char *signer; /* the signer's name as the signature gives it */
};

struct ksma_vendor_entries {
	struct ksma_vendor_entry *items;
	size_t count, capacity;
};

/* An object's bytes, mapped read-only. */
struct ksma_vendor_object {
	struct ksma_vendor_entry entry;
	const uint8_t *data;
	size_t length;
};

/* An open store. */
struct ksma_vendor;

/* Where the store is when nobody says: $KSMA_VENDOR, else /var/lib/kvm-sma/vendor. */
const char *ksma_vendor_default_path(void);

/* Opens a store for reading. `path` NULL means the default.
 * @ret_vendor closed with ksma_vendor_close()
 * @return NULL, NOT_PRESENT (there is no store), UNSUPPORTED (made by another version), PERMISSION (not readable, or writable by
 * others than its owner), OS, NOMEM */
struct ksma_error *ksma_vendor_open(const char *path,
				    struct ksma_vendor **ret_vendor) KSMA_MUST_CHECK;
void ksma_vendor_close(struct ksma_vendor *vendor);
const char *ksma_vendor_path(const struct ksma_vendor *vendor);

/* All that is in it, kernels first, then by release and name. @ret_entries freed with ksma_vendor_entries_free() */
struct ksma_error *ksma_vendor_list(struct ksma_vendor *vendor,
				    struct ksma_vendor_entries *ret_entries) KSMA_MUST_CHECK;
void ksma_vendor_entries_free(struct ksma_vendor_entries *entries);
void ksma_vendor_entry_deinit(struct ksma_vendor_entry *entry);

/* The kernel or module of a build id; costs a few small reads, however large the store is. Where several objects share a build id
 * (a module signed anew), a verified one is taken.
 * @ret_object ended with ksma_vendor_object_deinit(), before or after the store is closed
 * @return NULL, NOT_PRESENT, BAD_DATA (the store is damaged), OS, NOMEM */
struct ksma_error *ksma_vendor_find(struct ksma_vendor *vendor, enum ksma_vendor_kind kind,
				    const uint8_t *build_id, size_t build_id_length,
				    struct ksma_vendor_object *ret_object) KSMA_MUST_CHECK;
void ksma_vendor_object_deinit(struct ksma_vendor_object *object);

/* "kernel", "module"; "none", "unverified", "verified": the words of the JSON output. */
const char *ksma_vendor_kind_name(enum ksma_vendor_kind kind);
const char *ksma_vendor_signature_name(enum ksma_vendor_signature signature);

#ifdef __cplusplus
}
#endif
#endif
