/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the actions on manifests share. */
#ifndef KSMA_SIGNED_COMMON_H
#define KSMA_SIGNED_COMMON_H

#include "cli/output.h"
#include "vendor/keys.h"
#include "vendor/manifest.h"

/* Opens a manifest whose hashes must fit, whoever made it. */
struct ksma_error *signed_open_checked(const char *path,
				       struct ksma_manifest **ret_manifest) KSMA_MUST_CHECK;

/* 64 digits; the buffer has 65 bytes. */
const char *signed_hex(const uint8_t hash[KSMA_SHA256], char *buffer);

/* The action, which is one of the operands, takes from `min` to `max`. @what names what is missing */
struct ksma_error *signed_operands(const struct cli *cli, size_t min, size_t max,
				   const char *what) KSMA_MUST_CHECK;
/* INVALID when an option that the action needs was not given. */
struct ksma_error *signed_need(const struct cli *cli, enum cli_option_id id) KSMA_MUST_CHECK;

/* When a manifest was made: now, or SOURCE_DATE_EPOCH if somebody wants the same bytes again. Seconds since the epoch. */
struct ksma_error *signed_created(uint64_t *ret_time) KSMA_MUST_CHECK;

/* Private keys have no business where guests are looked at. */
void signed_warn_private(struct cli *cli, const struct ksma_keys *keys);

/* "created" and "entries" of a part, in an object that is open. */
void signed_json_part(struct cli_json *json, const struct ksma_manifest *manifest, uint32_t part);

#endif
