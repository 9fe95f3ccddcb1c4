#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guard on every kernel: what is signed runs, what is not is refused with EACCES; whatever ends the guard, the guest runs on.
# timeout: 2400
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
export GSH_TIMEOUT=60

# Does the guest run, and execute what is not signed?
is_free() { [[ $(run '/tmp/busybox-copy true') == "=0" ]]; }

refuses() {
	local out
	guard_start --mode enforce --policy exec+modules || {
		tell 1 "the guard stands there"
		return
	}
	tell 0 "the guard stands there"
	out=$(run 'ls /bin/busybox; /bin/busybox echo signed')
	tell "$([[ $out == *"signed"*"=0" ]] && echo 0 || echo 1)" "signed programs run"
	out=$(run '/tmp/busybox-copy true')
	tell "$([[ $out == *"Permission denied"*"=126" ]] && echo 0 || echo 1)" "an unsigned copy of one is refused with EACCES"
	out=$(run '/tmp/script')
	tell "$([[ $out == *"Permission denied"*"=126" ]] && echo 0 || echo 1)" "an unsigned script is refused"
	out=$(run '/bin/hello.sh; echo "# more" >>/bin/hello.sh; /bin/hello.sh')
	tell "$([[ $out == *"hello"*"Permission denied"*"=126" ]] && echo 0 || echo 1)" "a signed script runs until it is changed"
	if [ -n "$module" ]; then
		out=$(run "insmod $module && rmmod dummy; cp $module /tmp/m.ko; echo >>/tmp/m.ko; insmod /tmp/m.ko")
		tell "$([[ $out == *"m.ko"*"ermission denied"* ]] && echo 0 || echo 1)" "a signed module is loaded, a changed one is not"
	fi
	guard_end -TERM
	tell "$(jq -es '[.[] | select(.decision == "deny")] | length >= 3 and all(.[]; (.path or .detail) and .reason and .pid and .comm and .cost_us)' \
		"$dir/out" >/dev/null && echo 0 || echo 1)" "each refusal is told, with path, reason, process and cost"
	tell "$(is_free && echo 0 || echo 1)" "told to end, it lets the guest go"
	sed 's/^/# /' <(tail -n 1 "$dir/out")
}

logs() {
	guard_start --mode log --policy exec || return 0
	tell "$(is_free && echo 0 || echo 1)" "in log mode nothing is refused"
	tell "$(jq -es 'any(.[]; .decision == "log" and .path == "/tmp/busybox-copy")' "$dir/out" >/dev/null && echo 0 || echo 1)" "and what would be is told"
	"$ksma" guard "$pid" --off >/dev/null
	wait "$guard" 2>/dev/null || true
	tell "$(is_free && echo 0 || echo 1)" "--off ends a guard"
}

# The guest works all the time, and the guard is killed at any moment of it.
killed() {
	local i good=0 out
	# shellcheck disable=SC2016 # for the guest's shell
	guest_exec "$dir/g" 'rm -f /tmp/stop /tmp/n; (n=0; while [ ! -e /tmp/stop ]; do /bin/busybox true && n=$((n+1)); echo $n >/tmp/n; done) >/dev/null 2>&1 &'
	for ((i = 0; i < ${ROUNDS:-10}; i++)); do
		guard_start --mode enforce || break
		sleep "0.$((RANDOM % 100 + 100))"
		guard_end -KILL
		is_free && good=$((good + 1))
	done
	out=$(run 'touch /tmp/stop; cat /tmp/n')
	tell "$([ "$good" -eq "${ROUNDS:-10}" ] && echo 0 || echo 1)" "killed at random moments of a busy guest, $good of ${ROUNDS:-10} times it ran on freely (${out%%=*} programs meanwhile)"
}

# Somebody else's debugger is left alone.
respects() {
	local out debugger
	"$ksma" guard "$pid" --off >/dev/null
	guest_monitor "$dir/g" "gdbserver unix:$dir/gdb.sock,server=on,wait=off" 2>/dev/null || true
	socat "UNIX-CONNECT:$dir/gdb.sock" "EXEC:sleep 15" &
	debugger=$!
	sleep 1
	out=$(timeout 20 "$ksma" guard "$pid" --manifest "$dir/m.ksma" --keys "$dir/keys" 2>&1 || true)
	tell "$([[ $out == *"a debugger is attached"* ]] && echo 0 || echo 1)" "a debugger that is attached is respected, and named"
	kill "$debugger" 2>/dev/null || true
	wait "$debugger" 2>/dev/null || true
	"$ksma" guard "$pid" --off >/dev/null
	guest_monitor "$dir/g" cont || true
	tell "$(is_free && echo 0 || echo 1)" "--off leaves it to whoever paused the guest to let it run"
	guest_monitor "$dir/g" "gdbserver none" 2>/dev/null || true
}

boots() {
	# What QEMU tells besides of a reset may end the pipe early.
	guest_monitor "$dir/g" system_reset || true
	guest_monitor "$dir/g" stop || true
	guard_start --mode enforce --from-boot || {
		tell 1 "from boot: the guard stands there"
		return
	}
	tell "$(guest_wait "$dir/g" && echo 0 || echo 1)" "from boot: the guest comes up under enforcement"
	tell "$(jq -es 'any(.[]; .event == "armed" and .from == "boot" and .files_open == 0 and .before_init)' "$dir/out" >/dev/null &&
		echo 0 || echo 1)" "from boot: before the first file was opened, by the kernel's own count"
	tell "$(jq -es 'all(.[]; .decision != "deny")' "$dir/out" >/dev/null && echo 0 || echo 1)" "from boot: nothing signed was refused"
	sed 's/^/# /' <(grep armed "$dir/out") "$dir/err"
	guard_end -TERM
}

for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
	cases_of=$kernel
	dir=$scratch/$kernel
	mkdir -p "$dir"
	signed_manifest "$kernel" "$dir" --module dummy
	guest_start --kernel "$kernel" --cpus 2 --module dummy "$dir/g" >/dev/null
	pid=$(guest_pid "$dir/g")
	module=$(guest_exec "$dir/g" 'find /lib/modules -name dummy.ko' || true)
	run 'cp /bin/busybox /tmp/busybox-copy; printf "#!/bin/sh\necho unsigned\n" >/tmp/script; printf "#!/bin/sh\necho hello\n" >/bin/hello.sh
		chmod 755 /tmp/script /bin/hello.sh' >/dev/null
	refuses
	logs
	killed
	respects
	boots
	guest_stop "$dir/g"
done
echo "1..$count"
[ "$failed" = 0 ]
