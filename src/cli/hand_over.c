/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the other program, gives it the command line, and becomes it. */
#include "cli/hand_over.h"

#include <errno.h>

#include "cli/progress.h"

/* Where it is: beside us in the build tree, or where it is installed. */
static struct ksma_error *find_program(const char *name, char **ret_path)
{
	static const char *const places[] = { "", "../libexec/kvm-sma/" };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[n > 0 ? n : 0] = 0;
	if (strrchr(self, '/'))
		strrchr(self, '/')[1] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *path = NULL;

		KSMA_TRY(ksma_asprintf(&path, "%s%s%s", self, places[i], name));
		if (access(path, X_OK) == 0) {
			*ret_path = TAKE_PTR(path);
			return NULL;
		}
	}
	return ksma_asprintf(ret_path, "%s/%s", KSMA_LIBEXEC, name);
}

/* "--name=value" for each option that was given. */
struct options {
	char **items;
	size_t count, capacity;
};

static void options_deinit(struct options *options)
{
	for (size_t i = 0; i < options->count; i++)
		free(options->items[i]);
	free(options->items);
}

static struct ksma_error *add_option(struct options *options, size_t id, const char *value)
{
	const struct cli_option *o = &cli_options[id];
	char **slot;

	KSMA_TRY(KSMA_ARRAY_PUSH(options, &slot));
	return ksma_asprintf(slot, "--%s%s%s", o->name, o->value ? "=" : "", value);
}

static struct ksma_error *collect(const struct cli *cli, struct options *options)
{
	for (size_t id = 0; id < CLI_OPTION_COUNT; id++)
		if (cli_has(cli, id) && !cli_option_repeats(id))
			KSMA_TRY(add_option(options, id, cli->values[id]));
	for (size_t i = 0; i < cli->given.count; i++)
		KSMA_TRY(add_option(options, cli->given.items[i].id, cli->given.items[i].value));
	return NULL;
}

struct ksma_error *cli_hand_over(struct cli *cli, const char *name)
{
	_cleanup_(options_deinit) struct options options = { 0 };
	_cleanup_free_ char *program = NULL;
	_cleanup_free_ char **argv = NULL;
	size_t n = 0;

	KSMA_TRY(find_program(name, &program));
	KSMA_TRY(collect(cli, &options));
	argv = calloc(4 + options.count + cli->operand_count, sizeof(*argv));
	if (!argv)
		return ksma_error_nomem();
	argv[n++] = program;
	argv[n++] = (char *)(uintptr_t)cli->command->name;
	if (options.count)
		memcpy(argv + n, options.items, options.count * sizeof(*argv));
	n += options.count;
	argv[n++] = (char *)(uintptr_t) "--";
	memcpy(argv + n, cli->operands, cli->operand_count * sizeof(*argv));
	cli_progress_stop(cli->progress);
	cli->progress = NULL;
	execv(program, argv);
	return ksma_error_os(errno, "cannot run %s", program);
}
