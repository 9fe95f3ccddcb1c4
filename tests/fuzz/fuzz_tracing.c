/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hooks by the kernel's own means: whoever owns the guest's kernel writes the lists, tables and trees that name them. */
#include "kernel_input.h"

#include "checks/check.h"
#include "checks/owners.h"
#include "fake_tracing.h"
#include "linux/io_uring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

static const struct ksma_check *const checks[] = { &ksma_check_ftrace,	  &ksma_check_kprobes,
						   &ksma_check_uprobes,	  &ksma_check_tracepoints,
						   &ksma_check_livepatch, &ksma_check_bpf };

/* Where the input is taken for what. */
static void add_symbols(struct fake_kernel *k)
{
	fake_kernel_symbol(k, "ftrace_ops_list", 8);
	fake_kernel_symbol(k, "ftrace_pages_start", 16);
	fake_kernel_symbol(k, "direct_functions", 24);
	fake_kernel_symbol(k, "ftrace_ops_trampoline_list", 32);
	fake_kernel_symbol(k, "fgraph_array", 48);
	fake_kernel_symbol(k, "ftrace_list_end", 4096);
	fake_kernel_symbol(k, "kprobe_table", 512);
	fake_kernel_symbol(k, "fprobe_table", 1024);
	fake_kernel_symbol(k, "aggr_pre_handler", 56);
	fake_kernel_symbol(k, "pre_handler_kretprobe", 64);
	fake_kernel_symbol(k, "uprobes_tree", 72);
	fake_kernel_symbol(k, "__start___tracepoints_ptrs", 80);
	fake_kernel_symbol(k, "__stop___tracepoints_ptrs", 112);
	fake_kernel_symbol(k, "klp_patches", 120);
	fake_kernel_symbol(k, "klp_ops", 136);
	fake_kernel_symbol(k, "klp_ftrace_handler", 152);
	fake_kernel_symbol(k, "prog_idr", 160);
	fake_kernel_symbol(k, "link_idr", 176);
	fake_kernel_symbol(k, "bpf_kallsyms", 192);
	fake_kernel_symbol(k, "ftrace_events", 208);
	fake_kernel_symbol(k, "net_namespace_list", 224);
	fake_kernel_symbol(k, "__bpf_call_base", 240);
	fake_kernel_symbol(k, "bpf_probe_write_user", 248);
	fake_kernel_symbol(k, "trampoline_table", 8192);
	fake_kernel_symbol(k, "modules", 256);
}

static bool take_file(void *arg, uint32_t place, uint64_t file)
{
	(void)arg;
	(void)place;
	(void)file;
	return true;
}

static bool take_ring(void *arg, const struct ksma_ring *ring)
{
	struct ksma_budget budget = { KERNEL_INPUT_NODES, 0 };

	ksma_error_destroy(ksma_ring_files(arg, ring, &budget, take_file, NULL));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_budget budget = { KERNEL_INPUT_NODES, 0 };
	const struct ksma_owners owners = { 0 };
	struct fake_kernel *k;

	if (length > KERNEL_INPUT_MAX)
		return 0;
	k = kernel_of_input(data, length);
	fake_layout_ftrace(&k->kernel);
	fake_layout_containers(&k->kernel);
	fake_layout_modules(&k->kernel);
	fake_layout_probes(&k->kernel);
	fake_layout_bpf(&k->kernel);
	fake_layout_rings(&k->kernel);
	add_symbols(k);
	ksma_error_destroy(ksma_rings_of_task(&k->kernel, 280, &budget, take_ring, &k->kernel));
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct ksma_findings findings = { 0 };
		struct ksma_coverage coverage = { 0 };
		struct ksma_look look = { .kernel = &k->kernel,
					  .check = checks[i]->info.name,
					  .attack = checks[i]->info.attack,
					  .findings = &findings,
					  .coverage = &coverage,
					  .owners = &owners };

		ksma_error_destroy(checks[i]->run(&look));
		ksma_findings_deinit(&findings);
		ksma_coverage_deinit(&coverage);
	}
	fake_kernel_destroy(k);
	return 0;
}
