/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line, and that the table which drives it is whole. */
#include "unit.h"

#include "cli/cli.h"

enum { MAX_ARGS = 16 };

struct line {
	char *argv[MAX_ARGS + 1];
	char words[512];
	int argc;
	struct cli cli;
};

static struct ksma_error *parse(struct line *l, const char *text)
{
	char *save = NULL;

	memset(l, 0, sizeof(*l));
	snprintf(l->words, sizeof(l->words), "%s", text);
	for (char *w = strtok_r(l->words, " ", &save); w && l->argc < MAX_ARGS;
	     w = strtok_r(NULL, " ", &save))
		l->argv[l->argc++] = w;
	return cli_parse(&l->cli, l->argc, l->argv);
}

static void test_good_lines(void **state)
{
	struct line l;

	assert_ok(parse(&l, "ksma ps vm"));
	assert_string_equal(l.cli.command->name, "ps");
	assert_int_equal(l.cli.operand_count, 1);
	assert_string_equal(l.cli.operands[0], "vm");
	assert_false(cli_has(&l.cli, CLI_JSON));

	assert_ok(parse(&l, "ksma --json ps -fT vm --monitor=/tmp/q --timeout 2s"));
	assert_true(cli_has(&l.cli, CLI_JSON) && cli_has(&l.cli, CLI_FULL) &&
		    cli_has(&l.cli, CLI_THREADS));
	assert_string_equal(l.cli.values[CLI_MONITOR], "/tmp/q");
	assert_string_equal(l.cli.values[CLI_TIMEOUT], "2s");
	assert_string_equal(l.cli.operands[0], "vm");

	assert_ok(parse(&l, "ksma watch -n3 -i 500ms vm idt lstar"));
	assert_string_equal(l.cli.values[CLI_COUNT], "3");
	assert_string_equal(l.cli.values[CLI_INTERVAL], "500ms");
	assert_int_equal(l.cli.operand_count, 3);
	assert_string_equal(l.cli.operands[2], "lstar");

	assert_ok(parse(&l, "ksma info -- --odd-name"));
	assert_string_equal(l.cli.operands[0], "--odd-name");
	assert_ok(parse(&l, "ksma info -"));
	assert_string_equal(l.cli.operands[0], "-");

	assert_ok(parse(&l, "ksma --version"));
	assert_null(l.cli.command);
	assert_ok(parse(&l, "ksma --help"));
	assert_string_equal(l.cli.command->name, "help");
	assert_ok(parse(&l, "ksma check --help"));
	assert_ok(parse(&l, "ksma check --list"));
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *line, *says;
	} bad[] = {
		{ "ksma", "no command" },
		{ "ksma frobnicate", "'frobnicate'" },
		{ "ksma ps", "ksma ps VM" },
		{ "ksma ps a b", "does not take 'b'" },
		{ "ksma ps vm --nonsense", "no option --nonsense" },
		{ "ksma ps vm --jso", "no option --jso" },
		{ "ksma ps vm -Z", "no option -Z" },
		{ "ksma ps vm --json=1", "takes no value" },
		{ "ksma ps vm --monitor", "needs a value" },
		{ "ksma watch vm -n", "needs a value" },
		{ "ksma info vm --tree", "no option --tree" },
		{ "ksma maps vm", "ksma maps VM PID" },
		{ "ksma --tree ps vm", "no option --tree" },
	};
	struct line l;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error_says(parse(&l, bad[i].line), KSMA_ERROR_INVALID, bad[i].says);
}

/* Who asks for JSON gets errors in JSON, wherever the mistake stands. */
static void test_json_is_seen_despite_mistakes(void **state)
{
	struct line l;

	assert_error(parse(&l, "ksma nonsense --json"), KSMA_ERROR_INVALID);
	assert_true(cli_has(&l.cli, CLI_JSON));
	assert_error(parse(&l, "ksma ps --nonsense vm --json"), KSMA_ERROR_INVALID);
	assert_true(cli_has(&l.cli, CLI_JSON));
	assert_error(parse(&l, "ksma nonsense -- --json"), KSMA_ERROR_INVALID);
	assert_false(cli_has(&l.cli, CLI_JSON));
}

static void test_table_is_whole(void **state)
{
	for (int id = 0; id < CLI_OPTION_COUNT; id++) {
		assert_non_null(cli_options[id].name);
		assert_non_null(cli_options[id].help);
	}
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		assert_ptr_equal(cli_command_find(c->name), c);
		assert_true(c->run && c->summary[0] && c->about[0] && c->max >= c->min);
		assert_int_equal(c->options & CLI_COMMON, 0);
		/* No two options of a command share a letter. */
		for (int a = 0; a < CLI_OPTION_COUNT; a++)
			for (int b = 0; b < a; b++)
				if ((c->options | CLI_COMMON) >> a &
					    (c->options | CLI_COMMON) >> b & 1 &&
				    cli_options[a].letter)
					assert_int_not_equal(cli_options[a].letter,
							     cli_options[b].letter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_lines),
		cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_json_is_seen_despite_mistakes),
		cmocka_unit_test(test_table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
