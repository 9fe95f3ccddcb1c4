#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guests that are hard to reach: names that several share, a busy or missing monitor, damaged dumps, a guest that goes away.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=$tmp/guest
guest_start --kernel 6.1 --mem 256M --name reach "$dir" >/dev/null
qemu=$(guest_pid "$dir")

# A second process of the same name that never boots.
qemu-system-x86_64 -name reach -nodefaults -display none -machine q35 -m 64M -S -daemonize -pidfile "$tmp/twin.pid"
twin=$(cat "$tmp/twin.pid")
on_exit end_twin
end_twin() { kill "$twin" 2>/dev/null || true; }
expect "a name that two share" 2 "reach.*($qemu.*$twin|$twin.*$qemu)" info reach
json "the same as a document" 2 error info reach
expect "the pid tells them apart" 0 "" info "$qemu"
expect "a guest with no kernel" 3 "no Linux kernel" info "$twin"
check "is a guest all the same" grep -q "^name  *reach" "$tmp/out"
json "also as a document" 3 info info "$twin"
check "which says why" test "$(field "d['kernel'], d['coverage'][0]['state']")" = "(None, 'unknown')"
json "processes it has none" 3 error ps "$twin"
end_twin

# Monitors that somebody holds: QEMU serves one client of each and lets others wait.
hold() { # SOCKET: sets holder
	local i
	# Its input stays open as long as it lives.
	socat -u "UNIX-CONNECT:$1" - >"$tmp/held" &
	holder=$!
	for ((i = 0; i < 100; i++)); do
		! grep -q QMP "$tmp/held" || return 0
		sleep 0.05
	done
	return 1
}
hold "$dir/qmp.sock"
first=$holder
json "with one monitor busy the other is used" 0 info info "$qemu"
check "the other" test "$(field "d['guest']['monitor']")" = "$dir/qmp2.sock"
hold "$dir/qmp2.sock"
second=$holder
# The first to come waits in vain, and says so; later ones may be refused at once, as QEMU's queue is short.
TERM=xterm script -qec "$ksma info $qemu --timeout 20s" "$tmp/typescript" >/dev/null </dev/null
cp "$tmp/typescript" "$tmp/out"
check "what takes long says so on a terminal" grep -qE "ksma: (opening|looking|reading).* … [0-9]+ s" "$tmp/typescript"
check "and wipes it away" grep -q $'\r\033\\[K\033\\[1mGUEST' "$tmp/typescript"
look doctor "$qemu" --timeout 12s
check "a busy monitor is missing" test "$status" -eq 3
check "doctor names it" grep -qE "^missing +monitor .*qmp.sock" "$tmp/out"
check "and the cure" grep -q -- "-> .*--monitor" "$tmp/out"
expect "memory alone goes on" 0 "" ps "$qemu" --memory-only
expect "so does a look without the flag" 0 "" ps "$qemu" --timeout 12s
json "a check says what it could not see" 3 check check "$qemu" --timeout 16s
check "with the reason" test "$(field "any(c['state'] == 'unknown' and c['reason'] for c in d['coverage'])")" = True
kill "$second"
wait "$second" || true
expect "another monitor" 0 "" check "$qemu" --monitor "$dir/qmp2.sock"
kill "$first"
wait "$first" || true
json "a monitor that is not there" 0 info info "$qemu" --monitor "$tmp/nothing.sock"
check "it is said" test "$(field "d['guest']['monitor'] is None and 'nothing.sock' in d['guest']['monitor_problem']")" = True

# Dumps: whole, cut, and damaged.
dump=$tmp/dump.elf
printf '%s\n' '{"execute":"qmp_capabilities"}' \
	"{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":false,\"protocol\":\"file:$dump\"}}" |
	socat -t 60 - "UNIX-CONNECT:$dir/qmp2.sock" >/dev/null
expect "a dump" 0 "" ps "$dump"
json "a dump as a document" 0 info info "$dump"
check "it is one" test "$(field "d['guest']['kind'], d['guest']['pid']")" = "('dump-elf', None)"
json "doctor of a dump" 3 doctor doctor "$dump"
check "a dump has no monitor to miss" test "$(field "[s['state'] for s in d['steps'] if s['step'] == 'monitor']")" = "['note']"
for length in 10 100 4096 1000000; do
	head -c "$length" "$dump" >"$tmp/cut"
	json "a dump of $length bytes" 3 error ps "$tmp/cut"
done
head -c 150M "$dump" >"$tmp/cut"
look ps "$tmp/cut" --json
check "half a dump is not complete" test "$status" -eq 3
ln -s "$dump" "$tmp/link"
expect "a dump by another name" 0 "" info "$tmp/link"
rm -f "$dump"

# No monitor at all, memory that is not shared.
anon=$tmp/anon
guest_start --kernel 6.1 --mem 256M --ram anon --no-qmp --name anon "$anon" >/dev/null
expect "a guest without a monitor" 0 "" ps anon
json "its memory is copied" 0 info info anon --memory-only
check "and it says so" test "$(field "d['guest']['access'], d['guest']['layout'], d['guest']['monitor']")" = "('copied', 'command-line', None)"
guest_stop "$anon"
expect "a guest that is gone" 3 "anon" ps anon

finish
