#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# First looks that are kept: what is changed between two commands is found by the second, in code, constants, modules and in what boot set, with no
# vendor reference; what an honest kernel patches meanwhile is not; a damaged file is refused, and another boot has a first look of its own.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
# shellcheck source=tests/lib/vendor.sh
. "$here/../lib/vendor.sh"
ksma=${KSMA:-$here/../../build/ksma}
flip=$here/../../build/tests/tools/flip
checks=(text rodata module-text after-init)
count=0
failed=0

say() { # STATUS WHAT
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $kernel: $2"
	else
		failed=1
		echo "not ok $count - $kernel: $2"
		jq -c '(.findings[]? | [.id, .title]), .first_look, (.coverage[]? | select(.state != "complete"))' "$dir/report" | head -20 | sed 's/^/# /'
		sed 's/^/# /' "$dir/err"
	fi
}

# Looks: $1 what for, $2 the exit status to come, $3 what has to be true of the report; options follow.
look() {
	local what=$1 wanted=$2 test=$3 status=0
	shift 3
	"$ksma" check --json --baseline "$dir/kept" "$@" "$pid" "${checks[@]}" >"$dir/report" 2>"$dir/err" || status=$?
	[ "$status" -ne "$wanted" ] || jq -e "$test" "$dir/report" >/dev/null || status=99
	[ "$status" -eq "$wanted" ] || echo "# status $status, $wanted expected, $test"
	say "$([ "$status" -eq "$wanted" ] && echo 0 || echo 1)" "$what"
}

# Changes the byte at $2, looks, and puts it back: found by check $3, whose finding says $4.
changed() {
	local what=$1 at=$2 check=$3 title=$4 byte
	shift 4
	kill -STOP "$pid"
	byte=$("$ksma" read --raw --memory-only "$pid" "$at" 1 | od -An -tx1 | tr -d ' \n')
	"$flip" "$pid" at "$at" "$(printf '%02x' $((0x$byte ^ 0x5a)))"
	look "$what changed between two commands" 1 "[.findings[].check] == [\"$check\"] and (.findings[0].title | contains(\"$title\"))" "$@"
	"$flip" "$pid" at "$at" "$byte"
	kill -CONT "$pid"
}

for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	guest_start --kernel "$kernel" --mem 512M --cpus 2 "$dir" >/dev/null
	pid=$(guest_pid "$dir")
	module=$("$ksma" modules --json "$pid" | jq -r '[.modules[] | select(.name == "ext4")][0].base')
	none=(--vendor "$dir/none")

	# What is traced while the first look is taken is not what is expected ever after.
	# shellcheck disable=SC2016 # for the guest's shell
	guest_exec "$dir" 'cd /sys/kernel/tracing && echo "vfs_*" >set_ftrace_filter && echo function >current_tracer &&
		echo "p:a do_sys_openat2+5" >kprobe_events && echo 1 >events/kprobes/enable && echo 1 >/proc/sys/kernel/sched_schedstats' >"$dir/said" 2>&1 || true
	look "a first look" 0 '.first_look.kept and .first_look.note == null' "${none[@]}"
	taken=$(jq -r .first_look.taken "$dir/report")
	guest_exec "$dir" 'cd /sys/kernel/tracing && echo nop >current_tracer && echo >set_ftrace_filter && echo 0 >events/kprobes/enable &&
		echo >kprobe_events && echo 0 >/proc/sys/kernel/sched_schedstats' >"$dir/said" 2>&1 || true
	look "a second look, nothing traced any more" 0 ".first_look.taken == \"$taken\"" "${none[@]}"
	changed "a byte of text" do_sys_openat2+0x40 text "was there at the first look" "${none[@]}"
	changed "a byte of a constant" sys_call_table+9 rodata "was there at the first look" "${none[@]}"
	changed "a byte of a module" "$module" module-text "was there at the first look" "${none[@]}"
	changed "what boot set" kmalloc_caches+24 after-init "was there at the first look" "${none[@]}"
	look "clean again" 0 '.findings == []' "${none[@]}"
	guest_exec "$dir" 'rmmod dummy && modprobe dummy' >"$dir/said" 2>&1
	look "a module that went and came" 0 ".first_look.taken == \"$taken\"" "${none[@]}"

	# The vendor's build needs no first look but of what boot set.
	rm -r "$dir/kept"
	store=$(vendor_store "$kernel") || exit 77
	look "a first look beside the vendor's" 0 '.first_look.kept' --vendor "$store"
	changed "what boot set, beside the vendor's" kmalloc_caches+24 after-init "was there at the first look" --vendor "$store"

	"$ksma" check --json --baseline "$dir/kept" "$pid" after-init >/dev/null
	printf x | dd of="$dir/kept/$(basename "$dir")" bs=1 seek=500 conv=notrunc status=none
	look "a damaged file" 3 'all(.coverage[]; .state == "unknown" and (.reason | contains("remove it")))' "${none[@]}"
	chmod g+w "$dir/kept"
	look "a folder that others may write to" 3 'all(.coverage[]; .state == "unknown" and (.reason | contains("chmod")))' "${none[@]}"
	rm -rf "$dir/kept"

	look "a first look before the reset" 0 '.first_look.kept' "${none[@]}"
	guest_reboot "$dir" >/dev/null
	look "another boot" 0 '.first_look.kept and (.first_look.note | contains("earlier boot"))' "${none[@]}"
	look "another boot, a second time" 0 '.first_look.note == null' "${none[@]}"
	guest_stop "$dir"
done
echo "1..$count"
exit "$failed"
