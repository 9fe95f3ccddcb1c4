/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The program `ksma`: what its commands share. One table of commands drives dispatch, usage, completion and the manual. */
#ifndef KSMA_CLI_CLI_H
#define KSMA_CLI_CLI_H

#include "base/budget.h"
#include "base/util.h"
#include <ksma/check.h>

/* Exit statuses; scripts depend on them. */
enum cli_status {
	CLI_OK = 0,	    /* clean and fully covered */
	CLI_FINDINGS = 1,   /* wins over incomplete coverage */
	CLI_USAGE = 2,	    /* asked wrongly */
	CLI_INCOMPLETE = 3, /* could not look, or not everywhere */
	CLI_INTERNAL = 4,   /* out of memory, or the output could not be written */
};

/* Every option of every command, once. The order is that of `cli_options`. */
enum cli_option_id {
	CLI_JSON,
	CLI_MEMORY_ONLY,
	CLI_MONITOR,
	CLI_TYPES,
	CLI_NO_CACHE,
	CLI_COLOR,
	CLI_TIMEOUT,
	CLI_HELP,
	CLI_VERSION,
	CLI_THREADS,
	CLI_TREE,
	CLI_FULL,
	CLI_FIELDS,
	CLI_PHYS,
	CLI_RAW,
	CLI_LIST,
	CLI_INTERVAL,
	CLI_COUNT,
	CLI_REGISTERS,
	CLI_FORMAT,
	CLI_EXCEPTIONS,
	CLI_VENDOR,
	CLI_BASELINE,
	CLI_TRUST,
	CLI_CPU,
	CLI_KEYS,
	CLI_KEY,
	CLI_CERT,
	CLI_SCHEME,
	CLI_ROOT,
	CLI_IMAGE,
	CLI_PACKAGE,
	CLI_OUTPUT,
	CLI_FLATTEN,
	CLI_MANIFEST,
	CLI_POLICY,
	CLI_MODE,
	CLI_FAIL,
	CLI_FROM_BOOT,
	CLI_MEASUREMENTS,
	CLI_SHARE,
	CLI_OFF,
	CLI_OPTION_COUNT,
};

struct cli_option {
	const char *name;
	char letter;	   /* 0: none */
	const char *value; /* what its argument is called, or NULL for a switch */
	const char *words; /* the values it may have, for completion; "FILE"; or NULL */
	const char *help;
};

/* An option as it was given. */
struct cli_given {
	enum cli_option_id id;
	const char *value;
};

struct cli;

struct cli_command {
	const char *name;
	const char *operands; /* "VM PID" */
	unsigned min, max;    /* how many operands */
	uint64_t options;     /* bits of enum cli_option_id, without those that every command has */
	const char *summary;  /* one line */
	const char *about;    /* paragraphs for help and the manual, divided by an empty line */
	struct ksma_error *(*run)(struct cli *cli);
};

extern const struct cli_option cli_options[CLI_OPTION_COUNT];
/* True for those that may be given several times: cli->given has them all. */
bool cli_option_repeats(enum cli_option_id id);
extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

/* The options that every command takes. */
#define CLI_COMMON                                                                                 \
	(1ull << CLI_JSON | 1ull << CLI_MEMORY_ONLY | 1ull << CLI_MONITOR | 1ull << CLI_TYPES |    \
	 1ull << CLI_NO_CACHE | 1ull << CLI_COLOR | 1ull << CLI_TIMEOUT | 1ull << CLI_HELP)

struct cli_progress;

/* One run of the program. */
struct cli {
	const struct cli_command *command;
	const char *values[CLI_OPTION_COUNT]; /* NULL: not given; a switch that was given is "" */
	char **operands;
	size_t operand_count;
	struct {
		struct cli_given *items;
		size_t count, capacity;
	} given; /* those that may be given several times, in their order */

	uint64_t started_ns;
	bool color;   /* of standard output */
	bool utf8;    /* standard output takes UTF-8 */
	bool printed; /* something is on standard output already: no error document may follow it */
	enum cli_status status;
	struct cli_progress *progress; /* or NULL */

	char *cache_dir;
	struct ksma_guest *guest;
	struct ksma_kernel *kernel;
	const struct ksma_more_checks *more; /* of ksma-files, or NULL */
};

static inline bool cli_has(const struct cli *cli, enum cli_option_id id)
{
	return cli->values[id] != NULL;
}

/* Makes the status worse; findings win over incomplete coverage. */
void cli_status_raise(struct cli *cli, enum cli_status status);

const struct cli_command *cli_command_find(const char *name);

/* Reads the command line into `cli`: command, options, operands. `argv` is borrowed and reordered.
 * @return NULL or INVALID; then cli->command and --json are set as far as they were understood */
struct ksma_error *cli_parse(struct cli *cli, int argc, char **argv) KSMA_MUST_CHECK;

/* Opens the guest that the first operand names, as the options say. */
struct ksma_error *cli_open_guest(struct cli *cli) KSMA_MUST_CHECK;
/* The same, and its kernel. */
struct ksma_error *cli_open_kernel(struct cli *cli) KSMA_MUST_CHECK;
/* The kernel of a guest that is open. */
struct ksma_error *cli_open_guest_kernel(struct cli *cli) KSMA_MUST_CHECK;
void cli_close(struct cli *cli);

/* The checks that the operands after the first name, NULL-terminated, or NULL for all of them. With cli->more there is always a list.
 * @ret_names to be freed; INVALID for a wrong one */
struct ksma_error *cli_check_names(const struct cli *cli, const char ***ret_names) KSMA_MUST_CHECK;

/* Where tables of kernels seen before are kept: $KSMA_CACHE_DIR, /var/cache/ksma for root, $XDG_CACHE_HOME/ksma, ~/.cache/ksma. */
struct ksma_error *cli_cache_dir(char **ret_path) KSMA_MUST_CHECK;

/* All of a program, from its arguments to its exit status. `instead` NULL: the command's own function is run. */
int cli_program(int argc, char **argv, struct ksma_error *(*instead)(struct cli *cli));

/* Usage of one command (or of all, NULL), for people. */
void cli_usage(const struct cli_command *command);

/* One file each. */
struct ksma_error *cli_appraise(struct cli *cli);
struct ksma_error *cli_cat(struct cli *cli);
struct ksma_error *cli_check(struct cli *cli);
struct ksma_error *cli_dmesg(struct cli *cli);
struct ksma_error *cli_doctor(struct cli *cli);
struct ksma_error *cli_explain(struct cli *cli);
struct ksma_error *cli_files(struct cli *cli);
struct ksma_error *cli_help(struct cli *cli);
struct ksma_error *cli_info(struct cli *cli);
struct ksma_error *cli_list(struct cli *cli);
struct ksma_error *cli_guard(struct cli *cli);
struct ksma_error *cli_manifest(struct cli *cli);
struct ksma_error *cli_maps(struct cli *cli);
struct ksma_error *cli_modules(struct cli *cli);
struct ksma_error *cli_mounts(struct cli *cli);
struct ksma_error *cli_ps(struct cli *cli);
struct ksma_error *cli_read(struct cli *cli);
struct ksma_error *cli_sockets(struct cli *cli);
struct ksma_error *cli_bpf(struct cli *cli);
struct ksma_error *cli_sym(struct cli *cli);
struct ksma_error *cli_vendor(struct cli *cli);
struct ksma_error *cli_watch(struct cli *cli);

#endif
