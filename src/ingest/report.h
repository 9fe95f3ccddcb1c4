/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs `vendor add` and `vendor verify`, and says how it went. */
#ifndef KSMA_INGEST_REPORT_H
#define KSMA_INGEST_REPORT_H

#include "cli/output.h"

struct ksma_error *ingest_run(struct cli *cli) KSMA_MUST_CHECK;

#endif
