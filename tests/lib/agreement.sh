# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Holds what ksma says of a guest against what the guest says of itself, on each kernel.

ksma_agreement_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=guest.sh
. "$ksma_agreement_lib/guest.sh"
# shellcheck disable=SC2034 # for those who source this file
ksma=${KSMA:-$ksma_agreement_lib/../../build/ksma}

agreement_count=0
agreement_failed=0

# Tells one case, in TAP: its exit status $1, its name $2, and what there is to say in the file $3.
agreement_tell() {
	agreement_count=$((agreement_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $agreement_count - $2"
	else
		agreement_failed=1
		echo "not ok $agreement_count - $2"
	fi
	sed 's/^/# /' "$3" | cut -c1-200 | head -n 40
}

# The case $2 of the guest $1: calls what follows with the guest's folder and a folder for files of its own. The guest goes on
# meanwhile, so that two views may differ because something happened between them; a few tries make that unlikely.
agreement_case() {
	local dir=$1 name=$2 work status=1 i
	shift 2
	work=$(mktemp -d "$dir/case.XXXXXX")
	for ((i = 0; i < 5 && status != 0; i++)); do
		status=0
		rm -rf "${work:?}"/*
		("$@" "$dir" "$work") >"$work/said" 2>&1 || status=$?
	done
	agreement_tell "$status" "$(cat "$dir/kernel"): $name" "$work/said"
}

# Starts a guest of each kernel, calls $1 with its folder, and ends it. KERNELS (words) names other kernels.
agreement_each_kernel() {
	local function=$1 kernel dir
	shift
	for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
		dir=$(mktemp -d)
		on_exit rm -rf "$dir"
		guest_start --kernel "$kernel" "$@" "$dir" >/dev/null
		"$function" "$dir"
		guest_stop "$dir"
	done
	echo "1..$agreement_count"
	exit "$agreement_failed"
}
