/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the file that a person names to the objects of the store: finds the kernels and modules in it, however deep they are packed. */
#include "ingest/add.h"

#include <errno.h>
#include <fts.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <time.h>

#include "ingest/signature.h"
#include "vendor/bzimage.h"
#include "vendor/image.h"
#include "vendor/module.h"

enum { BUFFER = 1 << 20 };

/* One file that was given. */
struct addition {
	struct ksma_vendor *vendor;
	struct ksma_vendor_writer *writer;
	const struct ingest_trust *trust;
	/* The certificates of the kernel that the modules are for, and how far that one is trusted. */
	struct ingest_trust *kernel_trust;
	char *kernel_release; /* NULL: not looked for yet */
	enum ksma_vendor_signature kernel_signature;
	struct ingest_package package;
	char source[KSMA_VENDOR_SHA256_TEXT];
	struct ingest_result result;
	uint64_t now;
};

static void sha256_text(const uint8_t *data, size_t length, char *text)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256(data, length, hash);
	ksma_hex_format(hash, sizeof(hash), text);
}

/* The hash of a file, as a person would check it with sha256sum. */
static struct ksma_error *hash_file(int fd, char *text)
{
	_cleanup_free_ uint8_t *buffer = malloc(BUFFER);
	uint8_t hash[SHA256_DIGEST_LENGTH];
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = buffer && context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
	ssize_t n = 1;

	for (off_t at = 0; good && n > 0; at += n) {
		n = pread(fd, buffer, BUFFER, at);
		if (n > 0)
			good = EVP_DigestUpdate(context, buffer, (size_t)n) == 1;
	}
	good = good && EVP_DigestFinal_ex(context, hash, NULL) == 1;
	EVP_MD_CTX_free(context);
	if (n < 0)
		return ksma_error_os(errno, "cannot read it");
	if (!good)
		return ksma_error_nomem();
	ksma_hex_format(hash, sizeof(hash), text);
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static bool is_module_name(const char *path)
{
	static const char *const ends[] = { ".ko",    ".ko.xz",	 ".ko.zst",
					    ".ko.gz", ".ko.bz2", ".ko.lz4" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (ends_with(path, ends[i]))
			return true;
	return false;
}

static bool wants(void *arg, const char *path)
{
	const char *name = base_name(path);

	return is_module_name(name) ||
	       ((strncmp(name, "vmlinuz", 7) == 0 || strncmp(name, "vmlinux", 7) == 0) &&
		/* their detached signatures and checksums */
		!ends_with(name, ".hmac") && !ends_with(name, ".sig") &&
		!ends_with(name, ".sha256"));
}

/* Fills the build id. @return false when there is none that a store can hold */
static bool set_build_id(const struct ksma_elf *elf, struct ksma_vendor_entry *entry)
{
	size_t length = 0;
	const uint8_t *id = ksma_elf_build_id(elf, &length);

	/* One byte names a folder. */
	if (!id || length < 2 || length > sizeof(entry->build_id))
		return false;
	memcpy(entry->build_id, id, length);
	entry->build_id_length = length;
	return true;
}

static void signature_deinit(struct ingest_signature *signature)
{
	free(signature->signer);
}

/* The texts of an entry are borrowed here. */
static void describe(struct addition *a, const char *path, struct ksma_vendor_entry *entry)
{
	entry->package = a->package.name;
	entry->version = a->package.version;
	entry->architecture = a->package.architecture;
	entry->file = (char *)(uintptr_t)(path[0] == '.' && path[1] == '/' ? path + 1 : path);
	entry->source = a->source;
	entry->added = a->now;
}

static struct ksma_error *put(struct addition *a, const uint8_t *data, size_t length,
			      struct ksma_vendor_entry *entry, size_t *count)
{
	bool known;

	sha256_text(data, length, entry->sha256);
	KSMA_TRY(ksma_vendor_put(a->writer, data, length, entry, &known));
	(*count)++;
	if (known)
		a->result.known++;
	else
		a->result.bytes += length;
	return NULL;
}

/* "6.1.0-56-amd64" of "Linux version 6.1.0-56-amd64 (…", the kernel's banner. */
static struct ksma_error *find_release(const struct ksma_elf *elf, char **ret_release)
{
	static const char banner[] = "Linux version ";

	for (size_t i = 0; i < elf->section_count; i++) {
		const struct ksma_elf_section *s = &elf->sections[i];
		const char *at, *end;
		size_t length = 0;

		if (!s->data || !(s->flags & KSMA_SHF_ALLOC) || s->flags & KSMA_SHF_EXECINSTR)
			continue;
		at = memmem(s->data, s->size, banner, strlen(banner));
		if (!at)
			continue;
		at += strlen(banner);
		end = (const char *)s->data + s->size;
		while (at + length < end && length < 65 && at[length] > ' ' && at[length] < 0x7f)
			length++;
		*ret_release = strndup(at, length);
		return *ret_release ? NULL : ksma_error_nomem();
	}
	return ksma_strdup("", ret_release);
}

/* From here on modules of this release are held against what their kernel was built with. */
static struct ksma_error *take_kernel_trust(struct addition *a, const struct ksma_elf *elf,
					    const char *release,
					    enum ksma_vendor_signature signature)
{
	char *copy;

	KSMA_TRY(ksma_strdup(release, &copy));
	free(a->kernel_release);
	a->kernel_release = copy;
	a->kernel_signature = signature;
	ingest_trust_destroy(a->kernel_trust);
	a->kernel_trust = NULL;
	return elf ? ingest_trust_of_kernel(elf, &a->kernel_trust) : NULL;
}

/* The kernel of a module's release: the one of the same package, else the best of the store. */
static struct ksma_error *find_kernel_trust(struct addition *a, const char *release)
{
	_cleanup_(ksma_vendor_entries_free) struct ksma_vendor_entries entries = { 0 };
	_cleanup_(ksma_vendor_object_deinit) struct ksma_vendor_object object = { 0 };
	_cleanup_(ksma_vendor_image_deinit) struct ksma_vendor_image image = { 0 };
	const struct ksma_vendor_entry *best = NULL;

	if (a->kernel_release && strcmp(a->kernel_release, release) == 0)
		return NULL;
	KSMA_TRY(ksma_vendor_list(a->vendor, &entries));
	for (size_t i = 0; i < entries.count; i++) {
		const struct ksma_vendor_entry *e = &entries.items[i];

		if (e->kind == KSMA_VENDOR_KERNEL && strcmp(e->release, release) == 0 &&
		    (!best || e->signature > best->signature))
			best = e;
	}
	if (!best)
		return take_kernel_trust(a, NULL, release, KSMA_VENDOR_UNSIGNED);
	KSMA_TRY(ksma_vendor_map(a->vendor, best, &object));
	KSMA_TRY(ksma_vendor_image_init(object.data, object.length, &image));
	return take_kernel_trust(a, &image.elf, release, best->signature);
}

/* By the certificates that were given; else by those that its kernel was built with, as far as that one is verified. */
static struct ksma_error *check_module(struct addition *a, const uint8_t *data, const char *release,
				       const struct ksma_module_signature *appended,
				       struct ingest_signature *ret)
{
	struct ingest_signature by_kernel = { 0 };

	KSMA_TRY(ingest_module_signature(data, appended->content_length, appended->pkcs7,
					 appended->pkcs7_length, a->trust, ret));
	if (!appended->pkcs7 || ret->state == KSMA_VENDOR_VERIFIED)
		return NULL;
	KSMA_TRY(find_kernel_trust(a, release));
	if (!a->kernel_trust)
		return NULL;
	KSMA_TRY(ingest_module_signature(data, appended->content_length, appended->pkcs7,
					 appended->pkcs7_length, a->kernel_trust, &by_kernel));
	if (by_kernel.state == KSMA_VENDOR_VERIFIED)
		ret->state = a->kernel_signature == KSMA_VENDOR_VERIFIED ? KSMA_VENDOR_VERIFIED
									 : KSMA_VENDOR_UNVERIFIED;
	free(by_kernel.signer);
	return NULL;
}

/* @signature of the image that it lay in */
static struct ksma_error *add_kernel(struct addition *a, const char *path, const uint8_t *data,
				     size_t length, const struct ingest_signature *signature)
{
	static char name[] = "vmlinux";
	struct ksma_vendor_entry entry = { .kind = KSMA_VENDOR_KERNEL, .name = name };
	_cleanup_(ksma_vendor_image_deinit) struct ksma_vendor_image image = { 0 };
	_cleanup_free_ char *release = NULL;

	KSMA_TRY(ksma_vendor_image_init(data, length, &image));
	if (!set_build_id(&image.elf, &entry))
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the kernel has no build id that a guest could be matched by");
	if (!ksma_elf_section(&image.elf, ".text"))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "the kernel has no section headers");
	KSMA_TRY(find_release(&image.elf, &release));
	entry.release = release;
	entry.signature = signature->state;
	entry.signer = signature->signer;
	describe(a, path, &entry);
	KSMA_TRY(take_kernel_trust(a, &image.elf, release, signature->state));
	return put(a, data, length, &entry, &a->result.kernels);
}

static struct ksma_error *add_module(struct addition *a, const char *path, const uint8_t *data,
				     size_t length)
{
	struct ksma_vendor_entry entry = { .kind = KSMA_VENDOR_MODULE };
	_cleanup_(ksma_elf_deinit) struct ksma_elf elf = { 0 };
	_cleanup_free_ char *name = NULL, *release = NULL;
	_cleanup_(signature_deinit) struct ingest_signature signature = { 0 };
	struct ksma_module_signature appended;
	const char *text;

	KSMA_TRY(ksma_module_signature(data, length, &appended));
	KSMA_TRY(ksma_elf_init(data, appended.content_length, &elf));
	if (!ksma_elf_section(&elf, ".modinfo") ||
	    !ksma_elf_section(&elf, ".gnu.linkonce.this_module"))
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "it is no kernel module");
	if (!set_build_id(&elf, &entry)) {
		a->result.passed_over++;
		return NULL;
	}
	text = ksma_modinfo(&elf, "name");
	name = strndup(text ? text : base_name(path), text ? 64 : strcspn(base_name(path), "."));
	text = ksma_modinfo(&elf, "vermagic");
	release = strndup(text ? text : "", text ? strcspn(text, " ") : 0);
	if (!name || !release)
		return ksma_error_nomem();
	KSMA_TRY(check_module(a, data, release, &appended, &signature));
	entry.name = name;
	entry.release = release;
	entry.signature = signature.state;
	entry.signer = signature.signer;
	describe(a, path, &entry);
	return put(a, data, length, &entry, &a->result.modules);
}

static struct ksma_error *add_bzimage(struct addition *a, const char *path, const uint8_t *data,
				      size_t length)
{
	_cleanup_(signature_deinit) struct ingest_signature signature = { 0 };
	_cleanup_free_ uint8_t *unpacked = NULL;
	struct ksma_bzimage image;
	size_t unpacked_length;

	KSMA_TRY(ksma_bzimage_parse(data, length, &image));
	KSMA_TRY(ingest_image_signature(data, length, a->trust, &signature));
	if (image.packing == KSMA_PACKING_NONE)
		return add_kernel(a, path, image.payload, image.payload_length, &signature);
	if (image.packing == KSMA_PACKING_LZO)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "the kernel in it is packed with LZO, which is not read");
	KSMA_TRY(ksma_error_prefix(ingest_unpack(image.payload, image.payload_length, &unpacked,
						 &unpacked_length),
				   "the kernel in it (%s)", ksma_packing_name(image.packing)));
	if (unpacked_length != image.unpacked)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"the kernel in it unpacks to %zu bytes and says that it has %zu",
			unpacked_length, image.unpacked);
	return add_kernel(a, path, unpacked, unpacked_length, &signature);
}

/* A file's bytes, not packed (or not any more). */
static struct ksma_error *add_plain(struct addition *a, const char *path, const uint8_t *data,
				    size_t length)
{
	static const struct ingest_signature none = { 0 };

	if (ksma_bzimage_is(data, length))
		return add_bzimage(a, path, data, length);
	if (length < 18 || memcmp(data, "\177ELF", 4) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "it is neither a kernel image nor a module nor a package");
	if ((data[16] | data[17] << 8) == KSMA_ET_REL)
		return add_module(a, path, data, length);
	return add_kernel(a, path, data, length, &none);
}

static struct ksma_error *add_bytes(struct addition *a, const char *path, const uint8_t *data,
				    size_t length)
{
	enum ksma_packing packing = ksma_packing_of(data, length);
	_cleanup_free_ uint8_t *unpacked = NULL;
	size_t unpacked_length;

	if (packing == KSMA_PACKING_NONE)
		return add_plain(a, path, data, length);
	KSMA_TRY(ingest_unpack(data, length, &unpacked, &unpacked_length));
	return add_plain(a, path, unpacked, unpacked_length);
}

static struct ksma_error *visit(void *arg, const char *path, uint8_t *data, size_t length)
{
	struct ksma_error *error = add_bytes(arg, path, data, length);

	free(data);
	return ksma_error_prefix(error, "%s", path);
}

static struct ksma_error *read_all(int fd, uint64_t size, uint8_t **ret_data, size_t *ret_length)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t length = 0;

	if (size > INGEST_MAX_FILE)
		return ksma_error_create(KSMA_ERROR_LIMIT, "it is larger than 1 GiB");
	data = malloc(size + 1);
	if (!data)
		return ksma_error_nomem();
	while (length < size) {
		ssize_t n = pread(fd, data + length, size - length, (off_t)length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ksma_error_os(errno, "cannot read it");
		if (n == 0)
			break;
		length += (size_t)n;
	}
	*ret_data = TAKE_PTR(data);
	*ret_length = length;
	return NULL;
}

static struct ksma_error *add_file(struct addition *a, const char *path)
{
	const struct ingest_visitor visitor = { .wants = wants, .file = visit, .arg = a };
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ uint8_t *data = NULL;
	uint8_t head[64];
	enum ingest_format format;
	size_t length;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ksma_error_os(errno, "cannot open it");
	if (!S_ISREG(st.st_mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "it is no regular file and no folder");
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return ksma_error_os(errno, "cannot read it");
	KSMA_TRY(hash_file(fd, a->source));
	format = ingest_format_of(head, (size_t)n);
	if (format != INGEST_OTHER)
		return ingest_package_read(fd, format, &visitor, &a->package);
	KSMA_TRY(read_all(fd, (uint64_t)st.st_size, &data, &length));
	return add_bytes(a, path, data, length);
}

static struct ksma_error *add_folder(struct addition *a, const char *path)
{
	char *roots[] = { (char *)(uintptr_t)path, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, NULL);
	struct ksma_error *error = NULL;
	FTSENT *entry;

	if (!fts)
		return ksma_error_os(errno, "cannot open it");
	while (!error && (errno = 0, entry = fts_read(fts))) {
		if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR)
			error = ksma_error_os(entry->fts_errno, "cannot read %s", entry->fts_path);
		else if (entry->fts_info == FTS_F && wants(NULL, entry->fts_path))
			error = ksma_error_prefix(add_file(a, entry->fts_path), "%s",
						  entry->fts_path);
	}
	if (!error && errno)
		error = ksma_error_os(errno, "cannot read it");
	fts_close(fts);
	return error;
}

static struct ksma_error *add(struct addition *a, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return ksma_error_os(errno, "cannot open it");
	KSMA_TRY(S_ISDIR(st.st_mode) ? add_folder(a, path) : add_file(a, path));
	return ksma_vendor_commit(a->writer);
}

struct ksma_error *ingest_add(struct ksma_vendor *vendor, const char *path,
			      const struct ingest_trust *trust, struct ingest_result *ret_result)
{
	struct addition a = { .vendor = vendor, .trust = trust, .now = (uint64_t)time(NULL) };
	struct ksma_error *error;

	KSMA_TRY(ksma_vendor_begin(vendor, &a.writer));
	error = add(&a, path);
	ksma_vendor_writer_destroy(a.writer);
	ingest_package_deinit(&a.package);
	ingest_trust_destroy(a.kernel_trust);
	free(a.kernel_release);
	if (error)
		return ksma_error_prefix(error, "%s", path);
	*ret_result = a.result;
	return NULL;
}

static struct ksma_error *parse_again(const struct ksma_vendor_object *object,
				      struct ksma_vendor_entry *found)
{
	if (object->entry.kind == KSMA_VENDOR_KERNEL) {
		_cleanup_(ksma_vendor_image_deinit) struct ksma_vendor_image image = { 0 };

		KSMA_TRY(ksma_vendor_image_init(object->data, object->length, &image));
		set_build_id(&image.elf, found);
	} else {
		_cleanup_(ksma_elf_deinit) struct ksma_elf elf = { 0 };

		struct ksma_module_signature appended;

		KSMA_TRY(ksma_module_signature(object->data, object->length, &appended));
		KSMA_TRY(ksma_elf_init(object->data, appended.content_length, &elf));
		set_build_id(&elf, found);
	}
	return NULL;
}

struct ksma_error *ingest_verify(const struct ksma_vendor_object *object)
{
	struct ksma_vendor_entry found = { 0 };

	sha256_text(object->data, object->length, found.sha256);
	if (strcmp(found.sha256, object->entry.sha256) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "its bytes are not those that were added");
	KSMA_TRY(parse_again(object, &found));
	if (found.build_id_length != object->entry.build_id_length ||
	    memcmp(found.build_id, object->entry.build_id, found.build_id_length) != 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "it stands under a build id that is not its own");
	return NULL;
}
