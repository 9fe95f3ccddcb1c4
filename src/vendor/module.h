/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A module file's outside: its .modinfo and the signature behind it (scripts/sign-file.c). The attacker is who built it. */
#ifndef KSMA_VENDOR_MODULE_H
#define KSMA_VENDOR_MODULE_H

#include "vendor/elf.h"

/* The appended signature: what it signs are the bytes before it. */
struct ksma_module_signature {
	size_t content_length; /* without the signature; all of it when there is none */
	const uint8_t *pkcs7;  /* NULL: not signed */
	size_t pkcs7_length;
};

/* @return NULL, or BAD_DATA: there is the mark of a signature, and no signature before it */
struct ksma_error *ksma_module_signature(const uint8_t *data, size_t length,
					 struct ksma_module_signature *ret) KSMA_MUST_CHECK;

/* The value of `key` in .modinfo: a string inside the file, or NULL. */
const char *ksma_modinfo(const struct ksma_elf *elf, const char *key);

#endif
