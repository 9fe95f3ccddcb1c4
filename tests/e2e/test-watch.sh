#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# watch: each change once, a reboot is followed, signals and a guest that goes away end it in order.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=$tmp/guest
guest_start --kernel 6.1 --mem 256M --name watched "$dir" >/dev/null

events=$tmp/events
watching=
start_watch() { # ARGUMENT…
	: >"$events"
	"$ksma" watch watched --json --interval 200ms "$@" >"$events" 2>"$tmp/err" </dev/null &
	watching=$!
}

# Waits until the events have a line with $1.
await() {
	local i
	for ((i = 0; i < ${2:-300}; i++)); do
		! grep -q -- "$1" "$events" || return 0
		sleep 0.1
	done
	return 1
}

ended() { # sets status
	status=0
	wait "$watching" || status=$?
	cp "$events" "$tmp/out"
}

valid() { /usr/bin/python3 "$e2e_home/validate.py" "$root/docs/schema" watch "$events"; }

start_watch --count 3
ended
check "three looks at a clean guest" test "$status" -eq 0
check "its documents" valid
check "it starts" test "$(head -n 1 "$events" | jq -r .event)" = started
check "it tells the coverage of each check once" test "$(grep -c '"coverage"' "$events")" -eq "$("$ksma" help @table | grep -c '^check')"
check "it stops" test "$(tail -n 1 "$events" | jq -r .event,.looks | paste -sd' ')" = "stopped 3"

# A share of a processor: what the passes took is no more than that.
start_watch --count 3 --cpu 5%
ended
check "passes spread over time" test "$status" -eq 0
check "their documents" valid
check "each is told" test "$(grep -c '"event":"pass"' "$events")" -eq 3
check "each keeps to its share" jq -se 'map(select(.event == "pass")) | all(.cpu_us <= .duration_ms * 1000 * 0.06 + 1000)' "$events" >/dev/null
start_watch --cpu 0.1%
check "watching slowly" await '"coverage"'
kill -INT "$watching"
ended
check "a signal ends it in the middle of a pass" test "$status" -eq 0

for signal in INT TERM; do
	start_watch
	check "watching ($signal)" await '"coverage"'
	kill "-$signal" "$watching"
	ended
	check "SIG$signal ends it cleanly" test "$status" -eq 0
	check "with a last line" test "$(tail -n 1 "$events" | jq -r .event)" = stopped
done

# What the guest's root can do without a module: another program to be run by the kernel.
start_watch paths
check "watching paths" await '"coverage"'
guest_exec "$dir" "cat /proc/sys/kernel/modprobe >/tmp/was; echo /tmp/evil >/proc/sys/kernel/modprobe"
check "a finding appears" await '"event":"appeared"'
guest_exec "$dir" "cat /tmp/was >/proc/sys/kernel/modprobe"
check "and clears" await '"event":"cleared"'
kill -INT "$watching"
ended
check "it had a finding" test "$status" -eq 1
check "once each" test "$(grep -c '"appeared"' "$events") $(grep -c '"cleared"' "$events")" = "1 1"
check "the same one" test "$(jq -r 'select(.event == "appeared" or .event == "cleared").finding.id' "$events" | sort -u | wc -l)" -eq 1
check "documents with findings" valid

# A reboot.
start_watch
check "watching before the reboot" await '"coverage"'
printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"system_reset"}' | socat -t 2 - "UNIX-CONNECT:$dir/qmp2.sock" >/dev/null
check "the reboot is told" await '"event":"reboot"' 600
started_again() { awk '/"event":"reboot"/ { reboot = 1 } reboot && /"event":"started"/ { found = 1 } END { exit !found }' "$events"; }
await_started_again() {
	for ((i = 0; i < 600; i++)); do
		! started_again || return 0
		sleep 0.1
	done
	return 1
}
check "and followed" await_started_again
kill -INT "$watching"
ended
check "documents of a reboot" valid

# A reset that no monitor tells of: the old kernel stays in memory, whole, with a clock that stands still.
guest_wait "$dir"
start_watch --memory-only
check "watching memory alone" await '"coverage"'
guest_reboot "$dir"
check "the reset is told without a monitor" await '"event":"reboot"' 600
check "and followed" await_started_again
kill -INT "$watching"
ended
check "documents of such a reboot" valid
check "and what is written over the old kernel is no finding" test "$(grep -c '"event":"appeared"' "$events")" -eq 0

# A guest that leaves for another host, and comes back.
monitor() { # COMMAND…
	printf '%s\n' '{"execute":"qmp_capabilities"}' "$@" | socat -t 2 - "UNIX-CONNECT:$dir/qmp2.sock" >/dev/null
}
guest_wait "$dir"
start_watch
check "watching before the migration" await '"coverage"'
monitor '{"execute":"migrate","arguments":{"uri":"exec:cat >/dev/null"}}'
ended
check "a guest that migrated away ends it" test "$status" -eq 3
check "and its last line says so" grep -q 'migrated' <(tail -n 1 "$events")
monitor '{"execute":"cont"}'

# The end of the guest.
start_watch
check "watching before the end" await '"coverage"'
guest_stop "$dir"
ended
check "a guest that is gone ends it" test "$status" -eq 3
check "with its loss as last line" test "$(tail -n 1 "$events" | jq -r .event)" = lost

status=0
timeout 20 "$ksma" watch "$$" lstar --registers 0 --count 1 >"$tmp/out" 2>"$tmp/err" || status=$?
check "a watch that could never look is refused" test "$status" -eq 2
check "and told why" grep -q 'need registers' "$tmp/err"

status=0
timeout 20 "$ksma" watch no-such-guest >"$tmp/out" 2>"$tmp/err" || status=$?
check "no guest to watch" test "$status" -eq 3

finish
