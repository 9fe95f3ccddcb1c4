#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# libksma.so offers the functions of include/ksma and nothing else, each under a version; src/libksma.map is the list.
# With --update, writes that list anew.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The functions that the public headers declare: what the compiler sees, without what is defined there.
declared() {
	local header
	for header in include/ksma/*.h; do
		echo "#include <ksma/${header##*/}>"
	done | "${CC:-cc}" -x c -E -P -Iinclude - | tr '\n' ' ' |
		# Bodies go, innermost first; then each declaration is a line.
		sed -E ':a; s/\{[^{}]*\}/;/g; ta' | tr ';' '\n' |
		grep -vE '\b(static|typedef)\b' |
		grep -oE '\bksma_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

if [ "${1-}" = --update ]; then
	{
		echo "# What libksma.so offers: the functions of include/ksma and nothing else."
		echo "# tests/house/test-symbols.sh --update writes it, and without that word holds it."
		echo "KSMA_0.1 {"
		echo "global:"
		declared | sed 's/.*/\t&;/'
		echo "local:"
		printf '\t*;\n};\n'
	} >src/libksma.map
	exit 0
fi

number=0
compare() { # NAME FILE FILE
	number=$((number + 1))
	if diff -u "$2" "$3" >"$work/diff"; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		sed 's/^/# /' "$work/diff"
	fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 1..3
declared >"$work/declared"
sed -n 's/^\t\(ksma_.*\);$/\1/p' src/libksma.map | sort -u >"$work/map"
nm --dynamic --defined-only build/libksma.so | awk '$2 != "A" { print $3 }' | sort -u >"$work/exported"
sed 's/$/@@KSMA_0.1/' "$work/declared" >"$work/versioned"
compare "the map lists what the headers declare (else: tests/house/test-symbols.sh --update)" "$work/declared" "$work/map"
compare "the library exports what the headers declare" "$work/versioned" "$work/exported"

# What a program needs to start: every library costs, and none of the command's is one of ours.
number=3
needed=$(readelf -d build/ksma build/libksma.so | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
unexpected=$(grep -vE '^(libc|libm|libz|libelf|libjson-c|libsmartcols|libZydis|libZycore|ld-linux-x86-64)\.so' <<<"$needed" || true)
if [ -z "$unexpected" ]; then
	echo "ok 3 - no library is linked that nobody agreed on"
else
	echo "not ok 3 - no library is linked that nobody agreed on"
	printf '# %s\n' "${unexpected//$'\n'/$'\n'# }"
fi
