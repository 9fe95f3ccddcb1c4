/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernel images of packages as a boot loader and as UEFI see them. Whoever changes an image wants a byte that no hash covers. */
#include "vendor/bzimage.h"
#include "vendor/pe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* All of the file is hashed, but for checksum, directory entry and signatures; in order, each byte once. */
static void check_pe(const struct ksma_pe *pe, const uint8_t *data, size_t length)
{
	const uint8_t *at = data;
	size_t left_out = 0;

	for (size_t i = 0; i < pe->hashed_count; i++) {
		if (pe->hashed[i].data < at)
			abort();
		left_out += (size_t)(pe->hashed[i].data - at);
		at = pe->hashed[i].data + pe->hashed[i].length;
	}
	if (at > data + length || left_out > 4 + 8)
		abort();
	if (!pe->signature_count)
		return;
	for (size_t i = 0; i < pe->signature_count; i++)
		if (pe->signatures[i].data < at ||
		    pe->signatures[i].data + pe->signatures[i].length > data + length)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_bzimage image;
	struct ksma_error *error;
	struct ksma_pe pe;

	if (length >= 8)
		ksma_packing_name(ksma_packing_of(data, length));
	error = ksma_bzimage_parse(data, length, &image);
	if (!error &&
	    (image.payload < data || image.payload + image.payload_length > data + length))
		abort();
	ksma_error_destroy(error);
	error = ksma_pe_parse(data, length, &pe);
	if (!error)
		check_pe(&pe, data, length);
	ksma_error_destroy(error);
	return 0;
}
