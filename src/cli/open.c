/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens what the options and the first operand name: a guest, and its kernel. */
#include <errno.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/parse.h"
#include "cli/progress.h"

struct ksma_error *cli_cache_dir(char **ret_path)
{
	const char *given = getenv("KSMA_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"),
		   *home = getenv("HOME");

	if (given && given[0])
		return ksma_strdup(given, ret_path);
	if (geteuid() == 0)
		return ksma_strdup("/var/cache/ksma", ret_path);
	if (xdg && xdg[0] == '/')
		return ksma_asprintf(ret_path, "%s/ksma", xdg);
	if (home && home[0] == '/')
		return ksma_asprintf(ret_path, "%s/.cache/ksma", home);
	return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
				 "no place for a cache: set XDG_CACHE_HOME, or use --no-cache");
}

/* A cache that cannot be made is no reason not to look: doctor says what is wrong with it. */
static void prepare_cache(struct cli *cli)
{
	_cleanup_error_ struct ksma_error *error = NULL;

	if (cli_has(cli, CLI_NO_CACHE) || cli->cache_dir)
		return;
	error = cli_cache_dir(&cli->cache_dir);
	if (!error && mkdir(cli->cache_dir, 0700) < 0 && errno == ENOENT) {
		char *slash = strrchr(cli->cache_dir, '/');

		*slash = '\0';
		mkdir(cli->cache_dir, 0700);
		*slash = '/';
		mkdir(cli->cache_dir, 0700);
	}
}

static struct ksma_error *monitor_timeout(const struct cli *cli, unsigned *ret_ms)
{
	uint64_t ms;

	*ret_ms = 0;
	if (!cli_has(cli, CLI_TIMEOUT))
		return NULL;
	KSMA_TRY(cli_parse_duration("--timeout", cli->values[CLI_TIMEOUT], &ms));
	/* A part of the whole, since several monitors may have to be tried: one that keeps still is then named as the reason. */
	*ret_ms = (unsigned)(ms / 4 ? ms / 4 : 1);
	return NULL;
}

struct ksma_error *cli_open_guest(struct cli *cli)
{
	struct ksma_guest_options options = {
		.memory_only = cli_has(cli, CLI_MEMORY_ONLY),
		.monitor = cli->values[CLI_MONITOR],
	};

	KSMA_TRY(monitor_timeout(cli, &options.monitor_timeout_ms));
	cli_progress_say(cli->progress, "opening the guest");
	return ksma_guest_open(cli->operands[0], &options, &cli->guest);
}

struct ksma_error *cli_open_guest_kernel(struct cli *cli)
{
	struct ksma_kernel_options options = { .types = cli->values[CLI_TYPES] };

	prepare_cache(cli);
	options.cache_dir = cli->cache_dir;
	cli_progress_say(cli->progress, "looking for the kernel in guest memory");
	KSMA_TRY(ksma_kernel_open(cli->guest, &options, &cli->kernel));
	cli_progress_say(cli->progress, "reading guest memory");
	return NULL;
}

struct ksma_error *cli_open_kernel(struct cli *cli)
{
	KSMA_TRY(cli_open_guest(cli));
	return cli_open_guest_kernel(cli);
}

void cli_close(struct cli *cli)
{
	ksma_kernel_destroy(cli->kernel);
	cli->kernel = NULL;
	ksma_guest_destroy(cli->guest);
	cli->guest = NULL;
}
