/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measures manifests (processor time): opening one of 300,000 files with its signature, looking things up in it, all of it verified; and hashing files
 * against what OpenSSL does with the same bytes. Needs no guest. */
#include <ftw.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "vendor/sign.h"
#include "vendor/signatures.h"
#include "vendor/digest.h"
#include "vendor/manifest_write.h"

enum { FILES = 300000, RUNS = 15, BYTES = 64 << 20, MS = 1000000, LOOKUPS = 20000 };

static char folder[64], manifest[80], keys_folder[80], private_key[80];

static void die(struct ksma_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "manifest: %s\n", error->message);
	exit(3);
}

static void path_of(unsigned n, char *path, size_t size)
{
	snprintf(path, size, "/usr/lib/package-%u/modules/of/some/depth/file-%u.so", n % 2711, n);
}

/* Debian's files have 15 KiB at the median and 60 KiB on average; here each has 16 pages at most, 8 on average. */
static void make(void)
{
	struct ksma_manifest_entry e = { .type = KSMA_MANIFEST_FILE,
					 .target = "",
					 .origin = "bench 1 all",
					 .mode = S_IFREG | 0644 };
	struct ksma_manifest_writer *w;
	uint8_t pages[16 * KSMA_SHA256];
	char path[128];
	int fd = open(manifest, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	die(ksma_manifest_writer_create(&w));
	for (unsigned n = 0; n < FILES; n++) {
		uint64_t x = n * 0x9e3779b97f4a7c15ull;

		for (size_t i = 0; i < sizeof(pages); i += 8) {
			x ^= x >> 29;
			x *= 0xbf58476d1ce4e5b9ull;
			memcpy(pages + i, &x, 8);
		}
		memcpy(e.sha256, pages, KSMA_SHA256);
		e.size = (n % 16 + 1) * 4096u;
		path_of(n, path, sizeof(path));
		e.path = path;
		die(ksma_manifest_writer_add(w, &e, pages));
	}
	die(ksma_manifest_writer_write(w, fd, 1));
	ksma_manifest_writer_destroy(w);
	close(fd);
}

static void sign(void)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
	struct ksma_signatures list = { 0 };
	struct ksma_signature *slot = NULL;
	struct ksma_signer *signer;
	struct ksma_manifest *m;
	char path[128];
	FILE *f;

	f = fopen(private_key, "w");
	PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
	snprintf(path, sizeof(path), "%s/key.pem", keys_folder);
	f = fopen(path, "w");
	PEM_write_PUBKEY(f, key);
	fclose(f);
	EVP_PKEY_free(key);
	die(ksma_signer_open(private_key, NULL, false, &signer));
	die(ksma_manifest_open(manifest, &m));
	die(KSMA_ARRAY_PUSH(&list, &slot));
	die(ksma_sign(signer, m->parts.items[0].head, KSMA_MANIFEST_HEAD, slot));
	EVP_Digest(m->parts.items[0].head, KSMA_MANIFEST_HEAD, slot->head, NULL, EVP_sha256(),
		   NULL);
	die(ksma_signatures_write(manifest, &list));
	ksma_signatures_deinit(&list);
	ksma_manifest_close(m);
	ksma_signer_close(signer);
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What this program itself took: others on the machine make no difference. */
static uint64_t busy_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The minimum and the median of several runs, in `unit`s. @return the minimum, in nanoseconds */
static uint64_t measure(const char *name, void (*fn)(void), double units, const char *unit)
{
	uint64_t times[RUNS];

	for (unsigned i = 0; i < RUNS; i++) {
		uint64_t start = busy_ns();

		fn();
		times[i] = busy_ns() - start;
	}
	qsort(times, RUNS, sizeof(*times), by_value);
	printf("{\"name\":\"%s\",\"min\":%.4g,\"median\":%.4g,\"unit\":\"%s\"}\n", name,
	       (double)times[0] / units, (double)times[RUNS / 2] / units, unit);
	return times[0];
}

static struct ksma_keys *keys;
static struct ksma_manifest *opened;

static struct ksma_manifest *open_signed(void)
{
	struct ksma_manifest *m;

	die(ksma_manifest_open_signed(manifest, keys, &m));
	return m;
}

static void look_up(struct ksma_manifest *m, unsigned n)
{
	struct ksma_manifest_entry e;
	char path[128];
	bool found;

	path_of(n, path, sizeof(path));
	die(ksma_manifest_find(m, path, &found, &e));
	if (!found)
		die(ksma_error_create(KSMA_ERROR_NOT_PRESENT, "%s is lost", path));
}

static void open_and_ask(void)
{
	struct ksma_manifest *m = open_signed();

	look_up(m, 123456);
	ksma_manifest_close(m);
}

static void ask_again(void)
{
	for (unsigned i = 0; i < LOOKUPS; i++)
		look_up(opened, i * 7919u % FILES);
}

static void read_all(void)
{
	struct ksma_manifest *m = open_signed();

	die(ksma_manifest_read_all(m));
	ksma_manifest_close(m);
}

static uint8_t *bytes;
static struct ksma_file_digest *digest;
static EVP_MD *type;

static void hash_file(void)
{
	struct ksma_file_hashes h;

	die(ksma_file_digest_add(digest, bytes, BYTES));
	die(ksma_file_digest_end(digest, &h));
}

/* The yardstick: the same bytes in one go. */
static void hash_plain(void)
{
	uint8_t hash[32];

	EVP_Digest(bytes, BYTES, hash, NULL, type, NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void compare_hashing(void)
{
	uint64_t own, theirs;

	bytes = malloc(BYTES);
	type = EVP_MD_fetch(NULL, "SHA256", NULL);
	die(ksma_file_digest_create(&digest));
	if (!bytes || !type)
		die(ksma_error_nomem());
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	theirs = measure("64 MiB hashed by OpenSSL in one go", hash_plain, MS, "ms");
	own = measure("64 MiB of a file: whole and pages, each byte twice", hash_file, MS, "ms");
	printf("{\"name\":\"for each byte hashed, against OpenSSL\",\"min\":%.3f,\"median\":%.3f,"
	       "\"unit\":\"times\"}\n",
	       (double)own / 2 / (double)theirs, (double)own / 2 / (double)theirs);
	ksma_file_digest_destroy(digest);
	EVP_MD_free(type);
	free(bytes);
}

int main(void)
{
	struct stat st;

	snprintf(folder, sizeof(folder), "/tmp/ksma-bench-manifest.XXXXXX");
	if (!mkdtemp(folder))
		die(ksma_error_create(KSMA_ERROR_OS, "cannot make a folder in /tmp"));
	snprintf(manifest, sizeof(manifest), "%.60s/m.ksma", folder);
	snprintf(keys_folder, sizeof(keys_folder), "%.60s/keys", folder);
	snprintf(private_key, sizeof(private_key), "%.60s/private.pem", folder);
	mkdir(keys_folder, 0755);
	make();
	sign();
	stat(manifest, &st);
	fprintf(stderr, "a manifest of %d files, %jd MiB\n", FILES, (intmax_t)st.st_size >> 20);
	die(ksma_keys_open(keys_folder, &keys));
	measure("a manifest of 300,000 files: opened, verified, one question", open_and_ask, MS,
		"ms");
	opened = open_signed();
	measure("a path looked up in it", ask_again, LOOKUPS, "ns");
	ksma_manifest_close(opened);
	measure("all of it read and verified", read_all, MS, "ms");
	ksma_keys_close(keys);
	compare_hashing();
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
