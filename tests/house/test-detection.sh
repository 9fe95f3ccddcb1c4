#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# docs/detection.md has a row for each attack, with what was found on each kernel. The suite of attacks itself holds the rows against
# what it finds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tests/tools/detection || {
	echo "run the suite of attacks with DETECTION=update: it writes docs/detection.md"
	exit 1
}
