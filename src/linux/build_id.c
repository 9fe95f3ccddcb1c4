/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the build ids that a guest's kernel and modules carry in their notes. */
#include "linux/build_id.h"

#include "base/bytes.h"
#include "base/note.h"

enum {
	MAX_NOTES = 4096,
	MAX_MODULE_NOTE = 256,
	MAX_ATTRIBUTES = 16,
	ATTRIBUTE_MAX = 256,
	SHA1_SIZE = 20
};

static void take(const void *notes, size_t length, struct ksma_build_id *ret_id)
{
	size_t size = 0;
	const uint8_t *id = ksma_note_build_id(notes, length, &size);

	if (!id || size > sizeof(ret_id->bytes))
		return;
	memcpy(ret_id->bytes, id, size);
	ret_id->length = size;
}

void ksma_build_id_of_kernel(struct ksma_kernel *kernel, struct ksma_build_id *ret_id)
{
	uint64_t start = ksma_kernel_symbol(kernel, "__start_notes"),
		 stop = ksma_kernel_symbol(kernel, "__stop_notes");
	uint8_t notes[MAX_NOTES];

	ret_id->length = 0;
	if (start && stop > start && stop - start <= sizeof(notes) &&
	    ksma_kernel_bytes(kernel, start, notes, stop - start))
		take(notes, stop - start, ret_id);
}

/* One bin_attribute: the section of its name, if that is the one. */
static bool take_attribute(struct ksma_kernel *kernel, uint64_t address,
			   struct ksma_build_id *ret_id)
{
	const struct ksma_offsets *off = &kernel->off;
	uint8_t attribute[ATTRIBUTE_MAX], note[MAX_MODULE_NOTE];
	uint32_t size = kernel->size.bin_attribute;
	uint64_t length, at;
	char name[32];

	if (!ksma_kernel_bytes(kernel, address, attribute, size) ||
	    !ksma_kernel_string(kernel, ksma_le64(attribute + off->bin_attribute__attr_name), name,
				sizeof(name)) ||
	    strcmp(name, ".note.gnu.build-id") != 0)
		return false;
	length = ksma_le64(attribute + off->bin_attribute__size);
	at = ksma_le64(attribute + off->bin_attribute__private);
	if (length <= sizeof(note) && ksma_kernel_bytes(kernel, at, note, length))
		take(note, length, ret_id);
	return true;
}

/* Members that are there, and inside the attribute. */
static bool know_attributes(const struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	const int32_t members[] = { off->bin_attribute__attr_name, off->bin_attribute__size,
				    off->bin_attribute__private };
	uint32_t size = kernel->size.bin_attribute;

	if (!size || size > ATTRIBUTE_MAX || off->module_notes_attrs__attrs < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i] < 0 || !ksma_in_range((uint64_t)members[i], 8, size))
			return false;
	return true;
}

/* How many attributes there are: counted (6.12 and before), or as many as the group points to (7.2). */
static size_t count_attributes(struct ksma_kernel *kernel, uint64_t notes)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t list, one;
	uint32_t count = 0;
	size_t n = 0;

	if (off->module_notes_attrs__notes >= 0) {
		if (!ksma_kernel_u32(kernel, notes + (uint64_t)off->module_notes_attrs__notes,
				     &count))
			return 0;
		return count < MAX_ATTRIBUTES ? count : MAX_ATTRIBUTES;
	}
	if (off->module_notes_attrs__bin_attrs < 0 ||
	    !ksma_kernel_u64(kernel, notes + (uint64_t)off->module_notes_attrs__bin_attrs, &list) ||
	    !list)
		return 0;
	while (n < MAX_ATTRIBUTES && ksma_kernel_u64(kernel, list + 8 * n, &one) && one)
		n++;
	return n;
}

void ksma_build_id_of_module(struct ksma_kernel *kernel, const uint8_t *bytes,
			     struct ksma_build_id *ret_id)
{
	static const uint8_t none[SHA1_SIZE];
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.module;
	uint64_t notes = 0;
	size_t count;

	ret_id->length = 0;
	if (off->module__build_id >= 0 &&
	    ksma_in_range((uint64_t)off->module__build_id, SHA1_SIZE, size) &&
	    memcmp(bytes + off->module__build_id, none, SHA1_SIZE) != 0) {
		memcpy(ret_id->bytes, bytes + off->module__build_id, SHA1_SIZE);
		ret_id->length = SHA1_SIZE;
		return;
	}
	if (off->module__notes_attrs >= 0 &&
	    ksma_in_range((uint64_t)off->module__notes_attrs, 8, size))
		notes = ksma_le64(bytes + off->module__notes_attrs);
	if (!notes || !know_attributes(kernel))
		return;
	count = count_attributes(kernel, notes);
	for (size_t i = 0; i < count; i++)
		if (take_attribute(kernel,
				   notes + (uint64_t)off->module_notes_attrs__attrs +
					   i * kernel->size.bin_attribute,
				   ret_id))
			return;
}
