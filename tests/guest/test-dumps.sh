#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 900
#
# The same moment of a guest as ELF, as ELF by virtual address, kdump-compressed and as raw memory is the same guest: every command
# says the same of each. Dumps that are cut off or of no known form are refused with a reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=tests/lib/dumps.sh
. tests/lib/dumps.sh

ksma=${KSMA_BUILD:-build}/ksma
cases=0
failures=0

result() { # ok|"not ok" WORDS
	cases=$((cases + 1))
	[ "$1" = ok ] || failures=$((failures + 1))
	printf '%s %d - %s\n' "$1" "$cases" "$2"
}

# What a command says, without what may differ: the file's name and form, and how long it took.
say() { # FILE COMMAND…
	local file=$1 command=$2 status=0
	shift 2
	"$ksma" "$command" "$file" "$@" --json >"$scratch/said" 2>&1 || status=$?
	python3 -c 'import json, sys
said = json.load(open(sys.argv[1]))
said.pop("guest", None)
for coverage in said.get("coverage", []):
    coverage.pop("cost_us", None)
print(json.dumps(said, sort_keys=True))' "$scratch/said" || cat "$scratch/said"
	echo "status $status"
}

refused() { # FILE WORDS
	local status=0 said
	said=$("$ksma" info "$1" 2>&1) || status=$?
	if [ "$status" = 3 ] && grep -qF -- "$2" <<<"$said"; then
		result ok "refused: $2"
	else
		result "not ok" "$1 is refused with \"$2\": status $status, $said"
	fi
}

dumps=$(dumps_get 6.1)
scratch=$(mktemp -d)
on_exit rm -rf "$scratch"
export XDG_CACHE_HOME=$scratch/cache # nothing is known of this kernel before

for command in ps modules sockets dmesg "maps 1" "files 1"; do
	read -ra words <<<"$command"
	say "$dumps/dump.elf" "${words[@]}" >"$scratch/elf"
	if grep -q '^status 0$' "$scratch/elf"; then
		result ok "$command of an ELF dump: $(wc -c <"$scratch/elf") bytes of JSON"
	else
		result "not ok" "$command of an ELF dump: $(tail -c 300 "$scratch/elf")"
	fi
	for form in paging kdump raw; do
		say "$dumps/dump.$form" "${words[@]}" >"$scratch/other"
		if cmp -s "$scratch/elf" "$scratch/other"; then
			result ok "$command of $form is the same"
		else
			result "not ok" "$command of $form differs: $(tail -c 300 "$scratch/other")"
		fi
	done
done

head -c 100000000 "$dumps/dump.elf" >"$scratch/cut.elf"
refused "$scratch/cut.elf" "is cut off"
head -c 20000000 "$dumps/dump.kdump" >"$scratch/cut.kdump"
refused "$scratch/cut.kdump" "is cut off"
gzip -1 <"$dumps/dump.kdump" >"$scratch/dump.gz"
refused "$scratch/dump.gz" "decompress it first"
head -c 5000 /dev/zero >"$scratch/odd"
refused "$scratch/odd" "is not a dump"
echo "1..$cases"
[ "$failures" = 0 ]
