#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A Debian guest under the guard from its first file on, in use for half an hour, packages installed meanwhile: nothing that is signed is refused.
# timeout: 7200
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SECONDS_EACH=${SECONDS_EACH:-1800} exec "$here/../guest/test-guard-debian.sh"
