# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# How many of the hooks that stay for a short time only a watch sees.

ksma_transient_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=attacks.sh
. "$ksma_transient_lib/attacks.sh"

# Has the guest of folder $1 set and take back a hook $4 times, for $3 ms each and $5 to twice $5 ms apart, while ksma watches every $2.
# Prints how many of them it reported. The watch's events stay in $1/events.
transient_measure() {
	local dir=$1 interval=$2 ms=$3 count=$4 gap=$5 pid i
	: >"$dir/events"
	guest_exec "$dir" "rmmod transient 2>/dev/null; dmesg -c >/dev/null" || true
	"${ksma:?}" watch "$(guest_pid "$dir")" syscall-table --json --interval "$interval" >"$dir/events" 2>"$dir/err" </dev/null &
	pid=$!
	for ((i = 0; i < 100; i++)); do
		! grep -q '"event":"coverage"' "$dir/events" || break
		sleep 0.1
	done
	guest_exec "$dir" "insmod /attacks/transient.ko ms=$ms count=$count gap=$gap; until dmesg | grep -q 'transient done'; do sleep 1; done; rmmod transient" || return 1
	kill -INT "$pid"
	# A watch that found something ends with 1.
	wait "$pid" || [ $? -eq 1 ] || return 1
	jq -s '[.[] | select(.event == "appeared" and .finding.check == "syscall-table")] | length' "$dir/events"
}
