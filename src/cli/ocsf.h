/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A report as events of the Open Cybersecurity Schema Framework, for a SIEM. */
#ifndef KSMA_CLI_OCSF_H
#define KSMA_CLI_OCSF_H

#include "cli/output.h"

/* Prints one Detection Finding (class 2004) a finding and, last, one Scan Activity (class 6007) that says what was covered: without
 * it, nothing found and nothing looked at would read the same. Excepted findings come with status Suppressed. */
void cli_ocsf_report(struct cli *cli, const struct ksma_exceptions *exceptions,
		     const struct ksma_report *report);

#endif
