#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# packaging/install-deps knows its sets, says so when it does not, and gives each package a reason.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo 1..4
if packaging/install-deps --list | awk 'NF < 3 { exit 1 }'; then
	echo "ok 1 - every package has a reason"
else
	echo "not ok 1 - every package has a reason"
fi
twice=$(packaging/install-deps --list | awk '{ print $2 }' | sort | uniq -d)
if [ -z "$twice" ]; then echo "ok 2 - no package is listed twice"; else echo "not ok 2 - listed twice: $twice"; fi
status=0
words=$(packaging/install-deps nonsense 2>&1) || status=$?
if [ "$status" -eq 2 ] && [[ $words == *nonsense*build* ]]; then
	echo "ok 3 - a set that does not exist is an error that names those that do"
else
	echo "not ok 3 - a set that does not exist is an error that names those that do"
fi
# A machine without apt-get is told what to get, and may go on: it may have all of it.
TMPDIR=${TMPDIR:-$(mktemp -d)}
mkdir "$TMPDIR/bin"
for tool in bash awk cat id env printf; do ln -s "$(command -v "$tool")" "$TMPDIR/bin/$tool"; done
words=$(PATH=$TMPDIR/bin packaging/install-deps build 2>&1) || status=1
if [[ $words == *apt-get*libelf-dev* ]]; then
	echo "ok 4 - without apt-get the packages are named"
else
	echo "not ok 4 - without apt-get the packages are named"
fi
