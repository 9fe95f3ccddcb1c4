/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma help: usage for people, and the table of commands for the completion and the manual. */
#include "cli/output.h"

/* Lines of at most 78 columns, with an indent. */
static void wrapped(const char *text, unsigned indent)
{
	unsigned column = 0;

	while (*text) {
		size_t length = strcspn(text, " \n");

		if (column && column + 1 + length > 78) {
			putchar('\n');
			column = 0;
		}
		if (column)
			putchar(' ');
		else
			printf("%*s", (int)indent, "");
		column = column ? column + 1 + (unsigned)length : indent + (unsigned)length;
		printf("%.*s", (int)length, text);
		text += length;
		if (text[0] == '\n' && text[1] == '\n') {
			fputs("\n\n", stdout);
			column = 0;
		}
		text += strspn(text, " \n");
	}
	putchar('\n');
}

static void option_line(const struct cli_option *o)
{
	char left[64];

	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", o->letter ? "-" : " ",
		 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->value ? " " : "",
		 o->value ? o->value : "");
	printf("  %-22s  %s\n", left, o->help);
}

static void option_lines(uint64_t mask)
{
	for (int id = 0; id < CLI_OPTION_COUNT; id++)
		if (mask >> id & 1)
			option_line(&cli_options[id]);
}

static void usage_all(void)
{
	puts("usage: ksma COMMAND [OPTION…] [VM] …\n\n"
	     "Looks into a running virtual machine from the host and tells whether it is still itself.\n"
	     "VM is a name, a UUID, a QEMU process id, or the path of a memory dump.\n");
	for (size_t i = 0; i < cli_command_count; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s", cli_commands[i].name,
			 cli_commands[i].operands);
		printf("  %-22s  %s\n", left, cli_commands[i].summary);
	}
	puts("\nEvery command takes:");
	option_lines(CLI_COMMON);
	puts("\nExit status: 0 clean and fully covered, 1 findings, 2 wrong usage, 3 could not look\n"
	     "or not everywhere, 4 internal error. 'ksma help COMMAND' tells more.");
}

void cli_usage(const struct cli_command *command)
{
	if (!command) {
		usage_all();
		return;
	}
	printf("usage: ksma %s%s%s%s\n\n", command->name, command->options ? " [OPTION…]" : "",
	       command->operands[0] ? " " : "", command->operands);
	wrapped(command->about, 0);
	if (command->options) {
		puts("\nOptions:");
		option_lines(command->options);
	}
	puts("\nOptions of every command:");
	option_lines(CLI_COMMON);
}

/* "command<TAB>operands<TAB>summary", and for each option "option<TAB>command<TAB>--name<TAB>-l<TAB>VALUE<TAB>words": what
 * packaging/completion/ksma reads. */
static void print_table(void)
{
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];
		uint64_t mask = c->options | CLI_COMMON;

		printf("command\t%s\t%s\t%s\n", c->name, c->operands, c->summary);
		for (int id = 0; id < CLI_OPTION_COUNT; id++) {
			const struct cli_option *o = &cli_options[id];

			if (!(mask >> id & 1))
				continue;
			printf("option\t%s\t--%s\t", c->name, o->name);
			if (o->letter)
				printf("-%c", o->letter);
			printf("\t%s\t%s\n", o->value ? o->value : "", o->words ? o->words : "");
		}
	}
	for (size_t i = 0; i < ksma_check_count(); i++)
		printf("check\t%s\t%s\n", ksma_check_info(i)->name, ksma_check_info(i)->title);
}

/* scdoc takes _ and * for markup. */
static void scdoc_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("_*\\<>[]#", *text))
			putchar('\\');
		putchar(*text);
	}
}

static void scdoc_options(uint64_t mask)
{
	for (int id = 0; id < CLI_OPTION_COUNT; id++) {
		const struct cli_option *o = &cli_options[id];

		if (!(mask >> id & 1))
			continue;
		if (o->letter)
			printf("*-%c*, ", o->letter);
		printf("*--%s*", o->name);
		if (o->value)
			printf(" _%s_", o->value);
		fputs("\n\t", stdout);
		scdoc_text(o->help);
		puts("\n");
	}
}

/* The part of the manual that this table knows. */
static void print_scdoc(void)
{
	puts("# COMMANDS\n");
	for (size_t i = 0; i < cli_command_count; i++) {
		const struct cli_command *c = &cli_commands[i];

		printf("## ksma %s ", c->name);
		scdoc_text(c->operands);
		puts("\n");
		scdoc_text(c->about);
		puts("\n");
		scdoc_options(c->options);
	}
	puts("# OPTIONS OF EVERY COMMAND\n");
	scdoc_options(CLI_COMMON);
}

struct ksma_error *cli_help(struct cli *cli)
{
	const struct cli_command *command = NULL;
	const char *topic = cli->operand_count ? cli->operands[0] : NULL;

	cli_output_begin(cli);
	if (topic && strcmp(topic, "@table") == 0) {
		print_table();
		return NULL;
	}
	if (topic && strcmp(topic, "@scdoc") == 0) {
		print_scdoc();
		return NULL;
	}
	if (topic && !(command = cli_command_find(topic)))
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "there is no command '%s' (see 'ksma help')", topic);
	cli_usage(command);
	return NULL;
}
