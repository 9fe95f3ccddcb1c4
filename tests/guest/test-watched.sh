#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What only who looked before can tell: a process whose capabilities grew, a line of the log that was changed, and what the kernel's helper programs
# were given back. One look finds none of it, and a watch finds each.
# timeout: 900
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/attacks.sh
. "$here/../lib/attacks.sh"
ksma=${KSMA:-$here/../../build/ksma}
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"

# Waits until the events have a line with $1.
await() {
	local i
	for ((i = 0; i < 600; i++)); do
		! grep -q -- "$1" "$dir/events" || return 0
		sleep 0.1
	done
	return 1
}

# Watches check $1, has the guest run $2, and expects a finding that begins with $3, which a look of its own does not find.
watched() {
	local status=0 watching
	: >"$dir/events"
	"$ksma" watch "$(guest_pid "$dir")" "$1" --json --interval 200ms >"$dir/events" 2>"$dir/err" </dev/null &
	watching=$!
	await '"event":"coverage"' || status=1
	guest_exec "$dir" "$2" >"$dir/said" 2>&1 || status=1
	await "\"event\":\"appeared\".*\"id\":\"$3" || status=1
	kill -INT "$watching"
	wait "$watching" || true
	tell "$status" "$3 is told by a watch"
	[ "$status" -eq 0 ] || cat "$dir/said" "$dir/err" "$dir/events" | cut -c1-300 | sed 's/^/# /'
	status=0
	"$ksma" check "$(guest_pid "$dir")" "$1" >"$dir/said" 2>&1 || status=$?
	tell "$status" "$3 is nothing that one look could know"
	[ "$status" -eq 0 ] || sed 's/^/# /' "$dir/said"
}

for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
	cases_of=$kernel
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	guest_start --kernel "$kernel" --mem 512M --cpus 2 --attacks "$dir" >/dev/null
	# shellcheck disable=SC2016 # for the guest's shell
	guest_exec "$dir" 'setsid gtool user </dev/null >/tmp/user.pid 2>/dev/null & until [ $(wc -l </tmp/user.pid) = 2 ]; do usleep 20000; done'
	guest_exec "$dir" 'echo 4294967295 15 >/proc/sys/kernel/usermodehelper/bset'
	# shellcheck disable=SC2016
	watched credentials 'insmod /attacks/creds.ko how=grow pid=$(head -n 1 /tmp/user.pid)' credentials/
	watched log 'insmod /attacks/logtamper.ko what=word' log/rewritten/
	watched settings 'insmod /attacks/settings.ko name=usermodehelper_bset value=0x1ffffffffff' settings/usermodehelper_bset
	guest_stop "$dir"
done
echo "1..$count"
exit "$failed"
