#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is done with a finding: its evidence read, explained, excepted for a time, and sent to a SIEM.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/lib/attacks.sh
. "$root/tests/lib/attacks.sh"

dir=$tmp/guest
guest_start --kernel 6.1 --mem 512M --name evidence --attacks "$dir" >/dev/null

ocsf() { # NAME STATUS ARGUMENT…
	local name=$1 wanted=$2
	shift 2
	look check evidence --format ocsf "$@"
	check "$name: status" test "$status" -eq "$wanted"
	check "$name: events" /usr/bin/python3 "$e2e_home/validate.py" "$root/docs/schema" ocsf "$tmp/out"
}

ocsf "ocsf of a clean guest" 0 syscall-table
check "one event, the scan" test "$(jq -c '[.class_uid, .status_id, .num_detections]' "$tmp/out")" = "[6007,1,0]"
ocsf "ocsf of what could not be looked at" 3 lstar --memory-only
check "the scan failed" test "$(jq -c '[.class_uid, .status_id, .num_skipped_items]' "$tmp/out")" = "[6007,2,1]"

look check evidence module-text
check "modules that nobody vouches for are named, on a line of their own" grep -Eq '^[0-9]+ modules? without a vendor reference: ' "$tmp/out"

attack_load "$dir" syscall-table >"$tmp/log"
json "a finding" 1 check check evidence syscall-table
cp "$tmp/out" "$tmp/report"
id=$(jq -r '.findings[0].id' "$tmp/report")
check "it shows the instructions of the hook" test "$(jq -r '.findings[0].evidence.found_code | length > 10' "$tmp/report")" = true
check "and its page frame" test "$(jq -r '.findings[0].evidence.found_frame | startswith("0x")' "$tmp/report")" = true
check "and its owner" test "$(jq -r '.findings[0].evidence.found_owner' "$tmp/report")" = "module syscall_table"

ocsf "ocsf of a finding" 1 syscall-table
check "the finding, then the scan" test "$(jq -c '[.class_uid, .severity_id]' "$tmp/out" | paste -sd' ')" = "[2004,4] [6007,1]"
check "it is about the guest" test "$(jq -r 'select(.class_uid == 2004).resources[0].name' "$tmp/out")" = evidence
check "--format json is --json" test "$("$ksma" check evidence syscall-table --format json | jq -r '.findings[0].id')" = "$id"
expect "no such format" 2 "text, json or ocsf" check evidence --format xml
expect "two formats" 2 "disagree" check evidence --json --format ocsf

json "explained" 0 explain explain "$id"
check "by its check" test "$(jq -r '.explanations[0].check' "$tmp/out")" = syscall-table
"$ksma" explain - <"$tmp/report" >"$tmp/out"
check "explained from the document, with its evidence" grep -q found_owner "$tmp/out"
check "and what to do" grep -q "dump-guest-memory" "$tmp/out"
expect "nothing of that name to explain" 2 "no check nonsense" explain nonsense/1
echo '[]' >"$tmp/empty"
status=0
"$ksma" explain - <"$tmp/empty" >"$tmp/out" 2>"$tmp/err" || status=$?
check "no document to explain" test "$status" -eq 2

# The record of the finding, given a reason and an end.
jq -c '.findings[].exception + {reason: "ticket 4711", expires: "2999-01-01"}' "$tmp/report" >"$tmp/exceptions"
json "excepted" 0 check check evidence syscall-table --exceptions "$tmp/exceptions"
check "no finding is left" test "$(jq -c '[(.findings | length), .excepted[0].finding.id, .excepted[0].reason, .exceptions[0].state]' "$tmp/out")" = "[0,\"$id\",\"ticket 4711\",\"applied\"]"
look check evidence syscall-table --exceptions "$tmp/exceptions"
check "people are told" grep -q "ticket 4711" "$tmp/out"
ocsf "ocsf of an exception" 0 syscall-table --exceptions "$tmp/exceptions"
check "it is suppressed" test "$(jq -c 'select(.class_uid == 2004) | [.status_id, .is_alert]' "$tmp/out")" = "[3,false]"
json "excepted while watching" 0 watch watch evidence syscall-table --count 2 --interval 50ms --exceptions "$tmp/exceptions"
check "told once" test "$(grep -c '"event":"excepted"' "$tmp/out")" -eq 1
jq -c '.expires = "2020-01-01"' "$tmp/exceptions" >"$tmp/ended"
json "an exception that ended" 1 check check evidence syscall-table --exceptions "$tmp/ended"
check "is listed" test "$(jq -r '.exceptions[0].state' "$tmp/out")" = ended
jq -c '.evidence.found_owner = "module other"' "$tmp/exceptions" >"$tmp/other"
json "an exception of something else" 1 check check evidence syscall-table --exceptions "$tmp/other"
check "is listed as unused" test "$(jq -r '.exceptions[0].state' "$tmp/out")" = unused
jq -c 'del(.reason)' "$tmp/exceptions" >"$tmp/bad"
expect "an exception without a reason" 2 "exception 1: it has no \"reason\"" check evidence --exceptions "$tmp/bad"
expect "no such file" 2 "none-such" check evidence --exceptions "$tmp/none-such"

finish
