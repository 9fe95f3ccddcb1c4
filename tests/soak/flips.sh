#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A thousand changed bytes in kernel text, in constants and in module code of every kernel: each is found, by its own name.
# timeout: 3600
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
FLIPS=${FLIPS:-1000} CPUS=1 exec "$here/../guest/test-text.sh"
