#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest that keeps forking, mapping, and loading and unloading modules is looked at CHECKS times in a row, and nothing is found.
# timeout: 1200
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
ksma=${KSMA:-$here/../../build/ksma}
checks=${CHECKS:-200}
kernel=${KERNEL:-6.1}

dir=$(mktemp -d)
on_exit rm -rf "$dir"
guest_start --kernel "$kernel" --mem 512M --cpus 2 --populate 60 --module dummy --module evdev "$dir" >/dev/null
# The modules that come and go, as files in the guest.
files=$(guest_exec "$dir" 'find / -xdev -name "dummy.ko*" -o -xdev -name "evdev.ko*" | tr "\n" " "')
GSH_TIMEOUT=900 guest_exec "$dir" "rmmod evdev; rmmod dummy; gtool churn 900 $files" >"$dir/churn" 2>&1 &
churn=$!
on_exit sh -c "kill $churn 2>/dev/null || true"
sleep 1

# ksma watch would stop at the first one too, but each of these is a whole command, from nothing.
findings=0
incomplete=0
for ((i = 0; i < checks; i++)); do
	status=0
	"$ksma" check --json "$(guest_pid "$dir")" >"$dir/report" || status=$?
	case $status in
	0) ;;
	1)
		findings=$((findings + 1))
		jq -c '.findings[]' "$dir/report"
		;;
	3)
		incomplete=$((incomplete + 1))
		jq -c '.coverage[] | select(.state != "complete")' "$dir/report"
		;;
	*)
		echo "exit status $status"
		cat "$dir/report"
		exit 1
		;;
	esac
	kill -0 "$churn" || {
		echo "the guest stopped being busy:"
		cat "$dir/churn"
		exit 1
	}
done
echo "$kernel: $checks checks: $findings with findings, $incomplete incomplete"
guest_stop "$dir"
[ "$findings" -eq 0 ] && [ "$incomplete" -eq 0 ]
