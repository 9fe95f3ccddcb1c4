/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an .rpm says of itself: name, version, release, architecture. The attacker is who built it. */
#ifndef KSMA_INGEST_RPM_H
#define KSMA_INGEST_RPM_H

#include "base/bytes.h"
#include "base/util.h"

enum { RPM_MAX_HEAD = 16 << 20 };

/* Strings inside the bytes; "" where it says nothing. */
struct rpm_info {
	const char *name, *version, *release, *architecture;
};

/* `data` is the file's beginning, at most RPM_MAX_HEAD bytes. @return NULL or BAD_DATA */
struct ksma_error *rpm_parse(const uint8_t *data, size_t length,
			     struct rpm_info *ret_info) KSMA_MUST_CHECK;

#endif
