/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma explain: what a finding means to whoever is woken by it, and what to do first. */
#include <json-c/json.h>

#include "cli/output.h"

enum { MAX_DOCUMENT = 64 << 20, MAX_DEPTH = 16, WIDTH = 78 };

/* What the words of evidence mean. A key ends in one of these, or is one. */
static const struct {
	const char *key, *meaning;
} glossary[] = {
	{ "place", "where in guest memory the changed thing lies" },
	{ "found", "what lies there now" },
	{ "expected", "what belongs there" },
	{ "_symbol", "the kernel symbol at that address" },
	{ "_owner", "who owns the code at that address: the kernel, a module, or nobody" },
	{ "_frame", "the guest physical page of that code" },
	{ "_code", "the instructions there" },
	{ "_leads_to", "where that code jumps on to at once, followed to its end" },
	{ "module", "the kernel module that it belongs to" },
	{ "pid", "the process" },
	{ "vcpu", "the virtual processor" },
};

/* Holds for every finding. */
static const char *const first_steps[] = {
	"Do not log in to the guest to look: what it shows is what the attacker lets it show, and looking warns him.",
	"Keep the evidence: dump-guest-memory in QEMU's monitor (virsh dump --memory-only) writes a file that ksma reads as it reads the guest.",
	"Look again with ksma check, and around it with ksma modules, ps, sockets and dmesg: they read the guest's memory, not its answers.",
	("When it is real, take the guest off the network (set_link in the monitor, virsh domif-setlink), rotate the secrets that it held, and "
	 "rebuild it from an image that you trust. A kernel that was changed once cannot be cleaned from inside."),
	"When it is yours (a driver, a security product), give the record under \"exception\" a reason and an end, and put it into the file of --exceptions.",
};

static const struct ksma_check_info *find_check(const char *name, size_t length)
{
	for (size_t i = 0; i < ksma_check_count(); i++) {
		const struct ksma_check_info *c = ksma_check_info(i);

		if (strlen(c->name) == length && strncmp(c->name, name, length) == 0)
			return c;
	}
	return NULL;
}

static struct ksma_error *check_of(const char *finding, const struct ksma_check_info **ret_check)
{
	const struct ksma_check_info *c = find_check(finding, strcspn(finding, "/"));

	if (!c)
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"there is no check %.*s: give the id of a finding, or a name from 'ksma check --list'",
			(int)strcspn(finding, "/"), finding);
	*ret_check = c;
	return NULL;
}

/* Words of one paragraph, broken at spaces. */
static void paragraph(struct cli *cli, const char *indent, const char *text)
{
	size_t left = WIDTH - strlen(indent);

	while (*text) {
		size_t length = strlen(text), cut = length;

		if (length > left) {
			cut = left;
			while (cut > 0 && text[cut] != ' ')
				cut--;
			if (!cut)
				cut = strcspn(text, " ");
		}
		cli_line(cli, CLI_PLAIN, "%s%.*s", indent, (int)cut, text);
		text += cut;
		while (*text == ' ')
			text++;
	}
}

static void section(struct cli *cli, const char *title, const char *text)
{
	putchar('\n');
	cli_line(cli, CLI_BOLD, "%s", title);
	paragraph(cli, "  ", text);
}

static void print_check(struct cli *cli, const struct ksma_check_info *c)
{
	section(cli, "What was asked", c->title);
	section(cli, "What an attacker gains", c->why);
	section(cli, "What was read", c->structures);
	section(cli, "What harmless thing could look the same", c->false_alarms);
	if (c->todo)
		section(cli, "What to do about this one", c->todo);
	if (c->attack && c->attack[0])
		section(cli, "MITRE ATT&CK", c->attack);
}

static void print_steps(struct cli *cli)
{
	putchar('\n');
	cli_line(cli, CLI_BOLD, "What to do, with any finding");
	for (size_t i = 0; i < ARRAY_SIZE(first_steps); i++) {
		cli_text(cli, CLI_PLAIN, "  %zu.", i + 1);
		putchar('\n');
		paragraph(cli, "     ", first_steps[i]);
	}
}

static const char *meaning(const char *key)
{
	size_t length = strlen(key);

	for (size_t i = 0; i < ARRAY_SIZE(glossary); i++) {
		size_t end = strlen(glossary[i].key);

		if (strcmp(key, glossary[i].key) == 0 ||
		    (glossary[i].key[0] == '_' && length > end &&
		     strcmp(key + length - end, glossary[i].key) == 0))
			return glossary[i].meaning;
	}
	return NULL;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) &&
			       json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : "";
}

static void print_evidence(struct cli *cli, struct json_object *finding)
{
	struct json_object *evidence;

	if (!json_object_object_get_ex(finding, "evidence", &evidence) ||
	    !json_object_is_type(evidence, json_type_object))
		return;
	putchar('\n');
	cli_line(cli, CLI_BOLD, "The evidence");
	json_object_object_foreach(evidence, key, value)
	{
		const char *what = meaning(key);

		cli_line(cli, CLI_PLAIN, "  %s  %s", key, json_object_get_string(value));
		if (what)
			cli_line(cli, CLI_DIM, "      %s", what);
	}
}

static void json_check(struct cli_json *json, const char *finding, const struct ksma_check_info *c)
{
	cli_json_object(json, NULL);
	cli_json_text(json, "finding", finding);
	cli_json_text(json, "check", c->name);
	cli_json_text(json, "title", c->title);
	cli_json_text(json, "attack", c->attack && c->attack[0] ? c->attack : NULL);
	cli_json_text(json, "why", c->why);
	cli_json_text(json, "structures", c->structures);
	cli_json_text(json, "false_alarms", c->false_alarms);
	cli_json_text(json, "todo", c->todo);
	cli_json_close(json);
}

static void json_steps(struct cli_json *json)
{
	cli_json_array(json, "first_steps");
	for (size_t i = 0; i < ARRAY_SIZE(first_steps); i++)
		cli_json_text(json, NULL, first_steps[i]);
	cli_json_close(json);
}

/* Reads standard input to its end. @ret_object released by json_object_put() */
static struct ksma_error *read_document(struct json_object **ret_object)
{
	_cleanup_free_ char *text = NULL;
	struct json_tokener *tokener;
	struct json_object *object;
	size_t length;

	KSMA_TRY(ksma_error_prefix(ksma_read_file("/dev/stdin", MAX_DOCUMENT, &text, &length),
				   "standard input"));
	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener)
		return ksma_error_nomem();
	object = json_tokener_parse_ex(tokener, text, (int)length);
	json_tokener_free(tokener);
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "standard input is not a document of 'ksma check --json'");
	}
	*ret_object = object;
	return NULL;
}

/* The findings of a document, or the document itself where it is one finding. */
static size_t finding_count(struct json_object *document, struct json_object **ret_list)
{
	if (!json_object_object_get_ex(document, "findings", ret_list) ||
	    !json_object_is_type(*ret_list, json_type_array)) {
		*ret_list = NULL;
		return json_object_object_get_ex(document, "id", NULL) ? 1 : 0;
	}
	return json_object_array_length(*ret_list);
}

static struct ksma_error *explain_document(struct cli *cli, struct cli_json *json)
{
	struct json_object *document, *list;
	struct ksma_error *error = NULL;
	size_t count;

	KSMA_TRY(read_document(&document));
	count = finding_count(document, &list);
	for (size_t i = 0; i < count && !error; i++) {
		struct json_object *f = list ? json_object_array_get_idx(list, i) : document;
		const struct ksma_check_info *check;
		const char *id = text_of(f, "id");

		error = check_of(id, &check);
		if (error)
			break;
		if (json) {
			json_check(json, id, check);
			continue;
		}
		cli_line(cli, CLI_BOLD, "%s", text_of(f, "title"));
		cli_line(cli, CLI_DIM, "%s, %s", id, text_of(f, "severity"));
		print_evidence(cli, f);
		print_check(cli, check);
		putchar('\n');
	}
	if (!error && !count && !json)
		cli_line(cli, CLI_PLAIN, "There is no finding to explain.");
	json_object_put(document);
	return error;
}

static struct ksma_error *explain(struct cli *cli, const char *finding, struct cli_json *json)
{
	const struct ksma_check_info *check;

	if (strcmp(finding, "-") == 0)
		return explain_document(cli, json);
	KSMA_TRY(check_of(finding, &check));
	if (json) {
		json_check(json, finding, check);
		return NULL;
	}
	cli_line(cli, CLI_BOLD, "%s", finding);
	print_check(cli, check);
	return NULL;
}

struct ksma_error *cli_explain(struct cli *cli)
{
	struct cli_json json;
	bool document = cli_has(cli, CLI_JSON);

	/* Wrong names are told before anything is printed. */
	for (size_t i = 0; i < cli->operand_count; i++) {
		const struct ksma_check_info *check;

		if (strcmp(cli->operands[i], "-") != 0)
			KSMA_TRY(check_of(cli->operands[i], &check));
	}
	if (document) {
		cli_document_begin(cli, &json);
		cli_json_array(&json, "explanations");
	} else {
		cli_output_begin(cli);
	}
	for (size_t i = 0; i < cli->operand_count; i++)
		KSMA_TRY(explain(cli, cli->operands[i], document ? &json : NULL));
	if (document) {
		cli_json_close(&json);
		json_steps(&json);
		cli_document_end(&json);
	} else {
		print_steps(cli);
	}
	return NULL;
}
