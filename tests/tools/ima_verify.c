/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds a file against its security.ima, for a comparison with evmctl: ima_verify KEYS FILE ATTRIBUTE. The attribute is the bytes of a
 * file, as `evmctl ima_sign --sigfile` leaves them. Prints what is thought of it. */
#include <inttypes.h>

#include "vendor/digest.h"
#include "vendor/ima_sig.h"

static void die(struct ksma_error *error)
{
	if (!error)
		return;
	printf("error: %s\n", error->message);
	exit(3);
}

static void hash_file(const char *path, const struct ksma_ima *ima, uint8_t *ret_hash)
{
	struct ksma_file_digest *digest;
	struct ksma_file_hashes hashes;
	struct ksma_sha256 *sha256;
	struct ksma_hash *hash;
	size_t length;
	char *data;

	die(ksma_read_file(path, 1 << 28, &data, &length));
	if (ima->kind == KSMA_IMA_VERITY_SIG) {
		die(ksma_file_digest_create(&digest));
		die(ksma_sha256_create(&sha256));
		die(ksma_file_digest_add(digest, data, length));
		die(ksma_file_digest_end(digest, &hashes));
		ksma_verity_digest(sha256, hashes.verity_root, length, ret_hash);
		ksma_sha256_destroy(sha256);
		ksma_file_digest_destroy(digest);
	} else {
		die(ksma_hash_create(ima->algorithm, &hash));
		ksma_hash_add(hash, data, length);
		ksma_hash_end(hash, ret_hash);
		ksma_hash_destroy(hash);
	}
	free(data);
}

int main(int argc, char **argv)
{
	uint8_t hash[KSMA_HASH_MAX];
	struct ksma_verdict verdict;
	struct ksma_keys *keys;
	struct ksma_ima ima;
	char *attribute;
	size_t length;

	if (argc != 4) {
		fprintf(stderr, "usage: ima_verify KEYS FILE ATTRIBUTE\n");
		return 2;
	}
	die(ksma_keys_open(argv[1], &keys));
	die(ksma_read_file(argv[3], KSMA_IMA_MAX, &attribute, &length));
	die(ksma_ima_parse((const uint8_t *)attribute, length, &ima));
	hash_file(argv[2], &ima, hash);
	die(ksma_ima_verify(&ima, keys, hash, &verdict));
	printf("%s %s %s\n", ksma_trust_name(verdict.trust), ima.algorithm, verdict.signer);
	ksma_keys_close(keys);
	free(attribute);
	return verdict.trust == KSMA_TRUST_GOOD ? 0 : 1;
}
