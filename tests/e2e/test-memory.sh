#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every command under the sanitizers, also where it fails: no leak, no access beyond a border, nothing undefined. And a dump under
# valgrind, which also sees reads of what was never written (a live guest it does not know how to reach).
# timeout: 1200
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

asan=${KSMA_ASAN:-$root/build/asan/ksma}
[ -x "$asan" ] || {
	echo "$asan is not built: make asan"
	exit 77
}
dir=$tmp/guest
guest_start --kernel 6.1 --mem 256M --name memory --populate 40 "$dir" >/dev/null

export ASAN_OPTIONS=detect_leaks=1:exitcode=99 UBSAN_OPTIONS=print_stacktrace=1:exitcode=99 LSAN_OPTIONS=exitcode=99

sanitized() { # NAME STATUS ARGUMENT…
	local name=$1 wanted=$2
	shift 2
	status=0
	"$asan" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	if [ "$status" -eq "$wanted" ] && ! grep -qE 'Sanitizer|runtime error' "$tmp/err"; then
		pass "$name"
	else
		fail "$name" "exit status $status, $wanted expected"
	fi
}

sanitized "help" 0 help
sanitized "wrong usage" 2 ps
sanitized "list" 0 list
sanitized "no such guest" 3 info nobody
sanitized "the first look" 0 info memory
sanitized "from the cache" 0 info memory --json
sanitized "ps" 0 ps memory -fT --tree
sanitized "ps as a document" 0 ps memory --fields all --json
sanitized "modules" 0 modules memory
sanitized "maps" 0 maps memory 1
sanitized "files" 0 files memory 1
sanitized "sockets" 0 sockets memory
sanitized "mounts" 0 mounts memory
sanitized "dmesg" 0 dmesg memory
sanitized "read" 0 read memory init_task 256
sanitized "a hole" 3 read memory 0 16
sanitized "sym" 0 sym memory schedule
sanitized "no symbol" 3 sym memory nonsense
sanitized "no process" 3 files memory 4194000
sanitized "check" 0 check memory
sanitized "check from memory alone" 3 check memory --memory-only --json
sanitized "watch" 0 watch memory --count 2 --interval 50ms
sanitized "doctor" 0 doctor memory

# Output that does not arrive must not leave anything behind either.
status=0
"$asan" ps memory --json >/dev/full 2>"$tmp/err" || status=$?
check "a full disk" test "$status" -eq 4

if command -v valgrind >/dev/null; then
	dump=$tmp/dump.elf
	printf '%s\n' '{"execute":"qmp_capabilities"}' \
		"{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":false,\"protocol\":\"file:$dump\"}}" |
		socat -t 60 - "UNIX-CONNECT:$dir/qmp2.sock" >/dev/null
	guest_stop "$dir"
	"$ksma" check --json "$dump" >"$tmp/out" 2>"$tmp/err" || true
	check "a dump of a clean guest has no finding" test "$(jq '.findings | length' "$tmp/out")" = 0
	for command in info "ps -fT --tree" "ps --fields all --json" modules sockets dmesg check; do
		status=0
		# shellcheck disable=SC2086 # words
		valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect --log-file="$tmp/err" \
			"$ksma" $command "$dump" >"$tmp/out" 2>/dev/null </dev/null || status=$?
		check "valgrind: $command" test "$status" -ne 99
	done
fi

finish
