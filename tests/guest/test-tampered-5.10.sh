#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every attack of tests/attacks is found on kernel 5.10, by the right check, with the right evidence.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/tampered.sh
. "$here/../lib/tampered.sh"

tampered_kernel 5.10
