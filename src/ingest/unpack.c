/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unpacks what kernels and packages are packed with. libarchive does the formats; the limits are ours. */
#include "ingest/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>

#include "ingest/rpm.h"

enum { BLOCK = 1 << 18 };

static void end_archive(struct archive **a)
{
	if (*a)
		archive_read_free(*a);
}
#define _cleanup_archive_ _cleanup_(end_archive)

static struct ksma_error *bad(struct archive *a, const char *what)
{
	const char *words = archive_error_string(a);

	if (archive_errno(a) == ENOMEM)
		return ksma_error_nomem();
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s: %s", what,
				 words ? words : "not what it seems");
}

/* A reader of the filters that we want. Those that libarchive would run another program for are left out. */
static struct archive *new_reader(void)
{
	struct archive *a = archive_read_new();

	if (!a)
		return NULL;
	if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_bzip2(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_lzma(a) != ARCHIVE_OK ||
	    archive_read_support_filter_lz4(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK) {
		archive_read_free(a);
		return NULL;
	}
	return a;
}

/* All of the current entry. */
static struct ksma_error *read_entry(struct archive *a, size_t expected, uint8_t **ret_data,
				     size_t *ret_length)
{
	_cleanup_free_ uint8_t *data = NULL;
	size_t capacity = 0, length = 0;

	for (;;) {
		ssize_t n;

		if (capacity - length < 4096)
			KSMA_TRY(ksma_array_grow(&data, &capacity,
						 length < expected && expected < INGEST_MAX_FILE
							 ? expected + 4096
							 : length + 65536,
						 1));
		n = archive_read_data(a, data + length, capacity - length);
		if (n == 0)
			break;
		if (n < 0)
			return bad(a, "cannot unpack it");
		length += (size_t)n;
		if (length > INGEST_MAX_FILE)
			return ksma_error_create(KSMA_ERROR_LIMIT, "it unpacks to more than 1 GiB");
	}
	*ret_data = TAKE_PTR(data);
	*ret_length = length;
	return NULL;
}

struct ksma_error *ingest_unpack(const uint8_t *data, size_t length, uint8_t **ret_data,
				 size_t *ret_length)
{
	_cleanup_archive_ struct archive *a = new_reader();
	struct archive_entry *entry;

	if (!a || archive_read_support_format_raw(a) != ARCHIVE_OK)
		return ksma_error_nomem();
	if (archive_read_open_memory(a, data, length) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return bad(a, "cannot unpack it");
	return read_entry(a, 0, ret_data, ret_length);
}

struct source {
	int fd;
	uint8_t buffer[BLOCK];
	struct ksma_error *error; /* of reading */
};

static ssize_t source_read(struct archive *a, void *arg, const void **ret_buffer)
{
	struct source *s = arg;
	ssize_t n;

	do
		n = read(s->fd, s->buffer, sizeof(s->buffer));
	while (n < 0 && errno == EINTR);
	if (n < 0 && !s->error)
		s->error = ksma_error_os(errno, "cannot read it");
	if (n < 0)
		archive_set_error(a, EIO, "cannot read");
	*ret_buffer = s->buffer;
	return n;
}

/* A member of the .deb, read as the file that the inner archive lies in. */
struct member {
	struct archive *outer;
	uint8_t buffer[BLOCK];
};

static ssize_t member_read(struct archive *a, void *arg, const void **ret_buffer)
{
	struct member *m = arg;
	ssize_t n = archive_read_data(m->outer, m->buffer, sizeof(m->buffer));

	if (n < 0)
		archive_set_error(a, EIO, "the package around it is cut");
	*ret_buffer = m->buffer;
	return n < 0 ? -1 : n;
}

/* A file that the visitor may want, as a whole. */
static struct ksma_error *visit_file(struct archive *a, struct archive_entry *entry,
				     const char *path, const struct ingest_visitor *visitor,
				     uint64_t *total)
{
	uint8_t *data = NULL;
	size_t length = 0;
	int64_t size;

	/* A hard link has no bytes of its own. */
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
	    !visitor->wants(visitor->arg, path))
		return NULL;
	size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	KSMA_TRY(ksma_error_prefix(read_entry(a, size > 0 ? (size_t)size : 0, &data, &length), "%s",
				   path));
	*total += length;
	if (*total > INGEST_MAX_PACKAGE) {
		free(data);
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "the package unpacks to more than 16 GiB");
	}
	return visitor->file(visitor->arg, path, data, length);
}

static enum ingest_type type_of(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return INGEST_HARDLINK;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return INGEST_FILE;
	case AE_IFLNK:
		return INGEST_SYMLINK;
	case AE_IFDIR:
		return INGEST_FOLDER;
	default:
		return INGEST_SPECIAL;
	}
}

static struct ksma_error *visit_member(struct archive *a, struct archive_entry *entry,
				       const char *path, const struct ingest_visitor *visitor)
{
	struct ingest_member member = {
		.type = type_of(entry),
		.path = path,
		.target = "",
		.mode = (uint32_t)archive_entry_mode(entry),
		.uid = (uint32_t)archive_entry_uid(entry),
		.gid = (uint32_t)archive_entry_gid(entry),
		.archive = a,
	};
	const char *target = NULL;

	if (member.type == INGEST_HARDLINK)
		target = archive_entry_hardlink(entry);
	else if (member.type == INGEST_SYMLINK)
		target = archive_entry_symlink(entry);
	if (target)
		member.target = target;
	if (archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0)
		member.size = (uint64_t)archive_entry_size(entry);
	return visitor->member(visitor->arg, &member);
}

struct ksma_error *ingest_member_read(const struct ingest_member *member, void *buffer, size_t size,
				      size_t *ret_length)
{
	ssize_t n = archive_read_data(member->archive, buffer, size);

	if (n < 0)
		return bad(member->archive, "cannot unpack it");
	*ret_length = (size_t)n;
	return NULL;
}

/* Goes through an archive's members. */
static struct ksma_error *walk(struct archive *a, const struct ingest_visitor *visitor)
{
	struct archive_entry *entry;
	uint64_t total = 0;
	int status;

	for (unsigned count = 0; (status = archive_read_next_header(a, &entry)) != ARCHIVE_EOF;
	     count++) {
		const char *path;

		if (status < ARCHIVE_WARN)
			return bad(a, "the package is damaged");
		if (count == INGEST_MAX_ENTRIES)
			return ksma_error_create(KSMA_ERROR_LIMIT,
						 "the package has too many files");
		path = archive_entry_pathname(entry);
		if (path && visitor->member)
			KSMA_TRY(visit_member(a, entry, path, visitor));
		else if (path)
			KSMA_TRY(visit_file(a, entry, path, visitor, &total));
		else if (visitor->member)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the package has a file without a name");
	}
	return NULL;
}

static struct ksma_error *walk_member(struct archive *outer, const struct ingest_visitor *visitor)
{
	_cleanup_archive_ struct archive *inner = new_reader();
	_cleanup_free_ struct member *member = calloc(1, sizeof(*member));

	if (!inner || !member || archive_read_support_format_tar(inner) != ARCHIVE_OK)
		return ksma_error_nomem();
	member->outer = outer;
	if (archive_read_open(inner, member, NULL, member_read, NULL) != ARCHIVE_OK)
		return bad(inner, "the package is damaged");
	return walk(inner, visitor);
}

static const char *const scripts[INGEST_SCRIPTS] = { "preinst", "postinst", "prerm", "postrm",
						     "config" };

static const char *plain_name(const char *path)
{
	return path + (path[0] == '.' && path[1] == '/' ? 2 : 0);
}

/* The place of a script among them, or INGEST_SCRIPTS. */
static size_t script_of(const char *path)
{
	size_t i = 0;

	while (i < INGEST_SCRIPTS && strcmp(plain_name(path), scripts[i]) != 0)
		i++;
	return i;
}

static bool is_control(void *arg, const char *path)
{
	return strcmp(plain_name(path), "control") == 0 ||
	       strcmp(plain_name(path), "conffiles") == 0 || script_of(path) < INGEST_SCRIPTS;
}

/* The value of a field of a control file, or "". */
static struct ksma_error *control_field(const char *text, const char *key, char **ret_value)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			line += length + 1;
			line += strspn(line, " \t");
			*ret_value = strndup(line, strcspn(line, "\r\n"));
			return *ret_value ? NULL : ksma_error_nomem();
		}
	}
	return ksma_strdup("", ret_value);
}

static struct ksma_error *read_control(void *arg, const char *path, uint8_t *data, size_t length)
{
	_cleanup_free_ char *text = NULL, *same = NULL;
	struct ingest_package *package = arg;
	size_t script = script_of(path);

	if (script < INGEST_SCRIPTS) {
		free(package->scripts[script].data);
		package->scripts[script] = (struct ingest_script){ scripts[script], data, length };
		return NULL;
	}
	text = strndup((const char *)data, length);
	free(data);
	if (!text)
		return ksma_error_nomem();
	if (strcmp(plain_name(path), "conffiles") == 0) {
		free(package->conffiles);
		package->conffiles = TAKE_PTR(text);
		return NULL;
	}
	free(package->name);
	free(package->version);
	free(package->architecture);
	package->name = package->version = package->architecture = NULL;
	KSMA_TRY(control_field(text, "Multi-Arch", &same));
	package->with_architecture = strcmp(same, "same") == 0;
	KSMA_TRY(control_field(text, "Package", &package->name));
	KSMA_TRY(control_field(text, "Version", &package->version));
	return control_field(text, "Architecture", &package->architecture);
}

static struct ksma_error *read_deb(struct archive *a, const struct ingest_visitor *visitor,
				   struct ingest_package *package)
{
	const struct ingest_visitor control = { .wants = is_control,
						.file = read_control,
						.arg = package };
	struct archive_entry *entry;
	bool data = false;
	int status;

	while ((status = archive_read_next_header(a, &entry)) != ARCHIVE_EOF) {
		const char *name;

		if (status < ARCHIVE_WARN)
			return bad(a, "the package is damaged");
		name = archive_entry_pathname(entry);
		if (name && strncmp(name, "control.tar", 11) == 0)
			KSMA_TRY(walk_member(a, &control));
		if (!name || strncmp(name, "data.tar", 8) != 0)
			continue;
		if (!package->name)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the package does not say what it is");
		data = true;
		KSMA_TRY(walk_member(a, visitor));
	}
	return data ? NULL : ksma_error_create(KSMA_ERROR_BAD_DATA, "the package has no contents");
}

/* The headers of an .rpm are before what libarchive sees. */
static struct ksma_error *read_rpm(struct archive *a, int fd, const struct ingest_visitor *visitor,
				   struct ingest_package *package)
{
	_cleanup_free_ uint8_t *head = malloc(RPM_MAX_HEAD);
	struct rpm_info info;
	ssize_t n;

	if (!head)
		return ksma_error_nomem();
	n = pread(fd, head, RPM_MAX_HEAD, 0);
	if (n < 0)
		return ksma_error_os(errno, "cannot read it");
	KSMA_TRY(rpm_parse(head, (size_t)n, &info));
	KSMA_TRY(ksma_strdup(info.name, &package->name));
	KSMA_TRY(ksma_asprintf(&package->version, "%s-%s", info.version, info.release));
	KSMA_TRY(ksma_strdup(info.architecture, &package->architecture));
	return walk(a, visitor);
}

enum ingest_format ingest_format_of(const uint8_t *data, size_t length)
{
	static const uint8_t rpm[] = { 0xed, 0xab, 0xee, 0xdb };

	if (length >= 21 && memcmp(data, "!<arch>\ndebian-binary", 21) == 0)
		return INGEST_DEB;
	if (length >= sizeof(rpm) && memcmp(data, rpm, sizeof(rpm)) == 0)
		return INGEST_RPM;
	return INGEST_OTHER;
}

static struct ksma_error *read_package(struct source *source, enum ingest_format format,
				       const struct ingest_visitor *visitor,
				       struct ingest_package *package)
{
	_cleanup_archive_ struct archive *a = new_reader();
	struct ksma_error *error;

	if (!a ||
	    (format == INGEST_DEB ? archive_read_support_format_ar(a)
				  : archive_read_support_format_cpio(a)) != ARCHIVE_OK ||
	    (format == INGEST_RPM && archive_read_support_filter_rpm(a) != ARCHIVE_OK))
		return ksma_error_nomem();
	if (archive_read_open(a, source, NULL, source_read, NULL) != ARCHIVE_OK)
		error = bad(a, "the package is damaged");
	else if (format == INGEST_DEB)
		error = read_deb(a, visitor, package);
	else
		error = read_rpm(a, source->fd, visitor, package);
	if (error && source->error) {
		ksma_error_destroy(error);
		error = TAKE_PTR(source->error);
	}
	return error;
}

struct ksma_error *ingest_package_read(int fd, enum ingest_format format,
				       const struct ingest_visitor *visitor,
				       struct ingest_package *package)
{
	_cleanup_free_ struct source *source = calloc(1, sizeof(*source));
	struct ksma_error *error;

	if (!source)
		return ksma_error_nomem();
	source->fd = fd;
	error = read_package(source, format, visitor, package);
	ksma_error_destroy(source->error);
	return error;
}

void ingest_package_deinit(struct ingest_package *package)
{
	free(package->name);
	free(package->version);
	free(package->architecture);
	free(package->conffiles);
	for (size_t i = 0; i < INGEST_SCRIPTS; i++)
		free(package->scripts[i].data);
	memset(package, 0, sizeof(*package));
}
