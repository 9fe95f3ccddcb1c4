#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The modules that ksma lists are those of the guest's /proc/modules: order, sizes, references, states, addresses.
# timeout: 900
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"

# Name, size, references, state, address. A module that is not yet formed is in no file of /proc.
list() { # DIR WORK
	guest_exec "$1" 'cat /proc/modules' |
		awk '{ state = tolower($5); sub("loading", "coming", state); sub("un" "coming", "going", state)
			print $1, $2, $3, state, $6 }' >"$2/guest"
	"$ksma" modules --json "$(guest_pid "$1")" >"$2/json"
	jq -r '.modules[] | select(.state != "unformed") | "\(.name) \(.size) \(.refcount) \(.state) \(.base)"' "$2/json" >"$2/ksma"
	[ "$(jq -r '.coverage[].state' "$2/json")" = complete ]
	[ "$(wc -l <"$2/guest")" -ge 20 ]
	diff "$2/guest" "$2/ksma"
}

# The taints of a module, and what its source was, as sysfs says them.
facts() { # DIR WORK
	# shellcheck disable=SC2016 # the guest expands it
	guest_exec "$1" 'cd /sys/module && while read -r name rest; do
		echo "$name $(cat "$name/srcversion" 2>/dev/null) $(cat "$name/taint" 2>/dev/null)"; done </proc/modules' |
		sed 's/ *$//' >"$2/guest"
	"$ksma" modules --json "$(guest_pid "$1")" |
		jq -r '.modules[] | "\(.name) \(.srcversion // "") \(if .taints == "0x0" then "" else .taints end)"' |
		sed 's/ *$//' >"$2/ksma"
	diff "$2/guest" "$2/ksma"
}

# The build ids are those of /sys/kernel/notes and /sys/module/*/notes.
ids() { # DIR WORK
	# shellcheck disable=SC2016 # the guest expands it
	guest_exec "$1" 'for f in /sys/kernel/notes /sys/module/*/notes/.note.gnu.build-id; do
		case $f in /sys/kernel/*) name=kernel ;; *) name=${f#/sys/module/}; name=${name%%/*} ;; esac
		echo "$name $(hexdump -v -e "1/1 \"%02x\"" "$f" | sed "s/.*03000000474e5500\(.\{40\}\).*/\1/")"; done' | sort >"$2/guest"
	{
		"$ksma" info --json "$(guest_pid "$1")" | jq -r '"kernel \(.kernel.build_id)"'
		"$ksma" modules --json "$(guest_pid "$1")" | jq -r '.modules[] | "\(.name) \(.build_id)"'
	} | sort >"$2/ksma"
	[ "$(wc -l <"$2/guest")" -ge 20 ]
	diff "$2/guest" "$2/ksma"
}

# The pieces of memory that are said to hold code hold each symbol of code that the guest's kallsyms names.
text() { # DIR WORK
	guest_exec "$1" 'grep -i " t .*\[" /proc/kallsyms' >"$2/guest"
	"$ksma" modules --json "$(guest_pid "$1")" >"$2/json"
	python3 - "$2/guest" "$2/json" <<-'END'
		import json, sys
		text = {m["name"]: [(int(p["base"], 16), p["size"]) for p in m["memory"] if p["text"]]
		        for m in json.load(open(sys.argv[2]))["modules"]}
		symbols = outside = 0
		for line in open(sys.argv[1]):
		    address, _, _, module = line.split()
		    if module == "[bpf]":
		        continue
		    symbols += 1
		    outside += not any(b <= int(address, 16) < b + n for b, n in text[module[1:-1]])
		print(symbols, "symbols,", outside, "outside")
		sys.exit(symbols < 500 or outside > 0)
	END
}

# A function in the middle of each of some modules: the name that kallsyms gives it.
names() { # DIR WORK
	local address
	guest_exec "$1" 'grep -i " t .*\[" /proc/kallsyms' | awk 'NR % 397 == 1 { print "0x" $1, $3, $4 }' | head -n 12 >"$2/guest"
	while read -r address _; do
		"$ksma" sym --json "$(guest_pid "$1")" "$address" | jq -r '.symbols[0].name'
	done <"$2/guest" >"$2/ksma"
	[ "$(wc -l <"$2/guest")" -ge 5 ]
	cut -d' ' -f2- "$2/guest" | diff - "$2/ksma"
}

cases() {
	agreement_case "$1" "the list of modules" list
	agreement_case "$1" "source versions and taints" facts
	agreement_case "$1" "build ids" ids
	agreement_case "$1" "code of a module" text
	agreement_case "$1" "names of functions" names
	guest_exec "$1" 'modprobe -r dummy && modprobe -r evdev'
	agreement_case "$1" "after modules went" list
	guest_exec "$1" 'modprobe dummy'
	agreement_case "$1" "after a module came" list
}

agreement_each_kernel cases
