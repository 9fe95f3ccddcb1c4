/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables of patch sites, which whoever built a package may have made up, over code that a guest may have. */
#include "vendor/patch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { SIZE = 512, TABLES = 256, HEAD = 16 };

static bool read_memory(void *arg, uint64_t gva, void *buffer, size_t size)
{
	struct ksma_patch *p = arg;
	const uint8_t *from = ksma_patch_at(p, gva, size);

	if (from)
		memcpy(buffer, from, size);
	else
		memset(buffer, (int)gva, size);
	return gva % 7 != 0;
}

static bool is_function(void *arg, uint64_t gva)
{
	return gva % 2 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	const uint64_t base = 0xffffffff81000000ull;
	uint8_t bytes[SIZE] = { 0 }, to[6];
	struct ksma_patch p = {
		.read = read_memory, .is_function = is_function, .arg = &p, .iret = 3
	};
	struct ksma_patch_table table = { base + TABLES, bytes + TABLES, SIZE - TABLES };

	if (length < HEAD)
		return 0;
	p.parts[0] = (struct ksma_patch_part){ base, bytes, 128 };
	p.parts[1] = (struct ksma_patch_part){ base + 128, bytes + 128, SIZE - 128 };
	p.part_count = 2;
	p.nops = data[0] % 3;
	p.entry = data[1] % 3 == 0 ? 0 : data[1] % 3 == 1 ? 12 : 14;
	memcpy(p.features, data, HEAD);
	p.features[11] = data[2] * 0x01010101u;
	p.symbols = (struct ksma_patch_symbols){ .return_thunk = base + 64,
						 .return_target = base + 64 * (data[3] % 4),
						 .its_return = base + 128,
						 .indirect_thunks = base,
						 .bug = base + 16,
						 .nop = base + 32,
						 .pv_ops = base + 64,
						 .warn_trap = data[4] % 2 ? base + 48 : 0 };
	memcpy(bytes, data + HEAD, length - HEAD < SIZE ? length - HEAD : SIZE);
	table.size -= data[5] % TABLES;
	ksma_patch_paravirt(&p, &table, data[6] % 2);
	ksma_patch_retpolines(&p, &table);
	ksma_patch_returns(&p, &table);
	ksma_patch_alternatives(&p, &table);
	ksma_patch_seals(&p, &table);
	ksma_patch_locks(&p, &table, base, base + data[7]);
	ksma_patch_runtime(&p, &table, 7, data[8] % 2);
	ksma_patch_static_call(&p, bytes, base, base + data[9], data[10] % 2, to);
	for (unsigned kind = 0; kind < KSMA_PATCH_KINDS; kind++)
		ksma_patch_table_holds(&table, kind, base + data[11]);
	return 0;
}
