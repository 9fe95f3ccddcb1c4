#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A hook present for 1, 10, 100 and 1000 ms, HOOKS (60) times each at random moments, with looks every 50 ms and every second: how many
# of them are reported. The result goes to docs/transient.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/transient.sh
. tests/lib/transient.sh
ksma=${KSMA:-build/ksma}
hooks=${HOOKS:-60}
kernel=${KERNEL:-6.1}
report=${REPORT:-docs/transient.md}
dir=$(mktemp -d)
on_exit rm -rf "$dir"
export KSMA_CACHE_DIR=$dir/cache
guest_start --kernel "$kernel" --mem 512M --attacks "$dir/guest" >/dev/null
for interval in 50ms 1s; do
	gap=300
	[ "$interval" = 50ms ] || gap=1500
	for ms in 1 10 100 1000; do
		seen=$(transient_measure "$dir/guest" "$interval" "$ms" "$hooks" "$gap")
		echo "$interval $ms $seen" | tee -a "$dir/rows"
	done
done
load=$(cut -d' ' -f1-3 /proc/loadavg)
python3 - "$dir/rows" "$hooks" "$kernel" "$load" >"$dir/report" <<'EOF'
import sys
rows = [line.split() for line in open(sys.argv[1])]
hooks, kernel, load = int(sys.argv[2]), sys.argv[3], sys.argv[4]
print(f"""# Transient tampering

`tests/soak/transient.sh` wrote this: a module in a {kernel} guest replaces a slot of the system call table for a time and puts it back, {hooks} times at
random moments, while `ksma watch VM syscall-table` looks at it (host load {load}). No honest kernel ever changes that slot, so the second look that
confirms it follows at once (decision 182), and the probability is about the time over the interval, at most 1. What an honest kernel may
pass through has to stay for 20 ms or longer, and shorter hooks of that kind are not told.

| interval | hook present for | told | probability measured | 95 % interval | expected |
|---|---|---|---|---|---|""")
for interval, ms, seen in rows:
    seen, every = int(seen), 50 if interval == "50ms" else 1000
    p, z = seen / hooks, 1.96
    # Wilson's interval.
    middle = (p + z * z / (2 * hooks)) / (1 + z * z / hooks)
    half = z * ((p * (1 - p) / hooks + z * z / (4 * hooks * hooks)) ** 0.5) / (1 + z * z / hooks)
    expected = min(1, int(ms) / every)
    print(f"| {interval} | {ms} ms | {seen} of {hooks} | {p:.2f} | {max(0, middle - half):.2f} to {min(1, middle + half):.2f} | {expected:.2f} |")
EOF
cp "$dir/report" "$report"
cat "$report"
