#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The guard under a newer QEMU than the system's: its debugger tells less of what becomes of a guest (since 8.1), and forgets less (since 10.2).
# Environment: QEMU_SUITES, of Debian.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/qemu.sh
. "$here/../lib/qemu.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

count=0
status=0
for suite in ${QEMU_SUITES:-trixie}; do
	folder=$(qemu_get "$suite")
	version=$(PATH=$folder:$PATH qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
	for script in test-guard-life.sh test-kvm-guard.sh; do
		PATH=$folder:$PATH "$here/$script" >"$scratch/out" || status=1
		# One list of cases, from several.
		while read -r line; do
			case $line in
			ok\ * | "not ok "*)
				count=$((count + 1))
				printf '%s %d - QEMU %s: %s\n' "${line%% [0-9]*}" "$count" "$version" "${line#* - }"
				;;
			1..*) ;;
			*) printf '%s\n' "$line" ;;
			esac
		done <"$scratch/out"
	done
done
echo "1..$count"
exit "$status"
