#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The monitor is a guest's nerve: what we ask of it must leave nothing behind, and its end must be told from the guest's.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/lib/firmware.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/firmware.sh"

truncate -s 1M "$work/disk"
firmware_start plain -machine q35 -m 128 -smp 2 -uuid 12345678-1234-1234-1234-123456789abc \
	-drive "if=none,id=disk,file=$work/disk,format=raw" -device ide-hd,drive=disk

says "a name is enough" "pid=$qemu " "$probe" plain info
says "so is a UUID" "pid=$qemu " "$probe" 12345678-1234-1234-1234-123456789ABC info
says "registers of all vCPUs" "^vcpu 1 .*msrs=0" "$probe" "$qemu" registers
says "and MSRs" "^vcpu 1 .*msrs=1 lstar=0 pause_us=[1-9]" "$probe" "$qemu" msrs
check "no descriptor is left behind" test "$(qmp '{"execute":"query-fdsets"}')" = "[]"
says "the guest runs on" '"status": "running"' qmp '{"execute":"query-status"}'

# A paused guest stays paused, and keeps its disks.
qmp '{"execute":"stop"}' >/dev/null
says "MSRs of a paused guest" "^vcpu 0 .*msrs=1 .*pause_us=0" "$probe" "$qemu" msrs
says "it stays paused" '"status": "paused"' qmp '{"execute":"query-status"}'
hmp 'qemu-io disk \"write -P 7 0 512\"' >/dev/null
check "its disk can be written to" test "$(head -c 1 "$work/disk" | od -An -tu1 | tr -d ' ')" = 7
qmp '{"execute":"cont"}' >/dev/null

# The two say the same.
qmp '{"execute":"stop"}' >/dev/null
cr0=$(hmp "info registers" | sed -n 's/^CR0=0*\([0-9a-f]*\) .*/\1/p')
says "CR0 is QEMU's" "^vcpu 0 .* cr0=$cr0 " "$probe" "$qemu" msrs
qmp '{"execute":"cont"}' >/dev/null

says "no registers from memory alone" "error unsupported: .*memory-only" "$probe" --memory-only "$qemu" registers
firmware_start other -machine q35 -m 64
other=$qmp
qemu=$(cat "$work/plain.pid") qmp=$work/plain.qmp own=$work/plain.own
says "another guest's monitor" "layout=command-line .*problem=monitor .*other.qmp belongs to process" \
	"$probe" --monitor "$other" "$qemu" info
says "a monitor that is not there" "layout=command-line .*problem=.*nothing.sock" "$probe" --monitor "$work/nothing.sock" "$qemu" info

# What happens while we look.
talk() { # COMMANDS FOR THE PROBE… ; the lines of standard input are what is done at each of its waits
	local line
	coproc PROBE { "$probe" "$qemu" "$@" 2>&1; }
	# shellcheck disable=SC2153
	exec {to}>&"${PROBE[1]}" {from}<&"${PROBE[0]}"
	while read -r line; do
		sleep 0.4
		eval "$line"
		sleep 0.4
		echo >&"$to" || true
	done
	exec {to}>&-
	cat <&"$from"
	exec {from}<&-
	wait "${PROBE_PID:-}" 2>/dev/null || true
}

says "a reset is noticed" "error lost: the guest was reset" talk registers wait refresh refresh <<<"qmp '{\"execute\":\"system_reset\"}' >/dev/null"
check "and noticed once" test "$(talk registers wait refresh refresh refresh <<<"qmp '{\"execute\":\"system_reset\"}' >/dev/null" | grep -c reset)" = 1
says "an end is told" "error lost: the guest's QEMU \\(pid $qemu\\) has exited" talk registers wait refresh read 0 8 <<<"firmware_end $qemu"

# Memory of a QEMU that ended while we have it mapped stays readable; that of one whose pages we copy does not.
firmware_start mapped -machine q35,memory-backend=r -m 128 -object memory-backend-memfd,id=r,size=128M
says "registers of an ended guest" "error lost: .*has exited" talk wait registers <<<"firmware_end $qemu"
firmware_start copied -machine q35 -m 128
says "memory of an ended guest" "error lost: .*has exited" talk wait read 0 8 <<<"firmware_end $qemu"

# A guest that moves: on its way it is at neither end.
firmware_start there -machine q35 -m 64 -incoming "unix:$work/migration"
there=$qemu
firmware_start here -machine q35 -m 64
says "a guest that has not come yet" "error lost: the guest is not here yet" "$probe" "$there" info
says "a guest that leaves while we look" "error lost: the guest has migrated away" talk registers wait refresh \
	<<<"qmp '{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"unix:$work/migration\"}}' >/dev/null; sleep 1"
says "a guest that has left" "error lost: the guest has migrated away" "$probe" "$qemu" info
says "it is at the other end" "layout=monitor" "$probe" "$there" info

# Processes that are no guests, guests that cannot be seen.
says "a shell is no guest" "error invalid: process $$ is not a QEMU" "$probe" $$ info
firmware_start twin-a -machine q35 -m 64
a=$qemu
qemu-system-x86_64 -name twin-a -nodefaults -display none -m 64 -S -daemonize -pidfile "$work/twin.pid"
b=$(cat "$work/twin.pid")
on_exit firmware_end "$b"
says "a name of two guests" "error invalid: twin-a fits 2 guests: pid ($a|$b) .*pid ($a|$b) " "$probe" twin-a info
says "a guest without a monitor" "layout=command-line .*problem=the guest has no QMP socket: start QEMU with -qmp" "$probe" "$b" info regions
# A binary that an upgrade has replaced, and a socket of which only a relative path is known.
cp "$(command -v qemu-system-x86_64)" "$work/qemu-system-x86_64"
(
	cd "$work"
	QEMU_MODULE_DIR=$(find /usr/lib -name accel-tcg-x86_64.so -printf '%h\n' -quit) \
		./qemu-system-x86_64 -name replaced -L /usr/share/qemu -L /usr/share/seabios -nodefaults -display none -m 64 \
		-qmp unix:relative.qmp,server=on,wait=off -pidfile "$work/replaced.pid" &
	echo $! >"$work/replaced.pid"
)
replaced=$(cat "$work/replaced.pid")
on_exit firmware_end "$replaced"
for ((i = 0; i < 100; i++)); do
	[ ! -S "$work/relative.qmp" ] || break
	sleep 0.05
done
rm "$work/qemu-system-x86_64"
says "a binary that is deleted" "pid=$replaced .*layout=monitor" "$probe" replaced info

# A container: a mount namespace in which the socket lies, and which we are not in.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	mkdir "$work/container"
	unshare -m --propagation private sh -c "mount -t tmpfs none '$work/container' && exec qemu-system-x86_64 \
		-name contained -nodefaults -display none -m 64 -qmp 'unix:$work/container/qmp,server=on,wait=off' \
		-daemonize -pidfile '$work/container/pid'"
	contained=$(pgrep -f -- "-name contained .*$work/container/pid")
	on_exit firmware_end "$contained"
	says "a guest in a container" "pid=$contained .*layout=monitor monitor=/proc/$contained/root$work/container/qmp" \
		"$probe" contained info
fi

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$work"
	says "another user's guest" "error permission: .*run as root" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$probe" "$a" info
fi

[ "$failures" -eq 0 ]
