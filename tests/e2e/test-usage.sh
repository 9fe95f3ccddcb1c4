#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command without a guest: wrong usage, exit statuses, outputs that cannot be written, help, manual and completion.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

expect "no command" 2 "^ksma: no command given" # no arguments
expect "unknown command" 2 "there is no command 'frobnicate'" frobnicate
expect "unknown option" 2 "ps has no option --frob" ps vm --frob
expect "too few operands" 2 "ksma ps VM" ps
expect "too many operands" 2 "does not take 'b'" ps a b
expect "option without its value" 2 "needs a value" ps vm --monitor
expect "switch with a value" 2 "takes no value" ps vm --json=yes
expect "wrong colour" 2 "auto, always or never" list --color=sometimes
expect "wrong time" 2 "not a time" info vm --timeout never
expect "wrong pid" 2 "not a process id" maps vm init
expect "wrong length" 2 "not a size" read vm 0 lots
expect "wrong address" 2 "no offset" read vm a+b 4
expect "wrong fields" 2 "knows exe, cmdline" ps vm --fields exe,shoe
expect "unknown check" 2 "there is no check 'nonsense'" check vm nonsense
expect "unknown check to watch" 2 "there is no check 'nonsense'" watch vm nonsense
expect "raw and json" 2 "exclude" read vm 0 4 --raw --json
expect "symbol as physical address" 2 "takes a number" read vm init_task 4 --phys
expect "too long a dump" 2 "only written with --raw" read vm 0 1G

expect "no such guest" 3 "no-such-guest" info no-such-guest
expect "no such process" 3 "4194999|no .*guest|not" info 4194999
expect "not a QEMU" 2 "process $$ is not a QEMU" info $$
: >"$tmp/empty"
expect "an empty dump" 3 "$tmp/empty" info "$tmp/empty"
head -c 100000 /dev/urandom >"$tmp/noise"
expect "noise for a dump" 3 "." info "$tmp/noise"
expect "a folder for a dump" 2 "$tmp is not a regular file" info "$tmp"

for line in "2 frobnicate" "2 ps" "2 ps vm --frob" "3 info no-such-guest" "3 ps $tmp/empty" "2 check vm nonsense"; do
	# shellcheck disable=SC2086 # words
	set -- $line
	json "error document: ${line#* }" "$1" error "${@:2}"
done
json "list as a document" 0 list list
json "the list of checks as a document" 0 checks check --list

expect "help" 0 "" help
expect "--help" 0 "" --help
expect "--version" 0 "" --version
check "the version is one line" grep -qE '^ksma [0-9]+\.[0-9]+\.[0-9]+$' "$tmp/out"
while IFS=$'\t' read -r _ command _; do
	check "help shows $command" grep -q "^  $command " <("$ksma" help)
	expect "help $command" 0 "" help "$command"
	check "usage of $command" grep -q "^usage: ksma $command" "$tmp/out"
	expect "$command --help" 0 "" "$command" --help
done < <("$ksma" help @table | grep '^command')
expect "help of nothing" 2 "no command 'nonsense'" help nonsense

# Every option is in the help of its command, and in the manual.
manual=$(dirname "$ksma")/docs/man/ksma.1
while IFS=$'\t' read -r _ command option _; do
	check "help of $command has $option" grep -qE -- "(^| )$option( |\$)" <("$ksma" help "$command")
	[ ! -e "$manual" ] || check "the manual has $option" grep -qF -- "$option" "$manual"
done < <("$ksma" help @table | grep '^option')

# Output that does not arrive.
to() { # NAME WANTED PATTERN: runs "list" with standard output as it is now
	local name=$1 wanted=$2 pattern=$3 got=0
	shift 3
	"$@" 2>"$tmp/err" || got=$?
	: >"$tmp/out"
	if [ "$got" -eq "$wanted" ] && grep -q -- "$pattern" "$tmp/err"; then pass "$name"; else fail "$name" "exit status $got"; fi
}
for args in help "help @table" "list --json" --version "frobnicate --json"; do
	# shellcheck disable=SC2086 # words
	to "full disk: $args" 4 "No space left" "$ksma" $args >/dev/full
	# shellcheck disable=SC2086 # words
	to "closed output: $args" 4 "cannot write the output" "$ksma" $args >&-
done
# shellcheck disable=SC2317 # called through to
into_closed_pipe() {
	# The reader is gone before the writer begins.
	{
		sleep 0.3
		"$ksma" help @table
	} | true
	return "${PIPESTATUS[0]}"
}
to "closed pipe" 4 "Broken pipe" into_closed_pipe
to "nothing open at all" 4 "" "$ksma" help 0<&- >&- 2>"$tmp/err"

# Colour only where it is wanted.
has_escape() { grep -q $'\033' "$1"; }
has_colour() { grep -q $'\033\\[[0-9]' "$1"; }
lacks() { ! "$@"; }
look check --list
check "no colour into a file" lacks has_escape "$tmp/out"
look check --list --color=always
check "colour when asked for" has_escape "$tmp/out"
if command -v script >/dev/null; then
	unset NO_COLOR
	TERM=xterm script -qec "$ksma check --list" "$tmp/typescript" >/dev/null </dev/null
	check "colour on a terminal" has_colour "$tmp/typescript"
	TERM=xterm NO_COLOR=1 script -qec "$ksma check --list" "$tmp/typescript" >/dev/null </dev/null
	check "NO_COLOR" lacks has_colour "$tmp/typescript"
	TERM=xterm script -qec "$ksma read vm 0 4 --raw" "$tmp/typescript" >/dev/null </dev/null || true
	check "no raw bytes to a terminal" grep -q "could command a terminal" "$tmp/typescript"
fi

# Completion: commands, options, values, checks.
complete_line() { # WORDS: prints what the last could become
	bash -c '. "$1"; PATH=$2:$PATH; read -ra COMP_WORDS <<<"$3"; [[ $3 != *" " ]] || COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _ksma; printf "%s\n" "${COMPREPLY[@]}"' \
		_ "$root/packaging/completion/ksma" "$(dirname "$ksma")" "$1"
}
check "completes commands" grep -qx check <(complete_line "ksma ch")
check "completes options" grep -qx -- --interval <(complete_line "ksma watch vm --int")
check "completes values" grep -qx always <(complete_line "ksma list --color al")
check "completes checks" grep -qx idt <(complete_line "ksma check vm id")
check "completes commands for help" grep -qx sockets <(complete_line "ksma help so")

# Without root, as far as /proc allows.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	as_nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
	if as_nobody test -x "$ksma"; then
		status=0
		as_nobody "$ksma" list --json >"$tmp/out" 2>"$tmp/err" || status=$?
		check "list without root" test "$status" -eq 0
		# shellcheck disable=SC2016 # for the inner shell
		unshare --mount sh -c 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" list --json' \
			"$ksma" >"$tmp/out" 2>"$tmp/err" || status=$?
		check "list where the host hides processes" test "$status" -eq 3
		check "says what is hidden" grep -q "hidepid=.*run as root" "$tmp/err"
		check "in the document too" test "$(field "d['coverage'][0]['state']")" = partial
	fi
fi

finish
