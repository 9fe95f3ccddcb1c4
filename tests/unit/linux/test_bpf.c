/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BPF programs: what they call, told from their instructions and from their code, and who is reached without an id. */
#include "unit.h"

#include "fake_tracing.h"
#include "linux/bpf.h"

#define BASE 0xffffffff80000000ull

enum { ARENA = 1 << 18, CALL_BASE = 0x100, WRITER = 0x180, SIGNALLER = 0x1c0, ID = 5 };

struct world {
	struct fake_kernel *k;
	uint64_t idr, links, names, program, aux;
};

static void put_instruction(struct world *w, unsigned i, uint8_t code, uint8_t registers,
			    int32_t imm)
{
	uint8_t *at = fake_kernel_at(w->k, w->program + 32 + 8ul * i, 8);

	at[0] = code;
	at[1] = registers;
	memcpy(at + 4, &imm, 4);
}

/* One program of three instructions; an IDR of one entry keeps it at its head only for index 0, so it hangs from a node. */
static struct world make(void)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, FAKE_MAPPED) };
	uint64_t node;

	fake_layout_containers(&w.k->kernel);
	fake_layout_bpf(&w.k->kernel);
	w.idr = fake_kernel_alloc(w.k, 16, KSMA_PAGE_SIZE);
	w.links = fake_kernel_alloc(w.k, 16, 8);
	w.names = fake_kernel_alloc(w.k, 16, 8);
	node = fake_kernel_alloc(w.k, 576, KSMA_PAGE_SIZE);
	w.program = fake_kernel_alloc(w.k, 128, 8);
	w.aux = fake_kernel_alloc(w.k, 256, 8);
	fake_kernel_symbol(w.k, "prog_idr", w.idr);
	fake_kernel_symbol(w.k, "link_idr", w.links);
	fake_kernel_symbol(w.k, "bpf_kallsyms", w.names);
	fake_kernel_symbol(w.k, "__bpf_call_base", BASE + CALL_BASE);
	fake_kernel_symbol(w.k, "bpf_probe_write_user", BASE + WRITER);
	fake_kernel_symbol(w.k, "bpf_send_signal", BASE + SIGNALLER);
	fake_kernel_put64(w.k, w.idr + 8, node | 2);
	fake_kernel_put64(w.k, node + 40 + 8 * ID, w.program);
	fake_kernel_put(w.k, w.program, 2, 4);
	fake_kernel_put(w.k, w.program + 4, 3, 4);
	fake_kernel_put64(w.k, w.program + 8, 0x1122334455667788);
	fake_kernel_put64(w.k, w.program + 16, w.aux);
	fake_kernel_put64(w.k, w.aux + 32, w.program);
	fake_kernel_put(w.k, w.aux, ID, 4);
	memcpy(fake_kernel_at(w.k, w.aux + 8, 5), "probe", 5);
	fake_kernel_list(w.k, w.names, NULL, 0);
	return w;
}

static struct ksma_bpf read_world(struct world *w)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_bpf bpf;

	assert_ok(ksma_linux_bpf(&w->k->kernel, &coverage, &bpf));
	ksma_coverage_deinit(&coverage);
	return bpf;
}

static void test_instructions(void **state)
{
	struct world w = make();
	struct ksma_bpf bpf;

	(void)state;
	put_instruction(&w, 0, 0xb7, 0, WRITER - CALL_BASE); /* a number, not a call */
	put_instruction(&w, 1, 0x85, 0x10,
			WRITER - CALL_BASE); /* a call of another function of its own */
	bpf = read_world(&w);
	assert_int_equal(bpf.programs.count, 1);
	assert_int_equal(bpf.programs.items[0].id, ID);
	assert_int_equal(bpf.programs.items[0].tag[0], 0x88);
	assert_string_equal(bpf.programs.items[0].name, "probe");
	assert_string_equal(ksma_bpf_type_name(bpf.programs.items[0].type), "kprobe");
	assert_int_equal(bpf.programs.items[0].helpers, 0);
	ksma_bpf_free(&bpf);
	put_instruction(&w, 2, 0x85, 0, WRITER - CALL_BASE);
	bpf = read_world(&w);
	assert_int_equal(bpf.programs.items[0].helpers, KSMA_BPF_PROBE_WRITE_USER);
	ksma_bpf_free(&bpf);
	fake_kernel_destroy(w.k);
}

/* The instructions say nothing, and the code calls. */
static void test_code(void **state)
{
	struct world w = make();
	uint64_t code = fake_kernel_alloc(w.k, 2 * KSMA_PAGE_SIZE, KSMA_PAGE_SIZE),
		 at = code + KSMA_PAGE_SIZE - 2; /* across the end of a piece */
	struct ksma_bpf bpf;

	(void)state;
	fake_kernel_put64(w.k, w.aux + 80, code);
	fake_kernel_put64(w.k, w.aux + 88, code + 2 * KSMA_PAGE_SIZE);
	fake_kernel_put(w.k, at, 0xe8, 1);
	fake_kernel_put(w.k, at + 1, BASE + SIGNALLER - (at + 5), 4);
	bpf = read_world(&w);
	assert_int_equal(bpf.programs.items[0].helpers, KSMA_BPF_SEND_SIGNAL);
	assert_int_equal(bpf.programs.items[0].code, code);
	ksma_bpf_free(&bpf);
	fake_kernel_destroy(w.k);
}

static void test_reached(void **state)
{
	struct world w = make();
	uint64_t link = fake_kernel_alloc(w.k, 16, 8), hidden = fake_kernel_alloc(w.k, 64, 8);
	struct ksma_bpf bpf;

	(void)state;
	fake_kernel_put64(w.k, link, hidden);
	fake_kernel_put(w.k, link + 8, 6, 4);
	fake_kernel_put64(w.k, w.links + 8, link); /* an entry alone at index 0 */
	fake_kernel_put(w.k, w.aux + 80 + 64, 1, 1);
	fake_kernel_list(w.k, w.names, (uint64_t[]){ w.aux + 80 + 48 }, 1);
	bpf = read_world(&w);
	assert_int_equal(bpf.attachments.count, 2);
	assert_int_equal(bpf.attachments.items[0].program, hidden);
	assert_string_equal(bpf.attachments.items[0].kind, "link");
	assert_string_equal(bpf.attachments.items[0].where, "0 (xdp)");
	assert_int_equal(bpf.attachments.items[1].program, w.program);
	assert_string_equal(bpf.attachments.items[1].kind, "name");
	ksma_bpf_free(&bpf);
	fake_kernel_destroy(w.k);
}

/* A device, its qdisc, one filter, and a list of two programs, the second of which is a packet filter of the old kind. */
struct control {
	uint64_t device, proto, root, programs[2];
};

static struct control make_control(struct world *w, bool tcx)
{
	struct ksma_offsets *off = &w->k->kernel.off;
	uint64_t qdisc = fake_kernel_alloc(w->k, 64, 64), ops = fake_kernel_alloc(w->k, 64, 64),
		 links[2];
	struct control c = { .device = fake_kernel_alloc(w->k, 256, 64),
			     .proto = fake_kernel_alloc(w->k, 64, 64),
			     .root = fake_kernel_alloc(w->k, 64, 64) };

	off->net_device__miniq_ingress = tcx ? KSMA_NO_MEMBER : 96;
	off->mini_Qdisc__filter_list = 0;
	off->tcf_proto__next = 0;
	off->tcf_proto__root = 8;
	off->tcf_proto__ops = 16;
	off->tcf_proto_ops__kind = 16;
	off->bpf_mprog_entry__parent = 64;
	off->tcx_entry__miniq = tcx ? 0 : KSMA_NO_MEMBER;
	off->tcx_entry__bundle = tcx ? 8 : KSMA_NO_MEMBER;
	if (tcx) {
		uint64_t entry = fake_kernel_alloc(w->k, 128, 64),
			 holder = fake_kernel_alloc(w->k, 64, 64);

		fake_kernel_put64(w->k, c.device + 80, entry);
		fake_kernel_put64(w->k, entry + 64, holder + 8);
		fake_kernel_put64(w->k, holder, qdisc);
	} else {
		fake_kernel_put64(w->k, c.device + 96, qdisc);
	}
	fake_kernel_put64(w->k, qdisc, c.proto);
	fake_kernel_put64(w->k, c.proto + 8, c.root);
	fake_kernel_put64(w->k, c.proto + 16, ops);
	memcpy(fake_kernel_at(w->k, ops + 16, 4), "bpf", 4);
	for (int i = 0; i < 2; i++) {
		uint64_t holder = fake_kernel_alloc(w->k, 64, 64);

		c.programs[i] = fake_kernel_alloc(w->k, 64, 64);
		fake_kernel_put(w->k, c.programs[i], i ? 0 : 3 /* sched_cls */, 4);
		fake_kernel_put64(w->k, holder, c.programs[i]);
		links[i] = holder + 8;
	}
	fake_kernel_list(w->k, c.root, links, 2);
	return c;
}

static size_t attach_control(struct world *w, const struct control *c, struct ksma_bpf *bpf)
{
	struct ksma_bpf_reader reader = { .kernel = &w->k->kernel,
					  .bpf = bpf,
					  .budget = { .nodes = 1000 } };
	struct ksma_error *error = ksma_bpf_attach_tc(&reader, c->device);

	ksma_error_destroy(error);
	return bpf->attachments.count;
}

static void test_traffic_control(void **state)
{
	(void)state;
	for (int tcx = 0; tcx < 2; tcx++) {
		struct world w = make();
		struct control c = make_control(&w, tcx);
		struct ksma_bpf bpf = { 0 };

		assert_int_equal(attach_control(&w, &c, &bpf), 1);
		assert_string_equal(bpf.attachments.items[0].kind, "tc");
		assert_int_equal(bpf.attachments.items[0].program, c.programs[0]);
		ksma_bpf_free(&bpf);
		fake_kernel_put64(w.k, c.proto, c.proto); /* rows and lists that never end */
		fake_kernel_put64(w.k, c.root + 8, 0);
		attach_control(&w, &c, &bpf);
		ksma_bpf_free(&bpf);
		memcpy(fake_kernel_at(w.k, c.device, 1), "", 1);
		fake_kernel_put64(w.k, c.proto + 16, 8); /* not a table of operations */
		assert_int_equal(attach_control(&w, &c, &bpf), 0);
		ksma_bpf_free(&bpf);
		fake_kernel_destroy(w.k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_reached),
		cmocka_unit_test(test_traffic_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
