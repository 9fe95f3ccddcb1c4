# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Loads every attack of tests/attacks into a guest of one kernel, and requires that ksma finds it by the right check, with
# evidence that is what the attack itself says it did, and that nothing is found before and after. What came of it must be what
# docs/detection.md says; with DETECTION=update it is written there. CASES: only these.

ksma_tampered_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=attacks.sh
. "$ksma_tampered_lib/attacks.sh"
ksma=${KSMA:-$ksma_tampered_lib/../../build/ksma}

tampered_count=0
tampered_failed=0

# Tells one case in TAP: its status $1, its name $2, and the files that follow with what there is to say.
tampered_tell() {
	tampered_count=$((tampered_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tampered_count - $2"
	else
		tampered_failed=1
		echo "not ok $tampered_count - $2"
	fi
	shift 2
	cat "$@" | sed 's/^/# /' | cut -c1-600
}

# Looks at the guest of folder $1 and keeps the report in $2; the status must be $3.
tampered_look() {
	local status=0
	"$ksma" check --json "$(guest_pid "$1")" >"$2" 2>"$2.err" || status=$?
	[ "$status" -eq "$3" ] || {
		echo "exit status $status, $3 expected"
		cat "$2.err"
		jq -c '.findings[] | [.id, .title, .evidence]' "$2"
		jq -c '.coverage[] | select(.state != "complete")' "$2"
		return 1
	}
}

# Holds a report $1 against what the attack logged ($2) and the checks that must find it ($3, words): all of them must (others may as
# well, for one change often breaks several rules; where none must, none may), every coverage is complete, and one of the facts of the
# log stands in the evidence of each.
tampered_compare() {
	python3 - "$1" "$2" "$3" <<-'END'
		import json, re, sys
		report, log, wanted = json.load(open(sys.argv[1])), sys.argv[2], set(sys.argv[3].split())
		found = {f["check"] for f in report["findings"]}
		facts = re.findall(r"(?:value|module|page|task|slot|branch|base)=(\S+)", log)
		problems = []
		if not wanted <= found or (not wanted and found):
		    problems.append(f"found by {sorted(found)}, {sorted(wanted)} expected")
		for c in report["coverage"]:
		    if c["state"] != "complete":
		        problems.append(f"{c['check']} is {c['state']}: {c['reason']}")
		for check in wanted & found:
		    said = json.dumps([f["evidence"] for f in report["findings"] if f["check"] == check])
		    if not any(fact in said for fact in facts):
		        problems.append(f"the evidence of {check} has none of {facts}: {said[:500]}")
		for f in report["findings"]:
		    print(f["id"], "|", f["title"])
		    if not f["attack"].startswith("T") or not f["evidence"]:
		        problems.append(f"{f['id']} lacks its technique or its evidence")
		print("\n".join(problems))
		sys.exit(bool(problems))
	END
}

# The checks that must find case $1.
tampered_checks() {
	case $1 in
	combined) echo "syscall-table modules processes" ;;
	*) attack_case "$1" check | sed 's/^-$//; s/,/ /g' ;;
	esac
}

# Notes for docs/detection.md what became of case $2 on the kernel of folder $1: $3, or what the report says about the checks in $4.
tampered_note() {
	local result=$3
	[ -n "$result" ] || result=$(jq -r --arg wanted "$4" '([.findings[].check] | unique) as $found |
		($wanted | split(" ") | map(select(. != ""))) as $wanted |
		if ($wanted - $found == [] and ($wanted != [] or $found == [])) then "found" else "missed" end' "$1/report" 2>/dev/null) || result=missed
	printf '%s\t%s\t%s\n' "$(cat "$1/kernel")" "$2" "$result" >>"$1/results"
}

# Does a look at the guest of folder $1, whose attack was loaded with status $2 and said $3, show what the checks $4 must find?
tampered_found() {
	rm -f "$1/report"
	[ "$2" -eq 0 ] && {
		tampered_look "$1" "$1/report" "$([ -n "$4" ] && echo 1 || echo 0)" && tampered_compare "$1/report" "$3" "$4"
	} >"$1/said" 2>&1
}

# One case $2 in the guest of folder $1, which is clean before and is left clean.
tampered_case() {
	local dir=$1 name=$2 wanted log status=0
	wanted=$(tampered_checks "$name")
	log=$(attack_load "$dir" "$name" 2>&1) || status=$?
	if [ "$status" -eq 77 ]; then
		tampered_count=$((tampered_count + 1))
		echo "ok $tampered_count - $(cat "$dir/kernel"): $name # SKIP this kernel has no such thing"
		tampered_note "$dir" "$name" none
		return
	fi
	tampered_found "$dir" "$status" "$log" "$wanted" || status=1
	# A kernel that writes CR4 for a reason of its own puts back what it has pinned: then the attack was over before the look.
	if [ "$status" -ne 0 ] && [[ $name == cr4-* ]]; then
		sed 's/^/# over already? /' "$dir/said" | head -n 3
		attack_undo "$dir" "$name" >/dev/null 2>&1 || true
		status=0
		log=$(attack_load "$dir" "$name" 2>&1) || status=$?
		tampered_found "$dir" "$status" "$log" "$wanted" || status=1
	fi
	echo "$log" >"$dir/log"
	tampered_note "$dir" "$name" "" "$wanted"
	tampered_tell "$status" "$(cat "$dir/kernel"): $name" "$dir/log" "$dir/said"
	tampered_restore "$dir" "$name"
}

# Takes the attack back; where that leaves something behind, the guest starts anew.
tampered_restore() {
	local dir=$1 name=$2
	if [ "$(attack_case "$name" undo)" = none ]; then
		attack_restart "$dir"
	else
		attack_undo "$dir" "$name"
	fi >"$dir/undo" 2>&1 || true
	# A kernel that was just set back, on a host with too much to do, may be patching itself for longer than a check waits.
	tampered_look "$dir" "$dir/after" 0 >"$dir/said" 2>&1 || {
		sed 's/^/# not clean yet: /' "$dir/said" | cut -c1-300
		sleep 5
		tampered_look "$dir" "$dir/after" 0 >"$dir/said" 2>&1
	} || {
		tampered_tell 1 "$(cat "$dir/kernel"): clean again after $name" "$dir/undo" "$dir/said"
		attack_restart "$dir" >/dev/null 2>&1 || true
	}
}

# All cases on kernel $1.
tampered_kernel() {
	local kernel=$1 dir name status=0
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	local accel
	accel=$(guest_accel)
	# Attacks patch code while other vCPUs run it: see decision 0186.
	[ "$accel" != tcg ] || accel=tcg,thread=single
	guest_start --kernel "$kernel" --mem 512M --cpus 2 --accel "$accel" --attacks --module cls_bpf --module sch_ingress --module sch_fq_codel --snapshots "$dir" >/dev/null
	tampered_look "$dir" "$dir/report" 0 >"$dir/said" 2>&1 || status=1
	tampered_tell "$status" "$kernel: clean at first" "$dir/said"
	guest_snapshot "$dir"
	for name in ${CASES:-$(attack_cases)}; do
		tampered_case "$dir" "$name"
	done
	guest_stop "$dir"
	status=0
	"$ksma_tampered_lib/../tools/detection" ${DETECTION:+"--$DETECTION"} "$dir/results" >"$dir/said" 2>&1 || status=1
	tampered_tell "$status" "$kernel: docs/detection.md says the same (DETECTION=update writes it)" "$dir/said"
	echo "1..$tampered_count"
	exit "$tampered_failed"
}
