# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the tests of the command share: they run it, look at its status and both outputs, and print TAP.

e2e_home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$e2e_home/../.." && pwd)
# shellcheck source=tests/lib/guest.sh
. "$root/tests/lib/guest.sh"
ksma=${KSMA:-$root/build/ksma}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/ksma-e2e.XXXXXX")
on_exit rm -rf "$tmp"
on_exit e2e_plan
export KSMA_CACHE_DIR=$tmp/cache NO_COLOR='' LC_ALL=C.UTF-8

# The report goes where the script's output goes, wherever a case sends its own.
exec 3>&1
cases=0
failures=0

e2e_plan() { [ "$cases" -eq 0 ] || printf '1..%d\n' "$cases" >&3; }

[ -x "$ksma" ] || {
	echo "not ok 1 - $ksma is not built"
	exit 1
}

# Records one case: pass NAME | fail NAME REASON…
pass() {
	cases=$((cases + 1))
	printf 'ok %d - %s\n' "$cases" "$1" >&3
}

fail() {
	cases=$((cases + 1))
	failures=$((failures + 1))
	{
		printf 'not ok %d - %s\n' "$cases" "$1"
		shift
		printf '# %s\n' "$@"
		[ ! -s "$tmp/out" ] || { head -c 1500 "$tmp/out"; echo; } | sed 's/^/# out: /' | cat -v
		[ ! -s "$tmp/err" ] || { head -c 1500 "$tmp/err"; echo; } | sed 's/^/# err: /' | cat -v
	} >&3
}

# A case that is a command: check NAME COMMAND…
check() {
	local name=$1
	shift
	if "$@"; then pass "$name"; else fail "$name" "$*"; fi
}

# Runs ksma with time to spare; sets $status, fills $tmp/out and $tmp/err.
look() {
	status=0
	timeout "${E2E_TIMEOUT:-60}" "$ksma" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
}

# One case: the status, and a pattern (grep -E) that standard error has, or "" for nothing on it.
# expect NAME STATUS PATTERN ARGUMENT…
expect() {
	local name=$1 wanted=$2 pattern=$3
	shift 3
	look "$@"
	if [ "$status" -ne "$wanted" ]; then
		fail "$name" "exit status $status, $wanted expected: ksma $*"
	elif [ -z "$pattern" ] && [ -s "$tmp/err" ]; then
		fail "$name" "nothing was expected on standard error: ksma $*"
	elif [ -n "$pattern" ] && ! grep -qE -- "$pattern" "$tmp/err"; then
		fail "$name" "standard error lacks '$pattern': ksma $*"
	elif [ -n "$pattern" ] && [ "$(grep -c '' "$tmp/err")" -ne 1 ]; then
		fail "$name" "an error is one line: ksma $*"
	else
		pass "$name"
	fi
}

# The same with --json: a document of the schema besides. json NAME STATUS SCHEMA ARGUMENT…
json() {
	local name=$1 wanted=$2 schema=$3
	shift 3
	look "$@" --json
	if [ "$status" -ne "$wanted" ]; then
		fail "$name" "exit status $status, $wanted expected: ksma $* --json"
	elif ! /usr/bin/python3 "$e2e_home/validate.py" "$root/docs/schema" "$schema" "$tmp/out" >"$tmp/why" 2>&1; then
		fail "$name" "ksma $* --json" "$(tail -n 5 "$tmp/why")"
	else
		pass "$name"
	fi
}

# A value of the last document: field PYTHON-EXPRESSION, with the document as d.
field() {
	/usr/bin/python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$tmp/out" "$1"
}

# The status of a script: 1 when a case failed.
finish() { [ "$failures" -eq 0 ]; }
