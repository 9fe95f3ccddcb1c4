#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The documents do not lie: what they link to is there, every decision is in the list, and README knows the commands there are.
# With --update, writes that list anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ "${1-}" = --update ]; then
	list=$(for file in docs/decisions/[0-9]*.md; do
		printf -- '- [%s](%s)\n' "$(head -n 1 "$file" | sed 's/^# //')" "${file##*/}"
	done)
	printf '%s\n\n## The list\n\n%s\n' "$(sed '/^## The list/,$d' docs/decisions/README.md)" "$list" >docs/decisions/README.new
	mv docs/decisions/README.new docs/decisions/README.md
	exit 0
fi

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

echo 1..4
mapfile -t documents < <(git -c safe.directory='*' ls-files '*.md')
problems=$(for file in "${documents[@]}"; do
	[ -e "$file" ] || continue
	{ grep -oE '\]\([^)# ]+' "$file" || true; } | sed 's/^](//' | while IFS= read -r target; do
		case $target in
		*://*) ;;
		*) [ -e "$(dirname "$file")/$target" ] || echo "$file links to $target, which is not there" ;;
		esac
	done
done)
report "every link leads somewhere" "$problems"

problems=$(for file in docs/decisions/[0-9]*.md; do
	name=${file##*/}
	grep -qF "($name)" docs/decisions/README.md || echo "$name is not in docs/decisions/README.md"
	head -n 1 "$file" | grep -qE "^# ${name%%-*}: " || echo "$name does not begin with \"# ${name%%-*}: \""
done)
report "every decision is listed, and says its number" "$problems"

# "ksma WORD" in the table of README against the program's own list.
# shellcheck disable=SC2016 # the backquote is a backquote
told=$(grep '^| `ksma' README.md | grep -oE '`ksma [a-z]+' | cut -d' ' -f2 | sort -u)
known=$(build/ksma help | sed -n 's/^  \([a-z]\{2,\}\)  *.*/\1/p' | grep -vxE 'help|version|completion' | sort -u)
report "README names the commands there are" "$(diff <(echo "$told") <(echo "$known") || true)"

targets=$(grep -hoE '\bmake [a-z]+' README.md CONTRIBUTING.md | sed 's/make //' | sort -u)
problems=$(for target in $targets; do
	grep -qE "^$target:" Makefile || echo "there is no make $target"
done)
report "every make command that is named exists" "$problems"
