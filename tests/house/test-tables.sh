#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing lies about unused: every source is built, every unit test and fuzz target stands in its table, every file says in
# whose name and why it exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

number=0
report() { # NAME PROBLEMS
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		printf '# %s\n' "${2//$'\n'/$'\n'# }"
	fi
}

# The strings of a meson file that stand on lines of their own.
listed() { sed -n "s/^ *'\(.*\)',\{0,1\}\$/\1/p" "$1" | sort; }

echo 1..7
problems=
for layer in src/*/; do
	problems+=$(comm -23 <(find "$layer" -name '*.c' -printf '%P\n' | grep -vxF main.c | sort) <(listed "${layer}meson.build") |
		sed "s,.*,$layer& is not in ${layer}meson.build,")$'\n'
done
report "every source is built" "$(grep . <<<"$problems" || true)"

problems=$(comm -23 <(cd tests/unit && find . -name 'test_*.c' -printf '%P\n' | sed 's,/test_,/,; s,\.c$,,' | sort) \
	<(listed tests/unit/meson.build))
report "every unit test is in the table" "$problems"

problems=$(comm -23 <(find tests/fuzz -name 'fuzz_*.c' -printf '%f\n' | sed 's,^fuzz_,,; s,\.c$,,' | sort) \
	<(listed tests/fuzz/meson.build))
report "every fuzz target is in the table" "$problems"

problems=$(git -c safe.directory='*' ls-files '*.c' '*.h' '*.sh' '*.def' | while IFS= read -r file; do
	[ -e "$file" ] || continue
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: ' || echo "$file"
done)
report "every file names its licence" "$problems"

problems=$(find tests -name 'test-*.sh' ! -perm -u+x)
report "every test script can be run" "$problems"

# A function fits a screen, a file has one reason to change.
problems=$(find src include -name '*.[ch]' -exec wc -l {} + | awk '$2 != "total" && $1 > 800 { print $2 " has " $1 " lines" }')
report "no source is longer than 800 lines" "$problems"

report "every check is in the table once" "$(sed -n 's/^\t&\(ksma_check_[a-z_]*\),$/\1/p' src/checks/table.c | sort | uniq -d)$(
	grep -c '&ksma_check_.*&ksma_check_' src/checks/table.c | grep -vx 0)"
