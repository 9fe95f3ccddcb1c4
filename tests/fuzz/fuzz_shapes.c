/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shapes of structs and the sweep by them: whoever owns the kernel wrote both its types and its memory. */
#include "kernel_input.h"

#include "checks/owners.h"
#include "checks/registry.h"

#define BASE 0xffffffff80000000ull

enum { MAX_TYPES = 512, MEMORY = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static void check_shape(const struct ksma_shape *shape)
{
	for (size_t i = 0; i < shape->count; i++)
		if ((uint64_t)shape->items[i].offset + 8 > shape->size || !shape->items[i].name)
			abort();
}

static void sweep_types(struct ksma_sweep *sweep)
{
	static const enum ksma_registry_walk walks[] = {
		KSMA_REGISTRY_LIST,    KSMA_REGISTRY_HLIST,    KSMA_REGISTRY_CHAIN,
		KSMA_REGISTRY_POINTER, KSMA_REGISTRY_POINTERS, KSMA_REGISTRY_OBJECTS,
		KSMA_REGISTRY_IDR,     KSMA_REGISTRY_FUNCTION,
	};
	uint32_t count = ksma_btf_type_count(sweep->btf);

	for (uint32_t id = 1; id <= count && id < MAX_TYPES; id++) {
		const struct ksma_shape *shape;
		const char *name = ksma_btf_name_of(sweep->btf, id);
		struct ksma_registry row = {
			"memory", walks[id % ARRAY_SIZE(walks)], name, NULL, 16, true, NULL
		};

		ksma_error_destroy(ksma_shapes_get(&sweep->shapes, id, &shape));
		if (!shape)
			continue;
		check_shape(shape);
		ksma_error_destroy(ksma_sweep_object(sweep, name, BASE + id * 8, "thing"));
		ksma_error_destroy(ksma_registry_walk_at(sweep, &row, BASE + id * 16, NULL, NULL));
	}
}

/* The types, and then the same bytes again as memory. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct fake_kernel *k;
	struct ksma_findings findings = { 0 };
	struct ksma_coverage coverage = { 0 };
	struct ksma_owners owners = { 0 };
	struct ksma_sweep sweep = { 0 };
	struct ksma_look look = { .check = "fuzz",
				  .attack = "T0",
				  .findings = &findings,
				  .coverage = &coverage,
				  .owners = &owners };
	struct ksma_error *error;

	if (length > MEMORY)
		return 0;
	k = fake_kernel_create(BASE, MEMORY, FAKE_MAPPED);
	if (length)
		memcpy(fake_kernel_at(k, BASE, length), data, length);
	fake_layout_containers(&k->kernel);
	fake_layout_modules(&k->kernel);
	fake_kernel_symbol(k, "modules", BASE + 8);
	k->kernel.image = k->kernel.text = BASE;
	k->kernel.image_end = k->kernel.etext = BASE + MEMORY / 2;
	look.kernel = &k->kernel;
	error = ksma_btf_create(data, length, &k->kernel.btf);
	if (!error)
		error = ksma_sweep_init(&look, &sweep);
	if (!error)
		sweep_types(&sweep);
	ksma_error_destroy(error);
	ksma_sweep_deinit(&sweep);
	ksma_findings_deinit(&findings);
	ksma_coverage_deinit(&coverage);
	ksma_btf_destroy(k->kernel.btf);
	fake_kernel_destroy(k);
	return 0;
}
