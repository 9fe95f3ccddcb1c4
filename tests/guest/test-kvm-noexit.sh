#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
# alone
#
# Reading memory causes no exit: the vCPU's own statistics over 10,000 reads, beside a control interval without reads, under a
# real /dev/kvm, with RAM that is mapped and RAM that is copied. What was measured is printed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/payload.sh
. tests/lib/payload.sh

if ! payload_accelerator kvm; then
	echo "$payload_reason"
	exit 77
fi

check() { # RAM ACCESS
	local folder=$payload_scratch/$1 result
	if ! payload_start "$folder" kvm "$1" "noexit-$1" "$(cat /proc/sys/kernel/random/uuid)"; then
		payload_case "not ok" "RAM $1: the payload did not come up"
		return
	fi
	if result=$("$payload_tools/noexit" "$(cat "$folder/pid")" "$folder/qmp2.sock"); then
		payload_case ok "RAM $1: $result"
	else
		payload_case "not ok" "RAM $1: $result"
	fi
	case $result in
	*"\"accelerator\":\"kvm\",\"access\":\"$2\""*) payload_case ok "RAM $1 is $2, under KVM" ;;
	*) payload_case "not ok" "RAM $1 is not $2, or not under KVM" ;;
	esac
	payload_stop "$folder"
}

check memfd mapped
check anon copied
payload_done
