#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docs/checks.md is what the table of checks says now.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build/tests/tools/checks_doc | diff -u docs/checks.md - || {
	echo "docs/checks.md is out of date: build/tests/tools/checks_doc > docs/checks.md"
	exit 1
}
