/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Builds a manifest from packages (.deb, .rpm): what they install, before any of their scripts has run. */
#include <errno.h>
#include <sys/stat.h>

#include "ingest/unpack.h"
#include "signed/builder.h"

/* A name of a file that has its bytes by another name. */
struct name {
	char *path, *of;
	bool first; /* it was there before, without bytes, and others may be names of it */
};

/* One package. */
struct source {
	struct signed_builder *builder;
	struct ingest_package package;
	char *origin;
	struct {
		struct name *items;
		size_t count, capacity;
	} names;
};

static void source_deinit(struct source *s)
{
	ingest_package_deinit(&s->package);
	free(s->origin);
	for (size_t i = 0; i < s->names.count; i++) {
		free(s->names.items[i].path);
		free(s->names.items[i].of);
	}
	free(s->names.items);
}

/* Lines "/etc/x"; newer packages put words before the path ("remove-on-upgrade /etc/x"). */
static bool is_conffile(const struct source *s, const char *path)
{
	size_t length = strlen(path);

	for (const char *line = s->package.conffiles; line && *line;) {
		size_t n = strcspn(line, "\n");

		while (n && (line[n - 1] == ' ' || line[n - 1] == '\r'))
			n--;
		if (n >= length && memcmp(line + n - length, path, length) == 0 &&
		    (n == length || line[n - length - 1] == ' '))
			return true;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return false;
}

/* "coreutils 9.1-1 amd64", once the package has said so. */
static struct ksma_error *set_origin(struct source *s)
{
	if (s->origin)
		return NULL;
	KSMA_TRY(ksma_asprintf(&s->origin, "%s %s %s", s->package.name, s->package.version,
			       s->package.architecture));
	s->builder->origin = s->origin;
	return NULL;
}

static struct ksma_error *read_bytes(struct source *s, const struct ingest_member *m)
{
	uint64_t total = 0;
	size_t n;

	do {
		KSMA_TRY(ingest_member_read(m, s->builder->buffer, SIGNED_BUFFER, &n));
		total += n;
		if (total > INGEST_MAX_PACKAGE)
			return ksma_error_create(KSMA_ERROR_LIMIT, "it has more than 16 GiB");
		KSMA_TRY(signed_add_bytes(s->builder, s->builder->buffer, n));
	} while (n);
	return NULL;
}

static struct ksma_error *add_file(struct source *s, const struct ingest_member *m)
{
	_cleanup_free_ char *plain = NULL;
	struct signed_facts facts = { .path = m->path,
				      .mode = m->mode,
				      .uid = m->uid,
				      .gid = m->gid,
				      .flags = KSMA_MANIFEST_OWNER };

	KSMA_TRY(signed_plain_path(m->path, &plain));
	if (is_conffile(s, plain))
		facts.flags |= KSMA_MANIFEST_CONFFILE;
	KSMA_TRY(read_bytes(s, m));
	return signed_add_file(s->builder, &facts);
}

static struct ksma_error *remember(struct source *s, const char *path, const char *of, bool first)
{
	struct name *name;

	KSMA_TRY(KSMA_ARRAY_PUSH(&s->names, &name));
	name->first = first;
	KSMA_TRY(ksma_strdup(path, &name->path));
	return ksma_strdup(of, &name->of);
}

/* In a tar the first name has the bytes, in a cpio the last: whoever has some speaks for the other. */
static struct ksma_error *add_hardlink(struct source *s, const struct ingest_member *m)
{
	if (!m->size)
		return remember(s, m->path, m->target, false);
	KSMA_TRY(add_file(s, m));
	return remember(s, m->target, m->path, true);
}

static struct ksma_error *member(void *arg, const struct ingest_member *m)
{
	struct source *s = arg;
	struct signed_facts facts = { .path = m->path,
				      .mode = m->mode,
				      .uid = m->uid,
				      .gid = m->gid,
				      .flags = KSMA_MANIFEST_OWNER };
	struct ksma_error *error = NULL;

	KSMA_TRY(set_origin(s));
	switch (m->type) {
	case INGEST_FILE:
		error = add_file(s, m);
		break;
	case INGEST_SYMLINK:
		error = signed_add_link(s->builder, &facts, m->target);
		break;
	case INGEST_HARDLINK:
		error = add_hardlink(s, m);
		break;
	case INGEST_FOLDER:
		break;
	case INGEST_SPECIAL:
		s->builder->special++;
		break;
	}
	return ksma_error_prefix(error, "%s", m->path);
}

/* Those that others are names of come first. */
static struct ksma_error *add_names(struct source *s)
{
	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; i < s->names.count; i++) {
			const struct name *n = &s->names.items[i];

			if (n->first != first)
				continue;
			KSMA_TRY(ksma_error_prefix(signed_add_name(s->builder, n->of, n->path),
						   "%s", n->path));
			s->builder->files -= n->first;
		}
	return NULL;
}

/* Where dpkg keeps what it runs when the package comes, is set up and goes. */
static struct ksma_error *add_scripts(struct source *s)
{
	const struct ingest_package *p = &s->package;

	for (size_t i = 0; i < INGEST_SCRIPTS; i++) {
		const struct ingest_script *script = &p->scripts[i];
		_cleanup_free_ char *path = NULL;
		struct signed_facts facts = { .mode = 0755, .flags = KSMA_MANIFEST_OWNER };

		if (!script->length)
			continue;
		KSMA_TRY(ksma_asprintf(&path, "var/lib/dpkg/info/%s%s%s.%s", p->name,
				       p->with_architecture ? ":" : "",
				       p->with_architecture ? p->architecture : "", script->name));
		facts.path = path;
		KSMA_TRY(signed_add_bytes(s->builder, script->data, script->length));
		KSMA_TRY(ksma_error_prefix(signed_add_file(s->builder, &facts), "%s", path));
	}
	return NULL;
}

static struct ksma_error *build(struct source *s, const char *path)
{
	const struct ingest_visitor visitor = { .member = member, .arg = s };
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	enum ingest_format format;
	uint8_t head[64];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ksma_error_os(errno, "cannot open it");
	if (!S_ISREG(st.st_mode))
		return ksma_error_create(KSMA_ERROR_INVALID, "it is no regular file");
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return ksma_error_os(errno, "cannot read it");
	format = ingest_format_of(head, (size_t)n);
	if (format == INGEST_OTHER)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "it is no package (.deb or .rpm)");
	KSMA_TRY(ingest_package_read(fd, format, &visitor, &s->package));
	KSMA_TRY(set_origin(s));
	KSMA_TRY(add_scripts(s));
	return add_names(s);
}

struct ksma_error *signed_build_package(struct signed_builder *b, const char *path)
{
	struct source s = { .builder = b };
	struct ksma_error *error = build(&s, path);

	b->origin = "";
	source_deinit(&s);
	return ksma_error_prefix(error, "%s", path);
}
