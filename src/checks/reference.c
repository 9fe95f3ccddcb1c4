/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finds the vendor's build of a guest's kernel and modules by the build ids that they bear in memory. */
#include "checks/reference.h"

#include "linux/module_symbols.h"

enum { MAX_MODULES = 4096 };

static void reference_destroy(void *p)
{
	struct ksma_reference *reference = p;

	if (!reference)
		return;
	ksma_proof_destroy(reference->proof);
	ksma_vendor_close(reference->vendor);
	ksma_kept_destroy(reference->kept);
	free(reference->moving.items);
	free(reference->kept_path);
	free(reference->kept_note);
	free(reference->problem);
	free(reference);
}

static void reference_destroyp(struct ksma_reference **reference)
{
	reference_destroy(*reference);
}

/* Looks for the kernel in the store. What keeps it from being there is a reason, not an error. */
static struct ksma_error *find_kernel(struct ksma_look *look, struct ksma_reference *reference,
				      struct ksma_vendor_object *ret_object, bool *ret_found)
{
	const struct ksma_build_id *id = &look->kernel->info.build_id;
	struct ksma_error *error;

	*ret_found = false;
	if (!id->length)
		return ksma_strdup("the kernel bears no build id", &reference->problem);
	error = ksma_vendor_open(look->vendor, &reference->vendor);
	if (!error)
		error = ksma_vendor_find(reference->vendor, KSMA_VENDOR_KERNEL, id->bytes,
					 id->length, ret_object);
	if (!error) {
		*ret_found = true;
		return NULL;
	}
	if (error->code == KSMA_ERROR_NOMEM)
		return error;
	reference->problem = strdup(error->message);
	ksma_error_destroy(error);
	return reference->problem ? NULL : ksma_error_nomem();
}

static struct ksma_error *make(struct ksma_look *look, struct ksma_reference *reference)
{
	struct ksma_vendor_object object;
	struct ksma_error *error;
	bool found;

	reference->first_look_ns = ksma_epoch_ns();
	if (look->baseline)
		KSMA_TRY(ksma_reference_find_kept(look->kernel, look->baseline, reference));
	KSMA_TRY(find_kernel(look, reference, &object, &found));
	if (!found)
		return ksma_proof_create_baseline(look->kernel, look->owners, reference->kept,
						  &reference->proof);
	error = ksma_proof_create(look->kernel, look->owners, reference->kept, &object,
				  &reference->proof);
	if (error && error->code == KSMA_ERROR_BAD_DATA) {
		/* A reference that is no good is as none, and says so. */
		reference->problem = strdup(error->message);
		ksma_error_destroy(error);
		if (!reference->problem)
			return ksma_error_nomem();
		error = ksma_proof_create_baseline(look->kernel, look->owners, reference->kept,
						   &reference->proof);
	}
	return error;
}

struct ksma_error *ksma_look_reference(struct ksma_look *look,
				       struct ksma_reference **ret_reference)
{
	struct ksma_kernel *kernel = look->kernel;
	struct ksma_reference *reference = kernel->reference;

	if (!reference) {
		_cleanup_(reference_destroyp) struct ksma_reference *made =
			calloc(1, sizeof(*made));

		if (!made)
			return ksma_error_nomem();
		KSMA_TRY(make(look, made));
		reference = kernel->reference = TAKE_PTR(made);
		kernel->reference_destroy = reference_destroy;
	}
	if (!reference->have_state || reference->epoch != kernel->guest->epoch) {
		reference->have_state = reference->have_modules = false;
		KSMA_TRY(ksma_proof_read_state(look, reference->proof));
		reference->epoch = kernel->guest->epoch;
		reference->have_state = true;
	}
	look->reference = reference->proof->unit.baseline ? "baseline" : "vendor";
	*ret_reference = reference;
	return NULL;
}

static struct ksma_proof_module *known_module(struct ksma_proof *proof,
					      const struct ksma_module *module)
{
	for (size_t i = 0; i < proof->modules.count; i++) {
		struct ksma_proof_module *m = proof->modules.items[i];

		if (m->module == module->address && m->base == module->base &&
		    m->instance == ksma_proof_module_instance(proof->kernel, module->address) &&
		    strcmp(m->name, module->name) == 0)
			return m;
	}
	return NULL;
}

/* Takes a module into the list, with the vendor's file when there is one. */
static struct ksma_error *take_module(struct ksma_look *look, struct ksma_reference *reference,
				      const struct ksma_module *module)
{
	struct ksma_proof *proof = reference->proof;
	struct ksma_proof_module *m, **slot;
	struct ksma_error *error = NULL;
	size_t length;

	/* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
	KSMA_TRY(KSMA_ARRAY_PUSH(&proof->modules, &slot));
	m = *slot = calloc(1, sizeof(*m));
	if (!m) {
		proof->modules.count--;
		return ksma_error_nomem();
	}
	m->module = module->address;
	m->base = module->base;
	m->instance = ksma_proof_module_instance(look->kernel, module->address);
	m->seen = true;
	snprintf(m->name, sizeof(m->name), "%s", module->name);
	m->unit.key = (struct ksma_kept_key){ .base = m->base, .instance = m->instance };
	snprintf(m->unit.key.name, sizeof(m->unit.key.name), "%s", m->name);
	/* The note among the module's constants comes first: what sysfs shows of it is easily changed. */
	length = ksma_proof_module_build_id(look->kernel, module->address, m->build_id,
					    sizeof(m->build_id));
	if (!length && module->build_id.length == sizeof(m->build_id)) {
		memcpy(m->build_id, module->build_id.bytes, sizeof(m->build_id));
		length = sizeof(m->build_id);
	}
	if (!length || !reference->vendor)
		error = ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					  length ? "no vendor store" : "it bears no build id");
	if (!error)
		error = ksma_vendor_find(reference->vendor, KSMA_VENDOR_MODULE, m->build_id, length,
					 &m->object);
	if (!error)
		error = ksma_elf_init(m->object.data, m->object.length, &m->elf);
	if (!error)
		error = ksma_proof_module_place(proof, m);
	if (error) {
		if (error->code == KSMA_ERROR_NOMEM)
			return error;
		m->mismatch = m->object.data != NULL;
		m->problem = strdup(error->message);
		ksma_error_destroy(error);
		return m->problem ? NULL : ksma_error_nomem();
	}
	m->has_reference = true;
	return ksma_proof_module_exports(proof, m);
}

static void forget_gone(struct ksma_proof *proof)
{
	size_t kept = 0;

	for (size_t i = 0; i < proof->modules.count; i++) {
		struct ksma_proof_module *m = proof->modules.items[i];

		if (m->seen) {
			proof->modules.items[kept++] = m;
			continue;
		}
		ksma_proof_module_deinit(m);
		free(m);
	}
	if (kept != proof->modules.count)
		proof->exports_stale =
			true; /* they named symbols inside files that are unmapped now */
	proof->modules.count = kept;
}

static struct ksma_error *export_again(struct ksma_proof *proof)
{
	free(proof->exports.items);
	proof->exports.items = NULL;
	proof->exports.size = proof->exports.used = 0;
	proof->exports_stale = false;
	KSMA_TRY(ksma_proof_kernel_exports(proof));
	for (size_t i = 0; i < proof->modules.count; i++)
		if (proof->modules.items[i]->has_reference)
			KSMA_TRY(ksma_proof_module_exports(proof, proof->modules.items[i]));
	return NULL;
}

/* A module that cannot be read is a gap, and has no ranges to compare. */
static struct ksma_error *take_baseline(struct ksma_look *look, struct ksma_proof *proof,
					struct ksma_proof_module *m)
{
	struct ksma_error *error = ksma_proof_module_baseline(proof, m);

	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	ksma_coverage_error(look->coverage, KSMA_COVERAGE_PARTIAL, error, m->name);
	return NULL;
}

struct ksma_error *ksma_reference_modules(struct ksma_look *look, struct ksma_reference *reference)
{
	struct ksma_proof *proof = reference->proof;
	const struct ksma_modules *modules;

	if (reference->have_modules)
		return NULL;
	KSMA_TRY(ksma_module_symbols_update(look->kernel, look->coverage, &modules));
	if (modules->count > MAX_MODULES)
		return ksma_budget_error("modules");
	for (size_t i = 0; i < proof->modules.count; i++)
		proof->modules.items[i]->seen = false;
	for (size_t i = 0; i < modules->count; i++) {
		struct ksma_proof_module *m = known_module(proof, &modules->items[i]);

		/* What did not fit may have been torn, in a module that comes or goes: it is read anew. */
		if (m)
			m->seen = !m->mismatch && !m->torn;
	}
	forget_gone(proof);
	if (proof->exports_stale)
		KSMA_TRY(export_again(proof));
	for (size_t i = 0; i < modules->count; i++)
		if (strcmp(modules->items[i].state, "live") == 0 &&
		    !known_module(proof, &modules->items[i]))
			KSMA_TRY(take_module(look, reference, &modules->items[i]));
	for (size_t i = 0; i < proof->modules.count; i++) {
		struct ksma_proof_module *m = proof->modules.items[i];

		if (m->built || m->mismatch)
			continue;
		if (m->has_reference)
			KSMA_TRY(ksma_proof_module_build(proof, m));
		else
			KSMA_TRY(take_baseline(look, proof, m));
		m->built = true;
		m->torn = !ksma_proof_module_is_live(look->kernel, m);
	}
	/* What can be traced in modules that have no reference, the records say. */
	if (proof->wanting.count)
		KSMA_TRY(ksma_proof_read_state(look, proof));
	reference->have_modules = true;
	return NULL;
}
