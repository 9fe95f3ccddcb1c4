#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A real Debian system, with all that systemd sets up at boot, is found clean and wholly covered, and is listed as it lists itself.
# timeout: 1500
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/debian.sh
. "$here/../lib/debian.sh"
ksma=${KSMA:-$here/../../build/ksma}
flip=$here/../../build/tests/tools/flip
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"

boots() { [ "$(debian_wait "$dir")" = running ]; }

clean() {
	"$ksma" check --json "$(guest_pid "$dir")" >"$dir/report" || jq -c '.findings[], (.coverage[] | select(.state != "complete"))' "$dir/report"
	[ "$(jq -r '[.coverage[].state] | unique | .[]' "$dir/report")" = complete ]
	[ "$(jq '.findings | length' "$dir/report")" -eq 0 ]
}

used() {
	# shellcheck disable=SC2016 # for the guest's shell
	guest_exec "$dir" 'set -e
		ssh -o StrictHostKeyChecking=no localhost true
		python3 -c "import ssl, json, ctypes"
		echo "* * * * * root touch /run/cron-was-here" >/etc/cron.d/here
		for i in $(seq 130); do [ ! -e /run/cron-was-here ] || exit 0; sleep 1; done
		exit 1'
}

# What describes a module's parameter may point to where its init data was, and another module's code is now.
parameter() {
	local place code was
	place=$("$ksma" sym --json "$pid" __param_string_force | jq -r '.symbols[0].address')
	code=$("$ksma" modules --json "$pid" | jq -r '.modules[] | select(.name == "ext4") | .base')
	was=$("$ksma" read --raw "$pid" "$place" 16 | tail -c 8 | od -An -tx1 | tr -d ' \n')
	"$flip" "$pid" at "$place+8" "$(printf '%016x' $((code + 64)) | fold -w 2 | tac | tr -d '\n')"
	clean || return
	"$flip" "$pid" at "$place+8" "$was"
}

mounts() {
	guest_exec "$dir" 'findmnt -rno TARGET | sort' >"$dir/theirs"
	"$ksma" mounts --json "$(guest_pid "$dir")" | jq -r '.mounts[].path' | sort >"$dir/ours"
	diff "$dir/theirs" "$dir/ours"
}

dir=$(mktemp -d)
on_exit rm -rf "$dir"
debian_get >/dev/null || {
	status=$?
	echo "the guest's disk cannot be built here"
	exit "$status"
}
debian_start --cpus 2 "$dir" >/dev/null
on_exit guest_stop "$dir"
pid=$(guest_pid "$dir")
does "boots with every unit up" boots
does "clean after boot" clean
does "a parameter that points to what was its module's" parameter
does "its mounts are those that it lists" mounts
does "ssh, python and cron do their work" used
does "clean after it was used" clean
echo "1..$count"
exit "$failed"
