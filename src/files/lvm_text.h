/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text in which LVM2 describes a volume group: sections, and values that are numbers, strings or lists of them. */
#ifndef KSMA_FILES_LVM_TEXT_H
#define KSMA_FILES_LVM_TEXT_H

#include "base/util.h"

enum { KSMA_LVM_TEXT_MAX = 8 << 20, KSMA_LVM_NODES_MAX = 1 << 16, KSMA_LVM_DEPTH = 16 };

enum ksma_lvm_kind { KSMA_LVM_SECTION, KSMA_LVM_LIST, KSMA_LVM_STRING, KSMA_LVM_NUMBER };

/* One thing of the text. Its children follow it in the array, up to `end`. */
struct ksma_lvm_node {
	enum ksma_lvm_kind kind;
	const char *name; /* in the text, not ended; members of lists have none */
	size_t name_length;
	const char *text; /* of a string, without its quotes */
	size_t text_length;
	uint64_t number;
	size_t end; /* index after its last child */
};

/* Node 0 is the whole text. */
struct ksma_lvm_text {
	struct ksma_lvm_node *items;
	size_t count, capacity;
};

/* @text must outlive the result; freed with free(items) @return NULL, BAD_DATA, LIMIT, NOMEM */
struct ksma_error *ksma_lvm_parse(const char *text, size_t length,
				  struct ksma_lvm_text *ret_text) KSMA_MUST_CHECK;

/* The child of a node by its name, or 0. */
size_t ksma_lvm_child(const struct ksma_lvm_text *text, size_t node, const char *name);

/* The first child and the one after it; `end` of the parent when there is none left. */
static inline size_t ksma_lvm_next(const struct ksma_lvm_text *text, size_t node)
{
	return text->items[node].end;
}

/* A number or a string among a section's children. @return false where there is none */
bool ksma_lvm_number(const struct ksma_lvm_text *text, size_t node, const char *name,
		     uint64_t *ret);
bool ksma_lvm_string(const struct ksma_lvm_text *text, size_t node, const char *name,
		     const char **ret_text, size_t *ret_length);

#endif
