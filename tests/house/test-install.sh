#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is installed is complete: a program of somebody else's is built against it, with nothing of this tree, and runs; and the
# command runs from there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
number=0
ok() { # STATUS NAME
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

echo 1..5
status=0
DESTDIR=$root meson install -C build --no-rebuild --quiet || status=$?
ok "$status" "it installs"

# A strange machine: only what lies under $root.
config=$(find "$root" -name libksma.pc)
cat >"$root/theirs.c" <<'END'
#include <ksma/check.h>
#include <ksma/coverage.h>
#include <stdio.h>

int main(void)
{
	struct ksma_guest_list list;
	struct ksma_error *error = ksma_guest_discover(&list);

	if (error) {
		fprintf(stderr, "%s\n", error->message);
		return 1;
	}
	ksma_guest_list_free(&list);
	return ksma_check_count() > 0 ? 0 : 1;
}
END
status=0
export PKG_CONFIG_PATH=${config%/*} PKG_CONFIG_SYSROOT_DIR=$root
# shellcheck disable=SC2046 # words
(cd "$root" && "${CC:-cc}" -Wall -Wextra -Werror -o theirs theirs.c $(pkg-config --cflags --libs libksma)) || status=$?
ok "$status" "a program builds against it"
library=$(find "$root" -name libksma.so)
status=0
LD_LIBRARY_PATH=${library%/*} "$root/theirs" || status=$?
ok "$status" "and runs"

status=0
"$(find "$root" -path '*/bin/ksma')" --version | grep -q '^ksma [0-9]' || status=$?
ok "$status" "the command runs"
status=0
find "$root" -name ksma.1 | grep -q . && find "$root" -path '*/completions/ksma' | grep -q . || status=$?
ok "$status" "its manual and completion are there"
