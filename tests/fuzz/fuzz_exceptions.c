/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of exceptions: the operator's own, but copied out of documents that hold text of a guest. */
#include <ksma/check.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_exceptions exceptions = { 0 };
	struct ksma_report report = { 0 };
	struct ksma_error *error =
		ksma_exceptions_parse("input", (const char *)data, length, &exceptions);

	if (!error)
		error = ksma_exceptions_apply(&exceptions, 0, &report);
	ksma_error_destroy(error);
	ksma_exceptions_free(&exceptions);
	ksma_report_free(&report);
	return 0;
}
