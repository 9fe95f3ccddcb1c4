/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text in which LVM2 describes a volume group. */
#include "files/lvm_text.h"

#include <ctype.h>

struct parser {
	const char *at, *end;
	struct ksma_lvm_text *text;
	size_t open[KSMA_LVM_DEPTH]; /* the sections and lists that are not closed yet */
	unsigned depth;
};

static struct ksma_error *bad(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "LVM metadata: %s", what);
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end) {
		if (*p->at == '#')
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		else if (isspace((unsigned char)*p->at) || *p->at == ',' || *p->at == '\0')
			p->at++;
		else
			return;
	}
}

static struct ksma_error *push(struct parser *p, enum ksma_lvm_kind kind, const char *name,
			       size_t name_length, struct ksma_lvm_node **ret_node)
{
	struct ksma_lvm_node *node;

	if (p->text->count == KSMA_LVM_NODES_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "LVM metadata: more than %d values",
					 KSMA_LVM_NODES_MAX);
	KSMA_TRY(KSMA_ARRAY_PUSH(p->text, &node));
	*node = (struct ksma_lvm_node){
		.kind = kind, .name = name, .name_length = name_length, .end = p->text->count
	};
	*ret_node = node;
	return NULL;
}

static struct ksma_error *open_node(struct parser *p, enum ksma_lvm_kind kind, const char *name,
				    size_t name_length)
{
	struct ksma_lvm_node *node;

	if (p->depth == KSMA_LVM_DEPTH)
		return bad("nested too deeply");
	KSMA_TRY(push(p, kind, name, name_length, &node));
	p->open[p->depth++] = p->text->count - 1;
	p->at++;
	return NULL;
}

static struct ksma_error *close_node(struct parser *p, enum ksma_lvm_kind kind)
{
	struct ksma_lvm_node *node = &p->text->items[p->open[p->depth - 1]];

	if (p->depth < 2 || node->kind != kind)
		return bad("a bracket closes what was not opened");
	node->end = p->text->count;
	p->depth--;
	p->at++;
	return NULL;
}

static struct ksma_error *string_value(struct parser *p, const char *name, size_t name_length)
{
	const char *start = ++p->at;
	struct ksma_lvm_node *node;

	while (p->at < p->end && *p->at != '"')
		p->at += *p->at == '\\' && p->at + 1 < p->end ? 2 : 1;
	if (p->at >= p->end)
		return bad("a string does not end");
	KSMA_TRY(push(p, KSMA_LVM_STRING, name, name_length, &node));
	node->text = start;
	node->text_length = (size_t)(p->at - start);
	p->at++;
	return NULL;
}

static struct ksma_error *number_value(struct parser *p, const char *name, size_t name_length)
{
	struct ksma_lvm_node *node;
	uint64_t number = 0;

	if (p->at < p->end && *p->at == '-')
		return bad("a negative number");
	if (p->at >= p->end || !isdigit((unsigned char)*p->at))
		return bad("a value that is neither number, string nor list");
	for (; p->at < p->end && isdigit((unsigned char)*p->at); p->at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*p->at - '0'), &number))
			return bad("a number that is too large");
	/* A fraction is of no use here, but may occur. */
	while (p->at < p->end && (isdigit((unsigned char)*p->at) || *p->at == '.'))
		p->at++;
	KSMA_TRY(push(p, KSMA_LVM_NUMBER, name, name_length, &node));
	node->number = number;
	return NULL;
}

static struct ksma_error *value(struct parser *p, const char *name, size_t name_length)
{
	skip_space(p);
	if (p->at < p->end && *p->at == '"')
		return string_value(p, name, name_length);
	if (p->at < p->end && *p->at == '[')
		return open_node(p, KSMA_LVM_LIST, name, name_length);
	return number_value(p, name, name_length);
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == '+' ||
	       c == '/';
}

static struct ksma_error *named(struct parser *p)
{
	const char *name = p->at;
	size_t length;

	while (p->at < p->end && in_name(*p->at))
		p->at++;
	length = (size_t)(p->at - name);
	if (length == 0)
		return bad("a character that is part of nothing");
	skip_space(p);
	if (p->at < p->end && *p->at == '{')
		return open_node(p, KSMA_LVM_SECTION, name, length);
	if (p->at == p->end || *p->at != '=')
		return bad("a name without a value");
	p->at++;
	return value(p, name, length);
}

static struct ksma_error *step(struct parser *p)
{
	bool list = p->text->items[p->open[p->depth - 1]].kind == KSMA_LVM_LIST;

	if (*p->at == '}')
		return close_node(p, KSMA_LVM_SECTION);
	if (*p->at == ']')
		return close_node(p, KSMA_LVM_LIST);
	return list ? value(p, NULL, 0) : named(p);
}

struct ksma_error *ksma_lvm_parse(const char *text, size_t length, struct ksma_lvm_text *ret_text)
{
	struct ksma_lvm_text nodes = { 0 };
	struct parser p = { .at = text, .end = text + length, .text = &nodes };
	struct ksma_lvm_node *root;
	struct ksma_error *error = push(&p, KSMA_LVM_SECTION, NULL, 0, &root);

	if (!error)
		p.open[p.depth++] = 0;
	while (!error) {
		skip_space(&p);
		if (p.at >= p.end)
			break;
		error = step(&p);
	}
	if (!error && p.depth != 1)
		error = bad("a bracket is not closed");
	if (error) {
		free(nodes.items);
		return error;
	}
	nodes.items[0].end = nodes.count;
	*ret_text = nodes;
	return NULL;
}

size_t ksma_lvm_child(const struct ksma_lvm_text *text, size_t node, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = node + 1; i < text->items[node].end; i = ksma_lvm_next(text, i))
		if (text->items[i].name_length == length &&
		    memcmp(text->items[i].name, name, length) == 0)
			return i;
	return 0;
}

bool ksma_lvm_number(const struct ksma_lvm_text *text, size_t node, const char *name, uint64_t *ret)
{
	size_t i = ksma_lvm_child(text, node, name);

	if (!i || text->items[i].kind != KSMA_LVM_NUMBER)
		return false;
	*ret = text->items[i].number;
	return true;
}

bool ksma_lvm_string(const struct ksma_lvm_text *text, size_t node, const char *name,
		     const char **ret_text, size_t *ret_length)
{
	size_t i = ksma_lvm_child(text, node, name);

	if (!i || text->items[i].kind != KSMA_LVM_STRING)
		return false;
	*ret_text = text->items[i].text;
	*ret_length = text->items[i].text_length;
	return true;
}
