/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where in the guest's kernel the guard stands: at most four places, for the processor has no more breakpoints.
 *
 * Executable mappings are the hard part: security_mmap_file() is called for every mapping, of which a hundredth are executable ones of a file.
 * Where the kernel has IMA, ima_file_mmap() asks process_measurement() for exactly those, whether or not IMA has a policy, so the guard stands at
 * that call. Source: security/security.c, security/integrity/ima/ima_main.c of 5.10 to 7.2. */
#include "guard/sites.h"

#include "guard/policy.h"
#include "vendor/patch.h"
#include "x86/decode.h"

enum { FUNCTION_MAX = 512, NEAR = 32, CALL = 0xe8, CALL_LENGTH = 5 };

/* The place in a function: behind its ENDBR, so that a processor that waits for one has seen it, or what the kernel put in the place of an ENDBR
 * that nothing needs: there ftrace's NOP is. */
static bool at_entry(struct ksma_kernel *kernel, const char *name, uint64_t *ret_address)
{
	uint64_t address = ksma_kernel_symbol(kernel, name);
	uint8_t code[KSMA_ENDBR_LENGTH];

	if (!address || !ksma_kernel_bytes(kernel, address, code, sizeof(code)))
		return false;
	*ret_address = address + (ksma_patch_is_endbr(code) ? KSMA_ENDBR_LENGTH : 0);
	return true;
}

/* `push $func` shortly before the call: the seventh argument. */
static bool pushes(const uint8_t *code, size_t at, int32_t func)
{
	for (size_t i = at > NEAR ? at - NEAR : 0; i + 2 <= at; i++)
		if (code[i] == 0x6a && code[i + 1] == func)
			return true;
	return false;
}

/* The call of process_measurement() for MMAP_CHECK in ima_file_mmap(). */
static bool at_measure(struct ksma_kernel *kernel, uint64_t *ret_address)
{
	uint64_t function = ksma_kernel_symbol(kernel, "ima_file_mmap");
	uint64_t target = ksma_kernel_symbol(kernel, "process_measurement");
	uint8_t code[FUNCTION_MAX];
	struct ksma_instruction in;
	uint64_t found = 0;

	if (!function || !target || !ksma_kernel_symbol(kernel, "ima_policy_flag") ||
	    kernel->enums.MMAP_CHECK <= 0 ||
	    !ksma_kernel_bytes(kernel, function, code, sizeof(code)))
		return false;
	for (size_t i = 0; i + CALL_LENGTH <= sizeof(code) &&
			   ksma_decode(code + i, sizeof(code) - i, &in) && in.length;
	     i += in.length) {
		if (i && ksma_symbols_at(&kernel->symbols, function + i) !=
				 ksma_symbols_at(&kernel->symbols, function))
			break;
		if (code[i] != CALL || ksma_branch_target(code + i, function + i) != target ||
		    !pushes(code, i, kernel->enums.MMAP_CHECK))
			continue;
		if (found)
			return false; /* two that look alike: which is it? */
		found = function + i;
	}
	*ret_address = found;
	return found != 0;
}

static const struct {
	unsigned hook;
	enum ksma_site_kind kind;
	const char *function;
} candidates[] = {
	/* By falling importance; of those for one hook the first that the kernel has. */
	{ KSMA_HOOK_EXEC, KSMA_SITE_BPRM, "security_bprm_check" },
	{ KSMA_HOOK_MMAP, KSMA_SITE_MEASURE, "ima_file_mmap" },
	{ KSMA_HOOK_MMAP, KSMA_SITE_MMAP, "security_mmap_file" },
	{ KSMA_HOOK_KERNEL_READ, KSMA_SITE_READ, "security_kernel_post_read_file" },
	{ KSMA_HOOK_OPEN, KSMA_SITE_OPEN, "security_file_post_open" },
	{ KSMA_HOOK_OPEN, KSMA_SITE_OPEN, "ima_file_check" },
	{ KSMA_HOOK_OPEN, KSMA_SITE_OPENING, "security_file_open" },
	{ KSMA_HOOK_KERNEL_DATA, KSMA_SITE_DATA, "security_kernel_post_load_data" },
	{ KSMA_HOOK_MPROTECT, KSMA_SITE_MPROTECT, "security_file_mprotect" },
};

struct ksma_error *ksma_sites_plan(struct ksma_kernel *kernel, unsigned hooks,
				   struct ksma_sites *ret_sites)
{
	struct ksma_sites sites = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(candidates) && sites.count < KSMA_GDB_BREAKPOINTS; i++) {
		struct ksma_site site = { .kind = candidates[i].kind,
					  .hook = candidates[i].hook,
					  .function = candidates[i].function };

		if (!(hooks & site.hook) || (sites.covered & site.hook) ||
		    !(site.kind == KSMA_SITE_MEASURE
			      ? at_measure(kernel, &site.address)
			      : at_entry(kernel, site.function, &site.address)))
			continue;
		sites.covered |= site.hook;
		sites.items[sites.count++] = site;
	}
	sites.left_out = hooks & ~sites.covered;
	if (sites.count == 0)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
					 "the guest's kernel has none of the functions that this "
					 "policy is to be enforced at");
	*ret_sites = sites;
	return NULL;
}

enum ksma_passing ksma_site_passing(struct ksma_kernel *kernel, const struct ksma_site *site,
				    unsigned *ret_length)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };
	uint8_t code[sizeof(nop)];
	uint32_t flag;

	*ret_length = sizeof(nop);
	if (!ksma_kernel_bytes(kernel, site->address, code, sizeof(code)))
		return KSMA_PASS_STEP;
	if (site->kind != KSMA_SITE_MEASURE)
		return memcmp(code, nop, sizeof(nop)) == 0 ? KSMA_PASS_NOP : KSMA_PASS_STEP;
	/* process_measurement() begins with: if (!ima_policy_flag …) return 0. */
	if (code[0] == CALL &&
	    ksma_branch_target(code, site->address) ==
		    ksma_kernel_symbol(kernel, "process_measurement") &&
	    ksma_kernel_u32(kernel, ksma_kernel_symbol(kernel, "ima_policy_flag"), &flag) &&
	    flag == 0)
		return KSMA_PASS_ZERO;
	return KSMA_PASS_STEP;
}

const char *ksma_guard_hook_name(unsigned hook)
{
	switch (hook) {
	case KSMA_HOOK_EXEC:
		return "exec";
	case KSMA_HOOK_MMAP:
		return "mmap";
	case KSMA_HOOK_MPROTECT:
		return "mprotect";
	case KSMA_HOOK_KERNEL_READ:
		return "kernel-read";
	case KSMA_HOOK_KERNEL_DATA:
		return "kernel-data";
	case KSMA_HOOK_OPEN:
		return "open";
	default:
		return "?";
	}
}
