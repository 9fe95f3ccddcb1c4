/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Index entries of a vendor store that was copied from somewhere: folder, name and text, divided by newlines. */
#include "vendor/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* What was read is written the same way, and read again. */
static void check(const struct ksma_vendor_entry *entry, const char *folder, const char *name)
{
	struct ksma_vendor_entry again;
	char path[KSMA_VENDOR_NAME_BUFFER];
	size_t length;
	char *text;

	ksma_vendor_index_name(entry, path);
	if (strncmp(path, "index/", 6) != 0 || strncmp(path + 6, folder, 2) != 0 ||
	    strcmp(path + 9, name) != 0)
		abort();
	ksma_vendor_object_name(entry->sha256, path);
	if (strlen(path) != strlen("objects/ab/") + 62)
		abort();
	if (ksma_vendor_entry_format(entry, &text, &length))
		abort(); /* what was short enough is not longer now */
	if (ksma_vendor_entry_parse(folder, name, text, length, &again))
		abort();
	if (again.kind != entry->kind || again.size != entry->size ||
	    again.signature != entry->signature)
		abort();
	ksma_vendor_entry_deinit(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_vendor_entry entry;
	char *copy, *name, *text;
	struct ksma_error *error;

	if (length > KSMA_VENDOR_MAX_ENTRY / 2)
		return 0;
	copy = strndup((const char *)data, length);
	name = copy ? strchr(copy, '\n') : NULL;
	text = name ? strchr(name + 1, '\n') : NULL;
	if (!text) {
		free(copy);
		return 0;
	}
	*name++ = 0;
	*text++ = 0;
	error = ksma_vendor_entry_parse(copy, name, text, strlen(text), &entry);
	if (!error) {
		check(&entry, copy, name);
		ksma_vendor_entry_deinit(&entry);
	}
	ksma_error_destroy(error);
	free(copy);
	return 0;
}
