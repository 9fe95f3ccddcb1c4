#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demonstration shows what it promises, and leaves nothing running.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

lacks() { ! grep -q -- "$1" "$2"; }
nothing_left() { ! pgrep -f -- "$tmp/ksma-demo" >/dev/null; }

status=0
KSMA=$ksma TMPDIR=$tmp "$root/demo/run" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
check "it found what it should" test "$status" -eq 0
check "it reads as text where there is no terminal" lacks $'\033' "$tmp/out"
for words in "ksma list" "ksma info web1" "ksma ps web1" "ksma check web1" '0 findings, ' '3 findings, ' '__x64_sys_getpgid' 'backdoor'; do
	check "it shows $words" grep -qF -- "$words" "$tmp/out"
done
check "no guest is left" nothing_left

# Stopped in the middle.
KSMA=$ksma TMPDIR=$tmp "$root/demo/run" >"$tmp/out" 2>"$tmp/err" </dev/null &
demo=$!
for ((i = 0; i < 1200; i++)); do
	! grep -q 'What runs' "$tmp/out" || break
	sleep 0.1
done
kill -TERM "$demo"
status=0
wait "$demo" || status=$?
check "a demonstration that is stopped says so" test "$status" -ne 0
check "and leaves no guest" nothing_left

finish
