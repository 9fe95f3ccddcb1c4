/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a running guest as they are seen from outside, for tests: contents sums VM <PATHS | xattr VM PATH NAME
 *
 * The sums are as sha256sum prints them; where a file cannot be read, "-" and why. How many pages came from where goes to standard error. */
#include <err.h>
#include <openssl/evp.h>

#include "files/contents.h"

static uint64_t pages[3], unsettled;

static void must(struct ksma_error *error)
{
	if (error)
		errx(1, "%s", error->message);
}

static struct ksma_error *sum_once(struct ksma_content *content, unsigned char sum[32],
				   bool *ret_settled)
{
	uint64_t size = ksma_content_size(content);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct ksma_error *error = NULL;

	EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
	for (uint64_t at = 0; !error && at < size; at += KSMA_PAGE_SIZE) {
		enum ksma_content_from from;
		uint8_t page[KSMA_PAGE_SIZE];

		error = ksma_content_page(content, at / KSMA_PAGE_SIZE, page, &from);
		if (error)
			break;
		pages[from]++;
		EVP_DigestUpdate(digest, page,
				 size - at < sizeof(page) ? (size_t)(size - at) : sizeof(page));
	}
	EVP_DigestFinal_ex(digest, sum, NULL);
	EVP_MD_CTX_free(digest);
	return error ? error : ksma_content_settled(content, ret_settled);
}

/* The file went, or was replaced, while it was read: its name leads to another one now. */
static bool is_gone(const struct ksma_error *error)
{
	return error && (error->code == KSMA_ERROR_NOT_PRESENT ||
			 error->code == KSMA_ERROR_BAD_DATA || error->code == KSMA_ERROR_FAULT);
}

static void print_sum(struct ksma_content_reader *contents, const char *path)
{
	struct ksma_error *error = NULL;
	unsigned char sum[32];
	bool settled = false;

	for (int i = 0; i < 20 && !settled && (!error || is_gone(error)); i++) {
		struct ksma_content *content;

		unsettled += i > 0;
		ksma_error_destroy(error);
		error = ksma_content_open_path(contents, path, &content);
		if (error)
			break;
		error = sum_once(content, sum, &settled);
		ksma_content_close(content);
	}
	if (error || !settled) {
		printf("-  %s  (%s)\n", path, error ? error->message : "it keeps changing");
		ksma_error_destroy(error);
		return;
	}
	for (size_t i = 0; i < sizeof(sum); i++)
		printf("%02x", sum[i]);
	printf("  %s\n", path);
}

int main(int argc, char **argv)
{
	struct ksma_content_reader *contents;
	struct ksma_content *content;
	struct ksma_kernel *kernel;
	struct ksma_guest *guest;
	char line[4096];
	uint8_t *value;
	size_t length;

	if (argc < 3)
		errx(2, "usage: contents sums VM | xattr VM PATH NAME");
	must(ksma_guest_open(argv[2], NULL, &guest));
	must(ksma_kernel_open(guest, NULL, &kernel));
	must(ksma_content_reader_create(kernel, &contents));
	if (argc == 5) {
		must(ksma_content_open_path(contents, argv[3], &content));
		must(ksma_content_xattr(content, argv[4], &value, &length));
		fwrite(value, 1, length, stdout);
		free(value);
		ksma_content_close(content);
	}
	while (argc == 3 && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		print_sum(contents, line);
	}
	fprintf(stderr, "cache %llu dirty %llu disk %llu again %llu; %s\n",
		(unsigned long long)pages[0], (unsigned long long)pages[1],
		(unsigned long long)pages[2], (unsigned long long)unsettled,
		ksma_content_reader_coverage(contents)->reason
			? ksma_content_reader_coverage(contents)->reason
			: "complete");
	ksma_content_reader_destroy(contents);
	ksma_kernel_destroy(kernel);
	ksma_guest_destroy(guest);
	return 0;
}
