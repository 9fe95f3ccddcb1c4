#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guests that use what the kernel offers for tracing (the function and function graph tracers, probes of the kernel and of programs,
# events) are found clean and wholly covered, while it is on, and while it is turned on and off all the time.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
ksma=${KSMA:-$here/../../build/ksma}
count=0
failed=0
# Where busybox begins to run, as an offset in its file: a place that surely holds an instruction.
entry=
start=$(readelf -hW "$(command -v busybox)" | sed -n 's/.*Entry point address: *//p')
while read -r type offset address _ size _; do
	[ "$type" != LOAD ] || ((start < address || start >= address + size)) || entry=$(printf '0x%x' $((start - address + offset)))
done < <(readelf -lW "$(command -v busybox)")

# Looks at the guest, which must be clean; $1 names the state that it is in. With $2 it need not be seen in full.
clean() {
	local status=0
	"$ksma" check --json "$(guest_pid "$dir")" >"$dir/report" 2>"$dir/err" || status=$?
	count=$((count + 1))
	if [ "$status" -eq 0 ] || { [ -n "${2-}" ] && [ "$status" -eq 3 ]; }; then
		echo "ok $count - $kernel: $1"
	else
		failed=1
		echo "not ok $count - $kernel: $1, status $status"
		jq -c '.findings[] | [.id, .title]' "$dir/report" | head -20 | sed 's/^/# /'
		jq -c '.coverage[] | select(.state != "complete")' "$dir/report" | sed 's/^/# /'
		sed 's/^/# /' "$dir/err"
	fi
}

# Runs $2 in the guest's tracing folder, looks, and runs $3 there.
honest() {
	guest_exec "$dir" "cd /sys/kernel/tracing && $2" >"$dir/said" 2>&1 || {
		count=$((count + 1))
		echo "ok $count - $kernel: $1 # SKIP $(tail -n 1 "$dir/said")"
		return
	}
	clean "$1"
	guest_exec "$dir" "cd /sys/kernel/tracing && $3" >"$dir/said" 2>&1 || sed 's/^/# /' "$dir/said"
}

accel=$(guest_accel)
# One thread: see decision 0186.
[ "$accel" != tcg ] || accel=tcg,thread=single
for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	guest_start --kernel "$kernel" --mem 512M --cpus 2 --accel "$accel" --populate 40 "$dir" >/dev/null
	honest "function tracer on some functions" \
		"echo 'vfs_*' >set_ftrace_filter && echo function >current_tracer" \
		"echo nop >current_tracer; echo >set_ftrace_filter"
	honest "function tracer of one process" \
		"echo 'tcp*' >set_ftrace_filter && echo 1 >set_ftrace_pid && echo function >current_tracer" \
		"echo nop >current_tracer; echo >set_ftrace_filter; echo >set_ftrace_pid"
	honest "function graph" \
		"echo '*seq_show' >set_ftrace_filter && echo function_graph >current_tracer" \
		"echo nop >current_tracer; echo >set_ftrace_filter"
	honest "an instance of its own" \
		"mkdir instances/a && echo 'udp*' >instances/a/set_ftrace_filter && echo function >instances/a/current_tracer" \
		"echo nop >instances/a/current_tracer; rmdir instances/a"
	honest "kernel probes" \
		"{ echo 'p:a tcp4_seq_show'; echo 'r:b __x64_sys_getdents64'; echo 'p:c vfs_read+5'; echo 'p:d filldir64'; } >kprobe_events && echo 1 >events/kprobes/enable" \
		"echo 0 >events/kprobes/enable; echo >kprobe_events"
	honest "function probes" \
		"echo 'f:k/a tcp4_seq_show%return' >dynamic_events && echo 1 >events/k/enable" \
		"echo 0 >events/k/enable; echo >dynamic_events"
	honest "program probes" \
		"echo 'p:a /bin/busybox:$entry' >uprobe_events && echo 1 >events/uprobes/enable" \
		"echo 0 >events/uprobes/enable; echo >uprobe_events"
	# shellcheck disable=SC2016 # for the guest's shell
	honest "BPF programs of every kind, a classic filter, a perf event" \
		"gtool bpf classic clock socket kprobe tracepoint perf raw xdp" 'kill $(cat /tmp/gtool.pid)'
	# shellcheck disable=SC2016 # for the guest's shell
	honest "a ring that holds sockets beside their descriptors" \
		"gtool ring honest" 'kill $(cat /tmp/gtool.pid)'
	honest "events" \
		"echo 1 >events/raw_syscalls/enable && echo 1 >events/sched/enable && echo 1 >events/net/enable && echo 'stacktrace' >events/kmem/mm_page_alloc/trigger" \
		"echo 0 >events/enable; echo '!stacktrace' >events/kmem/mm_page_alloc/trigger"
	# No state is held for long here: what is torn has to be told from what is wrong.
	guest_exec "$dir" "cd /sys/kernel/tracing; (while :; do
		echo 'vfs_*' >set_ftrace_filter; echo function >current_tracer; echo 'p:a tcp4_seq_show' >kprobe_events; echo 1 >events/kprobes/enable; echo 1 >events/sched/enable
		echo nop >current_tracer; echo 0 >events/kprobes/enable; echo >kprobe_events; echo 0 >events/sched/enable; done) >/dev/null 2>&1 </dev/null &"
	for ((i = 0; i < ${LOOKS:-10}; i++)); do
		clean "turned on and off, look $i"
	done
	# Stopped on its way, by whoever: nothing that it had begun is held against it.
	for ((i = 0; i < ${STOPS:-3}; i++)); do
		guest_monitor "$dir" stop
		clean "stopped while it turned them on and off, $i" "may be incomplete"
		guest_monitor "$dir" cont
		sleep 0.$((RANDOM % 10))
	done
	guest_stop "$dir"
	rm -rf "$dir"
done
echo "1..$count"
exit "$failed"
