/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layouts of what the kernel's own tracing is made of, shortened: for unit tests and fuzz targets. */
#include "fake_tracing.h"

void fake_layout_ftrace(struct ksma_kernel *kernel)
{
	kernel->off.ftrace_ops__func = 0;
	kernel->off.ftrace_ops__next = 8;
	kernel->off.ftrace_ops__flags = 16;
	kernel->off.ftrace_ops__saved_func = 24;
	kernel->off.ftrace_ops__func_hash = 32;
	kernel->off.ftrace_ops__trampoline = 40;
	kernel->off.ftrace_ops__trampoline_size = 48;
	kernel->off.ftrace_ops__list = 56;
	kernel->off.ftrace_ops__subop_list = 72;
	kernel->off.ftrace_ops__direct_call = 88;
	kernel->size.ftrace_ops = 96;
	kernel->off.ftrace_ops_hash__notrace_hash = 0;
	kernel->off.ftrace_ops_hash__filter_hash = 8;
	kernel->off.ftrace_hash__size_bits = 0;
	kernel->off.ftrace_hash__buckets = 8;
	kernel->off.ftrace_hash__count = 16;
	kernel->off.ftrace_func_entry__hlist = 0;
	kernel->off.ftrace_func_entry__ip = 16;
	kernel->off.ftrace_func_entry__direct = 24;
	kernel->off.dyn_ftrace__ip = 0;
	kernel->off.dyn_ftrace__flags = 8;
	kernel->size.dyn_ftrace = 16;
	kernel->off.ftrace_page__next = 0;
	kernel->off.ftrace_page__records = 8;
	kernel->off.ftrace_page__index = 16;
	kernel->off.fgraph_ops__entryfunc = 0;
	kernel->off.fgraph_ops__retfunc = 8;
	kernel->off.fprobe__ops = 0;
	kernel->off.fprobe__entry_handler = 96;
	kernel->off.fprobe__exit_handler = 104;
}

void fake_layout_probes(struct ksma_kernel *kernel)
{
	kernel->off.kprobe__hlist = 0;
	kernel->off.kprobe__list = 16;
	kernel->off.kprobe__addr = 32;
	kernel->off.kprobe__pre_handler = 40;
	kernel->off.kprobe__post_handler = 48;
	kernel->off.kretprobe__kp = 0;
	kernel->off.kretprobe__handler = 56;
	kernel->off.kretprobe__entry_handler = 64;
	kernel->off.kretprobe__rh = 72;
	kernel->off.rethook__handler = 8;
	kernel->off.fprobe_hlist__hlist = 0;
	kernel->off.fprobe_hlist__fp = 16;
	kernel->off.fprobe_hlist__array = 24;
	kernel->off.fprobe_hlist_node__addr = 16;
	kernel->off.uprobe__rb_node = 0;
	kernel->off.uprobe__consumers = 24;
	kernel->off.uprobe__inode = 40;
	kernel->off.uprobe__offset = 48;
	kernel->off.uprobe_consumer__handler = 0;
	kernel->off.uprobe_consumer__ret_handler = 8;
	kernel->off.uprobe_consumer__filter = 16;
	kernel->off.uprobe_consumer__cons_node = 24;
	kernel->off.tracepoint__name = 0;
	kernel->off.tracepoint__static_call_key = 8;
	kernel->off.tracepoint__iterator = 16;
	kernel->off.tracepoint__funcs = 24;
	kernel->size.tracepoint = 32;
	kernel->off.tracepoint_func__func = 0;
	kernel->size.tracepoint_func = 24;
	kernel->off.static_call_key__func = 0;
	kernel->off.klp_patch__list = 0;
	kernel->off.klp_patch__mod = 16;
	kernel->off.klp_patch__obj_list = 24;
	kernel->off.klp_object__node = 0;
	kernel->off.klp_object__func_list = 16;
	kernel->off.klp_func__node = 0;
	kernel->off.klp_func__new_func = 16;
	kernel->off.klp_func__old_name = 24;
	kernel->off.klp_ops__node = 0;
	kernel->off.klp_ops__fops = 16;
}

void fake_layout_bpf(struct ksma_kernel *kernel)
{
	kernel->off.bpf_prog__type = 0;
	kernel->off.bpf_prog__len = 4;
	kernel->off.bpf_prog__tag = 8;
	kernel->off.bpf_prog__aux = 16;
	kernel->off.bpf_prog__bpf_func = 24;
	kernel->off.bpf_prog__insnsi = 32;
	kernel->off.bpf_prog_aux__id = 0;
	kernel->off.bpf_prog_aux__func_cnt = 4;
	kernel->off.bpf_prog_aux__name = 8;
	kernel->off.bpf_prog_aux__func = 24;
	kernel->off.bpf_prog_aux__prog = 32;
	kernel->off.bpf_prog_aux__load_time = 40;
	kernel->off.bpf_prog_aux__user = 48;
	kernel->off.bpf_prog_aux__used_maps = 56;
	kernel->off.bpf_prog_aux__used_map_cnt = 64;
	kernel->off.bpf_prog_aux__refcnt = 72;
	kernel->off.bpf_prog_aux__ksym = 80;
	kernel->off.bpf_ksym__start = 0;
	kernel->off.bpf_ksym__end = 8;
	kernel->off.bpf_ksym__name = 16;
	kernel->off.bpf_ksym__lnode = 48;
	kernel->off.bpf_ksym__prog = 64;
	kernel->off.bpf_map__id = 0;
	kernel->off.bpf_link__prog = 0;
	kernel->off.bpf_link__type = 8;
	kernel->off.bpf_trampoline__hlist = 0;
	kernel->off.bpf_trampoline__func_addr = 16;
	kernel->off.bpf_trampoline__extension_prog = 24;
	kernel->off.bpf_trampoline__progs_hlist = 32;
	kernel->off.bpf_trampoline__progs_cnt = 56;
	kernel->off.bpf_tramp_link__link = 0;
	kernel->off.bpf_tramp_link__tramp_hlist = 16;
	kernel->off.bpf_prog_array__items = 16;
	kernel->off.bpf_prog_array_item__prog = 0;
	kernel->size.bpf_prog_array_item = 24;
	kernel->off.trace_event_call__list = 0;
	kernel->off.trace_event_call__name = 16;
	kernel->off.trace_event_call__prog_array = 24;
	kernel->off.net__list = 0;
	kernel->off.net__dev_base_head = 16;
	kernel->off.net_device__dev_list = 0;
	kernel->off.net_device__name = 16;
	kernel->off.net_device__xdp_state = 32;
	kernel->off.net_device__tcx_ingress = 80;
	kernel->off.bpf_xdp_entity__prog = 0;
	kernel->off.bpf_xdp_entity__link = 8;
	kernel->size.bpf_xdp_entity = 16;
}

void fake_layout_rings(struct ksma_kernel *kernel)
{
	kernel->off.task_struct__io_uring = 0;
	kernel->off.io_uring_task__xa = 0;
	kernel->off.io_tctx_node__ctx = 0;
	kernel->off.io_ring_ctx__flags = 0;
	kernel->off.io_ring_ctx__nr_user_files = 4;
	kernel->off.io_ring_ctx__files = 8;
}

void fake_layout_new_rings(struct ksma_kernel *kernel)
{
	fake_layout_rings(kernel);
	kernel->off.io_ring_ctx__nr_user_files = KSMA_NO_MEMBER;
	kernel->off.io_ring_ctx__files = KSMA_NO_MEMBER;
	kernel->off.io_ring_ctx__file_nr = 4;
	kernel->off.io_ring_ctx__file_nodes = 8;
	kernel->off.io_rsrc_node__file_ptr = 16;
}
