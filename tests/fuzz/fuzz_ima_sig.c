/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* security.ima of a file of the guest: the guest wrote it. */
#include "vendor/ima_sig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_ima ima;
	struct ksma_error *error = ksma_ima_parse(data, length, &ima);

	if (!error &&
	    (!ima.length || ima.bytes < data || ima.bytes + ima.length != data + length ||
	     ima.length > KSMA_MAX_SIGNATURE || !ima.algorithm || ima.hash_length > KSMA_HASH_MAX))
		abort();
	if (!error && ima.kind == KSMA_IMA_HASH && ima.length != ima.hash_length)
		abort();
	ksma_error_destroy(error);
	return 0;
}
