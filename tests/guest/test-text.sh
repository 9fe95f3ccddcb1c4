#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Kernel and module code against the vendor's build: no byte is unexplained on clean guests, with one processor and with several, while what patches
# code is at work; and one byte that is changed from outside is found, wherever it is, by its own name.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
# shellcheck source=tests/lib/vendor.sh
. "$here/../lib/vendor.sh"
ksma=${KSMA:-$here/../../build/ksma}
flip=$here/../../build/tests/tools/flip
flips=${FLIPS:-24}
checks=(text rodata module-text)
all=("${checks[@]}" after-init)
count=0
failed=0

say() { # STATUS WHAT
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $kernel, $cpus processors: $2"
	else
		failed=1
		echo "not ok $count - $kernel, $cpus processors: $2"
	fi
}

# Looks; $2 is what the code is to be held against, and $3 the exit status to come.
look() {
	local status=0
	"$ksma" check --json "$pid" "${all[@]}" >"$dir/report" 2>"$dir/err" || status=$?
	if [ "$status" -eq "$3" ] && jq -e --arg r "$2" 'all(.coverage[]; .reference == if .check == "after-init" then "baseline" else $r end)' \
		"$dir/report" >/dev/null; then
		say 0 "$1"
	else
		say 1 "$1, status $status"
		jq -c '.findings[] | [.id, .title]' "$dir/report" | head -20 | sed 's/^/# /'
		jq -c '.coverage[]' "$dir/report" | sed 's/^/# /'
		sed 's/^/# /' "$dir/err"
	fi
}

# Runs $2 in the guest, and looks.
with() {
	if guest_exec "$dir" "$2" >"$dir/said" 2>&1; then
		look "$1" vendor 0
	else
		count=$((count + 1))
		echo "ok $count - $kernel: $1 # SKIP $(tail -n 1 "$dir/said")"
	fi
}

activity() {
	with "static keys turned" 'echo 1 >/proc/sys/kernel/sched_schedstats'
	with "function tracer" 'cd /sys/kernel/tracing && echo "vfs_*" >set_ftrace_filter && echo function >current_tracer'
	with "function tracer off" 'cd /sys/kernel/tracing && echo nop >current_tracer && echo >set_ftrace_filter'
	with "events" 'cd /sys/kernel/tracing && echo 1 >events/sched/enable && echo 1 >events/syscalls/enable'
	# shellcheck disable=SC2016 # for the guest's shell
	with "probes" 'cd /sys/kernel/tracing && echo "p:a vfs_read" >kprobe_events && echo "r:c vfs_write" >>kprobe_events &&
		for at in 5 6 7 8 9 10 11 12 13 14 15 16; do ! echo "p:b do_sys_openat2+$at" >>kprobe_events || break; done 2>/dev/null &&
		echo 1 >events/kprobes/enable'
	with "probes a second later" 'sleep 1'
	changed made
	with "all off" 'cd /sys/kernel/tracing && echo 0 >events/enable && echo >kprobe_events'
	with "module gone and back" 'rmmod dummy && modprobe dummy'
}

# One changed byte each, of the kinds named; the guest stands still meanwhile, so that it does not trip over one.
changed() {
	local kind many
	kill -STOP "$pid"
	for kind; do
		many=$flips
		# What the kernel makes is looked at one by one, and each has to stay for a while.
		[ "$kind" != made ] || many=8
		if "$flip" "$pid" "$kind" "$many" "${SEED:-$RANDOM}" >"$dir/said" 2>"$dir/err"; then
			say 0 "$kind: $(cat "$dir/said")"
		else
			say 1 "$kind: $(cat "$dir/said")"
			sed 's/^/# /' "$dir/err"
		fi
	done
	kill -CONT "$pid"
}

# Patch sites of each kind with encodings that they may hold, but not now, in the image and in modules.
misled() {
	kill -STOP "$pid"
	if "$flip" "$pid" plausible 16 "${SEED:-$RANDOM}" >"$dir/said" 2>"$dir/err"; then
		say 0 "plausible encodings: $(cat "$dir/said")"
	else
		say 1 "plausible encodings: $(cat "$dir/said")"
		sed 's/^/# /' "$dir/err"
	fi
	kill -CONT "$pid"
}

# A patch site with an encoding that it may hold, but not now: the NOP of a function that nobody traces becomes a call.
plausible() {
	local bytes
	kill -STOP "$pid"
	bytes=$("$ksma" read --raw --memory-only "$pid" "$1+$2" 5 | od -An -tx1 | tr -d ' \n')
	"$flip" "$pid" at "$1+$2" e800000000
	look "a NOP turned into a call" vendor 1
	if jq -e --arg s "text/$1" '.findings[] | select((.id | startswith($s)) and any(.evidence | to_entries[]; .key == "site" and .value == "ftrace"))' \
		"$dir/report" >/dev/null; then
		say 0 "the call is known for what it is"
	else
		say 1 "the call is known for what it is"
		jq -c '.findings[]' "$dir/report" | sed 's/^/# /'
	fi
	KSMA_VENDOR=$dir/none look "a guest changed before the first look, with no vendor reference" baseline 1
	"$flip" "$pid" at "$1+$2" "$bytes"
	kill -CONT "$pid"
}

# A live module that says it is still coming, state 1 and the first word of its record: that is told, and not passed over.
moving() {
	local record
	record=$("$ksma" modules --json --memory-only "$pid" | jq -r '.modules[] | select(.name == "dummy") | .address')
	kill -STOP "$pid"
	"$flip" "$pid" at "$record" 01000000
	look "a module that keeps coming" vendor 3
	if jq -e '.coverage[] | select(.check == "module-text") | .reason | test("module dummy is coming: its code is not compared")' \
		"$dir/report" >/dev/null; then
		say 0 "it is named"
	else
		say 1 "it is named"
		jq -c '.coverage[]' "$dir/report" | sed 's/^/# /'
	fi
	"$flip" "$pid" at "$record" 00000000
	kill -CONT "$pid"
}

for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
	store=$(vendor_store "$kernel") || exit 77
	for cpus in ${CPUS:-1 4}; do
		dir=$(mktemp -d)
		on_exit rm -rf "$dir"
		guest_start --kernel "$kernel" --mem 512M --cpus "$cpus" "$dir" >/dev/null
		pid=$(guest_pid "$dir")
		KSMA_VENDOR=$dir/none look "no vendor reference" baseline 0
		export KSMA_VENDOR=$store
		look "clean" vendor 0
		[ "$cpus" -eq 1 ] || activity
		if [ "$cpus" -eq 1 ]; then
			changed "${all[@]}"
			# Past an ENDBR, sealed or not, where there is one.
			offset=4
			case $("$ksma" read --raw --memory-only "$pid" vfs_read 4 | od -An -tx1 | tr -d ' \n') in 0f1f4400 | 66666666) offset=0 ;; esac
			plausible vfs_read "$offset"
			misled
			moving
			look "clean again" vendor 0
		fi
		guest_stop "$dir"
		unset KSMA_VENDOR
	done
done
echo "1..$count"
exit "$failed"
