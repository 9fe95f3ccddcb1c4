/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options, each described once, and the reader of the command line. */
#include "cli/cli.h"

const struct cli_option cli_options[CLI_OPTION_COUNT] = {
	[CLI_JSON] = { "json", 0, NULL, NULL, "print one JSON document (watch: one a line)" },
	[CLI_MEMORY_ONLY] = { "memory-only", 0, NULL, NULL,
			      "never use the monitor: no registers, the guest is not paused at all" },
	[CLI_MONITOR] = { "monitor", 0, "PATH", "FILE",
			  "QMP socket to use instead of the ones on QEMU's command line" },
	[CLI_TYPES] = { "types", 0, "FILE", "FILE",
			"BTF file, or vmlinux with .BTF, for a kernel that carries no types" },
	[CLI_NO_CACHE] = { "no-cache", 0, NULL, NULL,
			   "neither use nor write the cache of kernels seen before" },
	[CLI_COLOR] = { "color", 0, "WHEN", "auto always never",
			"colour the output: auto (on a terminal), always, never" },
	[CLI_TIMEOUT] = { "timeout", 0, "TIME", NULL,
			  "give up after TIME, such as 500ms or 10s, and on a monitor after a quarter of it (2s); watch: on monitors only" },
	[CLI_HELP] = { "help", 'h', NULL, NULL, "show this help" },
	[CLI_VERSION] = { "version", 'V', NULL, NULL, "show the version" },
	[CLI_THREADS] = { "threads", 'T', NULL, NULL, "a line a thread" },
	[CLI_TREE] = { "tree", 0, NULL, NULL, "children below their parents" },
	[CLI_FULL] = { "full", 'f', NULL, NULL, "the whole command line instead of the program" },
	[CLI_FIELDS] = { "fields", 0, "LIST", "exe cmdline cgroup namespaces all",
			 "what to read of each process: exe, cmdline, cgroup, namespaces, all (comma-separated)" },
	[CLI_PHYS] = { "phys", 0, NULL, NULL, "ADDR is a guest physical address" },
	[CLI_RAW] = { "raw", 0, NULL, NULL, "the bytes themselves, not to a terminal" },
	[CLI_LIST] = { "list", 0, NULL, NULL, "list the checks and what they look for" },
	[CLI_INTERVAL] = { "interval", 'i', "TIME", NULL,
			   "time between looks of all checks; each is up to a fifth shorter or longer, at random (1s, with dear checks by turns)" },
	[CLI_COUNT] = { "count", 'n', "N", NULL, "end after N looks" },
	[CLI_REGISTERS] = { "registers", 0, "N", NULL,
			    "read registers in one look of N, at random (10); 1 is every look, 0 is never" },
	[CLI_FORMAT] = { "format", 0, "FORMAT", "text json ocsf",
			 "how to print: text, json (as --json does), ocsf (events of the Open Cybersecurity Schema Framework, one a line)" },
	[CLI_EXCEPTIONS] = { "exceptions", 0, "FILE", "FILE",
			     "findings that are accepted: JSON records with a reason and an end" },
	[CLI_VENDOR] = { "vendor", 0, "DIR", "FILE",
			 "the vendor reference ($KSMA_VENDOR, else /var/lib/kvm-sma/vendor)" },
	[CLI_BASELINE] = { "baseline", 0, "DIR", "FILE",
			   "keep first looks here, and hold what has no vendor reference against those that are kept" },
	[CLI_TRUST] = { "trust", 0, "FILE", "FILE",
			"certificates (PEM, or one in DER) that may have signed images and modules" },
	[CLI_CPU] = { "cpu", 0, "SHARE", NULL,
		      "spread each pass over time, so that it takes no more than SHARE (1%) of one processor" },
	[CLI_KEYS] = { "keys", 0, "DIR", "FILE",
		       "the folder of public keys and certificates (PEM) that are trusted" },
	[CLI_KEY] = { "key", 0, "FILE", "FILE", "the private key (PEM) to sign with" },
	[CLI_CERT] = { "cert", 0, "FILE", "FILE",
		       "certificates (PEM) that go along with the signature, the signer's first" },
	[CLI_SCHEME] = { "scheme", 0, "SCHEME", "pss pkcs1",
			 "how an RSA key signs: pss (the default) or pkcs1" },
	[CLI_ROOT] = { "root", 0, "DIR", "FILE", "the folder that is the root of the system" },
	[CLI_IMAGE] = { "image", 0, "FILE", "FILE",
			"the image of a disk with a system on it (raw or qcow2), not in use" },
	[CLI_PACKAGE] = { "package", 0, "FILE", "FILE",
			  "a package (.deb, .rpm), or a folder of them; may be given again" },
	[CLI_OUTPUT] = { "output", 'o', "FILE", "FILE", "the file to write" },
	[CLI_FLATTEN] = { "flatten", 0, NULL, NULL,
			  "make one manifest of those that are merged, to be signed anew" },
	[CLI_MANIFEST] = { "manifest", 0, "M.ksma", "FILE",
			   "a signed manifest of what the guest's files ought to be; needs --keys" },
	[CLI_POLICY] = { "policy", 0, "POLICY", "exec exec+modules all-root-reads",
			 "which accesses are looked at: exec, exec+modules (the default), all-root-reads, or a file of rules in the language of IMA" },
	[CLI_MODE] = { "mode", 0, "MODE", "log enforce",
		       "log (the default) tells what would be refused, enforce refuses it" },
	[CLI_FAIL] = { "fail", 0, "HOW", "open closed",
		       "what becomes of an access that could not be decided: open (the default) lets it pass, closed refuses it" },
	[CLI_FROM_BOOT] = { "from-boot", 0, NULL, NULL,
			    "the guest was started with -S, or will be reset: stand there before it opens its first file" },
	[CLI_MEASUREMENTS] = { "measurements", 0, "DIR", "FILE",
			       "keep what was measured in this folder, as the kernel's IMA would list it" },
	[CLI_SHARE] = { "share", 0, "SHARE", NULL,
			"when the guest stands still for more than SHARE (10%) of its time, give up the rules about opened files; 100% for never" },
	[CLI_OFF] = { "off", 0, NULL, NULL,
		      "end a guard, remove its breakpoints, let the guest run" },
};

bool cli_option_repeats(enum cli_option_id id)
{
	return id == CLI_PACKAGE;
}

static bool takes(const struct cli *cli, enum cli_option_id id)
{
	uint64_t mask = CLI_COMMON | 1ull << CLI_VERSION;

	if (cli->command)
		mask = CLI_COMMON | cli->command->options;
	return mask >> id & 1;
}

static struct ksma_error *unknown(const struct cli *cli, const char *option)
{
	if (cli->command)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s has no option %s (see 'ksma help %s')",
					 cli->command->name, option, cli->command->name);
	return ksma_error_create(KSMA_ERROR_INVALID, "there is no option %s (see 'ksma help')",
				 option);
}

static struct ksma_error *set(struct cli *cli, enum cli_option_id id, const char *value)
{
	struct cli_given *given;

	cli->values[id] = value;
	if (!cli_option_repeats(id))
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&cli->given, &given));
	*given = (struct cli_given){ id, value };
	return NULL;
}

/* --name, --name=value, --name value. `next` is the argument after it, or NULL. */
static struct ksma_error *parse_long(struct cli *cli, const char *arg, const char *next,
				     bool *ret_took_next)
{
	size_t length = strcspn(arg + 2, "=");
	const char *value = arg[2 + length] ? arg + 3 + length : NULL;

	for (int id = 0; id < CLI_OPTION_COUNT; id++) {
		const struct cli_option *o = &cli_options[id];

		if (!takes(cli, id) || strlen(o->name) != length ||
		    strncmp(o->name, arg + 2, length) != 0)
			continue;
		if (!o->value && value)
			return ksma_error_create(KSMA_ERROR_INVALID, "--%s takes no value",
						 o->name);
		if (!o->value)
			return set(cli, id, "");
		if (!value && !next)
			return ksma_error_create(KSMA_ERROR_INVALID, "--%s needs a value: --%s %s",
						 o->name, o->name, o->value);
		*ret_took_next = !value;
		return set(cli, id, value ? value : next);
	}
	return unknown(cli, arg);
}

/* -T, -fT, -i 1s, -i1s. */
static struct ksma_error *parse_short(struct cli *cli, const char *arg, const char *next,
				      bool *ret_took_next)
{
	for (const char *p = arg + 1; *p; p++) {
		int id;

		for (id = 0; id < CLI_OPTION_COUNT; id++)
			if (takes(cli, id) && cli_options[id].letter == *p)
				break;
		if (id == CLI_OPTION_COUNT)
			return unknown(cli, arg);
		if (!cli_options[id].value) {
			KSMA_TRY(set(cli, id, ""));
			continue;
		}
		if (!p[1] && !next)
			return ksma_error_create(KSMA_ERROR_INVALID, "-%c needs a value: -%c %s",
						 *p, *p, cli_options[id].value);
		*ret_took_next = !p[1];
		return set(cli, id, p[1] ? p + 1 : next);
	}
	return NULL;
}

static struct ksma_error *add_operand(struct cli *cli, char *arg)
{
	if (!cli->command) {
		cli->command = cli_command_find(arg);
		if (!cli->command)
			return ksma_error_create(KSMA_ERROR_INVALID,
						 "there is no command '%s' (see 'ksma help')", arg);
		return NULL;
	}
	cli->operands[cli->operand_count++] = arg;
	return NULL;
}

/* Whoever asks for JSON gets the errors as JSON too, wherever the mistake is. */
static void find_json(struct cli *cli, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			cli->values[CLI_JSON] = "";
}

static struct ksma_error *check_operands(const struct cli *cli)
{
	const struct cli_command *c = cli->command;

	if (cli_has(cli, CLI_HELP))
		return NULL;
	if (cli->operand_count < c->min && !(c->options >> CLI_LIST & 1 && cli_has(cli, CLI_LIST)))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s needs more: ksma %s %s (see 'ksma help %s')", c->name,
					 c->name, c->operands, c->name);
	if (cli->operand_count > c->max)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s does not take '%s': ksma %s %s (see 'ksma help %s')",
					 c->name, cli->operands[c->max], c->name, c->operands,
					 c->name);
	return NULL;
}

struct ksma_error *cli_parse(struct cli *cli, int argc, char **argv)
{
	bool options = true;

	find_json(cli, argc, argv);
	cli->operands = argv; /* never overtakes the argument that is read */
	for (int i = 1; i < argc; i++) {
		bool took_next = false;
		char *arg = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (!options || arg[0] != '-' || !arg[1])
			KSMA_TRY(add_operand(cli, arg));
		else if (strcmp(arg, "--") == 0)
			options = false;
		else if (arg[1] == '-')
			KSMA_TRY(parse_long(cli, arg, next, &took_next));
		else
			KSMA_TRY(parse_short(cli, arg, next, &took_next));
		i += took_next;
	}
	if (!cli->command && cli_has(cli, CLI_VERSION))
		return NULL;
	if (!cli->command && cli_has(cli, CLI_HELP))
		cli->command = cli_command_find("help");
	if (!cli->command)
		return ksma_error_create(KSMA_ERROR_INVALID, "no command given (see 'ksma help')");
	return check_operands(cli);
}
