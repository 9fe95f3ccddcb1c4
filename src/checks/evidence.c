/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence of code: what lies there, who owns it, and where it leads, so that a reader of a finding need not look it up. */
#include <inttypes.h>

#include "checks/check.h"
#include "checks/owners.h"
#include "x86/code.h"

enum { SHOWN_BYTES = 32, SHOWN_INSTRUCTIONS = 6, MAX_HOPS = 8, NAME = 64, TEXT = 384 };

struct ksma_error *ksma_finding_bytes(struct ksma_finding *finding, const char *key,
				      const uint8_t *bytes, size_t length, uint64_t gva)
{
	char name[NAME], text[TEXT];

	KSMA_TRY(ksma_finding_text(finding, key, "%s",
				   ksma_code_hex(bytes, length, text, sizeof(text))));
	if (!ksma_code_format(bytes, length, gva, SHOWN_INSTRUCTIONS, text, sizeof(text)))
		return NULL;
	snprintf(name, sizeof(name), "%s_code", key);
	return ksma_finding_text(finding, name, "%s", text);
}

/* Code near the end of what is mapped is read as far as it goes. */
static size_t read_code(struct ksma_kernel *kernel, uint64_t gva, uint8_t *code)
{
	size_t rest = KSMA_PAGE_SIZE - (gva & (KSMA_PAGE_SIZE - 1));

	if (ksma_kernel_bytes(kernel, gva, code, SHOWN_BYTES))
		return SHOWN_BYTES;
	return rest < SHOWN_BYTES && ksma_kernel_bytes(kernel, gva, code, rest) ? rest : 0;
}

static struct ksma_error *add_owner(struct ksma_look *look, struct ksma_finding *finding,
				    const char *key, uint64_t gva)
{
	const struct ksma_owner *owner = look->owners ? ksma_owners_find(look->owners, gva) : NULL;
	char name[NAME];

	snprintf(name, sizeof(name), "%s_owner", key);
	if (!owner)
		return ksma_finding_text(finding, name, "nobody");
	if (owner->kind == KSMA_OWNER_KERNEL)
		return ksma_finding_text(finding, name, "kernel");
	return ksma_finding_text(finding, name, "%s %s", ksma_owner_kind_name(owner->kind),
				 owner->name);
}

/* Where the code at `gva` goes on to at once. @return false: nowhere, or to where nothing can be read */
static bool follow(struct ksma_kernel *kernel, uint64_t gva, uint64_t *ret_target)
{
	uint8_t code[SHOWN_BYTES];
	size_t length = read_code(kernel, gva, code);

	switch (ksma_code_follow(code, length, gva, ret_target)) {
	case KSMA_CODE_JUMPS:
		return true;
	case KSMA_CODE_INDIRECT:
		return ksma_kernel_u64(kernel, *ret_target, ret_target);
	case KSMA_CODE_STAYS:
		return false;
	}
	return false;
}

/* A hook often points to a few instructions that jump on to the real thing. */
static struct ksma_error *add_end(struct ksma_look *look, struct ksma_finding *finding,
				  const char *key, uint64_t gva)
{
	uint64_t target = gva, next;
	char name[NAME];
	unsigned hops = 0;

	while (hops < MAX_HOPS && follow(look->kernel, target, &next) && next != target) {
		target = next;
		hops++;
	}
	if (!hops)
		return NULL;
	snprintf(name, sizeof(name), "%s_leads_to", key);
	KSMA_TRY(ksma_finding_address(look, finding, name, target));
	return add_owner(look, finding, name, target);
}

struct ksma_error *ksma_finding_code(struct ksma_look *look, struct ksma_finding *finding,
				     const char *key, uint64_t gva)
{
	char name[NAME], text[TEXT];
	uint8_t code[SHOWN_BYTES];
	uint64_t gpa;
	size_t length;

	KSMA_TRY(ksma_finding_address(look, finding, key, gva));
	KSMA_TRY(add_owner(look, finding, key, gva));
	if (!ksma_space_try_translate(&look->kernel->space, gva, &gpa))
		return NULL;
	snprintf(name, sizeof(name), "%s_frame", key);
	KSMA_TRY(ksma_finding_text(finding, name, "0x%" PRIx64,
				   gpa & ~(uint64_t)(KSMA_PAGE_SIZE - 1)));
	length = read_code(look->kernel, gva, code);
	snprintf(name, sizeof(name), "%s_code", key);
	if (ksma_code_format(code, length, gva, SHOWN_INSTRUCTIONS, text, sizeof(text)))
		KSMA_TRY(ksma_finding_text(finding, name, "%s", text));
	return add_end(look, finding, key, gva);
}
