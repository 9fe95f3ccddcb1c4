/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of what was measured, in the formats of the kernel's IMA, with the registers that a TPM would hold.
 *
 * Formats: security/integrity/ima/ima_fs.c and ima_template_lib.c; templates ima-ng and ima-sig, digests by SHA-256. `evmctl ima_measurement`
 * reads it. A folder holds one list, of one boot of one guest:
 *   binary_runtime_measurements, ascii_runtime_measurements   entries are only ever added
 *   pcrs.sha1, pcrs.sha256                                    the registers, as of the last flush
 * Paths and signatures are the guest's. */
#ifndef KSMA_GUARD_MEASUREMENTS_H
#define KSMA_GUARD_MEASUREMENTS_H

#include "guard/policy.h"

enum {
	KSMA_PCRS = 24,
	KSMA_SHA1 = 20,
	KSMA_MEASURED_NAME = 4096,
	KSMA_MEASURED_SIGNATURE = 8192,
};

/* One thing that was measured. */
struct ksma_measurement {
	unsigned pcr; /* below KSMA_PCRS */
	enum ksma_ima_template template;
	uint8_t sha256[32];	  /* of the contents */
	const char *path;	  /* blanks and control characters of it are entered as `_` */
	const uint8_t *signature; /* the bytes of security.ima, or NULL; for ima-sig */
	size_t signature_length;
	bool violation; /* it could not be measured as it was used: a writer had it open */
};

enum ksma_measurements_sync {
	KSMA_SYNC_NEVER, /* the host's own time */
	KSMA_SYNC_FLUSH, /* at each ksma_measurements_flush() */
	KSMA_SYNC_EACH,
};

struct ksma_measurements;

/* Begins a list, with boot_aggregate as its first entry, or goes on with the one that lies in the folder: an entry that was cut short
 * is cut off.
 * @folder  is made when it is not there; NULL: the list is kept nowhere, and only counted
 * @return NULL, OS, PERMISSION, BAD_DATA (what lies there is no such list), NOMEM */
struct ksma_error *ksma_measurements_open(const char *folder, enum ksma_measurements_sync sync,
					  struct ksma_measurements **ret_list) KSMA_MUST_CHECK;
void ksma_measurements_close(struct ksma_measurements *list);

/* Enters something, unless the very same is entered already. What cannot be written now is kept and written later, up to a limit; see
 * ksma_measurements_trouble(). NOMEM when it could not even be kept: the list then says so of itself. */
struct ksma_error *ksma_measurements_add(struct ksma_measurements *list,
					 const struct ksma_measurement *measurement,
					 bool *ret_new) KSMA_MUST_CHECK;

/* Writes what is outstanding, and the registers. @return NULL or OS; calling it again is the cure */
struct ksma_error *ksma_measurements_flush(struct ksma_measurements *list) KSMA_MUST_CHECK;

uint64_t ksma_measurements_count(const struct ksma_measurements *list);

/* What is wrong with the list, as a phrase, or NULL: entries that wait for room on the disk, or that were lost. */
const char *ksma_measurements_trouble(const struct ksma_measurements *list);

/* The registers: 32 and 20 bytes. */
const uint8_t *ksma_measurements_pcr_sha256(const struct ksma_measurements *list, unsigned pcr);
const uint8_t *ksma_measurements_pcr_sha1(const struct ksma_measurements *list, unsigned pcr);

/* The line of the list in ASCII that an entry would be, with no line end. @ret_line owned by the caller */
struct ksma_error *ksma_measurement_line(const struct ksma_measurement *measurement,
					 char **ret_line) KSMA_MUST_CHECK;

/* An entry as it was read. Pointers are into the list's bytes. */
struct ksma_measured {
	uint32_t pcr;
	const uint8_t *digest; /* KSMA_SHA1 bytes */
	const char *template;
	uint32_t template_length;
	const uint8_t *data;
	uint32_t data_length;
};

/* Reads the entry at `*position` of a binary list, and moves behind it. @return false at the end, and where nothing whole follows */
bool ksma_measured_next(const uint8_t *list, size_t length, size_t *position,
			struct ksma_measured *ret_measured);

#endif
