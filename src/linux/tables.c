/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads symbols and types out of a kernel image. Everything is copied before it is parsed, because the guest may change it. */
#include "linux/tables.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "linux/kallsyms.h"

enum { MAX_TABLES = 32 << 20, MAX_BTF = 64 << 20, MAX_SEARCH = 256 << 20, MAX_DECOYS = 8 };

void ksma_tables_deinit(struct ksma_tables *tables)
{
	ksma_symbols_deinit(&tables->symbols);
	ksma_error_destroy(tables->types_error);
	for (size_t i = 0; i < ARRAY_SIZE(tables->owned); i++)
		free(tables->owned[i]);
	if (tables->mapping)
		munmap(tables->mapping, tables->mapping_size);
	*tables = (struct ksma_tables){ 0 };
}

struct ksma_error *ksma_image_copy(struct ksma_guest *guest, const struct ksma_image *image,
				   uint64_t offset, size_t size, uint8_t **ret_data)
{
	_cleanup_free_ uint8_t *data = NULL;

	if (!ksma_in_range(offset, size, image->size))
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"a table of the kernel at +0x%llx reaches past the end of its image",
			(unsigned long long)offset);
	data = malloc(size ? size : 1);
	if (!data)
		return ksma_error_nomem();
	KSMA_TRY(ksma_guest_read(guest, ksma_gpa_of(image->gpa + offset), data, size));
	*ret_data = TAKE_PTR(data);
	return NULL;
}

/* Makes the places relative to a copy that begins at `start`. */
static void rebase(struct ksma_kallsyms *tables)
{
	size_t start = tables->start;
	size_t *const places[] = {
		&tables->start,	      &tables->end,	    &tables->offsets,
		&tables->num_syms_at, &tables->names,	    &tables->names_end,
		&tables->markers,     &tables->token_table, &tables->token_index,
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		*places[i] -= start;
	if (tables->relative_base_at)
		tables->relative_base_at -= start;
	tables->gva += start;
}

/* Decodes the tables that were located inside one part, from a copy: what is decoded is what a cache entry will hold. */
static struct ksma_error *decode_at(struct ksma_guest *guest, const struct ksma_image *image,
				    uint64_t part_offset, const struct ksma_kallsyms *found,
				    struct ksma_tables *tables)
{
	struct ksma_kallsyms local = *found;
	size_t size = found->end - found->start;
	uint8_t *copy;

	if (found->end <= found->start || size > MAX_TABLES)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "kallsyms of %zu bytes is larger than any kernel's", size);
	KSMA_TRY(ksma_image_copy(guest, image, part_offset + found->start, size, &copy));
	free(tables->owned[0]);
	tables->owned[0] = copy;
	tables->kallsyms = (struct ksma_piece){ copy, size, part_offset + found->start };
	rebase(&local);
	KSMA_TRY(ksma_kallsyms_decode(copy, size, &local, &tables->symbols));
	tables->slide_offset = tables->symbols.slide - image->gva;
	return ksma_kallsyms_verify(&local, &tables->symbols);
}

/* Searches one part of the image. @ret_found false when it holds no tables of this kernel */
static struct ksma_error *search_part(struct ksma_guest *guest, const struct ksma_image *image,
				      const struct ksma_image_part *part,
				      struct ksma_tables *tables, bool *ret_found)
{
	const uint8_t *data = ksma_guest_mapped(guest, part->gpa, part->size);
	_cleanup_free_ uint8_t *copy = NULL;
	struct ksma_kallsyms found;
	size_t position = 0;

	if (part->size > MAX_SEARCH)
		return ksma_error_create(
			KSMA_ERROR_LIMIT,
			"a part of the kernel image of %llu MiB is larger than any kernel",
			(unsigned long long)part->size >> 20);
	if (!data) {
		KSMA_TRY(ksma_image_copy(guest, image, part->gva - image->gva, part->size, &copy));
		data = copy;
	}
	for (unsigned decoys = 0; decoys < MAX_DECOYS; decoys++) {
		struct ksma_error *error =
			ksma_kallsyms_locate(data, part->size, part->gva, &position, &found);

		if (!error)
			error = decode_at(guest, image, part->gva - image->gva, &found, tables);
		if (!error) {
			*ret_found = true;
			return NULL;
		}
		ksma_symbols_deinit(&tables->symbols);
		tables->symbols = (struct ksma_symbols){ 0 };
		if (error->code == KSMA_ERROR_NOT_PRESENT) {
			ksma_error_destroy(error);
			return NULL;
		}
		if (error->code != KSMA_ERROR_BAD_DATA)
			return error;
		ksma_error_destroy(error);
	}
	return NULL;
}

struct ksma_error *ksma_tables_read(struct ksma_guest *guest, const struct ksma_image *image,
				    struct ksma_tables *ret_tables)
{
	_cleanup_(ksma_tables_deinit) struct ksma_tables tables = { 0 };
	bool found = false;

	/* Read-only data first: that is where they are once boot has come to its end; before that, anything that is not code. */
	for (int writable = 0; writable <= 1 && !found; writable++)
		for (size_t i = 0; i < image->part_count && !found; i++)
			if (image->parts[i].writable == writable &&
			    (!image->parts[i].executable || writable))
				KSMA_TRY(search_part(guest, image, &image->parts[i], &tables,
						     &found));
	if (!found)
		return ksma_error_create(
			KSMA_ERROR_NOT_PRESENT,
			"no kallsyms tables in the kernel image at physical 0x%llx",
			(unsigned long long)image->gpa);
	*ret_tables = tables;
	tables = (struct ksma_tables){ 0 };
	return NULL;
}

static uint64_t image_symbol(const struct ksma_image *image, const struct ksma_symbols *symbols,
			     const char *name)
{
	const struct ksma_symbol *symbol = ksma_symbols_find(symbols, name);

	return symbol ? ksma_symbol_address(symbols, symbol) - image->gva : UINT64_MAX;
}

struct ksma_error *ksma_tables_read_types(struct ksma_guest *guest, const struct ksma_image *image,
					  struct ksma_tables *tables)
{
	uint64_t start = image_symbol(image, &tables->symbols, "__start_BTF");
	uint64_t stop = image_symbol(image, &tables->symbols, "__stop_BTF");
	struct ksma_btf *btf;
	uint8_t *copy;

	if (start == UINT64_MAX || stop == UINT64_MAX || stop <= start)
		return NULL; /* a kernel without CONFIG_DEBUG_INFO_BTF */
	if (stop - start > MAX_BTF)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "BTF of %llu bytes is larger than any kernel's",
					 (unsigned long long)(stop - start));
	KSMA_TRY(ksma_image_copy(guest, image, start, stop - start, &copy));
	free(tables->owned[1]);
	tables->owned[1] = copy;
	KSMA_TRY(ksma_error_prefix(ksma_btf_create(copy, stop - start, &btf), "the kernel's BTF"));
	tables->btf = (struct ksma_piece){ copy, stop - start, start };
	ksma_types_resolve(btf, &tables->layouts);
	tables->have_layouts = true;
	ksma_btf_destroy(btf);
	return NULL;
}
