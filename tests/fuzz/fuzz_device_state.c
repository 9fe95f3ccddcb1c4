/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's device state: a guest fills the buffers of its devices in it, and so may write sections of its own between the real. */
#include "guest/device_state.h"

enum { CPU_AREA = 0x3b000 }; /* from one vCPU's descriptor tables to the next one's */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_vcpu vcpus[2] = { { .index = 0 }, { .index = 1 } };
	struct ksma_registers registers = { .vcpus = vcpus, .count = 2 };
	struct ksma_error *error;

	/* As in the sample that the first input is. */
	for (unsigned i = 0; i < 2; i++) {
		vcpus[i].efer = 0xd01;
		vcpus[i].idt = (struct ksma_segment){ .base = 0xfffffe0000000000, .limit = 0xfff };
		vcpus[i].gdt = (struct ksma_segment){ .base = 0xfffffe0000001000 + i * CPU_AREA,
						      .limit = 0x7f };
		vcpus[i].tr = (struct ksma_segment){ .base = 0xfffffe0000003000 + i * CPU_AREA,
						     .selector = 0x40 };
	}
	error = ksma_device_state_parse(data, length, &registers);
	for (unsigned i = 0; i < 2; i++)
		if (vcpus[i].has_msrs != !error || vcpus[i].index != i)
			abort();
	ksma_error_destroy(error);
	return 0;
}
