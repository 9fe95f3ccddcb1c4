#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A real dump of KERNEL (6.1) damaged in MUTATIONS (2000) ways, from SEED (by the clock) on, two at a time, in the build with
# sanitizers. What came of it goes to docs/mutated-dumps.md: commit it when it is the state of a release.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/dumps.sh
. tests/lib/dumps.sh

count=${MUTATIONS:-2000}
seed=${SEED:-$(date +%s)}
program=${KSMA_ASAN_BUILD:-build/asan}/tests/mutate/mutate_dumps
report=${REPORT:-docs/mutated-dumps.md}
[ -n "${KSMA_ASAN_BUILD-}" ] || make --no-print-directory asan >/dev/null
dumps=$(dumps_get "${KERNEL:-6.1}")
scratch=$(mktemp -d)
on_exit rm -rf "$scratch"

half=$(((count + 1) / 2))
start=$SECONDS
status=0
dumps_mutate "$program" "$dumps" "$scratch" "$seed" "$half" >"$scratch/first" 2>&1 &
first=$!
dumps_mutate "$program" "$dumps" "$scratch" "$((seed + half))" "$((count - half))" >"$scratch/second" 2>&1 || status=$?
wait "$first" || status=$?
cat "$scratch/first" "$scratch/second"

python3 - "$scratch/first" "$scratch/second" "$seed" "$count" "$((SECONDS - start))" "$(basename "$dumps")" >"$scratch/report" <<'EOF'
import json, re, sys
kinds, total = {}, {}
for path in sys.argv[1:3]:
    for line in open(path, errors="replace"):
        row = re.match(r"mutate_dumps: (.*?) +(\d+) looks, the kernel understood in +(\d+), (\d+) wrong", line)
        if row:
            seen = kinds.setdefault(row[1], [0, 0, 0])
            for i in range(3):
                seen[i] += int(row[i + 2])
        elif line.startswith("{"):
            for key, value in json.loads(line).items():
                total[key] = max(total.get(key, 0), value) if key.startswith("l") else total.get(key, 0) + value
seed, count, seconds, dump = sys.argv[3:]
print(f"""# Mutated dumps

`make soak` (`tests/soak/mutated-dumps.sh`) wrote this: a dump of a 256 MiB guest with a stock Debian kernel ({dump.rsplit('-', 1)[0]}) and some
80 processes, damaged in {count} ways (seeds {seed} on), and looked at with everything there is: finding the kernel, processes, modules,
sockets, maps, files, mounts, the kernel log, all checks. Built with AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer,
whose alarms are tested first. It took {seconds} s.

| what was damaged | looks | the kernel was still understood | crash, hang, report or leak |
|---|---|---|---|""")
for name, (looks, understood, wrong) in kinds.items():
    print(f"| {name} | {looks} | {understood} | {wrong} |")
print(f"| **all** | {sum(k[0] for k in kinds.values())} | {sum(k[1] for k in kinds.values())} | **{total.get('failures', '?')}** |")
print(f"""
Ends: clean and complete {total.get('clean')}, findings {total.get('findings')}, incomplete and said so {total.get('incomplete')}. The longest look took
{total.get('longest_cpu_s')} s of processor time under the sanitizers (limit 10 s), the largest {total.get('largest_rss_kib', 0) // 1024} MiB with the dump's own pages and the sanitizers'.""")
EOF
if [ "$status" = 0 ]; then
	cp "$scratch/report" "$report"
	echo "mutated-dumps: $count mutations, none wrong; see $report"
else
	cat "$scratch/report"
fi
exit "$status"
