/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tasks, files, maps and mounts of a guest whose kernel is somebody else's: any word of any structure may be anything.
 *
 * The input is a first byte that picks the form of the kernel, and then changes of twelve bytes each: where (4), and what (8).
 * A small "what" is an address in the kernel's own memory, so that pointers to the wrong thing are as likely as wild ones. */
#include "base/bytes.h"
#include "fake_processes.h"
#include <ksma/linux.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* The four forms of the kernel, made once: what an input changes is put back. */
static struct fake_processes *world(unsigned form)
{
	static struct fake_processes worlds[4];
	static uint8_t *fresh[4];
	struct fake_processes *p = &worlds[form];

	if (!fresh[form]) {
		fake_processes_create(p, form & 1 ? FAKE_COPIED : FAKE_MAPPED, form & 2);
		fresh[form] = malloc(FAKE_ARENA);
		if (!fresh[form])
			abort();
		memcpy(fresh[form], fake_kernel_at(p->k, p->k->base, FAKE_ARENA), FAKE_ARENA);
	}
	memcpy(fake_kernel_at(p->k, p->k->base, FAKE_ARENA), fresh[form], FAKE_ARENA);
	fake_guest_forget(p->k->fake);
	ksma_space_flush(&p->k->kernel.space);
	return p;
}

static void change(struct fake_processes *p, const uint8_t *data)
{
	uint64_t where = ksma_le32(data) % (FAKE_ARENA - 8), what = ksma_le64(data + 4);
	unsigned size = data[3] & 0x80 ? 4 : 8;

	if (what < FAKE_ARENA)
		what += p->k->base;
	fake_kernel_put(p->k, p->k->base + where, what, size);
}

static void look(struct ksma_kernel *kernel, int32_t pid, struct ksma_coverage *coverage)
{
	struct ksma_process process;
	struct ksma_files files;
	struct ksma_maps maps;
	struct ksma_mounts mounts;
	struct ksma_error *error;

	error = ksma_linux_process(kernel, pid, KSMA_PROCESS_ALL, coverage, &process);
	if (!error)
		ksma_process_deinit(&process);
	ksma_error_destroy(error);
	error = ksma_linux_files(kernel, pid, coverage, &files);
	if (!error)
		ksma_files_free(&files);
	ksma_error_destroy(error);
	error = ksma_linux_maps(kernel, pid, coverage, &maps);
	if (!error)
		ksma_maps_free(&maps);
	ksma_error_destroy(error);
	error = ksma_linux_mounts(kernel, pid, coverage, &mounts);
	if (!error)
		ksma_mounts_free(&mounts);
	ksma_error_destroy(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes list;
	struct fake_processes *p;
	struct ksma_error *error;

	if (length < 1 || length > 1 + 12 * 64)
		return 0;
	p = world(data[0] & 3);
	for (size_t at = 1; at + 12 <= length; at += 12)
		change(p, data + at);
	error = ksma_linux_processes(&p->k->kernel, KSMA_PROCESS_ALL, &coverage, &list);
	if (!error) {
		for (size_t i = 0; i < list.count; i++)
			if (list.items[i].comm[15] ||
			    (list.items[i].cmdline &&
			     list.items[i].cmdline[list.items[i].cmdline_length]))
				abort(); /* a text without an end */
		ksma_processes_free(&list);
	}
	ksma_error_destroy(error);
	look(&p->k->kernel, FAKE_PROGRAM, &coverage);
	look(&p->k->kernel, 1, &coverage);
	ksma_coverage_deinit(&coverage);
	return 0;
}
