/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a program of ours does from start to end: reads the command line, runs the command, and tells how it went in its exit
 * status. */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>

#include "cli/escape.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/progress.h"

/* A descriptor that the caller closed must not become that of a guest's memory: writing to it is to fail instead. */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(CLI_INTERNAL);
}

static enum cli_status status_of(const struct ksma_error *error)
{
	switch (error->code) {
	case KSMA_ERROR_INVALID:
		return CLI_USAGE;
	case KSMA_ERROR_NOMEM:
		return CLI_INTERNAL;
	default:
		return CLI_INCOMPLETE;
	}
}

static void report_error(struct cli *cli, const struct ksma_error *error)
{
	bool document = cli_has(cli, CLI_JSON) && !cli->printed;

	cli_warn(cli, "%s", error->message);
	if (document) {
		struct cli_json json = { .out = stdout };

		cli_json_object(&json, NULL);
		cli_json_object(&json, "error");
		cli_json_text(&json, "code", ksma_error_code_name(error->code));
		cli_json_text(&json, "message", error->message);
		cli_json_close(&json);
		cli_json_close(&json);
	}
	cli_status_raise(cli, status_of(error));
}

/* What was printed counts only when it arrived. */
static void finish_output(struct cli *cli)
{
	int e = 0;

	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		e = errno ? errno : EIO;
	/* Some file systems tell of a full disk only here. */
	if (close(STDOUT_FILENO) < 0 && !e && errno != EINTR)
		e = errno;
	if (!e)
		return;
	cli_warn(cli, "cannot write the output: %s", strerror(e));
	cli->status = CLI_INTERNAL;
}

/* The last resort of --timeout: a call that does not come back. Only what a signal handler may do. */
static void on_timeout(int signal)
{
	static const char message[] =
		"ksma: gave up after --timeout; give it more time, or use --memory-only\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);

	(void)signal;
	(void)ignored;
	_exit(CLI_INCOMPLETE);
}

static void on_timeout_json(int signal)
{
	static const char document[] =
		"{\"error\":{\"code\":\"timeout\",\"message\":\"gave up after --timeout\"}}\n";
	ssize_t ignored = write(STDOUT_FILENO, document, sizeof(document) - 1);

	(void)ignored;
	on_timeout(signal);
}

/* watch has its own clock, a look at a time. */
static struct ksma_error *start_timeout(const struct cli *cli)
{
	struct sigaction action = { .sa_handler =
					    cli_has(cli, CLI_JSON) ? on_timeout_json : on_timeout };
	struct itimerval timer = { 0 };
	uint64_t ms;

	if (!cli_has(cli, CLI_TIMEOUT))
		return NULL;
	KSMA_TRY(cli_parse_duration("--timeout", cli->values[CLI_TIMEOUT], &ms));
	if (cli->command->run == cli_watch)
		return NULL;
	sigaction(SIGALRM, &action, NULL);
	timer.it_value.tv_sec = (time_t)(ms / 1000);
	timer.it_value.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (setitimer(ITIMER_REAL, &timer, NULL) < 0)
		return ksma_error_os(errno, "cannot set a timer");
	return NULL;
}

static struct ksma_error *run(struct cli *cli, int argc, char **argv,
			      struct ksma_error *(*instead)(struct cli *cli))
{
	KSMA_TRY(cli_parse(cli, argc, argv));
	KSMA_TRY(cli_output_init(cli));
	if (!cli->command) {
		cli_line(cli, CLI_PLAIN, "ksma %s", KSMA_VERSION);
		return NULL;
	}
	if (cli_has(cli, CLI_HELP)) {
		cli_usage(cli->command->run == cli_help ? NULL : cli->command);
		return NULL;
	}
	KSMA_TRY(start_timeout(cli));
	cli->progress = cli_progress_start();
	return instead ? instead(cli) : cli->command->run(cli);
}

int cli_program(int argc, char **argv, struct ksma_error *(*instead)(struct cli *cli))
{
	struct cli cli = { .started_ns = ksma_now_ns() };
	struct ksma_error *error;

	fill_standard_descriptors();
	/* As much as a pipe holds: a reader that leaves early (head) mostly had it all before it left. */
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, NULL, _IOFBF, 65536);
	signal(SIGPIPE, SIG_IGN);
	error = run(&cli, argc, argv, instead);
	/* Nothing interrupts from here on: what is printed is printed whole. */
	signal(SIGALRM, SIG_IGN);
	cli_progress_stop(cli.progress);
	cli.progress = NULL;
	if (error)
		report_error(&cli, error);
	ksma_error_destroy(error);
	finish_output(&cli);
	cli_close(&cli);
	free(cli.cache_dir);
	free(cli.given.items);
	return cli.status;
}
