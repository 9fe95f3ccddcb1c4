#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What we read out of real kernels' tables, held against others: every type, member, offset and enumerator against bpftool, every
# symbol against /proc/kallsyms of that kernel as it runs. Arguments name some kernels only.
# timeout: 2700
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/lib/kernels.sh
. "$home/tests/lib/kernels.sh"
# shellcheck source=tests/lib/guest.sh
. "$home/tests/lib/guest.sh"
# shellcheck source=tests/lib/vmlinux.sh
. "$home/tests/lib/vmlinux.sh"
tables=${KSMA_BUILD:-$home/build}/tests/tools/tables

[ -x "$tables" ] || {
	echo "there is no $tables: run make build"
	exit 77
}
bpftool=$(PATH=$PATH:/usr/sbin:/sbin command -v bpftool) || {
	echo "bpftool is not installed: packaging/install-deps"
	exit 77
}

export GSH_TIMEOUT=300 # a busy emulator takes its time for all of /proc/kallsyms
work=$(mktemp -d)
on_exit rm -rf "$work"
number=0
failed=0
# The cloud flavours differ in what is built in, not in how tables are made: name them to have them too.
[ $# -gt 0 ] || set -- 5.10 6.1 6.12 7.2
echo "1..$(($# * 3))"

report() { # NAME STATUS
	number=$((number + 1))
	if [ "$2" = 0 ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		failed=1
	fi
}

# The words of bpftool that our interface has as well, in the same form.
types_of_bpftool() {
	awk '
	/^\[/ {
		quote = index($0, "\047")
		rest = substr($0, quote + 1)
		# Names of types hold no quotes.
		name = substr(rest, 1, index(rest, "\047") - 1)
		tail = substr(rest, index(rest, "\047") + 1)
		split($0, word, " ")
		kind = word[2]
		line = word[1] " " kind " \047" name "\047"
		members = kind == "STRUCT" || kind == "UNION"
		n = split(tail, field, " ")
		for (i = 1; i <= n; i++) {
			sub(/^ret_type_id=/, "type_id=", field[i])
			sub(/,$/, "", field[i])
			if (field[i] ~ /^(type_id|nr_elems|size)=/)
				line = line " " field[i]
		}
		print line
		next
	}
	members { print }'
}

# "ENUM NAME VALUE" of every enumerator; ENUM is "-" for an anonymous enum. Of several enums with one name, and of several
# enumerators with one name in anonymous enums, the first is what a search by name finds.
enumerators_of_bpftool() {
	awk '
	/^\[/ {
		split($0, word, "\047")
		listed = $2 == "ENUM" || $2 == "ENUM64"
		name = word[2] == "(anon)" ? "-" : word[2]
		if (listed && name != "-" && seen_enum[name]++)
			listed = 0
		next
	}
	listed || /val=/ {
		split($0, word, "\047")
		value = $0
		sub(/.*val=/, "", value)
		sub(/[UL]*$/, "", value)
		if (!any[word[2]]++)
			print "-", word[2], value
		if (listed && name != "-" && !both[name, word[2]]++)
			print name, word[2], value
	}'
}

compare_types() { # KERNEL
	local name=$1 status=0
	objcopy -O binary --only-section=.BTF "$work/vmlinux" "$work/btf" 2>/dev/null
	"$bpftool" btf dump file "$work/btf" format raw >"$work/raw" || return 1
	types_of_bpftool <"$work/raw" >"$work/types.theirs"
	"$tables" btf "$work/btf" >"$work/types.ours" || status=1
	cmp "$work/types.theirs" "$work/types.ours" || status=1
	[ "$(wc -l <"$work/types.ours")" -gt 50000 ] || status=1
	echo "# $name: $(grep -c '^\[' "$work/types.ours") types, $(grep -cv '^\[' "$work/types.ours") members" >&2
	return $status
}

compare_enumerators() { # KERNEL
	enumerators_of_bpftool <"$work/raw" | "$tables" enumerators "$work/btf"
}

compare_symbols() { # KERNEL
	local name=$1 guest=$work/guest text linked
	guest_start --kernel "$name" --mem 512M "$guest" >/dev/null
	guest_exec "$guest" 'echo 0 >/proc/sys/kernel/kptr_restrict; cat /proc/kallsyms' | grep -vF '[' >"$work/symbols.theirs"
	guest_stop "$guest"
	text=$(awk '$3 == "_text" { print $1 }' "$work/symbols.theirs")
	linked=$("$tables" kallsyms "$work/vmlinux" | awk '$3 == "_text" { print $1 }')
	"$tables" kallsyms "$work/vmlinux" "$(printf '%x' $((0x$text - 0x$linked)))" >"$work/symbols.ours"
	echo "# $name: $(wc -l <"$work/symbols.ours") symbols, moved up by $(printf '%#x' $((0x$text - 0x$linked)))" >&2
	cmp "$work/symbols.theirs" "$work/symbols.ours" && [ "$(wc -l <"$work/symbols.ours")" -gt 50000 ]
}

for kernel in "$@"; do
	vmlinux_unpack "$(kernel_get "$kernel")/vmlinuz" "$work/vmlinux"
	compare_types "$kernel" && status=0 || status=1
	report "$kernel: types and members equal bpftool's" "$status"
	compare_enumerators "$kernel" && status=0 || status=1
	report "$kernel: enumerators equal bpftool's" "$status"
	compare_symbols "$kernel" && status=0 || status=1
	report "$kernel: symbols equal /proc/kallsyms" "$status"
done
exit $failed
