#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The kernel log that ksma reads is what dmesg prints inside the guest, whatever was written: several lines, no text at all,
# bytes that are no characters, and after the ring has wrapped around.
# timeout: 900
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"

# The guest prints facility and level, time, and the text, a prefix before each line of it.
compare() { # DIR WORK
	local pid
	pid=$(guest_pid "$1")
	guest_exec "$1" 'dmesg -r -s 4000000' >"$2/guest"
	"$ksma" dmesg --json "$pid" >"$2/json"
	guest_exec "$1" 'dmesg -r -s 4000000' >"$2/again"
	[ "$(jq -r '.coverage[].state' "$2/json")" = complete ]
	cmp "$2/guest" "$2/again"
	python3 - "$2/json" >"$2/ksma" <<-'END'
		import json, sys
		sequence = None
		for r in json.load(open(sys.argv[1]))["records"]:
		    # An empty line has no text that could be given up to make room: it stays behind when those around it go.
		    assert sequence is None or r["sequence"] > sequence, (sequence, r)
		    sequence = r["sequence"]
		    us = r["time_ns"] // 1000
		    for line in r["text"].split("\n"):
		        print(f"<{r['facility'] * 8 + r['level']}>[{us // 1000000:5}.{us % 1000000:06}] {line}")
	END
	[ "$(wc -l <"$2/guest")" -ge 100 ]
	diff "$2/guest" "$2/ksma"
}

# While the ring goes round for the first time, which is also when the numbers of its positions end, every look is complete,
# and holds the newest record.
busy() { # DIR WORK
	local i pid
	pid=$(guest_pid "$1")
	# shellcheck disable=SC2016 # the guest expands it
	guest_exec "$1" '(i=0; while [ $i -lt 3000 ]; do echo "record $i of many, while somebody looks"; i=$((i + 1)); done |
		while read -r line; do echo "$line" >/dev/kmsg; done) >/dev/null 2>&1 &'
	for ((i = 0; i < 25; i++)); do
		"$ksma" dmesg --json "$pid" >"$2/json"
		jq -r '.coverage[] | "\(.state) \(.reason)"' "$2/json" >>"$2/states"
	done
	sort "$2/states" | uniq -c
	[ "$(cut -d' ' -f1 "$2/states" | sort -u)" = complete ]
}

# The clock by which records are dated starts when /proc/stat says.
clock() { # DIR WORK
	guest_exec "$1" 'sed -n "s/^btime //p" /proc/stat' >"$2/guest"
	date -d "$("$ksma" info --json "$(guest_pid "$1")" | jq -r .kernel.boot_time)" +%s >"$2/ksma"
	diff "$2/guest" "$2/ksma"
}

cases() {
	agreement_case "$1" "the time of the boot" clock
	guest_exec "$1" 'date -s "2031-02-03 04:05:06"' >/dev/null
	agreement_case "$1" "the time of the boot, by a clock that was set" clock
	agreement_case "$1" "the log of the boot" compare
	guest_exec "$1" 'echo one >/dev/kmsg; printf "two\nlines\n" >/dev/kmsg; echo "<11>of a facility" >/dev/kmsg; echo >/dev/kmsg
		printf "a long one: %0900d\n" 7 >/dev/kmsg; printf "a tab\tand a quote\" and a backslash\\\\\n" >/dev/kmsg'
	agreement_case "$1" "records of all kinds" compare
	agreement_case "$1" "looks at a busy log" busy
	# shellcheck disable=SC2016 # the guest expands it
	guest_exec "$1" 'echo 0 >/proc/sys/kernel/printk_ratelimit 2>/dev/null; i=0; while [ $i -lt 3000 ]; do
		printf "record %d of many: %0120d\n" $i $i; i=$((i + 1)); done | while read -r line; do echo "$line" >/dev/kmsg; done'
	agreement_case "$1" "after the ring went round" compare
}

agreement_each_kernel cases
