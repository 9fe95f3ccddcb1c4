/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma sym: from a symbol to its addresses, from an address to its symbol. */
#include <inttypes.h>

#include "cli/output.h"
#include "cli/parse.h"
#include "linux/module_symbols.h"

/* One line of the answer. */
struct answer {
	char name[512];
	uint64_t address;
	char type; /* as in nm, or 0 */
};

struct answers {
	struct answer *items;
	size_t count, capacity;
};

static void answers_deinit(struct answers *answers)
{
	free(answers->items);
}

struct wanted {
	struct answers *answers;
	uint64_t offset;
};

static struct ksma_error *take_of_module(void *arg, const struct ksma_module_symbol *symbol)
{
	const struct wanted *wanted = arg;
	struct answer *a;

	KSMA_TRY(KSMA_ARRAY_PUSH(wanted->answers, &a));
	a->address = symbol->address + wanted->offset;
	a->type = symbol->function ? 't' : 'd';
	if (wanted->offset)
		snprintf(a->name, sizeof(a->name), "%s+0x%" PRIx64 " [%s]", symbol->name,
			 wanted->offset, symbol->module->name);
	else
		snprintf(a->name, sizeof(a->name), "%s [%s]", symbol->name, symbol->module->name);
	return NULL;
}

/* Static functions often share a name: all of them are told, those of modules too. */
static struct ksma_error *by_name(struct cli *cli, const char *name, uint64_t offset,
				  struct answers *answers)
{
	struct wanted wanted = { answers, offset };
	const struct ksma_symbols *symbols = &cli->kernel->symbols;
	const struct ksma_symbol *s = ksma_symbols_find(symbols, name);
	ksma_gva gva;

	KSMA_TRY(ksma_module_symbols_named(cli->kernel, name, take_of_module, &wanted));
	/* The error names the symbol and the cure. */
	if (!s && !answers->count)
		KSMA_TRY(ksma_kernel_lookup(cli->kernel, name, &gva));
	for (; s; s = ksma_symbols_find_next(symbols, s)) {
		struct answer *a;

		KSMA_TRY(KSMA_ARRAY_PUSH(answers, &a));
		a->address = ksma_symbol_address(symbols, s) + offset;
		a->type = (char)s->type;
		snprintf(a->name, sizeof(a->name), offset ? "%s+0x%" PRIx64 : "%s", name, offset);
	}
	return NULL;
}

static struct ksma_error *by_address(struct cli *cli, uint64_t address, struct answers *answers)
{
	struct answer *a;

	KSMA_TRY(KSMA_ARRAY_PUSH(answers, &a));
	a->address = address;
	if (!ksma_kernel_describe(cli->kernel, ksma_gva_of(address), a->name, sizeof(a->name)))
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"no symbol of the kernel or a listed module covers 0x%" PRIx64, address);
	return NULL;
}

static void print_json(struct cli *cli, const struct cli_look *look, const struct answers *answers)
{
	struct cli_json json;

	cli_document_begin(cli, &json);
	cli_json_array(&json, "symbols");
	for (size_t i = 0; i < answers->count; i++) {
		const struct answer *a = &answers->items[i];

		cli_json_object(&json, NULL);
		cli_json_text(&json, "name", a->name);
		cli_json_hex(&json, "address", a->address);
		if (a->type)
			cli_json_bytes(&json, "type", &a->type, 1);
		else
			cli_json_null(&json, "type");
		cli_json_close(&json);
	}
	cli_json_close(&json);
	cli_json_look(&json, look);
	cli_document_end(&json);
}

struct ksma_error *cli_sym(struct cli *cli)
{
	_cleanup_(answers_deinit) struct answers answers = { 0 };
	_cleanup_free_ char *name = NULL;
	struct cli_look look;
	uint64_t value;

	KSMA_TRY(cli_parse_place(cli->operands[1], &name, &value));
	KSMA_TRY(cli_open_kernel(cli));
	look = cli_look_begin("sym");
	if (name)
		KSMA_TRY(by_name(cli, name, value, &answers));
	else
		KSMA_TRY(by_address(cli, value, &answers));
	cli_look_end(cli, &look);
	if (cli_has(cli, CLI_JSON)) {
		print_json(cli, &look, &answers);
		return NULL;
	}
	for (size_t i = 0; i < answers.count; i++)
		cli_line(cli, CLI_PLAIN, "%016" PRIx64 " %c %s", answers.items[i].address,
			 answers.items[i].type ? answers.items[i].type : '?',
			 answers.items[i].name);
	return NULL;
}
