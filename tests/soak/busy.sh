#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guests whose kernels never rest are looked at PASSES (500) times over SECONDS_EACH (3600) each, against the vendor's build, and nothing is
# found: processes, maps and modules come and go; the function and graph tracers, probes of the kernel and of programs, events, static keys
# and BPF programs are turned on and off.
# GUESTS names them as KERNEL:VCPUS, and JOBS (2) of them run side by side. What came of it goes to docs/busy.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/guest.sh
. tests/lib/guest.sh
# shellcheck source=tests/lib/vendor.sh
. tests/lib/vendor.sh
ksma=${KSMA:-build/ksma}
guests=${GUESTS:-5.10:1 5.10-cloud:4 6.1:4 6.1-cloud:1 6.12:1 6.12-cloud:4 7.2:4 7.2-cloud:1}
passes=${PASSES:-500}
seconds=${SECONDS_EACH:-3600}
jobs=${JOBS:-2}
report=${REPORT:-docs/busy.md}
scratch=$(mktemp -d)
on_exit rm -rf "$scratch"
export KSMA_CACHE_DIR=$scratch/cache

# What the guest does all the time, each in a loop of its own.
# shellcheck disable=SC2016 # for the guest's shell
busy='
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
cd /sys/kernel/tracing || exit 1
(while :; do
	echo "vfs_*" >set_ftrace_filter; echo function >current_tracer; sleep 0.7; echo nop >current_tracer
	echo "*seq_show" >set_ftrace_filter; echo function_graph >current_tracer; sleep 0.7; echo nop >current_tracer; echo >set_ftrace_filter
	echo >>/tmp/rounds
done) >/dev/null 2>&1 </dev/null &
(while :; do
	{ echo "p:a tcp4_seq_show"; echo "r:b __x64_sys_getdents64"; echo "p:c vfs_read+5"; } >kprobe_events; echo 1 >events/kprobes/enable
	echo "p:u /bin/busybox:$ENTRY" >uprobe_events; echo 1 >events/uprobes/enable
	sleep 0.8
	echo 0 >events/kprobes/enable; echo 0 >events/uprobes/enable; echo >kprobe_events; echo >uprobe_events; sleep 0.2
done) >/dev/null 2>&1 </dev/null &
(while :; do
	for e in sched raw_syscalls net kmem; do echo 1 >events/$e/enable; sleep 0.4; echo 0 >events/$e/enable; done
done) >/dev/null 2>&1 </dev/null &
(while :; do
	for k in kernel/sched_schedstats kernel/timer_migration net/ipv4/tcp_timestamps net/core/tstamp_allow_data; do
		echo 1 >/proc/sys/$k; sleep 0.3; echo 0 >/proc/sys/$k
	done
done) >/dev/null 2>&1 </dev/null &
(while :; do
	gtool bpf classic clock socket kprobe tracepoint perf raw xdp; sleep 1; kill $(cat /tmp/gtool.pid); sleep 0.5
done) >/dev/null 2>&1 </dev/null &
'
entry=$(readelf -hW "$(command -v busybox)" | sed -n 's/.*Entry point address: *//p')
while read -r type offset address _ size _; do
	[ "$type" != LOAD ] || ((entry < address || entry >= address + size)) || busy="ENTRY=$(printf '0x%x' $((entry - address + offset)))$busy"
done < <(readelf -lW "$(command -v busybox)")

# Looks at one guest, $1 with $2 vCPUs, for its time; its row and what was seen go to its own folder.
one() {
	local kernel=$1 cpus=$2 store dir files guest start i status accel findings=0 incomplete=0 due
	store=$(vendor_store "$kernel")
	dir=$scratch/$kernel-$cpus
	accel=$(guest_accel)
	# Several threads of QEMU 7.2 that translate code which others patch keep breakpoints that are gone: the guest hangs (decision 0186).
	[ "$accel" != tcg ] || accel=tcg,thread=single
	guest_start --kernel "$kernel" --mem 512M --cpus "$cpus" --accel "$accel" --populate 60 --module dummy --module evdev "$dir" >/dev/null
	files=$(guest_exec "$dir" 'find / -xdev -name "dummy.ko*" -o -xdev -name "evdev.ko*" | tr "\n" " "')
	guest_exec "$dir" "$busy"
	guest_exec "$dir" "rmmod evdev; rmmod dummy; (gtool churn $((seconds * 2 + 600)) $files) >/dev/null 2>&1 </dev/null &"
	guest=$(guest_pid "$dir")
	start=$SECONDS
	for ((i = 0; i < passes; i++)); do
		# A guest that stopped in the midst of changing itself shows nothing but that.
		GSH_TIMEOUT=300 guest_exec "$dir" true || {
			echo "busy: $kernel stopped after $i checks" >&2
			return 1
		}
		status=0
		"$ksma" check --json --vendor "$store" "$guest" >"$dir/report" 2>"$dir/err" || status=$?
		case $status in
		0) ;;
		1)
			findings=$((findings + 1))
			jq -c --arg k "$kernel" '.findings[] | [$k, .id, .title]' "$dir/report" | tee -a "$dir/what"
			[ -z "${KEEP-}" ] || cp "$dir/report" "$KEEP/finding-$kernel-$i"
			;;
		3)
			incomplete=$((incomplete + 1))
			jq -c --arg k "$kernel" '.coverage[] | select(.state != "complete") | [$k, .check, .reason]' "$dir/report" | tee -a "$dir/what"
			;;
		*)
			echo "exit status $status" >&2
			cat "$dir/err" >&2
			return 1
			;;
		esac
		due=$((seconds * (i + 1) / passes))
		[ $((SECONDS - start)) -ge "$due" ] || sleep $((due - SECONDS + start))
	done
	printf '| %s | %d | %d | %d | %d | %d | %d |\n' "$(cat "$dir/version")" "$cpus" "$passes" $((SECONDS - start)) \
		"$(guest_exec "$dir" 'wc -l </tmp/rounds')" "$findings" "$incomplete" >"$dir/row"
	cat "$dir/row"
	guest_stop "$dir"
}

# Guests are stopped by those who started them, before their folders go.
end_jobs() {
	local job
	for job in $(jobs -rp); do
		kill "$job" 2>/dev/null || true
	done
	wait
}
on_exit end_jobs

failed=0
for guest in $guests; do
	while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do
		wait -n || failed=1
	done
	one "${guest%:*}" "${guest#*:}" &
done
while [ -n "$(jobs -rp)" ]; do
	wait -n || failed=1
done
[ "$failed" -eq 0 ] || exit 1

{
	cat <<-'END'
		# Busy guests

		`tests/soak/busy.sh` wrote this: guests whose kernels change all the time (processes, maps and modules that come and go; the function and
		graph tracers, probes of the kernel and of programs, events, static keys and BPF programs turned on and off) are looked at
		with every check, against the vendor's build, registers included. A finding would be a false alarm; an incomplete check exits
		with 3. A round is one cycle of the tracers: what the guest got done beside the others on its host.

		| kernel | vCPUs | checks | over seconds | rounds | with a finding | incomplete |
		|---|---|---|---|---|---|---|
	END
	for guest in $guests; do
		cat "$scratch/${guest%:*}-${guest#*:}/row"
	done
	cat "$scratch"/*/what >"$scratch/what" 2>/dev/null || true
	if [ -s "$scratch/what" ]; then
		printf '\nWhat was seen:\n\n```\n'
		sort "$scratch/what" | uniq -c | sort -rn | head -n 40
		printf '```\n'
	fi
} >"$scratch/document"
cp "$scratch/document" "$report"
! [ -s "$scratch/what" ]
