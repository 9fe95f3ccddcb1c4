/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures of images (first byte even) and of modules: whoever changed the file wrote them anew. The hash of an image can be
 * made right by a fuzzer only by chance, so what is looked for here are crashes and leaks. */
#include "ingest/signature.h"
#include "vendor/module.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void);

/* OpenSSL 3.0 itself forgets its copy of a memory BIO when a signature names a digest that it does not know. */
const char *__lsan_default_suppressions(void)
{
	return "leak:PKCS7_verify\n";
}

/* Its code has no frame pointers to know that function by. */
const char *__asan_default_options(void)
{
	return "fast_unwind_on_malloc=0";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ingest_signature signature = { 0 };
	struct ksma_module_signature appended;
	struct ksma_error *error;

	if (!length)
		return 0;
	if (data[0] & 1) {
		error = ksma_module_signature(data + 1, length - 1, &appended);
		if (!error)
			error = ingest_module_signature(data + 1, appended.content_length,
							appended.pkcs7, appended.pkcs7_length, NULL,
							&signature);
	} else {
		error = ingest_image_signature(data + 1, length - 1, NULL, &signature);
	}
	if (!error && !signature.signer)
		abort();
	if (error && signature.signer)
		abort();
	if (signature.state == KSMA_VENDOR_VERIFIED)
		abort(); /* by no certificate at all */
	free(signature.signer);
	ksma_error_destroy(error);
	return 0;
}
