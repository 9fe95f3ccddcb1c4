# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Cases of a shell test, told in TAP. $cases_of, where it is set, is what they are cases of: "6.1".

count=0
failed=0

# One case: its status $1, its name $2.
tell() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - ${cases_of:+$cases_of: }$2"
	else
		# shellcheck disable=SC2034 # for those who source this
		failed=1
		echo "not ok $count - ${cases_of:+$cases_of: }$2"
	fi
}

# Case $1 is decided by the command that follows.
tells() {
	local name=$1
	shift
	if "$@"; then tell 0 "$name"; else tell 1 "$name"; fi
}

# The same by a function that is to stop at the first thing that fails, with what it said when it does. Runs beside this shell, and needs $dir.
does() {
	local name=$1 status=0
	shift
	# In the background: beside an || the shell would go on after what fails.
	# shellcheck disable=SC2154 # of those who source this
	(
		set -e
		"$@"
	) >"$dir/said" 2>&1 &
	wait $! || status=$?
	tell "$status" "$name"
	[ "$status" -eq 0 ] || sed 's/^/# /' "$dir/said" | cut -c1-300 | head -n 40
}
