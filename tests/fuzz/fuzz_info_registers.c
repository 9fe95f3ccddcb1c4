/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `info registers -a`: the guest chooses the values, and whoever holds the socket's path may answer in QEMU's place. */
#include "guest/info_registers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_registers registers;
	struct ksma_error *error =
		ksma_info_registers_parse((const char *)data, length, &registers);

	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	for (size_t i = 0; i < registers.count; i++)
		if (!registers.vcpus[i].has_general || registers.vcpus[i].has_msrs ||
		    (i && registers.vcpus[i].index <= registers.vcpus[i - 1].index))
			abort();
	ksma_registers_free(&registers);
	return 0;
}
