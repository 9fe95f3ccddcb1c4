/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of first looks, sealed first: what follows a good checksum may still be anything. */
#include "checks/kept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

/* Every run that could be asked for, by its borders. */
static void ask(const struct ksma_kept *kept, const uint8_t *data, size_t length)
{
	struct ksma_kept_key key = { 0 };
	const struct ksma_kept_word *words;
	const uint8_t *bytes;
	uint64_t run[2], sum = 0;
	size_t count;

	for (size_t at = 0; at + sizeof(run) <= length; at += 8) {
		memcpy(run, data + at, sizeof(run));
		bytes = ksma_kept_bytes(kept, &key, run[0], run[1]);
		if (bytes && run[1])
			sum += bytes[0] + bytes[run[1] - 1];
		if (!ksma_kept_words(kept, &key, run[0], run[1], &words, &count))
			continue;
		for (size_t i = 0; i < count; i++)
			if (words[i].gva - run[0] >= run[1] ||
			    (i && words[i].gva <= words[i - 1].gva))
				abort();
	}
	if (sum == UINT64_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct ksma_error *error;
	struct ksma_kept *kept;
	uint8_t *copy = malloc(length + 1);

	if (!copy)
		return 0;
	memcpy(copy, data, length);
	ksma_kept_seal(copy, length);
	error = ksma_kept_parse(copy, length, &kept);
	if (error) {
		ksma_error_destroy(error);
		return 0;
	}
	ask(kept, data, length);
	ksma_kept_destroy(kept);
	return 0;
}
