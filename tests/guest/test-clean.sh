#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Untouched guests are found clean and wholly covered: kernels and flavours, kinds of memory, 1 and 4 vCPUs, 512 MiB and
# 5 GiB (memory above the hole), 4 and 5 levels of paging, KPTI; and with memory alone.
# timeout: 2700
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
ksma=${KSMA:-$here/../../build/ksma}
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"

# No finding, every coverage complete, exit status 0, and the access to memory that was asked for.
clean() { # ACCESS
	local status=0
	"$ksma" check --json "$(guest_pid "$dir")" >"$dir/report" || status=$?
	jq -c '.findings[] | [.id, .title], (.coverage // [])[] | select(.state != "complete")' "$dir/report" 2>/dev/null || cat "$dir/report"
	[ "$status" -eq 0 ] || {
		echo "exit status $status"
		jq -c '.findings[], (.coverage[] | select(.state != "complete"))' "$dir/report"
		return 1
	}
	[ "$(jq '.findings | length' "$dir/report")" -eq 0 ]
	[ "$(jq '.coverage | length' "$dir/report")" -ge 7 ]
	[ "$(jq -r '[.coverage[].state] | unique | .[]' "$dir/report")" = complete ]
	"$ksma" info --json "$(guest_pid "$dir")" >"$dir/info"
	[ "$(jq -r .guest.access "$dir/info")" = "$1" ]
}

# Without registers the same kernel is found by search, nothing is a finding, and what is not covered is said.
memory_alone() {
	local status=0 slide needy
	slide=$(jq -r '.kernel.virtual_slide' "$dir/info")
	"$ksma" info --json --memory-only --no-cache "$(guest_pid "$dir")" >"$dir/alone"
	[ "$(jq -r '.kernel.virtual_slide' "$dir/alone")" = "$slide" ]
	"$ksma" check --json --memory-only --no-cache "$(guest_pid "$dir")" >"$dir/report" || status=$?
	jq -c '.findings[]' "$dir/report"
	[ "$status" -eq 3 ]
	[ "$(jq '.findings | length' "$dir/report")" -eq 0 ]
	needy=$("$ksma" check --list --json | jq -r '[.checks[] | select(.needs == "registers") | .name] | sort | join(" ")')
	[ "$(jq -r '[.coverage[] | select(.state != "complete") | .check] | sort | join(" ")' "$dir/report")" = "$needy" ]
}

try() { # ACCESS ARGUMENT… of guest_start
	local access=$1 name
	shift
	name=$*
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	guest_start "$@" "$dir" >/dev/null
	does "${name//--/}" clean "$access"
	does "${name//--/}, memory alone" memory_alone
	guest_stop "$dir"
	rm -rf "$dir"
}

for kernel in ${KERNELS:-5.10 6.1 6.12 7.2}; do
	try mapped --kernel "$kernel" --ram memfd --cpus 1 --mem 512M
	try mapped --kernel "$kernel" --ram file --cpus 4 --mem 5G
	try copied --kernel "$kernel" --ram anon --cpus 4 --mem 512M
	try copied --kernel "$kernel" --ram anon --cpus 1 --mem 5G
	try mapped --kernel "$kernel" --ram memfd --cpus 2 --mem 512M --la57
	try mapped --kernel "$kernel-cloud" --ram memfd --cpus 4 --mem 5G
done
try mapped --kernel 6.1 --ram memfd --cpus 1 --mem 5G
try mapped --kernel 6.1 --ram file --cpus 4 --mem 512M
try mapped --kernel 6.1 --ram memfd --cpus 2 --mem 512M --append pti=on
echo "1..$count"
exit "$failed"
