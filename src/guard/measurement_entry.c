/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry of a measurement list: made in binary, read again, and shown as a line. */
#include <openssl/evp.h>

#include "base/bytes.h"
#include "guard/measurements_impl.h"

enum { MAX_TEMPLATE = 64, MAX_DATA = 1 << 17 };

static const char digest_name[] = "sha256:"; /* with its zero byte */

static const char *template_name(enum ksma_ima_template template)
{
	return template == KSMA_TEMPLATE_IMA_SIG ? "ima-sig" : "ima-ng";
}

struct ksma_error *ksma_hash(enum ksma_hash hash, const void *data, size_t length,
			     uint8_t *ret_digest)
{
	const EVP_MD *md = hash == KSMA_HASH_SHA1 ? EVP_sha1() : EVP_sha256();

	if (!EVP_Digest(data, length, ret_digest, NULL, md, NULL))
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "libcrypto does not offer %s on this host",
					 hash == KSMA_HASH_SHA1 ? "SHA-1" : "SHA-256");
	return NULL;
}

struct ksma_error *ksma_extend(enum ksma_hash hash, uint8_t *reg, const uint8_t *digest,
			       size_t size)
{
	uint8_t both[2 * KSMA_SHA256_SIZE];

	memcpy(both, reg, size);
	memcpy(both + size, digest, size);
	return ksma_hash(hash, both, 2 * size, reg);
}

void ksma_entry_bytes_deinit(struct ksma_entry_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct ksma_entry_bytes){ 0 };
}

static uint8_t *put_u32(uint8_t *to, size_t value)
{
	uint32_t number = (uint32_t)value;

	memcpy(to, &number, 4);
	return to + 4;
}

static uint8_t *put(uint8_t *to, const void *data, size_t length)
{
	if (length)
		memcpy(to, data, length);
	return to + length;
}

/* IMA enters blanks as `_`, so that the fields of a line can be told apart; line ends would make lines of their own. */
static uint8_t *put_name(uint8_t *to, const uint8_t *name, size_t length)
{
	for (size_t i = 0; i < length; i++)
		*to++ = name[i] <= ' ' || name[i] == 0x7f ? '_' : name[i];
	*to = 0;
	return to + 1;
}

/* d-ng: name of the hash, a colon, a zero byte, the hash; n-ng: the name with its zero byte; sig. Each with its length before it. */
struct ksma_error *ksma_entry_make(const struct ksma_measurement *m,
				   struct ksma_entry_bytes *ret_bytes)
{
	static const uint8_t nothing[KSMA_SHA256_SIZE];
	const char *template = template_name(m->template);
	size_t name = strlen(m->path), signature = m->signature ? m->signature_length : 0;
	size_t head = 4 + KSMA_SHA1 + 4 + strlen(template) + 4;
	size_t data = 4 + sizeof(digest_name) + KSMA_SHA256_SIZE + 4 + name + 1;
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t *to, sha1[KSMA_SHA1] = { 0 };

	if (m->pcr >= KSMA_PCRS || name > KSMA_MEASURED_NAME || signature > KSMA_MEASURED_SIGNATURE)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "a measurement has a path or signature that is too long");
	if (m->template == KSMA_TEMPLATE_IMA_SIG)
		data += 4 + signature;
	bytes = malloc(head + data);
	if (!bytes)
		return ksma_error_nomem();
	to = put_u32(bytes + head, sizeof(digest_name) + KSMA_SHA256_SIZE);
	to = put(to, digest_name, sizeof(digest_name));
	to = put(to, m->violation ? nothing : m->sha256, KSMA_SHA256_SIZE);
	to = put_u32(to, name + 1);
	to = put_name(to, (const uint8_t *)m->path, name);
	if (m->template == KSMA_TEMPLATE_IMA_SIG)
		put(put_u32(to, signature), m->signature, signature);
	/* The digest of a violation is zero in the list, and all ones in the register. */
	if (!m->violation)
		KSMA_TRY(ksma_hash(KSMA_HASH_SHA1, bytes + head, data, sha1));
	to = put(put_u32(bytes, m->pcr), sha1, sizeof(sha1));
	to = put(put_u32(to, strlen(template)), template, strlen(template));
	put_u32(to, data);
	*ret_bytes = (struct ksma_entry_bytes){ TAKE_PTR(bytes), head + data, head };
	return NULL;
}

bool ksma_measured_next(const uint8_t *list, size_t length, size_t *position,
			struct ksma_measured *ret_measured)
{
	struct ksma_bytes b = ksma_bytes_of(list, length);
	struct ksma_measured m = { 0 };

	if (!ksma_bytes_seek(&b, *position))
		return false;
	m.pcr = ksma_bytes_le32(&b);
	m.digest = ksma_bytes_take(&b, KSMA_SHA1);
	m.template_length = ksma_bytes_le32(&b);
	if (m.template_length > MAX_TEMPLATE)
		return false;
	m.template = (const char *)ksma_bytes_take(&b, m.template_length);
	m.data_length = ksma_bytes_le32(&b);
	if (m.data_length > MAX_DATA)
		return false;
	m.data = ksma_bytes_take(&b, m.data_length);
	if (b.failed)
		return false;
	*position = b.position;
	*ret_measured = m;
	return true;
}

static bool is_template(const struct ksma_measured *m, const char *name)
{
	return m->template_length == strlen(name) && memcmp(m->template, name, strlen(name)) == 0;
}

/* A field: its length, and so many bytes. */
static const uint8_t *take_field(struct ksma_bytes *b, uint32_t *ret_length)
{
	*ret_length = ksma_bytes_le32(b);
	return ksma_bytes_take(b, *ret_length);
}

static void put_hex(char **to, const uint8_t *data, size_t length)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		*(*to)++ = digits[data[i] >> 4];
		*(*to)++ = digits[data[i] & 15];
	}
}

static struct ksma_error *not_ours(void)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "an entry is none of the templates ima-ng and ima-sig by SHA-256");
}

struct ksma_error *ksma_measured_line(const struct ksma_measured *m, char **ret_line)
{
	struct ksma_bytes b = ksma_bytes_of(m->data, m->data_length);
	bool has_signature = is_template(m, "ima-sig");
	uint32_t digest_length, name_length, signature_length = 0;
	const uint8_t *digest, *name, *signature = NULL;
	char *line, *to;

	if (m->pcr >= KSMA_PCRS || (!has_signature && !is_template(m, "ima-ng")))
		return not_ours();
	digest = take_field(&b, &digest_length);
	name = take_field(&b, &name_length);
	if (has_signature)
		signature = take_field(&b, &signature_length);
	if (b.failed || b.position != b.length ||
	    digest_length != sizeof(digest_name) + KSMA_SHA256_SIZE ||
	    memcmp(digest, digest_name, sizeof(digest_name)) != 0 || !name_length ||
	    memchr(name, 0, name_length) != name + name_length - 1)
		return not_ours();
	line = malloc(3 + 2 * KSMA_SHA1 + 1 + m->template_length + 1 + strlen(digest_name) +
		      2 * KSMA_SHA256_SIZE + 1 + name_length + 1 + 2 * (size_t)signature_length +
		      1);
	if (!line)
		return ksma_error_nomem();
	to = line + sprintf(line, "%2u ", m->pcr);
	put_hex(&to, m->digest, KSMA_SHA1);
	to += sprintf(to, " %.*s %s", (int)m->template_length, m->template, digest_name);
	put_hex(&to, digest + sizeof(digest_name), KSMA_SHA256_SIZE);
	*to++ = ' ';
	to = (char *)put_name((uint8_t *)to, name, name_length - 1) - 1;
	if (has_signature)
		*to++ = ' ';
	put_hex(&to, signature, signature_length);
	*to = 0;
	*ret_line = line;
	return NULL;
}

struct ksma_error *ksma_measurement_line(const struct ksma_measurement *measurement,
					 char **ret_line)
{
	_cleanup_(ksma_entry_bytes_deinit) struct ksma_entry_bytes bytes = { 0 };
	struct ksma_measured measured;
	size_t position = 0;

	KSMA_TRY(ksma_entry_make(measurement, &bytes));
	if (!ksma_measured_next(bytes.data, bytes.length, &position, &measured))
		return not_ours();
	return ksma_measured_line(&measured, ret_line);
}
