/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests that somebody else wrote, hashes and signatures left aside: whatever is in the file, each question has an answer or an
 * error, and nothing outside of it is touched. */
#include <sys/mman.h>

#include "vendor/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);

enum { MAX_ENTRIES = 64, MAX_PAGES = 8 };

static void look_at(struct ksma_manifest *m, uint32_t part, uint64_t i)
{
	struct ksma_manifest_entry e, again;
	struct ksma_error *error = ksma_manifest_at(m, part, i, &e);
	const uint8_t *hash;
	bool found;

	if (error) {
		ksma_error_destroy(error);
		return;
	}
	if (e.path[0] != '/' || strlen(e.path) > KSMA_MANIFEST_MAX_TEXT ||
	    strlen(e.target) > KSMA_MANIFEST_MAX_TEXT || strlen(e.origin) > KSMA_MANIFEST_MAX_TEXT)
		abort();
	ksma_error_destroy(ksma_manifest_find(m, e.path, &found, &again));
	ksma_error_destroy(ksma_manifest_find_hash(m, e.sha256, &found, &again));
	for (uint64_t p = 0; p < e.pages && p < MAX_PAGES; p++) {
		error = ksma_manifest_page(m, &e, p, &hash);
		if (!error && hash[0] + hash[KSMA_SHA256 - 1] > 510)
			abort();
		ksma_error_destroy(error);
	}
	if (e.pages) {
		error = ksma_manifest_page(m, &e, e.pages - 1, &hash);
		if (!error && hash[0] + hash[KSMA_SHA256 - 1] > 510)
			abort();
		ksma_error_destroy(error);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	int fd = memfd_create("manifest", MFD_CLOEXEC);
	struct ksma_manifest_entry e;
	struct ksma_manifest *m;
	struct ksma_error *error;
	char path[64];
	bool found;

	if (fd < 0 || write(fd, data, length) != (ssize_t)length)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = ksma_manifest_open(path, &m);
	if (error) {
		ksma_error_destroy(error);
		close(fd);
		return 0;
	}
	for (uint32_t part = 0; part < ksma_manifest_parts(m); part++)
		for (uint64_t i = 0; i < ksma_manifest_count(m, part) && i < MAX_ENTRIES; i++)
			look_at(m, part, i);
	error = ksma_manifest_find(m, "/usr/bin/nothing", &found, &e);
	ksma_error_destroy(error);
	ksma_manifest_close(m);
	close(fd);
	return 0;
}
