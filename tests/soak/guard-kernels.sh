#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is decided about files, and what a guard does about it, on every kernel: `make check` takes the oldest and the newest, or one.
# timeout: 7200
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export KERNELS=${KERNELS:-5.10 6.1 6.12 7.2}
"$here/../guest/test-decide.sh"
"$here/../guest/test-guard-trust.sh"
"$here/../guest/test-guard-life.sh"
