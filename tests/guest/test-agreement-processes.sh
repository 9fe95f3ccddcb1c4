#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Processes, threads, memory areas, open files and mounts are those of the guest's /proc, to the letter, for every process; and
# a list that is made while the guest forks and exits is whole each time.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"

# The public library and nothing else: what a stranger's program would see.
tools=$(mktemp -d)
on_exit rm -rf "$tools"
build=$(cd "$(dirname "$ksma")" && pwd)
gcc -O2 -Wall -Wextra -I"$here/../../include" -o "$tools/model" "$here/../tools/model.c" -L"$build" -lksma -Wl,-rpath,"$build"

proc() { # DIR WORK
	local pid
	pid=$(guest_pid "$1")
	"$tools/model" "$pid" >"$2/before"
	GSH_TIMEOUT=240 guest_exec "$1" 'gtool proc | gzip -1' | gzip -dc >"$2/guest"
	"$tools/model" "$pid" >"$2/after"
	"$here/compare_processes.py" "$2/before" "$2/guest" "$2/after"
}

# Walks while tasks come and go; model fails when one answer is not whole.
soak() { # DIR WORK
	GSH_TIMEOUT=60 guest_exec "$1" 'gtool churn 12' &
	sleep 1
	"$tools/model" "$(guest_pid "$1")" soak 8
	wait $!
}

# A process that exists, one that does not, and what a person would type by mistake.
one() { # DIR WORK
	"$tools/model" "$(guest_pid "$1")" process 1 >"$2/one"
	grep -q '"comm":"init"' "$2/one"
	! "$tools/model" "$(guest_pid "$1")" process 4000000 2>"$2/none" || return 1
	grep -q 'not-present: no process 4000000 runs in the guest' "$2/none"
	! "$tools/model" "$(guest_pid "$1")" process -1 2>"$2/none" || return 1
	grep -q 'not-present' "$2/none"
}

cases() {
	agreement_case "$1" "every process of /proc" proc
	guest_exec "$1" 'gtool odd'
	agreement_case "$1" "names that follow rules of their own" proc
	agreement_case "$1" "one process" one
	agreement_case "$1" "while tasks come and go" soak
}

# One kernel again, with memory that can only be copied, page tables of five levels, and no page of old vsyscalls.
copied() {
	local dir
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	guest_start --kernel "${KERNELS:-6.12}" --ram anon --la57 --cpus 2 --populate 80 "$dir" >/dev/null
	agreement_case "$dir" "anonymous memory: every process of /proc" proc
	agreement_case "$dir" "anonymous memory: while tasks come and go" soak
	guest_stop "$dir"
}

[ -n "${KERNELS-}" ] || copied
agreement_each_kernel cases --populate 120 --append vsyscall=xonly
