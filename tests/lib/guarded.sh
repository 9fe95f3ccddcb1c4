# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# shellcheck disable=SC2034,SC2154 # variables of those who source this, and for them
#
# A guard beside a guest, for tests of it. Folder $dir holds m.ksma and keys (signed.sh), the guest's run folder is $dir/g, and $pid its QEMU; needs guest.sh and cases.sh.

guarded_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Starts a guard with the options given, and waits until it stands there. What it says goes to $dir/out and $dir/err, its pid to $guard.
guard_start() {
	: >"$dir/out"
	"$ksma" guard "$pid" --manifest "$dir/m.ksma" --keys "$dir/keys" --json "$@" >"$dir/out" 2>"$dir/err" &
	guard=$!
	guard_waits armed 1
}

# Waits until the guard told of an event ($1) so often ($2).
guard_waits() {
	local i
	for ((i = 0; i < 600; i++)); do
		[ "$(grep -c "\"event\":\"$1\"" "$dir/out")" -lt "$2" ] || return 0
		kill -0 "$guard" 2>/dev/null || break
		sleep 0.1
	done
	tail -qn 5 "$dir/err" "$dir/out" | cut -c1-300 | sed 's/^/# /'
	return 1
}

guard_end() {
	kill "$1" "$guard" 2>/dev/null || true
	wait "$guard" 2>/dev/null || true
}

# Does what the guard said, as one list, fulfil this filter of jq?
guard_said() { jq -es "$@" "$dir/out" >/dev/null; }

# Is all that it said as docs/schema has it?
guard_valid() {
	/usr/bin/python3 "$guarded_lib/../e2e/validate.py" "$guarded_lib/../../docs/schema" guard "$dir/out" 2>"$dir/why" || {
		tail -n 3 "$dir/why" | cut -c1-300 | sed 's/^/# /'
		return 1
	}
}

# A line in the guest; what it printed and its status, in one.
run() { guest_exec "$dir/g" "$1" 2>&1 && echo "=0" || echo "=$?"; }
