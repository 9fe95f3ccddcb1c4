/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands of ksma-files. What they print and how they exit is as with every other command. */
#ifndef KSMA_SIGNED_RUN_H
#define KSMA_SIGNED_RUN_H

#include "cli/cli.h"

struct ksma_error *signed_run(struct cli *cli);

/* ksma guard */
struct ksma_error *signed_guard(struct cli *cli);

/* ksma manifest, and one file an action. */
struct ksma_error *signed_manifest(struct cli *cli);
struct ksma_error *signed_manifest_build(struct cli *cli);
struct ksma_error *signed_manifest_diff(struct cli *cli);
struct ksma_error *signed_manifest_merge(struct cli *cli);
struct ksma_error *signed_manifest_revoke(struct cli *cli);
struct ksma_error *signed_manifest_show(struct cli *cli);
struct ksma_error *signed_manifest_sign(struct cli *cli);
struct ksma_error *signed_manifest_verify(struct cli *cli);

/* Appraisal of what a guest runs: alone, and as one of the checks. */
struct ksma_error *signed_appraise(struct cli *cli);
struct ksma_error *signed_check(struct cli *cli);
struct ksma_error *signed_watch(struct cli *cli);

#endif
