/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma manifest build: from what to what. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/replace.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "ingest/confine.h"
#include "signed/builder.h"
#include "signed/common.h"
#include "signed/run.h"

/* Packages that were named, one by one or as folders of them. */
struct names {
	char **items;
	size_t count, capacity;
};

static void names_deinit(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_package(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && (strcmp(name + n - 4, ".deb") == 0 || strcmp(name + n - 4, ".rpm") == 0);
}

static struct ksma_error *add_folder(struct names *names, const char *path, DIR *dir)
{
	size_t before = names->count;
	struct dirent *d;
	char **slot;

	while ((errno = 0, d = readdir(dir)))
		if (d->d_name[0] != '.' && is_package(d->d_name)) {
			KSMA_TRY(KSMA_ARRAY_PUSH(names, &slot));
			KSMA_TRY(ksma_asprintf(slot, "%s/%s", path, d->d_name));
		}
	if (errno)
		return ksma_error_os(errno, "cannot read %s", path);
	if (names->count == before)
		return ksma_error_create(KSMA_ERROR_INVALID, "%s holds no packages", path);
	qsort(names->items + before, names->count - before, sizeof(*names->items), by_name);
	return NULL;
}

static struct ksma_error *add_name(struct names *names, const char *path)
{
	DIR *dir = opendir(path);
	struct ksma_error *error;
	char **slot;

	if (!dir) {
		KSMA_TRY(KSMA_ARRAY_PUSH(names, &slot));
		return ksma_strdup(path, slot);
	}
	error = add_folder(names, path, dir);
	closedir(dir);
	return error;
}

/* --package may come again and again, and what follows the action are packages as well. */
static struct ksma_error *find_packages(const struct cli *cli, struct names *names)
{
	for (size_t i = 0; i < cli->given.count; i++)
		if (cli->given.items[i].id == CLI_PACKAGE)
			KSMA_TRY(add_name(names, cli->given.items[i].value));
	for (size_t i = 1; i < cli->operand_count; i++)
		KSMA_TRY(add_name(names, cli->operands[i]));
	return NULL;
}

/* From here on, nothing is written but beside the output. */
static struct ksma_error *confine(const char *output)
{
	const char *slash = strrchr(output, '/');
	_cleanup_free_ char *folder = NULL;

	KSMA_TRY(slash ? ksma_asprintf(&folder, "%.*s/", (int)(slash - output), output)
		       : ksma_strdup(".", &folder));
	return ingest_confine(folder);
}

static struct ksma_error *from_packages(struct cli *cli, struct signed_builder *b)
{
	_cleanup_(names_deinit) struct names names = { 0 };

	KSMA_TRY(find_packages(cli, &names));
	KSMA_TRY(confine(cli->values[CLI_OUTPUT]));
	b->both_names = true;
	cli_progress_say(cli->progress, "reading packages");
	for (size_t i = 0; i < names.count; i++)
		KSMA_TRY(signed_build_package(b, names.items[i]));
	return NULL;
}

static struct ksma_error *from_image(struct cli *cli, struct signed_builder *b)
{
	cli_progress_say(cli->progress, "hashing the files of the image");
	return signed_build_image(b, cli->values[CLI_IMAGE]);
}

static struct ksma_error *from_root(struct cli *cli, struct signed_builder *b)
{
	cli_progress_say(cli->progress, "hashing files");
	return signed_build_root(b, cli->values[CLI_ROOT]);
}

static struct ksma_error *write_manifest(void *arg, int fd)
{
	uint64_t time;

	KSMA_TRY(signed_created(&time));
	return ksma_manifest_writer_write(arg, fd, time);
}

static void json_left_out(struct cli_json *json, const struct signed_builder *b)
{
	cli_json_array(json, "left_out");
	for (size_t i = 0; i < b->left_out.count; i++) {
		cli_json_object(json, NULL);
		cli_json_text(json, "where", b->left_out.items[i].where);
		cli_json_text(json, "what", b->left_out.items[i].what);
		cli_json_close(json);
	}
	cli_json_close(json);
}

static void report(struct cli *cli, const struct signed_builder *b)
{
	const char *output = cli->values[CLI_OUTPUT];
	char size[CLI_BUFFER];
	struct cli_json json;

	if (cli_has(cli, CLI_JSON)) {
		cli_document_begin(cli, &json);
		cli_json_text(&json, "manifest", output);
		cli_json_number(&json, "entries", ksma_manifest_writer_count(b->writer));
		cli_json_number(&json, "files", b->files);
		cli_json_number(&json, "symlinks", b->links);
		cli_json_number(&json, "special", b->special);
		cli_json_number(&json, "bytes", b->bytes);
		json_left_out(&json, b);
		cli_document_end(&json);
		return;
	}
	cli_line(cli, CLI_PLAIN,
		 "%s: %" PRIu64 " paths; %" PRIu64 " files (%s), %" PRIu64 " symbolic links",
		 output, ksma_manifest_writer_count(b->writer), b->files,
		 cli_format_size(b->bytes, size), b->links);
}

static struct ksma_error *build(struct cli *cli, struct signed_builder *b)
{
	const char *output = cli->values[CLI_OUTPUT];

	KSMA_TRY(signed_builder_init(b));
	if (cli_has(cli, CLI_PACKAGE))
		KSMA_TRY(from_packages(cli, b));
	else
		KSMA_TRY(cli_has(cli, CLI_IMAGE) ? from_image(cli, b) : from_root(cli, b));
	if (!b->files && !b->links)
		return ksma_error_create(KSMA_ERROR_INVALID, "there are no files to make %s of",
					 output);
	KSMA_TRY(ksma_replace_file(output, 0644, write_manifest, b->writer));
	for (size_t i = 0; i < b->left_out.count; i++)
		cli_warn(cli, "%s (%s) cannot be read, and is not in the manifest",
			 b->left_out.items[i].where, b->left_out.items[i].what);
	if (b->incomplete)
		cli_status_raise(cli, CLI_INCOMPLETE);
	report(cli, b);
	return NULL;
}

struct ksma_error *signed_manifest_build(struct cli *cli)
{
	struct signed_builder b = { 0 };
	struct ksma_error *error;

	if (cli_has(cli, CLI_ROOT) + cli_has(cli, CLI_IMAGE) + cli_has(cli, CLI_PACKAGE) != 1)
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"manifest build needs one of --root DIR, --image FILE and --package FILE…");
	if (!cli_has(cli, CLI_PACKAGE))
		KSMA_TRY(signed_operands(cli, 1, 1, ""));
	KSMA_TRY(signed_need(cli, CLI_OUTPUT));
	error = build(cli, &b);
	signed_builder_deinit(&b);
	return error;
}
