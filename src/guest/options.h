/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The value of one QEMU option as keys and values: "a,b=c,,d,e=f" or a JSON object. */
#ifndef KSMA_GUEST_OPTIONS_H
#define KSMA_GUEST_OPTIONS_H

#include "base/util.h"

enum { KSMA_OPTIONS_MAX = 128 };

struct ksma_options {
	struct {
		char *key;   /* "" for a bare word behind the first place that has no '=' */
		char *value; /* "" for a bare word: see ksma_options_true() */
		bool bare;
	} items[KSMA_OPTIONS_MAX];
	size_t count;
};

/* Splits an option's value. A doubled comma is a comma of the value; a JSON object's members become keys, those of objects
 * in it "a.b". More than KSMA_OPTIONS_MAX are cut.
 * @implied the key of a first word without '=', or NULL
 * @ret_options freed with ksma_options_free() @return NULL or NOMEM */
struct ksma_error *ksma_options_parse(const char *text, const char *implied,
				      struct ksma_options *ret_options) KSMA_MUST_CHECK;
void ksma_options_free(struct ksma_options *options);

/* The last value of a key, or NULL. */
const char *ksma_options_get(const struct ksma_options *options, const char *key);

/* A switch: key=on, yes, true, y, the bare word "key"; "nokey" is false. @fallback where it is not given */
bool ksma_options_true(const struct ksma_options *options, const char *key, bool fallback);

#endif
