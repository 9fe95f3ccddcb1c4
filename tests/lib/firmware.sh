# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guests that run nothing but QEMU's firmware: up in a moment, with marks at chosen places of their memory. For tests of what
# reaches a guest, which need no kernel in it.

firmware_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$firmware_lib/guest.sh"
probe=${KSMA_BUILD:-$firmware_lib/../../build}/tests/tools/probe

[ -x "$probe" ] || {
	echo "there is no $probe: run make build"
	exit 77
}

work=$(mktemp -d "${TMPDIR:-/tmp}/ksma-firmware.XXXXXX")
on_exit rm -rf "$work"
cases=0
failures=0
on_exit firmware_plan

firmware_plan() { [ -n "${skipped-}" ] || echo "1..$cases"; }

# Ends a script that cannot run here, and says why: skip REASON
skip() {
	skipped=1
	echo "$*"
	exit 77
}

# One case: ok NAME STATUS [WORDS…]
report() {
	cases=$((cases + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $cases - $1"
	else
		echo "not ok $cases - $1"
		failures=$((failures + 1))
		shift 2
		[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
	fi
}

# A case that is a command: check NAME COMMAND…
check() {
	local name=$1 status=0
	shift
	"$@" || status=$?
	report "$name" "$status" "$*"
}

# The case that NAME's output of the command matches a pattern: says NAME PATTERN COMMAND…
says() {
	local name=$1 pattern=$2 out
	shift 2
	out=$("$@" 2>&1) || true
	if grep -qE -- "$pattern" <<<"$out"; then report "$name" 0; else report "$name" 1 "wanted: $pattern" "got: $out"; fi
}

# Starts QEMU with arguments and sets $qemu (its pid), $qmp (a socket for the program under test) and $own (one for us).
firmware_start() { # NAME ARGUMENT…
	local name=$1 i
	shift
	qmp=$work/$name.qmp own=$work/$name.own
	qemu-system-x86_64 -name "$name" -nodefaults -no-user-config -display none -accel tcg,thread=single \
		-qmp "unix:$qmp,server=on,wait=off" -qmp "unix:$own,server=on,wait=off" \
		-daemonize -pidfile "$work/$name.pid" "$@" 2>"$work/$name.err" || {
		cat "$work/$name.err"
		return 1
	}
	qemu=$(cat "$work/$name.pid")
	# shellcheck disable=SC2064 # this pid, not a later one
	on_exit firmware_end "$qemu"
	# The firmware comes to rest soon: it finds nothing to boot.
	for ((i = 0; i < 100; i++)); do
		! grep -q "HLT=1" <<<"$(hmp "info registers")" || return 0
		sleep 0.05
	done
}

firmware_end() { # PID
	local i
	kill "$1" 2>/dev/null || return 0
	for ((i = 0; i < 200; i++)); do
		guest_alive "$1" || return 0
		sleep 0.02
	done
	kill -KILL "$1" 2>/dev/null || true
}

# Sends commands (JSON, one an argument) on our own socket, and prints the answers to them, one a line.
qmp() {
	/usr/bin/python3 - "$own" "$@" <<-'EOS'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(30)
		s.connect(sys.argv[1])
		f = s.makefile("rb")
		f.readline()
		for command in ['{"execute":"qmp_capabilities"}'] + sys.argv[2:]:
		    s.sendall(command.encode())
		    while True:
		        answer = json.loads(f.readline())
		        if "return" in answer or "error" in answer:
		            break
		    if "qmp_capabilities" in command:
		        continue
		    r = answer.get("return", answer)
		    print(r if isinstance(r, str) else json.dumps(r))
	EOS
}

hmp() { qmp "{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"$1\"}}"; }

# Guest memory as QEMU gives it, in hexadecimal digits: memory ADDR LEN (numbers of the shell)
memory() {
	rm -f "$work/dump"
	hmp "pmemsave $(($1)) $(($2)) \\\"$work/dump\\\"" >/dev/null
	xxd -p -c 0 "$work/dump" 2>/dev/null || od -An -v -tx1 "$work/dump" | tr -d ' \n'
	echo
}
