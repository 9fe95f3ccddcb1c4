#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
#
# A guest that knows itself, under a real /dev/kvm and under TCG, with RAM that can be mapped and RAM that must be copied:
# discovery, memory, registers and paging agree with what it says. Without /dev/kvm the KVM cases are skipped, with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/payload.sh
. tests/lib/payload.sh

check() { # ACCELERATOR RAM ACCESS [KEY=VALUE…]
	local accelerator=$1 ram=$2 access=$3 folder=$payload_scratch/$1-$2 uuid
	shift 3
	uuid=$(cat /proc/sys/kernel/random/uuid)
	if ! payload_accelerator "$accelerator"; then
		payload_case "skip" "$accelerator, RAM $ram # SKIP $payload_reason"
		return
	fi
	if ! payload_start "$folder" "$accelerator" "$ram" "payload-$accelerator-$ram" "$uuid"; then
		payload_case "not ok" "$accelerator, RAM $ram: the payload did not come up"
		return
	fi
	payload_run "$accelerator, RAM $ram" "$payload_tools/check_payload" "$(cat "$folder/pid")" "$folder/serial.log" \
		"name=payload-$accelerator-$ram" "uuid=$uuid" "accelerator=$accelerator" "ram=$access" memory=67108864 "$@"
	payload_stop "$folder"
}

check tcg memfd mapped
check tcg anon copied
check tcg file mapped "spec=payload-tcg-file"
check kvm memfd mapped
check kvm anon copied
payload_done
