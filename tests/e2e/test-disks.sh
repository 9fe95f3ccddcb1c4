#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The disk of a running guest is read through its own QEMU, by several at a time, and whatever way they end, QEMU is left as it was: closed,
# killed, killed with its watcher. An NBD server of somebody else is respected.
# timeout: 120
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
disks=$here/../../build/tests/tools/disks
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"

# The answer of the last monitor to one command: each of ours takes the first that is free.
ask() { # COMMAND [ARGUMENTS]
	{
		printf '{"execute":"qmp_capabilities"}\n{"execute":"%s","id":1%s}\n' "$1" "${2:+,\"arguments\":$2}"
		sleep 0.1
	} | timeout 10 socat -t 5 - "UNIX-CONNECT:$dir/qmp2.sock" | grep '"id": 1'
}

exports() { ask query-block-exports | jq -r '.return[].id'; }

# Is there no server, no export and no file of ours left? Only a server that is not there can be started.
nothing_left() {
	local i
	for ((i = 0; i < 100; i++)); do
		[ -z "$(find "$KSMA_RUN" -mindepth 1)" ] && break
		sleep 0.1
	done
	find "$KSMA_RUN" -mindepth 1
	[ -z "$(find "$KSMA_RUN" -mindepth 1)" ]
	[ -z "$(exports)" ]
	ask nbd-server-start "{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"$dir/theirs.sock\"}}}" | grep -q '"return"'
	ask nbd-server-stop | grep -q '"return"'
}

# Starts one that keeps disk 0 open: its pid in $holder.
hold() {
	local i
	rm -f "$dir/held.$1"
	mkfifo "$dir/held.$1"
	# Without what keeps another one open.
	"$disks" hold "$pid" 0 <"$dir/held.$1" >"$dir/out.$1" 2>&1 7>&- 8>&- &
	holder=$!
	eval "exec $1>\"\$dir/held.$1\""
	for ((i = 0; i < 100; i++)); do
		grep -q held "$dir/out.$1" && return
		sleep 0.05
	done
	cat "$dir/out.$1"
	return 1
}

# The pids of the watchers: processes without our parents that have the name.
watchers() { grep -lxs ksma-disks /proc/[0-9]*/comm | cut -d/ -f3 || true; }

same_bytes() {
	[ "$("$disks" read "$pid" 0 0 4194304 | head -c 4194304 | sha256sum)" = "$(sha256sum <"$dir/raw")" ]
	nothing_left
}

last_one_ends_it() {
	hold 7
	hold 8
	exec 7>&-
	sleep 0.3
	[ "$(exports)" = ksma-disk-0 ]
	[ "$("$disks" read "$pid" 0 512 512 | head -c 512 | sha256sum)" = "$(tail -c +513 "$dir/raw" | head -c 512 | sha256sum)" ]
	exec 8>&-
	nothing_left
}

killed() {
	hold 7
	[ "$(exports)" = ksma-disk-0 ]
	kill -KILL "$holder"
	nothing_left
}

# A dying process lets go of one thing after another, and a busy host makes the time between them long.
killed_on_busy_host() {
	local busy=() n
	for ((n = 0; n < 3; n++)); do
		timeout 60 sh -c 'while :; do :; done' &
		busy+=($!)
	done
	for ((n = 0; n < 6; n++)); do killed; done
	kill "${busy[@]}"
}

killed_beside_another() {
	hold 7
	kept=$holder
	hold 8
	kill -KILL "$holder"
	sleep 1
	[ "$(exports)" = ksma-disk-0 ]
	kill -0 "$kept"
	exec 7>&-
	nothing_left
}

killed_with_watcher() {
	local before
	before=$(watchers)
	hold 7
	# shellcheck disable=SC2046 # a list of pids
	kill -KILL $(comm -13 <(sort <<<"$before") <(watchers | sort)) "$holder"
	sleep 0.5
	[ "$(exports)" = ksma-disk-0 ]
	# What is left harms nobody, and the next one takes it over.
	same_bytes
}

server_of_others() {
	local status=0
	ask nbd-server-start "{\"addr\":{\"type\":\"unix\",\"data\":{\"path\":\"$dir/theirs.sock\"}}}" | grep -q '"return"'
	ask block-export-add "{\"type\":\"nbd\",\"id\":\"backup\",\"node-name\":\"disk\"}" | grep -q '"return"'
	"$disks" read "$pid" 0 0 512 >/dev/null || status=$?
	[ "$status" -eq 3 ]
	[ "$(exports)" = backup ]
	ask nbd-server-stop | grep -q '"return"'
	nothing_left
}

export_of_others() {
	hold 7
	ask block-export-add "{\"type\":\"nbd\",\"id\":\"backup\",\"node-name\":\"disk\"}" | grep -q '"return"'
	exec 7>&-
	sleep 1
	[ "$(exports)" = backup ]
	ask nbd-server-stop | grep -q '"return"'
	nothing_left
}

guest_ends() {
	hold 7
	kill "$pid"
	while guest_alive "$pid"; do sleep 0.05; done
	exec 7>&-
	sleep 0.2
	start
	"$disks" list "$pid" >/dev/null
	nothing_left
}

start() {
	qemu-system-x86_64 -S -nodefaults -no-user-config -display none -machine q35 -accel tcg -m 64 \
		-blockdev "driver=qcow2,node-name=disk,file.driver=file,file.filename=$dir/disk.qcow2" -device virtio-blk-pci,drive=disk \
		-qmp "unix:$dir/qmp.sock,server=on,wait=off" -qmp "unix:$dir/qmpb.sock,server=on,wait=off" \
		-qmp "unix:$dir/qmpc.sock,server=on,wait=off" -qmp "unix:$dir/qmp2.sock,server=on,wait=off" \
		-pidfile "$dir/pid" -daemonize
	pid=$(cat "$dir/pid")
}

dir=$(mktemp -d)
on_exit rm -rf "$dir"
export KSMA_RUN=$dir/run
mkdir -m 700 "$KSMA_RUN"
head -c 3000000 /dev/urandom >"$dir/raw"
truncate -s 4M "$dir/raw"
qemu-img create -q -f qcow2 -F raw -b "$dir/raw" "$dir/disk.qcow2"
start
on_exit guest_stop "$dir"

does "its bytes are those of the image" same_bytes
does "the last of several ends it" last_one_ends_it
does "killed: its watcher ends it" killed
does "killed on a busy host, again and again" killed_on_busy_host
does "killed beside another: that one goes on" killed_beside_another
does "killed with its watcher: the next one ends it" killed_with_watcher
does "a server of somebody else is respected" server_of_others
does "an export that somebody else put into ours stays" export_of_others
does "a guest that ends leaves nothing behind" guest_ends
echo "1..$count"
exit "$failed"
