#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guard among others: tracers and probes on the very functions it stands at, an operator who pauses the guest, a keeper that is killed, more
# work than it may cost, and a guest that waits for it before its first instruction.
# timeout: 1200
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
ksma=${KSMA:-$here/../../build/ksma}
# shellcheck source=tests/lib/signed.sh
. "$here/../lib/signed.sh"
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"
# shellcheck source=tests/lib/guarded.sh
. "$here/../lib/guarded.sh"
scratch=$(mktemp -d)
on_exit rm -rf "$scratch"
export GSH_TIMEOUT=120

# Is what is signed run, and what is not refused?
enforces() {
	local out
	out=$(run '/bin/hello.sh; /tmp/busybox-unsigned true')
	[[ $out == *hello*"Permission denied"*"=126" ]] || {
		echo "# ${out//$'\n'/ | }"
		return 1
	}
}

is_free() { [[ $(run '/tmp/busybox-unsigned true') == "=0" ]]; }

traced() {
	local where='security_bprm_check ima_file_mmap security_mmap_file'
	# shellcheck disable=SC2016 # for the guest's shell
	run "mount -t tracefs t /sys/kernel/tracing; cd /sys/kernel/tracing; for f in $where; do echo \$f >>set_ftrace_filter; done; echo function >current_tracer" >/dev/null
	guard_start --mode enforce || return 0
	tells "functions that are traced: it enforces there" enforces
	run 'echo nop >/sys/kernel/tracing/current_tracer' >/dev/null
	tells "no longer traced: it still does" enforces
	run 'cd /sys/kernel/tracing; echo "p:a security_bprm_check" >kprobe_events; echo 1 >events/kprobes/enable' >/dev/null
	tells "probed while it stands there: it still does" enforces
	run 'cd /sys/kernel/tracing; echo 0 >events/kprobes/enable; echo >kprobe_events' >/dev/null
	tells "no longer probed: it still does" enforces
	guard_end -TERM
	tells "then the guest is free" is_free
}

is_paused() { [[ $(guest_monitor "$dir/g" 'info status' 2>&1) == *"VM status: paused"* ]]; }

paused() {
	local i
	guard_start --mode enforce || return 0
	guest_monitor "$dir/g" stop || true
	tells "somebody who pauses the guest is noticed" guard_waits paused 1
	# Longer than a guard may leave it alone that has stopped it itself.
	sleep 13
	tells "and the guest stays paused" is_paused
	guest_monitor "$dir/g" cont || true
	tells "until it is let run again" guard_waits resumed 1
	tells "and is guarded as before" enforces
	for ((i = 0; i < 10; i++)); do
		guest_monitor "$dir/g" stop >/dev/null 2>&1 || true
		guest_monitor "$dir/g" cont >/dev/null 2>&1 || true
		run 'busybox true' >/dev/null || break
	done
	tells "paused for moments while it works, it goes on" test "$i" = 10
	tells "and is guarded" enforces
}

# Goes on with the guard of before.
keeper() {
	local first second
	first=$(pgrep -P "$guard")
	kill -KILL "$first"
	tells "a keeper that is killed is replaced" guard_waits keeper 1
	second=$(pgrep -P "$guard")
	tells "by another one" test -n "$second" -a "$first" != "$second"
	tells "and the guest is guarded as before" enforces
	guard_end -KILL
	tells "the new keeper frees the guest when the guard is killed" is_free
	guard_start --mode enforce || return 0
	kill -KILL "$(pgrep -P "$guard")"
	guard_end -TERM
	tells "a guard whose keeper is gone frees the guest itself" is_free
}

# Within ten seconds, with nobody's help but the keeper's.
runs_alone() {
	local i
	for ((i = 0; i < 100; i++)); do
		[[ $(guest_monitor "$dir/g" 'info status' 2>&1) == *"VM status: running"* ]] &&
			! pgrep -f "guard .*$dir/m.ksma" >/dev/null && return 0
		sleep 0.1
	done
	return 1
}

# At any moment from its first instruction to where it stands in place, and a little later.
killed_early() {
	local i free=0 kept=0 start=$EPOCHREALTIME whole
	guard_start --mode enforce || return 0
	whole=$(awk "BEGIN { print 1.2 * ($EPOCHREALTIME - $start) }")
	guard_end -TERM
	for ((i = 0; i < 20; i++)); do
		"$ksma" guard "$pid" --manifest "$dir/m.ksma" --keys "$dir/keys" --json --mode enforce >/dev/null 2>&1 &
		guard=$!
		sleep "$(awk "BEGIN { print $whole * $RANDOM / 32768 }")"
		! pgrep -P "$guard" >/dev/null || kept=$((kept + 1))
		guard_end -KILL
		runs_alone && free=$((free + 1))
	done
	echo "# $free of 20 free, $kept had a keeper when they were killed; in place after $whole s"
	tells "a guard that is killed while it begins leaves a guest that runs" test "$free" = 20 -a "$kept" -gt 0
}

# A debugger that dies while vCPU $2 executes one instruction for it; at once another connects, at the same socket ($1), and detaches, twice.
half_step() {
	python3 - "$1" "$2" <<-'END'
		import socket, sys

		def packet(s):
		    return b"$" + s + b"#%02x" % (sum(s) & 255)

		def connect():
		    s = socket.socket(socket.AF_UNIX)
		    s.settimeout(20)
		    s.connect(sys.argv[1])
		    s.send(b"+#00#00" + packet(b"?") + packet(b"qSupported:hwbreak+"))
		    heard = b""
		    while b"PacketSize" not in heard:
		        heard += s.recv(8192)
		    return s

		s = connect()
		s.send(packet(b"vCont;s:" + sys.argv[2].encode()))
		s.close()
		for _ in range(2):
		    s = connect()
		    s.send(packet(b"D"))
		    heard = b""
		    while b"OK" not in heard:
		        heard += s.recv(8192)
		    s.close()
	END
}

stepped() {
	local i stuck=0 cured=0
	"$ksma" guard "$pid" --off >/dev/null
	guest_monitor "$dir/g" "gdbserver unix:$dir/gdb.sock,server=on,wait=off" 2>/dev/null || true
	run 'for i in 1 2 3 4; do (while [ ! -e /tmp/enough ]; do :; done) & done' >/dev/null
	for ((i = 0; i < 16; i++)); do
		half_step "$dir/gdb.sock" "$((i % 2 + 1))" || break
		sleep 0.1
		[[ $(guest_monitor "$dir/g" 'info status' 2>&1) != *"paused (debug)"* ]] || stuck=$((stuck + 1))
		"$ksma" guard "$pid" --off >/dev/null
		sleep 0.2
		[[ $(guest_monitor "$dir/g" 'info status' 2>&1) != *"VM status: running"* ]] || cured=$((cured + 1))
	done
	run 'touch /tmp/enough' >/dev/null
	guest_monitor "$dir/g" "gdbserver none" 2>/dev/null || true
	echo "# it stood $stuck times of 16"
	tells "a guest that a debugger left in the midst of a step runs on after --off" test "$cured" = 16
	tells "and is free" is_free
	run 'rm -f /tmp/enough' >/dev/null
}

reads() {
	local reader
	# The policy of that name leaves out what lies in memory only, as all of this guest does.
	printf 'appraise func=BPRM_CHECK\nappraise func=FILE_CHECK mask=MAY_READ uid=0\n' >"$dir/policy"
	guard_start --mode log --policy "$dir/policy" --share 1% || return 0
	run 'echo words >/tmp/words; cat /tmp/words >/dev/null' >/dev/null
	tells "what root reads is looked at" guard_said 'any(.[]; .path == "/tmp/words" and .decision == "log" and .func == "FILE_CHECK")'
	# shellcheck disable=SC2016 # for the guest's shell
	run 'i=0; while [ $i -lt 20000 ] && [ ! -e /tmp/enough ]; do read -r line </tmp/words; i=$((i + 1)); done' >/dev/null &
	reader=$!
	tells "when it costs too much, rules about opened files are given up, and that is told" guard_waits stepped-down 1
	run 'touch /tmp/enough' >/dev/null
	wait "$reader"
	run '/tmp/busybox-unsigned true' >/dev/null
	tells "the others count on" guard_said 'any(.[]; .path == "/tmp/busybox-unsigned" and .decision == "log" and .func == "BPRM_CHECK")'
	guard_end -TERM
	tells "all that it said is as documented" guard_valid
}

# QEMU waits with the first instruction.
waits() {
	local i starter
	guest_stop "$dir/g"
	(
		# shellcheck disable=SC2034 # it is stopped by us
		ksma_guest_reap=
		guest_start --kernel "$kernel" --cpus 2 "$dir/g" -- -S >"$dir/start" 2>&1
	) &
	starter=$!
	for ((i = 0; i < 100; i++)); do
		pid=$(guest_pid "$dir/g" 2>/dev/null) && [ -S "$dir/g/qmp.sock" ] && break
		sleep 0.2
	done
	guard_start --mode enforce --from-boot || {
		tell 1 "a guest that waits: the guard stands there"
		return 0
	}
	wait "$starter"
	tells "a guest that waits for the guard before its first instruction comes up" guest_exec "$dir/g" true
	tells "and had opened no file before" guard_said 'any(.[]; .event == "armed" and .from == "boot" and .files_open == 0 and .before_init)'
	tells "and nothing signed was refused" guard_said 'all(.[]; .decision != "deny")'
	run 'cp /bin/busybox /tmp/busybox-unsigned; printf "#!/bin/sh\necho hello\n" >/bin/hello.sh; chmod 755 /bin/hello.sh' >/dev/null
	tells "and is guarded" enforces
	guard_end -KILL
	tells "and free when the guard is killed" is_free
}

for kernel in ${KERNELS:-6.12}; do
	cases_of=$kernel
	dir=$scratch/$kernel
	mkdir -p "$dir"
	signed_manifest "$kernel" "$dir"
	guest_start --kernel "$kernel" --cpus 2 "$dir/g" >/dev/null
	pid=$(guest_pid "$dir/g")
	run 'cp /bin/busybox /tmp/busybox-unsigned; printf "#!/bin/sh\necho hello\n" >/bin/hello.sh; chmod 755 /bin/hello.sh' >/dev/null
	for part in ${PARTS:-traced paused keeper killed_early stepped reads waits}; do "$part"; done
	guest_stop "$dir/g"
done
echo "1..$count"
[ "$failed" = 0 ]
