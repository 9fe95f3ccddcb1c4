#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tests/run itself: that what fails, hangs, is skipped, or only pretends to run is counted as such. A test entry that
# cannot fail would make all others worthless.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

tree=$TMPDIR/tree
mkdir -p "$tree"/tests/{zoo,fuzz,unit}
cp tests/run "$tree/tests/run"
printf '# none\nzoo/skip-allowed all because it may\nzoo/skip some\nzoo/some some\n' >"$tree/tests/may-skip"

script() { # NAME: the body comes on stdin
	{
		printf '#!/bin/bash\n'
		cat
	} >"$tree/tests/zoo/test-$1.sh"
	chmod +x "$tree/tests/zoo/test-$1.sh"
}
script pass <<<'exit 0'
script fail <<<'echo went wrong; exit 1'
script skip <<<'echo no such device; exit 77'
script skip-allowed <<<'echo no such device; exit 77'
script some <<<'echo 1..2; echo ok 1 - a; echo "ok 2 - b # SKIP not here"'
script tap <<'END'
echo 1..3
echo ok 1 - a
echo not ok 2 - b
echo "ok 3 - c # SKIP not here"
END
script tap-short <<<'echo 1..3; echo ok 1 - a'
script tap-none <<<'echo 1..0'
script tap-crash <<<'echo 1..2; echo ok 1 - a; kill -SEGV $$'
script cases <<<'echo "# cases: 5"'
script hang <<'END'
# timeout: 1
setsid sleep 1000 "$TMPDIR/witness" &
sleep 1000
END
script alone <<'END'
# alone
exit 0
END
script guest <<<'# . lib/guest.sh'

number=0
echo 1..21
is() { # NAME FOUND EXPECTED
	number=$((number + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $number - $1"
	else
		echo "not ok $number - $1"
		printf '# found:    %s\n# expected: %s\n' "$2" "$3"
	fi
}
run() { # PATTERN [CI]: prints the last line and the status
	local status=0
	CI=${2-} "$tree/tests/run" --no-build --only "$1" >"$TMPDIR/out" 2>&1 || status=$?
	printf '%s; %d\n' "$(tail -n 1 "$TMPDIR/out")" "$status"
}

is "a pass" "$(run zoo/pass)" "1 passed, 0 failed, 0 skipped; 0"
is "a failure" "$(run zoo/fail)" "0 passed, 1 failed, 0 skipped; 1"
is "its words are shown" "$(grep -c 'went wrong' "$TMPDIR/out")" 1
is "a skip" "$(run zoo/skip)" "0 passed, 0 failed, 1 skipped; 0"
is "its reason is shown" "$(grep -c 'no such device' "$TMPDIR/out")" 1
is "a skip in CI fails" "$(run zoo/skip true)" "0 passed, 1 failed, 0 skipped; 1"
is "a skip in CI that is allowed" "$(run zoo/skip-allowed true)" "0 passed, 0 failed, 1 skipped; 0"
is "single cases that may be skipped in CI" "$(run zoo/some true)" "1 passed, 0 failed, 1 skipped; 0"
is "single cases that may not" "$(run zoo/tap true)" "1 passed, 2 failed, 0 skipped; 1"
is "TAP" "$(run zoo/tap)" "1 passed, 1 failed, 1 skipped; 1"
is "TAP that ends early" "$(run zoo/tap-short)" "1 passed, 1 failed, 0 skipped; 1"
is "a plan of nothing" "$(run zoo/tap-none)" "0 passed, 1 failed, 0 skipped; 1"
is "a crash after a pass" "$(run zoo/tap-crash)" "1 passed, 1 failed, 0 skipped; 1"
is "cases that are only counted" "$(run zoo/cases)" "5 passed, 0 failed, 0 skipped; 0"
is "a hang" "$(run zoo/hang)" "0 passed, 1 failed, 0 skipped; 1"
is "what hung is gone" "$(pgrep -f 'sleep 1000 /tmp/ksma-tests.*/witness' -c || true)" 0
is "one that wants to be alone" "$(run zoo/alone)" "1 passed, 0 failed, 0 skipped; 0"
is "several" "$(run 'zoo/*p')" "1 passed, 1 failed, 2 skipped; 1"
is "a name that does not exist" "$(run nonsense | sed 's/.*; //')" 2
is "without guests" "$("$tree/tests/run" --list --no-guests --only 'zoo/*' | grep -cx zoo/guest || true)" 0
exec 7>"$tree/build/tests/lock"
flock 7
is "two runs at once" "$(run zoo/pass | sed 's/.*; //')" 2
