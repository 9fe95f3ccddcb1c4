#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 1800
#
# A real dump, damaged in many ways: whatever is in it, no crash, no hang, no sanitizer report, and only documented ends. MUTATIONS
# (150), SEED (1) and KERNEL (6.1) say how many, which and of what; tests/soak/mutated-dumps.sh does 2,000 new ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/dumps.sh
. tests/lib/dumps.sh

count=${MUTATIONS:-150}
seed=${SEED:-1}
program=${KSMA_ASAN_BUILD:-build/asan}/tests/mutate/mutate_dumps
if [ ! -x "$program" ]; then
	echo "$program is not built: make asan"
	exit 1
fi
dumps=$(dumps_get "${KERNEL:-6.1}")
scratch=$(mktemp -d)
on_exit rm -rf "$scratch"
echo "seed $seed, $count mutations of $dumps"
dumps_mutate "$program" "$dumps" "$scratch" "$seed" "$count"
echo "# cases: $count"
