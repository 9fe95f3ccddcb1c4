/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of what was measured: entries made, chained into registers, and written to the end of two files. */
#include <errno.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "guard/measurements_impl.h"

/* What waits for room on the disk may take so much memory. */
enum { MAX_WAITING = 8 << 20 };

static struct ksma_error *append(struct ksma_text_buffer *buffer, const void *data, size_t length)
{
	KSMA_TRY(ksma_array_grow(&buffer->items, &buffer->capacity, buffer->count + length, 1));
	memcpy(buffer->items + buffer->count, data, length);
	buffer->count += length;
	return NULL;
}

static bool seen(const struct ksma_measurements *list, const uint8_t digest[KSMA_SHA256_SIZE],
		 size_t *ret_slot)
{
	size_t slot = ksma_le64(digest) & (list->slots - 1);

	while (list->known[slot].used) {
		if (memcmp(list->known[slot].digest, digest, KSMA_SHA256_SIZE) == 0)
			return true;
		slot = (slot + 1) & (list->slots - 1);
	}
	*ret_slot = slot;
	return false;
}

/* Half empty at least, so that a search ends. Digests cannot be chosen to collide in 64 bits worth the trouble: a slow list is all it gives. */
static struct ksma_error *make_room(struct ksma_measurements *list)
{
	struct ksma_known *old = list->known;
	size_t slots = list->slots;

	if (list->entries * 2 < slots)
		return NULL;
	list->known = calloc(slots ? slots * 2 : 1024, sizeof(*list->known));
	if (!list->known) {
		list->known = old;
		return ksma_error_nomem();
	}
	list->slots = slots ? slots * 2 : 1024;
	for (size_t i = 0; i < slots; i++) {
		size_t slot;

		if (old[i].used && !seen(list, old[i].digest, &slot))
			list->known[slot] = old[i];
	}
	free(old);
	return NULL;
}

/* Enters an entry whose bytes are there already: into the registers and the table of what is known. */
struct ksma_error *ksma_measurements_learn(struct ksma_measurements *list, unsigned pcr,
					   const uint8_t *data, size_t length, bool violation,
					   bool *ret_new)
{
	uint8_t key[KSMA_SHA256_SIZE], sha1[KSMA_SHA1], sha256[KSMA_SHA256_SIZE];
	size_t slot;

	KSMA_TRY(make_room(list));
	KSMA_TRY(ksma_hash(KSMA_HASH_SHA256, data, length, sha256));
	KSMA_TRY(ksma_hash(KSMA_HASH_SHA1, data, length, sha1));
	memcpy(key, sha256, sizeof(key));
	key[31] ^= (uint8_t)pcr; /* the same thing in another register is another entry */
	/* A violation is entered each time, as in the kernel. */
	if (!violation && seen(list, key, &slot)) {
		*ret_new = false;
		return NULL;
	}
	if (violation) {
		memset(sha1, 0xff, sizeof(sha1));
		memset(sha256, 0xff, sizeof(sha256));
	}
	KSMA_TRY(ksma_extend(KSMA_HASH_SHA1, list->sha1[pcr], sha1, sizeof(sha1)));
	KSMA_TRY(ksma_extend(KSMA_HASH_SHA256, list->sha256[pcr], sha256, sizeof(sha256)));
	if (!violation) {
		list->known[slot].used = true;
		memcpy(list->known[slot].digest, key, sizeof(key));
	}
	list->entries++;
	*ret_new = true;
	return NULL;
}

static struct ksma_error *write_all(int fd, const char *data, size_t length, size_t *done)
{
	while (*done < length) {
		ssize_t n = write(fd, data + *done, length - *done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return ksma_error_os(n < 0 ? errno : ENOSPC, "write");
		*done += (size_t)n;
	}
	return NULL;
}

/* Writes what waits for a file. What was written stays written: the next attempt goes on in the middle of an entry, if need be. */
static struct ksma_error *drain(struct ksma_list_file *file, const char *name)
{
	size_t done = 0;
	struct ksma_error *error;

	if (file->fd < 0 || !file->waiting.count)
		return NULL;
	error = write_all(file->fd, (const char *)file->waiting.items, file->waiting.count, &done);
	memmove(file->waiting.items, file->waiting.items + done, file->waiting.count - done);
	file->waiting.count -= done;
	return ksma_error_prefix(error, "%s", name);
}

static struct ksma_error *drain_both(struct ksma_measurements *list)
{
	struct ksma_error *error = drain(&list->binary, KSMA_BINARY_LIST);
	struct ksma_error *second = drain(&list->ascii, KSMA_ASCII_LIST);

	if (!error)
		return second;
	ksma_error_destroy(second);
	return error;
}

static struct ksma_error *sync_both(struct ksma_measurements *list)
{
	const int fds[] = { list->binary.fd, list->ascii.fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0 && fdatasync(fds[i]) < 0)
			return ksma_error_os(errno, "the measurement list: fdatasync");
	return NULL;
}

/* Both renderings of an entry, or neither. */
static struct ksma_error *enqueue(struct ksma_measurements *list,
				  const struct ksma_measurement *measurement,
				  const struct ksma_entry_bytes *bytes)
{
	_cleanup_free_ char *line = NULL;
	size_t before = list->binary.waiting.count;
	struct ksma_error *error;

	if (list->binary.fd < 0)
		return NULL;
	if (before + bytes->length > MAX_WAITING)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "the measurement list: there is no room on the disk");
	KSMA_TRY(ksma_measurement_line(measurement, &line));
	KSMA_TRY(append(&list->binary.waiting, bytes->data, bytes->length));
	error = append(&list->ascii.waiting, line, strlen(line));
	if (!error)
		error = append(&list->ascii.waiting, "\n", 1);
	if (error)
		list->binary.waiting.count = before;
	return error;
}

struct ksma_error *ksma_measurements_add(struct ksma_measurements *list,
					 const struct ksma_measurement *measurement, bool *ret_new)
{
	_cleanup_(ksma_entry_bytes_deinit) struct ksma_entry_bytes bytes = { 0 };
	struct ksma_error *error = ksma_entry_make(measurement, &bytes);
	bool new = false;

	if (!error)
		error = ksma_measurements_learn(list, measurement->pcr, bytes.data + bytes.data_at,
						bytes.length - bytes.data_at,
						measurement->violation, &new);
	if (!error && new)
		error = enqueue(list, measurement, &bytes);
	if (error) {
		list->lost++;
		return error;
	}
	*ret_new = new;
	if (!new)
		return NULL;
	/* A disk that is full now is no error of the entry's: it waits. */
	error = drain_both(list);
	if (!error && list->sync == KSMA_SYNC_EACH)
		error = sync_both(list);
	list->failing = error != NULL;
	ksma_error_destroy(error);
	return NULL;
}

/* The registers, in a file of its own that is exchanged whole. The form is that of TPM 1.2's sysfs file, which evmctl reads. */
static struct ksma_error *write_registers(const struct ksma_measurements *list, const char *name,
					  const uint8_t *registers, size_t size)
{
	char text[KSMA_PCRS * (8 + 3 * KSMA_SHA256_SIZE + 1) + 1], file[32];
	size_t at = 0, done = 0;
	_cleanup_close_ int fd = -1;

	for (unsigned pcr = 0; pcr < KSMA_PCRS; pcr++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "PCR-%02u:", pcr);
		for (size_t i = 0; i < size; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, " %02X",
					       registers[pcr * size + i]);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "\n");
	}
	snprintf(file, sizeof(file), "%s.new", name);
	fd = openat(list->folder, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return ksma_error_os(errno, "%s", file);
	KSMA_TRY(ksma_error_prefix(write_all(fd, text, at, &done), "%s", file));
	if (renameat(list->folder, file, list->folder, name) < 0)
		return ksma_error_os(errno, "%s", name);
	return NULL;
}

struct ksma_error *ksma_measurements_flush(struct ksma_measurements *list)
{
	if (list->folder < 0)
		return NULL;
	KSMA_TRY(drain_both(list));
	if (list->sync != KSMA_SYNC_NEVER)
		KSMA_TRY(sync_both(list));
	KSMA_TRY(write_registers(list, "pcrs.sha1", list->sha1[0], KSMA_SHA1));
	KSMA_TRY(write_registers(list, "pcrs.sha256", list->sha256[0], KSMA_SHA256_SIZE));
	list->failing = false;
	return NULL;
}

uint64_t ksma_measurements_count(const struct ksma_measurements *list)
{
	return list->entries;
}

const char *ksma_measurements_trouble(const struct ksma_measurements *list)
{
	if (list->lost)
		return "entries were lost for lack of room or memory: the registers tell";
	return list->failing ? "entries wait for room on the disk" : NULL;
}

const uint8_t *ksma_measurements_pcr_sha256(const struct ksma_measurements *list, unsigned pcr)
{
	return pcr < KSMA_PCRS ? list->sha256[pcr] : NULL;
}

const uint8_t *ksma_measurements_pcr_sha1(const struct ksma_measurements *list, unsigned pcr)
{
	return pcr < KSMA_PCRS ? list->sha1[pcr] : NULL;
}

void ksma_measurements_free(struct ksma_measurements *list)
{
	if (!list)
		return;
	ksma_closep(&list->binary.fd);
	ksma_closep(&list->ascii.fd);
	ksma_closep(&list->folder);
	free(list->binary.waiting.items);
	free(list->ascii.waiting.items);
	free(list->known);
	free(list);
}

void ksma_measurements_close(struct ksma_measurements *list)
{
	if (list)
		ksma_error_destroy(ksma_measurements_flush(list));
	ksma_measurements_free(list);
}
