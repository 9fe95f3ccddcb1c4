#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The sockets that ksma lists are those of the guest's /proc/net, in every network namespace, whoever holds them: connections
# half open, waiting to end, not yet accepted.
# timeout: 900
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"

# A namespace beside the first, joined by a pair of interfaces. The answer to its first packet goes to an address of the link
# that nobody has, and so the connection stays half open on both sides.
# shellcheck disable=SC2016 # the guest expands it
prepare='
unshare -n sleep 100000 & other=$!
sleep 0.3
ip link add va type veth && ip link set veth0 netns $other || exit 1
ip addr add 10.9.0.1/24 dev va; ip link set va up
nsenter -t $other -n sh -c "ip link set lo up; ip addr add 10.9.0.2/24 dev veth0; ip link set veth0 up"
arp -s 10.9.0.2 02:00:00:00:00:99 -i va
nc -ll -p 7000 -e cat >/dev/null 2>&1 &
nc -ll -p 7001 -e true >/dev/null 2>&1 &
nsenter -t $other -n sh -c "nc -ll -p 7002 -e cat >/dev/null 2>&1 & nc -ll -p 7003 -e cat >/dev/null 2>&1 &"
sleep 1
nsenter -t $other -n nc 10.9.0.1 7000 >/dev/null 2>&1 </dev/null &
for i in 1 2 3; do sleep 0.2 | nc 127.0.0.1 7001 >/dev/null; done
sleep 1000 | nsenter -t $other -n nc ::1 7002 >/dev/null &
sleep 1'

# Every file of /proc/net of one process of each namespace.
# shellcheck disable=SC2016
say='
seen=
for p in /proc/[0-9]*; do
	ns=$(readlink $p/ns/net 2>/dev/null) || continue
	ns=${ns#*[} ns=${ns%]}
	case " $seen " in *" $ns "*) continue ;; esac
	[ -r $p/net/tcp ] || continue
	seen="$seen $ns"
	echo "== $ns"
	for file in tcp tcp6 udp udp6 raw raw6 unix; do echo "-- $file"; cat $p/net/$file 2>/dev/null; done
done'

compare() { # DIR WORK
	guest_exec "$1" "$say" >"$2/guest"
	"$ksma" sockets --json "$(guest_pid "$1")" >"$2/json"
	"$here/compare_sockets.py" "$2/guest" "$2/json"
}

# What was made above is there: the states that no process could show.
states() { # DIR WORK
	local state
	"$ksma" sockets --json "$(guest_pid "$1")" >"$2/json"
	for state in LISTEN ESTAB SYN-SENT SYN-RECV TIME-WAIT UNCONN; do
		jq -e --arg state "$state" '[.sockets[] | select(.state == $state)] | length > 0' "$2/json" >/dev/null || {
			echo "no socket is in state $state"
			return 1
		}
	done
	jq -e '[.sockets[].netns] | unique | length >= 2' "$2/json" >/dev/null
}

# The holder of a socket really holds it.
holders() { # DIR WORK
	"$ksma" sockets --json "$(guest_pid "$1")" |
		jq -r '.sockets[] | select(.pid) | "/proc/\(.pid)/fd/\(.fd) socket:[\(.inode)] \(.comm)"' >"$2/ksma"
	# shellcheck disable=SC2016
	guest_exec "$1" "$(sed 's/ .*//' "$2/ksma" | sed 's/.*/p=&; echo "$p $(readlink $p) $(cat ${p%\/fd\/*}\/comm)"/')" >"$2/guest"
	[ "$(wc -l <"$2/ksma")" -ge 15 ]
	diff "$2/guest" "$2/ksma"
}

cases() {
	guest_exec "$1" "$prepare" >/dev/null 2>&1
	agreement_case "$1" "sockets" compare
	agreement_case "$1" "states" states
	agreement_case "$1" "holders" holders
}

agreement_each_kernel cases --populate 40
