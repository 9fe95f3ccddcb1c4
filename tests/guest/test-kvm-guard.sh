#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
#
# A breakpoint of the guard in the payload, under a real /dev/kvm and under TCG: hit, skipped, denied, stepped over; and after any end of
# the guard the guest runs on and has no breakpoint. Without /dev/kvm the KVM case is skipped, with the reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/payload.sh
. tests/lib/payload.sh

check() { # ACCELERATOR ROUNDS
	local accelerator=$1 folder=$payload_scratch/$1
	if ! payload_accelerator "$accelerator"; then
		payload_case "skip" "$accelerator # SKIP $payload_reason"
		return
	fi
	if ! payload_start "$folder" "$accelerator" memfd "guard-$accelerator" "$(cat /proc/sys/kernel/random/uuid)"; then
		payload_case "not ok" "$accelerator: the payload did not come up"
		return
	fi
	payload_run "$accelerator" "$payload_tools/guard" "$(cat "$folder/pid")" "$folder/serial.log" "$folder/gdb.sock" "$2"
	payload_stop "$folder"
}

check tcg 100
check kvm 100
payload_done
